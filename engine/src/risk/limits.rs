//! The limits, and which of them contradict each other.

use crate::order::ORDERS_OPEN_MAX;
use crate::units::{Money, Quantity};

/// A decimal number that is no instrument's yet: `Amount { mantissa: 5, decimals: 1 }` is 0.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// The number × 10^decimals.
    pub mantissa: i64,
    /// At most 15.
    pub decimals: u8,
}

impl Amount {
    /// As a quantity at an instrument's decimals, rounded down; what does not fit is the largest there is.
    #[must_use]
    pub fn quantity(self, decimals: u8) -> Quantity {
        let exact = i128::from(self.mantissa) * 10i128.pow(u32::from(decimals));
        let value = exact.div_euclid(10i128.pow(u32::from(self.decimals)));
        Quantity(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

/// What a strategy, or all of them together, may do. `None` is no limit. Money is in the quote currency, each currency on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest quantity of an order.
    pub order_quantity_max: Option<Amount>,
    /// Largest price × quantity of an order.
    pub order_notional_max: Option<Money>,
    /// Largest position in an instrument, long or short, with all that is open filled.
    pub position_max: Option<Amount>,
    /// Largest worth of all positions, each taken as positive, and of all open orders.
    pub gross_exposure_max: Option<Money>,
    /// Orders open at once.
    pub open_orders_max: u32,
    /// Orders and replacements within any second.
    pub orders_per_second_max: u32,
    /// How far a price may be from the market's, in millionths of it.
    pub price_collar_ppm: i64,
    /// Loss of a UTC day at which only reducing is allowed until the next one.
    pub daily_loss_max: Option<Money>,
    /// Fall of the equity below its highest at which only reducing is allowed until the switch is armed again.
    pub drawdown_max: Option<Money>,
    /// Age of an instrument's last record beyond which it is not traded, ns.
    pub data_age_ns_max: i64,
    /// Loss of a position, in millionths of its cost, at which it is closed. A strategy's only.
    pub stop_loss_ppm: Option<i64>,
    /// Gain of a position, in millionths of its cost, at which it is closed. A strategy's only.
    pub take_profit_ppm: Option<i64>,
}

impl Default for Limits {
    /// No limit on sizes and money; 64 open orders, 50 orders a second, 5 % from the market, data no older than 10 s.
    fn default() -> Self {
        Limits {
            order_quantity_max: None,
            order_notional_max: None,
            position_max: None,
            gross_exposure_max: None,
            open_orders_max: 64,
            orders_per_second_max: 50,
            price_collar_ppm: 50_000,
            daily_loss_max: None,
            drawdown_max: None,
            data_age_ns_max: 10_000_000_000,
            stop_loss_ppm: None,
            take_profit_ppm: None,
        }
    }
}

/// Why limits are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// A limit of zero or less would forbid everything; to trade nothing, pause the strategy.
    #[error("{0} must be above zero")]
    NotPositive(&'static str),
    /// A limit is beyond what the engine can hold.
    #[error("{name} must be at most {most}")]
    TooLarge {
        /// Which.
        name: &'static str,
        /// The most.
        most: i64,
    },
    /// One limit allows what the other never will.
    #[error("{larger} is above {smaller}: it could never be used whole")]
    Contradiction {
        /// The limit that is too large.
        larger: &'static str,
        /// The limit that forbids it.
        smaller: &'static str,
    },
    /// A strategy may not be allowed more than all together.
    #[error("{0} of the strategy is above that of all strategies together")]
    AboveTotal(&'static str),
    /// Not a limit of all strategies together.
    #[error("{0} is of one position: set it for a strategy")]
    OfStrategyOnly(&'static str),
}

impl Limits {
    /// The optional limits by name, as far as they can be compared.
    fn amounts(&self) -> [(&'static str, Option<i128>); 6] {
        let amount = |amount: Option<Amount>| {
            amount.map(|a| i128::from(a.mantissa) * 10i128.pow(15 - u32::from(a.decimals.min(15))))
        };
        let money = |money: Option<Money>| money.map(|m| i128::from(m.0));
        [
            ("order_quantity_max", amount(self.order_quantity_max)),
            ("position_max", amount(self.position_max)),
            ("order_notional_max", money(self.order_notional_max)),
            ("gross_exposure_max", money(self.gross_exposure_max)),
            ("daily_loss_max", money(self.daily_loss_max)),
            ("drawdown_max", money(self.drawdown_max)),
        ]
    }

    fn counts(&self) -> [(&'static str, i64); 4] {
        [
            ("open_orders_max", self.open_orders_max.into()),
            ("orders_per_second_max", self.orders_per_second_max.into()),
            ("price_collar_ppm", self.price_collar_ppm),
            ("data_age_ns_max", self.data_age_ns_max),
        ]
    }

    /// Checks the limits by themselves.
    ///
    /// # Errors
    /// The first that is not above zero, too large, or contradicts another.
    pub fn validate(&self) -> Result<(), LimitsError> {
        let ratios = [
            ("stop_loss_ppm", self.stop_loss_ppm),
            ("take_profit_ppm", self.take_profit_ppm),
        ];
        let amounts = self.amounts();
        let optional = amounts
            .into_iter()
            .chain(ratios.map(|(name, value)| (name, value.map(i128::from))));
        let all = optional.chain(self.counts().map(|(name, value)| (name, Some(value.into()))));
        for (name, value) in all {
            if value.is_some_and(|value| value <= 0) {
                return Err(LimitsError::NotPositive(name));
            }
        }
        for (name, value, most) in [
            (
                "open_orders_max",
                i64::from(self.open_orders_max),
                ORDERS_OPEN_MAX as i64,
            ),
            ("orders_per_second_max", i64::from(self.orders_per_second_max), 10_000),
            ("price_collar_ppm", self.price_collar_ppm, 1_000_000),
            ("stop_loss_ppm", self.stop_loss_ppm.unwrap_or(0), 1_000_000),
        ] {
            if value > most {
                return Err(LimitsError::TooLarge { name, most });
            }
        }
        for [(larger, most), (smaller, least)] in [
            [amounts[0], amounts[1]],
            [amounts[2], amounts[3]],
            [amounts[4], amounts[5]],
        ] {
            if matches!((most, least), (Some(most), Some(least)) if most > least) {
                return Err(LimitsError::Contradiction { larger, smaller });
            }
        }
        Ok(())
    }

    /// Checks the limits of all strategies together.
    ///
    /// # Errors
    /// As [`Limits::validate`], and what only a strategy has.
    pub fn validate_total(&self) -> Result<(), LimitsError> {
        self.validate()?;
        match (self.stop_loss_ppm, self.take_profit_ppm) {
            (Some(_), _) => Err(LimitsError::OfStrategyOnly("stop_loss_ppm")),
            (_, Some(_)) => Err(LimitsError::OfStrategyOnly("take_profit_ppm")),
            _ => Ok(()),
        }
    }

    /// Checks a strategy's limits beside those of all strategies together.
    ///
    /// # Errors
    /// As [`Limits::validate`], and what the total would never allow.
    pub fn validate_within(&self, total: &Limits) -> Result<(), LimitsError> {
        self.validate()?;
        let counts = |limits: &Limits| {
            [limits.counts()[0], limits.counts()[1]].map(|(name, value)| (name, Some(i128::from(value))))
        };
        let own = self.amounts().into_iter().chain(counts(self));
        for ((name, own), (_, all)) in own.zip(total.amounts().into_iter().chain(counts(total))) {
            if matches!((own, all), (Some(own), Some(all)) if own > all) {
                return Err(LimitsError::AboveTotal(name));
            }
        }
        Ok(())
    }
}
