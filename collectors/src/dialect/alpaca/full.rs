//! Any frame of the venue.

use serde::Deserialize;
use serde_json::value::RawValue;
use tickpath_protocol::Side;

use super::conversation;
use crate::decode::json::{self, Object, Text};
use crate::decode::{BookEnd, Decoded, Listed, Quote, Refused, SymbolTable, Trade, What, rfc3339};
use crate::dialect::WHOLE_VENUE;

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "T")]
    kind: Text<'a>,
}

pub(super) fn decode(frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let messages: Vec<&RawValue> = json::parse(json::text(frame)?)?;
    if messages.is_empty() {
        out.event(WHOLE_VENUE, What::Ignored);
    }
    messages
        .iter()
        .try_for_each(|message| decode_one(message.get(), symbols, out))
}

fn decode_one(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(head) = json::parse::<Object<Head>>(text)?;
    match &*head.kind {
        "t" => trade(text, symbols, out),
        "q" => quote(text, symbols, out),
        "o" => book(text, symbols, out),
        "s" => conversation::status(text, symbols, out),
        "success" => conversation::success(text, out),
        "subscription" => conversation::subscription(text, symbols, out),
        "error" => conversation::error(text, out),
        // Bars, price bands, imbalances; corrections and cancellations of trades, which come along with trades.
        _ => {
            out.event(WHOLE_VENUE, What::Ignored);
            Ok(())
        }
    }
}

#[derive(Deserialize)]
struct TradeMessage<'a> {
    #[serde(borrow, rename = "S")]
    symbol: Text<'a>,
    #[serde(borrow, rename = "p")]
    price: &'a RawValue,
    #[serde(borrow, rename = "s")]
    size: &'a RawValue,
    #[serde(borrow, rename = "t")]
    time: Text<'a>,
    #[serde(borrow, default, rename = "i")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "tks")]
    taker_side: Option<Text<'a>>,
}

fn trade(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(trade) = json::parse::<Object<TradeMessage>>(text)?;
    let listed = json::find(&trade.symbol, symbols)?;
    let aggressor = match trade.taker_side.as_deref() {
        Some("B") => Some(Side::Bid),
        Some("S") => Some(Side::Ask),
        // Stocks.
        None => None,
        Some(other) => return Err(Refused::Side(json::excerpt(other))),
    };
    out.trade(Trade {
        listed,
        aggressor,
        price: json::positive("p", json::price("p", trade.price.get(), listed)?)?,
        size: json::positive("s", json::size("s", trade.size.get(), listed)?)?,
        ts_event: rfc3339(trade.time.as_bytes())?,
        id: trade.id.and_then(trade_id),
    });
    Ok(())
}

/// A number beyond what a double holds, which is why it was seen as text as well.
fn trade_id(id: &RawValue) -> Option<u64> {
    match json::parse::<Text>(id.get()) {
        Ok(text) => text.parse().ok(),
        Err(_) => id.get().parse().ok(),
    }
}

#[derive(Deserialize)]
struct QuoteMessage<'a> {
    #[serde(borrow, rename = "S")]
    symbol: Text<'a>,
    #[serde(borrow, rename = "bp")]
    bid: &'a RawValue,
    #[serde(borrow, rename = "bs")]
    bid_size: &'a RawValue,
    #[serde(borrow, rename = "ap")]
    ask: &'a RawValue,
    #[serde(borrow, rename = "as")]
    ask_size: &'a RawValue,
    #[serde(borrow, rename = "t")]
    time: Text<'a>,
}

fn quote(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(quote) = json::parse::<Object<QuoteMessage>>(text)?;
    let listed = json::find(&quote.symbol, symbols)?;
    let price = |field, raw: &RawValue| json::price(field, raw.get(), listed);
    let size = |field, raw: &RawValue| json::size(field, raw.get(), listed);
    out.quote(Quote {
        listed,
        bid: json::quote_side("bp", price("bp", quote.bid)?, size("bs", quote.bid_size)?)?,
        ask: json::quote_side("ap", price("ap", quote.ask)?, size("as", quote.ask_size)?)?,
        ts_event: rfc3339(quote.time.as_bytes())?,
        update_id: None,
    });
    Ok(())
}

#[derive(Deserialize)]
struct BookMessage<'a> {
    #[serde(borrow, rename = "S")]
    symbol: Text<'a>,
    #[serde(borrow, rename = "t")]
    time: Text<'a>,
    #[serde(borrow, default, rename = "b")]
    bids: Option<Vec<Object<Level<'a>>>>,
    #[serde(borrow, default, rename = "a")]
    asks: Option<Vec<Object<Level<'a>>>>,
    #[serde(default, rename = "r")]
    image: Option<bool>,
}

#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow, rename = "p")]
    price: &'a RawValue,
    #[serde(borrow, rename = "s")]
    size: &'a RawValue,
}

fn book(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(book) = json::parse::<Object<BookMessage>>(text)?;
    let listed = json::find(&book.symbol, symbols)?;
    let ts_event = rfc3339(book.time.as_bytes())?;
    let image = book.image.unwrap_or(false);
    levels(book.bids, listed, Side::Bid, ts_event, out)?;
    levels(book.asks, listed, Side::Ask, ts_event, out)?;
    out.end_book(
        listed.id,
        BookEnd {
            image,
            ..BookEnd::default()
        },
    );
    Ok(())
}

/// A side that a message leaves out did not change.
fn levels(
    levels: Option<Vec<Object<Level>>>,
    listed: Listed,
    side: Side,
    ts_event: i64,
    out: &mut Decoded,
) -> Result<(), Refused> {
    for Object(level) in levels.into_iter().flatten() {
        let price = json::price("p", level.price.get(), listed)?;
        let size = json::size("s", level.size.get(), listed)?;
        out.level(listed, side, ts_event, price, size);
    }
    Ok(())
}
