//! `[engine]`: what is traded, how, and what stops it. What a strategy's kind and parameters mean the engine knows; here they are text with a line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tickpath_protocol::Venue;

pub use super::exact::{Decimal, Market, Text};
use super::{Capacity, Simulator, Venues, Wait};

/// `[engine]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// Whether `tickpath up` starts it, and the watchdog with it.
    pub enabled: bool,
    /// How the hot thread waits for records.
    pub wait: Wait,
    /// Core of the hot thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<usize>,
    /// Where the kill latch and the session's number are kept; empty: see [`super::Config::engine_state_dir`].
    pub state_dir: PathBuf,
    /// Records that the ring to the relay holds, a power of two; 48 bytes each.
    pub ring_capacity: Capacity,
    /// Milliseconds to wait at the start until the recorder has what the last session wrote.
    pub recovery_ms: u64,
    /// Where orders go.
    pub venue: ExecutionVenue,
    /// Milliseconds between two images of the account, from which the next session goes on.
    pub image_ms: u64,
    /// The paper venue.
    pub paper: Paper,
    /// The simulated venue, and the gateway that speaks to it.
    pub simulated: Simulated,
    /// Limits of all strategies together.
    pub limits: Limits,
    /// What stops trading from outside of the engine.
    pub watchdog: Watchdog,
    /// The strategies.
    pub strategy: Vec<Strategy>,
}

/// Where the engine's orders go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionVenue {
    /// Nowhere: they are filled against the market that the engine sees.
    #[default]
    Paper,
    /// Through the gateway to the simulated Coinbase, whose matching engine fills them.
    Simulated,
}

impl ExecutionVenue {
    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ExecutionVenue::Paper => "paper",
            ExecutionVenue::Simulated => "simulated",
        }
    }
}

/// `[engine.simulated]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Simulated {
    /// Whether the venue is to cancel everything when the gateway's connection to its `user` channel ends.
    pub cancel_on_disconnect: bool,
    /// Milliseconds until a call without an answer counts as one whose outcome is not known.
    pub timeout_ms: u64,
}

impl Default for Simulated {
    fn default() -> Self {
        Simulated {
            cancel_on_disconnect: true,
            timeout_ms: 2_000,
        }
    }
}

/// `[engine.paper]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paper {
    /// From the engine to the venue, microseconds.
    pub order_latency_us: u32,
    /// From the venue to the engine, microseconds.
    pub report_latency_us: u32,
    /// Fee of a fill that rested, percent of its worth; negative: a rebate.
    pub maker_fee_percent: Decimal,
    /// Fee of a fill that took, percent of its worth.
    pub taker_fee_percent: Decimal,
    /// How much worse than the book a taker's price is, percent.
    pub slippage_percent: Decimal,
    /// How much of the size shown at its price stands before an order that joins it, percent.
    pub queue_ahead_percent: Decimal,
}

/// `[engine.limits]`, and `limits` of a strategy. What is left out is not limited, or has the engine's default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest quantity of an order, in base currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_quantity_max: Option<Decimal>,
    /// Largest worth of an order, in quote currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_notional_max: Option<Decimal>,
    /// Largest position in an instrument, long or short, in base currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position_max: Option<Decimal>,
    /// Largest worth of all positions and open orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gross_exposure_max: Option<Decimal>,
    /// Orders open at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_orders_max: Option<u32>,
    /// Orders and replacements within any second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders_per_second_max: Option<u32>,
    /// How far a price may be from the market's, percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_collar_percent: Option<Decimal>,
    /// Loss of a UTC day at which only reducing is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_loss_max: Option<Decimal>,
    /// Fall of the equity below its highest at which only reducing is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawdown_max: Option<Decimal>,
    /// Age of an instrument's last record beyond which it is not traded, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_age_ms_max: Option<u32>,
    /// Loss of a position at which it is closed, percent of its cost; a strategy's only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_loss_percent: Option<Decimal>,
    /// Gain of a position at which it is closed, percent of its cost; a strategy's only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_profit_percent: Option<Decimal>,
}

