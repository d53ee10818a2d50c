//! The record: 48 bytes, little-endian, one price and one size.
//!
//! | offset | type | field | unit |
//! |---|---|---|---|
//! | 0 | u8 | `kind` | [`Kind`] |
//! | 1 | u8 | `venue` | [`Venue`]; names the producer as well |
//! | 2 | u8 | `flags` | [`Flags`] |
//! | 3 | u8 | `scale` | [`Scale`]; in control records the code of [`crate::control`] |
//! | 4 | u32 | `instrument` | [`InstrumentId`] |
//! | 8 | u64 | `sequence` | +1 for each record of a producer |
//! | 16 | i64 | `ts_event` | ns since the Unix epoch, venue's clock |
//! | 24 | i64 | `ts_recv` | ns since the Unix epoch, our clock when the frame was read |
//! | 32 | i64 | `price` | mantissa, or [`Record::ABSENT`] |
//! | 40 | i64 | `size` | mantissa, or [`Record::ABSENT`] |
//!
//! An event with several prices is several records, the last flagged [`Flags::LAST`]: a quote is a bid record and an ask record, a
//! book update one record a level.

use std::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::instrument::{InstrumentId, Scale};
use crate::venue::Venue;

/// One price and one size of one instrument, or one control event. See the module for the layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Record {
    /// A [`Kind`] code; see [`Record::kind`].
    pub kind: u8,
    /// A [`Venue`] code; see [`Record::venue`].
    pub venue: u8,
    /// A [`Flags`] set; see [`Record::flags`].
    pub flags: u8,
    /// High four bits: decimals of `price`; low four: decimals of `size`. Control records keep a code here.
    pub scale: u8,
    /// An [`InstrumentId`]; [`InstrumentId::NONE`] where the record speaks of a whole venue.
    pub instrument: u32,
    /// Assigned by the producer, +1 for each record. In a [`Kind::Gap`] of ours: the last sequence that is missing.
    pub sequence: u64,
    /// ns since the Unix epoch by the venue's clock; equals `ts_recv` under [`Flags::NO_EVENT_TIME`].
    pub ts_event: i64,
    /// ns since the Unix epoch, when the frame was read here.
    pub ts_recv: i64,
    /// Mantissa: price × 10^decimals.
    pub price: i64,
    /// Mantissa: size × 10^decimals; 0 in a [`Kind::BookLevel`] removes the level.
    pub size: i64,
}

const _: () = {
    assert!(size_of::<Record>() == 48);
    assert!(align_of::<Record>() == 8);
    assert!(std::mem::offset_of!(Record, kind) == 0);
    assert!(std::mem::offset_of!(Record, venue) == 1);
    assert!(std::mem::offset_of!(Record, flags) == 2);
    assert!(std::mem::offset_of!(Record, scale) == 3);
    assert!(std::mem::offset_of!(Record, instrument) == 4);
    assert!(std::mem::offset_of!(Record, sequence) == 8);
    assert!(std::mem::offset_of!(Record, ts_event) == 16);
    assert!(std::mem::offset_of!(Record, ts_recv) == 24);
    assert!(std::mem::offset_of!(Record, price) == 32);
    assert!(std::mem::offset_of!(Record, size) == 40);
    assert!(cfg!(target_endian = "little"), "the record is little-endian in memory");
};

impl Record {
    /// In `price` or `size`: the venue did not send this number (an old Coinbase ticker has no sizes). Never a valid mantissa.
    pub const ABSENT: i64 = i64::MIN;
    /// Bytes in a record.
    pub const SIZE_BYTES: usize = size_of::<Record>();

