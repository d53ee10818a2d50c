//! Coinbase's REST: products, books and trades of the Exchange API, and the market part of Advanced Trade below `/advanced`.

use axum::http::StatusCode;
use tickpath_protocol::{Side, Venue};

use super::{Answer, Call, not_found};
use crate::dialect::coinbase::{pair, product};
use crate::exchange::Exchange;
use crate::listing::{self, LISTINGS, Listing};
use crate::text::{list, micros, trimmed};

pub(super) fn answer(call: &Call<'_>, exchange: &Exchange) -> Answer {
    let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["products"] => Answer::ok(format!("[{}]", list(rows().map(product)))),
        ["products", id] => with_market(id, |_, row| product(row)),
        ["products", id, "book"] => with_market(id, |market, row| book(call, exchange, market, row)),
        ["time"] => Answer::ok(format!(
            r#"{{"iso":"{}","epoch":{}}}"#,
            micros(exchange.now_ns()),
            exchange.now_ns() / 1_000_000_000
        )),
        ["advanced", "market", "products"] => {
            let products = list(rows().map(advanced_product));
            let count = rows().count();
            Answer::ok(format!(r#"{{"products":[{products}],"num_products":{count}}}"#))
        }
        ["advanced", "market", "products", id] => with_market(id, |_, row| advanced_product(row)),
        ["advanced", "market", "product_book"] => {
            let id = call.parameter("product_id").unwrap_or_default();
            with_market(&id, |market, row| advanced_book(call, exchange, market, row))
        }
        _ => not_found(call),
    }
}

fn rows() -> impl Iterator<Item = &'static Listing> {
    listing::of_venue(Venue::COINBASE).map(|(_, row)| row)
}

fn with_market(id: &str, body: impl FnOnce(usize, &Listing) -> String) -> Answer {
    match listing::find(Venue::COINBASE, id) {
        Some(market) => Answer::ok(body(market, &LISTINGS[market])),
        None => Answer::new(StatusCode::NOT_FOUND, r#"{"message":"NotFound"}"#.to_owned()),
    }
}

/// Level 1 is the best of each side, level 2 the aggregated book; as of the last batch, so that a client of level2_batch has the same.
fn book(call: &Call<'_>, exchange: &Exchange, market: usize, row: &Listing) -> String {
    let depth = if call.parameter("level").as_deref() == Some("2") {
        usize::MAX
    } else {
        1
    };
    let world = exchange.world();
    let book = world.published_book(market);
    let side = |side| {
        let levels = book.levels(side).take(depth);
        list(levels.map(|level| {
            let pair = pair(row, level.price, level.size);
            format!("{},1]", pair.trim_end_matches(']'))
        }))
    };
    format!(
        r#"{{"bids":[{}],"asks":[{}],"sequence":{},"auction_mode":false,"auction":null,"time":"{}"}}"#,
        side(Side::Bid),
        side(Side::Ask),
        world.market(market).update(),
        micros(world.now_ns())
    )
}

fn advanced_product(row: &Listing) -> String {
    format!(
        r#"{{"product_id":"{}","base_increment":"{lot}","quote_increment":"{tick}","price_increment":"{tick}","quote_min_size":"1","quote_max_size":"150000000","base_min_size":"{lot}","base_max_size":"3400","base_name":"{base}","quote_name":"{quote}","watched":false,"is_disabled":false,"new":false,"status":"online","cancel_only":false,"limit_only":false,"post_only":false,"trading_disabled":false,"auction_mode":false,"product_type":"SPOT","quote_currency_id":"{quote}","base_currency_id":"{base}","view_only":false,"alias":"","alias_to":[],"display_name":"{base}-{quote}"}}"#,
        row.symbol,
        lot = trimmed(row.lot, row.size_decimals),
        tick = trimmed(1, row.price_decimals),
        base = row.base(),
        quote = row.quote,
    )
}

fn advanced_book(call: &Call<'_>, exchange: &Exchange, market: usize, row: &Listing) -> String {
    let limit = call
        .parameter("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(usize::MAX);
    let world = exchange.world();
    let side = |side| {
        let levels = world.published_book(market).levels(side).take(limit);
        list(levels.map(|level| {
            let (price, size) = (
                trimmed(level.price, row.price_decimals),
                trimmed(level.size, row.size_decimals),
            );
            format!(r#"{{"price":"{price}","size":"{size}"}}"#)
        }))
    };
    format!(
        r#"{{"pricebook":{{"product_id":"{}","bids":[{}],"asks":[{}],"time":"{}"}}}}"#,
        row.symbol,
        side(Side::Bid),
        side(Side::Ask),
        micros(world.now_ns())
    )
}
