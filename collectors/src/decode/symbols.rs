//! The symbols subscribed to, as the venue spells them.
//!
//! Nearly all symbols have fewer than 16 characters. Those stand in a table of their own, open addressing and at most half full, by the two
//! words that their bytes are: a decoder has these words in registers when it has found where the symbol ends, and a look-up is one
//! multiplication and one comparison. The names come from the venue's own list, so nobody can choose them to collide.

use std::collections::HashMap;

use tickpath_protocol::{InstrumentId, Scale};

/// What a decoder needs to know of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The instrument.
    pub id: InstrumentId,
    /// Its decimals.
    pub scale: Scale,
}

/// A symbol of 1 to 15 bytes, zeros behind it.
type Key = [u64; 2];

/// No symbol.
const FREE: Key = [0; 2];
/// Slots of the first table.
const SLOTS_MIN: usize = 16;

/// Finds the instrument of a symbol.
#[derive(Clone, Debug, Default)]
pub struct SymbolTable {
    /// None, or a power of two; less than half of them hold a symbol.
    slots: Vec<(Key, Option<Listed>)>,
    short: usize,
    long: HashMap<Box<[u8]>, Listed>,
}

impl SymbolTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> SymbolTable {
        SymbolTable::default()
    }

    /// Adds a symbol, or another spelling of an instrument.
    pub fn insert(&mut self, symbol: &str, listed: Listed) {
        let Some(key) = short_key(symbol.as_bytes()) else {
            self.long.insert(symbol.as_bytes().into(), listed);
            return;
        };
        if (self.short + 1) * 2 > self.slots.len() {
            self.grow();
        }
        if self.put(key, listed) {
            self.short += 1;
        }
    }

    /// The instrument of a symbol.
    #[must_use]
    pub fn get(&self, symbol: &[u8]) -> Option<Listed> {
        match short_key(symbol) {
            Some(key) => self.get_short(key),
            None => self.long.get(symbol).copied(),
        }
    }

    /// The instrument of a symbol of fewer than 16 bytes, none of them 0, as two words with zeros behind it.
    #[inline]
    pub(super) fn get_short(&self, key: [u64; 2]) -> Option<Listed> {
        let mut index = hash(key);
        loop {
            // Without slots there is none at any index.
            let (found, listed) = self.slots.get(index & self.slots.len().wrapping_sub(1))?;
            if *found == key || *found == FREE {
                return *listed;
            }
            index += 1;
        }
    }

    /// How many symbols there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.short + self.long.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn grow(&mut self) {
        let slots = vec![(FREE, None); (self.slots.len() * 2).max(SLOTS_MIN)];
        for (key, listed) in std::mem::replace(&mut self.slots, slots) {
            if let Some(listed) = listed {
                self.put(key, listed);
            }
        }
    }

    /// Puts a symbol where a free slot is sure to be, and says whether it is new.
    fn put(&mut self, key: Key, listed: Listed) -> bool {
        let mask = self.slots.len() - 1;
        let mut index = hash(key) & mask;
        while self.slots[index].0 != key && self.slots[index].0 != FREE {
            index = (index + 1) & mask;
        }
        let is_new = self.slots[index].0 == FREE;
        self.slots[index] = (key, Some(listed));
        is_new
    }
}

/// `None` for a symbol that is too long, and for one that zeros behind it would make another one.
fn short_key(symbol: &[u8]) -> Option<Key> {
    if symbol.is_empty() || symbol.len() > 15 || symbol.contains(&0) {
        return None;
    }
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let (low, high) = symbol.split_at(symbol.len().min(8));
    Some([word(low), word(high)])
}

/// Of the product's bits the upper ones depend on all bits of the key.
#[inline(always)]
fn hash([low, high]: Key) -> usize {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    ((low ^ high.rotate_left(29)).wrapping_mul(GOLDEN) >> 40) as usize
}

#[cfg(test)]
mod tests {
    use tickpath_protocol::Venue;

    use super::*;

    fn listed(index: u32) -> Listed {
        Listed {
            id: InstrumentId::new(Venue::KRAKEN, index),
            scale: Scale::new(2, 8).unwrap(),
        }
    }

    #[test]
    fn symbols_of_any_length_are_found() {
        let symbol = |index: u32| format!("{index}{}", "X".repeat(index as usize % 20));
        let mut table = SymbolTable::new();
        assert_eq!(table.get(b"BTC/USD"), None);
        for index in 0..5_000 {
            table.insert(&symbol(index), listed(index));
        }
        assert_eq!(table.len(), 5_000);
        for index in 0..5_000 {
            assert_eq!(table.get(symbol(index).as_bytes()), Some(listed(index)));
            assert_eq!(table.get(format!("{}?", symbol(index)).as_bytes()), None);
        }
    }

    #[test]
    fn another_insert_replaces() {
        let mut table = SymbolTable::new();
        for symbol in ["BTC/USD", "A symbol of more than 15 bytes"] {
            table.insert(symbol, listed(1));
            table.insert(symbol, listed(2));
            assert_eq!(table.get(symbol.as_bytes()), Some(listed(2)));
        }
        assert_eq!(table.len(), 2);
        assert!(!table.is_empty());
    }

    #[test]
    fn zeros_and_nothing_are_symbols_of_their_own() {
        let mut table = SymbolTable::new();
        for (symbol, index) in [("A", 0), ("A\0", 1), ("", 2)] {
            table.insert(symbol, listed(index));
        }
        assert_eq!(table.get(b"A"), Some(listed(0)));
        assert_eq!(table.get(b"A\0"), Some(listed(1)));
        assert_eq!(table.get(b""), Some(listed(2)));
        assert_eq!(table.get(b"\0"), None);
    }
}
