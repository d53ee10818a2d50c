//! A market with the batches that its venue cuts on the clock.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use tickpath_protocol::{OrderBook, Side, Venue};

use super::{DEPTH_FAST_MS, DEPTH_SLOW_MS, LEVEL2_BATCH_MS};
use crate::market::{Event, Market};

/// What happened since the last batch, each price once with its last size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// How often such batches are cut.
    pub period_ms: u64,
    /// First update number that is covered.
    pub first_update: u64,
    /// Last update number that is covered.
    pub last_update: u64,
    /// Price and size.
    pub bids: BTreeMap<i64, i64>,
    /// Price and size.
    pub asks: BTreeMap<i64, i64>,
}

/// A market with its batches.
#[derive(Debug)]
pub(super) struct ListedMarket {
    pub(super) market: Market,
    batches: Vec<Batch>,
    /// The book as of the last Coinbase batch: what a client that applied all batches has.
    pub(super) batched: Option<OrderBook>,
    pub(super) rng: ChaCha8Rng,
}

impl ListedMarket {
    pub(super) fn new(market: Market, venue: Venue, rng: ChaCha8Rng) -> ListedMarket {
        let periods: &[u64] = match venue {
            Venue::BINANCE => &[DEPTH_FAST_MS, DEPTH_SLOW_MS],
            Venue::COINBASE => &[LEVEL2_BATCH_MS],
            _ => &[],
        };
        let empty = |period_ms: &u64| Batch {
            period_ms: *period_ms,
            first_update: market.update() + 1,
            last_update: market.update(),
            ..Batch::default()
        };
        ListedMarket {
            batches: periods.iter().map(empty).collect(),
            batched: (venue == Venue::COINBASE).then(|| market.book().clone()),
            market,
            rng,
        }
    }

    /// Takes an event of the market into the batches.
    pub(super) fn gather(&mut self, event: &Event) {
        for batch in &mut self.batches {
            for change in &event.changes {
                let levels = match change.side {
                    Side::Bid => &mut batch.bids,
                    Side::Ask => &mut batch.asks,
                };
                levels.insert(change.price, change.size);
            }
            batch.last_update = event.last_update;
        }
    }

    /// Takes the batch of `period_ms` if levels changed since the last one.
    pub(super) fn flush(&mut self, period_ms: u64) -> Option<Batch> {
        let batch = self.batches.iter_mut().find(|batch| batch.period_ms == period_ms)?;
        if batch.bids.is_empty() && batch.asks.is_empty() {
            return None;
        }
        let next = Batch {
            period_ms,
            first_update: batch.last_update + 1,
            last_update: batch.last_update,
            ..Batch::default()
        };
        if let Some(book) = &mut self.batched {
            book.clone_from(self.market.book());
        }
        Some(std::mem::replace(batch, next))
    }
}
