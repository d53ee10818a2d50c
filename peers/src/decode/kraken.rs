//! Kraken, protocol version 2, whose numbers are bare.

use serde::Deserialize;
use tickpath_protocol::{Record, Side};

use super::number::price_and_size;
use super::{Failed, Json, NumberText, Symbols, find, levels, quote, time, trade};

#[derive(Deserialize)]
struct Message<T> {
    data: Vec<T>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "N: Deserialize<'de>"))]
struct Trade<'a, N> {
    symbol: &'a str,
    side: &'a str,
    price: N,
    qty: N,
    timestamp: &'a str,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "N: Deserialize<'de>"))]
struct Ticker<'a, N> {
    symbol: &'a str,
    bid: N,
    bid_qty: N,
    ask: N,
    ask_qty: N,
    #[serde(borrow)]
    timestamp: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "N: Deserialize<'de>"))]
struct Level<N> {
    price: N,
    qty: N,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "N: Deserialize<'de>"))]
struct Book<'a, N> {
    symbol: &'a str,
    bids: Vec<Level<N>>,
    asks: Vec<Level<N>>,
    #[serde(borrow)]
    timestamp: Option<&'a str>,
}

/// A frame of the channel `trade`.
///
/// # Errors
/// [`Failed`].
pub fn trades<J: Json>(frame: &str, symbols: &Symbols, out: &mut impl FnMut(Record)) -> Result<(), Failed> {
    for data in J::parse::<Message<Trade<J::Number<'_>>>>(frame)?.data {
        let listed = find(symbols, data.symbol)?;
        let (price, size) = price_and_size(data.price.text(), data.qty.text(), listed)?;
        let aggressor = match data.side {
            "buy" => Side::Bid,
            "sell" => Side::Ask,
            other => return Err(Failed::Side(other.to_owned())),
        };
        trade(listed, aggressor, time::nanos(data.timestamp)?, price, size, out);
    }
    Ok(())
}

/// A frame of the channel `ticker`.
///
/// # Errors
/// [`Failed`].
pub fn tickers<J: Json>(frame: &str, symbols: &Symbols, out: &mut impl FnMut(Record)) -> Result<(), Failed> {
    for data in J::parse::<Message<Ticker<J::Number<'_>>>>(frame)?.data {
        let listed = find(symbols, data.symbol)?;
        let bid = price_and_size(data.bid.text(), data.bid_qty.text(), listed)?;
        let ask = price_and_size(data.ask.text(), data.ask_qty.text(), listed)?;
        quote(listed, event_time(data.timestamp)?, bid, ask, out);
    }
    Ok(())
}

/// A frame of the channel `book`.
///
/// # Errors
/// [`Failed`].
pub fn books<J: Json>(frame: &str, symbols: &Symbols, out: &mut impl FnMut(Record)) -> Result<(), Failed> {
    for data in J::parse::<Message<Book<J::Number<'_>>>>(frame)?.data {
        let listed = find(symbols, data.symbol)?;
        let bids = data.bids.len();
        let all = (0..bids + data.asks.len()).map(|index| {
            let (side, level) = match index.checked_sub(bids) {
                None => (Side::Bid, &data.bids[index]),
                Some(ask) => (Side::Ask, &data.asks[ask]),
            };
            let (price, size) = price_and_size(level.price.text(), level.qty.text(), listed)?;
            Ok((side, price, size))
        });
        levels(listed, event_time(data.timestamp)?, all, out)?;
    }
    Ok(())
}

fn event_time(text: Option<&str>) -> Result<i64, Failed> {
    text.map_or(Ok(Record::ABSENT), time::nanos)
}
