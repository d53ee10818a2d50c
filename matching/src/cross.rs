//! An order comes in: it trades with what rests, and what is left rests or is canceled.

use tickpath_protocol::Side;

use crate::book::{Book, at};
use crate::event::{CancelReason, Event, ReduceReason, Sink};
use crate::order::{OwnerId, SelfTrade, TimeInForce};
use crate::slab::{LevelSlot, Order, Orders, Slot};

/// What to do after an order met one of its own owner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    /// The next one in the queue.
    GoOn,
    /// The incoming order is to be canceled.
    Stop,
}

impl Book {
    /// An order that is in no queue: it waits if it is a stop, else it trades and rests.
    #[inline]
    pub(crate) fn come_in(&mut self, order: Order, sink: &mut impl Sink) {
        match order.is_waiting() {
            true => self.wait(order, sink),
            false => self.enter(order, sink),
        }
    }

    /// An order that does not wait.
    #[inline]
    pub(crate) fn enter(&mut self, mut order: Order, sink: &mut impl Sink) {
        if order.reduce_only && !self.cut_to_position(&mut order, sink) {
            return;
        }
        if self.would_trade(&order) {
            if order.post_only {
                return order.canceled(CancelReason::PostOnly, sink);
            }
            if order.time_in_force == TimeInForce::Fok && !self.can_fill(&order) {
                return order.canceled(CancelReason::Unfilled, sink);
            }
            if let Met::Stop = self.cross(&mut order, sink) {
                return;
            }
            if order.leaves == 0 {
                return;
            }
        }
        if order.is_market() || order.time_in_force != TimeInForce::Gtc {
            return order.canceled(CancelReason::Unfilled, sink);
        }
        self.rest(order, sink);
    }

    /// Cuts a reduce-only order to what its owner holds; false if nothing is left of it.
    fn cut_to_position(&self, order: &mut Order, sink: &mut impl Sink) -> bool {
        let most = self.positions.reducible(order.owner, order.side);
        if most == 0 {
            order.canceled(CancelReason::ReduceOnly, sink);
        } else if most < order.leaves {
            order.reduce(order.leaves - most, ReduceReason::ReduceOnly, sink);
        }
        most > 0
    }

    #[inline]
    fn rest(&mut self, order: Order, sink: &mut impl Sink) {
        let slot = self.orders.insert(order);
        let ladder = &mut self.resting[at(order.side)];
        let Ok(level) = ladder.push(order.price, slot, &mut self.orders) else {
            self.orders.remove(slot);
            return order.canceled(CancelReason::Overflow, sink);
        };
        let quantity = ladder.level(level).quantity;
        self.index.insert(order.id, slot);
        let (side, price) = (order.side, order.price);
        sink.event(Event::Rested {
            id: order.id,
            owner: order.owner,
            price,
            leaves: order.leaves,
        });
        sink.event(Event::Level { side, price, quantity });
    }

    /// Trades with the other side, level by level. [`Met::Stop`] if the order was canceled in doing so.
    #[inline]
    fn cross(&mut self, order: &mut Order, sink: &mut impl Sink) -> Met {
        let side = order.side.opposite();
        while order.leaves > 0 {
            let ladder = &self.resting[at(side)];
            let Some(top) = ladder.top() else { break };
            let level = *ladder.level(top);
            if !order.reaches(level.price) {
                break;
            }
            let met = self.take_level(top, order, sink);
            let left = self.left_at(side, top);
            if left != level.quantity {
                let price = level.price;
                sink.event(Event::Level {
                    side,
                    price,
                    quantity: left,
                });
            }
            if met == Met::Stop {
                return met;
            }
        }
        Met::GoOn
    }

    /// What a level has, which may have gone meanwhile.
    #[inline]
    fn left_at(&self, side: Side, level: LevelSlot) -> i64 {
        let ladder = &self.resting[at(side)];
        // Only the top level is ever emptied here, so another at the top means that it went.
        match ladder.top() == Some(level) {
            true => ladder.level(level).quantity,
            false => 0,
        }
    }

    /// Trades with the orders of the top level, the oldest first, until one of the two is used up.
    #[inline]
    fn take_level(&mut self, level: LevelSlot, order: &mut Order, sink: &mut impl Sink) -> Met {
        let side = at(order.side.opposite());
        let mut next = self.resting[side].level(level).head;
        while order.leaves > 0 && next != Slot::NONE {
            let slot = next;
            let maker = self.orders[slot];
            next = maker.next;
            if maker.owner == order.owner && maker.owner != OwnerId::NONE {
                if self.meet_own(slot, order, sink) == Met::Stop {
                    return Met::Stop;
                }
            } else if !maker.reduce_only || self.cut_resting(slot, sink) {
                self.trade(slot, order, sink);
            }
        }
        Met::GoOn
    }