/// `[engine.watchdog]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watchdog {
    /// Whether `tickpath up` starts it.
    pub enabled: bool,
    /// Milliseconds without a record of any traded instrument after which it latches; 0: never.
    pub stale_ms: u64,
    /// Loss of all strategies together, in a quote currency, at which it latches; 0: never.
    pub loss_max: Decimal,
    /// Milliseconds without a sign of life of the engine after which it latches; 0: never.
    pub silence_ms: u64,
}

/// `[[engine.strategy]]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// Its name, for people; two strategies have two names.
    pub name: String,
    /// Which strategy it is.
    pub kind: String,
    /// What it trades: `venue:symbol`, the symbol as the venue spells it or normalised.
    pub instruments: Vec<Market>,
    /// What its equity starts with, in quote currency.
    #[serde(default)]
    pub capital: Decimal,
    /// Its limits.
    #[serde(default)]
    pub limits: Limits,
    /// Its parameters; what is left out has its default.
    #[serde(default)]
    pub parameters: BTreeMap<String, Text>,
    /// Where it stands in the file.
    #[serde(skip)]
    pub lines: Lines,
}

/// Lines of a strategy in its file, from 1; 0 where they are not known. Two configurations that differ in them alone are equal.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// Of `[[engine.strategy]]`.
    pub header: usize,
    keys: BTreeMap<String, usize>,
}

impl PartialEq for Lines {
    fn eq(&self, _: &Lines) -> bool {
        true
    }
}

impl Lines {
    /// Of a key of the strategy's tables, else of the strategy.
    #[must_use]
    pub fn of(&self, key: &str) -> usize {
        self.keys.get(key).copied().unwrap_or(self.header)
    }
}

impl Default for Engine {
    fn default() -> Self {
        Engine {
            enabled: true,
            wait: Wait::Sleep,
            pin: None,
            state_dir: PathBuf::new(),
            ring_capacity: Capacity(1 << 15),
            recovery_ms: 30_000,
            venue: ExecutionVenue::Paper,
            image_ms: 300_000,
            paper: Paper::default(),
            simulated: Simulated::default(),
            limits: Limits {
                order_notional_max: Some(Decimal::whole(50_000)),
                gross_exposure_max: Some(Decimal::whole(200_000)),
                open_orders_max: Some(64),
                orders_per_second_max: Some(50),
                price_collar_percent: Some(Decimal::whole(5)),
                daily_loss_max: Some(Decimal::whole(5_000)),
                drawdown_max: Some(Decimal::whole(10_000)),
                data_age_ms_max: Some(10_000),
                ..Limits::default()
            },
            watchdog: Watchdog::default(),
            strategy: default_strategies(),
        }
    }
}

impl Default for Paper {
    fn default() -> Self {
        Paper {
            order_latency_us: 1000,
            report_latency_us: 1000,
            maker_fee_percent: Decimal(2_000_000),
            taker_fee_percent: Decimal(5_000_000),
            slippage_percent: Decimal(1_000_000),
            queue_ahead_percent: Decimal::whole(100),
        }
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Watchdog {
            enabled: true,
            stale_ms: 15_000,
            loss_max: Decimal::whole(20_000),
            silence_ms: 10_000,
        }
    }
}

/// A market maker and a trend follower on simulated Kraken.
fn default_strategies() -> Vec<Strategy> {
    let strategy = |name: &str, kind: &str, market: &str, limits: Limits, parameters: &[(&str, &str)]| Strategy {
        name: name.to_owned(),
        kind: kind.to_owned(),
        instruments: vec![Market {
            venue: Venue::KRAKEN,
            symbol: market.to_owned(),
        }],
        capital: Decimal::whole(100_000),
        limits,
        parameters: parameters
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Text((*value).to_owned())))
            .collect(),
        lines: Lines::default(),
    };
    let maker = Limits {
        order_quantity_max: Some(Decimal(5_000_000)),
        position_max: Some(Decimal(20_000_000)),
        ..Limits::default()
    };
    let trend = Limits {
        stop_loss_percent: Some(Decimal::whole(5)),
        take_profit_percent: Some(Decimal::whole(10)),
        ..Limits::default()
    };
    let maker_parameters = [
        ("quantity", "0.01"),
        ("inventory", "5"),
        ("intensity", "10"),
        ("requote", "5"),
        ("sample", "200"),
        ("samples", "20"),
    ];
    let sma = [
        ("bar", "500ms"),
        ("source", "mid"),
        ("quantity", "0.5"),
        ("short", "true"),
        ("fast", "5"),
        ("slow", "20"),
    ];
    vec![
        strategy("maker", "avellaneda", "BTC/USD", maker, &maker_parameters),
        strategy("trend", "sma", "ETH/USD", trend, &sma),
    ]
}

