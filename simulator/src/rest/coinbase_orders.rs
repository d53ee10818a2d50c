//! Orders over Coinbase Exchange's REST: `POST /orders`, `DELETE /orders`, `DELETE /orders/ID`, `GET /orders`, `GET /orders/ID`, `GET /fills`.
//!
//! Source: Coinbase Exchange, "REST API", "Orders" and "Fills". `ID` is the venue's, or `client:` and the client's. Differences: the key alone is checked, not the signature; the answer to a new
//! order shows it after it was matched; stops may be market orders; orders by `funds`, `cancel_after` and pages (`CB-AFTER`) are not offered; a field that is not known is an error.

use axum::http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tickpath_matching::{OrderKind, Reject, SelfTrade, TimeInForce};
use tickpath_protocol::decimal::{self, DecimalError};
use tickpath_protocol::{Side, Venue};

use super::Answer;
use crate::dialect::coinbase::user::{PROFILE, kind_name, self_trade_name, side_name, stop_name};
use crate::dialect::coinbase::{order_id, order_number};
use crate::exchange::Exchange;
use crate::listing::{self, LISTINGS, Listing};
use crate::orders::{ClientOrder, Fill, Refusal, State, Ticket};
use crate::text::{micros, parameter, trimmed};
use crate::world::World;

/// Rows of an answer unless the client says otherwise.
const ROWS: usize = 100;
/// Rows of an answer at most.
const ROWS_MAX: usize = 1_000;
/// Bytes of a client's name for an order at most: what a UUID has.
const CLIENT_ID_BYTES_MAX: usize = 36;

/// A call below `/orders` or `/fills`.
#[derive(Clone, Copy, Debug)]
pub struct OrderCall<'a> {
    /// GET, POST or DELETE.
    pub method: &'a Method,
    /// Below the venue's base.
    pub path: &'a str,
    /// Without `?`.
    pub query: &'a str,
    /// The key is in them.
    pub headers: &'a HeaderMap,
    /// An order.
    pub body: &'a [u8],
}

/// Why a call is not done: status and message.
type Refused = (StatusCode, String);

fn bad(message: impl Into<String>) -> Refused {
    (StatusCode::BAD_REQUEST, message.into())
}

/// Whether a path is for this module.
#[must_use]
pub fn is_about_orders(path: &str) -> bool {
    matches!(path.trim_matches('/').split('/').next(), Some("orders" | "fills"))
}

/// The answer to a call of a client that must show `key`.
#[must_use]
pub fn answer(call: &OrderCall<'_>, exchange: &Exchange, key: &str) -> Answer {
    match permitted(call, key).and_then(|()| routed(call, exchange)) {
        Ok(body) => Answer::ok(body.to_string()),
        Err((status, message)) => Answer::new(status, json!({ "message": message }).to_string()),
    }
}

fn permitted(call: &OrderCall<'_>, key: &str) -> Result<(), Refused> {
    let shown = call.headers.get("cb-access-key").map(|value| value.as_bytes());
    match shown {
        None => Err((StatusCode::UNAUTHORIZED, "CB-ACCESS-KEY header is required".into())),
        Some(shown) if !key.is_empty() && shown == key.as_bytes() => Ok(()),
        Some(_) => Err((StatusCode::UNAUTHORIZED, "Invalid API Key".into())),
    }
}

fn routed(call: &OrderCall<'_>, exchange: &Exchange) -> Result<Value, Refused> {
    let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    match (call.method, parts.as_slice()) {
        (&Method::POST, ["orders"]) => place(call, exchange),
        (&Method::DELETE, ["orders"]) => cancel_all(call, exchange),
        (&Method::DELETE, ["orders", id]) => cancel(id, exchange),
        (&Method::GET, ["orders"]) => orders(call, &exchange.world()),
        (&Method::GET, ["orders", id]) => found(id, &exchange.world()).map(described),
        (&Method::GET, ["fills"]) => fills(call, &exchange.world()),
        (_, ["orders"] | ["orders", _] | ["fills"]) => Err((
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{} is not offered here", call.method),
        )),
        _ => Err((StatusCode::NOT_FOUND, "NotFound".into())),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default)]
    client_oid: String,
    #[serde(default)]
    r#type: String,
    side: String,
    product_id: String,
    price: Option<String>,
    size: Option<String>,
    stop: Option<String>,
    stop_price: Option<String>,
    #[serde(default)]
    stp: String,
    time_in_force: Option<String>,
    #[serde(default)]
    post_only: bool,
    /// There is one profile; taken and not looked at.
    #[serde(default, rename = "profile_id")]
    _profile_id: String,
}

