//! The price levels of one side, each with its queue of orders; also the triggers of one side's stops.
//!
//! Prices stand in one sorted array whose back is the top, as in [`tickpath_protocol::book`], and each names its level: so levels never move, an order can
//! point at its own, and only a new price is searched for. A level whose last order went keeps its price for a while, for markets come back to the same
//! prices; the top itself is never such an empty place. The search halves the last [`WINDOW`] entries without a branch to guess.

use tickpath_protocol::Side;

use crate::slab::{LevelSlot, Orders, Slot};

/// Entries at the top that are searched first; a power of two.
const WINDOW: usize = 32;
/// Entries that the array makes room for at its front, at least; and empty places that are worth removing, at least.
const ROOM_MIN: usize = 16;

/// A price with its orders, the oldest at the head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    pub(crate) price: i64,
    /// Sum of what its orders leave open.
    pub(crate) quantity: i64,
    pub(crate) head: Slot,
    tail: Slot,
}

/// A level would hold more than a number can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Rises towards the top.
    key: i64,
    level: LevelSlot,
}

/// Levels of one side; `entries[start..]`, keys rising, the last one not empty. What lies before `start` is room.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    /// Which prices are better: of bids the higher, of asks the lower.
    side: Side,
    entries: Vec<Entry>,
    start: usize,
    levels: Vec<Level>,
    /// Levels that no entry names.
    free: Vec<LevelSlot>,
    /// Levels with an order.
    live: usize,
}

const UNUSED: Entry = Entry {
    key: 0,
    level: LevelSlot::NONE,
};

impl Ladder {
    pub(crate) fn new(side: Side) -> Ladder {
        Ladder {
            side,
            entries: Vec::new(),
            start: 0,
            levels: Vec::new(),
            free: Vec::new(),
            live: 0,
        }
    }

    /// How many levels have an order.
    #[inline]
    pub(crate) fn depth(&self) -> usize {
        self.live
    }

    /// The level that comes first.
    #[inline]
    pub(crate) fn top(&self) -> Option<LevelSlot> {
        self.entries[self.start..].last().map(|entry| entry.level)
    }

    #[inline]
    pub(crate) fn level(&self, level: LevelSlot) -> &Level {
        &self.levels[level.0 as usize]
    }

    #[inline]
    fn level_mut(&mut self, level: LevelSlot) -> &mut Level {
        &mut self.levels[level.0 as usize]
    }

