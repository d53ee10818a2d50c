//! How orders of the naive engine come in, wait and trade.

use super::*;

impl NaiveBook {
    pub(super) fn come_in(&mut self, mut order: Resting) {
        if let Some(trigger) = order.trigger {
            let is_reached = self
                .last_price
                .is_some_and(|last| beyond(order.order.side, last, trigger));
            if !is_reached {
                return self.keep(order);
            }
            let (id, owner) = (order.order.id, order.order.owner);
            self.events.push(Event::Triggered { id, owner });
            order.trigger = None;
        }
        self.enter(order);
    }

    fn keep(&mut self, mut order: Resting) {
        self.arrivals += 1;
        order.arrival = self.arrivals;
        self.orders.push(order);
    }

    fn enter(&mut self, mut order: Resting) {
        if order.order.reduce_only && !self.cut(&mut order) {
            return;
        }
        let trades = self.first_to_trade(&order).is_some();
        if trades && order.order.post_only {
            return self.canceled(&order, CancelReason::PostOnly);
        }
        let is_all_or_nothing = order.order.time_in_force == TimeInForce::Fok;
        if is_all_or_nothing && !self.could_fill(&order) {
            return self.canceled(&order, CancelReason::Unfilled);
        }
        if !self.match_it(&mut order) || order.leaves == 0 {
            return;
        }
        match order.price {
            Some(price) if order.order.time_in_force == TimeInForce::Gtc => {
                self.events.push(Event::Rested {
                    id: order.order.id,
                    owner: order.order.owner,
                    price,
                    leaves: order.leaves,
                });
                self.keep(order);
                self.tell_level(order.order.side, price);
            }
            _ => self.canceled(&order, CancelReason::Unfilled),
        }
    }

    /// False if the order was canceled.
    fn match_it(&mut self, order: &mut Resting) -> bool {
        let side = order.order.side.opposite();
        while order.leaves > 0 {
            let Some(first) = self.first_to_trade(order) else { break };
            let price = self.orders[first].price.unwrap();
            let before = self.quantity_at(side, price);
            let goes_on = self.match_level(order, price);
            let after = self.quantity_at(side, price);
            if before != after {
                self.events.push(Event::Level {
                    side,
                    price,
                    quantity: after,
                });
            }
            if !goes_on {
                return false;
            }
        }
        true
    }

    fn match_level(&mut self, order: &mut Resting, price: i64) -> bool {
        while order.leaves > 0 {
            let Some(at) = self
                .first_to_trade(order)
                .filter(|at| self.orders[*at].price == Some(price))
            else {
                break;
            };
            let maker = self.orders[at];
            if maker.order.owner == order.order.owner && maker.order.owner != OwnerId::NONE {
                if !self.meet_own(at, order) {
                    return false;
                }
                continue;
            }
            if maker.order.reduce_only {
                let mut cut = maker;
                if !self.cut(&mut cut) {
                    self.orders.remove(at);
                    continue;
                }
                self.orders[at] = cut;
            }
            self.trade(at, order);
        }
        true
    }

    fn trade(&mut self, at: usize, order: &mut Resting) {
        let maker = &mut self.orders[at];
        let quantity = maker.leaves.min(order.leaves);
        let price = maker.price.unwrap();
        for traded in [&mut *maker, &mut *order] {
            traded.leaves -= quantity;
            traded.filled += quantity;
            let sign = if traded.order.side == Side::Bid { 1 } else { -1 };
            if traded.order.owner != OwnerId::NONE {
                self.positions[traded.order.owner.0 as usize] += sign * i128::from(quantity);
            }
        }
        self.events.push(Event::Trade {
            maker: maker.order.id,
            taker: order.order.id,
            maker_owner: maker.order.owner,
            taker_owner: order.order.owner,
            aggressor: order.order.side,
            price,
            quantity,
            maker_leaves: maker.leaves,
            taker_leaves: order.leaves,
        });
        if maker.leaves == 0 {
            self.orders.remove(at);
        }
        self.last_price = Some(price);
        self.prices.push(price);
    }

    /// False if the incoming order is done.
    fn meet_own(&mut self, at: usize, order: &mut Resting) -> bool {
        let maker = self.orders[at];
        let mode = order.order.self_trade;
        if mode == SelfTrade::Decrement {
            let by = maker.leaves.min(order.leaves);
            let mut maker = maker;
            self.shrink(&mut maker, by);
            self.orders[at].leaves = maker.leaves;
            if maker.leaves == 0 {
                self.orders.remove(at);
            }
            self.shrink(order, by);
            return order.leaves > 0;
        }
        if mode != SelfTrade::CancelNewest {
            self.orders.remove(at);
            self.canceled(&maker, CancelReason::SelfTrade);
        }
        if mode != SelfTrade::CancelOldest {
            self.canceled(order, CancelReason::SelfTrade);
        }
        mode == SelfTrade::CancelOldest
    }

    fn shrink(&mut self, order: &mut Resting, by: i64) {
        if order.leaves == by {
            self.canceled(order, CancelReason::SelfTrade);
        }
        order.leaves -= by;
        if order.leaves > 0 {
            self.reduced(order, by, ReduceReason::SelfTrade);
        }
    }

    /// Cuts a reduce-only order to the position; false if nothing is left.
    fn cut(&mut self, order: &mut Resting) -> bool {
        let most = self.reducible(&order.order);
        if most == 0 {
            self.canceled(order, CancelReason::ReduceOnly);
        } else if most < i128::from(order.leaves) {
            let by = order.leaves - most as i64;
            order.leaves = most as i64;
            self.reduced(order, by, ReduceReason::ReduceOnly);
        }
        most > 0
    }

    pub(super) fn reducible(&self, order: &NewOrder) -> i128 {
        let position = self.positions[order.owner.0 as usize];
        if order.side == Side::Ask {
            position.max(0)
        } else {
            (-position).max(0)
        }
    }

    fn could_fill(&self, order: &Resting) -> bool {
        let mut makers: Vec<_> = self.orders.iter().filter(|maker| meets(order, maker)).collect();
        makers.sort_by_key(|maker| self.rank(maker));
        let mut had = 0;
        for maker in makers {
            if had >= order.leaves {
                break;
            }
            let is_own = maker.order.owner == order.order.owner && maker.order.owner != OwnerId::NONE;
            match is_own {
                true if order.order.self_trade == SelfTrade::CancelOldest => {}
                true => return false,
                false if maker.order.reduce_only => {}
                false => had += maker.leaves,
            }
        }
        had >= order.leaves
    }

    pub(super) fn run_stops(&mut self) {
        while let Some(at) = self.next_stop() {
            let mut stop = self.orders.remove(at);
            let (id, owner) = (stop.order.id, stop.order.owner);
            self.events.push(Event::Triggered { id, owner });
            stop.trigger = None;
            self.enter(stop);
        }
        self.prices.clear();
    }

    fn next_stop(&self) -> Option<usize> {
        let reached = (0..self.orders.len()).filter(|at| {
            let stop = &self.orders[*at];
            let is_met = |trigger| self.prices.iter().any(|price| beyond(stop.order.side, *price, trigger));
            stop.trigger.is_some_and(is_met)
        });
        reached.min_by_key(|at| {
            let stop = &self.orders[*at];
            let trigger = stop.trigger.unwrap();
            match stop.order.side {
                Side::Bid => (0, trigger, stop.arrival),
                Side::Ask => (1, -trigger, stop.arrival),
            }
        })
    }
}
