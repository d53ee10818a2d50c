//! Any frame of the venue.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use tickpath_protocol::{DecimalError, Record, Side};

use crate::decode::json::{self, Object, Text};
use crate::decode::{BookEnd, Channel, Control, Decoded, Quote, Refused, SymbolTable, Trade, What, rfc3339};
use crate::dialect::WHOLE_VENUE;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    channel: Option<Text<'a>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    timestamp: Option<Text<'a>>,
    #[serde(default)]
    sequence_num: Option<u64>,
    #[serde(borrow, default)]
    events: Option<&'a RawValue>,
}

pub(super) fn decode(frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(envelope) = json::parse::<Object<Envelope>>(json::text(frame)?)?;
    let numbered = envelope.sequence_num.map(What::ConnectionSequence);
    if envelope.kind.as_deref() == Some("error") {
        // An error does not need to be numbered, but if it is, the number counts.
        numbered.into_iter().for_each(|number| out.event(WHOLE_VENUE, number));
        refused(envelope.message.as_deref().unwrap_or("no reason given"), out);
        return Ok(());
    }
    let channel = envelope.channel.as_deref().ok_or_else(|| missing("channel"))?;
    out.event(WHOLE_VENUE, numbered.ok_or_else(|| missing("sequence_num"))?);
    let events = envelope.events.ok_or_else(|| missing("events"))?.get();
    match channel {
        "l2_data" => books(events, symbols, out),
        "market_trades" => trades(events, symbols, out),
        "ticker" | "ticker_batch" => quotes(events, envelope.timestamp.as_deref(), symbols, out),
        "subscriptions" => subscriptions(events, symbols, out),
        "heartbeats" => {
            // Their `current_time` is Go's own notation and no RFC 3339; nothing in them is needed.
            json::parse::<Vec<Object<Nothing>>>(events)?;
            out.event(WHOLE_VENUE, What::Heartbeat { last_trade_id: None });
            Ok(())
        }
        _ => {
            out.event(WHOLE_VENUE, What::Ignored);
            Ok(())
        }
    }
}

#[derive(Deserialize)]
struct Nothing {}

fn missing(key: &str) -> Refused {
    Refused::Shape(format!("no `{key}`"))
}

#[derive(Deserialize)]
struct BookEvent<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    product_id: Text<'a>,
    #[serde(borrow)]
    updates: Vec<Object<Level<'a>>>,
}

#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    event_time: Text<'a>,
    #[serde(borrow)]
    price_level: Text<'a>,
    #[serde(borrow)]
    new_quantity: Text<'a>,
}

fn books(events: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    for Object(event) in &json::parse::<Vec<Object<BookEvent>>>(events)? {
        let image = is_image(&event.kind)?;
        let listed = json::find(&event.product_id, symbols)?;
        for Object(level) in &event.updates {
            let side = match &*level.side {
                "bid" => Side::Bid,
                "offer" => Side::Ask,
                other => return Err(Refused::Side(json::excerpt(other))),
            };
            let ts_event = rfc3339(level.event_time.as_bytes())?;
            let price = json::price("price_level", &level.price_level, listed)?;
            let size = json::size("new_quantity", &level.new_quantity, listed)?;
            out.level(listed, side, ts_event, price, size);
        }
        out.end_book(
            listed.id,
            BookEnd {
                image,
                ..BookEnd::default()
            },
        );
    }
    Ok(())
}

fn is_image(kind: &str) -> Result<bool, Refused> {
    match kind {
        "snapshot" => Ok(true),
        "update" => Ok(false),
        other => Err(Refused::Shape(format!("event of type `{}`", json::excerpt(other)))),
    }
}

#[derive(Deserialize)]
struct TradeEvent<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    trades: Vec<Object<MarketTrade<'a>>>,
}

#[derive(Deserialize)]
struct MarketTrade<'a> {
    #[serde(borrow)]
    product_id: Text<'a>,
    #[serde(borrow)]
    trade_id: Text<'a>,
    #[serde(borrow)]
    price: Text<'a>,
    #[serde(borrow)]
    size: Text<'a>,
    #[serde(borrow)]
    time: Text<'a>,
    #[serde(borrow)]
    side: Text<'a>,
}

