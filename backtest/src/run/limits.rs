//! Limits as they are typed: `position_max=0.5`.

use tickpath_engine::risk::{Amount, Limits};
use tickpath_engine::units::Money;
use tickpath_protocol::decimal;

use super::error::RunError;
use crate::metrics::MONEY_DECIMALS;

/// Decimals of a quantity.
const QUANTITY_DECIMALS: u8 = 9;
/// Decimals of a percentage or a number of seconds: millionths and nanoseconds.
const PERCENT_DECIMALS: u8 = 4;
const SECOND_DECIMALS: u8 = 9;

/// The limits that can be typed: quantities in base currency, money in quote currency, shares in percent.
pub const LIMIT_NAMES: [&str; 12] = [
    "order_quantity_max",
    "order_notional_max",
    "position_max",
    "gross_exposure_max",
    "open_orders_max",
    "orders_per_second_max",
    "price_collar_percent",
    "daily_loss_max",
    "drawdown_max",
    "data_age_s_max",
    "stop_loss_percent",
    "take_profit_percent",
];

/// The default limits with those that were typed in their place.
///
/// # Errors
/// If one is no limit, or no number; whether they fit each other is not looked at here.
pub fn parse_limits<T: AsRef<str>>(typed: &[T]) -> Result<Limits, RunError> {
    let mut limits = Limits::default();
    for text in typed.iter().map(AsRef::as_ref) {
        let wrong = || RunError::NoLimit {
            text: text.to_owned(),
            known: LIMIT_NAMES.join(", "),
        };
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        set(&mut limits, name.trim(), value.trim()).ok_or_else(wrong)?;
    }
    Ok(limits)
}

fn set(limits: &mut Limits, name: &str, value: &str) -> Option<()> {
    let number = |decimals| decimal::parse(value.as_bytes(), decimals).ok();
    let amount = || {
        let mantissa = number(QUANTITY_DECIMALS)?;
        Some(Some(Amount {
            mantissa,
            decimals: QUANTITY_DECIMALS,
        }))
    };
    let money = || Some(Some(Money(number(MONEY_DECIMALS)?)));
    match name {
        "order_quantity_max" => limits.order_quantity_max = amount()?,
        "order_notional_max" => limits.order_notional_max = money()?,
        "position_max" => limits.position_max = amount()?,
        "gross_exposure_max" => limits.gross_exposure_max = money()?,
        "open_orders_max" => limits.open_orders_max = value.parse().ok()?,
        "orders_per_second_max" => limits.orders_per_second_max = value.parse().ok()?,
        "price_collar_percent" => limits.price_collar_ppm = number(PERCENT_DECIMALS)?,
        "daily_loss_max" => limits.daily_loss_max = money()?,
        "drawdown_max" => limits.drawdown_max = money()?,
        "data_age_s_max" => limits.data_age_ns_max = number(SECOND_DECIMALS)?,
        "stop_loss_percent" => limits.stop_loss_ppm = Some(number(PERCENT_DECIMALS)?),
        "take_profit_percent" => limits.take_profit_ppm = Some(number(PERCENT_DECIMALS)?),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_read() {
        let limits = parse_limits(&[
            "position_max=0.5",
            "drawdown_max = 100",
            "stop_loss_percent=2.5",
            "data_age_s_max=60",
        ])
        .unwrap();
        assert_eq!(limits.position_max.unwrap().mantissa, 500_000_000);
        assert_eq!(limits.drawdown_max, Some(Money::whole(100)));
        assert_eq!(limits.stop_loss_ppm, Some(25_000));
        assert_eq!(limits.data_age_ns_max, 60_000_000_000);
        assert!(
            LIMIT_NAMES
                .iter()
                .all(|name| parse_limits(&[format!("{name}=1")]).is_ok())
        );
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for text in ["luck=1", "position_max", "position_max=much", "open_orders_max=1.5"] {
            let error = parse_limits(&[text]).unwrap_err().to_string();
            assert!(
                error.contains("is no limit") && error.contains("gross_exposure_max"),
                "{error}"
            );
        }
    }
}
