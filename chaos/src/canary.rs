//! Canaries: what must be caught. A run with one that passes proves that the runs without prove nothing.

use clap::ValueEnum;

/// What is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Canary {
    /// A reader leaves one record out.
    ReaderDrops,
    /// A reader turns a bit of one record.
    ReaderTears,
    /// A reader takes one record twice.
    ReaderRepeats,
    /// A bit of the journal turns.
    JournalRots,
    /// A row of the database is there twice.
    RowDoubled,
    /// A row of the database is gone.
    RowMissing,
    /// A row of the database says something else.
    RowAltered,
    /// A collector is stopped and nobody continues it.
    ProcessStuck,
    /// A process is left behind.
    ProcessLeft,
    /// A temporary file is left behind.
    FileLeft,
    /// A name is left behind in shared memory.
    MemoryLeft,
    /// An error that no fault explains stands in the log.
    LogLine,
}

impl Canary {
    /// Words of the problem that must be found because of it.
    #[must_use]
    pub fn caught_by(self) -> &'static str {
        match self {
            Canary::ReaderDrops => "lost silently",
            Canary::ReaderTears => "torn or foreign",
            Canary::ReaderRepeats => "repeated or late",
            Canary::JournalRots => "the journal",
            Canary::RowDoubled => "rows too many",
            Canary::RowMissing => "rows missing",
            Canary::RowAltered => "rows that were not published",
            Canary::ProcessStuck => "is in state T",
            Canary::ProcessLeft => "process left",
            Canary::FileLeft => "file left",
            Canary::MemoryLeft => "memory file left",
            Canary::LogLine => "unexpected in the log",
        }
    }
}
