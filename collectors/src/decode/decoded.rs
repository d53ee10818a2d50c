//! What a frame said: records that still lack a sequence and a receive time, and marks that say which of them belong together and what
//! the venue numbered them. Reused from frame to frame, so that a warm decoder allocates nothing.

use tickpath_protocol::{DecimalError, Flags, InstrumentId, Kind, Record, Scale, Side};
pub use tickpath_service::config::Channel;

use super::{Day, Listed, TimeError};

/// The events of one frame.
///
/// In `records`, `kind`, `flags` (side and LAST), `scale`, `instrument`, `ts_event`, `price` and `size` are set; venue, sequence, receive
/// time and all other flags are the publisher's. A `ts_event` of [`Record::ABSENT`] means that the venue sent no usable time.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The records of all events, in the order in which the venue sent them.
    pub records: Vec<Record>,
    /// One mark an event, in order.
    pub marks: Vec<Mark>,
    /// Kept from frame to frame by fast decoders of times.
    pub(crate) day: Day,
}

impl PartialEq for Decoded {
    fn eq(&self, other: &Decoded) -> bool {
        self.records == other.records && self.marks == other.marks
    }
}

/// One event of a frame.
#[derive(Debug, PartialEq)]
pub struct Mark {
    /// Its records: from here in [`Decoded::records`] …
    pub start: usize,
    /// … to before here. Equal to `start` for an event without records.
    pub end: usize,
    /// The instrument, or [`InstrumentId::NONE`].
    pub instrument: InstrumentId,
    /// What it is.
    pub what: What,
}

/// What an event is, with the numbers by which the venue's rule proves that nothing is missing.
#[derive(Debug, PartialEq)]
pub enum What {
    /// One trade.
    Trade {
        /// The venue's number of the trade.
        id: Option<u64>,
    },
    /// Best bid and offer: two records.
    Quote {
        /// Binance's update id, from the counter that its depth updates use.
        update_id: Option<u64>,
    },
    /// Levels of a book: an image of all of it, or changes.
    Book(BookEnd),
    /// The venue says that it is alive, of one instrument or as a whole.
    Heartbeat {
        /// Coinbase: number of the last trade of the instrument.
        last_trade_id: Option<u64>,
    },
    /// Coinbase Advanced Trade: number of the frame on its connection. Comes before the frame's other events.
    ConnectionSequence(u64),
    /// Something that changes the conversation. Rare, and may allocate.
    Control(Control),
    /// A well-formed frame of a kind that nobody asked for.
    Ignored,
}

/// What a venue says of a whole book event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookEnd {
    /// The levels are the whole book, not changes.
    pub image: bool,
    /// Binance: first update id of the event (`U`).
    pub first_id: Option<u64>,
    /// Binance: last update id of the event (`u`, `lastUpdateId`).
    pub last_id: Option<u64>,
    /// Kraken: CRC-32 of the book after the event.
    pub checksum: Option<u32>,
}

/// A frame about the conversation itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The venue took a subscription. Fields that its answer does not state are `None`.
    Subscribed {
        /// The channel.
        channel: Option<Channel>,
        /// The instrument.
        instrument: Option<InstrumentId>,
        /// Kraken: levels of the book.
        depth: Option<u32>,
    },
    /// The venue refused a subscription or a request.
    Refused {
        /// The venue's symbol, if it names one.
        symbol: Option<String>,
        /// The venue's words.
        reason: String,
        /// Asking again cannot help.
        is_final: bool,
    },
    /// Alpaca: the connection is ready for the login.
    Welcome,
    /// Alpaca: the login was taken.
    Authenticated,
    /// The login was refused.
    LoginRefused {
        /// The venue's words.
        reason: String,
        /// Trying again with the same keys cannot help.
        is_final: bool,
    },
    /// Instruments stated on the WebSocket itself (Kraken).
    Instruments(Vec<Listing>),
    /// The venue as a whole trades, or does not (maintenance, cancel only).
    VenueTrading(bool),
    /// The instrument trades, or does not (halt).
    InstrumentTrading(bool),
    /// The venue will close the connection soon.
    Shutdown,
    /// The answer to an application ping.
    Pong,
}

/// An instrument as the venue describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The venue's spelling.
    pub symbol: String,
    /// `BASE/QUOTE`.
    pub name: String,
    /// Decimals that hold every digit the venue prints and its largest quantity.
    pub scale: Scale,
    /// Smallest price step at the price decimals; 0 if not stated.
    pub tick: i64,
    /// Smallest size step at the size decimals; 0 if not stated.
    pub lot: i64,
    /// Whether it trades now.
    pub trading: bool,
}

