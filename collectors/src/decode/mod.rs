//! One frame to events: the types that every venue's decoder fills, and the tools that the fast decoders share.

mod decoded;
pub mod json;
mod number;
mod scan;
mod symbols;
mod time;
mod word;

pub use decoded::{BookEnd, Channel, Control, Decoded, Listing, Mark, Quote, Refused, Trade, What};
pub use scan::{Scan, positive};
pub use symbols::{Listed, SymbolTable};
pub use time::{Day, TimeError, micros, millis, rfc3339};
