//! From configuration to an engine.

use std::path::Path;

use tickpath_protocol::Instrument;
use tickpath_service::Config;
use tickpath_service::config::engine::{Decimal, Limits as LimitKeys, Market, Paper, Strategy as StrategyKeys};
use tickpath_service::config::{ConfigError, Problems};

use super::execution::{SessionEngine, SessionVenue};
use crate::engine::{Engine, EngineConfig, SetupError, StrategyConfig};
use crate::paper::{PaperConfig, PaperConfigError};
use crate::risk::{Amount, Limits};
use crate::strategy::parameter::ParameterError;
use crate::strategy::registry::{self, BuildError};
use crate::units::Money;

/// Why the engine cannot be made of this configuration and these instruments.
#[derive(Debug, thiserror::Error)]
pub enum BuildProblem {
    /// A strategy does not fit its instruments.
    #[error(transparent)]
    Strategy(#[from] BuildError),
    /// Limits or instruments do not fit together.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The paper venue's numbers make no sense.
    #[error(transparent)]
    Paper(#[from] PaperConfigError),
}

/// Checks what can be known before the instruments are: kinds, parameters, limits, fees. `path` is where the configuration came from.
///
/// # Errors
/// [`ConfigError::Parse`] names the line.
pub fn check(config: &Config, path: &Path) -> Result<(), ConfigError> {
    let at = |line: usize, message: String| ConfigError::Parse {
        path: path.to_owned(),
        line,
        message,
    };
    let engine = &config.engine;
    let of_engine = |message| {
        Err(ConfigError::Invalid {
            path: path.to_owned(),
            problems: Problems(vec![message]),
        })
    };
    if let Err(error) = paper(&engine.paper).validate() {
        return of_engine(format!("[engine.paper] {error}"));
    }
    let total = limits(&engine.limits, &Limits::default());
    if let Err(error) = total.validate_total() {
        return of_engine(format!("[engine.limits] {error}"));
    }
    for strategy in &engine.strategy {
        let lines = &strategy.lines;
        let info = registry::find(&strategy.kind).map_err(|error| at(lines.of("kind"), error.to_string()))?;
        info.check(given(strategy))
            .map_err(|error| at(lines.of(parameter_of(&error)), error.to_string()))?;
        let (least, most) = info.instruments;
        if !(least..=most).contains(&strategy.instruments.len()) {
            let message = format!("strategy `{}` trades {least} to {most} instruments", strategy.kind);
            return Err(at(lines.of("instruments"), message));
        }
        limits(&strategy.limits, &total)
            .validate_within(&total)
            .map_err(|error| at(lines.header, format!("limits of strategy {:?}: {error}", strategy.name)))?;
    }
    Ok(())
}

/// The parameter that an error is about.
fn parameter_of(error: &ParameterError) -> &str {
    match error {
        ParameterError::Unknown { name, .. } => name,
        ParameterError::Twice { name, .. } | ParameterError::Value { name, .. } => name,
        ParameterError::Contradiction { .. } => "",
    }
}

fn given(strategy: &StrategyKeys) -> impl Iterator<Item = (&str, &str)> {
    let pairs = strategy.parameters.iter();
    pairs.map(|(name, value)| (name.as_str(), value.0.as_str()))
}

/// The instruments of each strategy, both in the order of the configuration.
pub type Markets = Vec<Vec<Instrument>>;

/// The instruments of each strategy among those that are `known`; of two alike the later one.
///
/// # Errors
/// The markets that are not known.
pub fn instruments<'a>(
    config: &Config,
    known: impl DoubleEndedIterator<Item = &'a Instrument> + Clone,
) -> Result<Markets, Vec<Market>> {
    let mut missing = Vec::new();
    let mut found = Vec::new();
    for strategy in &config.engine.strategy {
        let mut of_strategy = Vec::new();
        for market in &strategy.instruments {
            match find(known.clone(), market) {
                Some(instrument) => of_strategy.push(instrument.clone()),
                None => missing.push(market.clone()),
            }
        }
        found.push(of_strategy);
    }
    if missing.is_empty() { Ok(found) } else { Err(missing) }
}

fn find<'a>(known: impl DoubleEndedIterator<Item = &'a Instrument> + Clone, market: &Market) -> Option<&'a Instrument> {
    let of_venue = known.rev().filter(|instrument| instrument.venue() == market.venue);
    let by_symbol = of_venue.clone().find(|instrument| instrument.symbol == market.symbol);
    by_symbol.or_else(|| of_venue.clone().find(|instrument| instrument.name == market.symbol))
}

