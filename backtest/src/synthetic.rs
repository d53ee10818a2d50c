//! A market that never was, as records: one-minute bars of a random walk, the same for the same seed.
//!
//! A bar is four trades (open, low, high, close; open, high, low, close if it fell), a second apart at the begin of its minute and a fourth of its volume
//! each, and then the best bid and offer around its close: six records. Prices are whole ticks and move by integers alone, so that every machine makes the same bars.

use std::path::Path;

use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, Record, Scale, Side, StatusCode, Venue};

use crate::source::{BLOCK_RECORDS, Block, Fill, Range, SourceError};

/// Bars of a year.
pub const YEAR_BARS: u64 = 365 * 24 * 60;
/// Records of a bar.
pub const BAR_RECORDS: u64 = 6;

const SECOND_NS: i64 = 1_000_000_000;
const MINUTE_NS: i64 = 60 * SECOND_NS;
/// 2025-01-01 00:00 UTC.
const START_NS: i64 = 1_735_689_600 * SECOND_NS;
/// 50,000.00 at the start.
const START_PRICE: i64 = 5_000_000;
/// A tenth of it: a walk is turned back there.
const LEAST_PRICE: i64 = START_PRICE / 10;
/// Half of the spread.
const HALF_SPREAD: i64 = 5;
/// On each side of the quote, at 8 decimals.
const QUOTED_SIZE: i64 = 500_000_000;

/// The instrument: `BTC/USD` of the first test venue, 2 decimals of price, 8 of size.
///
/// # Panics
/// Never: the decimals are constants that fit.
#[must_use]
pub fn instrument() -> Instrument {
    Instrument {
        id: InstrumentId::new(Venue::test(0), 0),
        symbol: "BTC/USD".into(),
        name: "BTC/USD".into(),
        scale: Scale::new(2, 8).expect("2 and 8 are decimals"),
        tick: 1,
        lot: 1,
    }
}

/// So many one-minute bars, in blocks of `records` records or a bar more.
pub fn bars(count: u64, seed: u64, records: usize) -> Vec<Block> {
    let mut market = Market::new(seed);
    let mut blocks = Vec::new();
    let mut block = Block {
        instruments: vec![instrument()],
        ..Block::default()
    };
    market.open(&mut block);
    for bar in 0..count {
        market.bar(bar as i64, &mut block);
        if block.records.len() >= records {
            blocks.push(std::mem::take(&mut block));
        }
    }
    if !block.records.is_empty() {
        blocks.push(block);
    }
    blocks
}

/// What names a synthetic market where a path is expected, before the number of bars: `synthetic:525600`.
pub const PREFIX: &str = "synthetic:";

/// The number of bars, if a path asks for a synthetic market.
#[must_use]
pub fn asked_for(path: &Path) -> Option<u64> {
    let count = path.to_str()?.strip_prefix(PREFIX)?.parse().ok();
    count.filter(|count| (1..=100 * YEAR_BARS).contains(count))
}

/// Makes bars as they are read.
pub(crate) struct Bars {
    market: Market,
    range: Range,
    made: u64,
    count: u64,
    bar: Block,
}

impl Bars {
    /// Those of seed 1 that are in the range.
    pub fn new(count: u64, range: Range) -> Bars {
        Bars {
            market: Market::new(1),
            range,
            made: 0,
            count,
            bar: Block::default(),
        }
    }
}

impl Fill for Bars {
    fn fill(&mut self, block: &mut Block) -> Result<(), SourceError> {
        if self.made == 0 {
            block.instruments.push(instrument());
            self.market.open(&mut self.bar);
        }
        while self.made < self.count && block.records.len() < BLOCK_RECORDS {
            self.market.bar(self.made as i64, &mut self.bar);
            self.made += 1;
            let stamped = self.bar.records.drain(..).zip(self.bar.positions.drain(..));
            for (record, position) in stamped.filter(|(record, _)| self.range.holds(record.ts_recv)) {
                block.push(record, position);
            }
        }
        Ok(())
    }
}

