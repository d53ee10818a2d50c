//! What strategies act on: market, portfolio, gate and orders together, and what waits to go out.

mod actions;
mod limits;
mod records;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tickpath_protocol::trading::ClientOrderId;
use tickpath_protocol::{Instrument, InstrumentId, Record, Venue};

use super::{Outbox, StrategyConfig};
use crate::market::{InstrumentIndex, MarketView};
use crate::order::{Order, OrderTable, Replacement};
use crate::portfolio::{Overflow, Portfolio, Position};
use crate::risk::{Approved, Gate, LimitsError};
use crate::units::{Money, Time};
use crate::venue::ExecutionVenue;

/// What may be asked of a venue within one record.
const REQUESTS_MAX: usize = 1024;

/// Breaches of one strategy that become records within a second; further ones are counted.
const BREACHES_PER_SECOND_MAX: u32 = 16;

/// Timers that may be set at once, over all strategies.
const TIMERS_MAX: usize = 4096;

enum Request {
    Submit(Approved<Order>),
    Cancel(ClientOrderId, InstrumentIndex),
    Replace(Approved<Replacement>),
}

#[derive(Clone, Copy, Debug, Default)]
struct Breaches {
    second: i64,
    written: u32,
    total: u64,
}

/// The engine less its strategies and its venue.
pub struct Desk {
    venue: Venue,
    session: u32,
    orders_made: u32,
    now: Time,
    position: u64,
    market: MarketView,
    portfolio: Portfolio,
    gate: Gate,
    orders: OrderTable,
    /// By strategy: the instruments that it may trade.
    allowed: Vec<Vec<InstrumentIndex>>,
    breaches: Vec<Breaches>,
    requests: Vec<Request>,
    failed: Vec<u16>,
    /// Something that a strategy asked for is being done.
    acting: bool,
    timers: BinaryHeap<Reverse<(Time, u64, u16)>>,
    timers_set: u64,
    next_timer: Time,
    next_guard: Time,
    records: Vec<Record>,
    sequence: u64,
}

impl Desk {
    pub(in crate::engine) fn new(venue: Venue, session: u32, gate: Gate) -> Desk {
        Desk {
            venue,
            session,
            orders_made: 0,
            now: Time(i64::MIN),
            position: 0,
            market: MarketView::new(),
            portfolio: Portfolio::new(),
            gate,
            orders: OrderTable::default(),
            allowed: Vec::new(),
            breaches: Vec::new(),
            requests: Vec::with_capacity(64),
            failed: Vec::new(),
            acting: false,
            timers: BinaryHeap::with_capacity(64),
            timers_set: 0,
            next_timer: Time::NEVER,
            next_guard: Time(i64::MIN),
            records: Vec::with_capacity(256),
            sequence: 0,
        }
    }

    /// `false` if it is followed already.
    pub(in crate::engine) fn add_instrument(&mut self, instrument: &Instrument) -> bool {
        let is_new = self.market.index(instrument.id).is_none();
        if is_new {
            self.market.add(instrument);
            self.portfolio.add_instrument(instrument);
            self.gate.add_instrument(instrument);
        }
        is_new
    }

    pub(in crate::engine) fn add_strategy(
        &mut self,
        instruments: &[InstrumentIndex],
        config: &StrategyConfig,
    ) -> Result<(), LimitsError> {
        self.gate.add_strategy(config.limits)?;
        let mut currencies = Vec::new();
        for index in instruments {
            let currency = self.portfolio.currency(*index);
            if !currencies.contains(&currency) {
                currencies.push(currency);
            }
        }
        self.portfolio.add_strategy(config.capital, &currencies);
        self.allowed.push(instruments.to_vec());
        self.breaches.push(Breaches::default());
        Ok(())
    }

    #[inline]
    pub(in crate::engine) fn advance(&mut self, now: Time, position: u64) -> Time {
        self.now = self.now.max(now);
        self.position = position;
        self.now
    }