    #[inline]
    fn trade(&mut self, slot: Slot, order: &mut Order, sink: &mut impl Sink) {
        let maker = &mut self.orders[slot];
        let quantity = maker.leaves.min(order.leaves);
        let price = maker.price;
        order.leaves -= quantity;
        order.filled += quantity;
        maker.filled += quantity;
        sink.event(Event::Trade {
            maker: maker.id,
            taker: order.id,
            maker_owner: maker.owner,
            taker_owner: order.owner,
            aggressor: order.side,
            price,
            quantity,
            maker_leaves: maker.leaves - quantity,
            taker_leaves: order.leaves,
        });
        self.positions.add(maker.owner, maker.side, quantity);
        self.positions.add(order.owner, order.side, quantity);
        self.traded.include(price);
        self.last_price = Some(price);
        self.shrink_resting(slot, quantity);
    }

    /// Takes quantity off a resting order, and the order out if none is left.
    #[inline]
    fn shrink_resting(&mut self, slot: Slot, by: i64) {
        let order = &mut self.orders[slot];
        if order.leaves == by {
            self.take_out(slot);
            return;
        }
        order.leaves -= by;
        let (side, level) = (at(order.side), order.level);
        self.resting[side].shrink(level, by);
    }

    /// Cuts a resting reduce-only order to what its owner holds now; false if nothing is left of it.
    fn cut_resting(&mut self, slot: Slot, sink: &mut impl Sink) -> bool {
        let mut seen = self.orders[slot];
        let open = seen.leaves;
        if !self.cut_to_position(&mut seen, sink) {
            self.take_out(slot);
            return false;
        }
        if seen.leaves < open {
            self.shrink_resting(slot, open - seen.leaves);
        }
        true
    }

    /// An order meets one of the same owner.
    #[cold]
    fn meet_own(&mut self, slot: Slot, order: &mut Order, sink: &mut impl Sink) -> Met {
        let maker = self.orders[slot];
        let reason = CancelReason::SelfTrade;
        match order.self_trade {
            SelfTrade::CancelNewest => order.canceled(reason, sink),
            SelfTrade::CancelOldest => {
                self.take_out(slot).canceled(reason, sink);
                return Met::GoOn;
            }
            SelfTrade::CancelBoth => {
                self.take_out(slot).canceled(reason, sink);
                order.canceled(reason, sink);
            }
            SelfTrade::Decrement => {
                let by = maker.leaves.min(order.leaves);
                self.orders[slot].describe_decrement(by, sink);
                self.shrink_resting(slot, by);
                order.describe_decrement(by, sink);
                order.leaves -= by;
                return if order.leaves == 0 { Met::Stop } else { Met::GoOn };
            }
        }
        Met::Stop
    }

    /// Whether all of a fill-or-kill order can be had. Resting reduce-only orders do not count, for they may shrink while it trades.
    fn can_fill(&self, order: &Order) -> bool {
        let mut wanted = order.leaves;
        let ladder = &self.resting[at(order.side.opposite())];
        for level in ladder.levels().take_while(|level| order.reaches(level.price)) {
            for resting in queue(&self.orders, level.head) {
                if resting.owner == order.owner && resting.owner != OwnerId::NONE {
                    match order.self_trade {
                        SelfTrade::CancelOldest => continue,
                        _ => return false,
                    }
                }
                if !resting.reduce_only {
                    wanted -= resting.leaves.min(wanted);
                }
                if wanted == 0 {
                    return true;
                }
            }
        }
        false
    }
}

/// The orders of a queue from its head on.
fn queue(orders: &Orders, head: Slot) -> impl Iterator<Item = &Order> {
    let mut next = head;
    std::iter::from_fn(move || {
        let order = (next != Slot::NONE).then(|| &orders[next])?;
        next = order.next;
        Some(order)
    })
}

impl Order {
    /// Makes it smaller and says so.
    fn reduce(&mut self, by: i64, reason: ReduceReason, sink: &mut impl Sink) {
        self.leaves -= by;
        sink.event(Event::Reduced {
            id: self.id,
            owner: self.owner,
            by,
            leaves: self.leaves,
            reason,
        });
    }

    /// Says what self-trade prevention takes off it: some, or all.
    fn describe_decrement(&self, by: i64, sink: &mut impl Sink) {
        match self.leaves == by {
            true => self.canceled(CancelReason::SelfTrade, sink),
            false => {
                let mut seen = *self;
                seen.reduce(by, ReduceReason::SelfTrade, sink);
            }
        }
    }
}
