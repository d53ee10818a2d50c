//! The symbols subscribed to, as the venue spells them.

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

/// Finds the instrument of a symbol.
#[derive(Clone, Debug, Default)]
pub struct SymbolTable {
    by_symbol: HashMap<Box<[u8]>, Listed>,
}

impl SymbolTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> SymbolTable {
        SymbolTable::default()
    }

    /// Adds a symbol, or another spelling of an instrument.
    pub fn insert(&mut self, symbol: &str, listed: Listed) {
        self.by_symbol.insert(symbol.as_bytes().into(), listed);
    }

    /// The instrument of a symbol.
    #[must_use]
    pub fn get(&self, symbol: &[u8]) -> Option<Listed> {
        self.by_symbol.get(symbol).copied()
    }

    /// How many symbols there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_symbol.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_symbol.is_empty()
    }
}
