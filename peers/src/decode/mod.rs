//! Frames to records with general JSON libraries, and to their own events with a trading library.
//!
//! [`SerdeJson`] and [`SonicRs`] read a frame into structs that borrow from it, with derived `Deserialize`; nothing is allocated but the lists
//! of levels. Then they do all that our decoders do: the symbol is looked up, decimals and times become exact integers, and each record
//! goes to a closure. They are told the type of the frame and do not read what no record holds, which ours do. [`barter`] does less: see there.

pub mod alpaca;
pub mod barter;
pub mod binance;
pub mod coinbase;
pub mod kraken;
mod number;
mod time;

use std::collections::HashMap;

use serde::Deserialize;
use tickpath_protocol::{DecimalError, Flags, InstrumentId, Kind, Record, Scale, Side};

pub use number::NumberText;

/// What is known of a symbol.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// The instrument.
    pub id: InstrumentId,
    /// Its decimals.
    pub scale: Scale,
}

/// Symbols as most programs keep them.
pub type Symbols = HashMap<String, Listed>;

/// Why a frame was not decoded.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Not JSON of the expected shape.
    #[error("not the expected JSON: {0}")]
    Json(String),
    /// A number is not exact.
    #[error(transparent)]
    Number(#[from] DecimalError),
    /// A text is no time.
    #[error("`{0}` is no time")]
    Time(String),
    /// A side that is none.
    #[error("unknown side `{0}`")]
    Side(String),
    /// A symbol that is not listed.
    #[error("unknown symbol `{0}`")]
    Symbol(String),
}

/// A JSON library.
pub trait Json {
    /// A number as the venue wrote it, borrowed from the frame if the library can.
    type Number<'a>: Deserialize<'a> + NumberText;

    /// Reads all of `text` as a `T`.
    ///
    /// # Errors
    /// [`Failed::Json`].
    fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failed>;
}

/// `serde_json`.
#[derive(Clone, Copy, Debug)]
pub struct SerdeJson;

/// `sonic-rs`.
#[derive(Clone, Copy, Debug)]
pub struct SonicRs;

impl Json for SerdeJson {
    type Number<'a> = &'a serde_json::value::RawValue;

    fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failed> {
        serde_json::from_str(text).map_err(|error| Failed::Json(error.to_string()))
    }
}

impl Json for SonicRs {
    type Number<'a> = sonic_rs::LazyValue<'a>;

    fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failed> {
        sonic_rs::from_str(text).map_err(|error| Failed::Json(error.to_string()))
    }
}

fn find(symbols: &Symbols, symbol: &str) -> Result<Listed, Failed> {
    symbols
        .get(symbol)
        .copied()
        .ok_or_else(|| Failed::Symbol(symbol.to_owned()))
}

fn record(kind: Kind, listed: Listed, flags: Flags, ts_event: i64, price: i64, size: i64) -> Record {
    Record {
        kind: kind as u8,
        flags: flags.0,
        scale: listed.scale.to_byte(),
        instrument: listed.id.0,
        ts_event,
        price,
        size,
        ..Record::default()
    }
}

/// The two records of a best bid and offer.
fn quote(listed: Listed, ts_event: i64, bid: (i64, i64), ask: (i64, i64), out: &mut impl FnMut(Record)) {
    out(record(Kind::Quote, listed, Flags::BID, ts_event, bid.0, bid.1));
    let flags = Flags::ASK.with(Flags::LAST);
    out(record(Kind::Quote, listed, flags, ts_event, ask.0, ask.1));
}

fn trade(listed: Listed, aggressor: Side, ts_event: i64, price: i64, size: i64, out: &mut impl FnMut(Record)) {
    let flags = Flags::from(aggressor).with(Flags::LAST);
    out(record(Kind::Trade, listed, flags, ts_event, price, size));
}

/// Levels as they come, the last one flagged.
fn levels(
    listed: Listed,
    ts_event: i64,
    levels: impl ExactSizeIterator<Item = Result<(Side, i64, i64), Failed>>,
    out: &mut impl FnMut(Record),
) -> Result<(), Failed> {
    let mut left = levels.len();
    for level in levels {
        let (side, price, size) = level?;
        left -= 1;
        let last = if left == 0 { Flags::LAST } else { Flags::NONE };
        let flags = Flags::from(side).with(last);
        out(record(Kind::BookLevel, listed, flags, ts_event, price, size));
    }
    Ok(())
}
