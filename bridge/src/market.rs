//! Every instrument and venue of the stream, by number. Records and what happened to the stream in, [`Update`]s out.

use std::collections::HashMap;
use std::sync::Arc;

use tickpath_protocol::{Flags, GapCause, Instrument, InstrumentId, InstrumentTable, Kind, Record, StatusCode, Venue};

use crate::event::{Ignored, Sink, Stamp, StatusEvent, Update};
use crate::kill::LatchReport;
use crate::message;
use crate::state::InstrumentState;
use crate::trading::{self, Trading};

/// Instruments of all venues together; more are ignored and counted.
pub const INSTRUMENTS_MAX: usize = 200_000;

/// What comes out of the stream.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// A record.
    Record(Record),
    /// This reader was overtaken by the relay: records of unknown venues are missing.
    Lapped {
        /// How many.
        missed: u64,
    },
    /// Records of a producer are missing.
    Missing {
        /// The producer.
        venue: Venue,
        /// How many.
        count: u64,
    },
    /// The relay is gone.
    Detached,
}

/// A venue, or any other producer of ours.
#[derive(Debug)]
pub struct VenueState {
    venue: Venue,
    name: String,
    subject: String,
    run_id: Option<i64>,
    is_there: bool,
    status: Option<StatusEvent>,
    /// Records known to be missing, since this process began to read.
    lost: u64,
    /// Numbers of its instruments, by the index in their id.
    numbers: Vec<u32>,
}

