//! The types of frames that are measured.

use std::hint::black_box;

use tickpath_collectors::decode::{Listed, SymbolTable};
use tickpath_collectors::dialect::Dialect;
use tickpath_collectors::select;
use tickpath_peers::decode::barter::{self, Instruments};
use tickpath_peers::decode::{self as peer, Failed, SerdeJson, SonicRs, Symbols};
use tickpath_protocol::{InstrumentId, Scale, Venue};
use tickpath_service::config::Collector;

use super::generated::{self, Market};
use super::sink::Sink;

/// Decodes a frame with a JSON library.
pub type PeerDecode = fn(&str, &Symbols, &mut Sink) -> Result<(), Failed>;
/// Decodes a frame with `barter-data`.
pub type BarterDecode = fn(&str, &Instruments) -> Result<(), Failed>;

/// A type of frame.
pub struct Case {
    /// Venue and type.
    pub name: &'static str,
    /// Whose it is.
    pub venue: Venue,
    /// Symbols with the decimals of their prices and sizes.
    pub symbols: &'static [(&'static str, u8, u8)],
    /// Whether a frame is of the type.
    pub is_of_type: fn(&str) -> bool,
    /// Makes one up.
    pub generate: fn(&mut Market) -> String,
    /// The peers.
    pub serde_json: PeerDecode,
    /// See `serde_json`.
    pub sonic_rs: PeerDecode,
    /// Where it knows the type.
    pub barter: Option<Barter>,
}

/// How `barter-data` takes part.
pub struct Barter {
    /// As it names the channel.
    pub channel: &'static str,
    /// Decodes a frame …
    pub decode: BarterDecode,
    /// … which is this part of ours.
    pub frame: fn(&str) -> &str,
}

const BINANCE: &[(&str, u8, u8)] = &[
    ("BTCUSDT", 8, 8),
    ("ETHUSDT", 8, 8),
    ("SOLUSDT", 8, 8),
    ("DOGEUSDT", 8, 8),
];
const COINBASE: &[(&str, u8, u8)] = &[
    ("BTC-USD", 2, 8),
    ("ETH-USD", 2, 8),
    ("SOL-USD", 2, 8),
    ("DOGE-USD", 5, 8),
];
const KRAKEN: &[(&str, u8, u8)] = &[
    ("BTC/USD", 1, 8),
    ("ETH/USD", 2, 8),
    ("SOL/USD", 2, 8),
    ("DOGE/USD", 7, 8),
];
const ALPACA: &[(&str, u8, u8)] = &[
    ("BTC/USD", 9, 9),
    ("ETH/USD", 9, 9),
    ("SOL/USD", 9, 9),
    ("DOGE/USD", 9, 9),
];

/// The functions of a JSON peer, for both libraries.
macro_rules! json {
    ($($path:ident)::+) => {
        (
            |frame, symbols, sink| peer::$($path)::+::<SerdeJson>(frame, symbols, &mut |record| sink.put(&record)),
            |frame, symbols, sink| peer::$($path)::+::<SonicRs>(frame, symbols, &mut |record| sink.put(&record)),
        )
    };
}

