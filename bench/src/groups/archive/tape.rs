//! The records of captures, repeated for as long as a measurement wants, as a recorder would have kept them.

use std::path::Path;

use tickpath_collectors::offline::decode_capture;
use tickpath_protocol::{Instrument, InstrumentId, Record, Venue};
use tickpath_storage::journal::{Appender, Settings};

use crate::context::{BenchError, Context, Result, Tried};

/// Venues that there are captures of.
pub const VENUES: [&str; 3] = ["binance", "coinbase", "kraken"];
/// Midnight, from which on every record is received: one day, whatever day a capture was taken.
const START_NS: i64 = 1_795_219_200_000_000_000;
/// Records that reach the journal at once, as of a busy recorder.
const BATCH: usize = 256;
/// What lies between reception and publication.
const PUBLISHED_AFTER_NS: i64 = 9_000;

/// Records in order, all within a few minutes from [`START_NS`] on.
#[derive(Debug, Default)]
pub struct Tape {
    instruments: Vec<Instrument>,
    records: Vec<Record>,
    span_ns: i64,
}

/// A record with what a line of CSV says beside it.
#[derive(Debug)]
pub struct Line<'a> {
    pub record: Record,
    pub position: u64,
    pub published_ns: i64,
    pub symbol: &'a str,
}

impl Tape {
    /// Adds the capture of a venue behind the others.
    pub fn add(&mut self, context: &Context, venue: &str) -> Result<()> {
        let code: Venue = venue.parse().tried(venue)?;
        let (mut records, mut instruments): (Vec<Record>, Vec<Instrument>) = (Vec::new(), Vec::new());
        decode_capture(code, &context.capture(venue), |record, table| {
            if instruments.len() < table.len() {
                instruments = table.iter().cloned().collect();
            }
            records.push(*record);
        })
        .tried(venue)?;
        let first = records.first().map(|record| record.ts_recv);
        let first = first.ok_or_else(|| BenchError::new(venue, "the capture holds no record"))?;
        for record in &mut records {
            let moved = START_NS + self.span_ns - first;
            record.ts_recv += moved;
            record.ts_event += moved;
        }
        let end = records.iter().map(|record| record.ts_recv).max().unwrap_or(START_NS);
        self.span_ns = end - START_NS + 1_000_000;
        self.records.append(&mut records);
        self.instruments.append(&mut instruments);
        Ok(())
    }

    /// Records of one turn.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// The first `count` records of endless turns, each turn later than the one before, all within the day.
    fn repeated(&self, count: usize) -> impl Iterator<Item = Record> {
        let turns = count.div_ceil(self.len().max(1)) as i64;
        // Where a day is too short for so many turns, they overlap: their order is the journal's, not the clock's.
        let step = self.span_ns.min(80_000_000_000_000 / turns.max(1));
        let len = self.len();
        (0..count).map(move |at| {
            let mut record = self.records[at % len];
            let later = (at / len) as i64 * step;
            record.ts_recv += later;
            record.ts_event += later;
            record.sequence += (at / len * len) as u64;
            record
        })
    }

    /// The same with what a line of CSV says beside the record.
    pub fn rows(&self, count: usize) -> impl Iterator<Item = Line<'_>> {
        let symbol = |id: InstrumentId| {
            let found = self.instruments.iter().find(|instrument| instrument.id == id);
            found.map_or("", |instrument| instrument.symbol.as_str())
        };
        self.repeated(count).enumerate().map(move |(at, record)| Line {
            record,
            position: at as u64,
            published_ns: record.ts_recv + PUBLISHED_AFTER_NS,
            symbol: symbol(record.instrument()),
        })
    }

    /// Writes a journal of `count` records in `dir`.
    pub fn write(&self, dir: &Path, count: usize) -> Result<()> {
        let settings = Settings {
            segment_records: (count as u64).clamp(1 << 10, 1 << 22),
            ..Settings::default()
        };
        let mut appender = Appender::open(dir, settings).tried("the journal")?;
        appender.begin_run(1).tried("the journal")?;
        for instrument in &self.instruments {
            appender.instrument(instrument).tried("the journal")?;
        }
        let mut batch = Vec::with_capacity(BATCH);
        let mut published = Vec::with_capacity(BATCH);
        for record in self.repeated(count) {
            batch.push(record);
            published.push(record.ts_recv + PUBLISHED_AFTER_NS);
            if batch.len() == BATCH {
                appender
                    .append(appender.next_position(), &batch, &published)
                    .tried("the journal")?;
                batch.clear();
                published.clear();
            }
        }
        if !batch.is_empty() {
            appender
                .append(appender.next_position(), &batch, &published)
                .tried("the journal")?;
        }
        appender.seal().tried("the journal")?;
        Ok(())
    }
}