fn place(call: &OrderCall<'_>, exchange: &Exchange) -> Result<Value, Refused> {
    let body: Body = serde_json::from_slice(call.body).map_err(|error| bad(format!("Invalid order: {error}")))?;
    let ticket = ticket(body)?;
    let row = &LISTINGS[ticket.market];
    let placed = exchange.place(ticket).map_err(|refusal| refused(row, refusal))?;
    Ok(described(&placed))
}

fn ticket(body: Body) -> Result<Ticket, Refused> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if body.client_oid.len() > CLIENT_ID_BYTES_MAX || !body.client_oid.bytes().all(is_name) {
        return Err(bad("client_oid must be a UUID: at most 36 letters, digits and dashes"));
    }
    let market = listing::find(Venue::COINBASE, &body.product_id)
        .ok_or_else(|| bad(format!("{} is not a valid product", body.product_id)))?;
    let row = &LISTINGS[market];
    let side = match body.side.as_str() {
        "buy" => Side::Bid,
        "sell" => Side::Ask,
        other => return Err(bad(format!("side must be buy or sell, not {other:?}"))),
    };
    let size = body.size.as_deref().ok_or_else(|| bad("size is required"))?;
    let is_limit = match body.r#type.as_str() {
        "" | "limit" => true,
        "market" => false,
        other => return Err(bad(format!("type must be limit or market, not {other:?}"))),
    };
    Ok(Ticket {
        quantity: number("size", size, row.size_decimals, row.lot)?,
        kind: kind(&body, is_limit, side, row)?,
        time_in_force: time_in_force(body.time_in_force.as_deref(), is_limit)?,
        self_trade: self_trade(&body.stp)?,
        post_only: body.post_only,
        client_id: body.client_oid,
        market,
        side,
    })
}

fn kind(body: &Body, is_limit: bool, side: Side, row: &Listing) -> Result<OrderKind, Refused> {
    let price = |name, text: &str| number(name, text, row.price_decimals, 1);
    let limit = match (is_limit, body.price.as_deref()) {
        (true, Some(text)) => Some(price("price", text)?),
        (true, None) => return Err(bad("price is required for a limit order")),
        (false, Some(_)) => return Err(bad("a market order has no price")),
        (false, None) => None,
    };
    let trigger = match (body.stop.as_deref(), body.stop_price.as_deref()) {
        (None, None) => None,
        (Some(stop), Some(text)) if stop == stop_name(side) => Some(price("stop_price", text)?),
        (Some(_), Some(_)) => {
            let (side, stop) = (side_name(side), stop_name(side));
            return Err(bad(format!("stop must be {stop:?} for a {side}")));
        }
        _ => return Err(bad("stop and stop_price are given together or not at all")),
    };
    Ok(match (limit, trigger) {
        (Some(price), None) => OrderKind::Limit { price },
        (Some(price), Some(trigger)) => OrderKind::StopLimit { trigger, price },
        (None, None) => OrderKind::Market,
        (None, Some(trigger)) => OrderKind::Stop { trigger },
    })
}

/// A price or size; what is no number, has too many digits, or is not above zero is refused.
fn number(name: &str, text: &str, decimals: u8, step: i64) -> Result<i64, Refused> {
    let smallest = trimmed(step, decimals);
    match decimal::parse(text.as_bytes(), decimals) {
        Ok(mantissa) if mantissa <= 0 => Err(bad(format!("{name} must be above 0"))),
        Ok(mantissa) if mantissa % step != 0 => {
            Err(bad(format!("{name} is too accurate. Smallest unit is {smallest}")))
        }
        Ok(mantissa) => Ok(mantissa),
        Err(DecimalError::Inexact) => Err(bad(format!("{name} is too accurate. Smallest unit is {smallest}"))),
        Err(error) => Err(bad(format!("Invalid {name}: {error}"))),
    }
}

