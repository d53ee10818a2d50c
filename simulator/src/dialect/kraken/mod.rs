//! Kraken v2: acknowledgements a symbol, books of a subscribed depth with CRC32, bare JSON numbers with all their zeros.
//!
//! Source: Kraken, "Spot WebSockets v2". A level that others push out of the subscribed depth is not reported as removed: the client
//! cuts its book itself. A level that comes back into the depth is sent again.

mod frames;

use serde::Deserialize;
use tickpath_protocol::{OrderBook, Side, Venue};

use self::frames::{Answer, book_frame, instruments, level_text, ticker_frame, trade_frame};
pub use self::frames::{HEARTBEAT, pong, status};
use super::{Outbox, SECOND_NS, SUBSCRIPTIONS_MAX, Session, next_beat_ns};
use crate::listing::{self, LISTINGS};
use crate::market::{Change, Event, HISTORY};
use crate::text::list;
use crate::world::{Body, Publication, World};

/// The depths that exist; any other is refused.
const DEPTHS: [usize; 5] = [10, 25, 100, 500, 1_000];

/// One connection.
#[derive(Debug, Default)]
pub struct Kraken {
    connection: u64,
    instrument: bool,
    books: Vec<BookFeed>,
    trades: Vec<Feed>,
    tickers: Vec<Feed>,
    next_beat_ns: i64,
}

/// One market on the trade or the ticker channel.
#[derive(Debug)]
struct Feed {
    market: usize,
    /// Publications up to this number are covered by the snapshot.
    covered: u64,
    /// Each change of the best prices triggers the ticker, not only trades.
    bbo: bool,
}

impl Feed {
    fn wants(&self, publication: &Publication) -> bool {
        self.market == publication.market && self.covered < publication.sequence
    }
}

/// What one client sees of one book.
#[derive(Debug)]
struct BookFeed {
    market: usize,
    depth: usize,
    covered: u64,
    full: OrderBook,
    /// The best `depth` levels: what the client has.
    view: OrderBook,
}

impl BookFeed {
    fn new(market: usize, depth: usize, world: &World) -> BookFeed {
        let full = world.market(market).book().clone();
        let mut view = full.clone();
        view.truncate(depth, |_, _| {});
        BookFeed {
            market,
            depth,
            covered: world.sequence(),
            full,
            view,
        }
    }

    /// Applies an event; the levels that the client must be told of, in order.
    fn apply(&mut self, event: &Event) -> Vec<Change> {
        let mut told = Vec::new();
        for change in &event.changes {
            apply(&mut self.full, *change);
            let known = self.view.size_at(change.side, change.price).is_some();
            // The view is cut only after the whole message, as at the client, so a removal of a known level is always told.
            if known || (change.size > 0 && self.is_within(change.side, change.price)) {
                apply(&mut self.view, *change);
                told.push(*change);
            }
        }
        for side in [Side::Bid, Side::Ask] {
            for level in self.full.levels(side).take(self.depth) {
                if self.view.size_at(side, level.price).is_none() {
                    let change = Change {
                        side,
                        price: level.price,
                        size: level.size,
                        update: event.last_update,
                    };
                    apply(&mut self.view, change);
                    told.push(change);
                }
            }
        }
        self.view.truncate(self.depth, |_, _| {});
        told
    }

    fn is_within(&self, side: Side, price: i64) -> bool {
        self.full
            .levels(side)
            .nth(self.depth - 1)
            .is_none_or(|last| match side {
                Side::Bid => price >= last.price,
                Side::Ask => price <= last.price,
            })
    }
}

fn apply(book: &mut OrderBook, change: Change) {
    // A market holds far fewer levels than a book can.
    let applied = book.apply(change.side, change.price, change.size);
    debug_assert!(applied.is_ok());
}

#[derive(Deserialize)]
struct Request {
    method: String,
    #[serde(default)]
    params: Params,
    req_id: Option<i64>,
}

