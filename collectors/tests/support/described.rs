//! Both decoders side by side, events as text, and texts that venues write, for the tests of the Coinbase and Alpaca dialects.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tickpath_collectors::decode::{Decoded, Listed, Mark, Refused, SymbolTable, What};
use tickpath_collectors::dialect::Dialect;
use tickpath_protocol::{DecimalText, Flags, InstrumentId, Kind, Record, Scale, Side};

/// A dialect with the symbols that it is to know.
pub struct Decoders {
    pub dialect: Box<dyn Dialect>,
    pub symbols: SymbolTable,
    names: BTreeMap<u32, String>,
}

impl Decoders {
    pub fn new(dialect: impl Dialect + 'static, listed: &[(&str, u8, u8)]) -> Decoders {
        let mut decoders = Decoders {
            dialect: Box::new(dialect),
            symbols: SymbolTable::new(),
            names: BTreeMap::new(),
        };
        for (symbol, price, size) in listed {
            decoders.add(symbol, Scale::new(*price, *size).unwrap());
        }
        decoders
    }

    /// With the instruments of the capture's REST answers.
    pub fn of_capture(dialect: impl Dialect + 'static, capture: &Path) -> Decoders {
        let mut decoders = Decoders::new(dialect, &[]);
        let rest = std::fs::read_to_string(capture.join("rest.tsv")).unwrap();
        for line in rest.lines() {
            let [_, url, body] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            assert!(
                decoders.dialect.discovery().iter().any(|path| url.ends_with(path)),
                "{url}"
            );
            for listing in decoders.dialect.listings(body.as_bytes()).unwrap() {
                decoders.add(&listing.symbol, listing.scale);
            }
        }
        decoders
    }

    fn add(&mut self, symbol: &str, scale: Scale) {
        let index = u32::try_from(self.names.len()).unwrap();
        let id = InstrumentId::new(self.dialect.venue(), index);
        self.symbols.insert(symbol, Listed { id, scale });
        self.names.insert(id.0, symbol.to_owned());
    }

    /// What the fast decoder makes of a frame.
    pub fn fast(&self, frame: &[u8]) -> Option<Decoded> {
        let mut out = Decoded::default();
        self.dialect.decode_fast(frame, &self.symbols, &mut out).then_some(out)
    }

    /// What the complete decoder makes of a frame, having checked that the fast one, if it accepts, agrees.
    pub fn full(&self, frame: &[u8]) -> Result<Decoded, Refused> {
        let mut out = Decoded::default();
        let full = self.dialect.decode_full(frame, &self.symbols, &mut out).map(|()| out);
        if let Some(fast) = self.fast(frame) {
            assert_eq!(Ok(&fast), full.as_ref(), "{}", String::from_utf8_lossy(frame));
        }
        full
    }

    /// The events of a frame as text.
    pub fn text(&self, frame: &str) -> Vec<String> {
        let decoded = self
            .full(frame.as_bytes())
            .unwrap_or_else(|refused| panic!("{refused}: {frame}"));
        self.describe(&decoded)
    }

    /// That a frame has these events, and that the fast decoder knows it.
    #[track_caller]
    pub fn check_fast(&self, frame: &str, expected: &[&str]) {
        assert!(self.fast(frame.as_bytes()).is_some(), "not fast: {frame}");
        assert_eq!(self.text(frame), expected, "{frame}");
    }

    /// That a frame has these events, and that only the complete decoder knows it.
    #[track_caller]
    pub fn check_full(&self, frame: &str, expected: &[&str]) {
        assert!(self.fast(frame.as_bytes()).is_none(), "fast: {frame}");
        assert_eq!(self.text(frame), expected, "{frame}");
    }

    #[track_caller]
    pub fn refusal(&self, frame: &str) -> Refused {
        match self.full(frame.as_bytes()) {
            Ok(decoded) => panic!("{:?}: {frame}", self.describe(&decoded)),
            Err(refused) => refused,
        }
    }

    /// Every event in a line, levels in lines of their own, numbers without trailing zeros.
    pub fn describe(&self, decoded: &Decoded) -> Vec<String> {
        let mut lines = Vec::new();
        let mut covered = 0;
        for mark in &decoded.marks {
            assert_eq!(mark.start, covered, "every record belongs to one event");
            covered = mark.end;
            self.describe_event(mark, &decoded.records[mark.start..mark.end], &mut lines);
        }
        assert_eq!(covered, decoded.records.len());
        lines
    }

    fn describe_event(&self, mark: &Mark, records: &[Record], lines: &mut Vec<String>) {
        for (index, record) in records.iter().enumerate() {
            assert_eq!(record.instrument, mark.instrument.0);
            assert_eq!((record.venue, record.sequence, record.ts_recv), (0, 0, 0));
            let is_last = index + 1 == records.len();
            assert_eq!(record.flags().contains(Flags::LAST), is_last);
            assert_eq!(record.flags & !(Flags::BID.0 | Flags::ASK.0 | Flags::LAST.0), 0);
        }
        let name = self.names.get(&mark.instrument.0).map_or("*", String::as_str);
        match (&mark.what, records) {
            (What::Trade { id }, [trade]) => {
                assert_eq!(trade.kind(), Some(Kind::Trade));
                let id = id.map_or("-".to_owned(), |id| id.to_string());
                lines.push(format!("trade {name} #{id} {}", line_of(trade)));
            }
            (What::Quote { update_id: None }, [bid, ask]) => {
                assert_eq!((bid.kind(), ask.kind()), (Some(Kind::Quote), Some(Kind::Quote)));
                lines.push(format!("quote {name} {} {}", line_of(bid), line_of(ask)));
            }
            (What::Book(end), levels) => {
                assert_eq!((end.first_id, end.last_id, end.checksum), (None, None, None));
                lines.push(format!("{} {name}", if end.image { "image" } else { "book" }));
                for level in levels {
                    assert_eq!(level.kind(), Some(Kind::BookLevel));
                    lines.push(line_of(level));
                }
            }
            (other, []) => lines.push(format!("{name} {other:?}")),
            (other, records) => panic!("{other:?} with {records:?}"),
        }
    }
}

