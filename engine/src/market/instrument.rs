//! One instrument's market.

use tickpath_protocol::{Flags, GapCause, Instrument, Kind, Level, OrderBook, Record, Side, StatusCode};

use super::{News, Quote, Trade, What};
use crate::units::{Grid, Price, Quantity, Time};

/// What is known of one instrument.
#[derive(Debug)]
pub struct InstrumentView {
    instrument: Instrument,
    grid: Grid,
    book: OrderBook,
    /// The quotes' sides, as far as the event that is under way has come.
    quoted: [Option<Level>; 2],
    best: [Option<Level>; 2],
    last_trade: Option<Trade>,
    updated: Time,
    has_quotes: bool,
    has_book: bool,
    /// The collector says that the book is not proven, or it is gone.
    book_unproven: bool,
    /// The quotes are not proven, or their venue is gone.
    quotes_unproven: bool,
    /// Records of the book were lost on the way to us: only an image heals it.
    needs_image: bool,
    image_is_open: bool,
    is_halted: bool,
}

impl InstrumentView {
    pub(super) fn new(instrument: Instrument) -> InstrumentView {
        InstrumentView {
            grid: Grid::of(&instrument),
            instrument,
            book: OrderBook::new(),
            quoted: [None; 2],
            best: [None; 2],
            last_trade: None,
            updated: Time(i64::MIN),
            has_quotes: false,
            has_book: false,
            book_unproven: false,
            quotes_unproven: false,
            needs_image: false,
            image_is_open: false,
            is_halted: false,
        }
    }

    /// What the venue says of it.
    #[must_use]
    pub fn instrument(&self) -> &Instrument {
        &self.instrument
    }

    /// Its steps.
    #[must_use]
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The book; empty if the stream has none.
    #[must_use]
    pub fn book(&self) -> &OrderBook {
        &self.book
    }