fn trades(events: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    for Object(event) in &json::parse::<Vec<Object<TradeEvent>>>(events)? {
        if is_image(&event.kind)? {
            // History: trades before the subscription.
            out.event(WHOLE_VENUE, What::Ignored);
            continue;
        }
        // The venue puts the newest first.
        for Object(trade) in event.trades.iter().rev() {
            let listed = json::find(&trade.product_id, symbols)?;
            // The maker's: who hit a resting sell order is a buyer.
            let aggressor = match &*trade.side {
                "SELL" => Side::Bid,
                "BUY" => Side::Ask,
                other => return Err(Refused::Side(json::excerpt(other))),
            };
            out.trade(Trade {
                listed,
                aggressor: Some(aggressor),
                price: json::positive("price", json::price("price", &trade.price, listed)?)?,
                size: json::positive("size", json::size("size", &trade.size, listed)?)?,
                ts_event: rfc3339(trade.time.as_bytes())?,
                // Numbers so far, but documented as text.
                id: trade.trade_id.parse().ok(),
            });
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct TickerEvent<'a> {
    #[serde(borrow)]
    tickers: Vec<Object<Ticker<'a>>>,
}

#[derive(Deserialize)]
struct Ticker<'a> {
    #[serde(borrow)]
    product_id: Text<'a>,
    #[serde(borrow, default)]
    best_bid: Option<Text<'a>>,
    #[serde(borrow, default)]
    best_bid_quantity: Option<Text<'a>>,
    #[serde(borrow, default)]
    best_ask: Option<Text<'a>>,
    #[serde(borrow, default)]
    best_ask_quantity: Option<Text<'a>>,
}

/// A ticker states no time of its own; that of the envelope is when the venue sent it.
fn quotes(events: &str, sent: Option<&str>, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let ts_event = sent.map_or(Ok(Record::ABSENT), |sent| rfc3339(sent.as_bytes()))?;
    for Object(event) in &json::parse::<Vec<Object<TickerEvent>>>(events)? {
        for Object(ticker) in &event.tickers {
            let listed = json::find(&ticker.product_id, symbols)?;
            // `ticker_batch` leaves out the best bid and offer.
            if ticker.best_bid.is_none() && ticker.best_ask.is_none() {
                out.event(listed.id, What::Ignored);
                continue;
            }
            let price = |field, text: &Option<Text>| {
                let text = text.as_deref().ok_or_else(|| absent(field))?;
                json::price(field, text, listed)
            };
            let size = |field, text: &Option<Text>| {
                text.as_deref()
                    .map_or(Ok(Record::ABSENT), |text| json::size(field, text, listed))
            };
            out.quote(Quote {
                listed,
                bid: json::quote_side(
                    "best_bid",
                    price("best_bid", &ticker.best_bid)?,
                    size("best_bid_quantity", &ticker.best_bid_quantity)?,
                )?,
                ask: json::quote_side(
                    "best_ask",
                    price("best_ask", &ticker.best_ask)?,
                    size("best_ask_quantity", &ticker.best_ask_quantity)?,
                )?,
                ts_event,
                update_id: None,
            });
        }
    }
    Ok(())
}

fn absent(field: &'static str) -> Refused {
    Refused::Number {
        field,
        text: String::new(),
        source: DecimalError::Empty,
    }
}

#[derive(Deserialize)]
struct SubscriptionsEvent<'a> {
    #[serde(borrow)]
    subscriptions: BTreeMap<String, Option<Vec<Text<'a>>>>,
}

/// The list of all that is subscribed to on the connection. It is an answer and no data: a product that is unknown here is passed over,
/// so that it cannot hide the answer for the others.
fn subscriptions(events: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    for Object(event) in &json::parse::<Vec<Object<SubscriptionsEvent>>>(events)? {
        for (name, products) in &event.subscriptions {
            let channel = match &**name {
                "level2" | "l2_data" => Channel::Book,
                "market_trades" => Channel::Trades,
                "ticker" => Channel::Quotes,
                _ => continue,
            };
            for product in products.iter().flatten() {
                let Some(listed) = symbols.get(product.as_bytes()) else {
                    continue;
                };
                let subscribed = Control::Subscribed {
                    channel: Some(channel),
                    instrument: Some(listed.id),
                    depth: None,
                };
                out.event(listed.id, What::Control(subscribed));
            }
        }
    }
    Ok(())
}

/// The venue also calls it an authentication failure when it does not know a channel.
fn refused(message: &str, out: &mut Decoded) {
    let refused = Control::Refused {
        symbol: None,
        reason: message.to_owned(),
        is_final: message.to_ascii_lowercase().contains("authenticat"),
    };
    out.event(WHOLE_VENUE, What::Control(refused));
}
