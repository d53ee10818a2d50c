//! Alpaca, crypto feed: lists of objects, whose numbers are bare.

use serde::Deserialize;
use tickpath_protocol::{Record, Side};

use super::number::price_and_size;
use super::{Failed, Json, NumberText, Symbols, find, quote, time, trade};

#[derive(Deserialize)]
#[serde(bound(deserialize = "N: Deserialize<'de>"))]
struct Trade<'a, N> {
    #[serde(rename = "S")]
    symbol: &'a str,
    #[serde(rename = "p")]
    price: N,
    #[serde(rename = "s")]
    size: N,
    #[serde(rename = "t")]
    time: &'a str,
    #[serde(rename = "tks")]
    taker: &'a str,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "N: Deserialize<'de>"))]
struct Quote<'a, N> {
    #[serde(rename = "S")]
    symbol: &'a str,
    #[serde(rename = "bp")]
    bid: N,
    #[serde(rename = "bs")]
    bid_size: N,
    #[serde(rename = "ap")]
    ask: N,
    #[serde(rename = "as")]
    ask_size: N,
    #[serde(rename = "t")]
    time: &'a str,
}

/// A frame of trades.
///
/// # Errors
/// [`Failed`].
pub fn trades<J: Json>(frame: &str, symbols: &Symbols, out: &mut impl FnMut(Record)) -> Result<(), Failed> {
    for data in J::parse::<Vec<Trade<J::Number<'_>>>>(frame)? {
        let listed = find(symbols, data.symbol)?;
        let (price, size) = price_and_size(data.price.text(), data.size.text(), listed)?;
        let aggressor = match data.taker {
            "B" => Side::Bid,
            "S" => Side::Ask,
            other => return Err(Failed::Side(other.to_owned())),
        };
        trade(listed, aggressor, time::nanos(data.time)?, price, size, out);
    }
    Ok(())
}

/// A frame of quotes.
///
/// # Errors
/// [`Failed`].
pub fn quotes<J: Json>(frame: &str, symbols: &Symbols, out: &mut impl FnMut(Record)) -> Result<(), Failed> {
    for data in J::parse::<Vec<Quote<J::Number<'_>>>>(frame)? {
        let listed = find(symbols, data.symbol)?;
        let bid = price_and_size(data.bid.text(), data.bid_size.text(), listed)?;
        let ask = price_and_size(data.ask.text(), data.ask_size.text(), listed)?;
        quote(listed, time::nanos(data.time)?, bid, ask, out);
    }
    Ok(())
}
