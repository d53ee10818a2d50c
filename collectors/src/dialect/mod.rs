//! What differs between venues: one folder a venue, none of which knows another.
//!
//! A dialect holds names, JSON shapes, addresses, limits and the rule by which the venue's books are proven. It does no I/O, reads no clock
//! and keeps no state of a connection: what it needs to know it is given.

pub mod alpaca;
pub mod binance;
pub mod coinbase;
pub mod coinbase_advanced;
pub mod kraken;

use std::time::Duration;

use tickpath_protocol::{InstrumentId, Venue};

use crate::decode::{Channel, Decoded, Listing, Refused, SymbolTable};

/// A venue's dialect.
pub trait Dialect: Send {
    /// The venue.
    fn venue(&self) -> Venue;

    /// Decodes a frame in the venue's usual shape. `false`: not that shape, and [`Dialect::decode_full`] is to judge it; what was added to
    /// `out` is then worthless. What it accepts, `decode_full` accepts with the same events.
    fn decode_fast(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> bool;

    /// Decodes any frame of the venue.
    ///
    /// # Errors
    /// [`Refused`], and then what was added to `out` is worthless.
    fn decode_full(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused>;

    /// Decodes a frame, the fast way if it can; `out` holds its events alone, none if it was refused.
    ///
    /// # Errors
    /// [`Refused`].
    fn decode(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
        out.clear();
        if self.decode_fast(frame, symbols, out) {
            return Ok(());
        }
        out.clear();
        self.decode_full(frame, symbols, out).inspect_err(|_| out.clear())
    }

    /// Path and query of the REST requests that list the instruments; empty where the WebSocket itself does
    /// ([`Dialect::discovery_frame`], [`crate::decode::Control::Instruments`]).
    fn discovery(&self) -> Vec<String>;

    /// The frame that asks for the instruments on the WebSocket, where that is how they are listed: sent before the symbols are known, on a
    /// connection that then also tells of instruments that appear, change or stop trading.
    fn discovery_frame(&self) -> Option<&'static str> {
        None
    }

    /// The instruments of an answer to a request of [`Dialect::discovery`].
    ///
    /// # Errors
    /// [`Refused`] if it is no such answer.
    fn listings(&self, body: &[u8]) -> Result<Vec<Listing>, Refused>;

    /// Pairs of a symbol that an answer to [`Dialect::discovery`] lists and another name under which the venue may send its data. Whoever
    /// fills the [`SymbolTable`] adds the other name as well, unless it is subscribed to for itself.
    ///
    /// # Errors
    /// [`Refused`] if it is no such answer.
    fn aliases(&self, _body: &[u8]) -> Result<Vec<(String, String)>, Refused> {
        Ok(Vec::new())
    }

    /// Path and query of the REST request for an image of the book; `None` where the venue sends images on the WebSocket.
    fn image_request(&self, symbol: &str) -> Option<String>;

    /// The image in an answer to [`Dialect::image_request`], as one book event.
    ///
    /// # Errors
    /// [`Refused`] if it is no such answer.
    fn image(&self, body: &[u8], symbol: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused>;

    /// The connections to open for these symbols, within the venue's limits, in full: address, greeting, subscriptions.
    fn connections(&self, symbols: &[String]) -> Vec<Connection>;

    /// The frames that ask for a new image of one symbol's book on its connection, where that is how it is done.
    fn resubscribe(&self, symbol: &str) -> Vec<String>;

    /// Limits and times of the venue.
    fn policy(&self) -> Policy;
}

/// One WebSocket connection to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Path and query below the configured WebSocket address; may be empty.
    pub path: String,
    /// The venue's symbols that it carries.
    pub symbols: Vec<String>,
    /// Frames to send once connected, or once logged in where [`Policy::login`] says so, paced by [`Policy::frames_per_second`].
    pub subscribe: Vec<String>,
}

/// How the venue's books are proven to be in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncRule {
    /// Update ids without holes that bridge with a REST image (Binance).
    UpdateIds,
    /// An image on the WebSocket, then changes on a channel that the venue disconnects rather than thin out; trade numbers without holes
    /// and heartbeats that repeat the last one show a loss (Coinbase Exchange).
    TradeIds,
    /// An image on the WebSocket, then changes; frames are numbered over the connection (Coinbase Advanced Trade).
    ConnectionSequence,
    /// An image on the WebSocket, then changes, each with a checksum of the book (Kraken).
    Checksum,
    /// An image on the WebSocket, then changes; nothing in band shows a loss but a crossed book (Alpaca).
    Images,
}

/// Limits and times of a venue, each with its source in the dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How books are proven.
    pub sync: SyncRule,
    /// The venue says hello and wants a login before subscriptions ([`crate::decode::Control::Welcome`], `Authenticated`).
    pub login: bool,
    /// Silence of the whole connection, pings included, after which it is dead.
    pub silence: Duration,
    /// Interval of our own WebSocket pings; `None` where the venue speaks by itself.
    pub ping: Option<Duration>,
    /// A frame that asks the venue for an application pong; sent at the ping interval instead of a WebSocket ping.
    pub ping_frame: Option<&'static str>,
    /// Age at which the connection is replaced by a new one that overlaps with it; `None` where the venue sets no limit.
    pub lifetime: Option<Duration>,
    /// Frames that we may send in a second.
    pub frames_per_second: u32,
    /// Shortest pause before a reconnect, the first one apart.
    pub backoff_min: Duration,
    /// Connection attempts that the venue allows …
    pub attempts: u32,
    /// … in this time.
    pub attempts_window: Duration,
    /// REST requests for book images in a minute; 0 where none are made.
    pub images_per_minute: u32,
    /// Largest frame that is accepted, in bytes.
    pub frame_bytes_max: usize,
}

/// What a collector subscribes to, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Channels, without duplicates.
    pub channels: Vec<Channel>,
    /// Levels of a book.
    pub depth: u32,
}

impl Selection {
    /// Whether the channel is wanted.
    #[must_use]
    pub fn has(&self, channel: Channel) -> bool {
        self.channels.contains(&channel)
    }
}

/// No instrument, for events of a whole connection.
pub const WHOLE_VENUE: InstrumentId = InstrumentId::NONE;
