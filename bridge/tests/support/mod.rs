//! What the tests share: a small market of records, and a client's view of the messages.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod clients;
pub mod live;
pub mod tls;

use std::collections::BTreeMap;

use serde_json::Value;
use tickpath_bridge::event::{Sink, StatusEvent, Update};
use tickpath_bridge::market::VenueState;
use tickpath_bridge::state::InstrumentState;
use tickpath_protocol::{
    Flags, Instrument, InstrumentId, InstrumentTable, Kind, Record, Scale, Side, StatusCode, Venue,
};

/// Instruments of the tests: two of Kraken, one of Binance.
pub fn table() -> InstrumentTable {
    let mut table = InstrumentTable::new();
    for (venue, index, symbol, name) in [
        (Venue::KRAKEN, 0, "BTC/USD", "BTC/USD"),
        (Venue::KRAKEN, 1, "ETH/USD", "ETH/USD"),
        (Venue::BINANCE, 0, "BTCUSDT", "BTC/USDT"),
    ] {
        table.insert(instrument(venue, index, symbol, name)).unwrap();
    }
    table
}

pub fn instrument(venue: Venue, index: u32, symbol: &str, name: &str) -> Instrument {
    Instrument {
        id: InstrumentId::new(venue, index),
        symbol: symbol.into(),
        name: name.into(),
        scale: Scale::new(1, 3).unwrap(),
        tick: 1,
        lot: 0,
    }
}

pub const BTC: InstrumentId = InstrumentId::new(Venue::KRAKEN, 0);
pub const ETH: InstrumentId = InstrumentId::new(Venue::KRAKEN, 1);

/// Numbers records as their producers do.
#[derive(Default)]
pub struct Producer {
    pub sequence: u64,
}

impl Producer {
    pub fn record(&mut self, kind: Kind, instrument: InstrumentId, flags: Flags, price: i64, size: i64) -> Record {
        self.sequence += 1;
        Record {
            kind: kind as u8,
            venue: instrument.venue().0,
            flags: flags.0,
            scale: Scale::new(1, 3).unwrap().to_byte(),
            instrument: instrument.0,
            sequence: self.sequence,
            ts_event: 1_000 + self.sequence as i64,
            ts_recv: 2_000 + self.sequence as i64,
            price,
            size,
        }
    }

    pub fn trade(&mut self, instrument: InstrumentId, side: Side, price: i64, size: i64) -> Record {
        self.record(
            Kind::Trade,
            instrument,
            Flags::from(side).with(Flags::LAST),
            price,
            size,
        )
    }

    pub fn quote(&mut self, instrument: InstrumentId, bid: i64, ask: i64) -> [Record; 2] {
        [
            self.record(Kind::Quote, instrument, Flags::BID, bid, 1_000),
            self.record(Kind::Quote, instrument, Flags::ASK.with(Flags::LAST), ask, 2_000),
        ]
    }

    /// An event of levels; the last one is flagged.
    pub fn levels(&mut self, instrument: InstrumentId, flags: Flags, levels: &[(Side, i64, i64)]) -> Vec<Record> {
        let last = levels.len().saturating_sub(1);
        let mut records = Vec::new();
        for (index, &(side, price, size)) in levels.iter().enumerate() {
            let last = if index == last { Flags::LAST } else { Flags::NONE };
            let flags = flags.with(side.into()).with(last);
            records.push(self.record(Kind::BookLevel, instrument, flags, price, size));
        }
        records
    }

    /// An image: a clear and its levels.
    pub fn image(&mut self, instrument: InstrumentId, levels: &[(Side, i64, i64)]) -> Vec<Record> {
        let last = if levels.is_empty() { Flags::LAST } else { Flags::NONE };
        let clear = self.record(Kind::BookClear, instrument, Flags::SNAPSHOT.with(last), 0, 0);
        let mut records = vec![clear];
        records.extend(self.levels(instrument, Flags::SNAPSHOT, levels));
        records
    }

    pub fn status(&mut self, code: StatusCode, instrument: InstrumentId, price: i64, size: i64) -> Record {
        self.sequence += 1;
        let venue = if instrument == InstrumentId::NONE {
            Venue::KRAKEN
        } else {
            instrument.venue()
        };
        Record {
            sequence: self.sequence,
            ..code.record(venue, instrument, 3_000, price, size)
        }
    }
}

/// Notes what a market says, in words.
#[derive(Default)]
pub struct Notes(pub Vec<String>);

impl Notes {
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }
}

impl Sink for Notes {
    fn opened(&mut self, state: &InstrumentState) {
        self.0.push(format!("opened {}", state.path().symbol));
    }

    fn venue_opened(&mut self, _: u8, venue: Venue) {
        self.0.push(format!("opened {venue}"));
    }

    fn instrument(&mut self, state: &InstrumentState, update: Update<'_>) {
        let trusted = if state.is_trusted() { "trusted" } else { "untrusted" };
        let symbol = &state.instrument().symbol;
        self.0.push(match update {
            Update::Trades(trades) => format!("{symbol} trades {}", trades.len()),
            Update::Quote(quote) => format!("{symbol} quote {} {}", quote.bid, quote.ask),
            Update::Levels(levels) => format!("{symbol} levels {} {trusted}", levels.len()),
            Update::Image => {
                let depth = state.book().depth(Side::Bid) + state.book().depth(Side::Ask);
                format!("{symbol} image {depth} {trusted}")
            }
            Update::Status(event) => format!("{symbol} status {}", event.status),
        });
    }

    fn trading(&mut self, update: tickpath_bridge::trading::Update<'_>) {
        self.0.push(format!("{update:?}"));
    }

    fn venue(&mut self, _: u8, state: &VenueState, status: &StatusEvent) {
        let venue = state.venue();
        self.0
            .push(format!("{venue} status {} {:?}", status.status, status.cause));
    }
}

/// A book as a client builds it from messages: price text to size text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientBook {
    pub bids: BTreeMap<i64, String>,
    pub asks: BTreeMap<i64, String>,
    pub sequence: u64,
    pub trusted: bool,
}

impl ClientBook {
    /// Applies a message of the book channel.
    pub fn apply(&mut self, message: &Value) {
        if message["type"] == "snapshot" {
            self.bids.clear();
            self.asks.clear();
        }
        for item in message["data"].as_array().unwrap() {
            for (side, name) in [(&mut self.bids, "bids"), (&mut self.asks, "asks")] {
                for level in item[name].as_array().unwrap() {
                    let price = tenths(level[0].as_str().unwrap());
                    let size = level[1].as_str().unwrap();
                    if size.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
                        side.remove(&price);
                    } else {
                        side.insert(price, size.to_owned());
                    }
                }
            }
            self.sequence = item["sequence"].as_u64().unwrap();
            self.trusted = item["trusted"].as_bool().unwrap();
        }
    }

    /// The book of a market's state.
    pub fn of(state: &InstrumentState) -> ClientBook {
        let side = |side| {
            state
                .book()
                .levels(side)
                .map(|level| {
                    let size = tickpath_protocol::DecimalText::new(level.size, state.scale().size_decimals());
                    (level.price, size.to_string())
                })
                .collect()
        };
        ClientBook {
            bids: side(Side::Bid),
            asks: side(Side::Ask),
            sequence: state.book_stamp().sequence,
            trusted: state.is_trusted(),
        }
    }
}

/// The mantissa of a price at one decimal.
pub fn tenths(text: &str) -> i64 {
    tickpath_protocol::decimal::parse(text.as_bytes(), 1).unwrap()
}
