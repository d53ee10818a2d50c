//! The venue's JSON, written and read. Sans-IO; what does not fit exactly is an error.
//!
//! Source: Coinbase Exchange, "REST API", "Orders" and "Fills", and "WebSocket channels", "User channel"; as `docs/orders.md` says.

use serde::Deserialize;
use serde_json::{Value, json};
use tickpath_protocol::trading::{Liquidity, MONEY_DECIMALS, OrderKind, Reason, TimeInForce};
use tickpath_protocol::{DecimalText, Record, Scale, Side, decimal};

use crate::ask::{Ask, client_oid};

/// An order as the venue shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// The venue's name for it.
    pub venue_id: String,
    /// Its quantity, a mantissa.
    pub size: i64,
    /// What traded, a mantissa.
    pub filled: i64,
    /// Whether nothing more happens to it.
    pub is_done: bool,
}

/// A trade of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillView {
    /// The venue's number; rises.
    pub trade_id: u64,
    /// A mantissa.
    pub price: i64,
    /// A mantissa.
    pub quantity: i64,
    /// In quote currency at [`MONEY_DECIMALS`].
    pub fee: i64,
    /// Whether the order rested.
    pub liquidity: Liquidity,
}

/// An order that rests, by name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OpenRow {
    /// The venue's name for it.
    pub id: String,
    /// The client's, if it gave one.
    #[serde(default)]
    pub client_oid: String,
    /// The product.
    #[serde(default)]
    pub product_id: String,
}

/// An answer that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Malformed {
        Malformed(error.to_string())
    }
}

#[derive(Deserialize)]
struct Order {
    id: String,
    #[serde(default)]
    client_oid: String,
    product_id: String,
    side: String,
    size: String,
    filled_size: String,
    status: String,
}

#[derive(Deserialize)]
struct Fill {
    trade_id: u64,
    order_id: String,
    price: String,
    size: String,
    fee: String,
    liquidity: String,
}

/// The body of a new order. An order of ours that it would meet stays, and this one is canceled: a quantity never shrinks.
///
/// `None` if the order lacks what [`Ask::refusal`] asks for.
#[must_use]
pub fn order_body(ask: &Ask) -> Option<String> {
    let price = |mantissa| Value::from(DecimalText::new(mantissa, ask.scale.price_decimals()).to_string());
    let (side, stop) = match ask.side? {
        Side::Bid => ("buy", "entry"),
        Side::Ask => ("sell", "loss"),
    };
    let kind = ask.kind?;
    let is_limit = matches!(kind, OrderKind::Limit | OrderKind::StopLimit);
    let mut body = json!({
        "client_oid": client_oid(ask.id),
        "product_id": ask.product.as_deref()?,
        "side": side,
        "type": if is_limit { "limit" } else { "market" },
        "size": DecimalText::new(ask.quantity, ask.scale.size_decimals()).to_string(),
        "stp": "cn",
        "post_only": ask.post_only,
    });
    if is_limit && ask.price != Record::ABSENT {
        body["price"] = price(ask.price);
        let time = match ask.time_in_force {
            TimeInForce::Gtc => "GTC",
            TimeInForce::Ioc => "IOC",
            TimeInForce::Fok => "FOK",
        };
        body["time_in_force"] = time.into();
    } else if ask.time_in_force == TimeInForce::Fok {
        body["time_in_force"] = "FOK".into();
    }
    if let Some(trigger) = ask.trigger {
        body["stop"] = stop.into();
        body["stop_price"] = price(trigger);
    }
    Some(body.to_string())
}

