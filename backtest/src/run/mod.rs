//! One run: an engine with a strategy over a paper venue, fed with recorded data.
//!
//! The core is the one that trades live; what differs is where records come from and where its own go. Records before the window bring the market up to
//! date, and nobody acts on them. The core's own records in a journal are left out: a run makes its own.

mod error;
mod limits;
mod name;
mod session;
mod tally;

use tickpath_engine::paper::{PaperConfig, PaperVenue};
use tickpath_engine::risk::Limits;
use tickpath_engine::strategy::registry;
use tickpath_engine::units::Money;
use tickpath_engine::{Engine, EngineConfig};
use tickpath_protocol::Instrument;

pub use error::RunError;
pub use limits::{LIMIT_NAMES, parse_limits};
pub use name::InstrumentName;
pub use session::{Session, known_text};
pub use tally::Tally;

use crate::outcome::{Outcome, StrategyRun};
use crate::source::Blocks;
use crate::sweep::forward::Span;
use crate::sweep::grid::Params;

/// Everything that a run depends on besides its data.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// Name of the strategy in the engine's registry.
    pub strategy: String,
    /// Its parameters; what is not given is the default.
    pub params: Params,
    /// What it trades.
    pub instruments: Vec<InstrumentName>,
    /// What it begins with, in each quote currency of its instruments.
    pub capital: Money,
    /// Its limits.
    pub limits: Limits,
    /// How the venue behaves.
    pub paper: PaperConfig,
    /// The least distance of the equity curve's points, ns.
    pub period_ns: i64,
    /// The part of the data that is traded on.
    pub window: Span,
    /// Go on where the data says that a book is crossed; the core does not trade on one either way.
    pub carries_crossed: bool,
}

impl RunConfig {
    /// Whether strategy, parameters and limits make sense, before any data is looked at.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), RunError> {
        let info = registry::find(&self.strategy)?;
        info.check(pairs(&self.params))?;
        let (min, max) = info.instruments;
        let given = self.instruments.len();
        if !(min..=max).contains(&given) {
            let strategy = info.name;
            return Err(RunError::Build(registry::BuildError::Instruments {
                strategy,
                min,
                max,
                given,
            }));
        }
        if self.capital.0 <= 0 {
            return Err(RunError::Capital(self.capital));
        }
        self.paper.validate().map_err(RunError::Paper)?;
        self.limits.validate().map_err(RunError::Limits)
    }

    /// The strategy with every parameter, as results name it.
    ///
    /// # Errors
    /// If there is no such strategy.
    pub fn strategy_run(&self) -> Result<StrategyRun, RunError> {
        let info = registry::find(&self.strategy)?;
        let value = |parameter: &tickpath_engine::strategy::parameter::Parameter| {
            let given = self.params.get(parameter.name).cloned();
            (
                parameter.name.to_owned(),
                given.unwrap_or_else(|| parameter.kind.default_text()),
            )
        };
        Ok(StrategyRun {
            name: info.name.to_owned(),
            params: info.parameters.iter().map(value).collect(),
        })
    }
}

/// Names and values as the registry takes them.
fn pairs(params: &Params) -> impl Iterator<Item = (&str, &str)> {
    params.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Runs it over all of the data.
///
/// # Errors
/// As [`RunError`] says.
pub fn run(blocks: &mut dyn Blocks, config: &RunConfig) -> Result<Outcome, RunError> {
    config.check()?;
    let info = registry::find(&config.strategy)?;
    let build = |instruments: &[Instrument]| info.build(pairs(&config.params), instruments);
    let outcome = run_strategy(blocks, config, &build)?;
    Ok(Outcome {
        strategies: vec![config.strategy_run()?],
        ..outcome
    })
}

/// Makes a strategy for the instruments that it trades, in the order of the configuration.
pub type Build<'a> = dyn Fn(&[Instrument]) -> registry::Built + 'a;

/// Runs a strategy that no registry knows; the configuration's name and parameters are not looked at.
///
/// # Errors
/// As [`RunError`] says.
pub fn run_strategy(blocks: &mut dyn Blocks, config: &RunConfig, build: &Build<'_>) -> Result<Outcome, RunError> {
    let engine = EngineConfig {
        session: 1,
        limits: Limits {
            stop_loss_ppm: None,
            take_profit_ppm: None,
            ..config.limits
        },
    };
    let venue = PaperVenue::new(config.paper).map_err(RunError::Paper)?;
    let engine = Engine::new(engine, venue).map_err(RunError::Setup)?;
    let mut session = Session::new(engine, config, build);
    session.play(blocks)?;
    session.finish()
}