    /// The engine's time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    pub(in crate::engine) fn position(&self) -> u64 {
        self.position
    }

    pub(in crate::engine) fn session(&self) -> u32 {
        self.session
    }

    pub(in crate::engine) fn venue(&self) -> Venue {
        self.venue
    }

    pub(in crate::engine) fn orders_made(&self) -> u32 {
        self.orders_made
    }

    pub(in crate::engine) fn reserve_records(&mut self, count: usize) {
        self.records.reserve(count);
    }

    /// The market.
    #[must_use]
    pub fn market(&self) -> &MarketView {
        &self.market
    }

    pub(in crate::engine) fn market_mut(&mut self) -> &mut MarketView {
        &mut self.market
    }

    /// Positions and money.
    #[must_use]
    pub fn portfolio(&self) -> &Portfolio {
        &self.portfolio
    }

    pub(in crate::engine) fn strategy_count(&self) -> u16 {
        self.allowed.len() as u16
    }

    pub(in crate::engine) fn revalue(&mut self, index: InstrumentIndex) -> Result<(), Overflow> {
        self.portfolio.revalue(index, self.market.at(index))
    }

    pub(in crate::engine) fn portfolio_mut(&mut self) -> &mut Portfolio {
        &mut self.portfolio
    }

    /// The risk gate.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(in crate::engine) fn gate_mut(&mut self) -> &mut Gate {
        &mut self.gate
    }

    /// Every open order.
    #[must_use]
    pub fn orders(&self) -> &OrderTable {
        &self.orders
    }

    pub(in crate::engine) fn orders_mut(&mut self) -> &mut OrderTable {
        &mut self.orders
    }

    /// Breaches of a strategy so far, those that became no record included.
    #[must_use]
    pub fn breaches(&self, strategy: u16) -> u64 {
        self.breaches[usize::from(strategy)].total
    }

    /// A strategy's position; empty for an instrument that is not followed.
    #[must_use]
    pub fn position_of(&self, strategy: u16, id: InstrumentId) -> &Position {
        const EMPTY: &Position = &Position::EMPTY;
        match self.market.index(id) {
            Some(index) => self.portfolio.strategy(strategy).position(index),
            None => EMPTY,
        }
    }

    /// A strategy's equity in the currency of an instrument.
    #[must_use]
    pub fn equity_of(&self, strategy: u16, id: InstrumentId) -> Money {
        let Some(index) = self.market.index(id) else {
            return Money(0);
        };
        let equity = self.portfolio.strategy(strategy).equity(self.portfolio.currency(index));
        let limit = if equity < 0 { i64::MIN } else { i64::MAX };
        Money(i64::try_from(equity).unwrap_or(limit))
    }

    pub(crate) fn set_timer(&mut self, strategy: u16, at: Time) {
        if self.timers.len() >= TIMERS_MAX {
            self.fail(strategy);
            return;
        }
        self.timers.push(Reverse((at, self.timers_set, strategy)));
        self.timers_set += 1;
        self.next_timer = self.next_timer.min(at);
    }

    pub(in crate::engine) fn next_guard(&self) -> Time {
        self.next_guard
    }

    pub(in crate::engine) fn next_timer(&self) -> Time {
        self.next_timer
    }

    pub(in crate::engine) fn timers_set(&self) -> u64 {
        self.timers_set
    }

    /// The strategy of a timer that is due and was among the first `before` that were set.
    pub(in crate::engine) fn take_timer(&mut self, now: Time, before: u64) -> Option<u16> {
        let Reverse((at, number, strategy)) = *self.timers.peek()?;
        self.next_timer = at;
        if at > now || number >= before {
            return None;
        }
        self.timers.pop();
        self.next_timer = self.timers.peek().map_or(Time::NEVER, |Reverse((at, _, _))| *at);
        Some(strategy)
    }

    /// Does what a strategy asked for. Whether it came to its end shows in [`Desk::take_acting`].
    #[inline]
    pub(crate) fn act<T>(&mut self, what: impl FnOnce(&mut Desk) -> T) -> T {
        self.acting = true;
        let answer = what(self);
        self.acting = false;
        answer
    }

    /// Whether something that a strategy asked for was left half done.
    pub(in crate::engine) fn take_acting(&mut self) -> bool {
        std::mem::take(&mut self.acting)
    }

    pub(crate) fn fail(&mut self, strategy: u16) {
        if !self.failed.contains(&strategy) {
            self.failed.push(strategy);
        }
    }

    pub(in crate::engine) fn take_failed(&mut self) -> Option<u16> {
        self.failed.pop()
    }

    /// Whether something waits for the venue or for [`super::Engine`].
    #[inline]
    pub(in crate::engine) fn has_work(&self) -> bool {
        !self.requests.is_empty() || !self.failed.is_empty()
    }

    #[inline]
    pub(in crate::engine) fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    pub(in crate::engine) fn send(&mut self, venue: &mut impl ExecutionVenue) {
        for request in self.requests.drain(..) {
            match request {
                Request::Submit(order) => venue.submit(order, self.now),
                Request::Cancel(id, index) => venue.cancel(id, index, self.now),
                Request::Replace(replacement) => venue.replace(replacement, self.now),
            }
        }
    }

    pub(in crate::engine) fn hand_out(&mut self, out: &mut impl Outbox) {
        for record in self.records.drain(..) {
            out.publish(&record);
        }
    }
}