/// An order of ours out of an answer; it must be the one that was asked for.
///
/// # Errors
/// If the answer is no such order.
pub fn order(body: &[u8], ask: &Ask) -> Result<OrderView, Malformed> {
    let order: Order = serde_json::from_slice(body)?;
    if order.client_oid != client_oid(ask.id) {
        return Err(Malformed(format!("an answer about order {:?}", order.client_oid)));
    }
    let side = match order.side.as_str() {
        "buy" => Side::Bid,
        "sell" => Side::Ask,
        other => return Err(Malformed(format!("side {other:?}"))),
    };
    if ask.side.is_some_and(|wanted| wanted != side) || ask.product.as_deref() != Some(order.product_id.as_str()) {
        return Err(Malformed("another side or product than was ordered".into()));
    }
    let is_done = match order.status.as_str() {
        "done" | "settled" => true,
        "open" | "active" | "pending" | "received" => false,
        other => return Err(Malformed(format!("status {other:?}"))),
    };
    Ok(OrderView {
        venue_id: order.id,
        size: quantity(&order.size, ask.scale)?,
        filled: quantity(&order.filled_size, ask.scale)?,
        is_done,
    })
}

/// The fills of an order out of an answer, the oldest first.
///
/// # Errors
/// If one of them cannot be read, or is of another order.
pub fn fills(body: &[u8], venue_id: &str, scale: Scale) -> Result<Vec<FillView>, Malformed> {
    let rows: Vec<Fill> = serde_json::from_slice(body)?;
    let mut fills = Vec::with_capacity(rows.len());
    for row in rows {
        if row.order_id != venue_id {
            return Err(Malformed(format!("a fill of order {:?}", row.order_id)));
        }
        fills.push(FillView {
            trade_id: row.trade_id,
            price: number("price", &row.price, scale.price_decimals())?,
            quantity: quantity(&row.size, scale)?,
            fee: number("fee", &row.fee, MONEY_DECIMALS)?,
            liquidity: match row.liquidity.as_str() {
                "M" => Liquidity::Maker,
                "T" => Liquidity::Taker,
                other => return Err(Malformed(format!("liquidity {other:?}"))),
            },
        });
    }
    fills.sort_by_key(|fill| fill.trade_id);
    Ok(fills)
}

/// The orders that rest, out of an answer.
///
/// # Errors
/// If it is none.
pub fn open_orders(body: &[u8]) -> Result<Vec<OpenRow>, Malformed> {
    Ok(serde_json::from_slice(body)?)
}

/// What a refusal means to the engine; `None` if it proves that the venue knows the order.
#[must_use]
pub fn refusal(body: &[u8]) -> Option<Reason> {
    let message = message(body);
    if message.contains("client_oid was used") {
        None
    } else if message.contains("post only") {
        Some(Reason::WouldTake)
    } else {
        Some(Reason::Venue)
    }
}

/// Whether an answer says that there is no such order: a bare 404 may be of anybody on the way.
#[must_use]
pub fn is_order_unknown(body: &[u8]) -> bool {
    message(body) == "order not found"
}

fn message(body: &[u8]) -> String {
    #[derive(Default, Deserialize)]
    struct Refused {
        #[serde(default)]
        message: String,
    }
    serde_json::from_slice::<Refused>(body).unwrap_or_default().message
}

/// A message of the `user` channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The venue took a subscription.
    Subscribed,
    /// There is news of the orders with these names of the venue; one of them may be somebody else's.
    Orders(Vec<String>),
}

/// Reads a message of the `user` channel.
///
/// # Errors
/// If it is none, or an error.
pub fn message_of_channel(text: &str) -> Result<Message, Malformed> {
    #[derive(Deserialize)]
    struct Received {
        #[serde(rename = "type")]
        kind: String,
        message: Option<String>,
        order_id: Option<String>,
        maker_order_id: Option<String>,
        taker_order_id: Option<String>,
    }
    let message: Received = serde_json::from_str(text)?;
    match message.kind.as_str() {
        "error" => return Err(Malformed(message.message.unwrap_or_default())),
        "subscriptions" => return Ok(Message::Subscribed),
        _ => {}
    }
    let ids = [message.order_id, message.maker_order_id, message.taker_order_id];
    Ok(Message::Orders(ids.into_iter().flatten().collect()))
}

fn quantity(text: &str, scale: Scale) -> Result<i64, Malformed> {
    number("size", text, scale.size_decimals())
}

