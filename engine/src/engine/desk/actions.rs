//! What may be asked: orders, cancels, replacements, signals. All of it passes here, and the orders through the gate.

use tickpath_protocol::trading::{Action, ClientOrderId, OrderDetail, Reason, TradingEvent};
use tickpath_protocol::{InstrumentId, Record, Side};

use super::{Desk, REQUESTS_MAX, Request};
use crate::order::{ORDERS_OPEN_MAX, Order, OrderRequest, Terms};
use crate::risk::{Approved, Breach, Facts};
use crate::units::{Price, Quantity};

impl Desk {
    /// Puts an order through the gate.
    pub(crate) fn submit(&mut self, strategy: u16, request: &OrderRequest) -> Result<ClientOrderId, Breach> {
        let refused = match self.new_order(strategy, request) {
            Ok(order) => match self.judge(order) {
                Ok(approved) => return Ok(self.take_order(&order, approved)),
                Err(breach) => breach,
            },
            Err(breach) => breach,
        };
        Err(self.breach(
            strategy,
            request.instrument,
            Some(request.side),
            ClientOrderId::NONE,
            refused,
        ))
    }

    /// The order of a request, with the id that it will have if the gate lets it pass.
    fn new_order(&self, strategy: u16, request: &OrderRequest) -> Result<Order, Breach> {
        let index = self.market.index(request.instrument);
        let index = index.filter(|index| self.allowed[usize::from(strategy)].contains(index));
        let index = index.ok_or(Breach::of(Reason::UnknownInstrument))?;
        let counter = self.orders_made.checked_add(1).ok_or(Breach::of(Reason::Overflow))?;
        Ok(Order::new(
            ClientOrderId::new(self.session, counter),
            strategy,
            index,
            request,
            self.now,
        ))
    }

    fn take_order(&mut self, order: &Order, approved: Approved<Order>) -> ClientOrderId {
        self.orders_made = order.id.counter();
        self.orders.insert(*order);
        let trigger = order.kind.trigger().map(|price| price.0);
        self.say(
            Action::Submitted { trigger },
            order,
            order.record_price(),
            order.quantity.0,
            order.detail(),
        );
        self.requests.push(Request::Submit(approved));
        order.id
    }

    fn judge(&mut self, order: Order) -> Result<Approved<Order>, Breach> {
        self.room()?;
        let open = self.orders.open().len();
        if open >= ORDERS_OPEN_MAX {
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

    /// Asks the venue to cancel an order. `false` if there is nothing to cancel, or it was asked already for as good a reason.
    pub(in crate::engine) fn cancel_because(&mut self, id: ClientOrderId, reason: Reason) -> bool {
        let Some(order) = self.orders.get_mut(id) else {
            return false;
        };
        if !order.ask_cancel(reason) {
            return false;
        }
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
    pub(in crate::engine) fn cancel_all(&mut self, reason: Reason, which: impl Fn(&Order) -> bool) {
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
}