impl VenueState {
    /// Which it is.
    #[must_use]
    pub fn venue(&self) -> Venue {
        self.venue
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `"venue":…,"symbol":null` as messages carry it.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The last status of the venue as a whole.
    #[must_use]
    pub fn status(&self) -> Option<&StatusEvent> {
        self.status.as_ref()
    }

    /// Records of it that are known to be missing from the stream since this process began to read it. A lap, which hides whose records it took,
    /// counts in full for each venue: so this is a bound, and exact without laps.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

/// The state of everything.
#[derive(Debug, Default)]
pub struct Market {
    instruments: Vec<InstrumentState>,
    by_symbol: HashMap<(Venue, String), u32>,
    venues: Vec<VenueState>,
    trading: Trading,
    /// What the kill latch says, as far as it is known.
    pub latch: Option<LatchReport>,
    /// What was ignored so far.
    pub ignored: Ignored,
}

impl Market {
    /// Nothing known.
    #[must_use]
    pub fn new() -> Market {
        Market::default()
    }

    /// Nothing known but name and kind of each configured strategy.
    #[must_use]
    pub fn with_strategies(strategies: Vec<(Arc<str>, String)>) -> Market {
        Market {
            trading: Trading::new(strategies),
            ..Market::default()
        }
    }

    /// Every instrument, in order of number.
    #[must_use]
    pub fn instruments(&self) -> &[InstrumentState] {
        &self.instruments
    }

    /// An instrument by number.
    #[must_use]
    pub fn instrument(&self, number: u32) -> Option<&InstrumentState> {
        self.instruments.get(number as usize)
    }

    /// An instrument by the venue's spelling.
    #[must_use]
    pub fn find(&self, venue: Venue, symbol: &str) -> Option<&InstrumentState> {
        let number = *self.by_symbol.get(&(venue, symbol.to_owned()))?;
        self.instrument(number)
    }

    /// Whether a book can only be made whole by an image that has to be asked for.
    #[must_use]
    pub fn waits_for_image(&self) -> bool {
        self.instruments.iter().any(InstrumentState::waits_for_image)
    }

    /// Every venue, in order of number.
    #[must_use]
    pub fn venues(&self) -> &[VenueState] {
        &self.venues
    }

    /// What the engine does.
    #[must_use]
    pub fn trading(&self) -> &Trading {
        &self.trading
    }

    /// Whether what the engine's state comes to is to be told again; the values of positions are brought forward with it.
    pub fn engine_is_news(&mut self, now_ns: i64) -> bool {
        let instruments = &self.instruments;
        let is_sampled = self
            .trading
            .sample(now_ns, &|number, quantity| closing_price(instruments, number, quantity));
        self.trading.take_dirty() || is_sampled
    }

    /// What the engine message is made of: a price for so much of an instrument.
    #[must_use]
    pub fn closing_price(&self, number: u32, quantity: i64) -> Option<i64> {
        closing_price(&self.instruments, number, quantity)
    }

    /// Takes what came out of the stream. `table` is the stream's, at least as new as the record.
    pub fn apply(&mut self, input: &Input, table: &InstrumentTable, now_ns: i64, sink: &mut impl Sink) {
        match *input {
            Input::Record(ref record) => self.record(record, table, sink),
            Input::Lapped { missed } => {
                for index in 0..self.venues.len() {
                    self.missed(index, "lapped", missed, now_ns, sink);
                }
            }
            Input::Missing { venue, count } => {
                if let Some(index) = self.venue_number(venue, sink) {
                    self.missed(index, "missing", count, now_ns, sink);
                }
            }
            Input::Detached => {
                for index in 0..self.venues.len() {
                    self.producer_is_there(index, false, Stamp::here(now_ns), sink);
                }
            }
        }
    }

    /// Opens the instruments that the table has and the market has not.
    pub fn sync(&mut self, table: &InstrumentTable, sink: &mut impl Sink) {
        for row in table.iter() {
            self.number_of(row, sink);
        }
    }

    fn record(&mut self, record: &Record, table: &InstrumentTable, sink: &mut impl Sink) {
        let Some(venue) = self.venue_number(record.venue(), sink) else {
            self.ignored.malformed += 1;
            return;
        };
        let stamp = record.into();
        match StatusCode::of(record) {
            Some(StatusCode::ProducerAttached) => self.producer_attached(venue, record.price, stamp, sink),
            Some(StatusCode::ProducerDetached) => self.producer_is_there(venue, false, stamp, sink),
            _ if record.flags().contains(Flags::FROM_RELAY) => {}
            _ => self.producer_is_there(venue, true, stamp, sink),
        }
        if record.kind().is_some_and(Kind::is_of_image) {
            return self.image_record(record, table, sink);
        }
        if record.instrument() == InstrumentId::NONE {
            self.venue_record(venue, record, sink);
            return;
        }
        if trading::is_trading(record) {
            return self.trading_record(record, table, sink);
        }
        let number = table.get(record.instrument()).and_then(|row| self.number_of(row, sink));
        match number.and_then(|number| self.instruments.get_mut(number as usize)) {
            Some(state) => state.apply(record, &mut self.ignored, sink),
            None => self.ignored.unknown_instrument += 1,
        }
    }

    /// The engine publishes about instruments of other venues, under its own.
    fn trading_record(&mut self, record: &Record, table: &InstrumentTable, sink: &mut impl Sink) {
        let row = table.get(record.instrument());
        let number = row.and_then(|row| self.number_of(row, sink));
        let state = number.and_then(|number| self.instruments.get(number as usize));
        self.trading.record(record, state, &mut |update| sink.trading(update));
    }

    /// What the engine's image of its account says was said when it happened, but perhaps not to this process.
    fn image_record(&mut self, record: &Record, table: &InstrumentTable, sink: &mut impl Sink) {
        let Some(positions) = self.trading.image_record(record) else {
            return;
        };
        self.trading.begin_with_image();
        for position in &positions {
            let number = table.get(position.instrument).and_then(|row| self.number_of(row, sink));
            let state = number.and_then(|number| self.instruments.get(number as usize));
            self.trading.adopt(position, state);
        }
    }

    fn venue_record(&mut self, index: usize, record: &Record, sink: &mut impl Sink) {
        let Some(event) = StatusEvent::of(record) else {
            // What a venue reports to the engine the engine says again.
            let is_known = matches!(
                record.kind(),
                Some(Kind::Heartbeat | Kind::VenueReport | Kind::ReportFee | Kind::ReportRef)
            );
            self.ignored.unknown += u64::from(!is_known);
            return;
        };
        self.trading.status(record);
        let state = &mut self.venues[index];
        if record.kind() == Some(Kind::Status) {
            state.status = Some(event);
        }
        sink.venue(index as u8, state, &event);
        if GapCause::of(record).is_some_and(GapCause::is_of_producer) {
            self.damage(index, event.stamp, sink);
        }
    }

    /// A producer that was started again begins with books of its own: what is shown is obsolete until its images come.
    fn producer_attached(&mut self, index: usize, run_id: i64, stamp: Stamp, sink: &mut impl Sink) {
        let state = &mut self.venues[index];
        let previous = state.run_id.replace(run_id);
        if previous.is_some_and(|previous| previous != run_id) {
            self.damage(index, stamp, sink);
        }
        self.producer_is_there(index, true, stamp, sink);
    }

    fn producer_is_there(&mut self, index: usize, is_there: bool, stamp: Stamp, sink: &mut impl Sink) {
        if std::mem::replace(&mut self.venues[index].is_there, is_there) != is_there {
            self.trading.producer_is_there(self.venues[index].venue, is_there);
            self.each_of(index, |state| state.producer_is_there(is_there, stamp, sink));
        }
    }

    fn missed(&mut self, index: usize, cause: &'static str, count: u64, now_ns: i64, sink: &mut impl Sink) {
        let event = StatusEvent::missed(cause, count, now_ns);
        let state = &mut self.venues[index];
        state.lost = state.lost.saturating_add(count);
        sink.venue(index as u8, state, &event);
        self.damage(index, event.stamp, sink);
    }

    fn damage(&mut self, index: usize, stamp: Stamp, sink: &mut impl Sink) {
        self.trading.damage(self.venues[index].venue);
        self.each_of(index, |state| state.damage(stamp, sink));
    }

    fn each_of(&mut self, index: usize, mut with: impl FnMut(&mut InstrumentState)) {
        let venue = self.venues[index].venue;
        for state in &mut self.instruments {
            if state.instrument().venue() == venue {
                with(state);
            }
        }
    }

    /// The number of a venue, opening it if need be; `None` for the code that no producer has.
    fn venue_number(&mut self, venue: Venue, sink: &mut impl Sink) -> Option<usize> {
        if venue == Venue::NONE {
            return None;
        }
        if let Some(index) = self.venues.iter().position(|state| state.venue == venue) {
            return Some(index);
        }
        let index = self.venues.len();
        self.venues.push(VenueState {
            venue,
            name: venue.to_string(),
            subject: message::subject(venue, None),
            run_id: None,
            is_there: false,
            status: None,
            lost: 0,
            numbers: Vec::new(),
        });
        sink.venue_opened(index as u8, venue);
        Some(index)
    }

    /// The number of the instrument in this row of the table, opening it if need be.
    ///
    /// The id alone does not tell: a producer that was started again may have numbered its instruments anew.
    fn number_of(&mut self, row: &Instrument, sink: &mut impl Sink) -> Option<u32> {
        let venue = self.venue_number(row.venue(), sink)?;
        let at = row.id.index();
        if let Some(&number) = self.venues[venue].numbers.get(at)
            && self.instruments.get(number as usize).is_some_and(|state| state.is(row))
        {
            return Some(number);
        }
        let number = self.open(row, self.venues[venue].is_there, sink)?;
        let numbers = &mut self.venues[venue].numbers;
        // The table has no holes, so this grows by one at a time.
        if at >= numbers.len() {
            numbers.resize(at + 1, number);
        }
        numbers[at] = number;
        Some(number)
    }

    fn open(&mut self, row: &Instrument, is_there: bool, sink: &mut impl Sink) -> Option<u32> {
        let key = (row.venue(), row.symbol.clone());
        if let Some(&number) = self.by_symbol.get(&key) {
            let state = &mut self.instruments[number as usize];
            if !state.is(row) {
                // The same symbol at another scale: nothing that was known can be compared with what comes.
                *state = InstrumentState::new(number, row.clone());
                sink.instrument(state, Update::Image);
                state.producer_is_there(is_there, Stamp::default(), sink);
            }
            return Some(number);
        }
        if self.instruments.len() >= INSTRUMENTS_MAX {
            return None;
        }
        let number = self.instruments.len() as u32;
        let mut state = InstrumentState::new(number, row.clone());
        sink.opened(&state);
        state.producer_is_there(is_there, Stamp::default(), sink);
        self.instruments.push(state);
        self.by_symbol.insert(key, number);
        Some(number)
    }
}

/// What so much of an instrument (negative: short) could be closed at now: the other side of its quote, else its last trade.
fn closing_price(instruments: &[InstrumentState], number: u32, quantity: i64) -> Option<i64> {
    let state = instruments.get(number as usize)?;
    let is_there = |price: &i64| *price != Record::ABSENT;
    let quoted = state
        .quote()
        .map(|quote| if quantity >= 0 { quote.bid } else { quote.ask });
    let traded = || state.trades().last().map(|trade| trade.price).filter(is_there);
    quoted.filter(is_there).or_else(traded)
}
