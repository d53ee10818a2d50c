//! Instruments by venue and symbol over all runs of a relay that the data is of.

use std::collections::{HashMap, HashSet};

use tickpath_protocol::{Instrument, InstrumentId, Scale, Venue};

/// Ids of now for ids of then.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// By venue and index of then: key of the symbol then, and the id of now.
    then: Vec<Vec<Option<(u32, InstrumentId)>>>,
    now: HashMap<(Venue, String), Known>,
    taken: HashSet<InstrumentId>,
}

#[derive(Debug)]
struct Known {
    id: InstrumentId,
    scale: Scale,
}

/// An instrument contradicts what was known of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OtherDecimals;

impl Ids {
    /// The id of now, if this id was met with this symbol's key before.
    #[inline]
    pub fn get(&self, then: InstrumentId, key: u32) -> Option<InstrumentId> {
        let venue = self.then.get(usize::from(then.venue().0))?;
        match venue.get(then.index()) {
            Some(Some((known, now))) if *known == key => Some(*now),
            _ => None,
        }
    }

    /// Learns what an id of then means; whether this is news that the core must hear of, under the id in the instrument.
    pub fn learn(&mut self, key: u32, instrument: &mut Instrument) -> Result<bool, OtherDecimals> {
        let then = instrument.id;
        let name = (instrument.venue(), instrument.symbol.clone());
        let is_new = match self.now.get(&name) {
            Some(known) if known.scale != instrument.scale => return Err(OtherDecimals),
            Some(known) => {
                instrument.id = known.id;
                false
            }
            None => {
                instrument.id = self.free(then);
                let known = Known {
                    id: instrument.id,
                    scale: instrument.scale,
                };
                self.taken.insert(instrument.id);
                self.now.insert(name, known);
                true
            }
        };
        self.remember(then, key, instrument.id);
        Ok(is_new)
    }

    /// The same id if nobody has it, else the first one behind all that the venue has.
    fn free(&self, then: InstrumentId) -> InstrumentId {
        if !self.taken.contains(&then) {
            return then;
        }
        let venue = then.venue();
        let of_venue = self.taken.iter().filter(|id| id.venue() == venue);
        let last = of_venue.map(|id| id.index()).max().unwrap_or(0);
        InstrumentId::new(venue, last as u32 + 1)
    }

    fn remember(&mut self, then: InstrumentId, key: u32, now: InstrumentId) {
        let (venue, index) = (usize::from(then.venue().0), then.index());
        if self.then.len() <= venue {
            self.then.resize_with(venue + 1, Vec::new);
        }
        if self.then[venue].len() <= index {
            self.then[venue].resize(index + 1, None);
        }
        self.then[venue][index] = Some((key, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instrument(index: u32, symbol: &str, decimals: u8) -> Instrument {
        Instrument {
            id: InstrumentId::new(Venue::KRAKEN, index),
            symbol: symbol.into(),
            name: symbol.into(),
            scale: Scale::new(decimals, 8).unwrap(),
            tick: 1,
            lot: 1,
        }
    }

    #[test]
    fn a_symbol_has_one_id_over_all_runs() {
        let mut ids = Ids::default();
        let learn = |ids: &mut Ids, key, mut instrument: Instrument| {
            ids.learn(key, &mut instrument)
                .map(|is_new| (is_new, instrument.id.index()))
        };
        assert_eq!(learn(&mut ids, 0, instrument(0, "BTC/USD", 2)), Ok((true, 0)));
        assert_eq!(learn(&mut ids, 1, instrument(1, "ETH/USD", 2)), Ok((true, 1)));
        // Another run numbers them the other way round, and has one more.
        assert_eq!(ids.get(InstrumentId::new(Venue::KRAKEN, 0), 1), None);
        assert_eq!(learn(&mut ids, 1, instrument(0, "ETH/USD", 2)), Ok((false, 1)));
        assert_eq!(learn(&mut ids, 2, instrument(1, "XRP/USD", 5)), Ok((true, 2)));
        assert_eq!(ids.get(InstrumentId::new(Venue::KRAKEN, 0), 1).unwrap().index(), 1);
        assert_eq!(ids.get(InstrumentId::new(Venue::KRAKEN, 1), 2).unwrap().index(), 2);
        assert_eq!(learn(&mut ids, 0, instrument(2, "BTC/USD", 3)), Err(OtherDecimals));
    }
}
