//! Whether a session, on paper or behind the gateway, decided as its journal says: the same inputs through the same core, what it publishes beside what was published.
//!
//! The journal is read twice: once for what the core published then ([`history`]), once to feed a new core with what it was fed. A session's inputs begin
//! at the position that its EngineStarted record names and end where the session does. Commands are repeated where their status records say they took
//! effect; an earlier session's positions and orders are taken over as the session took them over. Compared is all of a record but its sequence and its time of
//! publication, which are the process's and not the core's.
//!
//! A session that ended by a kill had not acted on its last inputs: what the replay decides beyond the last recorded decision is counted, and no difference.
//!
//! Limits: a session is of one run of the relay; what the process told the core without a record on the stream (records that it lost itself, a kill that was
//! asked for twice) cannot be repeated.

mod compare;
mod history;

use std::error::Error;

use tickpath_engine::engine::Recovered;
use tickpath_engine::venue::ExecutionVenue;
use tickpath_engine::{Engine, Time};
use tickpath_protocol::{Instrument, Record, StatusCode, Venue};

use compare::Compare;
pub use compare::Difference;
use history::{History, Told};

use crate::source::{Blocks, Reader, Request, SourceError};

/// How a session and its replay compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parity {
    /// The session.
    pub session: u32,
    /// Position of its first input.
    pub first_position: u64,
    /// Records that the core was fed.
    pub inputs: u64,
    /// Records that it published then.
    pub recorded: u64,
    /// Records that were equal, up to the first difference.
    pub equal: u64,
    /// Fills among them.
    pub fills: u64,
    /// Records that the replay published behind the last one then.
    pub beyond: u64,
    /// The first that differs.
    pub difference: Option<Difference>,
}

/// A session cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// The journal cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The settings make no engine.
    #[error("the settings make no engine for this journal: {0}")]
    Build(#[source] Box<dyn Error + Send + Sync>),
    /// The journal has no such session.
    #[error("the journal has no session {wanted}; it has {known}")]
    NoSession {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
}

/// Replays a session, the last one if none is named. `build` makes an idle engine of that number, of the instruments that the journal names, with the
/// settings that the session ran with: a journal says what was decided, not by which settings.
///
/// # Errors
/// As [`ParityError`] says; a difference is none.
pub fn parity<V, E>(
    request: &Request,
    session: Option<u32>,
    build: impl FnOnce(u32, &[Instrument]) -> Result<Engine<V>, E>,
) -> Result<Parity, ParityError>
where
    V: ExecutionVenue,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let history = History::read(&mut Reader::open(request)?)?;
    let mut told = history.session(session).ok_or_else(|| ParityError::NoSession {
        wanted: session.map_or_else(|| "of an engine".to_owned(), |session| session.to_string()),
        known: history.known(),
    })?;
    let mut engine = build(told.session, &history.instruments).map_err(|error| ParityError::Build(error.into()))?;
    let mut out = Compare::new(std::mem::take(&mut told.published));
    out.position = told.first_position;
    let now = Time(told.started_ns);
    if told.is_recovered {
        let recovered = Recovered::fold(Venue::PAPER, told.before.iter().copied());
        engine.recover(&recovered, told.first_position, now, &mut out);
    }
    engine.start(told.first_position, now, &mut out);
    let inputs = feed(&mut Reader::open(request)?, &told, &mut engine, &mut out)?;
    Ok(out.finish(&told, inputs))
}

/// Feeds what the session was fed; how many records that was.
fn feed(
    reader: &mut Reader,
    told: &Told<'_>,
    engine: &mut Engine<impl ExecutionVenue>,
    out: &mut Compare,
) -> Result<u64, ParityError> {
    let mut commands = told.commands.iter().peekable();
    let (mut index, mut inputs) = (0, 0);
    while let Some(block) = reader.next()? {
        for (record, position) in block.records.iter().zip(&block.positions) {
            let is_within = told.range.contains(&index) && *position >= told.first_position;
            index += 1;
            if !is_within || is_of_engine(record) {
                continue;
            }
            while let Some((_, command)) = commands.next_if(|(before, _)| before <= position) {
                // It took effect then, so it does now, or what follows differs.
                let _refused = engine.command(*command, out);
            }
            out.position = *position;
            engine.on_record(record, *position, out);
            inputs += 1;
            if out.is_different() {
                return Ok(inputs);
            }
        }
    }
    for (_, command) in commands {
        let _refused = engine.command(*command, out);
    }
    Ok(inputs)
}

/// Whether a record is the engine's own, or the relay's about it.
fn is_of_engine(record: &Record) -> bool {
    record.venue() == Venue::PAPER
}

/// The code of a status of the engine itself.
fn engine_status(record: &Record) -> Option<StatusCode> {
    StatusCode::of(record).filter(|_| is_of_engine(record))
}
