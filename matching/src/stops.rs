//! Stops: they wait, unseen in the book, until a trade happens at their trigger or beyond.
//!
//! Trades are looked at after the order that made them is done, each with its own price: an order that sweeps a level triggers all stops on its way. Then
//! buys come in before sells, nearer triggers before farther ones, older before younger; what they trade can trigger more, until nothing is left to trigger.
//! A stop whose trigger the last trade has reached already when it comes is triggered at once: a protective order is better early than refused.

use tickpath_protocol::Side;

use crate::book::{Book, at};
use crate::event::{CancelReason, Event, Sink};
use crate::slab::{Order, Slot};

/// The lowest and highest price of some trades.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    lowest: i64,
    highest: i64,
}

impl Range {
    /// Of no trades: triggers nothing, for triggers are above zero.
    pub(crate) const NONE: Range = Range {
        lowest: i64::MAX,
        highest: 0,
    };

    #[inline]
    pub(crate) fn include(&mut self, price: i64) {
        self.lowest = self.lowest.min(price);
        self.highest = self.highest.max(price);
    }

    /// Whether a trade at a trigger or beyond is among them.
    fn reaches(self, side: Side, trigger: i64) -> bool {
        match side {
            Side::Bid => self.highest >= trigger,
            Side::Ask => self.lowest <= trigger && self.highest > 0,
        }
    }
}

impl Book {
    /// A stop waits, or comes in at once.
    pub(crate) fn wait(&mut self, order: Order, sink: &mut impl Sink) {
        let mut last = Range::NONE;
        if let Some(price) = self.last_price {
            last.include(price);
        }
        if last.reaches(order.side, order.trigger) {
            return self.set_off(order, sink);
        }
        let slot = self.orders.insert(order);
        let ladder = &mut self.waiting[at(order.side)];
        if ladder.push(order.trigger, slot, &mut self.orders).is_err() {
            self.orders.remove(slot);
            return order.canceled(CancelReason::Overflow, sink);
        }
        self.index.insert(order.id, slot);
    }

    /// Lets every stop in that the trades since the last call have reached.
    #[inline]
    pub(crate) fn trigger_stops(&mut self, sink: &mut impl Sink) {
        if self.waiting.iter().any(|ladder| ladder.depth() > 0) {
            while let Some(slot) = self.next_reached() {
                let order = self.take_out(slot);
                self.set_off(order, sink);
            }
        }
        self.traded = Range::NONE;
    }

    fn next_reached(&self) -> Option<Slot> {
        [Side::Bid, Side::Ask].into_iter().find_map(|side| {
            let ladder = &self.waiting[at(side)];
            let level = ladder.level(ladder.top()?);
            self.traded.reaches(side, level.price).then_some(level.head)
        })
    }

    fn set_off(&mut self, mut order: Order, sink: &mut impl Sink) {
        let (id, owner) = (order.id, order.owner);
        sink.event(Event::Triggered { id, owner });
        order.trigger = 0;
        self.enter(order, sink);
    }
}
