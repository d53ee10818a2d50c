//! The frames of the feed that everyone may see.

use std::fmt;

use tickpath_protocol::{OrderBook, Side, Venue};

use super::{LEVEL2, MATCHES, SECOND_NS, Subscription, TICKER};
use crate::dialect::Outbox;
use crate::listing::{self, LISTINGS, Listing};
use crate::market::{Event, Trade};
use crate::text::{fixed, json_string, list, micros, trimmed};
use crate::world::{Batch, World};

/// An order's id as the venue shows it: unlike an order's number it says which product it is of.
pub fn order_id(row: &Listing, number: u64) -> impl fmt::Display {
    let product = row.asset;
    fmt::from_fn(move |f| write!(f, "6e91{product:04x}-2e1b-4e1a-90b7-{number:012x}"))
}

/// Market and number of an order's id; `None` for what [`order_id`] did not write.
pub fn order_number(text: &str) -> Option<(usize, u64)> {
    let (_, digits) = text.rsplit_once('-')?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    listing::of_venue(Venue::COINBASE)
        .find(|(_, row)| order_id(row, number).to_string() == text)
        .map(|(market, _)| (market, number))
}

/// What a new subscription starts with.
pub(super) fn first_frame(channel: usize, market: usize, world: &World, now_ns: i64, out: &mut Outbox) {
    let row = &LISTINGS[market];
    match channel {
        LEVEL2 => out.data(snapshot(row, world.published_book(market), now_ns)),
        MATCHES => {
            if let Some(last) = world.market(market).history().next_back() {
                out.data(match_frame("last_match", row, last));
            }
        }
        TICKER => {
            if let Some(last) = world.market(market).history().next_back() {
                let event = Event {
                    best_bid: world.market(market).book().best(Side::Bid),
                    best_ask: world.market(market).book().best(Side::Ask),
                    ..Event::default()
                };
                out.data(ticker(row, last, &event));
            }
        }
        _ => {}
    }
}

fn snapshot(row: &Listing, book: &OrderBook, now_ns: i64) -> String {
    let levels = |side| list(book.levels(side).map(|level| pair(row, level.price, level.size)));
    format!(
        r#"{{"type":"snapshot","product_id":"{}","asks":[{}],"bids":[{}],"time":"{}"}}"#,
        row.symbol,
        levels(Side::Ask),
        levels(Side::Bid),
        micros(now_ns)
    )
}

/// A level as `["price","size"]`.
pub fn pair(row: &Listing, price: i64, size: i64) -> String {
    let (price, size) = (fixed(price, row.price_decimals), fixed(size, row.size_decimals));
    format!(r#"["{price}","{size}"]"#)
}

pub(super) fn l2update(row: &Listing, batch: &Batch, ts_ns: i64) -> String {
    let change = |side, (price, size): (&i64, &i64)| {
        let (price, size) = (fixed(*price, row.price_decimals), fixed(*size, row.size_decimals));
        format!(r#"["{side}","{price}","{size}"]"#)
    };
    let bids = batch.bids.iter().rev().map(|level| change("buy", level));
    let asks = batch.asks.iter().map(|level| change("sell", level));
    format!(
        r#"{{"type":"l2update","product_id":"{}","changes":[{}],"time":"{}"}}"#,
        row.symbol,
        list(bids.chain(asks)),
        micros(ts_ns)
    )
}

/// `side` is the maker's: a sell was hit by a buyer.
pub fn match_frame(kind: &str, row: &Listing, trade: &Trade) -> String {
    format!(
        r#"{{"type":"{kind}","trade_id":{id},"maker_order_id":"{maker}","taker_order_id":"{taker}","side":"{}","size":"{}","price":"{}","product_id":"{}","sequence":{},"time":"{}"}}"#,
        if trade.aggressor == Side::Bid { "sell" } else { "buy" },
        trimmed(trade.size, row.size_decimals),
        trimmed(trade.price, row.price_decimals),
        row.symbol,
        trade.update,
        micros(trade.ts_ns),
        id = trade.id,
        maker = order_id(row, trade.maker),
        taker = order_id(row, trade.taker),
    )
}

/// `side` is the taker's.
pub(super) fn ticker(row: &Listing, trade: &Trade, event: &Event) -> String {
    let (bid, ask) = (event.best_bid.unwrap_or(NO_LEVEL), event.best_ask.unwrap_or(NO_LEVEL));
    let price = |price| fixed(price, row.price_decimals);
    let size = |size| fixed(size, row.size_decimals);
    format!(
        r#"{{"type":"ticker","sequence":{},"product_id":"{}","price":"{last}","open_24h":"{last}","volume_24h":"{}","low_24h":"{last}","high_24h":"{last}","volume_30d":"{}","best_bid":"{}","best_bid_size":"{}","best_ask":"{}","best_ask_size":"{}","side":"{}","time":"{}","trade_id":{},"last_size":"{}"}}"#,
        trade.update,
        row.symbol,
        size(1_234_567_890),
        size(37_037_036_700),
        price(bid.price),
        size(bid.size),
        price(ask.price),
        size(ask.size),
        if trade.aggressor == Side::Bid { "buy" } else { "sell" },
        micros(trade.ts_ns),
        trade.id,
        trimmed(trade.size, row.size_decimals),
        last = price(trade.price),
    )
}

const NO_LEVEL: tickpath_protocol::Level = tickpath_protocol::Level { price: 0, size: 0 };

pub(super) fn heartbeat(subscription: &Subscription, now_ns: i64) -> String {
    let (trade_id, update) = subscription.last;
    format!(
        r#"{{"type":"heartbeat","last_trade_id":{trade_id},"product_id":"{}","sequence":{update},"time":"{}"}}"#,
        LISTINGS[subscription.market].symbol,
        micros(now_ns - now_ns.rem_euclid(SECOND_NS))
    )
}

pub(super) fn status() -> String {
    let products = list(listing::of_venue(Venue::COINBASE).map(|(_, row)| product(row)));
    let currency = |name: &str| {
        format!(
            r#"{{"id":"{name}","name":"{name}","min_size":"0.00000001","status":"online","message":"","max_precision":"0.00000001","convertible_to":[],"details":{{"type":"crypto"}}}}"#
        )
    };
    let currencies = list(listing::of_venue(Venue::COINBASE).map(|(_, row)| currency(row.base())));
    format!(r#"{{"type":"status","products":[{products}],"currencies":[{currencies}]}}"#)
}

/// A product as REST and the status channel describe it.
pub fn product(row: &Listing) -> String {
    format!(
        r#"{{"id":"{}","base_currency":"{base}","quote_currency":"{quote}","quote_increment":"{}","base_increment":"{}","display_name":"{base}/{quote}","min_market_funds":"1","margin_enabled":false,"post_only":false,"limit_only":false,"cancel_only":false,"status":"online","status_message":"","trading_disabled":false,"fx_stablecoin":false,"max_slippage_percentage":"0.02000000","auction_mode":false,"high_bid_limit_percentage":""}}"#,
        row.symbol,
        fixed(1, row.price_decimals),
        fixed(row.lot, row.size_decimals),
        base = row.base(),
        quote = row.quote,
    )
}

pub(super) fn error(message: &str, reason: &str) -> String {
    let (message, reason) = (json_string(message), json_string(reason));
    format!(r#"{{"type":"error","message":{message},"reason":{reason}}}"#)
}
