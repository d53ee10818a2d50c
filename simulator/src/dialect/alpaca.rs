//! Alpaca: crypto, US equities and the test stream; every message is an array, every client needs keys.
//!
//! Source: Alpaca, "Real-time stock data", "Real-time crypto data". A book has no sequence and no checksum: a frame with `"r":true` is the
//! whole book, any other holds changes. Zeros at the end are left out of numbers and of fractions of seconds.

use serde::Deserialize;
use tickpath_protocol::{Level, OrderBook, Side, Venue};

use super::{Outbox, SECOND_NS, Session};
use crate::listing::{self, Feed, LISTINGS, Listing};
use crate::market::{Event, Trade};
use crate::text::{json_string, list, nanos, trimmed};
use crate::world::{Body, Publication, World};

/// The only key id that is accepted.
pub const KEY_ID: &str = "simulated";
/// Its secret.
pub const SECRET_KEY: &str = "simulated";

/// A client that has not authenticated by then is thrown out.
const AUTHENTICATE_WITHIN_NS: i64 = 10 * SECOND_NS;
/// Trade ids are larger than 2^53 at the venue.
const TRADE_ID_BASE: u64 = 3_447_222_699_101_865_076;

const TRADES: usize = 0;
const QUOTES: usize = 1;
const BOOKS: usize = 2;

/// What is subscribed on one channel.
#[derive(Debug, Default)]
struct Symbols {
    all: bool,
    names: Vec<String>,
}

impl Symbols {
    fn change(&mut self, names: &[String], subscribe: bool) {
        for name in names {
            match (name.as_str(), subscribe) {
                ("*", _) => self.all = subscribe,
                (_, true) if self.names.contains(name) || self.names.len() >= super::SUBSCRIPTIONS_MAX => {}
                (_, true) => self.names.push(name.clone()),
                (_, false) => self.names.retain(|known| known != name),
            }
        }
    }

    fn contains(&self, symbol: &str) -> bool {
        self.all || self.names.iter().any(|name| name == symbol)
    }

    fn text(&self) -> String {
        let all = self.all.then(|| "\"*\"".to_owned());
        list(all.into_iter().chain(self.names.iter().map(|name| json_string(name))))
    }
}

/// One connection.
#[derive(Debug)]
pub struct Alpaca {
    feed: Feed,
    is_authenticated: bool,
    symbols: [Symbols; 3],
    /// For each market whose book was sent: publications up to this number are covered by it.
    books: Vec<(usize, u64)>,
    authenticate_by_ns: i64,
    keys_in_headers: Option<bool>,
}

#[derive(Deserialize)]
struct Request {
    action: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    trades: Vec<String>,
    #[serde(default)]
    quotes: Vec<String>,
    #[serde(default)]
    orderbooks: Vec<String>,
}

impl Alpaca {
    /// A client of `path`; `keys` are those of its headers, if it sent any.
    #[must_use]
    pub fn new(path: &str, keys: Option<(&str, &str)>) -> Option<Alpaca> {
        let feed = match path {
            "/v1beta3/crypto/us" => Feed::Main,
            "/v2/iex" | "/v2/sip" | "/v2/delayed_sip" => Feed::Stocks,
            "/v2/test" => Feed::Test,
            _ => return None,
        };
        Some(Alpaca {
            feed,
            is_authenticated: false,
            symbols: Default::default(),
            books: Vec::new(),
            authenticate_by_ns: i64::MAX,
            keys_in_headers: keys.map(|(id, secret)| are_valid(id, secret)),
        })
    }

    fn authenticate(&mut self, valid: bool, out: &mut Outbox) {
        if self.is_authenticated {
            return out.control(error(403, "already authenticated"));
        }
        if !valid {
            return out.control(error(402, "auth failed"));
        }
        self.is_authenticated = true;
        self.authenticate_by_ns = i64::MAX;
        out.control(success("authenticated"));
    }

    fn change(&mut self, request: &Request, subscribe: bool, world: &World, out: &mut Outbox) {
        if !self.is_authenticated {
            return out.control(error(401, "not authenticated"));
        }
        if self.feed != Feed::Main && !request.orderbooks.is_empty() {
            return out.control(error(410, "invalid subscribe action for this feed"));
        }
        let before = self.wanted_books();
        for (symbols, names) in self
            .symbols
            .iter_mut()
            .zip([&request.trades, &request.quotes, &request.orderbooks])
        {
            symbols.change(names, subscribe);
        }
        out.control(self.subscription());
        let after = self.wanted_books();
        self.books.retain(|(market, _)| after.contains(market));
        for market in after.into_iter().filter(|market| !before.contains(market)) {
            let row = &LISTINGS[market];
            out.data(format!(
                "[{}]",
                whole_book(row, world.market(market).book(), world.now_ns())
            ));
            self.books.push((market, world.sequence()));
        }
    }