/// `bid 63514.6 x 0.2 @2026-07-07T22:58:17.164892000Z`
fn line_of(record: &Record) -> String {
    let side = match record.flags().side() {
        Some(Side::Bid) => "bid",
        Some(Side::Ask) => "ask",
        None => "-",
    };
    let scale = record.scale();
    let number = |mantissa, decimals| match mantissa {
        Record::ABSENT => "?".to_owned(),
        mantissa => trimmed(&DecimalText::new(mantissa, decimals).to_string()),
    };
    format!(
        "{side} {} x {} @{}",
        number(record.price, scale.price_decimals()),
        number(record.size, scale.size_decimals()),
        time_text(record.ts_event)
    )
}

/// A decimal text without zeros at its end.
pub fn trimmed(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, fraction)) => match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        },
        None => text.to_owned(),
    }
}

/// A time as text of nine decimals, counted day by day.
fn time_text(ns: i64) -> String {
    if ns == Record::ABSENT {
        return "?".to_owned();
    }
    let (mut days, rest) = (ns / 86_400_000_000_000, ns % 86_400_000_000_000);
    let mut year = 1970;
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [
        31,
        28 + i64::from(is_leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let seconds = rest / 1_000_000_000;
    format!(
        "{year:04}-{month:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z",
        days + 1,
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        rest % 1_000_000_000
    )
}

/// A venue's time as the text that [`Decoders::describe`] shows for it.
pub fn wire_time(text: &str) -> String {
    if text.starts_with("0001") || text.starts_with("1970") {
        return "?".to_owned();
    }
    let text = text.strip_suffix('Z').unwrap();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}.{fraction:0<9}Z")
}

/// A public recording, if there are any here.
pub fn recording(path: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures")).join(path);
    path.is_dir().then_some(path)
}

/// A capture that the project carries.
pub fn capture(venue: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(venue)
}

/// The frames of a file of a capture.
pub fn frames(capture: &Path, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(capture.join(file)).unwrap();
    let frames: Vec<String> = text
        .lines()
        .map(|line| line.split_once('\t').unwrap().1.to_owned())
        .collect();
    assert!(!frames.is_empty());
    frames
}

/// Decimal texts above zero and below a billion with at most `decimals` decimals, with and without zeros at the end.
pub fn positive_text(decimals: usize) -> BoxedStrategy<String> {
    let limit = 10u64.pow(12.min(9 + decimals as u32));
    (1u64..limit, any::<bool>())
        .prop_map(move |(mantissa, trim)| {
            let digits = format!("{mantissa:0>width$}", width = decimals + 1);
            let (whole, fraction) = digits.split_at(digits.len() - decimals);
            let text = if decimals == 0 {
                whole.to_owned()
            } else {
                format!("{whole}.{fraction}")
            };
            if trim { trimmed(&text) } else { text }
        })
        .boxed()
}

/// The same, zero included.
pub fn size_text(decimals: usize) -> BoxedStrategy<String> {
    let zero = if decimals == 0 {
        "0".to_owned()
    } else {
        format!("0.{}", "0".repeat(decimals))
    };
    prop_oneof![
        4 => positive_text(decimals),
        1 => Just("0".to_owned()),
        1 => Just(zero),
    ]
    .boxed()
}

/// Times as venues write them, some of them before the year 2000.
pub fn time_text_of(decimals: std::ops::RangeInclusive<usize>) -> BoxedStrategy<String> {
    let usual = (0u32..2_000_000_000, decimals, any::<u32>()).prop_map(|(seconds, decimals, fraction)| {
        let whole = time_text((1_000_000_000 + i64::from(seconds)) * 1_000_000_000);
        let fraction = format!("{:09}", fraction % 1_000_000_000);
        match decimals {
            0 => format!("{}Z", &whole[..19]),
            decimals => format!("{}.{}Z", &whole[..19], &fraction[..decimals]),
        }
    });
    prop_oneof![
        20 => usual,
        1 => Just("0001-01-01T00:00:00.000000Z".to_owned()),
        1 => Just("1970-01-01T00:00:00Z".to_owned()),
    ]
    .boxed()
}

/// That a frame is read whole or not at all: no part of it, and nothing behind it, is a frame.
pub fn check_borders(decoders: &Decoders, frames: &[String]) {
    for frame in frames.iter().filter(|frame| decoders.fast(frame.as_bytes()).is_some()) {
        for end in 0..frame.len() {
            decoders.refusal(&frame[..end]);
        }
        for behind in ["x", "}", "]", ",", "\0", frame] {
            decoders.refusal(&format!("{frame}{behind}"));
        }
    }
}

/// Number of heap allocations that the fast decoder makes on frames it has seen before.
pub fn allocations_when_warm(decoders: &Decoders, frames: &[String]) -> u64 {
    let mut out = Decoded::default();
    let mut pass = || {
        for frame in frames {
            out.clear();
            assert!(
                decoders
                    .dialect
                    .decode_fast(frame.as_bytes(), &decoders.symbols, &mut out)
            );
        }
    };
    pass();
    allocation_counter::measure(pass).count_total
}
