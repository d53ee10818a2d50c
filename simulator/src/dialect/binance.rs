//! Binance spot: combined and raw streams, SUBSCRIBE and its kin, pings with 13 digits, the lifetime of a connection.
//!
//! Source: Binance, "WebSocket Streams for Binance". A stream that does not exist is accepted without a word and stays mute, as at the
//! venue; a client that sends more than five messages in a second is thrown out.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tickpath_protocol::{Level, Side, Venue};

use super::{Out, Outbox, SECOND_NS, SUBSCRIPTIONS_MAX, Session};
use crate::listing::{self, Listing};
use crate::market::{Event, Trade};
use crate::text::{json_string, list, padded, parameter, percent_decoded};
use crate::world::{Batch, Body, DEPTH_FAST_MS, DEPTH_SLOW_MS, Publication, World};

/// Decimals that Binance shows of every price and quantity.
const SHOWN: u8 = 8;
/// Messages that a client may send in a second; pings, pongs and JSON all count.
const MESSAGES_PER_SECOND_MAX: u32 = 5;
/// A ping must be answered within a minute.
const PONG_WITHIN_NS: i64 = 60 * SECOND_NS;

/// What the venue would never change but a test must.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A connection is closed when it is so old.
    pub lifetime_ns: i64,
    /// How often the server pings.
    pub ping_ns: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            lifetime_ns: 24 * 3_600 * SECOND_NS,
            ping_ns: 20 * SECOND_NS,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Trade,
    AggTrade,
    BookTicker,
    Depth(u64),
}

/// A stream that a client named; `target` is `None` if there is no such stream.
#[derive(Debug)]
struct Stream {
    name: String,
    target: Option<(usize, Channel)>,
}

impl Stream {
    fn new(name: &str) -> Stream {
        Stream {
            name: name.to_owned(),
            target: resolve(name),
        }
    }
}

/// Stream names are lower-case symbols and case-sensitive channels.
fn resolve(name: &str) -> Option<(usize, Channel)> {
    let (symbol, channel) = name.split_once('@')?;
    let channel = match channel {
        "trade" => Channel::Trade,
        "aggTrade" => Channel::AggTrade,
        "bookTicker" => Channel::BookTicker,
        "depth@100ms" => Channel::Depth(DEPTH_FAST_MS),
        "depth" | "depth@1000ms" => Channel::Depth(DEPTH_SLOW_MS),
        _ => return None,
    };
    if symbol.chars().any(char::is_uppercase) {
        return None;
    }
    Some((listing::find(Venue::BINANCE, &symbol.to_uppercase())?, channel))
}

/// One connection.
#[derive(Debug)]
pub struct Binance {
    limits: Limits,
    /// `/stream`: each frame is wrapped with its stream's name.
    combined: bool,
    /// Times in microseconds: `timeUnit=MICROSECOND`.
    micros: bool,
    streams: Vec<Stream>,
    ends_ns: i64,
    next_ping_ns: i64,
    unanswered_since_ns: Option<i64>,
    second: i64,
    messages: u32,
}

#[derive(Deserialize)]
struct Request<'a> {
    method: String,
    #[serde(default)]
    params: Vec<Value>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

impl Binance {
    /// A client of `path` (below the venue's base, such as `/stream` or `/ws/btcusdt@trade`) with the URL's query.
    #[must_use]
    pub fn new(path: &str, query: &str, limits: Limits) -> Option<Binance> {
        let (combined, names) = match path {
            "/stream" => (true, parameter(query, "streams").unwrap_or_default()),
            "/ws" => (false, String::new()),
            _ => (false, percent_decoded(path.strip_prefix("/ws/")?)),
        };
        Some(Binance {
            limits,
            combined,
            micros: parameter(query, "timeUnit").is_some_and(|unit| unit.eq_ignore_ascii_case("MICROSECOND")),
            streams: names
                .split('/')
                .filter(|name| !name.is_empty())
                .take(SUBSCRIPTIONS_MAX)
                .map(Stream::new)
                .collect(),
            ends_ns: i64::MAX,
            next_ping_ns: i64::MAX,
            unanswered_since_ns: None,
            second: 0,
            messages: 0,
        })
    }

    /// Counts a message of the client; too many in a second end the connection.
    fn count_message(&mut self, now_ns: i64, out: &mut Outbox) -> bool {
        let second = now_ns.div_euclid(SECOND_NS);
        if second != self.second {
            self.second = second;
            self.messages = 0;
        }
        self.messages += 1;
        if self.messages > MESSAGES_PER_SECOND_MAX {
            out.close(1008, "Too many requests");
            return false;
        }
        true
    }

