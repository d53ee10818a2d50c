//! What the engine knows of the market: per instrument the book, the best bid and offer, the last trade, and whether to believe it.
//!
//! Instruments stand densely in one array, found by id in two steps of indexing. The best bid and offer are the venue's quotes (or those that its
//! collector derives) where the stream has any, else the top of the book.

mod instrument;
#[cfg(test)]
mod tests;

pub use instrument::InstrumentView;
use tickpath_protocol::{GapCause, Instrument, InstrumentId, Kind, Level, Record, Side, StatusCode, Venue};

use crate::units::{Price, Quantity, Time};

/// A trade of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Of what.
    pub instrument: InstrumentId,
    /// At which price.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// The aggressor's side, if the venue says.
    pub side: Option<Side>,
    /// When we received it.
    pub time: Time,
    /// The venue's time of it.
    pub event_time: Time,
}

/// The best bid and offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Of what.
    pub instrument: InstrumentId,
    /// The best bid; a size of 0 is not known.
    pub bid: Option<Level>,
    /// The best offer; a size of 0 is not known.
    pub ask: Option<Level>,
    /// When we received it.
    pub time: Time,
}

/// What a status or gap record said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketStatus {
    /// Of which venue.
    pub venue: Venue,
    /// Of which instrument; [`InstrumentId::NONE`] for all of the venue.
    pub instrument: InstrumentId,
    /// What.
    pub news: News,
    /// When.
    pub time: Time,
}

/// The two sorts of control records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A change of state.
    Status(StatusCode),
    /// Something is missing.
    Gap(GapCause),
}

/// Where an instrument stands in the engine's arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentIndex(pub u32);

impl InstrumentIndex {
    /// Not one instrument.
    pub const NONE: InstrumentIndex = InstrumentIndex(u32::MAX);

    /// As an index.
    #[must_use]
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

/// What a record did to the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// To which instrument; none if to a whole venue, or nothing happened.
    pub index: InstrumentIndex,
    /// What happened.
    pub what: What,
    /// The best bid or offer is another, in price or size.
    pub best_changed: bool,
}

/// What a record was, after its place in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Nothing that concerns us.
    Nothing,
    /// A trade; it is the view's last trade now.
    Trade,
    /// A quote, complete.
    Quote,
    /// A part of an event that goes on.
    Part,
    /// The last record of a book event.
    Book,
    /// A status or gap.
    Status(MarketStatus),
}

impl Change {
    const NOTHING: Change = Change {
        index: InstrumentIndex::NONE,
        what: What::Nothing,
        best_changed: false,
    };
}

/// Every instrument that the engine follows.
#[derive(Debug, Default)]
pub struct MarketView {
    /// By venue code, then by the venue's running number.
    lookup: Vec<Vec<u32>>,
    instruments: Vec<InstrumentView>,
    refused: u64,
}

impl MarketView {
    /// A view of nothing.
    #[must_use]
    pub fn new() -> MarketView {
        MarketView::default()
    }

    /// Follows an instrument; one that is followed already stays as it is.
    pub fn add(&mut self, instrument: &Instrument) -> InstrumentIndex {
        if let Some(index) = self.index(instrument.id) {
            return index;
        }
        let venue = usize::from(instrument.id.venue().0);
        if self.lookup.len() <= venue {
            self.lookup.resize_with(venue + 1, Vec::new);
        }
        let row = &mut self.lookup[venue];
        let at = instrument.id.index();
        if row.len() <= at {
            row.resize(at + 1, u32::MAX);
        }
        row[at] = self.instruments.len() as u32;
        self.instruments.push(InstrumentView::new(instrument.clone()));
        InstrumentIndex(row[at])
    }

    /// Where an instrument stands; `None` if it is not followed.
    #[must_use]
    #[inline]
    pub fn index(&self, id: InstrumentId) -> Option<InstrumentIndex> {
        let index = *self.lookup.get((id.0 >> 24) as usize)?.get(id.index())?;
        (index != u32::MAX).then_some(InstrumentIndex(index))
    }

    /// The instrument with this id; `None` if it is not followed.
    #[must_use]
    #[inline]
    pub fn get(&self, id: InstrumentId) -> Option<&InstrumentView> {
        self.instruments.get(self.index(id)?.get())
    }

    /// The instrument at an index that [`MarketView::add`] or [`MarketView::index`] gave.
    #[must_use]
    #[inline]
    pub fn at(&self, index: InstrumentIndex) -> &InstrumentView {
        &self.instruments[index.get()]
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, id: InstrumentId, side: Side) -> Option<Level> {
        self.get(id)?.best(side)
    }

    /// Every instrument, in order of index.
    pub fn instruments(&self) -> impl ExactSizeIterator<Item = &InstrumentView> {
        self.instruments.iter()
    }

    /// How many instruments are followed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.instruments.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instruments.is_empty()
    }

    /// Records left out so far because their scale is not their instrument's, or the book was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes a record.
    #[inline]
    pub fn apply(&mut self, record: &Record, now: Time) -> Change {
        const TRADE: u8 = Kind::Trade as u8;
        const QUOTE: u8 = Kind::Quote as u8;
        const LEVEL: u8 = Kind::BookLevel as u8;
        const CLEAR: u8 = Kind::BookClear as u8;
        const STATUS: u8 = Kind::Status as u8;
        const GAP: u8 = Kind::Gap as u8;
        match record.kind {
            TRADE | QUOTE | LEVEL | CLEAR => {
                let Some(index) = self.index(record.instrument()) else {
                    return Change::NOTHING;
                };
                let view = &mut self.instruments[index.get()];
                let (what, best_changed) = match record.kind {
                    LEVEL => view.level(record, now),
                    QUOTE => view.quote(record, now),
                    TRADE => view.trade(record, now),
                    _ => view.clear(record, now),
                };
                self.refused += u64::from(what == What::Nothing);
                Change {
                    index,
                    what,
                    best_changed,
                }
            }
            STATUS | GAP => self.control(record, now),
            _ => Change::NOTHING,
        }
    }

    #[cold]
    fn control(&mut self, record: &Record, now: Time) -> Change {
        let news = match (StatusCode::of(record), GapCause::of(record)) {
            (Some(code), _) => News::Status(code),
            (_, Some(cause)) => News::Gap(cause),
            _ => return Change::NOTHING,
        };
        let status = MarketStatus {
            venue: record.venue(),
            instrument: record.instrument(),
            news,
            time: now,
        };
        let index = self.index(status.instrument).unwrap_or(InstrumentIndex::NONE);
        if index != InstrumentIndex::NONE {
            self.instruments[index.get()].control(news);
        } else if status.instrument == InstrumentId::NONE {
            // The recorder's gap names no venue: it concerns all.
            let everywhere = status.venue == Venue::NONE;
            for view in &mut self.instruments {
                if everywhere || view.instrument().venue() == status.venue {
                    view.control(news);
                }
            }
        }
        Change {
            index,
            what: What::Status(status),
            best_changed: false,
        }
    }
}
