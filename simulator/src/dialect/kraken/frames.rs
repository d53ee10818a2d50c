//! Kraken's frames: bare JSON numbers with all their zeros.

use tickpath_protocol::checksum::book_crc32;
use tickpath_protocol::{OrderBook, Side, Venue};

use crate::listing::{self, Listing};
use crate::market::Trade;
use crate::text::{fixed, json_string, list, micros};

/// Times, echo and direction of an answer.
pub(super) struct Answer<'a> {
    pub(super) method: &'a str,
    pub(super) req_id: Option<i64>,
    pub(super) now_ns: i64,
}

impl Answer<'_> {
    pub(super) fn tail(&self) -> String {
        let req_id = self.req_id.map_or_else(String::new, |id| format!(",\"req_id\":{id}"));
        // The venue took its time: 43 µs, as in its own frames.
        format!(
            r#"{req_id},"time_in":"{}","time_out":"{}""#,
            micros(self.now_ns),
            micros(self.now_ns + 43_000)
        )
    }

    pub(super) fn ack(&self, result: &str) -> String {
        let (method, tail) = (self.method, self.tail());
        format!(r#"{{"method":"{method}","result":{{{result}}},"success":true{tail}}}"#)
    }

    pub(super) fn nack(&self, error: &str, symbol: Option<&str>) -> String {
        let symbol = symbol.map_or_else(String::new, |symbol| format!(",\"symbol\":{}", json_string(symbol)));
        let (error, method, tail) = (json_string(error), json_string(self.method), self.tail());
        format!(r#"{{"error":{error},"method":{method},"success":false{symbol}{tail}}}"#)
    }
}

/// Sent every second once something is subscribed, also under traffic.
pub const HEARTBEAT: &str = r#"{"channel":"heartbeat"}"#;

/// The status channel, which nobody subscribes to.
pub fn status(system: &str, connection: u64) -> String {
    // As large as the venue's: above 2^53.
    let id = 4_421_894_013_101_914_413_u64.wrapping_add(connection);
    format!(
        r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.10","system":"{system}","api_version":"v2","connection_id":{id}}}]}}"#
    )
}

/// The answer to a ping.
pub fn pong(req_id: Option<i64>, now_ns: i64) -> String {
    let answer = Answer {
        method: "ping",
        req_id,
        now_ns,
    };
    format!(r#"{{"method":"pong"{}}}"#, answer.tail())
}

pub(super) fn instruments() -> String {
    let pair = |row: &Listing| {
        let increment = |decimals| fixed(1, decimals);
        format!(
            r#"{{"symbol":"{}","base":"{}","quote":"{}","status":"online","qty_precision":{},"qty_increment":1e-{:02},"price_precision":{},"cost_precision":5,"marginable":true,"has_index":true,"cost_min":0.5,"margin_initial":0.2,"position_limit_long":500,"position_limit_short":360,"tick_size":{tick},"price_increment":{tick},"qty_min":0.00005}}"#,
            row.symbol,
            row.base(),
            row.quote,
            row.size_decimals,
            row.size_decimals,
            row.price_decimals,
            tick = increment(row.price_decimals),
        )
    };
    let asset = |row: &Listing| {
        format!(
            r#"{{"id":"{}","status":"enabled","precision":10,"precision_display":5,"borrowable":true,"collateral_value":1,"margin_rate":0.02}}"#,
            row.base()
        )
    };
    let rows = || listing::of_venue(Venue::KRAKEN).map(|(_, row)| row);
    format!(
        r#"{{"channel":"instrument","type":"snapshot","data":{{"assets":[{}],"pairs":[{}]}}}}"#,
        list(rows().map(asset)),
        list(rows().map(pair))
    )
}

pub(super) fn level_text(row: &Listing, price: i64, size: i64) -> String {
    let (price, size) = (fixed(price, row.price_decimals), fixed(size, row.size_decimals));
    format!(r#"{{"price":{price},"qty":{size}}}"#)
}

pub(super) fn book_frame(
    kind: &str,
    row: &Listing,
    view: &OrderBook,
    ts_ns: i64,
    levels: impl Fn(Side) -> String,
) -> String {
    format!(
        r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{}","bids":[{}],"asks":[{}],"checksum":{},"timestamp":"{}"}}]}}"#,
        row.symbol,
        levels(Side::Bid),
        levels(Side::Ask),
        book_crc32(view),
        micros(ts_ns)
    )
}

pub(super) fn trade_frame<'a>(kind: &str, row: &Listing, trades: impl Iterator<Item = &'a Trade>) -> String {
    let trade = |trade: &Trade| {
        format!(
            r#"{{"symbol":"{}","side":"{}","price":{},"qty":{},"ord_type":"{}","trade_id":{},"timestamp":"{}"}}"#,
            row.symbol,
            if trade.aggressor == Side::Bid { "buy" } else { "sell" },
            fixed(trade.price, row.price_decimals),
            fixed(trade.size, row.size_decimals),
            if trade.id.is_multiple_of(3) { "limit" } else { "market" },
            trade.id,
            micros(trade.ts_ns)
        )
    };
    format!(
        r#"{{"channel":"trade","type":"{kind}","data":[{}]}}"#,
        list(trades.map(trade))
    )
}

pub(super) fn ticker_frame(kind: &str, row: &Listing, book: &OrderBook, last: Option<&Trade>, ts_ns: i64) -> String {
    let (bid, ask) = (book.best(Side::Bid), book.best(Side::Ask));
    let price = |price: Option<i64>| fixed(price.unwrap_or(0), row.price_decimals);
    let size = |size: Option<i64>| fixed(size.unwrap_or(0), row.size_decimals);
    let bid_price = bid.map(|level| level.price);
    let last = price(last.map(|trade| trade.price).or(bid_price));
    format!(
        r#"{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{}","bid":{},"bid_qty":{},"ask":{},"ask_qty":{},"last":{last},"volume":{},"vwap":{last},"low":{last},"high":{last},"change":{},"change_pct":0.00,"timestamp":"{}"}}]}}"#,
        row.symbol,
        price(bid_price),
        size(bid.map(|level| level.size)),
        price(ask.map(|level| level.price)),
        size(ask.map(|level| level.size)),
        size(Some(123_456_789)),
        price(Some(0)),
        micros(ts_ns)
    )
}
