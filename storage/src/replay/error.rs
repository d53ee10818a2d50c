//! What can go wrong with a replay.

use std::path::{Path, PathBuf};

use tickpath_protocol::Venue;
use tickpath_transport::TransportError;

use super::range::Range;
use crate::archive::ArchiveError;

/// A replay failed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The past cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The path holds neither.
    #[error("{path} is neither a journal (`*.journal` files) nor an archive (a folder `trades`, `quotes`, `book_levels` or `status`)", path = .0.display())]
    Neither(PathBuf),
    /// A partition has no manifest.
    #[error("{path} has no manifest, so it is not whole: run `tickpath export` again", path = .0.display())]
    NotWhole(PathBuf),
    /// A file is not the one that was written.
    #[error("{path} differs from its content hash: run `tickpath verify`", path = .0.display())]
    Damaged(PathBuf),
    /// There is nothing to play.
    #[error("{path} has no record {range}", path = path.display())]
    Empty {
        /// Journal or archive.
        path: PathBuf,
        /// The range that was asked for.
        range: Range,
    },
    /// No relay answers.
    #[error("no relay answers at {path}: start one with `tickpath up` or `tickpath-relay`", path = .0.display())]
    NoRelay(PathBuf),
    /// The relay will not take this venue's records.
    #[error(
        "the relay does not take records of {venue}: {source}; stop the collector or replay that is attached as {venue}"
    )]
    Refused {
        /// The venue.
        venue: Venue,
        /// What it says.
        source: TransportError,
    },
    /// A ring cannot be made, or an instrument does not fit.
    #[error("publishing records of {venue}: {source}")]
    Publish {
        /// The venue.
        venue: Venue,
        /// Why.
        source: TransportError,
    },
    /// The relay went away and did not come back.
    #[error("the relay took nothing for {0} s: it has gone or hangs")]
    Stalled(u64),
    /// The replay was given up on request.
    #[error("stopped")]
    Stopped,
}

impl ReplayError {
    pub(super) fn not_whole(path: &Path) -> ReplayError {
        ReplayError::NotWhole(path.to_owned())
    }
}
