//! A capture through the collector, as decimal text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tickpath_collectors::offline::{Summary, decode_capture};
use tickpath_protocol::{DecimalText, Flags, InstrumentTable, Kind, OrderBook, Record, Side, StatusCode, Venue};

/// Prices of a side to sizes, both as the shortest decimal text.
pub type Levels = BTreeMap<String, String>;
/// Bids and asks.
pub type Book = [Levels; 2];

/// A small capture of our own.
pub fn own(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures")).join(name)
}

/// `62807.0` and `62807` are the same number: without superfluous zeros.
pub fn shortest(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

/// One trade: symbol, side, price, size, event time in µs.
pub type Trade = (String, &'static str, String, String, i64);
/// One quote: symbol, bid, bid size, ask, ask size.
pub type Quote = (String, [String; 4]);
/// One level: symbol, side, price, size.
pub type Level = (String, &'static str, String, String);

/// A capture through the collector.
#[derive(Default)]
pub struct Replayed {
    pub summary: Summary,
    pub trades: Vec<Trade>,
    pub quotes: Vec<Quote>,
    /// Without those of images and those computed.
    pub levels: Vec<Level>,
    pub books: BTreeMap<String, Book>,
    pub trusted: BTreeSet<String>,
    applied: BTreeMap<u32, (String, OrderBook, Vec<Record>)>,
}

impl Replayed {
    pub fn of(venue: Venue, dir: &Path) -> Replayed {
        let mut replayed = Replayed::default();
        let mut sequence = 0;
        let summary = decode_capture(venue, dir, |record, table| {
            sequence += 1;
            assert_eq!(record.sequence, sequence);
            assert_eq!(record.venue(), venue);
            replayed.take(record, table);
        });
        replayed.summary = summary.unwrap();
        assert_eq!(replayed.summary.records, sequence);
        for (symbol, book, sample) in std::mem::take(&mut replayed.applied).into_values() {
            let Some(sample) = sample.first() else { continue };
            let side = |side| {
                let levels = book.levels(side);
                levels
                    .map(|level| {
                        (
                            text(level.price, sample.scale().price_decimals()),
                            text(level.size, sample.scale().size_decimals()),
                        )
                    })
                    .collect()
            };
            replayed.books.insert(symbol, [side(Side::Bid), side(Side::Ask)]);
        }
        replayed
    }

    fn take(&mut self, record: &Record, table: &InstrumentTable) {
        let symbol = table
            .get(record.instrument())
            .map(|row| row.symbol.clone())
            .unwrap_or_default();
        let flags = record.flags();
        let price = text(record.price, record.scale().price_decimals());
        let size = text(record.size, record.scale().size_decimals());
        match record.kind() {
            Some(Kind::Trade) => {
                let side = match flags.side() {
                    Some(Side::Bid) => "buy",
                    Some(Side::Ask) => "sell",
                    None => "",
                };
                self.trades.push((symbol, side, price, size, record.ts_event / 1_000));
            }
            Some(Kind::Quote) if flags.contains(Flags::DERIVED) => {}
            Some(Kind::Quote) if flags.side() == Some(Side::Bid) => {
                self.quotes.push((symbol, [price, size, String::new(), String::new()]));
            }
            Some(Kind::Quote) => {
                let quote = &mut self.quotes.last_mut().unwrap().1;
                (quote[2], quote[3]) = (price, size);
            }
            Some(Kind::BookClear) => self.book(record, symbol).1.clear(),
            Some(Kind::BookLevel) => {
                let side = flags.side().unwrap();
                let entry = self.book(record, symbol.clone());
                entry.1.apply(side, record.price, record.size).unwrap();
                entry.2.push(*record);
                entry.2.truncate(1);
                if !flags.contains(Flags::SNAPSHOT) && !flags.contains(Flags::DERIVED) {
                    let side = if side == Side::Bid { "bid" } else { "ask" };
                    self.levels.push((symbol, side, price, size));
                }
            }
            Some(Kind::Status) => match StatusCode::of(record) {
                Some(StatusCode::BookTrusted) => drop(self.trusted.insert(symbol)),
                Some(StatusCode::BookUntrusted) => drop(self.trusted.remove(&symbol)),
                _ => {}
            },
            kind => panic!("a capture without faults brings no {kind:?}"),
        }
    }

    fn book(&mut self, record: &Record, symbol: String) -> &mut (String, OrderBook, Vec<Record>) {
        self.applied
            .entry(record.instrument)
            .or_insert_with(|| (symbol, OrderBook::new(), Vec::new()))
    }
}

fn text(mantissa: i64, decimals: u8) -> String {
    if mantissa == Record::ABSENT {
        return String::new();
    }
    shortest(&DecimalText::new(mantissa, decimals).to_string())
}