#[derive(Default, Deserialize)]
struct Params {
    #[serde(default)]
    channel: String,
    #[serde(default)]
    symbol: Vec<String>,
    depth: Option<usize>,
    snapshot: Option<bool>,
    event_trigger: Option<String>,
}

impl Kraken {
    /// A client whose connection has this number.
    #[must_use]
    pub fn new(connection: u64) -> Kraken {
        Kraken {
            connection,
            next_beat_ns: i64::MAX,
            ..Kraken::default()
        }
    }

    fn request(&mut self, request: &Request, world: &World, answer: &Answer<'_>, out: &mut Outbox) {
        let params = &request.params;
        match (request.method.as_str(), params.channel.as_str()) {
            ("ping", _) => {
                let tail = answer.tail();
                out.control(format!(r#"{{"method":"pong"{tail}}}"#));
            }
            ("subscribe", "instrument") => {
                self.instrument = true;
                out.control(answer.ack(r#""channel":"instrument","snapshot":true"#));
                out.control(instruments());
            }
            ("unsubscribe", "instrument") => {
                self.instrument = false;
                out.control(answer.ack(r#""channel":"instrument""#));
            }
            ("subscribe" | "unsubscribe", "book" | "trade" | "ticker") => {
                if params.channel == "book" && !DEPTHS.contains(&params.depth.unwrap_or(DEPTHS[0])) {
                    return out.control(answer.nack("Subscription depth not supported", None));
                }
                if params.symbol.is_empty() {
                    return out.control(answer.nack("Symbol(s) not found", None));
                }
                for symbol in &params.symbol {
                    self.one_symbol(symbol, params, world, answer, out);
                }
            }
            ("subscribe" | "unsubscribe", channel) => {
                out.control(answer.nack(&format!("Channel {channel} not supported"), None));
            }
            (method, _) => out.control(answer.nack(&format!("Unsupported method {method}"), None)),
        }
    }

    fn one_symbol(&mut self, symbol: &str, params: &Params, world: &World, answer: &Answer<'_>, out: &mut Outbox) {
        let Some(market) = listing::find(Venue::KRAKEN, symbol) else {
            return out.control(answer.nack(&format!("Currency pair not supported {symbol}"), Some(symbol)));
        };
        let channel = params.channel.as_str();
        let is_subscribed = self.is_subscribed(channel, market);
        if answer.method == "unsubscribe" {
            return self.unsubscribe(channel, market, is_subscribed, answer, out);
        }
        if is_subscribed {
            return out.control(answer.nack("Already subscribed", Some(symbol)));
        }
        if self.books.len() + self.trades.len() + self.tickers.len() >= SUBSCRIPTIONS_MAX {
            return out.control(answer.nack("Exceeded maximum subscriptions", Some(symbol)));
        }
        match channel {
            "book" => self.subscribe_book(market, params, world, answer, out),
            "trade" => self.subscribe_trades(market, params, world, answer, out),
            _ => self.subscribe_ticker(market, params, world, answer, out),
        }
    }

    fn subscribe_book(&mut self, market: usize, params: &Params, world: &World, answer: &Answer<'_>, out: &mut Outbox) {
        let depth = params.depth.unwrap_or(DEPTHS[0]);
        let snapshot = params.snapshot.unwrap_or(true);
        let symbol = LISTINGS[market].symbol;
        out.control(answer.ack(&format!(
            r#""channel":"book","depth":{depth},"snapshot":{snapshot},"symbol":"{symbol}""#
        )));
        let feed = BookFeed::new(market, depth, world);
        if snapshot {
            out.data(book_frame(
                "snapshot",
                &LISTINGS[market],
                &feed.view,
                answer.now_ns,
                |side| {
                    list(
                        feed.view
                            .levels(side)
                            .map(|level| level_text(&LISTINGS[market], level.price, level.size)),
                    )
                },
            ));
        }
        self.books.push(feed);
    }

    fn subscribe_trades(
        &mut self,
        market: usize,
        params: &Params,
        world: &World,
        answer: &Answer<'_>,
        out: &mut Outbox,
    ) {
        let snapshot = params.snapshot.unwrap_or(false);
        let row = &LISTINGS[market];
        out.control(answer.ack(&format!(
            r#""channel":"trade","snapshot":{snapshot},"symbol":"{}""#,
            row.symbol
        )));
        let history = world.market(market).history();
        if snapshot && history.len() > 0 {
            out.data(trade_frame("snapshot", row, history.take(HISTORY)));
        }
        self.trades.push(Feed {
            market,
            covered: world.sequence(),
            bbo: false,
        });
    }

    fn subscribe_ticker(
        &mut self,
        market: usize,
        params: &Params,
        world: &World,
        answer: &Answer<'_>,
        out: &mut Outbox,
    ) {
        let trigger = params.event_trigger.as_deref().unwrap_or("trades");
        let snapshot = params.snapshot.unwrap_or(true);
        let symbol = LISTINGS[market].symbol;
        if !["bbo", "trades"].contains(&trigger) {
            return out.control(answer.nack("Event trigger not supported", Some(symbol)));
        }
        out.control(answer.ack(&format!(
            r#""channel":"ticker","event_trigger":"{trigger}","snapshot":{snapshot},"symbol":"{symbol}""#
        )));
        if snapshot {
            let last = world.market(market).history().next_back();
            let book = world.market(market).book();
            out.data(ticker_frame("snapshot", &LISTINGS[market], book, last, answer.now_ns));
        }
        self.tickers.push(Feed {
            market,
            covered: world.sequence(),
            bbo: trigger == "bbo",
        });
    }

    fn unsubscribe(
        &mut self,
        channel: &str,
        market: usize,
        is_subscribed: bool,
        answer: &Answer<'_>,
        out: &mut Outbox,
    ) {
        let symbol = LISTINGS[market].symbol;
        if !is_subscribed {
            return out.control(answer.nack("Subscription Not Found", Some(symbol)));
        }
        self.books.retain(|feed| channel != "book" || feed.market != market);
        self.trades
            .retain(|trades| channel != "trade" || trades.market != market);
        self.tickers
            .retain(|ticker| channel != "ticker" || ticker.market != market);
        out.control(answer.ack(&format!(r#""channel":"{channel}","symbol":"{symbol}""#)));
    }

    fn is_subscribed(&self, channel: &str, market: usize) -> bool {
        match channel {
            "book" => self.books.iter().any(|feed| feed.market == market),
            "trade" => self.trades.iter().any(|feed| feed.market == market),
            _ => self.tickers.iter().any(|feed| feed.market == market),
        }
    }

    fn is_idle(&self) -> bool {
        self.books.is_empty() && self.trades.is_empty() && self.tickers.is_empty() && !self.instrument
    }
}

impl Session for Kraken {
    fn open(&mut self, _now_ns: i64, out: &mut Outbox) {
        out.control(status("online", self.connection));
    }

    fn message(&mut self, text: &str, world: &World, now_ns: i64, out: &mut Outbox) {
        let answer = |method, req_id| Answer { method, req_id, now_ns };
        match serde_json::from_str::<Request>(text) {
            Ok(request) => {
                let answer = answer(&request.method, request.req_id);
                self.request(&request, world, &answer, out);
            }
            Err(_) => out.control(answer("", None).nack("Malformed request", None)),
        }
        if self.next_beat_ns == i64::MAX && !self.is_idle() {
            self.next_beat_ns = next_beat_ns(now_ns, SECOND_NS);
        }
    }

    fn publication(&mut self, publication: &Publication, out: &mut Outbox) {
        let Body::Event(event) = &publication.body else { return };
        let (market, row) = (publication.market, publication.listing());
        for feed in self
            .books
            .iter_mut()
            .filter(|feed| feed.market == market && feed.covered < publication.sequence)
        {
            let told = feed.apply(event);
            if !told.is_empty() {
                out.data(book_frame("update", row, &feed.view, publication.ts_ns, |side| {
                    let levels = told.iter().filter(|change| change.side == side);
                    list(levels.map(|change| level_text(row, change.price, change.size)))
                }));
            }
        }
        let has_trades = !event.trades.is_empty();
        if has_trades && self.trades.iter().any(|feed| feed.wants(publication)) {
            out.data(trade_frame("update", row, event.trades.iter()));
        }
        let is_due = |feed: &Feed| feed.wants(publication) && (has_trades || (feed.bbo && event.best_changed));
        if self.tickers.iter().any(is_due) {
            let mut touch = OrderBook::new();
            for (side, level) in [(Side::Bid, event.best_bid), (Side::Ask, event.best_ask)] {
                if let Some(level) = level {
                    let (price, size) = (level.price, level.size);
                    apply(
                        &mut touch,
                        Change {
                            side,
                            price,
                            size,
                            update: 0,
                        },
                    );
                }
            }
            out.data(ticker_frame(
                "update",
                row,
                &touch,
                event.trades.last(),
                publication.ts_ns,
            ));
        }
    }

    fn deadline_ns(&self) -> i64 {
        self.next_beat_ns
    }

    fn timer(&mut self, _world: &World, now_ns: i64, out: &mut Outbox) {
        out.control(HEARTBEAT.to_owned());
        self.next_beat_ns = next_beat_ns(now_ns, SECOND_NS);
    }

    fn shutdown_notice(&mut self, _now_ns: i64, out: &mut Outbox) {
        out.control(status("maintenance", self.connection));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that applies what it is told and cuts, message by message, has the venue's book.
    #[test]
    fn the_client_s_rule_rebuilds_the_view() {
        for depth in DEPTHS {
            let mut world = World::new(4, 200, 0);
            let mut feed = BookFeed::new(6, depth, &world);
            let mut client = feed.view.clone();
            let mut twice = 0;
            for second in 1..=20 {
                world.advance(second * 1_000_000_000, |publication| {
                    let Body::Event(event) = &publication.body else { return };
                    if publication.market != 6 {
                        return;
                    }
                    let told = feed.apply(event);
                    twice += usize::from(told.windows(2).any(|pair| pair[0].price == pair[1].price));
                    for change in told {
                        apply(&mut client, change);
                    }
                    client.truncate(depth, |_, _| {});
                    assert_eq!(client, feed.view);
                });
                assert_eq!(&feed.full, world.market(6).book());
            }
            assert!(twice > 0, "a price must appear twice in a message now and then");
        }
    }

    #[test]
    fn requests_are_answered_by_the_rules() {
        let world = World::new(1, 0, 0);
        let mut session = Kraken::new(1);
        let mut answers = |text: &str| {
            let mut out = Outbox::default();
            session.message(text, &world, 0, &mut out);
            out.0
                .iter()
                .map(|out| format!("{out:?}").replace('\\', ""))
                .collect::<Vec<_>>()
        };
        let refused = answers(r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":11}}"#);
        assert!(refused[0].contains("Subscription depth not supported"), "{refused:?}");
        let mixed = r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD","XBT/USD"]},"req_id":7}"#;
        let mixed = answers(mixed);
        assert!(
            mixed[0].contains(r#""depth":10,"snapshot":true,"symbol":"BTC/USD"},"success":true,"req_id":7"#),
            "{mixed:?}"
        );
        assert!(mixed[1].contains(r#""type":"snapshot""#));
        assert!(mixed[2].contains(
            r#""error":"Currency pair not supported XBT/USD","method":"subscribe","success":false,"symbol":"XBT/USD""#
        ));
        let again = answers(r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}"#);
        assert!(again[0].contains("Already subscribed"));
        let gone = answers(r#"{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10}}"#);
        assert!(
            gone[0].contains(r#""method":"unsubscribe","result":{"channel":"book","symbol":"BTC/USD"},"success":true"#)
        );
        assert!(
            answers(r#"{"method":"ping","req_id":101}"#)[0].contains(r#"{"method":"pong","req_id":101,"time_in":"#)
        );
        assert!(answers("nonsense")[0].contains("Malformed request"));
    }
}
