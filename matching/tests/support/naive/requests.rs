//! What is asked of the naive engine, and what it refuses.

use super::*;

impl NaiveBook {
    pub fn submit(&mut self, order: &NewOrder) {
        if let Some(reason) = self.refusal(order) {
            let (request, id) = (Request::Submit, order.id);
            return self.events.push(Event::Rejected { request, id, reason });
        }
        self.events.push(Event::Accepted {
            id: order.id,
            owner: order.owner,
            quantity: order.quantity,
        });
        self.come_in(Resting {
            order: *order,
            trigger: order.kind.trigger(),
            price: order.kind.price(),
            leaves: order.quantity,
            filled: 0,
            arrival: 0,
        });
        self.run_stops();
    }

    pub fn cancel(&mut self, id: OrderId) {
        match self.find(id) {
            None => self.events.push(Event::Rejected {
                request: Request::Cancel,
                id,
                reason: Reject::UnknownId,
            }),
            Some(at) => self.end(at, CancelReason::Requested),
        }
    }

    fn end(&mut self, at: usize, reason: CancelReason) {
        let gone = self.orders.remove(at);
        self.canceled(&gone, reason);
        if gone.trigger.is_none() {
            self.tell_level(gone.order.side, gone.price.unwrap());
        }
    }

    pub fn replace(&mut self, replace: &Replace) {
        let id = replace.id;
        let reason = match self.find(id) {
            None => Some(Reject::UnknownId),
            Some(at) => self.change(at, replace).err(),
        };
        if let Some(reason) = reason {
            self.events.push(Event::Rejected {
                request: Request::Replace,
                id,
                reason,
            });
        }
        self.run_stops();
    }

    fn change(&mut self, at: usize, replace: &Replace) -> Result<(), Reject> {
        let before = self.orders[at];
        let mut after = before;
        for price in [replace.price, replace.trigger].into_iter().flatten() {
            self.price_refusal(price).map_or(Ok(()), Err)?;
        }
        if replace.price.is_some() {
            after.price = before.price.and(replace.price);
            after.price.ok_or(Reject::NoSuchPrice)?;
        }
        if replace.trigger.is_some() {
            after.trigger = before.trigger.and(replace.trigger);
            after.trigger.ok_or(Reject::NoSuchPrice)?;
        }
        if let Some(quantity) = replace.quantity {
            self.quantity_refusal(quantity).map_or(Ok(()), Err)?;
            after.leaves = quantity - before.filled;
        }
        if after.order.post_only && after.trigger.is_none() && self.first_to_trade(&after).is_some() {
            return Err(Reject::PostOnlyWouldTrade);
        }
        if after.leaves <= 0 {
            self.end(at, CancelReason::Replaced);
            return Ok(());
        }
        let kept_place =
            after.price == before.price && after.trigger == before.trigger && after.leaves <= before.leaves;
        self.events.push(Event::Replaced {
            id: replace.id,
            owner: after.order.owner,
            price: after.price,
            leaves: after.leaves,
            kept_place,
        });
        let is_seen = before.trigger.is_none();
        if kept_place {
            self.orders[at] = after;
            if is_seen && after.leaves != before.leaves {
                self.tell_level(before.order.side, before.price.unwrap());
            }
            return Ok(());
        }
        self.orders.remove(at);
        if is_seen {
            self.tell_level(before.order.side, before.price.unwrap());
        }
        self.come_in(after);
        Ok(())
    }

    fn refusal(&self, order: &NewOrder) -> Option<Reject> {
        let quantity = self.quantity_refusal(order.quantity);
        let price = order.kind.price().and_then(|price| self.price_refusal(price));
        let trigger = order.kind.trigger().and_then(|price| self.price_refusal(price));
        if let Some(reason) = quantity.or(price).or(trigger) {
            return Some(reason);
        }
        if self.find(order.id).is_some() {
            return Some(Reject::DuplicateId);
        }
        if order.owner.0 >= OWNERS_MAX {
            return Some(Reject::UnknownOwner);
        }
        if self.orders.len() >= self.rules.orders_max as usize {
            return Some(Reject::BookFull);
        }
        if order.post_only {
            let never_rests = order.kind.price().is_none() || order.time_in_force != TimeInForce::Gtc;
            if never_rests {
                return Some(Reject::PostOnlyNeverRests);
            }
            let probe = Resting {
                order: *order,
                trigger: None,
                price: order.kind.price(),
                leaves: 1,
                filled: 0,
                arrival: 0,
            };
            if matches!(order.kind, OrderKind::Limit { .. }) && self.first_to_trade(&probe).is_some() {
                return Some(Reject::PostOnlyWouldTrade);
            }
        }
        if order.reduce_only && order.owner == OwnerId::NONE {
            return Some(Reject::ReduceOnlyNeedsOwner);
        }
        (order.reduce_only && order.kind.trigger().is_none() && self.reducible(order) == 0)
            .then_some(Reject::NothingToReduce)
    }

    fn quantity_refusal(&self, quantity: i64) -> Option<Reject> {
        match quantity {
            ..=0 => Some(Reject::QuantityNotPositive),
            _ if quantity > self.rules.quantity_max => Some(Reject::QuantityTooLarge),
            _ => (quantity % self.rules.lot != 0).then_some(Reject::OffLot),
        }
    }

    fn price_refusal(&self, price: i64) -> Option<Reject> {
        match price {
            ..=0 => Some(Reject::PriceNotPositive),
            _ => (price % self.rules.tick != 0).then_some(Reject::OffTick),
        }
    }
}
