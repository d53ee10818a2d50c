//! Coinbase Advanced Trade: one channel a subscribe message, one `sequence_num` over the whole connection.
//!
//! Source: Coinbase, "Advanced Trade WebSocket channels". Trades are collected for up to 250 ms and listed newest first; the first
//! message of a subscription holds old ones. `side` is the maker's. Asks are called `offer`. Zeros at the end are left out.

use serde::Deserialize;
use tickpath_protocol::{OrderBook, Side, Venue};

use super::{Outbox, SECOND_NS, Session, next_beat_ns};
use crate::listing::{self, LISTINGS, Listing};
use crate::market::{Event, Trade};
use crate::text::{go_time, json_string, list, micros, nanos, trimmed};
use crate::world::{Body, Publication, World};

/// A client that has not subscribed by then is thrown out.
const SUBSCRIBE_WITHIN_NS: i64 = 5 * SECOND_NS;
/// How long trades are collected.
const TRADES_NS: i64 = SECOND_NS / 4;

/// The channels that need no key.
const CHANNELS: [&str; 5] = ["level2", "market_trades", "ticker", "heartbeats", "status"];
const LEVEL2: usize = 0;
const MARKET_TRADES: usize = 1;
const TICKER: usize = 2;
const HEARTBEATS: usize = 3;

/// One product on one channel.
#[derive(Debug)]
struct Subscription {
    channel: usize,
    market: usize,
    /// Publications up to this number are covered by the snapshot.
    covered: u64,
    /// Trades that wait to be sent; at most what happens in [`TRADES_NS`].
    trades: Vec<Trade>,
}

/// One connection.
#[derive(Debug, Default)]
pub struct CoinbaseAdvanced {
    subscriptions: Vec<Subscription>,
    has_heartbeats: bool,
    sequence_num: u64,
    heartbeat_counter: u64,
    subscribe_by_ns: i64,
    next_beat_ns: i64,
    next_trades_ns: i64,
    opened_ns: i64,
}

#[derive(Deserialize)]
struct Request {
    r#type: String,
    #[serde(default)]
    product_ids: Vec<String>,
    #[serde(default)]
    channel: String,
}

impl CoinbaseAdvanced {
    /// A new client.
    #[must_use]
    pub fn new() -> CoinbaseAdvanced {
        CoinbaseAdvanced {
            subscribe_by_ns: i64::MAX,
            next_beat_ns: i64::MAX,
            next_trades_ns: i64::MAX,
            ..CoinbaseAdvanced::default()
        }
    }

    /// Wraps events in the envelope and numbers it.
    fn envelope(&mut self, channel: &str, ts_ns: i64, events: &str) -> String {
        let sequence_num = self.sequence_num;
        self.sequence_num += 1;
        format!(
            r#"{{"channel":"{channel}","client_id":"","timestamp":"{}","sequence_num":{sequence_num},"events":[{events}]}}"#,
            nanos(ts_ns)
        )
    }

    fn subscribe(&mut self, request: &Request, world: &World, now_ns: i64, out: &mut Outbox) {
        let (channel, markets) = match wanted(request) {
            Ok(wanted) => wanted,
            Err(message) => return out.control(error(&message)),
        };
        self.subscribe_by_ns = i64::MAX;
        if channel == HEARTBEATS && !self.has_heartbeats {
            self.has_heartbeats = true;
            self.next_beat_ns = next_beat_ns(now_ns, SECOND_NS);
        }
        for market in markets {
            let is_new = self
                .subscriptions
                .iter()
                .all(|s| (s.channel, s.market) != (channel, market));
            if !is_new {
                continue;
            }
            self.subscriptions.push(Subscription {
                channel,
                market,
                covered: world.sequence(),
                trades: Vec::new(),
            });
            // The snapshot comes before the acknowledgement, as it can at the venue.
            self.first_frame(channel, market, world, now_ns, out);
        }
        let acknowledgement = self.acknowledgement(now_ns);
        out.control(acknowledgement);
        if channel == MARKET_TRADES && self.next_trades_ns == i64::MAX {
            self.next_trades_ns = next_beat_ns(now_ns, TRADES_NS);
        }
    }

