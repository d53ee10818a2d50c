//! What can go wrong with a run.

use tickpath_engine::engine::SetupError;
use tickpath_engine::paper::PaperConfigError;
use tickpath_engine::risk::LimitsError;
use tickpath_engine::strategy::parameter::ParameterError;
use tickpath_engine::strategy::registry::BuildError;
use tickpath_engine::units::Money;

use super::name::InstrumentName;
use crate::source::SourceError;
use crate::trips::Overflow;

/// A run cannot begin, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No such strategy, or it cannot trade these instruments.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// No such parameter, or no such value.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Limits contradict each other.
    #[error("limits: {0}")]
    Limits(LimitsError),
    /// The venue cannot behave so.
    #[error(transparent)]
    Paper(PaperConfigError),
    /// No such limit, or no number.
    #[error("`{text}` is no limit: write NAME=NUMBER; limits are {known}")]
    NoLimit {
        /// What was typed.
        text: String,
        /// What there is.
        known: String,
    },
    /// Nothing to trade with.
    #[error("a capital of {0} is not above zero")]
    Capital(Money),
    /// The engine refuses.
    #[error(transparent)]
    Setup(SetupError),
    /// The strategy fell over.
    #[error("the strategy `{name}` panicked at position {position}: {message}")]
    Panic {
        /// Its name.
        name: &'static str,
        /// Position of the input.
        position: u64,
        /// What it said.
        message: String,
    },
    /// The data refuses.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The data says nothing of an instrument.
    #[error("the data has no record of {name}; it has {known}")]
    NoData {
        /// What was asked for.
        name: InstrumentName,
        /// What there is.
        known: String,
    },
    /// Nobody said what to trade, and there is a choice.
    #[error("which instrument? The data has {known}: choose with --instrument VENUE:SYMBOL")]
    WhichInstrument {
        /// What there is.
        known: String,
    },
    /// There is nothing in the window.
    #[error("the data has no record between {from_ns} and {to_ns} ns: it covers {first_ns} to {last_ns}")]
    EmptyWindow {
        /// Begin of the window.
        from_ns: i64,
        /// End of the window.
        to_ns: i64,
        /// First record.
        first_ns: i64,
        /// Last record.
        last_ns: i64,
    },
    /// The data contradicts itself.
    #[error(
        "{name}: the bid is at or above the offer at position {position}, though the book is said to be proven: the data is damaged; choose another part \
         with --from and --to, or see what the core makes of it with --gaps carry"
    )]
    Crossed {
        /// Which instrument.
        name: InstrumentName,
        /// Where.
        position: u64,
    },
    /// An amount does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}
