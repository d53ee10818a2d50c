//! The paper venue: fills against the market that the engine sees.
//!
//! - An order, cancel or replacement reaches the venue `order_latency_ns` after it left, and meets the market of that moment; reports need `report_latency_ns`
//!   back. Both are in the time of the records, so a replay says the same.
//! - What takes walks the book level by level at the taker's fee, each price made worse by the slippage. Our orders do not move the market: what one took the
//!   next finds again.
//! - What rests stands behind `queue_ahead_ppm` of the size shown at its price. Trades at that price, and a level that shrinks below it, shorten the queue; what a
//!   trade has left after the queue fills the order. A trade beyond its price, or an opposite best at it, fills it whole. Always at its own price and the maker's fee.
//! - Stops are triggered by a trade at their trigger or beyond, or by the best price that they would take from.
//! - Reduce-only orders are cut to the strategy's position at the moment of the fill.
//!
//! What it cannot know it takes the harder way: canceled orders of others are taken to have stood behind ours.

mod liquidity;
mod matching;

use std::collections::VecDeque;

use tickpath_protocol::{Flags, Kind, Record, Venue};

use crate::market::{Change, InstrumentIndex, MarketView, What};
use crate::order::{ClientOrderId, Order, Reason, Replacement};
use crate::risk::Approved;
use crate::units::{Quantity, Time};
use crate::venue::{ExecutionVenue, Report};

/// How the paper venue behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaperConfig {
    /// From the engine to the venue, ns of event time.
    pub order_latency_ns: i64,
    /// From the venue to the engine, ns of event time.
    pub report_latency_ns: i64,
    /// Fee of a fill that rested, in millionths of its worth; negative: a rebate.
    pub maker_fee_ppm: i64,
    /// Fee of a fill that took, in millionths of its worth.
    pub taker_fee_ppm: i64,
    /// How much worse than the book a taker's price is, in millionths of it, rounded up to the tick.
    pub slippage_ppm: i64,
    /// How much of the size shown at its price stands before an order that joins it, in millionths.
    pub queue_ahead_ppm: i64,
}

impl Default for PaperConfig {
    /// 1 ms there and 1 ms back, no fees, no slippage, the whole queue ahead.
    fn default() -> Self {
        PaperConfig {
            order_latency_ns: 1_000_000,
            report_latency_ns: 1_000_000,
            maker_fee_ppm: 0,
            taker_fee_ppm: 0,
            slippage_ppm: 0,
            queue_ahead_ppm: 1_000_000,
        }
    }
}

/// Why a configuration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("paper venue: {key} must be between {least} and {most}")]
pub struct PaperConfigError {
    /// Which key.
    pub key: &'static str,
    /// The least that it may be.
    pub least: i64,
    /// The most that it may be.
    pub most: i64,
}

