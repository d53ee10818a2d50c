//! The texts and run ids behind the small keys of a [`Row`]: a row stays 80 plain bytes, and a symbol stands in memory once.

use std::collections::HashMap;
use std::sync::Arc;

use tickpath_protocol::{InstrumentId, InstrumentTable};

use super::row::Row;

/// Symbol and name of an instrument.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text {
    /// As the venue spells it.
    pub symbol: Arc<str>,
    /// Normalised `BASE/QUOTE`; absent where an archive does not say.
    pub name: Option<Arc<str>>,
}

/// Symbols, names and run ids met so far. It grows with the number of instruments, not with the number of records.
#[derive(Clone, Debug, Default)]
pub struct Names {
    texts: Vec<Text>,
    text_keys: HashMap<Text, u32>,
    runs: Vec<u64>,
}

impl Names {
    /// The key of a text.
    pub fn text_key(&mut self, text: Text) -> u32 {
        if let Some(key) = self.text_keys.get(&text) {
            return *key;
        }
        let key = self.texts.len() as u32;
        self.texts.push(text.clone());
        self.text_keys.insert(text, key);
        key
    }

    /// The key of a run id.
    pub fn run_key(&mut self, run_id: u64) -> u32 {
        // The newest run is asked for most, and there are few.
        if let Some(key) = self.runs.iter().rposition(|known| *known == run_id) {
            return key as u32;
        }
        self.runs.push(run_id);
        (self.runs.len() - 1) as u32
    }

    /// The text of a key; `None` for [`Row::NO_TEXT`].
    #[must_use]
    pub fn text(&self, key: u32) -> Option<&Text> {
        self.texts.get(key as usize)
    }

    /// The run id of a row.
    #[must_use]
    pub fn run_id(&self, row: &Row) -> u64 {
        self.runs[row.run as usize]
    }

    /// Every text, in order of key.
    #[must_use]
    pub fn texts(&self) -> &[Text] {
        &self.texts
    }

    /// Where each key's symbol stands among all symbols in order of bytes, equal symbols at one place. What has no symbol comes first, at 0.
    ///
    /// New symbols move places, and never change which of two comes first: rows sorted by older ranks stay sorted.
    #[must_use]
    pub fn ranks(&self) -> Ranks {
        let mut keys: Vec<u32> = (0..self.texts.len() as u32).collect();
        let symbol = |key: u32| &self.texts[key as usize].symbol;
        keys.sort_by(|a, b| symbol(*a).cmp(symbol(*b)));
        let mut ranks = vec![0; keys.len()];
        let mut rank = 0;
        for (at, key) in keys.iter().enumerate() {
            if at == 0 || symbol(*key) != symbol(keys[at - 1]) {
                rank += 1;
            }
            ranks[*key as usize] = rank;
        }
        Ranks {
            ranks,
            count: rank as usize + 1,
        }
    }
}

/// The order of symbols; see [`Names::ranks`].
#[derive(Clone, Debug)]
pub struct Ranks {
    ranks: Vec<u32>,
    count: usize,
}

impl Ranks {
    /// The place of a row's symbol.
    #[must_use]
    pub fn of(&self, row: &Row) -> u32 {
        self.ranks.get(row.text as usize).copied().unwrap_or(0)
    }

    /// Places that there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The total order of a partition: symbol, receive time, journal index.
    #[must_use]
    pub fn key(&self, row: &Row) -> (u32, i64, u64) {
        (self.of(row), row.record.ts_recv, row.index)
    }
}

/// Keys of the instruments of one run: two steps of indexing a record instead of a hash of its symbol.
#[derive(Clone, Debug, Default)]
pub struct InstrumentKeys {
    run_id: Option<u64>,
    venues: Vec<Vec<u32>>,
}

impl InstrumentKeys {
    /// Follows the journal to the run of the next records. A run's table is append-only, so what is known of it stays true.
    pub fn enter_run(&mut self, run_id: u64) {
        if self.run_id != Some(run_id) {
            self.run_id = Some(run_id);
            self.venues.clear();
        }
    }

    /// The key of an instrument's symbol and name.
    pub fn key(&mut self, id: InstrumentId, table: &InstrumentTable, names: &mut Names) -> u32 {
        let (venue, index) = (usize::from(id.venue().0), id.index());
        if let Some(key) = self.venues.get(venue).and_then(|keys| keys.get(index))
            && *key != Row::NO_TEXT
        {
            return *key;
        }
        // Not remembered as absent: the table may still grow.
        let Some(instrument) = table.get(id) else {
            return Row::NO_TEXT;
        };
        let text = Text {
            symbol: instrument.symbol.as_str().into(),
            name: Some(instrument.name.as_str().into()),
        };
        let key = names.text_key(text);
        if self.venues.len() <= venue {
            self.venues.resize_with(venue + 1, Vec::new);
        }
        let keys = &mut self.venues[venue];
        if keys.len() <= index {
            keys.resize(index + 1, Row::NO_TEXT);
        }
        keys[index] = key;
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(symbol: &str, name: &str) -> Text {
        Text {
            symbol: symbol.into(),
            name: Some(name.into()),
        }
    }

    fn row(key: u32) -> Row {
        Row {
            record: tickpath_protocol::Record::default(),
            index: 0,
            position: 0,
            published_ns: 0,
            run: 0,
            text: key,
        }
    }

    #[test]
    fn symbols_rank_by_bytes_and_equal_symbols_alike() {
        let mut names = Names::default();
        let b = names.text_key(text("B", "B/X"));
        let a = names.text_key(text("A", "A/X"));
        let renamed = names.text_key(text("B", "B/Y"));
        assert_eq!(names.text_key(text("B", "B/X")), b);
        let ranks = names.ranks();
        assert_eq!(
            [row(Row::NO_TEXT), row(a), row(b), row(renamed)].map(|row| ranks.of(&row)),
            [0, 1, 2, 2]
        );
        assert_eq!(ranks.count(), 3);
    }

    #[test]
    fn runs_have_one_key_each() {
        let mut names = Names::default();
        assert_eq!([7, 9, 7].map(|run| names.run_key(run)), [0, 1, 0]);
    }
}
