//! What every Tickpath process agrees on: the 48-byte [`Record`], exact decimals, instruments, the order book.
//!
//! Promises: the layout of a record is fixed at compile time and by golden bytes; no float takes part in any value; nothing here
//! allocates once warm, performs I/O, or reads a clock. Refuses: numbers that do not fit exactly, rows and codes it does not know.
//!
//! This crate depends on no other crate of the workspace and knows nothing of JSON, sockets or venues' dialects.

pub mod book;
pub mod checksum;
pub mod control;
pub mod decimal;
pub mod instrument;
pub mod record;
pub mod sequence;
pub mod trading;
pub mod venue;

pub use book::{BookFull, Level, OrderBook};
pub use control::{GapCause, StatusCode};
pub use decimal::{DecimalError, DecimalText};
pub use instrument::{Instrument, InstrumentId, InstrumentRow, InstrumentTable, Scale};
pub use record::{Flags, Kind, Record, Side};
pub use sequence::{Observation, SequenceTracker};
pub use venue::Venue;