fn time_in_force(text: Option<&str>, is_limit: bool) -> Result<TimeInForce, Refused> {
    match text {
        None if is_limit => Ok(TimeInForce::Gtc),
        None => Ok(TimeInForce::Ioc),
        Some("GTC") => Ok(TimeInForce::Gtc),
        Some("IOC") => Ok(TimeInForce::Ioc),
        Some("FOK") => Ok(TimeInForce::Fok),
        Some(other) => Err(bad(format!("time_in_force must be GTC, IOC or FOK, not {other:?}"))),
    }
}

fn self_trade(text: &str) -> Result<SelfTrade, Refused> {
    let modes = [
        SelfTrade::Decrement,
        SelfTrade::CancelOldest,
        SelfTrade::CancelNewest,
        SelfTrade::CancelBoth,
    ];
    match text {
        "" => Ok(SelfTrade::default()),
        _ => modes
            .into_iter()
            .find(|mode| self_trade_name(*mode) == text)
            .ok_or_else(|| bad(format!("stp must be dc, co, cn or cb, not {text:?}"))),
    }
}

fn refused(row: &Listing, refusal: Refusal) -> Refused {
    match refusal {
        Refusal::FarFromMarket { lowest, highest } => {
            let price = |price| trimmed(price, row.price_decimals);
            bad(format!(
                "{refusal}: it must be between {} and {}",
                price(lowest),
                price(highest)
            ))
        }
        Refusal::Market(Reject::QuantityTooLarge) => bad("size is too large"),
        Refusal::Market(Reject::PostOnlyWouldTrade) => bad("post only: the order would trade at once"),
        Refusal::TooManyOpen => (StatusCode::TOO_MANY_REQUESTS, refusal.to_string()),
        Refusal::ClientIdUsed | Refusal::Market(_) => bad(refusal.to_string()),
    }
}

fn cancel(id: &str, exchange: &Exchange) -> Result<Value, Refused> {
    let (key, is_done) = {
        let world = exchange.world();
        let order = found(id, &world)?;
        (order.key(), order.state.is_done())
    };
    if is_done {
        return Err(bad("Order already done"));
    }
    exchange.cancel(key);
    Ok(shown_id(key))
}

fn cancel_all(call: &OrderCall<'_>, exchange: &Exchange) -> Result<Value, Refused> {
    let market = wanted_market(call)?;
    Ok(exchange.cancel_all(market).into_iter().map(shown_id).collect())
}

fn orders(call: &OrderCall<'_>, world: &World) -> Result<Value, Refused> {
    let market = wanted_market(call)?;
    let status = parameter(call.query, "status").unwrap_or_else(|| "open".into());
    let is_wanted = |order: &&ClientOrder| match status.as_str() {
        "all" => true,
        "done" => order.state.is_done(),
        _ => !order.state.is_done(),
    };
    if !["all", "done", "open", "active", "pending"].contains(&status.as_str()) {
        return Err(bad(format!("{status} is not a valid status")));
    }
    let newest = world.desk().orders().rev().filter(is_wanted);
    let of_market = newest.filter(|order| market.is_none_or(|market| order.ticket.market == market));
    Ok(of_market.take(rows(call)?).map(described).collect())
}

fn fills(call: &OrderCall<'_>, world: &World) -> Result<Value, Refused> {
    let market = wanted_market(call)?;
    let order = match parameter(call.query, "order_id") {
        Some(id) => Some(found(&id, world)?.key()),
        None => None,
    };
    let newest = world.desk().fills().rev();
    let wanted = newest
        .filter(|fill| market.is_none_or(|market| fill.order.0 == market))
        .filter(|fill| order.is_none_or(|order| fill.order == order));
    Ok(wanted.take(rows(call)?).map(described_fill).collect())
}

