//! The strategies that a configuration can name.

use tickpath_protocol::Instrument;

use super::Strategy;
use super::builtin::{arbitrage, avellaneda, bars, bollinger, macd, momentum, rsi, sma};
use super::parameter::{Parameter, ParameterError, Values};

/// Instruments that one strategy can be given.
pub const INSTRUMENTS_MAX: usize = 64;

/// A strategy that a configuration can name.
pub struct StrategyInfo {
    /// As it is written in a configuration.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// Where it is from.
    pub source: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// How many instruments it trades, least and most.
    pub instruments: (usize, usize),
    check: fn(&Values) -> Result<(), ParameterError>,
    build: fn(&Values, &[Instrument]) -> Built,
}

/// A strategy, or why there is none.
pub type Built = Result<Box<dyn Strategy>, BuildError>;

/// Why a strategy cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// No such strategy.
    #[error("unknown strategy `{name}`: there are {known}", known = names())]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The parameters are wrong by themselves.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Too few instruments, or too many.
    #[error("strategy `{strategy}` trades {min} to {max} instruments and is given {given}")]
    Instruments {
        /// The strategy.
        strategy: &'static str,
        /// Least.
        min: usize,
        /// Most.
        max: usize,
        /// Given.
        given: usize,
    },
    /// The parameters are wrong for an instrument.
    #[error("strategy `{strategy}` cannot trade {symbol} on {venue}: {what}")]
    Instrument {
        /// The strategy.
        strategy: &'static str,
        /// The instrument.
        symbol: String,
        /// Its venue.
        venue: tickpath_protocol::Venue,
        /// Why not.
        what: String,
    },
}

impl BuildError {
    /// That parameters do not fit an instrument.
    #[must_use]
    pub fn instrument(strategy: &'static str, instrument: &Instrument, what: impl ToString) -> BuildError {
        BuildError::Instrument {
            strategy,
            symbol: instrument.symbol.clone(),
            venue: instrument.venue(),
            what: what.to_string(),
        }
    }
}

/// Every strategy there is.
pub static REGISTRY: [StrategyInfo; 7] = [
    StrategyInfo {
        name: "sma",
        about: "follows the trend: long while a fast moving average is above a slow one",
        source: "Brock, Lakonishok, LeBaron (1992)",
        parameters: &sma::TABLE,
        instruments: (1, INSTRUMENTS_MAX),
        check: bars::check::<sma::SmaCross>,
        build: bars::build::<sma::SmaCross>,
    },
    StrategyInfo {
        name: "macd",
        about: "follows the trend: long while MACD is above its signal line",
        source: "Appel (2005)",
        parameters: &macd::TABLE,
        instruments: (1, INSTRUMENTS_MAX),
        check: bars::check::<macd::MacdCross>,
        build: bars::build::<macd::MacdCross>,
    },
    StrategyInfo {
        name: "rsi",
        about: "reverts to the mean: buys what is oversold by Wilder's index",
        source: "Wilder (1978)",
        parameters: &rsi::TABLE,
        instruments: (1, INSTRUMENTS_MAX),
        check: bars::check::<rsi::RsiReversion>,
        build: bars::build::<rsi::RsiReversion>,
    },
    StrategyInfo {
        name: "bollinger",
        about: "reverts to the mean: buys below the lower Bollinger band",
        source: "Bollinger (2001)",
        parameters: &bollinger::TABLE,
        instruments: (1, INSTRUMENTS_MAX),
        check: bars::check::<bollinger::BollingerReversion>,
        build: bars::build::<bollinger::BollingerReversion>,
    },
    StrategyInfo {
        name: "momentum",
        about: "buys the breakout of a channel of highs and lows",
        source: "Donchian, after Faith (2007)",
        parameters: &momentum::TABLE,
        instruments: (1, INSTRUMENTS_MAX),
        check: bars::check::<momentum::Breakout>,
        build: bars::build::<momentum::Breakout>,
    },
    StrategyInfo {
        name: "arbitrage",
        about: "buys on the cheap of two venues and sells on the dear one when the difference exceeds the fees",
        source: "law of one price; Makarov, Schoar (2020)",
        parameters: &arbitrage::TABLE,
        instruments: (2, 2),
        check: arbitrage::check,
        build: arbitrage::build,
    },
    StrategyInfo {
        name: "avellaneda",
        about: "makes a market: quotes both sides around a price that leans against its inventory",
        source: "Avellaneda, Stoikov (2008)",
        parameters: &avellaneda::TABLE,
        instruments: (1, INSTRUMENTS_MAX),
        check: avellaneda::check,
        build: avellaneda::build,
    },
];

/// The strategy of this name.
///
/// # Errors
/// [`BuildError::Unknown`] names those that there are.
pub fn find(name: &str) -> Result<&'static StrategyInfo, BuildError> {
    let unknown = || BuildError::Unknown { name: name.to_owned() };
    REGISTRY.iter().find(|info| info.name == name).ok_or_else(unknown)
}

fn names() -> String {
    let names: Vec<_> = REGISTRY.iter().map(|info| info.name).collect();
    names.join(", ")
}

impl StrategyInfo {
    /// Whether the strategy takes these parameters: what can be known before the instruments are.
    ///
    /// # Errors
    /// [`ParameterError`] says which it does not, and why.
    pub fn check<'a>(&self, given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), ParameterError> {
        (self.check)(&Values::parse(self.name, self.parameters, given)?)
    }

    /// Builds it for these instruments.
    ///
    /// # Errors
    /// [`BuildError`] if parameters or instruments are not such that it could trade.
    pub fn build<'a>(&self, given: impl IntoIterator<Item = (&'a str, &'a str)>, instruments: &[Instrument]) -> Built {
        let values = Values::parse(self.name, self.parameters, given)?;
        (self.check)(&values)?;
        let (min, max) = self.instruments;
        if !(min..=max).contains(&instruments.len()) {
            let (strategy, given) = (self.name, instruments.len());
            return Err(BuildError::Instruments {
                strategy,
                min,
                max,
                given,
            });
        }
        (self.build)(&values, instruments)
    }
}
