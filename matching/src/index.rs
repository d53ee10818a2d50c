//! From order id to place in the slab: open addressing with linear probing, at most half full.
//!
//! Own code instead of `hashbrown` because of what removal does: here the entries behind move up, there a mark stays and, once enough have
//! gathered, the whole table is rehashed within one cancel. With as many removals as insertions that pause would come again and again.

use crate::order::OrderId;
use crate::slab::Slot;

const SMALLEST: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u64,
    slot: Slot,
}

const EMPTY: Entry = Entry {
    id: 0,
    slot: Slot::NONE,
};

/// Slots by order id.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// A power of two of them.
    entries: Vec<Entry>,
    len: usize,
}

impl Index {
    /// For `orders` without growing.
    pub(crate) fn with_capacity(orders: usize) -> Index {
        Index {
            entries: vec![EMPTY; (orders * 2).next_power_of_two().max(SMALLEST)],
            len: 0,
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: OrderId) -> Option<Slot> {
        let mut at = self.home(id.0);
        loop {
            let entry = self.entries[at];
            if entry.slot == Slot::NONE {
                return None;
            }
            if entry.id == id.0 {
                return Some(entry.slot);
            }
            at = self.after(at);
        }
    }

    /// Adds an id that is not there.
    #[inline]
    pub(crate) fn insert(&mut self, id: OrderId, slot: Slot) {
        if self.len * 2 >= self.entries.len() {
            self.grow();
        }
        self.len += 1;
        self.put(Entry { id: id.0, slot });
    }

    /// Removes an id that is there.
    #[inline]
    pub(crate) fn remove(&mut self, id: OrderId) {
        let mut hole = self.home(id.0);
        while self.entries[hole].id != id.0 || self.entries[hole].slot == Slot::NONE {
            if self.entries[hole].slot == Slot::NONE {
                return;
            }
            hole = self.after(hole);
        }
        self.len -= 1;
        let mask = self.entries.len() - 1;
        let mut at = hole;
        loop {
            at = self.after(at);
            let entry = self.entries[at];
            if entry.slot == Slot::NONE {
                break;
            }
            // It may move up if its home is not between the hole and where it stands.
            if at.wrapping_sub(self.home(entry.id)) & mask >= at.wrapping_sub(hole) & mask {
                self.entries[hole] = entry;
                hole = at;
            }
        }
        self.entries[hole] = EMPTY;
    }

    fn put(&mut self, entry: Entry) {
        let mut at = self.home(entry.id);
        while self.entries[at].slot != Slot::NONE {
            at = self.after(at);
        }
        self.entries[at] = entry;
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![EMPTY; self.entries.len() * 2];
        for entry in std::mem::replace(&mut self.entries, larger) {
            if entry.slot != Slot::NONE {
                self.put(entry);
            }
        }
    }

    /// Multiplication by the golden ratio: ids that count up land far from each other.
    #[inline]
    fn home(&self, id: u64) -> usize {
        let hash = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> (64 - self.entries.len().trailing_zeros())) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.entries.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_a_map(steps in prop::collection::vec((0u64..200, any::<bool>()), 0..2_000)) {
            let mut index = Index::with_capacity(0);
            let mut map = BTreeMap::new();
            for (n, (id, is_insert)) in steps.into_iter().enumerate() {
                // Multiples of a power of two collide more.
                let id = OrderId(id << 56 | id);
                if is_insert && !map.contains_key(&id) {
                    index.insert(id, Slot(n as u32));
                    map.insert(id, Slot(n as u32));
                } else if !is_insert {
                    index.remove(id);
                    map.remove(&id);
                }
                prop_assert_eq!(index.len, map.len());
            }
            for id in 0..200 {
                let id = OrderId(id << 56 | id);
                prop_assert_eq!(index.get(id), map.get(&id).copied());
            }
        }
    }
}
