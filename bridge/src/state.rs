//! What is known of one instrument: book, last quote, last trades, trust. Records in, [`Update`]s out; no clock, no socket.
//!
//! Records of one event are gathered until the one flagged LAST and applied together, and an image is built beside the book it will
//! replace: so whoever asks between two records sees the book as it was after a whole event.
//!
//! Trust is this process's own judgement: a book is trusted while a whole image has been seen, nothing has been missed since, the producer is there, and the producer says so.
//! Collectors publish every book again when any reader asks: an image that shows what is known already is not passed on.

use std::collections::VecDeque;

use tickpath_protocol::{Flags, GapCause, Instrument, Kind, OrderBook, Record, Scale, Side, StatusCode};

use crate::event::{Ignored, LevelChange, Quote, Sink, Stamp, StatusEvent, Trade, Update};
use crate::message;
use crate::topic::Path;

/// Trades that a snapshot shows.
pub const TRADES_KEPT: usize = 50;
/// Trades of one event that travel in one message; more make a second message.
pub const TRADES_PER_MESSAGE_MAX: usize = 64;
/// Levels of one event that travel in one update; more make a second update.
pub const LEVELS_PER_MESSAGE_MAX: usize = 4096;

/// One instrument.
#[derive(Debug)]
pub struct InstrumentState {
    index: u32,
    instrument: Instrument,
    path: Path,
    subject: String,
    book: OrderBook,
    book_stamp: Stamp,
    levels: Vec<LevelChange>,
    levels_stamp: Stamp,
    image: OrderBook,
    image_is_open: bool,
    image_is_torn: bool,
    image_is_proven: bool,
    has_book: bool,
    trust: Trust,
    quote: Option<Quote>,
    bid: Option<Record>,
    trades: VecDeque<Trade>,
    trades_pending: Vec<Trade>,
    status: Option<StatusEvent>,
}

/// All must hold for a trusted book.
#[derive(Clone, Copy, Debug, Default)]
struct Trust {
    /// A whole image was seen, and no record was missed since.
    is_whole: bool,
    /// By flags and status records.
    producer_says_so: bool,
    /// The producer is attached to the relay, and the relay is there.
    producer_is_there: bool,
    /// What clients were told.
    announced: bool,
    /// What changed it last.
    stamp: Stamp,
}

impl Trust {
    fn holds(&self) -> bool {
        self.is_whole && self.producer_says_so && self.producer_is_there
    }

    /// Whether clients were told something else.
    fn is_news(&self) -> bool {
        self.announced != self.holds()
    }

    /// Brings what clients are told up to what holds; whether that is a change.
    fn settle(&mut self, stamp: Stamp) -> bool {
        let is_news = self.is_news();
        if is_news {
            self.announced = self.holds();
            self.stamp = stamp;
        }
        is_news
    }
}

impl InstrumentState {
    /// An instrument of which nothing is known yet.
    #[must_use]
    pub fn new(index: u32, instrument: Instrument) -> InstrumentState {
        InstrumentState {
            index,
            path: Path::new(instrument.venue(), &instrument.symbol, &instrument.name),
            subject: message::subject(instrument.venue(), Some(&instrument.symbol)),
            instrument,
            book: OrderBook::new(),
            book_stamp: Stamp::default(),
            levels: Vec::new(),
            levels_stamp: Stamp::default(),
            image: OrderBook::new(),
            image_is_open: false,
            image_is_torn: false,
            image_is_proven: false,
            has_book: false,
            trust: Trust::default(),
            quote: None,
            bid: None,
            trades: VecDeque::with_capacity(TRADES_KEPT),
            trades_pending: Vec::new(),
            status: None,
        }
    }

    /// Whether a row of the table still is this instrument. A producer that was started again may number its instruments anew.
    #[must_use]
    pub fn is(&self, row: &Instrument) -> bool {
        self.instrument.scale == row.scale && self.instrument.symbol == row.symbol
    }

    /// The market's number of it.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its row.
    #[must_use]
    pub fn instrument(&self) -> &Instrument {
        &self.instrument
    }

    /// Its decimals.
    #[must_use]
    pub fn scale(&self) -> Scale {
        self.instrument.scale
    }

    /// What patterns match.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `"venue":…,"symbol":…` as messages carry it.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The book after the last whole event.
    #[must_use]
    pub fn book(&self) -> &OrderBook {
        &self.book
    }

    /// When the book, or its trust by an image, last changed.
    #[must_use]
    pub fn book_stamp(&self) -> Stamp {
        self.book_stamp
    }