    fn request(&mut self, request: &Request<'_>, out: &mut Outbox) {
        let id = request.id.map_or("null", RawValue::get);
        let names: Option<Vec<&str>> = request.params.iter().map(Value::as_str).collect();
        let Some(names) = names.filter(|_| is_id(id)) else {
            return out.control(error(1, "Invalid value type: expected string"));
        };
        match request.method.as_str() {
            "SUBSCRIBE" => self.subscribe(&names),
            "UNSUBSCRIBE" => self.streams.retain(|stream| !names.contains(&stream.name.as_str())),
            "LIST_SUBSCRIPTIONS" => {
                let names = list(self.streams.iter().map(|stream| json_string(&stream.name)));
                return out.control(format!("{{\"result\":[{names}],\"id\":{id}}}"));
            }
            other => {
                let known = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`";
                return out.control(error(
                    2,
                    &format!("Invalid request: unknown variant `{other}`, expected one of {known}"),
                ));
            }
        }
        out.control(format!("{{\"result\":null,\"id\":{id}}}"));
    }

    fn subscribe(&mut self, names: &[&str]) {
        for name in names {
            let is_new = self.streams.iter().all(|stream| stream.name != *name);
            if is_new && self.streams.len() < SUBSCRIPTIONS_MAX {
                self.streams.push(Stream::new(name));
            }
        }
    }

    fn event_frames(&self, stream: &Stream, channel: Channel, row: &Listing, event: &Event, out: &mut Outbox) {
        match channel {
            Channel::Trade => {
                for trade in &event.trades {
                    self.send(stream, self.trade(row, trade), out);
                }
            }
            Channel::AggTrade => {
                for fills in event.trades.chunk_by(|a, b| a.price == b.price) {
                    self.send(stream, self.agg_trade(row, fills), out);
                }
            }
            Channel::BookTicker if event.best_changed => {
                if let (Some(bid), Some(ask)) = (event.best_bid, event.best_ask) {
                    self.send(stream, book_ticker(row, event.last_update, bid, ask), out);
                }
            }
            Channel::BookTicker | Channel::Depth(_) => {}
        }
    }

    fn trade(&self, row: &Listing, trade: &Trade) -> String {
        let time = self.time(trade.ts_ns);
        format!(
            r#"{{"e":"trade","E":{time},"s":"{}","t":{},"p":"{}","q":"{}","T":{time},"m":{},"M":true}}"#,
            row.symbol,
            trade.id,
            padded(trade.price, row.price_decimals, SHOWN),
            padded(trade.size, row.size_decimals, SHOWN),
            trade.aggressor == Side::Ask,
        )
    }

    /// The fills of one order at one price; its own number is that of its first fill.
    fn agg_trade(&self, row: &Listing, fills: &[Trade]) -> String {
        let (Some(first), Some(last)) = (fills.first(), fills.last()) else {
            return String::new();
        };
        let quantity = fills.iter().map(|fill| fill.size).sum();
        let time = self.time(first.ts_ns);
        format!(
            r#"{{"e":"aggTrade","E":{time},"s":"{}","a":{},"p":"{}","q":"{}","f":{},"l":{},"T":{time},"m":{},"M":true}}"#,
            row.symbol,
            first.id,
            padded(first.price, row.price_decimals, SHOWN),
            padded(quantity, row.size_decimals, SHOWN),
            first.id,
            last.id,
            first.aggressor == Side::Ask,
        )
    }

    fn depth_update(&self, row: &Listing, batch: &Batch, ts_ns: i64) -> String {
        let pair = |(price, size): (&i64, &i64)| pair(row, *price, *size);
        format!(
            r#"{{"e":"depthUpdate","E":{},"s":"{}","U":{},"u":{},"b":[{}],"a":[{}]}}"#,
            self.time(ts_ns),
            row.symbol,
            batch.first_update,
            batch.last_update,
            list(batch.bids.iter().rev().map(pair)),
            list(batch.asks.iter().map(pair)),
        )
    }

    fn send(&self, stream: &Stream, data: String, out: &mut Outbox) {
        out.data(match self.combined {
            true => format!(r#"{{"stream":{},"data":{data}}}"#, json_string(&stream.name)),
            false => data,
        });
    }

    fn time(&self, ts_ns: i64) -> i64 {
        ts_ns / if self.micros { 1_000 } else { 1_000_000 }
    }
}

impl Session for Binance {
    fn open(&mut self, now_ns: i64, _out: &mut Outbox) {
        self.ends_ns = now_ns.saturating_add(self.limits.lifetime_ns);
        self.next_ping_ns = now_ns.saturating_add(self.limits.ping_ns);
    }

    fn message(&mut self, text: &str, _world: &World, now_ns: i64, out: &mut Outbox) {
        if !self.count_message(now_ns, out) {
            return;
        }
        match serde_json::from_str::<Request<'_>>(text) {
            Ok(request) => self.request(&request, out),
            Err(problem) if problem.is_data() => out.control(error(2, &format!("Invalid request: {problem}"))),
            Err(problem) => out.control(error(3, &format!("Invalid JSON: {problem}"))),
        }
    }

    fn publication(&mut self, publication: &Publication, out: &mut Outbox) {
        let row = publication.listing();
        for stream in &self.streams {
            let Some((_, channel)) = stream.target.filter(|(market, _)| *market == publication.market) else {
                continue;
            };
            match &publication.body {
                Body::Event(event) => self.event_frames(stream, channel, row, event, out),
                Body::Batch(batch) if channel == Channel::Depth(batch.period_ms) => {
                    self.send(stream, self.depth_update(row, batch, publication.ts_ns), out);
                }
                Body::Batch(_) => {}
            }
        }
    }

    fn pong(&mut self, now_ns: i64, out: &mut Outbox) {
        self.unanswered_since_ns = None;
        self.count_message(now_ns, out);
    }

    fn deadline_ns(&self) -> i64 {
        self.ends_ns.min(self.next_ping_ns)
    }

    fn timer(&mut self, _world: &World, now_ns: i64, out: &mut Outbox) {
        if now_ns >= self.ends_ns {
            return out.close(1008, "Connection lifetime of 24 hours reached");
        }
        if self
            .unanswered_since_ns
            .is_some_and(|since| now_ns - since >= PONG_WITHIN_NS)
        {
            return out.close(1008, "Pong timeout");
        }
        // 13 ASCII digits: the server's clock in milliseconds.
        out.0.push(Out::Ping(format!("{:013}", now_ns / 1_000_000)));
        self.unanswered_since_ns.get_or_insert(now_ns);
        self.next_ping_ns = now_ns.saturating_add(self.limits.ping_ns);
    }

    fn shutdown_notice(&mut self, now_ns: i64, out: &mut Outbox) {
        let data = format!(r#"{{"e":"serverShutdown","E":{}}}"#, self.time(now_ns));
        out.control(match self.combined {
            true => format!(r#"{{"stream":"!serverShutdown","data":{data}}}"#),
            false => data,
        });
    }
}

fn book_ticker(row: &Listing, update: u64, bid: Level, ask: Level) -> String {
    let price = |price| padded(price, row.price_decimals, SHOWN);
    let size = |size| padded(size, row.size_decimals, SHOWN);
    format!(
        r#"{{"u":{update},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}"}}"#,
        row.symbol,
        price(bid.price),
        size(bid.size),
        price(ask.price),
        size(ask.size),
    )
}

/// A level as `["price","quantity"]`.
pub fn pair(row: &Listing, price: i64, size: i64) -> String {
    format!(
        r#"["{}","{}"]"#,
        padded(price, row.price_decimals, SHOWN),
        padded(size, row.size_decimals, SHOWN)
    )
}

/// Ids are integers, text of at most 36 characters, or null.
fn is_id(id: &str) -> bool {
    id == "null" || id.parse::<i64>().is_ok() || (id.starts_with('"') && id.len() <= 38)
}

fn error(code: u8, message: &str) -> String {
    format!(r#"{{"code":{code},"msg":{}}}"#, json_string(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_resolve_as_at_the_venue() {
        assert_eq!(resolve("btcusdt@trade"), Some((0, Channel::Trade)));
        assert_eq!(resolve("ethusdt@depth"), Some((1, Channel::Depth(1_000))));
        for misspelt in [
            "btcusdt@depth@100mss",
            "BTCUSDT@trade",
            "btcusd@trade",
            "btcusdt@Trade",
            "btcusdt",
        ] {
            assert_eq!(resolve(misspelt), None, "{misspelt}");
        }
    }

    #[test]
    fn requests_are_answered_by_the_rules() {
        let world = World::new(1, 0, 0);
        let mut session = Binance::new("/stream", "streams=", Limits::default()).unwrap();
        let mut answer = |text: &str, second: i64| {
            let mut out = Outbox::default();
            session.message(text, &world, second * SECOND_NS, &mut out);
            match out.0.as_slice() {
                [Out::Control(text)] => text.clone(),
                other => format!("{other:?}"),
            }
        };
        let subscribe = r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","nonsense@trade"],"id":"a1"}"#;
        assert_eq!(answer(subscribe, 1), r#"{"result":null,"id":"a1"}"#);
        assert_eq!(
            answer(r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#, 1),
            r#"{"result":["btcusdt@trade","nonsense@trade"],"id":3}"#
        );
        assert!(answer("{", 1).starts_with(r#"{"code":3,"#));
        assert!(answer("{}", 1).starts_with(r#"{"code":2,"#));
        assert!(answer(r#"{"method":"SUBSCRIBE","params":[1],"id":1}"#, 1).starts_with(r#"{"code":1,"#));
        assert!(
            answer("{}", 1).contains("Close { code: 1008"),
            "the sixth message in a second"
        );
        assert!(answer("{}", 2).starts_with(r#"{"code":2,"#));
    }

    #[test]
    fn a_mute_client_and_an_old_connection_are_closed() {
        let world = World::new(1, 0, 0);
        let mut session = Binance::new("/ws", "", Limits::default()).unwrap();
        let mut out = Outbox::default();
        session.open(0, &mut out);
        let mut closed_ns = None;
        while closed_ns.is_none() {
            let now_ns = session.deadline_ns();
            session.timer(&world, now_ns, &mut out);
            closed_ns = matches!(out.0.last(), Some(Out::Close { .. })).then_some(now_ns);
        }
        assert_eq!(closed_ns, Some(80 * SECOND_NS));
        assert_eq!(out.0[0], Out::Ping("0000000020000".into()));
    }
}
