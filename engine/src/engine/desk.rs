//! What strategies act on: market, portfolio, gate and orders together, and what waits to go out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tickpath_protocol::trading::{Action, ClientOrderId, OrderDetail, Reason, TradingEvent};
use tickpath_protocol::{Instrument, InstrumentId, Record, Side, StatusCode, Venue};

use super::{Outbox, StrategyConfig};
use crate::market::{InstrumentIndex, MarketView};
use crate::order::{Order, OrderRequest, OrderTable, Replacement, Terms};
use crate::portfolio::{Overflow, Portfolio, Position};
use crate::risk::{Approved, Breach, Facts, Gate, LimitsError};
use crate::units::{Money, Price, Quantity, Time};
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
    timers: BinaryHeap<Reverse<(Time, u64, u16)>>,
    timers_set: u64,
    next_timer: Time,
    records: Vec<Record>,
    sequence: u64,
}

impl Desk {
    pub(super) fn new(venue: Venue, session: u32, gate: Gate) -> Desk {
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
            timers: BinaryHeap::with_capacity(64),
            timers_set: 0,
            next_timer: Time::NEVER,
            records: Vec::with_capacity(256),
            sequence: 0,
        }
    }

    /// `false` if it is followed already.
    pub(super) fn add_instrument(&mut self, instrument: &Instrument) -> bool {
        let is_new = self.market.index(instrument.id).is_none();
        if is_new {
            self.market.add(instrument);
            self.portfolio.add_instrument(instrument);
            self.gate.add_instrument(instrument);
        }
        is_new
    }

    pub(super) fn add_strategy(
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
    pub(super) fn advance(&mut self, now: Time, position: u64) -> Time {
        self.now = self.now.max(now);
        self.position = position;
        self.now
    }

    /// The engine's time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn session(&self) -> u32 {
        self.session
    }

    /// The market.
    #[must_use]
    pub fn market(&self) -> &MarketView {
        &self.market
    }

    pub(super) fn market_mut(&mut self) -> &mut MarketView {
        &mut self.market
    }

    /// Positions and money.
    #[must_use]
    pub fn portfolio(&self) -> &Portfolio {
        &self.portfolio
    }

    pub(super) fn strategy_count(&self) -> u16 {
        self.allowed.len() as u16
    }

    pub(super) fn revalue(&mut self, index: InstrumentIndex) -> Result<(), Overflow> {
        self.portfolio.revalue(index, self.market.at(index))
    }

    pub(super) fn portfolio_mut(&mut self) -> &mut Portfolio {
        &mut self.portfolio
    }

    /// The risk gate.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(super) fn gate_mut(&mut self) -> &mut Gate {
        &mut self.gate
    }

    /// Every open order.
    #[must_use]
    pub fn orders(&self) -> &OrderTable {
        &self.orders
    }

    pub(super) fn orders_mut(&mut self) -> &mut OrderTable {
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

    /// Puts an order through the gate.
    pub(crate) fn submit(&mut self, strategy: u16, request: &OrderRequest) -> Result<ClientOrderId, Breach> {
        let index = self.market.index(request.instrument);
        let index = index.filter(|index| self.allowed[usize::from(strategy)].contains(index));
        let Some(index) = index else {
            return Err(self.held_back(
                strategy,
                request,
                ClientOrderId::NONE,
                Breach::of(Reason::UnknownInstrument),
            ));
        };
        let Some(counter) = self.orders_made.checked_add(1) else {
            return Err(self.held_back(strategy, request, ClientOrderId::NONE, Breach::of(Reason::Overflow)));
        };
        let order = Order::new(
            ClientOrderId::new(self.session, counter),
            strategy,
            index,
            request,
            self.now,
        );
        match self.judge(order) {
            Ok(approved) => {
                self.orders_made = counter;
                self.orders.insert(order);
                let trigger = order.kind.trigger().map(|price| price.0);
                self.say(
                    Action::Submitted { trigger },
                    &order,
                    order.record_price(),
                    order.quantity.0,
                    order.detail(),
                );
                self.requests.push(Request::Submit(approved));
                Ok(order.id)
            }
            Err(breach) => Err(self.held_back(strategy, request, ClientOrderId::NONE, breach)),
        }
    }

    fn judge(&mut self, order: Order) -> Result<Approved<Order>, Breach> {
        self.room()?;
        let open = self.orders.open().len();
        if open >= crate::order::ORDERS_OPEN_MAX {
            return Err(Breach::count(Reason::OpenOrders, open as i64 + 1, open as i64));
        }
        let facts = Facts {
            market: &self.market,
            portfolio: &self.portfolio,
            orders: &self.orders,
            now: self.now,
        };
        self.gate.submit(order, &facts)
    }

    fn room(&self) -> Result<(), Breach> {
        let asked = self.requests.len();
        if asked >= REQUESTS_MAX {
            return Err(Breach::count(
                Reason::TooManyActions,
                asked as i64 + 1,
                REQUESTS_MAX as i64,
            ));
        }
        Ok(())
    }

    /// A strategy cancels an order of its own.
    pub(crate) fn cancel(&mut self, strategy: u16, id: ClientOrderId) -> Result<(), Breach> {
        self.room()?;
        self.own_order(strategy, id)?;
        if self.cancel_because(id, Reason::Requested) {
            Ok(())
        } else {
            Err(Breach::of(Reason::Busy))
        }
    }

    /// A strategy changes an order of its own.
    pub(crate) fn replace(
        &mut self,
        strategy: u16,
        id: ClientOrderId,
        price: Option<Price>,
        quantity: Quantity,
    ) -> Result<(), Breach> {
        self.room()?;
        let order = *self.own_order(strategy, id)?;
        let kind = price.map_or(order.kind, |price| order.kind.with_price(price));
        let terms = Terms { kind, quantity };
        let facts = Facts {
            market: &self.market,
            portfolio: &self.portfolio,
            orders: &self.orders,
            now: self.now,
        };
        if !order.clone().ask_replace(terms) {
            return Err(Breach::of(Reason::Busy));
        }
        let approved = match self.gate.replace(&order, terms, &facts) {
            Ok(approved) => approved,
            Err(breach) => return Err(self.breach(strategy, order.instrument, Some(order.side), id, breach)),
        };
        if let Some(order) = self.orders.get_mut(id) {
            order.ask_replace(terms);
        }
        let trigger = kind.trigger().map(|price| price.0);
        let price = kind.price().map_or(Record::ABSENT, |price| price.0);
        self.say(
            Action::ReplaceSubmitted { trigger },
            &order,
            price,
            quantity.0,
            order.detail(),
        );
        self.requests.push(Request::Replace(approved));
        Ok(())
    }

    fn own_order(&self, strategy: u16, id: ClientOrderId) -> Result<&Order, Breach> {
        let order = self.orders.get(id);
        order
            .filter(|order| order.strategy == strategy && !order.state.is_closed())
            .ok_or(Breach::of(Reason::UnknownOrder))
    }

    /// Asks the venue to cancel an order. `false` if there is nothing to cancel, or it was asked already.
    pub(super) fn cancel_because(&mut self, id: ClientOrderId, reason: Reason) -> bool {
        let Some(order) = self.orders.get_mut(id) else {
            return false;
        };
        if !order.ask_cancel() {
            return false;
        }
        order.cancel_reason = Some(reason);
        let order = *order;
        let detail = order.detail().with_reason(reason);
        self.say(
            Action::CancelSubmitted,
            &order,
            order.record_price(),
            order.leaves().0,
            detail,
        );
        self.requests.push(Request::Cancel(id, order.index));
        true
    }

    /// Asks the venue to cancel every order that `which` names.
    pub(super) fn cancel_all(&mut self, reason: Reason, which: impl Fn(&Order) -> bool) {
        for at in 0..self.orders.open().len() {
            let order = self.orders.open()[at];
            if which(&order) {
                self.cancel_because(order.id, reason);
            }
        }
    }

    pub(crate) fn signal(&mut self, strategy: u16, instrument: InstrumentId, side: Option<Side>, strength: Quantity) {
        let Some(view) = self.market.get(instrument) else {
            return;
        };
        let quote = view.quote_now();
        let reference = match side {
            Some(Side::Bid) => quote.ask,
            Some(Side::Ask) => quote.bid,
            None => quote.bid.or(quote.ask),
        };
        let event = TradingEvent {
            action: Action::Signal,
            venue: self.venue,
            instrument,
            scale: view.instrument().scale,
            side,
            price: reference.map_or(Record::ABSENT, |level| level.price),
            size: strength.0,
            order: ClientOrderId::NONE,
            detail: OrderDetail::of_strategy(strategy),
            ts_event: self.now.0,
            ts_recv: self.now.0,
        };
        self.write(&event);
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

    pub(super) fn next_timer(&self) -> Time {
        self.next_timer
    }

    pub(super) fn timers_set(&self) -> u64 {
        self.timers_set
    }

    /// The strategy of a timer that is due and was among the first `before` that were set.
    pub(super) fn take_timer(&mut self, now: Time, before: u64) -> Option<u16> {
        let Reverse((at, number, strategy)) = *self.timers.peek()?;
        self.next_timer = at;
        if at > now || number >= before {
            return None;
        }
        self.timers.pop();
        self.next_timer = self.timers.peek().map_or(Time::NEVER, |Reverse((at, _, _))| *at);
        Some(strategy)
    }

    pub(crate) fn fail(&mut self, strategy: u16) {
        if !self.failed.contains(&strategy) {
            self.failed.push(strategy);
        }
    }

    pub(super) fn take_failed(&mut self) -> Option<u16> {
        self.failed.pop()
    }

    /// Whether something waits for the venue or for [`super::Engine`].
    #[inline]
    pub(super) fn has_work(&self) -> bool {
        !self.requests.is_empty() || !self.failed.is_empty()
    }

    #[inline]
    pub(super) fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    pub(super) fn send(&mut self, venue: &mut impl ExecutionVenue) {
        for request in self.requests.drain(..) {
            match request {
                Request::Submit(order) => venue.submit(order, self.now),
                Request::Cancel(id, index) => venue.cancel(id, index, self.now),
                Request::Replace(replacement) => venue.replace(replacement, self.now),
            }
        }
    }

    pub(super) fn hand_out(&mut self, out: &mut impl Outbox) {
        for record in self.records.drain(..) {
            out.publish(&record);
        }
    }

    /// Writes a status record of the engine.
    pub(super) fn status(&mut self, code: StatusCode, price: i64, size: i64) {
        self.sequence += 1;
        self.records.push(Record {
            sequence: self.sequence,
            ..code.record(self.venue, InstrumentId::NONE, self.now.0, price, size)
        });
    }

    /// Writes an event about an order.
    pub(super) fn say(&mut self, action: Action, order: &Order, price: i64, size: i64, detail: OrderDetail) {
        let event = TradingEvent {
            action,
            venue: self.venue,
            instrument: order.instrument,
            scale: self.market.at(order.index).instrument().scale,
            side: Some(order.side),
            price,
            size,
            order: order.id,
            detail,
            ts_event: self.now.0,
            ts_recv: self.now.0,
        };
        self.write(&event);
    }

    fn held_back(&mut self, strategy: u16, request: &OrderRequest, id: ClientOrderId, breach: Breach) -> Breach {
        self.breach(strategy, request.instrument, Some(request.side), id, breach)
    }

    /// Writes a breach, unless there were too many this second.
    pub(super) fn breach(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        side: Option<Side>,
        order: ClientOrderId,
        breach: Breach,
    ) -> Breach {
        let second = self.now.0.div_euclid(1_000_000_000);
        let count = &mut self.breaches[usize::from(strategy)];
        count.total += 1;
        if count.second != second {
            (count.second, count.written) = (second, 0);
        }
        count.written += 1;
        if count.written <= BREACHES_PER_SECOND_MAX {
            self.write_breach(strategy, instrument, side, order, &breach);
        }
        breach
    }

    pub(super) fn write_breach(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        side: Option<Side>,
        order: ClientOrderId,
        breach: &Breach,
    ) {
        self.write(&TradingEvent {
            action: Action::RiskBreach,
            venue: self.venue,
            instrument,
            scale: breach.scale,
            side,
            price: breach.observed,
            size: breach.limit,
            order,
            detail: OrderDetail::of_strategy(strategy).with_reason(breach.reason),
            ts_event: self.now.0,
            ts_recv: self.now.0,
        });
    }

    pub(super) fn write(&mut self, event: &TradingEvent) {
        let (records, sequence) = (&mut self.records, &mut self.sequence);
        event.encode(|record| {
            *sequence += 1;
            records.push(Record {
                sequence: *sequence,
                ..record
            });
        });
    }
}
