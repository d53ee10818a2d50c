//! Any frame of the venue.

use serde::Deserialize;
use tickpath_protocol::{Record, Side};

use super::products::Product;
use crate::decode::json::{self, Object, Text};
use crate::decode::{BookEnd, Channel, Control, Decoded, Listed, Quote, Refused, SymbolTable, Trade, What, rfc3339};
use crate::dialect::WHOLE_VENUE;

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
}

pub(super) fn decode(frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let text = json::text(frame)?;
    let Object(head) = json::parse::<Object<Head>>(text)?;
    match &*head.kind {
        "l2update" => update(text, symbols, out),
        "snapshot" => image(text, symbols, out),
        "match" => trade(text, symbols, out),
        "ticker" => quote(text, symbols, out),
        "heartbeat" => heartbeat(text, symbols, out),
        "subscriptions" => subscriptions(text, symbols, out),
        "status" => status(text, symbols, out),
        "error" => error(text, out),
        // `last_match` is history: the trade before the subscription. The rest are the channels `full`, `auctionfeed` and the like.
        _ => {
            out.event(WHOLE_VENUE, What::Ignored);
            Ok(())
        }
    }
}

/// The time of a message whose first kinds, years ago, did not state one.
fn optional_time(time: Option<&Text>) -> Result<i64, Refused> {
    time.map_or(Ok(Record::ABSENT), |time| Ok(rfc3339(time.as_bytes())?))
}

#[derive(Deserialize)]
struct Update<'a> {
    #[serde(borrow)]
    product_id: Text<'a>,
    #[serde(borrow)]
    changes: Vec<[Text<'a>; 3]>,
    #[serde(borrow)]
    time: Text<'a>,
}

fn update(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(update) = json::parse::<Object<Update>>(text)?;
    let listed = json::find(&update.product_id, symbols)?;
    let ts_event = rfc3339(update.time.as_bytes())?;
    for [side, price, size] in &update.changes {
        let side = match &**side {
            "buy" => Side::Bid,
            "sell" => Side::Ask,
            other => return Err(Refused::Side(json::excerpt(other))),
        };
        level(listed, side, ts_event, price, size, out)?;
    }
    out.end_book(listed.id, BookEnd::default());
    Ok(())
}

#[derive(Deserialize)]
struct Image<'a> {
    #[serde(borrow)]
    product_id: Text<'a>,
    #[serde(borrow)]
    bids: Vec<[Text<'a>; 2]>,
    #[serde(borrow)]
    asks: Vec<[Text<'a>; 2]>,
    #[serde(borrow, default)]
    time: Option<Text<'a>>,
}

fn image(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(image) = json::parse::<Object<Image>>(text)?;
    let listed = json::find(&image.product_id, symbols)?;
    let ts_event = optional_time(image.time.as_ref())?;
    for (side, levels) in [(Side::Bid, &image.bids), (Side::Ask, &image.asks)] {
        for [price, size] in levels {
            level(listed, side, ts_event, price, size, out)?;
        }
    }
    out.end_book(
        listed.id,
        BookEnd {
            image: true,
            ..BookEnd::default()
        },
    );
    Ok(())
}

fn level(listed: Listed, side: Side, ts_event: i64, price: &str, size: &str, out: &mut Decoded) -> Result<(), Refused> {
    let price = json::price("price", price, listed)?;
    let size = json::size("size", size, listed)?;
    out.level(listed, side, ts_event, price, size);
    Ok(())
}

#[derive(Deserialize)]
struct Match<'a> {
    trade_id: u64,
    #[serde(borrow)]
    product_id: Text<'a>,
    #[serde(borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    price: Text<'a>,
    #[serde(borrow)]
    size: Text<'a>,
    #[serde(borrow)]
    time: Text<'a>,
}

fn trade(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(trade) = json::parse::<Object<Match>>(text)?;
    let listed = json::find(&trade.product_id, symbols)?;
    // The maker's: who hit a resting sell order is a buyer.
    let aggressor = match &*trade.side {
        "sell" => Side::Bid,
        "buy" => Side::Ask,
        other => return Err(Refused::Side(json::excerpt(other))),
    };
    out.trade(Trade {
        listed,
        aggressor: Some(aggressor),
        price: json::positive("price", json::price("price", &trade.price, listed)?)?,
        size: json::positive("size", json::size("size", &trade.size, listed)?)?,
        ts_event: rfc3339(trade.time.as_bytes())?,
        id: Some(trade.trade_id),
    });
    Ok(())
}

