//! Binance's REST answers: instruments and images of a book.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tickpath_protocol::{DecimalError, Record, Scale, Side, decimal};

use crate::decode::json::{self, Object, Text};
use crate::decode::{BookEnd, Decoded, Listed, Listing, Refused, SymbolTable};

/// Decimals of every price and size on the wire, whatever tick and step are.
const WIRE_DECIMALS: u8 = 8;

/// `GET /api/v3/exchangeInfo`. Symbols that lack what is needed are left out.
pub(super) fn listings(body: &[u8]) -> Result<Vec<Listing>, Refused> {
    #[derive(Deserialize)]
    struct ExchangeInfo<'a> {
        #[serde(borrow)]
        symbols: Vec<&'a RawValue>,
    }
    let Object(info) = json::parse::<Object<ExchangeInfo>>(json::text(body)?)?;
    json::readable(&info.symbols, |symbol| listing(symbol).map(Some))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SymbolInfo<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(borrow)]
    base_asset: Text<'a>,
    #[serde(borrow)]
    quote_asset: Text<'a>,
    #[serde(borrow)]
    filters: Vec<Object<Filter<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter<'a> {
    #[serde(borrow)]
    filter_type: Text<'a>,
    #[serde(default, borrow)]
    max_price: Option<Text<'a>>,
    #[serde(default, borrow)]
    tick_size: Option<Text<'a>>,
    #[serde(default, borrow)]
    max_qty: Option<Text<'a>>,
    #[serde(default, borrow)]
    step_size: Option<Text<'a>>,
}

fn listing(text: &str) -> Result<Listing, Refused> {
    let Object(info) = json::parse::<Object<SymbolInfo>>(text)?;
    let incomplete = || Refused::Shape(format!("`{}` lacks filters", json::excerpt(&info.symbol)));
    let filter = |kind: &str| {
        let mut filters = info.filters.iter().map(|Object(filter)| filter);
        filters.find(|filter| *filter.filter_type == *kind)
    };
    let price = filter("PRICE_FILTER").and_then(|filter| filter.max_price.as_deref().zip(filter.tick_size.as_deref()));
    let size = filter("LOT_SIZE").and_then(|filter| filter.max_qty.as_deref().zip(filter.step_size.as_deref()));
    let (price, size) = price.zip(size).ok_or_else(incomplete)?;
    let (price_decimals, tick) = decimals_and_step("tickSize", price)?;
    let (size_decimals, lot) = decimals_and_step("stepSize", size)?;
    Ok(Listing {
        symbol: info.symbol.to_string(),
        name: format!("{}/{}", &*info.base_asset, &*info.quote_asset),
        scale: Scale::new(price_decimals, size_decimals).ok_or_else(incomplete)?,
        tick,
        lot,
        trading: &*info.status == "TRADING",
    })
}

/// Of the largest number and the step: the decimals that the wire shows, or fewer where the largest number would not fit 64 bits then,
/// but never fewer than the step needs; and the step as a mantissa.
fn decimals_and_step(field: &'static str, (max, step): (&str, &str)) -> Result<(u8, i64), Refused> {
    let number = |text: &str, source| Refused::Number {
        field,
        text: json::excerpt(text),
        source,
    };
    let needed = decimal::decimals_needed(step.as_bytes()).map_err(|source| number(step, source))?;
    let mut decimals = WIRE_DECIMALS.max(needed);
    loop {
        match decimal::parse(max.as_bytes(), decimals) {
            Err(DecimalError::Overflow) if decimals > needed => decimals -= 1,
            Err(source @ (DecimalError::Syntax | DecimalError::Empty)) => return Err(number(max, source)),
            // Fits; that the limit itself may have more decimals does not matter.
            Ok(_) | Err(DecimalError::Inexact | DecimalError::Overflow) => break,
        }
    }
    let mantissa = decimal::parse(step.as_bytes(), decimals).map_err(|source| number(step, source))?;
    match mantissa {
        0.. => Ok((decimals, mantissa)),
        value => Err(Refused::Range { field, value }),
    }
}

/// `GET /api/v3/depth`.
pub(super) fn image(body: &[u8], symbol: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Depth<'a> {
        last_update_id: u64,
        #[serde(borrow)]
        bids: Vec<Level<'a>>,
        #[serde(borrow)]
        asks: Vec<Level<'a>>,
    }
    let Object(depth) = json::parse::<Object<Depth>>(json::text(body)?)?;
    let listed = json::find(symbol, symbols)?;
    for (side, levels) in [(Side::Bid, &depth.bids), (Side::Ask, &depth.asks)] {
        for level in levels {
            level.add_to(out, listed, side, Record::ABSENT)?;
        }
    }
    out.end_book(
        listed.id,
        BookEnd {
            image: true,
            last_id: Some(depth.last_update_id),
            ..BookEnd::default()
        },
    );
    Ok(())
}

/// `["0.0024","10"]`, price and size. Until 2019 an empty list followed them, which is skipped.
pub(super) struct Level<'a> {
    price: Text<'a>,
    size: Text<'a>,
}

impl Level<'_> {
    pub(super) fn add_to(&self, out: &mut Decoded, listed: Listed, side: Side, ts_event: i64) -> Result<(), Refused> {
        let price = json::price("price of a level", &self.price, listed)?;
        let size = json::size("size of a level", &self.size, listed)?;
        out.level(listed, side, ts_event, price, size);
        Ok(())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Level<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Level<'a>, D::Error> {
        deserializer.deserialize_seq(LevelVisitor)
    }
}

struct LevelVisitor;

impl<'de> Visitor<'de> for LevelVisitor {
    type Value = Level<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of price and size")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Level<'de>, A::Error> {
        let missing = |index| A::Error::invalid_length(index, &self);
        let price = list.next_element()?.ok_or_else(|| missing(0))?;
        let size = list.next_element()?.ok_or_else(|| missing(1))?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Level { price, size })
    }
}

/// The text as a value in an address: symbols may hold letters beyond ASCII.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
