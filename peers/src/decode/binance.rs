//! Binance, frames wrapped as `/stream` sends them.

use serde::Deserialize;
use tickpath_protocol::{Record, Side};

use super::number::price_and_size;
use super::{Failed, Json, Symbols, find, levels, quote, trade};

const NANOS_PER_MILLI: i64 = 1_000_000;

#[derive(Deserialize)]
struct Wrapped<T> {
    data: T,
}

#[derive(Deserialize)]
struct Trade<'a> {
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "p")]
    price: &'a str,
    #[serde(rename = "q")]
    size: &'a str,
    #[serde(rename = "T")]
    time_ms: i64,
    #[serde(rename = "m")]
    buyer_is_maker: bool,
}

#[derive(Deserialize)]
struct BookTicker<'a> {
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "b")]
    bid: &'a str,
    #[serde(rename = "B")]
    bid_size: &'a str,
    #[serde(rename = "a")]
    ask: &'a str,
    #[serde(rename = "A")]
    ask_size: &'a str,
}

#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(rename = "E")]
    time_ms: i64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(borrow, rename = "b")]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(borrow, rename = "a")]
    asks: Vec<(&'a str, &'a str)>,
}

/// A frame of `@trade`.
///
/// # Errors
/// [`Failed`].
pub fn trades<J: Json>(frame: &str, symbols: &Symbols, out: &mut impl FnMut(Record)) -> Result<(), Failed> {
    let data = J::parse::<Wrapped<Trade>>(frame)?.data;
    let listed = find(symbols, data.symbol)?;
    let (price, size) = price_and_size(data.price, data.size, listed)?;
    let aggressor = if data.buyer_is_maker { Side::Ask } else { Side::Bid };
    trade(listed, aggressor, data.time_ms * NANOS_PER_MILLI, price, size, out);
    Ok(())
}

/// A frame of `@bookTicker`.
///
/// # Errors
/// [`Failed`].
pub fn book_ticker<J: Json>(frame: &str, symbols: &Symbols, out: &mut impl FnMut(Record)) -> Result<(), Failed> {
    let data = J::parse::<Wrapped<BookTicker>>(frame)?.data;
    let listed = find(symbols, data.symbol)?;
    let bid = price_and_size(data.bid, data.bid_size, listed)?;
    let ask = price_and_size(data.ask, data.ask_size, listed)?;
    quote(listed, Record::ABSENT, bid, ask, out);
    Ok(())
}

/// A frame of `@depth@100ms`.
///
/// # Errors
/// [`Failed`].
pub fn depth<J: Json>(frame: &str, symbols: &Symbols, out: &mut impl FnMut(Record)) -> Result<(), Failed> {
    let data = J::parse::<Wrapped<Depth>>(frame)?.data;
    let listed = find(symbols, data.symbol)?;
    let bids = data.bids.len();
    let all = (0..bids + data.asks.len()).map(|index| {
        let (side, (price, size)) = match index.checked_sub(bids) {
            None => (Side::Bid, data.bids[index]),
            Some(ask) => (Side::Ask, data.asks[ask]),
        };
        let (price, size) = price_and_size(price, size, listed)?;
        Ok((side, price, size))
    });
    levels(listed, data.time_ms * NANOS_PER_MILLI, all, out)
}
