//! Coinbase's Exchange feed: level2_batch (acknowledged as level2_50), matches, ticker, heartbeat, status.
//!
//! Source: Coinbase Exchange, "WebSocket channels". The side of a match is the maker's, that of a ticker the taker's. `level2` and `full` ask
//! for authentication since 2023 and are refused.

use serde::Deserialize;
use tickpath_protocol::{OrderBook, Side, Venue};

use super::{Outbox, SECOND_NS, Session, next_beat_ns};
use crate::listing::{self, LISTINGS, Listing};
use crate::market::{Event, Trade};
use crate::text::{fixed, json_string, list, micros, trimmed};
use crate::world::{Batch, Body, Publication, World};

/// A client that has not subscribed by then is thrown out.
const SUBSCRIBE_WITHIN_NS: i64 = 5 * SECOND_NS;

/// The channels that need no key, as they are acknowledged.
const CHANNELS: [&str; 5] = ["level2_50", "matches", "ticker", "heartbeat", "status"];
const LEVEL2: usize = 0;
const MATCHES: usize = 1;
const TICKER: usize = 2;
const HEARTBEAT: usize = 3;
const STATUS: usize = 4;

/// One product on one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subscription {
    channel: usize,
    market: usize,
    /// Publications up to this number are covered by what was sent on subscribing.
    covered: u64,
    /// Trade and update number that this client was told of last: what a heartbeat states.
    last: (u64, u64),
}

/// One connection.
#[derive(Debug, Default)]
pub struct Coinbase {
    subscriptions: Vec<Subscription>,
    has_status: bool,
    subscribe_by_ns: i64,
    next_beat_ns: i64,
}

#[derive(Deserialize)]
struct Request {
    r#type: String,
    #[serde(default)]
    product_ids: Vec<String>,
    #[serde(default)]
    channels: Vec<ChannelName>,
}

/// A channel's name, or its name with products of its own.
#[derive(Deserialize)]
#[serde(untagged)]
enum ChannelName {
    Plain(String),
    Own {
        name: String,
        #[serde(default)]
        product_ids: Vec<String>,
    },
}

impl ChannelName {
    fn name(&self) -> &str {
        match self {
            ChannelName::Plain(name) | ChannelName::Own { name, .. } => name,
        }
    }

    fn products<'a>(&'a self, common: &'a [String]) -> impl Iterator<Item = &'a String> {
        let own: &[String] = match self {
            ChannelName::Plain(_) => &[],
            ChannelName::Own { product_ids, .. } => product_ids,
        };
        common.iter().chain(own)
    }
}

impl Coinbase {
    /// A new client.
    #[must_use]
    pub fn new() -> Coinbase {
        Coinbase {
            subscribe_by_ns: i64::MAX,
            next_beat_ns: i64::MAX,
            ..Coinbase::default()
        }
    }

    fn subscribe(&mut self, request: &Request, world: &World, now_ns: i64, out: &mut Outbox) {
        let wanted = match wanted(request) {
            Ok(wanted) => wanted,
            Err(reason) => return out.control(error("Failed to subscribe", &reason)),
        };
        let has_status = request
            .channels
            .iter()
            .any(|channel| channel.name() == CHANNELS[STATUS]);
        if wanted.is_empty() && !has_status {
            return out.control(error("Failed to subscribe", "no channels or products"));
        }
        self.subscribe_by_ns = i64::MAX;
        self.has_status |= has_status;
        let mut added = Vec::new();
        for (channel, market) in wanted {
            let is_new = self
                .subscriptions
                .iter()
                .all(|s| (s.channel, s.market) != (channel, market));
            if is_new {
                let state = world.market(market);
                self.subscriptions.push(Subscription {
                    channel,
                    market,
                    covered: world.sequence(),
                    last: (state.last_trade_id(), state.update()),
                });
                added.push((channel, market));
            }
        }
        out.control(self.acknowledgement());
        if has_status {
            out.control(status());
        }
        for (channel, market) in added {
            first_frame(channel, market, world, now_ns, out);
        }
        self.plan_beat(now_ns);
    }

    fn unsubscribe(&mut self, request: &Request, out: &mut Outbox) {
        match wanted(request) {
            // Channels without products: all of their products.
            Ok(wanted) if wanted.is_empty() => {
                let names: Vec<_> = request
                    .channels
                    .iter()
                    .filter_map(|name| channel(name.name()))
                    .collect();
                self.subscriptions.retain(|s| !names.contains(&s.channel));
                self.has_status &= !names.contains(&STATUS);
            }
            Ok(wanted) => self.subscriptions.retain(|s| !wanted.contains(&(s.channel, s.market))),
            Err(reason) => return out.control(error("Failed to unsubscribe", &reason)),
        }
        out.control(self.acknowledgement());
    }

