//! The order book beside two sorted maps, at 10, 100 and 1,000 levels a side.
//!
//! An update's distance from the top is drawn so that most fall on the first few levels, as on real feeds; 6 of 10 change a size, 2 remove a level and 2 add one (which
//! is then the price that was removed, or its neighbour), so the depth stays what it is. `.anywhere` draws the distance evenly over the side instead.
//! Both books apply the same updates in turns, a batch each; a value is a batch's time over its updates.

use std::hint::black_box;

use quanta::Clock;
use tickpath_peers::book::MapBook;
use tickpath_protocol::{OrderBook, Side};

use crate::context::{BenchError, Context, Result};
use crate::groups::ring::on_core;
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

const LEVELS: [usize; 3] = [10, 100, 1000];
/// Updates of one value.
const BATCH: usize = 1000;
const BATCHES: usize = 64;
const MIDDLE: i64 = 1_000_000;
/// Prices are this far apart, so that there is room for new ones between.
const STEP: i64 = 2;

/// Where updates fall.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spread {
    NearTop,
    Anywhere,
}

#[derive(Clone, Copy)]
struct Update {
    side: Side,
    price: i64,
    size: i64,
}

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for levels in LEVELS {
        for (spread, suffix) in [(Spread::NearTop, ""), (Spread::Anywhere, ".anywhere")] {
            let (ours, map) = on_core(context.near(), || compare(context, levels, spread))?;
            measurements.push(
                Measurement::new(format!("book.update.{levels}{suffix}"), "ns", Better::Lower, ours)
                    .peer("BTreeMap", map)
                    .note(format!("a value is the mean of {BATCH} updates")),
            );
        }
    }
    Ok(measurements)
}

fn compare(context: &Context, levels: usize, spread: Spread) -> Result<(Samples, Samples)> {
    let clock = Clock::new();
    let (mut book, mut map) = (OrderBook::new(), MapBook::default());
    let wrong = |error| BenchError::new("the book", error);
    for update in image(levels) {
        book.apply(update.side, update.price, update.size).map_err(wrong)?;
        map.apply(update.side, update.price, update.size);
    }
    let tape = tape(levels, spread);
    let scale = 1.0 / BATCH as f64;
    let (mut ours, mut theirs) = (Samples::new(scale), Samples::new(scale));
    for pass in 0..context.pick(60, 2) {
        for batch in tape.chunks(BATCH) {
            let start = clock.raw();
            for update in batch {
                book.apply(update.side, update.price, update.size).map_err(wrong)?;
            }
            black_box(&book);
            let middle = clock.raw();
            for update in batch {
                map.apply(update.side, update.price, update.size);
            }
            black_box(&map);
            let end = clock.raw();
            // The first pass warms up.
            if pass > 0 {
                ours.add(clock.delta_as_nanos(start, middle));
                theirs.add(clock.delta_as_nanos(middle, end));
            }
        }
        let best = [Side::Bid, Side::Ask].map(|side| book.best(side).map(|level| (level.price, level.size)));
        if best != [map.best(Side::Bid), map.best(Side::Ask)] {
            return Err(BenchError::new("the book", "it differs from the maps"));
        }
    }
    Ok((ours, theirs))
}

fn image(levels: usize) -> impl Iterator<Item = Update> {
    (0..levels).flat_map(|level| {
        [Side::Bid, Side::Ask].map(|side| Update {
            side,
            price: price(side, level),
            size: 100,
        })
    })
}

fn price(side: Side, level: usize) -> i64 {
    let distance = STEP * (1 + level as i64);
    match side {
        Side::Bid => MIDDLE - distance,
        Side::Ask => MIDDLE + distance,
    }
}

/// Updates that leave the book about as deep as it was, however often they are replayed.
fn tape(levels: usize, spread: Spread) -> Vec<Update> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut removed: Vec<Update> = Vec::new();
    let mut tape = Vec::with_capacity(BATCH * BATCHES);
    while tape.len() < BATCH * BATCHES {
        let side = if random.below(2) == 0 { Side::Bid } else { Side::Ask };
        let update = |level, size| Update {
            side,
            price: price(side, level),
            size,
        };
        let level = random.level(levels, spread);
        let size = 1 + random.below(1_000_000) as i64;
        match random.below(10) {
            0..6 => tape.push(update(level, size)),
            6..8 => {
                removed.push(update(level, size));
                tape.push(update(level, 0));
            }
            _ => tape.push(removed.pop().unwrap_or(update(level, size))),
        }
    }
    // What is missing at the end comes back, so that every pass begins alike.
    let missing = removed.len().min(tape.len());
    let end = tape.len() - missing;
    tape.splice(end.., removed);
    tape.truncate(BATCH * BATCHES);
    tape
}

/// A small generator that repeats: both books, and every run, see the same updates.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    /// Half of all on the first level, a quarter on the second, …; or any.
    fn level(&mut self, levels: usize, spread: Spread) -> usize {
        let level = match spread {
            Spread::Anywhere => self.below(levels as u64) as usize,
            // A coarser halving: the first two levels get three of ten, and one of a thousand lies below the fortieth.
            Spread::NearTop => (self.next().leading_zeros() * 4) as usize + self.below(4) as usize,
        };
        level % levels
    }
}
