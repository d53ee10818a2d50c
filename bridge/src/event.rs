//! What changes in the market, in the terms of the messages: trades, quotes, levels, statuses; and who takes note of it.

use tickpath_protocol::{Flags, GapCause, Record, Side, StatusCode, Venue};

use crate::market::VenueState;
use crate::state::InstrumentState;
use crate::trading;

/// When, and the producer's number for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// ns by the venue's clock.
    pub ts_event: i64,
    /// ns, when the frame was read here.
    pub ts_recv: i64,
    /// The producer's sequence of the last record of the event.
    pub sequence: u64,
}

impl Stamp {
    /// Something that happened in this process, which no record tells of.
    #[must_use]
    pub fn here(now_ns: i64) -> Stamp {
        Stamp {
            ts_event: now_ns,
            ts_recv: now_ns,
            sequence: 0,
        }
    }
}

impl From<&Record> for Stamp {
    fn from(record: &Record) -> Stamp {
        Stamp {
            ts_event: record.ts_event,
            ts_recv: record.ts_recv,
            sequence: record.sequence,
        }
    }
}

/// One trade; mantissas at the instrument's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Mantissa, or [`Record::ABSENT`].
    pub price: i64,
    /// Mantissa, or [`Record::ABSENT`].
    pub size: i64,
    /// The aggressor's side.
    pub side: Option<Side>,
    /// When.
    pub stamp: Stamp,
}

/// Best bid and offer; mantissas at the instrument's scale, or [`Record::ABSENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Best bid.
    pub bid: i64,
    /// Size at the best bid.
    pub bid_size: i64,
    /// Best ask.
    pub ask: i64,
    /// Size at the best ask.
    pub ask_size: i64,
    /// Flags of the ask record.
    pub flags: Flags,
    /// When.
    pub stamp: Stamp,
}

/// One level set by an event; size 0 removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChange {
    /// Which side.
    pub side: Side,
    /// Mantissa.
    pub price: i64,
    /// Mantissa.
    pub size: i64,
}

/// A change of state of a venue or an instrument, or a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusEvent {
    /// The name of a [`StatusCode`], or `gap`.
    pub status: &'static str,
    /// Why.
    pub cause: Option<&'static str>,
    /// First sequence missing.
    pub first: Option<i64>,
    /// Last sequence missing.
    pub last: Option<i64>,
    /// The arguments named at the status code, each as far as it is known.
    pub args: [Option<i64>; 2],
    /// When.
    pub stamp: Stamp,
}

impl StatusEvent {
    /// The event of a Status or Gap record; `None` for an unknown code.
    #[must_use]
    pub fn of(record: &Record) -> Option<StatusEvent> {
        let known = |value: i64| (value != Record::ABSENT).then_some(value);
        if let Some(cause) = GapCause::of(record) {
            return Some(StatusEvent {
                status: "gap",
                cause: Some(cause.name()),
                first: known(record.price),
                last: known(record.size),
                args: [None, None],
                stamp: record.into(),
            });
        }
        let code = StatusCode::of(record)?;
        let cause = match code {
            StatusCode::BookUntrusted => record.price,
            StatusCode::Disconnected => record.size,
            _ => 0,
        };
        Some(StatusEvent {
            status: code.name(),
            cause: u8::try_from(cause)
                .ok()
                .and_then(GapCause::from_code)
                .map(GapCause::name),
            first: None,
            last: None,
            args: [known(record.price), known(record.size)],
            stamp: record.into(),
        })
    }

    /// What is to be said of a book: that it is proven in sync, or not.
    #[must_use]
    pub fn trust(is_trusted: bool, stamp: Stamp) -> StatusEvent {
        let code = if is_trusted {
            StatusCode::BookTrusted
        } else {
            StatusCode::BookUntrusted
        };
        StatusEvent {
            status: code.name(),
            cause: None,
            first: None,
            last: None,
            args: [None, None],
            stamp,
        }
    }

    /// A gap that this process noticed itself: `count` records are missing.
    #[must_use]
    pub fn missed(cause: &'static str, count: u64, now_ns: i64) -> StatusEvent {
        StatusEvent {
            status: "gap",
            cause: Some(cause),
            first: None,
            last: None,
            args: [Some(i64::try_from(count).unwrap_or(i64::MAX)), Some(0)],
            stamp: Stamp::here(now_ns),
        }
    }
}

/// What changed.
#[derive(Debug)]
pub enum Update<'a> {
    /// Trades of one event, oldest first.
    Trades(&'a [Trade]),
    /// A quote.
    Quote(&'a Quote),
    /// Levels of one event, in the venue's order; applied already. None at all: only the trust changed.
    Levels(&'a [LevelChange]),
    /// The whole book is another.
    Image,
    /// A status or a gap.
    Status(&'a StatusEvent),
}

/// Takes what changed.
pub trait Sink {
    /// The instrument is new.
    fn opened(&mut self, state: &InstrumentState);
    /// The venue is new.
    fn venue_opened(&mut self, index: u8, venue: Venue);
    /// Something of the instrument changed.
    fn instrument(&mut self, state: &InstrumentState, update: Update<'_>);
    /// The status of a whole venue changed.
    fn venue(&mut self, index: u8, state: &VenueState, status: &StatusEvent);
    /// The engine did something.
    fn trading(&mut self, update: trading::Update<'_>);
}

/// What was ignored, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Kinds or codes that this build does not know, or has no message for.
    pub unknown: u64,
    /// Records that contradict their instrument or lack a side.
    pub malformed: u64,
    /// Records whose instrument is not in the table.
    pub unknown_instrument: u64,
    /// Quotes without one of their two records.
    pub torn_quotes: u64,
    /// Levels beyond the limit of a book.
    pub book_full: u64,
}
