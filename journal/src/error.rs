//! What can go wrong with a journal: what, where, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use tickpath_protocol::instrument::InstrumentError;

/// An operation on a journal failed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system said no.
    #[error("{what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried: `cannot write`.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory belongs to another recorder.
    #[error("{path} is locked by another recorder: stop that one, or set `recorder.dir` to another directory", path = path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The file is no segment of this version.
    #[error("{path} is no journal segment that this build reads: {field} is {found}, expected {expected}", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Which field of its header.
        field: &'static str,
        /// What it holds.
        found: u64,
        /// What it should hold.
        expected: u64,
    },
    /// The file was a segment and is damaged.
    #[error("{path} is damaged at record {index}: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Index of the first record that cannot be had.
        index: u64,
        /// Index at which the journal goes on, if that is known: a new cursor may begin there.
        goes_on: Option<u64>,
        /// What is wrong.
        reason: String,
    },
    /// The journal does not reach back so far: its oldest segments were deleted.
    #[error("the journal in {path} begins at record {first}: record {index} was deleted", path = path.display())]
    Deleted {
        /// The directory.
        path: PathBuf,
        /// The index that was asked for.
        index: u64,
        /// The oldest index that is there.
        first: u64,
    },
    /// Records were asked for that the journal does not hold.
    #[error("the journal in {path} ends before record {next}: record {index} was never written", path = path.display())]
    NotWritten {
        /// The directory.
        path: PathBuf,
        /// The index that was asked for.
        index: u64,
        /// The index after the newest.
        next: u64,
    },
    /// A sync of this segment failed before; nothing is written to it any more.
    #[error("a sync of {path} failed: the segment is given up", path = path.display())]
    Poisoned {
        /// The segment.
        path: PathBuf,
    },
    /// A row of the instrument table makes no sense.
    #[error("instrument table: {0}")]
    Instrument(#[from] InstrumentError),
    /// The appender was told something that a journal cannot hold.
    #[error("{0}")]
    Misuse(&'static str),
}

impl JournalError {
    /// With the path and what was tried.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
        let path = path.to_owned();
        move |source| JournalError::Io { what, path, source }
    }

    /// Whether there is no room on the disk, or no more is allowed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self, JournalError::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }
}