    /// Every subscription of the connection, channel by channel.
    fn acknowledgement(&self) -> String {
        let channel = |(channel, name): (usize, &&str)| {
            let products = self.subscriptions.iter().filter(|s| s.channel == channel);
            let products: Vec<_> = products.map(|s| json_string(LISTINGS[s.market].symbol)).collect();
            let shown = !products.is_empty() || (channel == STATUS && self.has_status);
            shown.then(|| {
                format!(
                    r#"{{"name":"{name}","product_ids":[{}],"account_ids":null}}"#,
                    products.join(",")
                )
            })
        };
        let channels = list(CHANNELS.iter().enumerate().filter_map(channel));
        format!(r#"{{"type":"subscriptions","channels":[{channels}]}}"#)
    }

    fn plan_beat(&mut self, now_ns: i64) {
        let beats = self.has_status || self.subscriptions.iter().any(|s| s.channel == HEARTBEAT);
        self.next_beat_ns = if beats {
            next_beat_ns(now_ns, SECOND_NS)
        } else {
            i64::MAX
        };
    }
}

impl Session for Coinbase {
    fn open(&mut self, now_ns: i64, _out: &mut Outbox) {
        self.subscribe_by_ns = now_ns.saturating_add(SUBSCRIBE_WITHIN_NS);
    }