    /// The complete list, each time.
    fn subscription(&self) -> String {
        let [trades, quotes, books] = &self.symbols;
        let (trades, quotes) = (trades.text(), quotes.text());
        match self.feed {
            Feed::Main => format!(
                r#"[{{"T":"subscription","trades":[{trades}],"quotes":[{quotes}],"orderbooks":[{}],"bars":[],"updatedBars":[],"dailyBars":[]}}]"#,
                books.text()
            ),
            Feed::Stocks | Feed::Test => format!(
                r#"[{{"T":"subscription","trades":[{trades}],"quotes":[{quotes}],"bars":[],"updatedBars":[],"dailyBars":[],"statuses":[],"lulds":[],"corrections":[],"cancelErrors":[]}}]"#
            ),
        }
    }

    fn wanted_books(&self) -> Vec<usize> {
        let rows = listing::of_venue(Venue::ALPACA).filter(|(_, row)| row.feed == self.feed);
        rows.filter(|(_, row)| self.symbols[BOOKS].contains(row.symbol))
            .map(|(market, _)| market)
            .collect()
    }

    fn messages(&self, publication: &Publication, event: &Event) -> Vec<String> {
        let (row, ts_ns) = (publication.listing(), publication.ts_ns);
        let mut messages = Vec::new();
        if self.symbols[TRADES].contains(row.symbol) {
            messages.extend(event.trades.iter().map(|trade| self.trade(row, trade)));
        }
        if let (true, true, Some(bid), Some(ask)) = (
            self.symbols[QUOTES].contains(row.symbol),
            event.best_changed,
            event.best_bid,
            event.best_ask,
        ) {
            messages.push(self.quote(row, bid, ask, ts_ns));
        }
        let book = self.books.iter().find(|(market, _)| *market == publication.market);
        if book.is_some_and(|(_, covered)| *covered < publication.sequence) && !event.changes.is_empty() {
            messages.push(book_changes(row, event, ts_ns));
        }
        messages
    }

    fn trade(&self, row: &Listing, trade: &Trade) -> String {
        let price = trimmed(trade.price, row.price_decimals);
        let size = trimmed(trade.size, row.size_decimals);
        let time = nanos(trade.ts_ns);
        let symbol = row.symbol;
        match self.feed {
            Feed::Main => format!(
                r#"{{"T":"t","S":"{symbol}","p":{price},"s":{size},"t":"{time}","i":{},"tks":"{}"}}"#,
                TRADE_ID_BASE + trade.id,
                if trade.aggressor == Side::Bid { "B" } else { "S" },
            ),
            Feed::Stocks | Feed::Test => format!(
                r#"{{"T":"t","S":"{symbol}","i":{},"x":"V","p":{price},"s":{size},"c":["@"],"z":"C","t":"{time}"}}"#,
                trade.id
            ),
        }
    }

    fn quote(&self, row: &Listing, bid: Level, ask: Level, ts_ns: i64) -> String {
        let price = |price| trimmed(price, row.price_decimals);
        let size = |size| trimmed(size, row.size_decimals);
        let (bp, bs, ap, at) = (price(bid.price), size(bid.size), price(ask.price), size(ask.size));
        let (symbol, time) = (row.symbol, nanos(ts_ns));
        match self.feed {
            Feed::Main => {
                format!(r#"{{"T":"q","S":"{symbol}","bp":{bp},"bs":{bs},"ap":{ap},"as":{at},"t":"{time}"}}"#)
            }
            Feed::Stocks | Feed::Test => format!(
                r#"{{"T":"q","S":"{symbol}","bx":"V","bp":{bp},"bs":{bs},"ax":"V","ap":{ap},"as":{at},"c":["R"],"z":"C","t":"{time}"}}"#
            ),
        }
    }
}

impl Session for Alpaca {
    fn open(&mut self, now_ns: i64, out: &mut Outbox) {
        self.authenticate_by_ns = now_ns.saturating_add(AUTHENTICATE_WITHIN_NS);
        out.control(success("connected"));
        if let Some(valid) = self.keys_in_headers {
            self.authenticate(valid, out);
        }
    }

    fn message(&mut self, text: &str, world: &World, _now_ns: i64, out: &mut Outbox) {
        let Ok(request) = serde_json::from_str::<Request>(text) else {
            return out.control(error(400, "invalid syntax"));
        };
        match request.action.as_str() {
            "auth" => self.authenticate(are_valid(&request.key, &request.secret), out),
            "subscribe" => self.change(&request, true, world, out),
            "unsubscribe" => self.change(&request, false, world, out),
            _ => out.control(error(400, "invalid syntax")),
        }
    }