    /// The kind, or `None` for a code that this build does not know.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_code(self.kind)
    }

    /// The venue, which is the producer.
    #[must_use]
    pub fn venue(&self) -> Venue {
        Venue(self.venue)
    }

    /// The flags.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags(self.flags)
    }

    /// The decimals of `price` and `size`; meaningless in control records.
    #[must_use]
    pub fn scale(&self) -> Scale {
        Scale::from_byte(self.scale)
    }

    /// The instrument.
    #[must_use]
    pub fn instrument(&self) -> InstrumentId {
        InstrumentId(self.instrument)
    }

    /// The record as the six words that shared memory holds it in.
    #[must_use]
    pub fn to_words(&self) -> [u64; 6] {
        zerocopy::transmute!(*self)
    }

    /// The record that [`Record::to_words`] made these words of. Any words are some record; codes are checked by the accessors.
    #[must_use]
    pub fn from_words(words: [u64; 6]) -> Record {
        zerocopy::transmute!(words)
    }
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A trade; the side is the aggressor's, or none where the venue does not say.
    Trade = 1,
    /// One side of the best bid and offer.
    Quote = 2,
    /// One level of the book, absolute; size 0 removes it.
    BookLevel = 3,
    /// The book of the instrument is emptied; a [`Flags::SNAPSHOT`] image follows.
    BookClear = 4,
    /// A change of state: [`crate::control::StatusCode`] in `scale`.
    Status = 5,
    /// Something is missing: [`crate::control::GapCause`] in `scale`.
    Gap = 6,
    /// Nothing happened, and the producer is alive.
    Heartbeat = 7,
    /// A strategy's signal.
    Signal = 16,
    /// An order left the engine.
    OrderSubmitted = 17,
    /// The venue took the order.
    OrderAccepted = 18,
    /// The venue refused the order.
    OrderRejected = 19,
    /// The order rests no more.
    OrderCanceled = 20,
    /// The order was filled, in part or whole.
    Fill = 21,
    /// The risk gate refused, or a limit of it was reached.
    RiskBreach = 22,
    /// Closes every trading event: which order, whose, why; see [`crate::trading`].
    OrderRef = 23,
    /// The price at which a stop order is triggered; part of a submission.
    TriggerPrice = 24,
    /// What a fill cost, and what it left of the order; part of a fill.
    Fee = 25,
    /// The venue took a new price or quantity for an order.
    OrderReplaced = 26,
    /// The engine asked the venue to cancel an order.
    CancelSubmitted = 27,
    /// The engine asked the venue for a new price or quantity.
    ReplaceSubmitted = 28,
    /// What an execution venue said of an order; see [`crate::trading::VenueReport`]. An input of the engine, published by the gateway.
    VenueReport = 29,
    /// What a fill cost, and how much of its order is filled after it; part of a venue's report of a fill.
    ReportFee = 30,
    /// Closes a venue's report: of which order, what, why.
    ReportRef = 31,
    /// Opens an image of the engine's account; see [`crate::trading::Image`].
    ImageBegin = 40,
    /// In an image: a strategy of the session.
    ImageStrategy = 41,
    /// In an image: the kill switch, or a limit that was reached.
    ImageLatch = 42,
    /// In an image: a position.
    ImagePosition = 43,
    /// In an image: an open order.
    ImageOrder = 44,
    /// In an image: a number of the part before it, price × 2⁶⁴ + size.
    ImageAmount = 45,
    /// Closes an image.
    ImageEnd = 46,
}

impl Kind {
    /// Every kind, in order of code.
    pub const ALL: [Kind; 30] = [
        Kind::Trade,
        Kind::Quote,
        Kind::BookLevel,
        Kind::BookClear,
        Kind::Status,
        Kind::Gap,
        Kind::Heartbeat,
        Kind::Signal,
        Kind::OrderSubmitted,
        Kind::OrderAccepted,
        Kind::OrderRejected,
        Kind::OrderCanceled,
        Kind::Fill,
        Kind::RiskBreach,
        Kind::OrderRef,
        Kind::TriggerPrice,
        Kind::Fee,
        Kind::OrderReplaced,
        Kind::CancelSubmitted,
        Kind::ReplaceSubmitted,
        Kind::VenueReport,
        Kind::ReportFee,
        Kind::ReportRef,
        Kind::ImageBegin,
        Kind::ImageStrategy,
        Kind::ImageLatch,
        Kind::ImagePosition,
        Kind::ImageOrder,
        Kind::ImageAmount,
        Kind::ImageEnd,
    ];

