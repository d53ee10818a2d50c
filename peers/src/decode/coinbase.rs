//! Coinbase Exchange.

use serde::Deserialize;
use tickpath_protocol::{Record, Side};

use super::number::{price, price_and_size, size};
use super::{Failed, Json, Symbols, find, levels, quote, time, trade};

#[derive(Deserialize)]
struct Match<'a> {
    side: &'a str,
    size: &'a str,
    price: &'a str,
    product_id: &'a str,
    time: &'a str,
}

#[derive(Deserialize)]
struct Ticker<'a> {
    product_id: &'a str,
    best_bid: &'a str,
    #[serde(borrow)]
    best_bid_size: Option<&'a str>,
    best_ask: &'a str,
    #[serde(borrow)]
    best_ask_size: Option<&'a str>,
    time: &'a str,
}

#[derive(Deserialize)]
struct Update<'a> {
    product_id: &'a str,
    #[serde(borrow)]
    changes: Vec<(&'a str, &'a str, &'a str)>,
    time: &'a str,
}

/// A `match`, which states the maker's side.
///
/// # Errors
/// [`Failed`].
pub fn matches<J: Json>(frame: &str, symbols: &Symbols, out: &mut impl FnMut(Record)) -> Result<(), Failed> {
    let data = J::parse::<Match>(frame)?;
    let listed = find(symbols, data.product_id)?;
    let (price, size) = price_and_size(data.price, data.size, listed)?;
    let aggressor = side(data.side)?.opposite();
    trade(listed, aggressor, time::nanos(data.time)?, price, size, out);
    Ok(())
}

/// A `ticker`, with sizes or, as before 2022, without.
///
/// # Errors
/// [`Failed`].
pub fn ticker<J: Json>(frame: &str, symbols: &Symbols, out: &mut impl FnMut(Record)) -> Result<(), Failed> {
    let data = J::parse::<Ticker>(frame)?;
    let listed = find(symbols, data.product_id)?;
    let best_size = |text: Option<&str>| text.map_or(Ok(Record::ABSENT), |text| size(text, listed));
    let bid = (price(data.best_bid, listed)?, best_size(data.best_bid_size)?);
    let ask = (price(data.best_ask, listed)?, best_size(data.best_ask_size)?);
    quote(listed, time::nanos(data.time)?, bid, ask, out);
    Ok(())
}

/// An `l2update`.
///
/// # Errors
/// [`Failed`].
pub fn l2update<J: Json>(frame: &str, symbols: &Symbols, out: &mut impl FnMut(Record)) -> Result<(), Failed> {
    let data = J::parse::<Update>(frame)?;
    let listed = find(symbols, data.product_id)?;
    let all = data.changes.iter().map(|change| {
        let (price, size) = price_and_size(change.1, change.2, listed)?;
        Ok((side(change.0)?, price, size))
    });
    levels(listed, time::nanos(data.time)?, all, out)
}

fn side(text: &str) -> Result<Side, Failed> {
    match text {
        "buy" => Ok(Side::Bid),
        "sell" => Ok(Side::Ask),
        _ => Err(Failed::Side(text.to_owned())),
    }
}