    /// The levels that have orders, the best first.
    pub(crate) fn levels(&self) -> impl DoubleEndedIterator<Item = &Level> + '_ {
        let used = self.entries[self.start..].iter().rev();
        used.map(|entry| self.level(entry.level))
            .filter(|level| level.head != Slot::NONE)
    }

    /// The level at a price, if it has an order.
    pub(crate) fn find(&self, price: i64) -> Option<&Level> {
        let key = self.key(price);
        let entry = self.entries[self.start..self.end_of(key)].last()?;
        let level = self.level(entry.level);
        (entry.key == key && level.head != Slot::NONE).then_some(level)
    }

    /// Puts an order at the end of the queue at `price`.
    #[inline]
    pub(crate) fn push(&mut self, price: i64, slot: Slot, orders: &mut Orders) -> Result<LevelSlot, Overflow> {
        let at = self.place(price);
        let level = self.level_mut(at);
        let order = &mut orders[slot];
        let Some(quantity) = level.quantity.checked_add(order.leaves) else {
            return Err(Overflow);
        };
        level.quantity = quantity;
        (order.level, order.next, order.previous) = (at, Slot::NONE, level.tail);
        let tail = std::mem::replace(&mut level.tail, slot);
        if tail == Slot::NONE {
            level.head = slot;
            self.live += 1;
        } else {
            orders[tail].next = slot;
        }
        Ok(at)
    }

    /// Takes an order out of its queue, with what it leaves open.
    #[inline]
    pub(crate) fn unlink(&mut self, slot: Slot, orders: &mut Orders) {
        let order = orders[slot];
        let level = self.level_mut(order.level);
        level.quantity -= order.leaves;
        match order.previous {
            Slot::NONE => level.head = order.next,
            previous => orders[previous].next = order.next,
        }
        match order.next {
            Slot::NONE => level.tail = order.previous,
            next => orders[next].previous = order.previous,
        }
        if level.head == Slot::NONE {
            self.live -= 1;
            if self.top() == Some(order.level) {
                self.lower_top();
            }
        }
    }

    /// An order of the level got smaller.
    #[inline]
    pub(crate) fn shrink(&mut self, level: LevelSlot, by: i64) {
        self.level_mut(level).quantity -= by;
    }

    /// A price as a number that rises towards the top; the same function gives the price back.
    #[inline]
    fn key(&self, price: i64) -> i64 {
        price ^ -i64::from(self.side == Side::Ask)
    }

    /// The level at a price, empty if there was none.
    #[inline]
    fn place(&mut self, price: i64) -> LevelSlot {
        let key = self.key(price);
        let end = self.end_of(key);
        match self.entries[self.start..end].last() {
            Some(entry) if entry.key == key => entry.level,
            _ => self.insert(end, key, price),
        }
    }

    /// Where the entries end whose keys are not above `key`: its own, if there is one, is the last of them.
    #[inline]
    fn end_of(&self, key: i64) -> usize {
        let used = &self.entries[self.start..];
        match used.last_chunk::<WINDOW>() {
            Some(top) if top[0].key <= key => {
                let mut at = 0;
                let mut half = WINDOW / 2;
                while half > 0 {
                    at = if top[at + half].key <= key { at + half } else { at };
                    half /= 2;
                }
                self.entries.len() - WINDOW + at + 1
            }
            _ => self.start + used.partition_point(|entry| entry.key <= key),
        }
    }

    /// The top has no orders any more: the next level that has is the top.
    fn lower_top(&mut self) {
        while let Some(entry) = self.entries[self.start..].last().copied() {
            if self.level(entry.level).head != Slot::NONE {
                break;
            }
            self.free.push(entry.level);
            self.entries.pop();
        }
    }

    /// A new price between `entries[at - 1]` and `entries[at]`; an empty place beside it is taken over.
    fn insert(&mut self, at: usize, key: i64, price: i64) -> LevelSlot {
        for near in [at.wrapping_sub(1), at] {
            if let Some(entry) = self.entries[self.start..].get(near.wrapping_sub(self.start)).copied()
                && self.level(entry.level).head == Slot::NONE
            {
                self.entries[near].key = key;
                self.level_mut(entry.level).price = price;
                return entry.level;
            }
        }
        let entry = Entry {
            key,
            level: self.new_level(price),
        };
        if self.entries.len() - at <= at - self.start {
            self.insert_behind(at, entry);
        } else {
            self.insert_in_front(at, entry);
        }
        entry.level
    }

    fn new_level(&mut self, price: i64) -> LevelSlot {
        let level = Level {
            price,
            quantity: 0,
            head: Slot::NONE,
            tail: Slot::NONE,
        };
        match self.free.pop() {
            Some(slot) => {
                *self.level_mut(slot) = level;
                slot
            }
            None => {
                self.levels.push(level);
                // Every level can be free at once, and none may allocate when it becomes so.
                self.free.reserve(self.levels.len() - self.free.len());
                LevelSlot(self.levels.len() as u32 - 1)
            }
        }
    }

    /// Moves what is above.
    fn insert_behind(&mut self, at: usize, entry: Entry) {
        let is_full = self.entries.len() == self.entries.capacity();
        let at = if is_full { self.compact(at) } else { at };
        let end = self.entries.len();
        self.entries.push(entry);
        self.entries.copy_within(at..end, at + 1);
        self.entries[at] = entry;
    }

    /// Moves what is below.
    fn insert_in_front(&mut self, at: usize, entry: Entry) {
        let mut at = at;
        if self.start == 0 {
            at = self.compact(at);
            let len = self.entries.len();
            let room = ROOM_MIN.max(len / 2);
            self.entries.resize(len + room, UNUSED);
            self.entries.copy_within(..len, room);
            self.start = room;
            at += room;
        }
        self.entries.copy_within(self.start..at, self.start - 1);
        self.start -= 1;
        self.entries[at - 1] = entry;
    }

    /// Removes the room in front and the empty places, if they are many: an array that is full need not grow then. Returns where `entries[at]` is now.
    #[cold]
    fn compact(&mut self, at: usize) -> usize {
        let spare = self.entries.len() - self.live;
        if spare < ROOM_MIN.max(self.live / 2) {
            return at;
        }
        let (mut kept, mut now_at) = (0, 0);
        for n in self.start..self.entries.len() {
            if n == at {
                now_at = kept;
            }
            let entry = self.entries[n];
            if self.level(entry.level).head == Slot::NONE {
                self.free.push(entry.level);
            } else {
                self.entries[kept] = entry;
                kept += 1;
            }
        }
        if at == self.entries.len() {
            now_at = kept;
        }
        self.entries.truncate(kept);
        self.start = 0;
        now_at
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use proptest::prelude::*;

    use super::*;
    use crate::order::NewOrder;
    use crate::slab::Order;

    /// A ladder of asks beside a map of queues.
    #[derive(Default)]
    struct Pair {
        map: BTreeMap<i64, VecDeque<(Slot, i64)>>,
    }

    impl Pair {
        fn check(&self, ladder: &Ladder, orders: &Orders) {
            assert_eq!(ladder.depth(), self.map.len());
            assert!(ladder.levels().map(|level| level.price).eq(self.map.keys().copied()));
            assert_eq!(
                ladder.top().map(|top| ladder.level(top).price),
                self.map.keys().next().copied()
            );
            for (price, queue) in &self.map {
                let level = ladder.find(*price).unwrap();
                assert_eq!(level.quantity, queue.iter().map(|(_, leaves)| leaves).sum::<i64>());
                let mut slot = level.head;
                for (expected, _) in queue {
                    assert_eq!(slot, *expected);
                    slot = orders[slot].next;
                }
                assert_eq!(slot, Slot::NONE);
            }
        }
    }

    proptest! {
        #[test]
        fn equals_a_map_of_queues_that_drifts(steps in prop::collection::vec((0i64..120, 1i64..9, 0usize..40, any::<bool>()), 0..1_200), drift in -1i64..=1) {
            let mut ladder = Ladder::new(Side::Ask);
            let mut orders = Orders::with_capacity(0);
            let mut pair = Pair::default();
            let mut open = Vec::new();
            for (n, (offset, quantity, victim, is_add)) in steps.into_iter().enumerate() {
                if is_add || open.len() < 30 {
                    let price = 5_000 + drift * n as i64 + offset;
                    let slot = orders.insert(Order::new(&NewOrder::limit(n as u64, Side::Ask, price, quantity)));
                    ladder.push(price, slot, &mut orders).unwrap();
                    pair.map.entry(price).or_default().push_back((slot, quantity));
                    open.push(slot);
                } else {
                    let slot = open.swap_remove(victim % open.len());
                    let price = orders[slot].price;
                    ladder.unlink(slot, &mut orders);
                    orders.remove(slot);
                    let queue = pair.map.get_mut(&price).unwrap();
                    queue.retain(|(other, _)| *other != slot);
                    if queue.is_empty() { pair.map.remove(&price); }
                }
                if n % 50 == 0 { pair.check(&ladder, &orders); }
            }
            pair.check(&ladder, &orders);
        }
    }

    #[test]
    fn a_level_that_would_overflow_stays_as_it_was() {
        let mut ladder = Ladder::new(Side::Bid);
        let mut orders = Orders::with_capacity(2);
        for (id, expected) in [(1, Ok(LevelSlot(0))), (2, Err(Overflow))] {
            let slot = orders.insert(Order::new(&NewOrder::limit(id, Side::Bid, 7, i64::MAX - 1)));
            assert_eq!(ladder.push(7, slot, &mut orders), expected);
        }
        assert_eq!(ladder.find(7).unwrap().quantity, i64::MAX - 1);
    }
}
