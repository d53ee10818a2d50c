//! The venues' WebSocket dialects: one file a venue, a session of one client each.
//!
//! Sans-IO: a session gets the client's text, the markets' publications and the time, and writes frames to an [`Outbox`]. It knows
//! nothing of sockets, faults or replay.

pub mod alpaca;
pub mod binance;
pub mod coinbase;
pub mod coinbase_advanced;
pub mod kraken;

use crate::world::{Publication, World};

/// Subscriptions of one client, a channel of an instrument each. Binance allows 1024 streams a connection; nobody needs more.
pub const SUBSCRIPTIONS_MAX: usize = 1_024;

/// What the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// A text frame of market data: what faults act on.
    Data(String),
    /// A text frame that answers or keeps alive.
    Control(String),
    /// A ping.
    Ping(String),
    /// A close frame, after which the connection ends.
    Close {
        /// RFC 6455 section 7.4.
        code: u16,
        /// Why.
        reason: &'static str,
    },
}

/// What a session has to say, in order.
#[derive(Debug, Default)]
pub struct Outbox(pub Vec<Out>);

impl Outbox {
    /// Market data.
    pub fn data(&mut self, text: String) {
        self.0.push(Out::Data(text));
    }

    /// An answer or a sign of life.
    pub fn control(&mut self, text: String) {
        self.0.push(Out::Control(text));
    }

    /// The end of the connection.
    pub fn close(&mut self, code: u16, reason: &'static str) {
        self.0.push(Out::Close { code, reason });
    }
}

/// One client of one venue. Times are nanoseconds since the Unix epoch.
pub trait Session: Send {
    /// The connection is open.
    fn open(&mut self, now_ns: i64, out: &mut Outbox);

    /// The client sent a text frame. `world` stands at one moment, so that what is read from it is consistent.
    fn message(&mut self, text: &str, world: &World, now_ns: i64, out: &mut Outbox);

    /// A market of the venue published.
    fn publication(&mut self, publication: &Publication, out: &mut Outbox);

    /// The client sent a pong; the venue that counts them wants to know.
    fn pong(&mut self, _now_ns: i64, _out: &mut Outbox) {}

    /// When [`Session::timer`] is next to be called.
    fn deadline_ns(&self) -> i64;

    /// The time of [`Session::deadline_ns`] has come.
    fn timer(&mut self, world: &World, now_ns: i64, out: &mut Outbox);

    /// Whether the client's orders are canceled when the connection ends.
    fn cancels_on_disconnect(&self) -> bool {
        false
    }

    /// The venue announces that it goes down.
    fn shutdown_notice(&mut self, now_ns: i64, out: &mut Outbox);
}

/// The next multiple of `period_ns` after `now_ns`.
#[must_use]
pub fn next_beat_ns(now_ns: i64, period_ns: i64) -> i64 {
    (now_ns.div_euclid(period_ns) + 1).saturating_mul(period_ns)
}

/// Nanoseconds of a second.
pub const SECOND_NS: i64 = 1_000_000_000;
