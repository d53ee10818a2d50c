//! Every open order, and the last ones that were closed.

use std::collections::VecDeque;

use tickpath_protocol::{InstrumentId, Side};

use super::{ClientOrderId, Order, OrderRequest};
use crate::market::InstrumentIndex;
use crate::units::{Quantity, Time};

/// Orders that may be open at once, over all strategies.
pub const ORDERS_OPEN_MAX: usize = 4096;

/// Closed orders that are remembered, for reports that crossed on the way.
pub const ORDERS_CLOSED_MAX: usize = 4096;

/// Orders by id. Ids only rise, so the open ones are an array in order of id.
#[derive(Debug)]
pub struct OrderTable {
    open: Vec<Order>,
    closed: VecDeque<Order>,
}

impl Default for OrderTable {
    fn default() -> Self {
        let nothing = OrderRequest::market(InstrumentId::NONE, Side::Bid, Quantity(0));
        let nobody = Order::new(ClientOrderId::new(1, 1), 0, InstrumentIndex::NONE, &nothing, Time(0));
        // Written once, so that its pages are there before the first order: otherwise the kernel gives one every twenty orders or so, while a fill waits.
        let mut closed = VecDeque::from(vec![nobody; ORDERS_CLOSED_MAX]);
        closed.clear();
        OrderTable {
            open: Vec::with_capacity(64),
            closed,
        }
    }
}

impl OrderTable {
    /// Adds an order whose id is higher than all before. `false`, and nothing added, if it is not, or the table is full.
    pub fn insert(&mut self, order: Order) -> bool {
        let rises = self.open.last().is_none_or(|last| last.id < order.id);
        let fits = rises && self.open.len() < ORDERS_OPEN_MAX;
        if fits {
            self.open.push(order);
        }
        fits
    }

    /// The open orders, oldest first.
    #[must_use]
    pub fn open(&self) -> &[Order] {
        &self.open
    }

    /// A strategy's open orders, oldest first.
    pub fn of_strategy(&self, strategy: u16) -> impl Iterator<Item = &Order> {
        self.open.iter().filter(move |order| order.strategy == strategy)
    }

    /// The order with this id, if it is open or was closed not long ago.
    #[must_use]
    pub fn get(&self, id: ClientOrderId) -> Option<&Order> {
        match self.open.binary_search_by_key(&id, |order| order.id) {
            Ok(at) => self.open.get(at),
            Err(_) => self.closed.iter().rev().find(|order| order.id == id),
        }
    }

    /// As [`OrderTable::get`], to be changed. Call [`OrderTable::settle`] after a change that may have closed it.
    pub fn get_mut(&mut self, id: ClientOrderId) -> Option<&mut Order> {
        match self.open.binary_search_by_key(&id, |order| order.id) {
            Ok(at) => self.open.get_mut(at),
            Err(_) => self.closed.iter_mut().rev().find(|order| order.id == id),
        }
    }

    /// Takes an order that is closed out of the open ones.
    pub fn settle(&mut self, id: ClientOrderId) {
        let Ok(at) = self.open.binary_search_by_key(&id, |order| order.id) else {
            return;
        };
        if self.open[at].state.is_closed() {
            let order = self.open.remove(at);
            self.remember(order);
        }
    }

    /// Adds an order that is closed, and forgets the oldest of too many.
    pub fn remember(&mut self, closed: Order) {
        if self.closed.len() == ORDERS_CLOSED_MAX {
            self.closed.pop_front();
        }
        self.closed.push_back(closed);
    }
}
