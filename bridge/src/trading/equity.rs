//! What positions are worth now, by currency, and what they were worth before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::position::Money;
use super::{Holding, Trading};

/// Samples that are kept: half an hour, a second apart.
pub const SAMPLES_KEPT: usize = 1_800;
/// Time between two samples, ns.
const SAMPLE_NS: i64 = 1_000_000_000;

/// Gains and fees of a currency; the last is realized and unrealized gains less fees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Of what was closed.
    pub realized: Money,
    /// Of what is held, at the newest marks.
    pub unrealized: Money,
    /// Fees less rebates.
    pub fees: Money,
}

impl Sums {
    /// What was gained or lost in all.
    #[must_use]
    pub fn total(&self) -> Money {
        self.realized.saturating_add(self.unrealized).saturating_sub(self.fees)
    }

    fn add(&mut self, holding: &Holding, mark: Option<i64>) {
        let (position, scale) = (&holding.position, holding.scale);
        let unrealized = mark.map_or(0, |mark| position.unrealized(mark, scale));
        self.realized = self.realized.saturating_add(position.realized(scale));
        self.unrealized = self.unrealized.saturating_add(unrealized);
        self.fees = self.fees.saturating_add(position.fees());
    }
}

/// The price at which so much (negative: short) of an instrument, by number, could be closed now; `None` if there is none.
pub type Mark<'a> = &'a dyn Fn(u32, i64) -> Option<i64>;

/// The total of a currency over time.
#[derive(Debug, Default)]
pub struct Equity {
    curves: BTreeMap<Arc<str>, VecDeque<(i64, Money)>>,
    sampled_ns: i64,
}

impl Equity {
    /// When the last point was added, ns.
    #[must_use]
    pub fn sampled_ns(&self) -> Option<i64> {
        (self.sampled_ns > 0).then_some(self.sampled_ns)
    }

    /// By currency: time in ns, total. The oldest first.
    pub fn curves(&self) -> impl Iterator<Item = (&str, impl ExactSizeIterator<Item = (i64, Money)>)> {
        self.curves
            .iter()
            .map(|(currency, curve)| (&**currency, curve.iter().copied()))
    }
}

impl Trading {
    /// Gains and fees by currency; of one strategy, or of all.
    #[must_use]
    pub fn sums(&self, strategy: Option<u16>, mark: Mark<'_>) -> BTreeMap<Arc<str>, Sums> {
        let mut sums: BTreeMap<Arc<str>, Sums> = BTreeMap::new();
        for (of, number, holding) in self.holdings() {
            if strategy.is_none_or(|wanted| wanted == of) {
                let mark = mark(number, holding.position.quantity());
                sums.entry(Arc::clone(&holding.currency))
                    .or_default()
                    .add(holding, mark);
            }
        }
        sums
    }

    /// Adds a point to the curves, if the last is a second old and there is anything to show; whether it did.
    pub fn sample(&mut self, now_ns: i64, mark: Mark<'_>) -> bool {
        if self.holdings.is_empty() || now_ns.saturating_sub(self.equity.sampled_ns) < SAMPLE_NS {
            return false;
        }
        self.equity.sampled_ns = now_ns;
        for (currency, sums) in self.sums(None, mark) {
            let curve = self.equity.curves.entry(currency).or_default();
            if curve.len() >= SAMPLES_KEPT {
                curve.pop_front();
            }
            curve.push_back((now_ns, sums.total()));
        }
        true
    }
}
