//! Coinbase's Exchange feed: level2_batch (acknowledged as level2_50), matches, ticker, heartbeat, status.
//!
//! Source: Coinbase Exchange, "WebSocket channels". The side of a match is the maker's, that of a ticker the taker's. `level2` and `full` ask
//! for authentication since 2023 and are refused. `user` tells a client with the key of its orders; with `"cancel_on_disconnect":true` (the simulator's own) in the
//! subscription they are all canceled when the connection ends.

mod frames;
pub mod user;

use serde::Deserialize;
use tickpath_protocol::Venue;

use super::{Outbox, SECOND_NS, Session, next_beat_ns};
use crate::listing::{self, LISTINGS, Listing};
use crate::market::Event;
use crate::text::{json_string, list};
use crate::world::{Body, Publication, World};
use frames::{error, first_frame, heartbeat, l2update, status, ticker};
pub use frames::{match_frame, order_id, order_number, pair, product};

/// A client that has not subscribed by then is thrown out.
const SUBSCRIBE_WITHIN_NS: i64 = 5 * SECOND_NS;

/// The channels, as they are acknowledged; the last one needs a key.
const CHANNELS: [&str; 6] = ["level2_50", "matches", "ticker", "heartbeat", "status", "user"];
const LEVEL2: usize = 0;
const MATCHES: usize = 1;
const TICKER: usize = 2;
const HEARTBEAT: usize = 3;
const STATUS: usize = 4;
const USER: usize = 5;

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
    /// The key that the `user` channel asks for; empty: there is none that fits.
    key: String,
    cancels_on_disconnect: bool,
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
    #[serde(default)]
    key: String,
    #[serde(default)]
    cancel_on_disconnect: bool,
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
    /// A new client; who shows `key` may see orders.
    #[must_use]
    pub fn new(key: &str) -> Coinbase {
        Coinbase {
            key: key.to_owned(),
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
        if wanted.iter().any(|(channel, _)| *channel == USER) {
            if self.key.is_empty() || request.key != self.key {
                return out.control(error("Authentication Failed", "key is missing or wrong"));
            }
            self.cancels_on_disconnect |= request.cancel_on_disconnect;
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
                Body::Event(event) if subscription.channel == USER => user::frames(row, event, out),
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

    fn cancels_on_disconnect(&self) -> bool {
        self.cancels_on_disconnect
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
        let mut session = Coinbase::new("");
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
            let answers = answers(&mut Coinbase::new(""), &text);
            assert!(answers.len() == 1 && answers[0].contains(expected), "{answers:?}");
        }
    }

    #[test]
    fn a_client_that_does_not_subscribe_is_closed() {
        let mut session = Coinbase::new("");
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