/// Why a frame was refused. Nothing of a refused frame is published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not JSON, or not the shape of any message of the venue.
    #[error("not a message of the venue: {0}")]
    Shape(String),
    /// A number is missing, inexact or too large.
    #[error("{field} `{text}`: {source}")]
    Number {
        /// The venue's field.
        field: &'static str,
        /// Its text, shortened.
        text: String,
        /// Why.
        source: DecimalError,
    },
    /// A price or size that no market has: a price or size below zero, a trade or quote at price zero.
    #[error("{field} {value} is out of range")]
    Range {
        /// The venue's field.
        field: &'static str,
        /// The mantissa.
        value: i64,
    },
    /// A time that is none.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// A side that is none.
    #[error("unknown side `{0}`")]
    Side(String),
    /// A symbol that is not subscribed to.
    #[error("unknown symbol `{0}`")]
    UnknownSymbol(String),
}

/// A trade as a decoder hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Trade {
    /// The instrument.
    pub listed: Listed,
    /// Side of the aggressor, whatever the venue states; `None` where it states nothing.
    pub aggressor: Option<Side>,
    /// Mantissa.
    pub price: i64,
    /// Mantissa.
    pub size: i64,
    /// ns, or [`Record::ABSENT`].
    pub ts_event: i64,
    /// The venue's number.
    pub id: Option<u64>,
}

/// A best bid and offer as a decoder hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Quote {
    /// The instrument.
    pub listed: Listed,
    /// Price and size of the bid; a size of [`Record::ABSENT`] where the venue does not state it.
    pub bid: (i64, i64),
    /// Price and size of the ask.
    pub ask: (i64, i64),
    /// ns, or [`Record::ABSENT`].
    pub ts_event: i64,
    /// Binance's update id.
    pub update_id: Option<u64>,
}

impl Decoded {
    /// Empty, for a new frame.
    #[inline]
    pub fn clear(&mut self) {
        self.records.clear();
        self.marks.clear();
    }

    /// Whether nothing was decoded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.records.is_empty()
    }

    /// Adds a trade.
    #[inline(always)]
    pub fn trade(&mut self, trade: Trade) {
        let flags = Flags::from(trade.aggressor).with(Flags::LAST);
        self.records.push(record(
            Kind::Trade,
            trade.listed,
            flags,
            trade.ts_event,
            trade.price,
            trade.size,
        ));
        self.close(trade.listed.id, 1, What::Trade { id: trade.id });
    }

    /// Adds a best bid and offer.
    #[inline(always)]
    pub fn quote(&mut self, quote: Quote) {
        let Quote {
            listed,
            bid,
            ask,
            ts_event,
            update_id,
        } = quote;
        self.records
            .push(record(Kind::Quote, listed, Flags::BID, ts_event, bid.0, bid.1));
        self.records.push(record(
            Kind::Quote,
            listed,
            Flags::ASK.with(Flags::LAST),
            ts_event,
            ask.0,
            ask.1,
        ));
        self.close(listed.id, 2, What::Quote { update_id });
    }

    /// Adds one level of the book event that [`Decoded::end_book`] will close.
    #[inline(always)]
    pub fn level(&mut self, listed: Listed, side: Side, ts_event: i64, price: i64, size: i64) {
        self.records
            .push(record(Kind::BookLevel, listed, side.into(), ts_event, price, size));
    }

    /// Closes a book event: all levels since the event before are its own.
    #[inline(always)]
    pub fn end_book(&mut self, instrument: InstrumentId, end: BookEnd) {
        let start = self.marks.last().map_or(0, |mark| mark.end);
        if self.records.len() > start
            && let Some(last) = self.records.last_mut()
        {
            last.flags |= Flags::LAST.0;
        }
        self.marks.push(Mark {
            start,
            end: self.records.len(),
            instrument,
            what: What::Book(end),
        });
    }

    /// Adds an event without records.
    pub fn event(&mut self, instrument: InstrumentId, what: What) {
        self.close(instrument, 0, what);
    }

    #[inline(always)]
    fn close(&mut self, instrument: InstrumentId, records: usize, what: What) {
        let end = self.records.len();
        self.marks.push(Mark {
            start: end - records,
            end,
            instrument,
            what,
        });
    }
}

/// Made of words, so that what is the same for all levels of a side is written at once.
#[inline(always)]
fn record(kind: Kind, listed: Listed, flags: Flags, ts_event: i64, price: i64, size: i64) -> Record {
    let [i0, i1, i2, i3] = listed.id.0.to_le_bytes();
    let head = u64::from_le_bytes([kind as u8, 0, flags.0, listed.scale.to_byte(), i0, i1, i2, i3]);
    Record::from_words([head, 0, ts_event as u64, 0, price as u64, size as u64])
}