impl Engine {
    /// Finds out where in `text`, which it was read from, the strategies stand.
    pub(super) fn locate(&mut self, text: &str) {
        let mut at = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.starts_with("[[engine.strategy]]") {
                let next = at.map_or(0, |index| index + 1);
                at = Some(next);
                if let Some(strategy) = self.strategy.get_mut(next) {
                    strategy.lines.header = number + 1;
                }
            } else if line.starts_with('[') && !line.starts_with("[engine.strategy.") {
                // Further strategies may come after other tables, but their keys are not these.
                continue;
            } else if let (Some(strategy), Some((key, _))) =
                (at.and_then(|at| self.strategy.get_mut(at)), line.split_once('='))
            {
                strategy.lines.keys.entry(key.trim().to_owned()).or_insert(number + 1);
            }
        }
    }

    /// What keeps the simulated venue from taking the orders.
    pub(super) fn venue_problems(&self, venues: Venues, simulator: &Simulator, problems: &mut Vec<String>) {
        if !(100..=60_000).contains(&self.simulated.timeout_ms) {
            problems.push(format!(
                "`engine.simulated.timeout_ms` {} is not from 100 to 60000",
                self.simulated.timeout_ms
            ));
        }
        if self.venue != ExecutionVenue::Simulated || !self.enabled {
            return;
        }
        let asks = "`engine.venue = \"simulated\"`";
        if venues != Venues::Simulated {
            problems.push(format!(
                "{asks} needs `venues = \"simulated\"`: real markets are not traded there"
            ));
        }
        if !simulator.replay.as_os_str().is_empty() {
            problems.push(format!("{asks} needs a synthetic market: a replay takes no orders"));
        }
        if simulator.api_key.is_empty() {
            problems.push(format!(
                "{asks} needs `simulator.api_key`: without one nobody may order"
            ));
        }
        for strategy in &self.strategy {
            if let Some(other) = strategy
                .instruments
                .iter()
                .find(|market| market.venue != Venue::COINBASE)
            {
                problems.push(format!(
                    "`engine.strategy` {:?} trades {}, and the simulated venue is Coinbase: name `coinbase:` markets, or use `engine.venue = \"paper\"`",
                    strategy.name,
                    String::from(other.clone())
                ));
            }
        }
    }

    pub(super) fn problems(&self, problems: &mut Vec<String>) {
        let mut names = BTreeSet::new();
        for strategy in &self.strategy {
            if strategy.name.is_empty() || strategy.name.len() > 32 || strategy.name.contains(['"', '\\', '{', '}']) {
                problems.push(format!(
                    "`engine.strategy.name` {:?} is not 1 to 32 plain characters",
                    strategy.name
                ));
            }
            if !names.insert(&strategy.name) {
                problems.push(format!("two of `engine.strategy` are called {:?}", strategy.name));
            }
            if strategy.instruments.is_empty() {
                problems.push(format!("`engine.strategy` {:?} has no instruments", strategy.name));
            }
        }
        if !(100..=600_000).contains(&self.recovery_ms) {
            problems.push(format!(
                "`engine.recovery_ms` {} is not from 100 to 600000",
                self.recovery_ms
            ));
        }
        if !(1_000..=86_400_000).contains(&self.image_ms) {
            problems.push(format!(
                "`engine.image_ms` {} is not from 1000 to 86400000",
                self.image_ms
            ));
        }
        for (key, value) in [
            ("stale_ms", self.watchdog.stale_ms),
            ("silence_ms", self.watchdog.silence_ms),
        ] {
            if (1..1000).contains(&value) {
                problems.push(format!(
                    "`engine.watchdog.{key}` {value} is below 1000: a pause of the scheduler would stop trading"
                ));
            }
        }
        if self.watchdog.loss_max.0 < 0 {
            problems.push("`engine.watchdog.loss_max` is negative: it is the size of a loss".to_owned());
        }
    }
}