    /// The kind with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Kind> {
        match code {
            1..=7 => Some(Kind::ALL[usize::from(code) - 1]),
            16..=31 => Some(Kind::ALL[usize::from(code) - 9]),
            40..=46 => Some(Kind::ALL[usize::from(code) - 17]),
            _ => None,
        }
    }

    /// The name in text and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Trade => "trade",
            Kind::Quote => "quote",
            Kind::BookLevel => "book_level",
            Kind::BookClear => "book_clear",
            Kind::Status => "status",
            Kind::Gap => "gap",
            Kind::Heartbeat => "heartbeat",
            Kind::Signal => "signal",
            Kind::OrderSubmitted => "order_submitted",
            Kind::OrderAccepted => "order_accepted",
            Kind::OrderRejected => "order_rejected",
            Kind::OrderCanceled => "order_canceled",
            Kind::Fill => "fill",
            Kind::RiskBreach => "risk_breach",
            Kind::OrderRef => "order_ref",
            Kind::TriggerPrice => "trigger_price",
            Kind::Fee => "fee",
            Kind::OrderReplaced => "order_replaced",
            Kind::CancelSubmitted => "cancel_submitted",
            Kind::ReplaceSubmitted => "replace_submitted",
            Kind::VenueReport => "venue_report",
            Kind::ReportFee => "report_fee",
            Kind::ReportRef => "report_ref",
            Kind::ImageBegin => "image_begin",
            Kind::ImageStrategy => "image_strategy",
            Kind::ImageLatch => "image_latch",
            Kind::ImagePosition => "image_position",
            Kind::ImageOrder => "image_order",
            Kind::ImageAmount => "image_amount",
            Kind::ImageEnd => "image_end",
        }
    }

    /// Whether the record is the engine's word on trading: a signal, an order and what became of it, a breach. What a venue reports to the engine is none.
    #[must_use]
    pub fn is_trading(self) -> bool {
        (Kind::Signal as u8..=Kind::ReplaceSubmitted as u8).contains(&(self as u8))
    }

    /// Whether `price` and `size` are mantissas at the record's scale.
    #[must_use]
    pub fn has_decimals(self) -> bool {
        !matches!(self, Kind::BookClear | Kind::Status | Kind::Gap | Kind::Heartbeat)
    }

    /// Whether the record's decimals are always those of its instrument: money, references and observed values of the engine have their own.
    #[must_use]
    pub fn has_instrument_scale(self) -> bool {
        let has_own = matches!(
            self,
            Kind::RiskBreach | Kind::OrderRef | Kind::Fee | Kind::VenueReport | Kind::ReportFee | Kind::ReportRef
        );
        self.has_decimals() && !has_own
    }

    /// Whether the record stands in an image of the engine's account.
    #[must_use]
    pub fn is_of_image(self) -> bool {
        matches!(self, Kind::ImagePosition | Kind::ImageOrder) || self.has_integers()
    }

    /// Whether the record is a part of an image whose numbers are no prices and sizes.
    fn has_integers(self) -> bool {
        matches!(
            self,
            Kind::ImageBegin | Kind::ImageStrategy | Kind::ImageLatch | Kind::ImageAmount | Kind::ImageEnd
        )
    }
}

/// Which side of the market: of a level or quote, or the aggressor of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Side {
    /// Bid; the aggressor bought.
    Bid = 1,
    /// Ask; the aggressor sold.
    Ask = 2,
}

impl Side {
    /// The other side.
    #[must_use]
    pub fn opposite(self) -> Side {
        match self {
            Side::Bid => Side::Ask,
            Side::Ask => Side::Bid,
        }
    }
}

