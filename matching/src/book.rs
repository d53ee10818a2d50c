//! The book: what callers see.

use tickpath_protocol::{Level, Side};

use crate::event::{CancelReason, Event, Reject, Request, Sink};
use crate::index::Index;
use crate::ladder::Ladder;
use crate::order::{NewOrder, OpenOrder, OrderId, OrderKind, OwnerId, TimeInForce};
use crate::position::Positions;
use crate::rules::{OWNERS_MAX, Rules};
use crate::slab::{Order, Orders, Slot};
use crate::stops::Range;

/// The orders of one instrument, and the matching of them.
#[derive(Clone, Debug)]
pub struct Book {
    pub(crate) rules: Rules,
    pub(crate) orders: Orders,
    pub(crate) index: Index,
    /// What can be traded with, by [`at`].
    pub(crate) resting: [Ladder; 2],
    /// Stops by the side of the order. The first to be triggered of buys is the lowest, as with asks; of sells the highest, as with bids.
    pub(crate) waiting: [Ladder; 2],
    pub(crate) positions: Positions,
    pub(crate) last_price: Option<i64>,
    /// Prices of the trades since stops were last looked at.
    pub(crate) traded: Range,
}

/// Where a side stands in a pair.
#[inline]
pub(crate) fn at(side: Side) -> usize {
    usize::from(side == Side::Ask)
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(rules: Rules) -> Book {
        Book::with_capacity(rules, 0)
    }

    /// An empty book with room for some open orders, that nothing is allocated for later.
    #[must_use]
    pub fn with_capacity(rules: Rules, orders: usize) -> Book {
        Book {
            rules,
            orders: Orders::with_capacity(orders),
            index: Index::with_capacity(orders),
            resting: [Ladder::new(Side::Bid), Ladder::new(Side::Ask)],
            waiting: [Ladder::new(Side::Ask), Ladder::new(Side::Bid)],
            positions: Positions::default(),
            last_price: None,
            traded: Range::NONE,
        }
    }

    /// A new order. What becomes of it, and of the stops that its trades trigger, is told in order.
    #[inline]
    pub fn submit(&mut self, order: &NewOrder, sink: &mut impl Sink) {
        let id = order.id;
        if let Err(reason) = self.check(order) {
            let request = Request::Submit;
            return sink.event(Event::Rejected { request, id, reason });
        }
        let (owner, quantity) = (order.owner, order.quantity);
        sink.event(Event::Accepted { id, owner, quantity });
        self.positions.know(owner);
        self.come_in(Order::new(order), sink);
        self.trigger_stops(sink);
    }

    /// Cancels an open order. Whose it is, is for the caller to have checked.
    #[inline]
    pub fn cancel(&mut self, id: OrderId, sink: &mut impl Sink) {
        let Some(slot) = self.index.get(id) else {
            return sink.event(Event::Rejected {
                request: Request::Cancel,
                id,
                reason: Reject::UnknownId,
            });
        };
        let order = self.take_out(slot);
        order.canceled(CancelReason::Requested, sink);
        if !order.is_waiting() {
            self.tell_level(&order, sink);
        }
    }

    /// Sets what an owner holds (above zero: long), for reduce-only orders. Trades move it from then on.
    ///
    /// # Errors
    /// [`Reject::UnknownOwner`] if the number is too large, or [`OwnerId::NONE`].
    pub fn set_position(&mut self, owner: OwnerId, position: i128) -> Result<(), Reject> {
        if owner == OwnerId::NONE || owner.0 >= OWNERS_MAX {
            return Err(Reject::UnknownOwner);
        }
        self.positions.set(owner, position);
        Ok(())
    }

    /// What an owner holds.
    #[must_use]
    pub fn position(&self, owner: OwnerId) -> i128 {
        self.positions.get(owner)
    }

    /// An open order.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<OpenOrder> {
        self.index.get(id).map(|slot| self.orders[slot].describe())
    }

    /// How many orders rest or wait.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.orders.len() as usize
    }

    /// Price of the last trade.
    #[must_use]
    pub fn last_price(&self) -> Option<i64> {
        self.last_price
    }

    /// The best level of a side.
    #[must_use]
    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        let ladder = &self.resting[at(side)];
        ladder.top().map(|top| seen(ladder.level(top)))
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl DoubleEndedIterator<Item = Level> + '_ {
        self.resting[at(side)].levels().map(seen)
    }

    /// How many levels a side has.
    #[must_use]
    pub fn depth(&self, side: Side) -> usize {
        self.resting[at(side)].depth()
    }

    /// The quantity at a price, if there is a level.
    #[must_use]
    pub fn size_at(&self, side: Side, price: i64) -> Option<i64> {
        self.resting[at(side)].find(price).map(|level| level.quantity)
    }

    /// The orders at a price in the order in which they will trade.
    pub fn queue(&self, side: Side, price: i64) -> impl Iterator<Item = OpenOrder> + '_ {
        let mut next = self.resting[at(side)]
            .find(price)
            .map_or(Slot::NONE, |level| level.head);
        std::iter::from_fn(move || {
            let order = (next != Slot::NONE).then(|| &self.orders[next])?;
            next = order.next;
            Some(order.describe())
        })
    }

    fn check(&self, order: &NewOrder) -> Result<(), Reject> {
        let (price, trigger) = (order.kind.price(), order.kind.trigger());
        self.rules.check_quantity(order.quantity)?;
        self.rules.check_price(price)?;
        self.rules.check_price(trigger)?;
        if self.index.get(order.id).is_some() {
            return Err(Reject::DuplicateId);
        }
        if order.owner.0 >= OWNERS_MAX {
            return Err(Reject::UnknownOwner);
        }
        // Before the matching, so that an order that is taken can always rest.
        if self.orders.len() >= self.rules.orders_max {
            return Err(Reject::BookFull);
        }
        if order.post_only {
            self.check_post_only(order)?;
        }
        if order.reduce_only {
            self.check_reduce_only(order)?;
        }
        Ok(())
    }

    fn check_post_only(&self, order: &NewOrder) -> Result<(), Reject> {
        match order.kind {
            OrderKind::Market | OrderKind::Stop { .. } => Err(Reject::PostOnlyNeverRests),
            _ if order.time_in_force != TimeInForce::Gtc => Err(Reject::PostOnlyNeverRests),
            OrderKind::Limit { .. } if self.would_trade(&Order::new(order)) => Err(Reject::PostOnlyWouldTrade),
            OrderKind::Limit { .. } | OrderKind::StopLimit { .. } => Ok(()),
        }
    }

    fn check_reduce_only(&self, order: &NewOrder) -> Result<(), Reject> {
        if order.owner == OwnerId::NONE {
            return Err(Reject::ReduceOnlyNeedsOwner);
        }
        // A stop may protect a position that is still to be taken.
        let is_stop = order.kind.trigger().is_some();
        match is_stop || self.positions.reducible(order.owner, order.side) > 0 {
            true => Ok(()),
            false => Err(Reject::NothingToReduce),
        }
    }

    /// Whether the other side has what an order would trade with.
    #[inline]
    pub(crate) fn would_trade(&self, order: &Order) -> bool {
        let best = self.best(order.side.opposite());
        best.is_some_and(|level| order.reaches(level.price))
    }

    /// Removes an open order from wherever it stands.
    #[inline]
    pub(crate) fn take_out(&mut self, slot: Slot) -> Order {
        let order = self.orders[slot];
        let ladder = match order.is_waiting() {
            true => &mut self.waiting[at(order.side)],
            false => &mut self.resting[at(order.side)],
        };
        ladder.unlink(slot, &mut self.orders);
        self.forget(slot, order.id);
        order
    }

    /// An order that stands in no queue any more is gone.
    #[inline]
    pub(crate) fn forget(&mut self, slot: Slot, id: OrderId) {
        self.orders.remove(slot);
        self.index.remove(id);
    }

    /// Tells what the level of an order has, which just left it or shrank. A level that went with its last order has 0 until another price takes its place.
    #[inline]
    pub(crate) fn tell_level(&self, order: &Order, sink: &mut impl Sink) {
        let (side, price) = (order.side, order.price);
        let quantity = self.resting[at(side)].level(order.level).quantity;
        sink.event(Event::Level { side, price, quantity });
    }
}

impl Order {
    /// Tells that what was open of it is canceled.
    #[inline]
    pub(crate) fn canceled(&self, reason: CancelReason, sink: &mut impl Sink) {
        sink.event(Event::Canceled {
            id: self.id,
            owner: self.owner,
            leaves: self.leaves,
            reason,
        });
    }
}

fn seen(level: &crate::ladder::Level) -> Level {
    Level {
        price: level.price,
        size: level.quantity,
    }
}