impl PaperConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// The first that makes no sense.
    pub fn validate(&self) -> Result<(), PaperConfigError> {
        const MINUTE_NS: i64 = 60_000_000_000;
        for (key, value, least, most) in [
            ("order_latency_ns", self.order_latency_ns, 0, MINUTE_NS),
            ("report_latency_ns", self.report_latency_ns, 0, MINUTE_NS),
            ("maker_fee_ppm", self.maker_fee_ppm, -100_000, 100_000),
            ("taker_fee_ppm", self.taker_fee_ppm, -100_000, 100_000),
            ("slippage_ppm", self.slippage_ppm, 0, 100_000),
            ("queue_ahead_ppm", self.queue_ahead_ppm, 0, 1_000_000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(PaperConfigError { key, least, most });
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Submit(Order),
    Cancel(ClientOrderId, InstrumentIndex),
    Replace(Replacement),
}

/// An order at the venue.
#[derive(Clone, Copy, Debug)]
struct Held {
    order: Order,
    /// Size before it in the queue.
    ahead: i64,
    /// A stop whose trigger was not reached yet.
    waits: bool,
}

/// An execution venue that fills against the market that the engine sees.
#[derive(Debug)]
pub struct PaperVenue {
    config: PaperConfig,
    actions: VecDeque<(Time, Action)>,
    reports: VecDeque<(Time, Report)>,
    next_due: Time,
    /// By instrument, in order of arrival.
    held: Vec<Vec<Held>>,
    held_count: usize,
    /// By strategy, then instrument: what its fills come to here.
    positions: Vec<Vec<i64>>,
}

impl PaperVenue {
    /// A venue without orders.
    ///
    /// # Errors
    /// If the configuration makes no sense.
    pub fn new(config: PaperConfig) -> Result<PaperVenue, PaperConfigError> {
        config.validate()?;
        Ok(PaperVenue {
            config,
            actions: VecDeque::with_capacity(64),
            reports: VecDeque::with_capacity(64),
            next_due: Time::NEVER,
            held: Vec::new(),
            held_count: 0,
            positions: Vec::new(),
        })
    }

    fn ask(&mut self, action: Action, now: Time) {
        let due = now.plus_ns(self.config.order_latency_ns);
        self.actions.push_back((due, action));
        self.next_due = self.next_due.min(due);
    }

    /// Says something as of `at`.
    fn report(&mut self, at: Time, report: Report) {
        let due = at.plus_ns(self.config.report_latency_ns);
        self.reports.push_back((due, report));
        self.next_due = self.next_due.min(due);
    }

    fn canceled(&mut self, at: Time, order: &Order, reason: Reason) {
        let (id, filled) = (order.id, order.filled);
        self.report(at, Report::Canceled { id, reason, filled });
    }

    fn act(&mut self, view: &MarketView, at: Time, action: Action) {
        match action {
            Action::Submit(order) => self.arrive(view, at, order),
            Action::Cancel(id, index) => match self.remove(id, index) {
                Some(held) => self.canceled(at, &held.order, Reason::Requested),
                None => self.report(at, Report::CancelRefused { id }),
            },
            Action::Replace(replacement) => self.change(view, at, &replacement),
        }
    }

    fn place(&mut self, index: InstrumentIndex) -> &mut Vec<Held> {
        if self.held.len() <= index.get() {
            self.held.resize_with(index.get() + 1, || Vec::with_capacity(16));
        }
        &mut self.held[index.get()]
    }

    fn hold(&mut self, held: Held) {
        self.held_count += 1;
        self.place(held.order.index).push(held);
    }

    fn remove(&mut self, id: ClientOrderId, index: InstrumentIndex) -> Option<Held> {
        let place = self.place(index);
        let at = place.iter().position(|held| held.order.id == id)?;
        let held = place.remove(at);
        self.held_count -= 1;
        Some(held)
    }

    fn position_mut(&mut self, strategy: u16, index: InstrumentIndex) -> &mut i64 {
        let strategy = usize::from(strategy);
        if self.positions.len() <= strategy {
            self.positions.resize_with(strategy + 1, Vec::new);
        }
        let row = &mut self.positions[strategy];
        if row.len() <= index.get() {
            row.resize(index.get() + 1, 0);
        }
        &mut row[index.get()]
    }
}

impl ExecutionVenue for PaperVenue {
    fn code(&self) -> Venue {
        Venue::PAPER
    }

    fn submit(&mut self, order: Approved<Order>, now: Time) {
        self.ask(Action::Submit(order.into_inner()), now);
    }

    fn cancel(&mut self, id: ClientOrderId, index: InstrumentIndex, now: Time) {
        self.ask(Action::Cancel(id, index), now);
    }

    fn replace(&mut self, replacement: Approved<Replacement>, now: Time) {
        self.ask(Action::Replace(replacement.into_inner()), now);
    }

    #[inline]
    fn on_market(&mut self, view: &MarketView, change: &Change, record: &Record, now: Time) {
        if self.held_count == 0 || self.held.get(change.index.get()).is_none_or(Vec::is_empty) {
            return;
        }
        let index = change.index;
        match change.what {
            What::Trade => self.on_trade(view, index, now),
            What::Part | What::Book if record.kind == Kind::BookLevel as u8 => self.on_level(index, record),
            What::Quote if !view.at(index).has_book() => self.on_quote(view, index),
            _ => {}
        }
        if change.what == What::Book && record.flags().contains(Flags::SNAPSHOT) {
            self.on_image(view, index);
        }
        if change.best_changed && view.at(index).is_trusted() {
            self.on_best(view, index, now);
        }
    }

    #[inline]
    fn next_due(&self) -> Time {
        self.next_due
    }

    fn poll(&mut self, view: &MarketView, now: Time, reports: &mut Vec<Report>) {
        while let Some((due, action)) = self.actions.pop_front_if(|(due, _)| *due <= now) {
            self.act(view, due, action);
        }
        while let Some((_, report)) = self.reports.pop_front_if(|(due, _)| *due <= now) {
            reports.push(report);
        }
        let action = self.actions.front().map_or(Time::NEVER, |(due, _)| *due);
        let report = self.reports.front().map_or(Time::NEVER, |(due, _)| *due);
        self.next_due = action.min(report);
    }

    fn seed_position(&mut self, strategy: u16, index: InstrumentIndex, quantity: Quantity) {
        *self.position_mut(strategy, index) = quantity.0;
    }
}
