//! What every dialect's two decoders must agree on, recorded feeds, and numbers in a form that can be compared.

use std::fs;
use std::path::{Path, PathBuf};

use tickpath_collectors::decode::{Decoded, Refused, SymbolTable, What};
use tickpath_collectors::dialect::Dialect;
use tickpath_protocol::{DecimalText, Kind, Record, Side};

/// Both decoders' answer to a frame.
pub struct Answers {
    /// The fast decoder took it.
    pub fast: bool,
    /// What the complete one said.
    pub full: Result<Decoded, Refused>,
}

/// Decodes a frame both ways; panics if the fast decoder takes what the complete one refuses or reads differently.
pub fn answers(dialect: &impl Dialect, frame: &[u8], symbols: &SymbolTable) -> Answers {
    let mut decoded = Decoded::default();
    let full = dialect.decode_full(frame, symbols, &mut decoded).map(|()| decoded);
    let mut decoded = Decoded::default();
    let fast = dialect.decode_fast(frame, symbols, &mut decoded);
    if fast {
        assert_eq!(
            full.as_ref(),
            Ok(&decoded),
            "the decoders disagree on {}",
            String::from_utf8_lossy(frame)
        );
    }
    Answers { fast, full }
}

/// Whether the events hold any data of a market.
pub fn is_data(decoded: &Decoded) -> bool {
    let is_data = |what: &What| matches!(what, What::Trade { .. } | What::Quote { .. } | What::Book(_));
    decoded.marks.iter().any(|mark| is_data(&mark.what))
}

/// A small capture of this project's own, in the venue's documented shapes.
pub fn own_capture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures")).join(name)
}

/// The public recordings of a venue, where they lie beside the repository.
pub fn recorded_captures(venue: &str) -> impl Iterator<Item = PathBuf> {
    let recordings = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures"));
    ["2021", "recent"]
        .map(|set| recordings.join(set).join(venue))
        .into_iter()
        .filter(|capture| capture.is_dir())
}

/// The lines of a file of a capture, each in its columns; none if the capture lacks the file.
pub fn lines(capture: &Path, file: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(capture.join(file)).unwrap_or_default();
    text.lines()
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

/// A record as a line: kind, side, price, size, event time.
pub fn line(record: &Record) -> String {
    let kind = record.kind().map_or("?", Kind::name);
    let side = match (record.kind(), record.flags().side()) {
        (Some(Kind::Trade), Some(Side::Bid)) => "buy",
        (Some(Kind::Trade), Some(Side::Ask)) => "sell",
        (_, Some(Side::Bid)) => "bid",
        (_, Some(Side::Ask)) => "ask",
        (_, None) => "-",
    };
    let price = DecimalText::new(record.price, record.scale().price_decimals()).to_string();
    let size = DecimalText::new(record.size, record.scale().size_decimals()).to_string();
    let time = match record.ts_event {
        Record::ABSENT => "-".to_owned(),
        nanos => nanos.to_string(),
    };
    expected_line(kind, side, &price, &size, &time)
}

/// The same line of a venue's own texts.
pub fn expected_line(kind: &str, side: &str, price: &str, size: &str, time: &str) -> String {
    format!("{kind} {side} {} {} {time}", normalised(price), normalised(size))
}

/// A decimal text without trailing zeros.
fn normalised(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}
