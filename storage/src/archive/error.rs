//! What can go wrong with an archive: what, where, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

use super::date::Date;
use super::manifest::Origin;
use super::row::Partition;
use crate::database::DatabaseError;
use crate::journal::JournalError;

/// An operation on an archive failed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
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
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The database cannot be asked.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The database does not hold what can be exported.
    #[error("database {server}: {reason}")]
    Unusable {
        /// Host, port and name.
        server: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A Parquet file cannot be written, or is damaged.
    #[error("{path}: {source}", path = path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the library says.
        source: ParquetError,
    },
    /// A file is none of an archive of this version.
    #[error("{path} is no part of a Tickpath archive that this build reads: {reason}", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// Another export works in this archive.
    #[error("{path} is locked by another export: wait for it to end", path = path.display())]
    Locked {
        /// The archive.
        path: PathBuf,
    },
    /// There is nothing of that day.
    #[error("the {origin} holds no record of {date}{held}", held = held(*.first, *.last))]
    NoData {
        /// Where it was looked for.
        origin: Origin,
        /// The day that was asked for.
        date: Date,
        /// The first day that there is.
        first: Option<Date>,
        /// The last day that there is.
        last: Option<Date>,
    },
    /// The partition holds records of another journal.
    #[error("{partition} was exported from journal {known} and this is journal {journal}: export to another directory")]
    OtherJournal {
        /// The partition.
        partition: Partition,
        /// The journal it came from.
        known: String,
        /// The journal at hand.
        journal: String,
    },
    /// Records of a day came after its first records were deleted from the journal.
    #[error(
        "{partition} ends at journal index {exported}, and the journal has records of that day up to {found}, but no longer those before: \
         export the journal to another directory and query both"
    )]
    Late {
        /// The partition.
        partition: Partition,
        /// Its last index.
        exported: u64,
        /// The newest index of that partition in the journal.
        found: u64,
    },
    /// The work was given up on request.
    #[error("stopped")]
    Stopped,
}

fn held(first: Option<Date>, last: Option<Date>) -> String {
    match (first, last) {
        (Some(first), Some(last)) if first == last => format!("; it holds {first}"),
        (Some(first), Some(last)) => format!("; it holds {first} to {last}"),
        _ => "; it is empty".into(),
    }
}

impl ArchiveError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
        let path = path.to_owned();
        move |source| ArchiveError::Io { what, path, source }
    }

    pub(crate) fn parquet(path: &Path) -> impl FnOnce(ParquetError) -> ArchiveError {
        let path = path.to_owned();
        move |source| match source {
            // A full disk is said as such, not as trouble with Parquet.
            ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(source) => ArchiveError::Io {
                    what: "cannot write",
                    path,
                    source: *source,
                },
                Err(error) => ArchiveError::Parquet {
                    path,
                    source: ParquetError::External(error),
                },
            },
            source => ArchiveError::Parquet { path, source },
        }
    }

    pub(crate) fn foreign(path: &Path, reason: impl Into<String>) -> ArchiveError {
        ArchiveError::Foreign {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}
