//! An open order is changed.

use crate::book::{Book, at};
use crate::event::{CancelReason, Event, Reject, Request, Sink};
use crate::order::Replace;
use crate::slab::{Order, Slot};

impl Book {
    /// Changes an open order. It keeps its place only if price and trigger stay and it does not grow; else it leaves the book and comes in anew, and may
    /// trade at once. Whose it is, is for the caller to have checked.
    pub fn replace(&mut self, replace: &Replace, sink: &mut impl Sink) {
        let id = replace.id;
        let request = Request::Replace;
        let Some(slot) = self.index.get(id) else {
            let reason = Reject::UnknownId;
            return sink.event(Event::Rejected { request, id, reason });
        };
        match self.changed(slot, replace) {
            Err(reason) => sink.event(Event::Rejected { request, id, reason }),
            Ok(changed) if changed.leaves <= 0 => self.end(slot, sink),
            Ok(changed) => self.put_changed(slot, changed, sink),
        }
        self.trigger_stops(sink);
    }

    /// The order as it is to be; its leaves are not above zero if more is filled than it shall have.
    fn changed(&self, slot: Slot, replace: &Replace) -> Result<Order, Reject> {
        let mut order = self.orders[slot];
        self.rules.check_price(replace.price)?;
        self.rules.check_price(replace.trigger)?;
        if let Some(price) = replace.price {
            if order.is_market() {
                return Err(Reject::NoSuchPrice);
            }
            order.price = price;
        }
        if let Some(trigger) = replace.trigger {
            if !order.is_waiting() {
                return Err(Reject::NoSuchPrice);
            }
            order.trigger = trigger;
        }
        if let Some(quantity) = replace.quantity {
            self.rules.check_quantity(quantity)?;
            order.leaves = quantity - order.filled;
        }
        if order.post_only && !order.is_waiting() && self.would_trade(&order) {
            return Err(Reject::PostOnlyWouldTrade);
        }
        Ok(order)
    }

    fn end(&mut self, slot: Slot, sink: &mut impl Sink) {
        let order = self.take_out(slot);
        order.canceled(CancelReason::Replaced, sink);
        if !order.is_waiting() {
            self.tell_level(&order, sink);
        }
    }

    fn put_changed(&mut self, slot: Slot, changed: Order, sink: &mut impl Sink) {
        let before = self.orders[slot];
        let by = before.leaves - changed.leaves;
        let is_same_price = (before.price, before.trigger) == (changed.price, changed.trigger);
        let kept_place = is_same_price && by >= 0;
        sink.event(Event::Replaced {
            id: changed.id,
            owner: changed.owner,
            price: (!changed.is_market()).then_some(changed.price),
            leaves: changed.leaves,
            kept_place,
        });
        if kept_place {
            self.orders[slot].leaves = changed.leaves;
            let ladder = match before.is_waiting() {
                true => &mut self.waiting[at(before.side)],
                false => &mut self.resting[at(before.side)],
            };
            ladder.shrink(before.level, by);
        } else {
            self.take_out(slot);
        }
        if !before.is_waiting() && (!kept_place || by > 0) {
            self.tell_level(&before, sink);
        }
        if !kept_place {
            self.come_in(changed, sink);
        }
    }
}