/// An engine of this session with its strategies, idle.
///
/// # Errors
/// [`BuildProblem`] says what does not fit.
pub fn build(config: &Config, session: u32, instruments: &[Vec<Instrument>]) -> Result<SessionEngine, BuildProblem> {
    let keys = &config.engine;
    let total = limits(&keys.limits, &Limits::default());
    let venue = SessionVenue::new(keys.venue, paper(&keys.paper))?;
    let mut engine = Engine::new(EngineConfig { session, limits: total }, venue)?;
    for (strategy, instruments) in keys.strategy.iter().zip(instruments) {
        for instrument in instruments {
            engine.add_instrument(instrument);
        }
        let built = registry::find(&strategy.kind)?.build(given(strategy), instruments)?;
        let config = StrategyConfig {
            instruments: instruments.iter().map(|instrument| instrument.id).collect(),
            limits: limits(&strategy.limits, &total),
            capital: money(strategy.capital),
        };
        engine.add_strategy(built, &config)?;
    }
    engine.keep_images(i64::try_from(keys.image_ms).unwrap_or(i64::MAX / 1_000_000) * 1_000_000);
    Ok(engine)
}

const fn money(value: Decimal) -> Money {
    // Both have 8 decimals.
    Money(value.0)
}

fn paper(keys: &Paper) -> PaperConfig {
    PaperConfig {
        order_latency_ns: i64::from(keys.order_latency_us) * 1000,
        report_latency_ns: i64::from(keys.report_latency_us) * 1000,
        maker_fee_ppm: keys.maker_fee_percent.percent_as_ppm(),
        taker_fee_ppm: keys.taker_fee_percent.percent_as_ppm(),
        slippage_ppm: keys.slippage_percent.percent_as_ppm(),
        queue_ahead_ppm: keys.queue_ahead_percent.percent_as_ppm(),
    }
}

/// Counts that a strategy leaves open are those of all together; money and sizes that it leaves open are not limited for it alone.
fn limits(keys: &LimitKeys, otherwise: &Limits) -> Limits {
    let amount = |value: Decimal| Amount {
        mantissa: value.0,
        decimals: Decimal::DECIMALS,
    };
    let age_ns = |ms: u32| i64::from(ms) * 1_000_000;
    Limits {
        order_quantity_max: keys.order_quantity_max.map(amount),
        order_notional_max: keys.order_notional_max.map(money),
        position_max: keys.position_max.map(amount),
        gross_exposure_max: keys.gross_exposure_max.map(money),
        open_orders_max: keys.open_orders_max.unwrap_or(otherwise.open_orders_max),
        orders_per_second_max: keys.orders_per_second_max.unwrap_or(otherwise.orders_per_second_max),
        price_collar_ppm: keys
            .price_collar_percent
            .map_or(otherwise.price_collar_ppm, Decimal::percent_as_ppm),
        daily_loss_max: keys.daily_loss_max.map(money),
        drawdown_max: keys.drawdown_max.map(money),
        data_age_ns_max: keys.data_age_ms_max.map_or(otherwise.data_age_ns_max, age_ns),
        stop_loss_ppm: keys.stop_loss_percent.map(Decimal::percent_as_ppm),
        take_profit_ppm: keys.take_profit_percent.map(Decimal::percent_as_ppm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let path = Path::new("tickpath.toml");
        let config = Config::parse(text, path).unwrap();
        check(&config, path).unwrap_err().to_string()
    }

    #[test]
    fn the_default_is_right() {
        check(&Config::default(), Path::new("tickpath.toml")).unwrap();
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let strategy = "[[engine.strategy]]\nname = \"a\"\nkind = \"sma\"\ninstruments = [\"kraken:BTC/USD\"]\n";
        for (text, line, says) in [
            (
                strategy.replace("sma", "smo"),
                "tickpath.toml:3:",
                "unknown strategy `smo`",
            ),
            (
                format!("{strategy}[engine.strategy.parameters]\nfaster = 1\n"),
                "tickpath.toml:6:",
                "no parameter `faster`",
            ),
            (
                format!("{strategy}[engine.strategy.parameters]\n\nfast = 0\n"),
                "tickpath.toml:7:",
                "no value",
            ),
            (
                strategy.replace("sma", "arbitrage"),
                "tickpath.toml:4:",
                "2 to 2 instruments",
            ),
            (
                format!("{strategy}limits = {{ order_notional_max = \"60000\" }}\n"),
                "tickpath.toml:1:",
                "above that of all",
            ),
            (
                "[engine.limits]\norder_notional_max = \"0\"\n".to_owned(),
                "[engine.limits]",
                "above zero",
            ),
            (
                "[engine.paper]\ntaker_fee_percent = \"50\"\n".to_owned(),
                "[engine.paper]",
                "taker_fee_ppm",
            ),
        ] {
            let error = error(&text);
            assert!(error.contains(line) && error.contains(says), "{error}");
        }
    }
}