    fn publication(&mut self, publication: &Publication, out: &mut Outbox) {
        let Body::Event(event) = &publication.body else { return };
        if !self.is_authenticated || publication.listing().feed != self.feed {
            return;
        }
        let messages = self.messages(publication, event);
        if !messages.is_empty() {
            out.data(format!("[{}]", messages.join(",")));
        }
    }

    fn deadline_ns(&self) -> i64 {
        self.authenticate_by_ns
    }

    fn timer(&mut self, _world: &World, _now_ns: i64, out: &mut Outbox) {
        self.authenticate_by_ns = i64::MAX;
        out.control(error(404, "auth timeout"));
        out.close(1008, "auth timeout");
    }

    fn shutdown_notice(&mut self, _now_ns: i64, out: &mut Outbox) {
        // The venue has no notice in band.
        out.close(1001, "going away");
    }
}

/// Whether these are the simulator's keys.
#[must_use]
pub fn are_valid(key_id: &str, secret: &str) -> bool {
    key_id == KEY_ID && secret == SECRET_KEY
}

/// `[{"T":"success",…}]`
#[must_use]
pub fn success(message: &str) -> String {
    format!(r#"[{{"T":"success","msg":"{message}"}}]"#)
}

fn error(code: u16, message: &str) -> String {
    format!(r#"[{{"T":"error","code":{code},"msg":"{message}"}}]"#)
}

fn level(row: &Listing, price: i64, size: i64) -> String {
    let (price, size) = (trimmed(price, row.price_decimals), trimmed(size, row.size_decimals));
    format!(r#"{{"p":{price},"s":{size}}}"#)
}

/// The whole book, as the stream resets it and REST states it.
#[must_use]
pub fn whole_book(row: &Listing, book: &OrderBook, ts_ns: i64) -> String {
    let side = |side| list(book.levels(side).map(|l| level(row, l.price, l.size)));
    format!(
        r#"{{"T":"o","S":"{}","t":"{}","b":[{}],"a":[{}],"r":true}}"#,
        row.symbol,
        nanos(ts_ns),
        side(Side::Bid),
        side(Side::Ask)
    )
}

fn book_changes(row: &Listing, event: &Event, ts_ns: i64) -> String {
    let side = |side| {
        let changes = event.changes.iter().filter(|change| change.side == side);
        list(changes.map(|change| level(row, change.price, change.size)))
    };
    format!(
        r#"{{"T":"o","S":"{}","t":"{}","b":[{}],"a":[{}]}}"#,
        row.symbol,
        nanos(ts_ns),
        side(Side::Bid),
        side(Side::Ask)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(session: &mut Alpaca, text: &str) -> Vec<String> {
        let mut out = Outbox::default();
        session.message(text, &World::new(1, 0, 0), 0, &mut out);
        out.0.iter().map(|out| format!("{out:?}").replace('\\', "")).collect()
    }

    #[test]
    fn keys_come_first() {
        let mut session = Alpaca::new("/v1beta3/crypto/us", None).unwrap();
        assert!(answers(&mut session, r#"{"action":"subscribe","trades":["*"]}"#)[0].contains(r#""code":401"#));
        assert!(answers(&mut session, r#"{"action":"auth","key":"x","secret":"y"}"#)[0].contains(r#""code":402"#));
        let good = r#"{"action":"auth","key":"simulated","secret":"simulated"}"#;
        assert!(answers(&mut session, good)[0].contains("authenticated"));
        assert!(answers(&mut session, good)[0].contains(r#""code":403"#));
        assert!(answers(&mut session, "{")[0].contains(r#""code":400"#));
        let all = answers(
            &mut session,
            r#"{"action":"subscribe","trades":["BTC/USD"],"orderbooks":["BTC/USD"]}"#,
        );
        assert!(
            all[0].contains(r#""trades":["BTC/USD"],"quotes":[],"orderbooks":["BTC/USD"],"bars":[]"#),
            "{all:?}"
        );
        assert!(all[1].contains(r#"{"T":"o","S":"BTC/USD","t":""#) && all[1].contains(r#""r":true}]"#));
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn stocks_have_no_books_here() {
        let mut session = Alpaca::new("/v2/test", Some((KEY_ID, SECRET_KEY))).unwrap();
        let mut out = Outbox::default();
        session.open(0, &mut out);
        assert_eq!(out.0.len(), 2);
        assert!(
            answers(&mut session, r#"{"action":"subscribe","orderbooks":["FAKEPACA"]}"#)[0].contains(r#""code":410"#)
        );
        assert!(Alpaca::new("/v2/nothing", None).is_none());
    }
}