    fn unsubscribe(&mut self, request: &Request, now_ns: i64, out: &mut Outbox) {
        let (channel, markets) = match wanted(request) {
            Ok(wanted) => wanted,
            Err(message) => return out.control(error(&message)),
        };
        if channel == HEARTBEATS {
            self.has_heartbeats = false;
            self.next_beat_ns = i64::MAX;
        }
        self.subscriptions
            .retain(|s| s.channel != channel || !markets.contains(&s.market));
        let acknowledgement = self.acknowledgement(now_ns);
        out.control(acknowledgement);
    }

    fn acknowledgement(&mut self, now_ns: i64) -> String {
        let channel = |(channel, name): (usize, &&str)| {
            let products = self.subscriptions.iter().filter(|s| s.channel == channel);
            let products: Vec<_> = products.map(|s| json_string(LISTINGS[s.market].symbol)).collect();
            match channel {
                HEARTBEATS => self.has_heartbeats.then(|| r#""heartbeats":["heartbeats"]"#.to_owned()),
                _ => (!products.is_empty()).then(|| format!(r#""{name}":[{}]"#, products.join(","))),
            }
        };
        let channels = list(CHANNELS.iter().enumerate().filter_map(channel));
        self.envelope(
            "subscriptions",
            now_ns,
            &format!(r#"{{"subscriptions":{{{channels}}}}}"#),
        )
    }

    fn first_frame(&mut self, channel: usize, market: usize, world: &World, now_ns: i64, out: &mut Outbox) {
        let row = &LISTINGS[market];
        let history: Vec<Trade> = world.market(market).history().copied().collect();
        let frame = match channel {
            LEVEL2 => self.envelope("l2_data", now_ns, &snapshot(row, world.published_book(market), now_ns)),
            MARKET_TRADES => self.envelope("market_trades", now_ns, &trades_event("snapshot", row, &history)),
            TICKER => {
                let event = Event {
                    best_bid: world.market(market).book().best(Side::Bid),
                    best_ask: world.market(market).book().best(Side::Ask),
                    ..Event::default()
                };
                self.envelope("ticker", now_ns, &ticker_event("snapshot", row, history.last(), &event))
            }
            _ => self.envelope("status", now_ns, &status_event(row)),
        };
        out.data(frame);
    }

    fn flush_trades(&mut self, now_ns: i64, out: &mut Outbox) {
        for index in 0..self.subscriptions.len() {
            let trades = std::mem::take(&mut self.subscriptions[index].trades);
            if trades.is_empty() {
                continue;
            }
            let row = &LISTINGS[self.subscriptions[index].market];
            let frame = self.envelope("market_trades", now_ns, &trades_event("update", row, &trades));
            out.data(frame);
        }
        self.next_trades_ns = next_beat_ns(now_ns, TRADES_NS);
    }

    fn beat(&mut self, now_ns: i64, out: &mut Outbox) {
        self.heartbeat_counter += 1;
        let event = format!(
            r#"{{"current_time":"{}","heartbeat_counter":{}}}"#,
            go_time(now_ns, now_ns - self.opened_ns),
            self.heartbeat_counter
        );
        let frame = self.envelope("heartbeats", now_ns, &event);
        out.control(frame);
        self.next_beat_ns = next_beat_ns(now_ns, SECOND_NS);
    }
}

impl Session for CoinbaseAdvanced {
    fn open(&mut self, now_ns: i64, _out: &mut Outbox) {
        self.opened_ns = now_ns;
        self.subscribe_by_ns = now_ns.saturating_add(SUBSCRIBE_WITHIN_NS);
    }

    fn message(&mut self, text: &str, world: &World, now_ns: i64, out: &mut Outbox) {
        match serde_json::from_str::<Request>(text) {
            Ok(request) if request.r#type == "subscribe" => self.subscribe(&request, world, now_ns, out),
            Ok(request) if request.r#type == "unsubscribe" => self.unsubscribe(&request, now_ns, out),
            Ok(_) | Err(_) => out.control(error("invalid message")),
        }
    }

    fn publication(&mut self, publication: &Publication, out: &mut Outbox) {
        let row = publication.listing();
        for index in 0..self.subscriptions.len() {
            let subscription = &mut self.subscriptions[index];
            if subscription.market != publication.market || subscription.covered >= publication.sequence {
                continue;
            }
            let (channel, event) = match (&publication.body, subscription.channel) {
                (Body::Batch(batch), LEVEL2) => {
                    let bids = batch
                        .bids
                        .iter()
                        .rev()
                        .map(|level| update(row, "bid", level, publication.ts_ns));
                    let asks = batch
                        .asks
                        .iter()
                        .map(|level| update(row, "offer", level, publication.ts_ns));
                    ("l2_data", book_event("update", row, &list(bids.chain(asks))))
                }
                (Body::Event(event), MARKET_TRADES) => {
                    subscription.trades.extend(&event.trades);
                    continue;
                }
                (Body::Event(event), TICKER) if !event.trades.is_empty() => {
                    ("ticker", ticker_event("update", row, event.trades.last(), event))
                }
                _ => continue,
            };
            let frame = self.envelope(channel, publication.ts_ns, &event);
            out.data(frame);
        }
    }

    fn deadline_ns(&self) -> i64 {
        self.subscribe_by_ns.min(self.next_beat_ns).min(self.next_trades_ns)
    }

    fn timer(&mut self, _world: &World, now_ns: i64, out: &mut Outbox) {
        if now_ns >= self.subscribe_by_ns {
            self.subscribe_by_ns = i64::MAX;
            return out.close(1008, "no subscription within 5 seconds");
        }
        if now_ns >= self.next_trades_ns {
            self.flush_trades(now_ns, out);
        }
        if now_ns >= self.next_beat_ns {
            self.beat(now_ns, out);
        }
    }

    fn shutdown_notice(&mut self, _now_ns: i64, out: &mut Outbox) {
        // The venue has no notice in band.
        out.close(1001, "going away");
    }
}

/// Channel and markets that a request names.
fn wanted(request: &Request) -> Result<(usize, Vec<usize>), String> {
    let name = request.channel.as_str();
    let channel = CHANNELS.iter().position(|known| *known == name);
    // The venue words an unknown channel like a missing key.
    let channel = channel.ok_or("authentication failure")?;
    let mut markets = Vec::new();
    for product in request.product_ids.iter().filter(|_| channel != HEARTBEATS) {
        let market = listing::find(Venue::COINBASE, product);
        markets.push(market.ok_or_else(|| format!("invalid product_id {product}"))?);
    }
    if markets.is_empty() && channel != HEARTBEATS {
        return Err("no products".into());
    }
    Ok((channel, markets))
}

fn update(row: &Listing, side: &str, (price, size): (&i64, &i64), ts_ns: i64) -> String {
    format!(
        r#"{{"side":"{side}","event_time":"{}","price_level":"{}","new_quantity":"{}"}}"#,
        micros(ts_ns),
        trimmed(*price, row.price_decimals),
        trimmed(*size, row.size_decimals)
    )
}

fn book_event(kind: &str, row: &Listing, updates: &str) -> String {
    format!(
        r#"{{"type":"{kind}","product_id":"{}","updates":[{updates}]}}"#,
        row.symbol
    )
}

fn snapshot(row: &Listing, book: &OrderBook, now_ns: i64) -> String {
    let side = |side, name| {
        let levels = book.levels(side);
        list(levels.map(|level| update(row, name, (&level.price, &level.size), now_ns)))
    };
    let updates = [side(Side::Bid, "bid"), side(Side::Ask, "offer")];
    book_event("snapshot", row, &updates.join(","))
}

/// `trades` come oldest first and are listed newest first.
fn trades_event(kind: &str, row: &Listing, trades: &[Trade]) -> String {
    let trade = |trade: &Trade| {
        format!(
            r#"{{"product_id":"{}","trade_id":"{}","price":"{}","size":"{}","time":"{}","side":"{}"}}"#,
            row.symbol,
            trade.id,
            trimmed(trade.price, row.price_decimals),
            trimmed(trade.size, row.size_decimals),
            micros(trade.ts_ns),
            if trade.aggressor == Side::Bid { "SELL" } else { "BUY" },
        )
    };
    let trades = list(trades.iter().rev().map(trade));
    format!(r#"{{"type":"{kind}","trades":[{trades}]}}"#)
}

fn ticker_event(kind: &str, row: &Listing, last: Option<&Trade>, event: &Event) -> String {
    let price = |price: Option<i64>| trimmed(price.unwrap_or(0), row.price_decimals);
    let size = |size: Option<i64>| trimmed(size.unwrap_or(0), row.size_decimals);
    let (bid, ask) = (event.best_bid, event.best_ask);
    let last = price(last.map(|trade| trade.price).or(bid.map(|level| level.price)));
    format!(
        r#"{{"type":"{kind}","tickers":[{{"type":"ticker","product_id":"{}","price":"{last}","volume_24_h":"{}","low_24_h":"{last}","high_24_h":"{last}","low_52_w":"{last}","high_52_w":"{last}","price_percent_chg_24_h":"0","best_bid":"{}","best_ask":"{}","best_bid_quantity":"{}","best_ask_quantity":"{}"}}]}}"#,
        row.symbol,
        size(Some(1_234_567_890)),
        price(bid.map(|level| level.price)),
        price(ask.map(|level| level.price)),
        size(bid.map(|level| level.size)),
        size(ask.map(|level| level.size)),
    )
}

fn status_event(row: &Listing) -> String {
    format!(
        r#"{{"type":"snapshot","products":[{{"product_type":"SPOT","id":"{}","base_currency":"{}","quote_currency":"{}","base_increment":"{}","quote_increment":"{}","display_name":"{}/{}","status":"online","status_message":"","min_market_funds":"1"}}]}}"#,
        row.symbol,
        row.base(),
        row.quote,
        trimmed(row.lot, row.size_decimals),
        trimmed(1, row.price_decimals),
        row.base(),
        row.quote,
    )
}

fn error(message: &str) -> String {
    format!(r#"{{"type":"error","message":{}}}"#, json_string(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Out;

    #[test]
    fn one_sequence_over_all_channels() {
        let mut world = World::new(1, 50, 0);
        world.advance(5 * SECOND_NS as u64, |_| {});
        let mut session = CoinbaseAdvanced::new();
        let mut out = Outbox::default();
        for request in [
            r#"{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"level2"}"#,
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"market_trades"}"#,
            r#"{"type":"subscribe","channel":"heartbeats"}"#,
        ] {
            session.message(request, &world, world.now_ns(), &mut out);
        }
        for _ in 0..40 {
            let until_ns = session.deadline_ns();
            world.advance(until_ns as u64, |publication| {
                session.publication(&publication, &mut out)
            });
            session.timer(&world, until_ns, &mut out);
        }
        let mut kinds = std::collections::BTreeSet::new();
        for (number, frame) in out.0.iter().enumerate() {
            let (Out::Data(text) | Out::Control(text)) = frame else {
                panic!("{frame:?}");
            };
            let frame: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(frame["sequence_num"], number);
            kinds.insert(frame["channel"].as_str().unwrap().to_owned());
            if frame["channel"] == "market_trades" {
                let trades = frame["events"][0]["trades"].as_array().unwrap();
                let ids: Vec<u64> = trades
                    .iter()
                    .map(|t| t["trade_id"].as_str().unwrap().parse().unwrap())
                    .collect();
                assert!(ids.windows(2).all(|pair| pair[0] > pair[1]), "{ids:?}");
            }
        }
        assert_eq!(
            kinds.iter().collect::<Vec<_>>(),
            ["heartbeats", "l2_data", "market_trades", "subscriptions"]
        );
    }

    #[test]
    fn unknown_channels_and_products_are_refused() {
        let world = World::new(1, 0, 0);
        for (request, expected) in [
            (
                r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"user"}"#,
                "authentication failure",
            ),
            (
                r#"{"type":"subscribe","product_ids":["BTC-EUR"],"channel":"level2"}"#,
                "invalid product_id",
            ),
            ("[]", "invalid message"),
        ] {
            let mut out = Outbox::default();
            CoinbaseAdvanced::new().message(request, &world, 0, &mut out);
            assert!(
                matches!(out.0.as_slice(), [Out::Control(text)] if text.contains(expected)),
                "{:?}",
                out.0
            );
        }
    }
}