/// How `barter-data` takes part, its event being dropped at once.
macro_rules! barter {
    ($channel:literal, $function:ident, $frame:expr) => {
        Some(Barter {
            channel: $channel,
            decode: |frame, instruments| barter::$function(frame, instruments).map(|event| drop(black_box(event))),
            frame: $frame,
        })
    };
}

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        barter: barter!("@trade", binance_trade, payload),
        ..Case::new(
            "binance.trade",
            BINANCE,
            |frame| frame.contains("\"e\":\"trade\""),
            generated::binance_trade,
            json!(binance::trades),
        )
    },
    Case {
        barter: barter!("@bookTicker", binance_book_ticker, payload),
        ..Case::new(
            "binance.bookTicker",
            BINANCE,
            |frame| frame.contains("@bookTicker\""),
            generated::binance_book_ticker,
            json!(binance::book_ticker),
        )
    },
    Case {
        barter: barter!("@depth@100ms", binance_depth, payload),
        ..Case::new(
            "binance.depth",
            BINANCE,
            |frame| frame.contains("\"e\":\"depthUpdate\""),
            generated::binance_depth,
            json!(binance::depth),
        )
    },
    Case {
        barter: barter!("matches", coinbase_match, |frame| frame),
        ..Case::new(
            "coinbase.match",
            COINBASE,
            |frame| frame.starts_with("{\"type\":\"match\""),
            generated::coinbase_match,
            json!(coinbase::matches),
        )
    },
    Case::new(
        "coinbase.ticker",
        COINBASE,
        |frame| frame.starts_with("{\"type\":\"ticker\""),
        generated::coinbase_ticker,
        json!(coinbase::ticker),
    ),
    Case::new(
        "coinbase.l2update",
        COINBASE,
        |frame| frame.starts_with("{\"type\":\"l2update\""),
        generated::coinbase_l2update,
        json!(coinbase::l2update),
    ),
    Case::new(
        "kraken.trade",
        KRAKEN,
        |frame| frame.starts_with("{\"channel\":\"trade\",\"type\":\"update\""),
        generated::kraken_trade,
        json!(kraken::trades),
    ),
    Case::new(
        "kraken.ticker",
        KRAKEN,
        |frame| frame.starts_with("{\"channel\":\"ticker\",\"type\":\"update\""),
        generated::kraken_ticker,
        json!(kraken::tickers),
    ),
    Case::new(
        "kraken.book",
        KRAKEN,
        |frame| frame.starts_with("{\"channel\":\"book\",\"type\":\"update\""),
        generated::kraken_book,
        json!(kraken::books),
    ),
    Case::new(
        "alpaca.trade",
        ALPACA,
        |frame| frame.starts_with("[{\"T\":\"t\""),
        generated::alpaca_trade,
        json!(alpaca::trades),
    ),
    Case::new(
        "alpaca.quote",
        ALPACA,
        |frame| frame.starts_with("[{\"T\":\"q\""),
        generated::alpaca_quote,
        json!(alpaca::quotes),
    ),
];

impl Case {
    const fn new(
        name: &'static str,
        symbols: &'static [(&'static str, u8, u8)],
        is_of_type: fn(&str) -> bool,
        generate: fn(&mut Market) -> String,
        (serde_json, sonic_rs): (PeerDecode, PeerDecode),
    ) -> Case {
        let venue = match name.as_bytes()[0] {
            b'b' => Venue::BINANCE,
            b'c' => Venue::COINBASE,
            b'k' => Venue::KRAKEN,
            _ => Venue::ALPACA,
        };
        Case {
            name,
            venue,
            symbols,
            is_of_type,
            generate,
            serde_json,
            sonic_rs,
            barter: None,
        }
    }

    /// The case of a name.
    pub fn named(name: &str) -> Option<&'static Case> {
        CASES.iter().find(|case| case.name == name)
    }

    /// The folder of the venue within captures.
    pub fn folder(&self) -> &'static str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// The venue's dialect.
    ///
    /// # Panics
    /// If the venue has none.
    pub fn dialect(&self) -> Box<dyn Dialect> {
        select::dialect(self.venue, &Collector::default()).expect("every venue of a case has a dialect")
    }

    /// The symbols for our decoder.
    pub fn symbol_table(&self) -> SymbolTable {
        let mut table = SymbolTable::new();
        for (symbol, id, scale) in self.listed() {
            table.insert(symbol, Listed { id, scale });
        }
        table
    }

    /// The same for the JSON peers.
    pub fn peer_symbols(&self) -> Symbols {
        self.listed()
            .map(|(symbol, id, scale)| (symbol.to_owned(), peer::Listed { id, scale }))
            .collect()
    }

    /// The same for `barter-data`.
    pub fn barter_instruments(&self, barter: &Barter) -> Instruments {
        Instruments::new(barter.channel, self.listed().map(|(symbol, ..)| symbol))
    }

    fn listed(&self) -> impl Iterator<Item = (&'static str, InstrumentId, Scale)> {
        self.symbols
            .iter()
            .zip(0..)
            .map(|((symbol, price_decimals, size_decimals), index)| {
                let scale = Scale::new(*price_decimals, *size_decimals).expect("a record can state the decimals");
                (*symbol, InstrumentId::new(self.venue, index), scale)
            })
    }
}

/// What Binance's `/ws` sends of a frame of `/stream`.
fn payload(frame: &str) -> &str {
    let start = frame.find("\"data\":").map_or(0, |at| at + "\"data\":".len());
    &frame[start..frame.len() - 1]
}