    /// The best level of a side, as of the last whole event. A size of 0 is not known.
    #[must_use]
    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.best[usize::from(side == Side::Ask)]
    }

    /// The best bid and offer.
    #[must_use]
    #[inline]
    pub fn quote_now(&self) -> Quote {
        Quote {
            instrument: self.instrument.id,
            bid: self.best[0],
            ask: self.best[1],
            time: self.updated,
        }
    }

    /// The last trade.
    #[must_use]
    pub fn last_trade(&self) -> Option<&Trade> {
        self.last_trade.as_ref()
    }

    /// When the last record of this instrument came; [`i64::MIN`] if none did.
    #[must_use]
    pub fn updated(&self) -> Time {
        self.updated
    }

    /// Whether book and quotes, as far as there are any, are proven, nothing of them was lost, and they are not crossed.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        let book = !self.has_book || !(self.book_unproven || self.needs_image);
        let quotes = !self.has_quotes || !self.quotes_unproven;
        let [Some(bid), Some(ask)] = self.best else {
            return book && quotes;
        };
        book && quotes && bid.price < ask.price
    }

    /// Whether the venue said that it does not trade the instrument now.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.is_halted
    }

    /// Whether the stream has a book of it.
    #[must_use]
    pub fn has_book(&self) -> bool {
        self.has_book
    }

    /// What a position would bring per unit at the top of the market: the bid of a long one, the offer of a short one; without, the last trade.
    #[must_use]
    pub fn mark(&self, position: Quantity) -> Option<Price> {
        let side = if position.0 >= 0 { Side::Bid } else { Side::Ask };
        match self.best(side) {
            Some(level) => Some(Price(level.price)),
            None => self.last_trade.map(|trade| trade.price),
        }
    }

    fn is_ours(&mut self, record: &Record) -> bool {
        let is_unknown = record.size == Record::ABSENT && record.kind != Kind::BookLevel as u8;
        let same = record.scale == self.instrument.scale.to_byte() && (record.size >= 0 || is_unknown);
        // A number that cannot be read is a number that is missing.
        self.needs_image |= !same;
        same
    }

    #[inline]
    pub(super) fn level(&mut self, record: &Record, now: Time) -> (What, bool) {
        let flags = record.flags();
        let is_level = record.price != Record::ABSENT && record.size >= 0;
        let Some(side) = flags.side().filter(|_| self.is_ours(record) && is_level) else {
            // What cannot be read is missing.
            self.needs_image = true;
            return (What::Nothing, false);
        };
        self.updated = now;
        self.has_book = true;
        if self.book.apply(side, record.price, record.size).is_err() {
            self.needs_image = true;
            return (What::Nothing, false);
        }
        self.book_unproven = flags.contains(Flags::UNTRUSTED);
        if !flags.contains(Flags::LAST) {
            return (What::Part, false);
        }
        self.end_book_event(flags)
    }

    #[inline]
    fn end_book_event(&mut self, flags: Flags) -> (What, bool) {
        if self.image_is_open && flags.contains(Flags::SNAPSHOT) {
            self.image_is_open = false;
            self.needs_image = false;
        }
        let changed = !self.has_quotes && self.set_best([self.book.best(Side::Bid), self.book.best(Side::Ask)]);
        (What::Book, changed)
    }

    pub(super) fn clear(&mut self, record: &Record, now: Time) -> (What, bool) {
        self.updated = now;
        self.has_book = true;
        self.book.clear();
        self.image_is_open = true;
        let flags = record.flags();
        self.book_unproven = flags.contains(Flags::UNTRUSTED);
        if !flags.contains(Flags::LAST) {
            return (What::Part, false);
        }
        self.end_book_event(flags)
    }

    #[inline]
    pub(super) fn quote(&mut self, record: &Record, now: Time) -> (What, bool) {
        let flags = record.flags();
        let Some(side) = flags.side().filter(|_| self.is_ours(record)) else {
            return (What::Nothing, false);
        };
        self.updated = now;
        self.has_quotes = true;
        self.quotes_unproven = flags.contains(Flags::UNTRUSTED);
        let level = match (record.price, record.size) {
            (Record::ABSENT, _) | (_, 0) => None,
            (price, Record::ABSENT) => Some(Level { price, size: 0 }),
            (_, ..0) => None,
            (price, size) => Some(Level { price, size }),
        };
        self.quoted[usize::from(side == Side::Ask)] = level;
        if !flags.contains(Flags::LAST) {
            return (What::Part, false);
        }
        let quoted = self.quoted;
        (What::Quote, self.set_best(quoted))
    }

    #[inline]
    fn set_best(&mut self, best: [Option<Level>; 2]) -> bool {
        let changed = self.best != best;
        self.best = best;
        changed
    }

    #[inline]
    pub(super) fn trade(&mut self, record: &Record, now: Time) -> (What, bool) {
        if !self.is_ours(record) || record.price == Record::ABSENT || record.size < 0 {
            return (What::Nothing, false);
        }
        self.updated = now;
        self.last_trade = Some(Trade {
            instrument: self.instrument.id,
            price: Price(record.price),
            quantity: Quantity(record.size),
            side: record.flags().side(),
            time: now,
            event_time: Time(record.ts_event),
        });
        (What::Trade, false)
    }

    pub(super) fn control(&mut self, news: News) {
        match news {
            News::Status(StatusCode::BookTrusted) => self.book_unproven = false,
            News::Status(StatusCode::BookUntrusted) => self.book_unproven = true,
            News::Status(StatusCode::Disconnected | StatusCode::ProducerDetached)
            | News::Gap(GapCause::Disconnect | GapCause::Silence) => self.lose(false),
            News::Status(StatusCode::ProducerAttached) => self.lose(true),
            News::Status(StatusCode::Halted) => self.is_halted = true,
            News::Status(StatusCode::Trading) => self.is_halted = false,
            News::Gap(cause) if cause.is_of_producer() || cause == GapCause::NotRecorded => self.lose(true),
            News::Gap(_) => self.book_unproven = true,
            News::Status(_) => {}
        }
    }

    /// What is known is obsolete until the venue speaks again; a book that lost records on the way to us, until its next image.
    fn lose(&mut self, on_the_way: bool) {
        self.book_unproven = true;
        self.quotes_unproven = true;
        self.needs_image |= on_the_way;
        self.image_is_open = false;
    }
}