struct Market {
    random: u64,
    price: i64,
    sequence: u64,
}

impl Market {
    fn new(seed: u64) -> Market {
        Market {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            price: START_PRICE,
            sequence: 0,
        }
    }

    /// xorshift64: short, and the same everywhere.
    fn below(&mut self, end: u64) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 11) % end) as i64
    }

    fn open(&mut self, block: &mut Block) {
        let instrument = instrument();
        let status = StatusCode::Trading.record(instrument.venue(), instrument.id, START_NS, 0, 0);
        self.push(status, block);
    }

    fn bar(&mut self, bar: i64, block: &mut Block) {
        let open = self.price;
        // Up to 0.2 % a minute either way, and a wick on both sides.
        let move_max = (open / 500).max(1) as u64;
        let drift = self.below(2 * move_max + 1) - move_max as i64;
        let close = (open + drift).max(LEAST_PRICE);
        let high = open.max(close) + self.below(move_max / 2 + 1);
        let low = open.min(close) - self.below(move_max / 2 + 1);
        let volume = 1 + self.below(50_000_000);
        let path = if close >= open {
            [open, low, high, close]
        } else {
            [open, high, low, close]
        };
        let start = START_NS + bar * MINUTE_NS;
        let mut before = open;
        for (second, price) in path.into_iter().enumerate() {
            let side = if price >= before { Side::Bid } else { Side::Ask };
            let at_ns = start + second as i64 * SECOND_NS;
            self.push(
                record(Kind::Trade, Flags::from(side).with(Flags::LAST), at_ns, price, volume),
                block,
            );
            before = price;
        }
        let at_ns = start + 4 * SECOND_NS;
        self.push(
            record(Kind::Quote, Flags::BID, at_ns, close - HALF_SPREAD, QUOTED_SIZE),
            block,
        );
        let last = Flags::ASK.with(Flags::LAST);
        self.push(
            record(Kind::Quote, last, at_ns, close + HALF_SPREAD, QUOTED_SIZE),
            block,
        );
        self.price = close;
    }

    fn push(&mut self, mut record: Record, block: &mut Block) {
        self.sequence += 1;
        record.sequence = self.sequence;
        block.records.push(record);
        block.positions.push(self.sequence - 1);
    }
}

fn record(kind: Kind, flags: Flags, at_ns: i64, price: i64, size: i64) -> Record {
    let instrument = InstrumentId::new(Venue::test(0), 0);
    Record {
        kind: kind as u8,
        venue: instrument.venue().0,
        flags: flags.0,
        // 2 decimals of price, 8 of size.
        scale: 2 << 4 | 8,
        instrument: instrument.0,
        sequence: 0,
        ts_event: at_ns,
        ts_recv: at_ns,
        price,
        size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_bars_and_repeat() {
        let blocks = bars(1_000, 7, 500);
        assert_eq!(blocks, bars(1_000, 7, 500));
        assert_ne!(blocks, bars(1_000, 8, 500));
        let records: Vec<Record> = blocks.iter().flat_map(|block| block.records.iter().copied()).collect();
        assert_eq!(records.len() as u64, 1_000 * BAR_RECORDS + 1);
        assert!(
            records
                .windows(2)
                .all(|pair| pair[0].ts_recv <= pair[1].ts_recv && pair[0].sequence + 1 == pair[1].sequence)
        );
        for bar in records[1..].chunks(BAR_RECORDS as usize) {
            let prices: Vec<i64> = bar.iter().map(|record| record.price).collect();
            let (high, low) = (prices[1].max(prices[2]), prices[1].min(prices[2]));
            assert!(low <= prices[0] && prices[0] <= high && low <= prices[3] && prices[3] <= high);
            assert!(low > 0 && prices[4] < prices[5] && prices[4] < prices[3] && prices[3] < prices[5]);
        }
    }
}