    /// Whether the book is proven.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.trust.holds()
    }

    /// Whether the book is proven, and since when, as a status.
    #[must_use]
    pub fn trust(&self) -> StatusEvent {
        StatusEvent::trust(self.is_trusted(), self.trust.stamp)
    }

    /// Whether the book would be trusted but for what this process missed, or came too late for: only an image helps, and none need come
    /// by itself. While the producer itself does not trust the book, one will.
    #[must_use]
    pub fn waits_for_image(&self) -> bool {
        self.has_book && !self.trust.is_whole && self.trust.producer_says_so && self.trust.producer_is_there
    }

    /// The last quote.
    #[must_use]
    pub fn quote(&self) -> Option<&Quote> {
        self.quote.as_ref()
    }

    /// The last trades, oldest first.
    pub fn trades(&self) -> impl ExactSizeIterator<Item = &Trade> {
        self.trades.iter()
    }

    /// The last status that does not speak of the book's trust.
    #[must_use]
    pub fn status(&self) -> Option<&StatusEvent> {
        self.status.as_ref()
    }

    /// Takes a record of this instrument.
    pub fn apply(&mut self, record: &Record, ignored: &mut Ignored, sink: &mut impl Sink) {
        let Some(kind) = record.kind() else {
            ignored.unknown += 1;
            return;
        };
        if kind.has_instrument_scale() && record.scale() != self.instrument.scale {
            ignored.malformed += 1;
            if kind == Kind::BookLevel {
                self.damage(record.into(), sink);
            }
            return;
        }
        match kind {
            Kind::Trade => self.trade(record, sink),
            Kind::Quote => self.quote_side(record, ignored, sink),
            Kind::BookClear => self.open_image(record, sink),
            Kind::BookLevel => self.level(record, ignored, sink),
            Kind::Status | Kind::Gap => self.status_record(record, ignored, sink),
            Kind::Heartbeat => {}
            _ => ignored.unknown += 1,
        }
    }

    /// Records of this instrument may be missing: what was gathered is passed on, and the book is untrusted until the next image.
    pub fn damage(&mut self, stamp: Stamp, sink: &mut impl Sink) {
        self.flush_levels(&mut Ignored::default(), sink);
        self.flush_trades(sink);
        self.bid = None;
        self.image_is_torn = true;
        self.trust.is_whole = false;
        self.announce_trust(stamp, sink);
    }

    /// The producer came or went.
    pub fn producer_is_there(&mut self, is_there: bool, stamp: Stamp, sink: &mut impl Sink) {
        self.trust.producer_is_there = is_there;
        self.announce_trust(stamp, sink);
    }

    fn trade(&mut self, record: &Record, sink: &mut impl Sink) {
        let flags = record.flags();
        self.trades_pending.push(Trade {
            price: record.price,
            size: record.size,
            side: flags.side(),
            stamp: record.into(),
        });
        if flags.contains(Flags::LAST) || self.trades_pending.len() >= TRADES_PER_MESSAGE_MAX {
            self.flush_trades(sink);
        }
    }

    fn flush_trades(&mut self, sink: &mut impl Sink) {
        if self.trades_pending.is_empty() {
            return;
        }
        for trade in &self.trades_pending {
            if self.trades.len() >= TRADES_KEPT {
                self.trades.pop_front();
            }
            self.trades.push_back(*trade);
        }
        sink.instrument(self, Update::Trades(&self.trades_pending));
        self.trades_pending.clear();
    }

    /// A quote is a bid record and the ask record right after it; one without the other says nothing.
    fn quote_side(&mut self, record: &Record, ignored: &mut Ignored, sink: &mut impl Sink) {
        let bid = self.bid.take();
        match (record.flags().side(), bid) {
            (Some(Side::Bid), previous) => {
                ignored.torn_quotes += u64::from(previous.is_some());
                self.bid = Some(*record);
            }
            (Some(Side::Ask), Some(bid)) if bid.sequence.wrapping_add(1) == record.sequence => {
                self.quote = Some(Quote {
                    bid: bid.price,
                    bid_size: bid.size,
                    ask: record.price,
                    ask_size: record.size,
                    flags: record.flags(),
                    stamp: record.into(),
                });
                if let Some(quote) = &self.quote {
                    sink.instrument(self, Update::Quote(quote));
                }
            }
            (Some(Side::Ask), _) => ignored.torn_quotes += 1,
            (None, _) => ignored.malformed += 1,
        }
    }

    fn open_image(&mut self, record: &Record, sink: &mut impl Sink) {
        self.flush_levels(&mut Ignored::default(), sink);
        self.image.clear();
        self.has_book = true;
        self.image_is_open = true;
        self.image_is_torn = false;
        self.image_is_proven = !record.flags().contains(Flags::UNTRUSTED);
        if record.flags().contains(Flags::LAST) {
            self.close_image(record, sink);
        }
    }

    fn close_image(&mut self, record: &Record, sink: &mut impl Sink) {
        self.image_is_open = false;
        self.trust.is_whole = !self.image_is_torn;
        self.trust.producer_says_so = self.image_is_proven;
        if self.image == self.book && !self.trust.is_news() {
            return;
        }
        self.book_stamp = record.into();
        if self.image == self.book {
            self.announce_trust(self.book_stamp, sink);
            return;
        }
        std::mem::swap(&mut self.book, &mut self.image);
        let is_change = self.trust.settle(self.book_stamp);
        sink.instrument(self, Update::Image);
        if is_change {
            sink.instrument(self, Update::Status(&self.trust()));
        }
    }

    fn level(&mut self, record: &Record, ignored: &mut Ignored, sink: &mut impl Sink) {
        let flags = record.flags();
        let Some(side) = flags
            .side()
            .filter(|_| record.size >= 0 && record.price != Record::ABSENT)
        else {
            ignored.malformed += 1;
            self.damage(record.into(), sink);
            return;
        };
        self.has_book = true;
        if self.image_is_open && flags.contains(Flags::SNAPSHOT) {
            self.image_is_proven &= !flags.contains(Flags::UNTRUSTED);
            if self.image.apply(side, record.price, record.size).is_err() {
                ignored.book_full += 1;
                self.image_is_torn = true;
            }
            if flags.contains(Flags::LAST) {
                self.close_image(record, sink);
            }
            return;
        }
        if self.image_is_open {
            // The end of the image is missing: it is shown as far as it came.
            self.image_is_torn = true;
            self.close_image(record, sink);
        }
        self.levels.push(LevelChange {
            side,
            price: record.price,
            size: record.size,
        });
        self.levels_stamp = record.into();
        self.trust.producer_says_so = !flags.contains(Flags::UNTRUSTED);
        if flags.contains(Flags::LAST) || self.levels.len() >= LEVELS_PER_MESSAGE_MAX {
            self.flush_levels(ignored, sink);
        }
    }

    fn flush_levels(&mut self, ignored: &mut Ignored, sink: &mut impl Sink) {
        if self.levels.is_empty() {
            return;
        }
        for change in &self.levels {
            if self.book.apply(change.side, change.price, change.size).is_err() {
                ignored.book_full += 1;
                self.trust.is_whole = false;
            }
        }
        self.book_stamp = self.levels_stamp;
        let is_change = self.trust.settle(self.levels_stamp);
        sink.instrument(self, Update::Levels(&self.levels));
        if is_change {
            sink.instrument(self, Update::Status(&self.trust()));
        }
        self.levels.clear();
    }

    fn status_record(&mut self, record: &Record, ignored: &mut Ignored, sink: &mut impl Sink) {
        let Some(event) = StatusEvent::of(record) else {
            ignored.unknown += 1;
            return;
        };
        match StatusCode::of(record) {
            Some(StatusCode::BookTrusted) => {
                self.trust.producer_says_so = true;
                // Passed on if it makes the difference. Else clients know, or this process knows better: it missed records.
                self.announce_trust(event.stamp, sink);
                return;
            }
            Some(StatusCode::BookUntrusted) => {
                self.trust.producer_says_so = false;
                let is_change = self.trust.settle(event.stamp);
                // It has a cause: news even where the book was untrusted before.
                sink.instrument(self, Update::Status(&event));
                if is_change {
                    sink.instrument(self, Update::Levels(&[]));
                }
                return;
            }
            Some(_) => self.status = Some(event),
            None => {}
        }
        sink.instrument(self, Update::Status(&event));
        if GapCause::of(record).is_some_and(GapCause::is_of_producer) {
            self.damage(event.stamp, sink);
        }
    }

    /// Tells of trust that changed, and those who follow the book alone by an update without levels.
    fn announce_trust(&mut self, stamp: Stamp, sink: &mut impl Sink) {
        if self.trust.settle(stamp) {
            sink.instrument(self, Update::Status(&self.trust()));
            sink.instrument(self, Update::Levels(&[]));
        }
    }
}