fn found<'a>(id: &str, world: &'a World) -> Result<&'a ClientOrder, Refused> {
    let order = match id.strip_prefix("client:") {
        Some(name) => world.desk().named(name),
        None => order_number(id).and_then(|key| world.desk().order(key)),
    };
    order.ok_or_else(|| (StatusCode::NOT_FOUND, "order not found".into()))
}

fn wanted_market(call: &OrderCall<'_>) -> Result<Option<usize>, Refused> {
    let Some(id) = parameter(call.query, "product_id") else {
        return Ok(None);
    };
    let market = listing::find(Venue::COINBASE, &id);
    market
        .map(Some)
        .ok_or_else(|| bad(format!("{id} is not a valid product")))
}

fn rows(call: &OrderCall<'_>) -> Result<usize, Refused> {
    match parameter(call.query, "limit") {
        None => Ok(ROWS),
        Some(text) => match text.parse() {
            Ok(rows) if (1..=ROWS_MAX).contains(&rows) => Ok(rows),
            _ => Err(bad(format!("limit must be 1 to {ROWS_MAX}, not {text}"))),
        },
    }
}

fn shown_id((market, number): (usize, u64)) -> Value {
    Value::from(order_id(&LISTINGS[market], number).to_string())
}

fn described(order: &ClientOrder) -> Value {
    let ticket = &order.ticket;
    let row = &LISTINGS[ticket.market];
    let size = |size| trimmed(size, row.size_decimals).to_string();
    let price = |price| trimmed(price, row.price_decimals).to_string();
    let mut described = json!({
        "id": shown_id(order.key()),
        "product_id": row.symbol,
        "profile_id": PROFILE,
        "side": side_name(ticket.side),
        "type": kind_name(ticket.kind),
        "size": size(ticket.quantity),
        "time_in_force": time_in_force_name(ticket.time_in_force),
        "post_only": ticket.post_only,
        "stp": self_trade_name(ticket.self_trade),
        "created_at": micros(order.created_ns).to_string(),
        "fill_fees": "0",
        "filled_size": size(order.filled),
        "executed_value": value_text(order.value, u32::from(row.price_decimals + row.size_decimals)),
        "status": status_name(order.state),
        "settled": order.state.is_done(),
    });
    let mut add = |name: &str, value: String| described[name] = Value::from(value);
    if let Some(limit) = ticket.kind.price() {
        add("price", price(limit));
    }
    if let Some(trigger) = ticket.kind.trigger() {
        add("stop", stop_name(ticket.side).into());
        add("stop_price", price(trigger));
    }
    if !ticket.client_id.is_empty() {
        add("client_oid", ticket.client_id.clone());
    }
    if let Some(done_ns) = order.done_ns {
        add("done_at", micros(done_ns).to_string());
        let reason = if order.state == State::Filled {
            "filled"
        } else {
            "canceled"
        };
        add("done_reason", reason.into());
    }
    described
}

fn described_fill(fill: &Fill) -> Value {
    let row = &LISTINGS[fill.order.0];
    json!({
        "trade_id": fill.trade_id,
        "product_id": row.symbol,
        "order_id": shown_id(fill.order),
        "profile_id": PROFILE,
        "liquidity": if fill.is_maker { "M" } else { "T" },
        "price": trimmed(fill.price, row.price_decimals).to_string(),
        "size": trimmed(fill.size, row.size_decimals).to_string(),
        "fee": "0",
        "side": side_name(fill.side),
        "settled": true,
        "created_at": micros(fill.ts_ns).to_string(),
    })
}

fn time_in_force_name(time_in_force: TimeInForce) -> &'static str {
    match time_in_force {
        TimeInForce::Gtc => "GTC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
    }
}

fn status_name(state: State) -> &'static str {
    match state {
        State::Waiting => "active",
        State::Open => "open",
        State::Filled | State::Canceled(_) => "done",
    }
}

/// A value that has more digits than a price: `decimals` of them after the point, zeros at the end left out.
fn value_text(value: i128, decimals: u32) -> String {
    let one = 10_i128.pow(decimals);
    let text = format!("{}.{:0width$}", value / one, value % one, width = decimals as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
