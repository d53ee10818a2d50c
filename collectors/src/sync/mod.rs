//! Books kept in sync by the venue's own rule, without I/O and without a clock: frames and times go in, finished records and [`Action`]s come
//! out.
//!
//! [`Feed`] holds the books of one venue. It promises:
//!
//! - the book it holds of an instrument is the one that its published records make, record by record;
//! - a book is trusted only while the venue's rule ([`crate::dialect::SyncRule`]) proves it; the records of an event that breaks the proof
//!   carry UNTRUSTED already, and a Gap and a Status record before them say why;
//! - a book that lost its proof stays as it was, flagged, until the venue's next image replaces it; images are asked for at a pace that the
//!   venue allows;
//! - nothing is withheld and nothing is published twice, also while two connections carry the same instruments.
//!
//! It refuses to guess: what the venue cannot prove stays untrusted.

mod chain;
mod connections;
mod counters;
mod emit;
mod feed;
mod images;
mod intake;
mod levels;
mod pacing;
mod recent;
mod refresh;
mod timers;
mod tracked;

use tickpath_protocol::{GapCause, InstrumentId, Record};

use crate::decode::{Control, Listing};

pub use counters::Counters;
pub use feed::{Feed, FeedOptions};
pub use intake::Activity;
pub(crate) use pacing::{TokenBucket, exponential_ns};
pub use timers::ImageAnswer;

/// One WebSocket connection of the venue, by a number that is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u32);

/// Takes finished records; venue and sequence are its own to set.
pub trait Sink {
    /// One record.
    fn record(&mut self, record: Record);
}

impl<F: FnMut(Record)> Sink for F {
    fn record(&mut self, record: Record) {
        self(record);
    }
}

/// Gives instruments their ids.
pub trait Registry {
    /// What it fails with.
    type Error: std::error::Error + 'static;

    /// The id of a listing; the same one for the same listing.
    ///
    /// # Errors
    /// If it cannot be held.
    fn instrument(&mut self, listing: &Listing) -> Result<InstrumentId, Self::Error>;
}

/// What the feed asks of whoever holds the sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send these frames, in order and paced.
    Send {
        /// Where.
        connection: ConnectionId,
        /// What.
        frames: Vec<String>,
    },
    /// Fetch an image of the book over REST and answer with [`Feed::on_image`].
    RequestImage {
        /// The instrument.
        instrument: InstrumentId,
        /// As the venue spells it.
        symbol: String,
        /// To be repeated in the answer.
        request: u64,
    },
    /// Close the connection and open it again.
    Reconnect {
        /// Which.
        connection: ConnectionId,
        /// Why.
        cause: GapCause,
    },
    /// Open a successor, and close the connection once that one is live.
    HandOver {
        /// Which.
        connection: ConnectionId,
    },
    /// A word of the venue about the conversation: greeting, login, refusal, instruments.
    Control {
        /// Where it came from.
        connection: ConnectionId,
        /// What it said.
        control: Control,
    },
}

#[cfg(test)]
mod tests;
