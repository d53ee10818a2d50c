//! The `user` channel: what became of the client's orders.
//!
//! Source: Coinbase Exchange, "WebSocket channels", "Full channel" and "User channel": received, open, match, change, activate, done. `sequence` is the number of the
//! last change or trade of the product; messages of orders that changed nothing in the book repeat it.

use std::fmt;

use tickpath_matching::{OrderKind, SelfTrade};
use tickpath_protocol::Side;

use super::order_id;
use crate::dialect::Outbox;
use crate::listing::Listing;
use crate::market::Event;
use crate::orders::{ClientOrder, Fill, OrderUpdate, State, What};
use crate::text::{json_string, micros, trimmed};

/// The client's profile: there is one.
pub const PROFILE: &str = "75da88c5-05bf-4f54-bc85-5c775bd68254";

/// Everything that an event did to the client's orders.
pub(super) fn frames(row: &Listing, event: &Event, out: &mut Outbox) {
    for update in &event.orders {
        out.data(frame(row, update, event.ts_ns));
    }
}

fn frame(row: &Listing, update: &OrderUpdate, ts_ns: i64) -> String {
    let order = &update.order;
    let (kind, rest) = match update.what {
        What::Received => ("received", received(row, order)),
        What::Open => (
            "open",
            format!(
                r#"{},"remaining_size":"{}""#,
                priced(row, order),
                size(row, order.leaves)
            ),
        ),
        What::Activated => ("activate", activated(row, order)),
        What::Matched { fill, other } => ("match", matched(row, order, &fill, other)),
        What::Changed { before } => (
            "change",
            format!(
                r#"{},"reason":"STP","old_size":"{}","new_size":"{}""#,
                priced(row, order),
                size(row, before),
                size(row, order.leaves)
            ),
        ),
        What::Done { remaining } => (
            "done",
            format!(
                r#"{},"reason":"{}","remaining_size":"{}""#,
                priced(row, order),
                if order.state == State::Filled {
                    "filled"
                } else {
                    "canceled"
                },
                size(row, remaining)
            ),
        ),
    };
    let order_field = match update.what {
        What::Matched { .. } => String::new(),
        _ => format!(r#""order_id":"{}","#, order_id(row, order.number)),
    };
    format!(
        r#"{{"type":"{kind}","time":"{}","product_id":"{}","sequence":{},{order_field}"profile_id":"{PROFILE}","user_id":"{PROFILE}"{rest}}}"#,
        micros(ts_ns),
        row.symbol,
        update.update,
    )
}

fn received(row: &Listing, order: &ClientOrder) -> String {
    let client_id = match order.ticket.client_id.as_str() {
        "" => String::new(),
        text => format!(r#","client_oid":{}"#, json_string(text)),
    };
    let kind = kind_name(order.ticket.kind);
    format!(
        r#"{},"order_type":"{kind}","size":"{}"{client_id}"#,
        priced(row, order),
        size(row, order.ticket.quantity)
    )
}

fn activated(row: &Listing, order: &ClientOrder) -> String {
    let trigger = order.ticket.kind.trigger().unwrap_or(0);
    format!(
        r#"{},"stop_type":"{}","stop_price":"{}","size":"{}""#,
        priced(row, order),
        stop_name(order.ticket.side),
        trimmed(trigger, row.price_decimals),
        size(row, order.leaves)
    )
}

/// `side` is the maker's, as in the public feed.
fn matched(row: &Listing, order: &ClientOrder, fill: &Fill, other: u64) -> String {
    let (maker, taker) = if fill.is_maker {
        (order.number, other)
    } else {
        (other, order.number)
    };
    let maker_side = if fill.is_maker { fill.side } else { fill.side.opposite() };
    let role = if fill.is_maker { "maker" } else { "taker" };
    format!(
        r#","trade_id":{},"maker_order_id":"{}","taker_order_id":"{}","side":"{}","size":"{}","price":"{}","{role}_user_id":"{PROFILE}","{role}_profile_id":"{PROFILE}","{role}_fee_rate":"0""#,
        fill.trade_id,
        order_id(row, maker),
        order_id(row, taker),
        side_name(maker_side),
        size(row, fill.size),
        trimmed(fill.price, row.price_decimals),
    )
}

/// The side, and the limit price if there is one.
fn priced(row: &Listing, order: &ClientOrder) -> String {
    let side = side_name(order.ticket.side);
    match order.ticket.kind.price() {
        Some(price) => format!(r#","side":"{side}","price":"{}""#, trimmed(price, row.price_decimals)),
        None => format!(r#","side":"{side}""#),
    }
}

fn size(row: &Listing, size: i64) -> impl fmt::Display {
    trimmed(size, row.size_decimals)
}

/// `buy` or `sell`.
pub fn side_name(side: Side) -> &'static str {
    match side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    }
}

/// How the venue calls a stop of a side: a buy enters when the price rises, a sell limits a loss when it falls.
pub fn stop_name(side: Side) -> &'static str {
    match side {
        Side::Bid => "entry",
        Side::Ask => "loss",
    }
}

/// `dc`, `co`, `cn` or `cb`.
pub fn self_trade_name(mode: SelfTrade) -> &'static str {
    match mode {
        SelfTrade::Decrement => "dc",
        SelfTrade::CancelOldest => "co",
        SelfTrade::CancelNewest => "cn",
        SelfTrade::CancelBoth => "cb",
    }
}

/// `limit` or `market`.
pub fn kind_name(kind: OrderKind) -> &'static str {
    match kind.price() {
        Some(_) => "limit",
        None => "market",
    }
}
