//! The journal: every record of the stream in order, in segments of plain 48-byte records that any program can map.
//!
//! A segment is two files. The `.journal` file holds a header page ([`header`]), instrument rows, and the records; the `.batches` file a copy of
//! the header and an entry for each batch ([`batch`]) with its checksums, its place in the relay's stream and the publish time of each
//! record. A finished segment ends with a footer ([`footer`]). `docs/journal.md` states all of it to the byte.
//!
//! - **Index**: every record has one; 0, 1, 2, … over all segments and restarts, never reused once recorded.
//! - **Position**: the relay's, of one run of it; it may jump between batches.
//! - **Recorded**: in a segment whose sync returned success after the record was written.
//! - **Valid prefix**: the batches of a segment from its first on, each of which holds its checksums and continues the one before.
//!
//! Promises: what [`Cursor`] returns was appended, whole and in order, whatever bytes the files hold; a hole in the positions of a run is covered by a
//! Gap record, or was a repetition; no segment is written to after its writer ended. Refuses: other versions, and segments of which
//! both headers are damaged.

mod appender;
pub mod batch;
mod cursor;
mod directory;
mod error;
pub mod file;
pub mod footer;
pub mod header;
mod image;
pub mod name;
mod open_segment;
mod producers;
mod recovery;
mod seal;
mod segment;

pub use appender::{Appender, Pending, Settings};
pub use batch::Batch;
pub use cursor::Cursor;
pub use directory::{Journal, RECORDED_FIELDS, Recorded, SegmentInfo, disk_bytes, remove_segment, segment_paths};
pub use error::JournalError;
pub use footer::Footer;
pub use header::{ProducerState, SegmentHeader};
pub use image::{ImagePlace, ImageSearch, newest_image};
pub use producers::Producers;
pub use recovery::Recovered;
pub use seal::{SealJob, content_hash};
pub use segment::{Found, SegmentReader};
