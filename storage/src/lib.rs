//! The record is kept: everything on the relay's stream, exactly, with its gaps written down.
//!
//! | module | what it is |
//! |---|---|
//! | [`archive`] | the journal's records as Parquet: export, verification, collection |
//! | [`database`] | the journal's records as rows of PostgreSQL or TimescaleDB |
//! | [`journal`] | segments of plain records on disk: format, reader, appender, recovery |
//! | [`recorder`] | the process that appends the stream to the journal |
//! | [`replay`] | a journal or an archive played into a relay |

pub mod archive;
pub mod database;
pub mod journal;
pub mod recorder;
pub mod replay;
