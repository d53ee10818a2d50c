//! Orders in one array, freed places first.

use std::ops::{Index, IndexMut};

use tickpath_protocol::Side;

use crate::order::{NewOrder, OpenOrder, OrderId, OrderKind, OwnerId, SelfTrade, TimeInForce};

/// Where an order stands in the slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(pub(crate) u32);

impl Slot {
    /// No order.
    pub(crate) const NONE: Slot = Slot(u32::MAX);
}

/// Where a level stands in its ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LevelSlot(pub(crate) u32);

impl LevelSlot {
    /// No level.
    pub(crate) const NONE: LevelSlot = LevelSlot(u32::MAX);
}

/// An order as the book keeps it: one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    /// Above zero; 0: none, it takes any price.
    pub(crate) price: i64,
    /// Above zero while it waits; 0: it does not wait.
    pub(crate) trigger: i64,
    pub(crate) leaves: i64,
    pub(crate) filled: i64,
    pub(crate) owner: OwnerId,
    /// Where it rests or waits.
    pub(crate) level: LevelSlot,
    /// The next in its queue, or the next free place.
    pub(crate) next: Slot,
    pub(crate) previous: Slot,
    pub(crate) side: Side,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) self_trade: SelfTrade,
    pub(crate) post_only: bool,
    pub(crate) reduce_only: bool,
}

const _: () = assert!(size_of::<Order>() == 64);

impl Order {
    pub(crate) fn new(order: &NewOrder) -> Order {
        Order {
            id: order.id,
            price: order.kind.price().unwrap_or(0),
            trigger: order.kind.trigger().unwrap_or(0),
            leaves: order.quantity,
            filled: 0,
            owner: order.owner,
            level: LevelSlot::NONE,
            next: Slot::NONE,
            previous: Slot::NONE,
            side: order.side,
            time_in_force: order.time_in_force,
            self_trade: order.self_trade,
            post_only: order.post_only,
            reduce_only: order.reduce_only,
        }
    }

    /// Whether it takes any price.
    #[inline]
    pub(crate) fn is_market(&self) -> bool {
        self.price == 0
    }

    /// Whether it waits for its trigger.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        self.trigger != 0
    }

    /// Whether it would trade with an order of the other side at `price`.
    #[inline]
    pub(crate) fn reaches(&self, price: i64) -> bool {
        match self.side {
            _ if self.is_market() => true,
            Side::Bid => self.price >= price,
            Side::Ask => self.price <= price,
        }
    }

    pub(crate) fn describe(&self) -> OpenOrder {
        let (price, trigger) = (self.price, self.trigger);
        OpenOrder {
            id: self.id,
            owner: self.owner,
            side: self.side,
            kind: match (self.is_waiting(), self.is_market()) {
                (true, true) => OrderKind::Stop { trigger },
                (true, false) => OrderKind::StopLimit { trigger, price },
                (false, _) => OrderKind::Limit { price },
            },
            leaves: self.leaves,
            filled: self.filled,
            post_only: self.post_only,
            reduce_only: self.reduce_only,
        }
    }
}

/// The slab.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    places: Vec<Order>,
    free: Slot,
    len: u32,
}

impl Orders {
    pub(crate) fn with_capacity(orders: usize) -> Orders {
        Orders {
            places: Vec::with_capacity(orders),
            free: Slot::NONE,
            len: 0,
        }
    }

    /// How many orders there are.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    #[inline]
    pub(crate) fn insert(&mut self, order: Order) -> Slot {
        self.len += 1;
        if self.free == Slot::NONE {
            let slot = Slot(self.places.len() as u32);
            self.places.push(order);
            return slot;
        }
        let slot = self.free;
        self.free = self[slot].next;
        self[slot] = order;
        slot
    }

    #[inline]
    pub(crate) fn remove(&mut self, slot: Slot) {
        self.len -= 1;
        self[slot].next = self.free;
        self.free = slot;
    }
}

impl Index<Slot> for Orders {
    type Output = Order;

    #[inline]
    fn index(&self, slot: Slot) -> &Order {
        &self.places[slot.0 as usize]
    }
}

impl IndexMut<Slot> for Orders {
    #[inline]
    fn index_mut(&mut self, slot: Slot) -> &mut Order {
        &mut self.places[slot.0 as usize]
    }
}