    fn message(&mut self, text: &str, world: &World, now_ns: i64, out: &mut Outbox) {
        match serde_json::from_str::<Request>(text) {
            Ok(request) if request.r#type == "subscribe" => self.subscribe(&request, world, now_ns, out),
            Ok(request) if request.r#type == "unsubscribe" => self.unsubscribe(&request, out),
            Ok(request) => {
                let reason = format!("Type has to be either subscribe or unsubscribe, not {}", request.r#type);
                out.control(error("Failed to subscribe", &reason));
            }
            Err(problem) => out.control(error("Malformed JSON", &problem.to_string())),
        }
    }

    fn publication(&mut self, publication: &Publication, out: &mut Outbox) {
        let row = publication.listing();
        for index in 0..self.subscriptions.len() {
            let subscription = &mut self.subscriptions[index];
            if subscription.market != publication.market || subscription.covered >= publication.sequence {
                continue;
            }
            if let Body::Event(event) = &publication.body {
                let trade_id = event.trades.last().map_or(subscription.last.0, |trade| trade.id);
                subscription.last = (trade_id, event.last_update);
            }
            let subscription = *subscription;
            match &publication.body {
                Body::Event(event) => event_frames(subscription.channel, row, event, out),
                Body::Batch(batch) if subscription.channel == LEVEL2 => {
                    out.data(l2update(row, batch, publication.ts_ns));
                }
                Body::Batch(_) => {}
            }
        }
    }

    fn deadline_ns(&self) -> i64 {
        self.subscribe_by_ns.min(self.next_beat_ns)
    }

    fn timer(&mut self, _world: &World, now_ns: i64, out: &mut Outbox) {
        if now_ns >= self.subscribe_by_ns {
            self.subscribe_by_ns = i64::MAX;
            out.control(error("Failed to subscribe", "subscribe message not received in time"));
            return out.close(1008, "no subscription within 5 seconds");
        }
        for subscription in self.subscriptions.iter().filter(|s| s.channel == HEARTBEAT) {
            out.control(heartbeat(subscription, now_ns));
        }
        // The status channel repeats itself every five seconds.
        if self.has_status && now_ns.div_euclid(SECOND_NS) % 5 == 0 {
            out.control(status());
        }
        self.plan_beat(now_ns);
    }

    fn shutdown_notice(&mut self, _now_ns: i64, out: &mut Outbox) {
        // The venue has no notice in band.
        out.close(1001, "going away");
    }
}

fn event_frames(channel: usize, row: &Listing, event: &Event, out: &mut Outbox) {
    for trade in &event.trades {
        match channel {
            MATCHES => out.data(match_frame("match", row, trade)),
            TICKER => out.data(ticker(row, trade, event)),
            _ => {}
        }
    }
}

/// Channel and market of everything that a request names.
fn wanted(request: &Request) -> Result<Vec<(usize, usize)>, String> {
    let mut wanted = Vec::new();
    for name in &request.channels {
        let number = match channel(name.name()) {
            Some(number) => number,
            None if ["level2", "level3", "full"].contains(&name.name()) => {
                return Err("level2, level3, and full channels now require authentication".into());
            }
            None => return Err(format!("{} is not a valid channel", name.name())),
        };
        for product in name.products(&request.product_ids).filter(|_| number != STATUS) {
            let market = listing::find(Venue::COINBASE, product);
            wanted.push((
                number,
                market.ok_or_else(|| format!("{product} is not a valid product"))?,
            ));
        }
    }
    Ok(wanted)
}

fn channel(name: &str) -> Option<usize> {
    let name = if name == "level2_batch" { "level2_50" } else { name };
    CHANNELS.iter().position(|known| *known == name)
}

/// What a new subscription starts with.
fn first_frame(channel: usize, market: usize, world: &World, now_ns: i64, out: &mut Outbox) {
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

fn l2update(row: &Listing, batch: &Batch, ts_ns: i64) -> String {
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
        r#"{{"type":"{kind}","trade_id":{id},"maker_order_id":"6e918404-2e1b-4e1a-90b7-{maker:012x}","taker_order_id":"de6222fd-a555-4e13-9100-{taker:012x}","side":"{}","size":"{}","price":"{}","product_id":"{}","sequence":{},"time":"{}"}}"#,
        if trade.aggressor == Side::Bid { "sell" } else { "buy" },
        trimmed(trade.size, row.size_decimals),
        trimmed(trade.price, row.price_decimals),
        row.symbol,
        trade.update,
        micros(trade.ts_ns),
        id = trade.id,
        maker = trade.update,
        taker = trade.id,
    )
}

/// `side` is the taker's.
fn ticker(row: &Listing, trade: &Trade, event: &Event) -> String {
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

fn heartbeat(subscription: &Subscription, now_ns: i64) -> String {
    let (trade_id, update) = subscription.last;
    format!(
        r#"{{"type":"heartbeat","last_trade_id":{trade_id},"product_id":"{}","sequence":{update},"time":"{}"}}"#,
        LISTINGS[subscription.market].symbol,
        micros(now_ns - now_ns.rem_euclid(SECOND_NS))
    )
}

fn status() -> String {
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

fn error(message: &str, reason: &str) -> String {
    let (message, reason) = (json_string(message), json_string(reason));
    format!(r#"{{"type":"error","message":{message},"reason":{reason}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Out;

    fn answers(session: &mut Coinbase, text: &str) -> Vec<String> {
        let mut world = World::new(1, 20, 0);
        world.advance(10 * SECOND_NS as u64, |_| {});
        let mut out = Outbox::default();
        session.message(text, &world, 0, &mut out);
        out.0.iter().map(|out| format!("{out:?}").replace('\\', "")).collect()
    }

    #[test]
    fn level2_batch_is_acknowledged_as_level2_50() {
        let mut session = Coinbase::new();
        let text = r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch",{"name":"matches","product_ids":["ETH-USD"]},"heartbeat"]}"#;
        let answers = answers(&mut session, text);
        assert!(answers[0].contains(r#"[{"name":"level2_50","product_ids":["BTC-USD"],"account_ids":null},{"name":"matches","product_ids":["BTC-USD","ETH-USD"],"#));
        assert!(answers[1].contains(r#"{"type":"snapshot","product_id":"BTC-USD","asks":[["#));
        assert!(answers[2].contains("last_match"));
        assert_eq!(session.deadline_ns(), SECOND_NS);
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        for (channels, products, expected) in [
            (r#""level2""#, r#""BTC-USD""#, "now require authentication"),
            (r#""level9""#, r#""BTC-USD""#, "level9 is not a valid channel"),
            (r#""matches""#, r#""BTC-XYZ""#, "BTC-XYZ is not a valid product"),
        ] {
            let text = format!(r#"{{"type":"subscribe","product_ids":[{products}],"channels":[{channels}]}}"#);
            let answers = answers(&mut Coinbase::new(), &text);
            assert!(answers.len() == 1 && answers[0].contains(expected), "{answers:?}");
        }
    }

    #[test]
    fn a_client_that_does_not_subscribe_is_closed() {
        let mut session = Coinbase::new();
        let mut out = Outbox::default();
        session.open(0, &mut out);
        assert_eq!(session.deadline_ns(), 5 * SECOND_NS);
        session.timer(&World::new(1, 0, 0), 5 * SECOND_NS, &mut out);
        assert!(matches!(
            out.0.as_slice(),
            [Out::Control(_), Out::Close { code: 1008, .. }]
        ));
    }
}
