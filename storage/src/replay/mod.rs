//! The past, played again: a journal or an archive feeds a relay through the same rings that collectors use, so that every consumer can be run on it.
//!
//! - Records keep their times, prices, flags and order; sequences, stream positions and publish times are of the new run. Instruments keep symbol,
//!   name and decimals; their ids are what the relay knows them by.
//! - A venue's records need a producer of their own ([`tickpath_transport::Publisher`]), and the relay takes one a venue: a replay is refused while a
//!   collector of the same venue is attached.
//! - The order over all venues is kept: before another venue's record is published, the relay has taken everything published so far.
//! - Gap records are kept. Records that the relay writes about its producers ([`Flags::FROM_RELAY`]) are not, as the relay writes its own; nor
//!   are those of no venue, and kinds that no producer may publish. All of them are counted.
//!
//! [`Flags::FROM_RELAY`]: tickpath_protocol::Flags::FROM_RELAY

mod error;
mod feed;
mod pace;
mod past;
mod range;

pub use error::ReplayError;
pub use feed::{Feed, FeedOptions, Played};
pub use past::Past;
pub use range::{NoTime, Range, time_ns};