#[derive(Deserialize)]
struct Ticker<'a> {
    #[serde(borrow)]
    product_id: Text<'a>,
    #[serde(borrow)]
    best_bid: Text<'a>,
    #[serde(borrow, default)]
    best_bid_size: Option<Text<'a>>,
    #[serde(borrow)]
    best_ask: Text<'a>,
    #[serde(borrow, default)]
    best_ask_size: Option<Text<'a>>,
    #[serde(borrow, default)]
    time: Option<Text<'a>>,
}

fn quote(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(ticker) = json::parse::<Object<Ticker>>(text)?;
    let listed = json::find(&ticker.product_id, symbols)?;
    let price = |field, text: &str| json::price(field, text, listed);
    // The ticker of 2021 states no sizes.
    let size = |field, text: Option<&Text>| text.map_or(Ok(Record::ABSENT), |text| json::size(field, text, listed));
    out.quote(Quote {
        listed,
        bid: json::quote_side(
            "best_bid",
            price("best_bid", &ticker.best_bid)?,
            size("best_bid_size", ticker.best_bid_size.as_ref())?,
        )?,
        ask: json::quote_side(
            "best_ask",
            price("best_ask", &ticker.best_ask)?,
            size("best_ask_size", ticker.best_ask_size.as_ref())?,
        )?,
        ts_event: optional_time(ticker.time.as_ref())?,
        update_id: None,
    });
    Ok(())
}

#[derive(Deserialize)]
struct Heartbeat<'a> {
    #[serde(borrow)]
    product_id: Text<'a>,
    last_trade_id: u64,
}

fn heartbeat(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(heartbeat) = json::parse::<Object<Heartbeat>>(text)?;
    let listed = json::find(&heartbeat.product_id, symbols)?;
    out.event(
        listed.id,
        What::Heartbeat {
            last_trade_id: Some(heartbeat.last_trade_id),
        },
    );
    Ok(())
}

#[derive(Deserialize)]
struct Subscriptions<'a> {
    #[serde(borrow)]
    channels: Vec<Object<Subscription<'a>>>,
}

#[derive(Deserialize)]
struct Subscription<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    product_ids: Option<Vec<Text<'a>>>,
}

/// The list of all that is subscribed to on the connection. It is an answer and no data: a product that is unknown here is passed over,
/// so that it cannot hide the answer for the others.
fn subscriptions(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(answer) = json::parse::<Object<Subscriptions>>(text)?;
    let before = out.marks.len();
    for Object(subscription) in &answer.channels {
        let channel = match &*subscription.name {
            // Asked for as `level2_batch`, answered as `level2_50`, or `level2` in 2021.
            "level2" | "level2_50" | "level2_batch" => Channel::Book,
            "matches" => Channel::Trades,
            "ticker" => Channel::Quotes,
            _ => continue,
        };
        for product in subscription.product_ids.iter().flatten() {
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
    ignored_if_none_since(before, out);
    Ok(())
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow)]
    products: Vec<Object<Product<'a>>>,
}

/// All products of the venue, of which ours are a few.
fn status(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(status) = json::parse::<Object<Status>>(text)?;
    let before = out.marks.len();
    for Object(product) in &status.products {
        if let Some(listed) = symbols.get(product.id.as_bytes()) {
            out.event(listed.id, What::Control(Control::InstrumentTrading(product.trading())));
        }
    }
    ignored_if_none_since(before, out);
    Ok(())
}

fn ignored_if_none_since(before: usize, out: &mut Decoded) {
    if out.marks.len() == before {
        out.event(WHOLE_VENUE, What::Ignored);
    }
}

#[derive(Deserialize)]
struct ErrorMessage<'a> {
    #[serde(borrow)]
    message: Text<'a>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
}

fn error(text: &str, out: &mut Decoded) -> Result<(), Refused> {
    let Object(error) = json::parse::<Object<ErrorMessage>>(text)?;
    let detail = error.reason.as_deref().unwrap_or_default();
    let invalid_product = detail.strip_suffix(" is not a valid product");
    let about_login = [&*error.message, detail]
        .iter()
        .any(|text| text.to_ascii_lowercase().contains("authenticat"));
    let reason = match detail {
        "" => error.message.to_string(),
        detail => format!("{}: {detail}", &*error.message),
    };
    let refused = Control::Refused {
        symbol: invalid_product.map(str::to_owned),
        reason,
        is_final: about_login || invalid_product.is_some(),
    };
    out.event(WHOLE_VENUE, What::Control(refused));
    Ok(())
}
