//! What can go wrong with the data of a run.

use std::io;
use std::path::PathBuf;

use tickpath_collectors::offline::DecodeError;
use tickpath_protocol::Venue;
use tickpath_storage::replay::ReplayError;

/// Data cannot be had, or is not what a run may be based on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such folder.
    #[error("{path} is no folder: --data takes the folder of a journal, of an archive, or of a capture, or synthetic:BARS", path = .0.display())]
    NoFolder(PathBuf),
    /// It is a capture, and of nobody knows whom.
    #[error("{path} is a capture and its name is no venue's: say which with --venue", path = .0.display())]
    WhichVenue(PathBuf),
    /// A journal or an archive cannot be read, or it is neither.
    #[error(transparent)]
    Past(#[from] ReplayError),
    /// A capture cannot be decoded.
    #[error("{path}: {source}", path = path.display())]
    Capture {
        /// The capture's folder.
        path: PathBuf,
        /// Why.
        source: DecodeError,
    },
    /// Frames of a capture that no decoder accepts: what they said is missing.
    #[error("{path}: {refused} frames are refused, and what they said is missing: see `tickpath decode`, or go on with --gaps carry", path = path.display())]
    Refused {
        /// The capture's folder.
        path: PathBuf,
        /// How many.
        refused: u64,
    },
    /// There is nothing in it.
    #[error("{path} has no record {range}", path = path.display())]
    Empty {
        /// The data.
        path: PathBuf,
        /// The part of it that was asked for.
        range: String,
    },
    /// Something is missing.
    #[error(
        "{path}: data of {venue} is missing before position {position} ({cause}, from {since_ns} to {until_ns} ns): choose another part with --from and --to, \
         or let the core meet the gap as it would have live, with --gaps carry",
        path = path.display()
    )]
    Gap {
        /// The data.
        path: PathBuf,
        /// Position of the Gap record.
        position: u64,
        /// Whose records are missing.
        venue: Venue,
        /// Why.
        cause: &'static str,
        /// When it opened.
        since_ns: i64,
        /// When it was noticed.
        until_ns: i64,
    },
    /// The same symbol with other decimals than before.
    #[error(
        "{path}: {venue} {symbol} has other decimals from position {position} on: run each part alone, with --from and --to",
        path = path.display()
    )]
    Decimals {
        /// The data.
        path: PathBuf,
        /// The venue.
        venue: Venue,
        /// The symbol.
        symbol: String,
        /// Where it changes.
        position: u64,
    },
    /// More records than fit in memory.
    #[error(
        "{path} holds more than {records_max} records, which a sweep keeps in memory: choose a part with --from and --to, or one venue with --venue",
        path = path.display()
    )]
    TooMuch {
        /// The data.
        path: PathBuf,
        /// How many are kept.
        records_max: usize,
    },
    /// No thread can be started.
    #[error("no thread to read with: {0}")]
    Thread(io::Error),
    /// The thread that reads panicked.
    #[error("the thread that reads {path} died", path = .0.display())]
    ReaderDied(PathBuf),
}