/// The set in a record's `flags` byte.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// Bid or buy; see [`Flags::side`].
    pub const BID: Flags = Flags(1);
    /// Ask or sell; see [`Flags::side`].
    pub const ASK: Flags = Flags(1 << 1);
    /// The last record of its event.
    pub const LAST: Flags = Flags(1 << 2);
    /// Part of a book image, not a change of the market.
    pub const SNAPSHOT: Flags = Flags(1 << 3);
    /// The book of this instrument is not proven in sync.
    pub const UNTRUSTED: Flags = Flags(1 << 4);
    /// The venue sent no usable time: `ts_event` repeats `ts_recv`.
    pub const NO_EVENT_TIME: Flags = Flags(1 << 5);
    /// Computed here by the venue's rules, not sent: a quote taken from the book, a level cut off at the subscribed depth.
    pub const DERIVED: Flags = Flags(1 << 6);
    /// Written by the relay about the producer in `venue`; `sequence` is the last one of that producer that is accounted for.
    pub const FROM_RELAY: Flags = Flags(1 << 7);

    /// Flags that are not the side, with their names in text and JSON.
    pub const NAMED: [(Flags, &'static str); 6] = [
        (Flags::LAST, "last"),
        (Flags::SNAPSHOT, "snapshot"),
        (Flags::UNTRUSTED, "untrusted"),
        (Flags::NO_EVENT_TIME, "no_event_time"),
        (Flags::DERIVED, "derived"),
        (Flags::FROM_RELAY, "from_relay"),
    ];

    /// Whether all of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// This set less `other`.
    #[must_use]
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// The side, if exactly one is set.
    #[must_use]
    pub const fn side(self) -> Option<Side> {
        match self.0 & 0b11 {
            1 => Some(Side::Bid),
            2 => Some(Side::Ask),
            _ => None,
        }
    }

    /// The names of the flags that are set, the side left out.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Flags::NAMED
            .into_iter()
            .filter(move |(flag, _)| self.contains(*flag))
            .map(|(_, name)| name)
    }
}

impl From<Side> for Flags {
    fn from(side: Side) -> Flags {
        Flags(side as u8)
    }
}

impl From<Option<Side>> for Flags {
    fn from(side: Option<Side>) -> Flags {
        side.map_or(Flags::NONE, Flags::from)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({:?}", self.side())?;
        for name in self.names() {
            write!(f, " {name}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One Kraken trade, byte by byte: whoever reads the stream without this crate can check a reader against it.
    #[test]
    fn golden_bytes() {
        let record = Record {
            kind: Kind::Trade as u8,
            venue: Venue::KRAKEN.0,
            flags: Flags::BID.with(Flags::LAST).0,
            scale: Scale::new(2, 8).unwrap().to_byte(),
            instrument: InstrumentId::new(Venue::KRAKEN, 1).0,
            sequence: 0x0102_0304_0506_0708,
            ts_event: 1_783_465_204_585_581_000,
            ts_recv: 1_783_465_204_590_581_000,
            price: 177_414,
            size: 147_959,
        };
        #[rustfmt::skip]
        let expected: [u8; 48] = [
            1, 3, 0b101, 0x28, 1, 0, 0, 3,
            8, 7, 6, 5, 4, 3, 2, 1,
            0xc8, 0xc9, 0x97, 0x84, 0x27, 0x24, 0xc0, 0x18,
            0x08, 0x15, 0xe4, 0x84, 0x27, 0x24, 0xc0, 0x18,
            0x06, 0xb5, 0x02, 0, 0, 0, 0, 0,
            0xf7, 0x41, 0x02, 0, 0, 0, 0, 0,
        ];
        assert_eq!(record.as_bytes(), expected);
        assert_eq!(Record::read_from_bytes(&expected).unwrap(), record);
        assert_eq!(Record::from_words(record.to_words()), record);
    }

    #[test]
    fn every_kind_has_its_code() {
        for code in 0..=u8::MAX {
            match Kind::from_code(code) {
                Some(kind) => assert_eq!(kind as u8, code),
                None => assert!(Kind::ALL.iter().all(|kind| *kind as u8 != code)),
            }
        }
    }

    #[test]
    fn flags_name_themselves_and_both_sides_are_no_side() {
        let flags = Flags::ASK.with(Flags::LAST).with(Flags::UNTRUSTED);
        assert_eq!(flags.side(), Some(Side::Ask));
        assert_eq!(flags.names().collect::<Vec<_>>(), ["last", "untrusted"]);
        assert_eq!(Flags::BID.with(Flags::ASK).side(), None);
        assert_eq!(flags.without(Flags::ASK).side(), None);
    }
}