fn number(name: &str, text: &str, decimals: u8) -> Result<i64, Malformed> {
    decimal::parse(text.as_bytes(), decimals).map_err(|error| Malformed(format!("{name} {text:?}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::tests::limit;

    const ORDER: &str = r#"{"id":"a","client_oid":"tp-3-17","product_id":"BTC-USD","side":"buy","size":"0.5","filled_size":"0.1","status":"open","type":"limit"}"#;

    #[test]
    fn an_order_is_written_as_the_venue_wants_it() {
        let body: Value = serde_json::from_str(&order_body(&limit()).unwrap()).unwrap();
        let expected = json!({
            "client_oid": "tp-3-17", "product_id": "BTC-USD", "side": "buy", "type": "limit", "size": "0.50000000",
            "price": "60000.00", "time_in_force": "GTC", "post_only": true, "stp": "cn"
        });
        assert_eq!(body, expected);
        let stop = Ask {
            side: Some(Side::Ask),
            kind: Some(OrderKind::Stop),
            price: Record::ABSENT,
            trigger: Some(5_900_001),
            post_only: false,
            ..limit()
        };
        let body: Value = serde_json::from_str(&order_body(&stop).unwrap()).unwrap();
        let expected = json!({
            "client_oid": "tp-3-17", "product_id": "BTC-USD", "side": "sell", "type": "market", "size": "0.50000000",
            "stop": "loss", "stop_price": "59000.01", "post_only": false, "stp": "cn"
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn answers_are_read_exactly_or_not_at_all() {
        let view = order(ORDER.as_bytes(), &limit()).unwrap();
        assert_eq!((view.size, view.filled, view.is_done), (50_000_000, 10_000_000, false));
        for (what, by) in [
            ("tp-3-17", "tp-3-18"),
            ("BTC-USD", "ETH-USD"),
            ("\"buy\"", "\"sell\""),
            ("\"buy\"", "\"\""),
            ("0.1", "0.123456789"),
            ("\"0.1\"", "\"\""),
            ("\"0.1\"", "0.1"),
            ("open", "closed"),
            ("{", "[{"),
            ("\"id\"", "\"di\""),
        ] {
            assert!(
                order(ORDER.replacen(what, by, 1).as_bytes(), &limit()).is_err(),
                "{what} → {by}"
            );
        }
        let scale = limit().scale;
        let row = |id: u64| {
            format!(
                r#"{{"trade_id":{id},"order_id":"a","price":"60000.01","size":"0.1","fee":"-0.5","liquidity":"M"}}"#
            )
        };
        let fills_of = |text: String| fills(text.as_bytes(), "a", scale);
        let found = fills_of(format!("[{},{}]", row(9), row(4))).unwrap();
        assert_eq!(
            (found[0].trade_id, found[0].price, found[0].fee),
            (4, 6_000_001, -50_000_000)
        );
        assert!(fills_of(format!("[{}]", row(1).replace("\"a\"", "\"b\""))).is_err());
        assert!(fills_of(format!("[{}]", row(1).replace("\"M\"", "\"X\""))).is_err());
        assert!(fills_of("{}".into()).is_err());
    }

    #[test]
    fn refusals_and_messages() {
        assert_eq!(refusal(br#"{"message":"client_oid was used before"}"#), None);
        assert_eq!(
            refusal(br#"{"message":"post only: it would trade"}"#),
            Some(Reason::WouldTake)
        );
        assert!(is_order_unknown(br#"{"message":"order not found"}"#));
        assert!(!is_order_unknown(br#"{"message":"NotFound"}"#) && !is_order_unknown(b""));
        assert_eq!(refusal(b"<html>"), Some(Reason::Venue));
        let message = r#"{"type":"match","maker_order_id":"a","taker_order_id":"b","size":"1"}"#;
        let orders = Message::Orders(vec!["a".into(), "b".into()]);
        assert_eq!(message_of_channel(message), Ok(orders));
        let subscribed = message_of_channel(r#"{"type":"subscriptions","channels":[]}"#);
        assert_eq!(subscribed, Ok(Message::Subscribed));
        assert!(message_of_channel(r#"{"type":"error","message":"no"}"#).is_err());
        assert!(message_of_channel("[[[[").is_err());
    }
}
