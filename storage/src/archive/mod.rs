//! The archive: the journal's records as Parquet, a folder a table, venue and UTC day, each with a manifest that can be derived again.
//!
//! ```text
//! trades/venue=kraken/date=2026-11-21/part-0.parquet     rows sorted by symbol, receive time, journal index
//!                                     manifest.json      rows, positions, sequences, gaps, content hashes
//! quotes/…  book_levels/…  status/…  orders/…  fills/…  signals/…
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`row`], [`date`], [`names`] | a record with its place; the partition it belongs to; texts behind small keys |
//! | [`columns`], `order_columns`, [`part`], [`reader`] | columns as data; rows to a Parquet file; a Parquet file to rows |
//! | [`sort`] | rows in order, within a stated memory, spilled to unnamed files beyond it |
//! | [`source`], [`scan`], [`manifest`] | rows of a journal; what of them belongs where; what a partition says of itself |
//! | [`export`], [`from_database`], `day` | what is new in journal or database to Parquet; a day's partitions, several at a time |
//! | [`verify`], `expected`, [`collect`] | everything derived again and compared; what of the journal is no longer needed |
//! | [`place`] | folders that appear whole or not at all |
//!
//! Promises: every record of the journal is in exactly one partition and can be made again from it, bit for bit; a folder with a manifest is
//! whole; doing it twice changes nothing. Refuses: files that it did not write, and to replace rows that the journal no longer holds.

pub mod collect;
pub mod columns;
pub mod date;
mod day;
mod error;
mod expected;
pub mod export;
pub mod from_database;
pub mod manifest;
pub mod names;
mod order_columns;
pub mod part;
pub mod place;
pub mod reader;
pub mod row;
pub mod scan;
pub mod sort;
pub mod source;
pub mod verify;

pub use date::Date;
pub use error::ArchiveError;
pub use manifest::Manifest;
pub use names::Names;
pub use row::{Partition, Row, Table};

/// The version of columns and manifest. A reader of another version refuses.
pub const SCHEMA_VERSION: u32 = 1;
/// Rows of a row group: DuckDB's own, so that one group is one unit of its work.
pub const ROW_GROUP_ROWS: usize = 122_880;
/// A file that has reached this size is closed, and the next one begun: within the 100 MB to 1 GB that readers like.
pub const PART_BYTES: u64 = 256 << 20;
/// Rows held in memory while a day is sorted; what is more goes to unnamed temporary files in sorted runs. 320 MiB, and half as much again
/// while a run is sorted.
pub const SORT_ROWS_MAX: usize = 4 << 20;
/// Gaps that a manifest lists one by one; all of them are in its totals, and in the `status` table.
pub const GAPS_LISTED_MAX: usize = 1_000;

/// Told how an export or a verification goes.
pub trait Progress: Sync {
    /// A part of the work begins, of `total` records.
    fn begin(&self, what: &str, total: u64);
    /// So many records of it are done.
    fn advance(&self, records: u64);
    /// Something that is worth a line.
    fn note(&self, line: &str);
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _what: &str, _total: u64) {}
    fn advance(&self, _records: u64) {}
    fn note(&self, _line: &str) {}
}
