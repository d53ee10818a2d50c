//! The record is kept: everything on the relay's stream, exactly, with its gaps written down.
//!
//! | module | what it is |
//! |---|---|
//! | [`archive`] | the journal's records as Parquet: export, verification, collection |
//! | [`database`] | the journal's records as rows of PostgreSQL or TimescaleDB |
//! | [`journal`] | segments of plain records on disk: the crate `tickpath-journal`, which the engine reads too |
//! | [`recorder`] | the process that appends the stream to the journal |
//! | [`replay`] | a journal or an archive played into a relay |

pub mod archive;
pub mod database;
pub mod recorder;
pub mod replay;

pub use tickpath_journal as journal;
