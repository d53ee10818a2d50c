//! The rules, driven by a venue that speaks a small language of its own.

mod images;
mod in_band;
mod overlap;
mod property;
mod refresh;
mod update_ids;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tickpath_protocol::{Flags, GapCause, InstrumentId, Kind, OrderBook, Record, Scale, Side, StatusCode, Venue};

use super::{Action, ConnectionId, Feed, FeedOptions, ImageAnswer, Registry};
use crate::decode::{BookEnd, Channel, Control, Decoded, Listed, Listing, Quote, Refused, SymbolTable, Trade, What};
use crate::dialect::{Connection, Dialect, Policy, SyncRule};

const VENUE: Venue = Venue::test(0);
const SECOND_NS: i64 = 1_000_000_000;
const START_NS: i64 = 1_800_000_000 * SECOND_NS;
pub(super) const C1: ConnectionId = ConnectionId(1);
pub(super) const C2: ConnectionId = ConnectionId(2);

/// Frames are events with `;` between them:
///
/// - `t SYMBOL ID PRICE SIZE`, `q SYMBOL U BID ASK`, `h SYMBOL LAST_TRADE`, `n NUMBER`
/// - `b SYMBOL [image] [U=1] [u=2] [crc=3] bPRICE=SIZE aPRICE=SIZE …`
/// - `ack SYMBOL [DEPTH]`, `shutdown`, `bad "SYMBOL"`, `unknown SYMBOL`
struct Script(SyncRule);

impl Script {
    fn event(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let listed = || {
            let symbol = words.get(1).copied().unwrap_or_default();
            symbols
                .get(symbol.as_bytes())
                .ok_or_else(|| Refused::UnknownSymbol(symbol.to_owned()))
        };
        let number = |at: usize| words[at].parse::<i64>().unwrap();
        match words[0] {
            "t" => out.trade(Trade {
                listed: listed()?,
                aggressor: Some(Side::Bid),
                price: number(3),
                size: number(4),
                ts_event: START_NS,
                id: Some(number(2) as u64),
            }),
            "q" => out.quote(Quote {
                listed: listed()?,
                bid: (number(3), 1),
                ask: (number(4), 1),
                ts_event: Record::ABSENT,
                update_id: Some(number(2) as u64),
            }),
            "h" => out.event(
                listed()?.id,
                What::Heartbeat {
                    last_trade_id: Some(number(2) as u64),
                },
            ),
            "n" => out.event(InstrumentId::NONE, What::ConnectionSequence(number(1) as u64)),
            "b" => Script::book(&words[2..], listed()?, out),
            "ack" => {
                let control = Control::Subscribed {
                    channel: Some(Channel::Book),
                    instrument: Some(listed()?.id),
                    depth: words.get(2).and_then(|depth| depth.parse().ok()),
                };
                out.event(InstrumentId::NONE, What::Control(control));
            }
            "shutdown" => out.event(InstrumentId::NONE, What::Control(Control::Shutdown)),
            _ => return Err(Refused::Shape(text.to_owned())),
        }
        Ok(())
    }

    fn book(words: &[&str], listed: Listed, out: &mut Decoded) {
        let mut end = BookEnd::default();
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match (key, &key[..1], value.parse::<i64>()) {
                ("image", ..) => end.image = true,
                ("U", _, Ok(value)) => end.first_id = Some(value as u64),
                ("u", _, Ok(value)) => end.last_id = Some(value as u64),
                ("crc", _, Ok(value)) => end.checksum = Some(value as u32),
                (_, side, Ok(size)) => {
                    let side = if side == "b" { Side::Bid } else { Side::Ask };
                    out.level(listed, side, START_NS, key[1..].parse().unwrap(), size);
                }
                _ => panic!("{word}"),
            }
        }
        out.end_book(listed.id, end);
    }
}

impl Dialect for Script {
    fn venue(&self) -> Venue {
        VENUE
    }

    fn decode_fast(&self, _: &[u8], _: &SymbolTable, _: &mut Decoded) -> bool {
        false
    }

    fn decode_full(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
        let text = std::str::from_utf8(frame).unwrap();
        text.split(';')
            .try_for_each(|event| Script::event(event.trim(), symbols, out))
    }

    fn discovery(&self) -> Vec<String> {
        Vec::new()
    }

    fn listings(&self, _: &[u8]) -> Result<Vec<Listing>, Refused> {
        Ok(Vec::new())
    }

    fn image_request(&self, symbol: &str) -> Option<String> {
        Some(format!("/depth?{symbol}"))
    }

    fn image(&self, body: &[u8], symbol: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
        let text = std::str::from_utf8(body).unwrap();
        Script::event(&format!("b {symbol} image {text}"), symbols, out)
    }

    fn connections(&self, _: &[String]) -> Vec<Connection> {
        Vec::new()
    }

    fn resubscribe(&self, symbol: &str) -> Vec<String> {
        vec![format!("resubscribe {symbol}")]
    }

    fn policy(&self) -> Policy {
        Policy {
            sync: self.0,
            login: false,
            silence: Duration::from_secs(5),
            ping: None,
            ping_frame: None,
            lifetime: None,
            frames_per_second: 10,
            backoff_min: Duration::from_millis(500),
            attempts: 10,
            attempts_window: Duration::from_secs(1),
            images_per_minute: 2,
            frame_bytes_max: 1 << 20,
        }
    }
}

/// A feed with its records, and the books that a consumer makes of them.
struct Bench {
    feed: Feed,
    now_ns: i64,
    records: Vec<Record>,
    books: BTreeMap<u32, (OrderBook, bool)>,
}

struct Ids(u32);

impl Registry for Ids {
    type Error = Infallible;

    fn instrument(&mut self, _: &Listing) -> Result<InstrumentId, Infallible> {
        self.0 += 1;
        Ok(InstrumentId::new(VENUE, self.0 - 1))
    }
}

impl Bench {
    /// With instruments A and B on connection 1.
    fn new(rule: SyncRule) -> Bench {
        let options = FeedOptions {
            channels: vec![Channel::Trades, Channel::Quotes, Channel::Book],
            depth: None,
        };
        let mut bench = Bench {
            feed: Feed::new(Box::new(Script(rule)), options),
            now_ns: START_NS,
            records: Vec::new(),
            books: BTreeMap::new(),
        };
        let listings = ["A", "B", "OTHER"].map(|symbol| Listing {
            symbol: symbol.into(),
            name: symbol.into(),
            scale: Scale::default(),
            tick: 0,
            lot: 0,
            trading: true,
        });
        let wanted = |listing: &Listing| listing.symbol != "OTHER";
        assert_eq!(bench.feed.list(&listings, wanted, &mut Ids(0)).unwrap(), ["A", "B"]);
        bench.connect(C1);
        bench.take();
        bench
    }

    fn call<T>(&mut self, body: impl FnOnce(&mut Feed, i64, &mut Vec<Record>) -> T) -> T {
        let before = self.records.len();
        let result = body(&mut self.feed, self.now_ns, &mut self.records);
        for record in &self.records[before..] {
            note(&mut self.books, record);
        }
        self.check();
        result
    }

    /// What the feed holds is what its records make, and its word on trust is the one published.
    fn check(&self) {
        for (instrument, (book, trusted)) in &self.books {
            let held = self.feed.book(InstrumentId(*instrument)).unwrap();
            assert_eq!(held, (book, *trusted));
            assert!(!(trusted & book.is_crossed()), "a trusted book is never crossed");
        }
    }

    fn connect(&mut self, connection: ConnectionId) {
        let symbols = ["A".to_owned(), "B".to_owned()];
        self.call(|feed, now_ns, out| {
            feed.on_connected(connection, &symbols, now_ns, &mut |record| out.push(record));
        });
    }

    fn disconnect(&mut self, connection: ConnectionId) {
        self.call(|feed, now_ns, out| {
            feed.on_disconnected(connection, GapCause::Disconnect, now_ns, &mut |record| out.push(record));
        });
    }

    fn frame_on(&mut self, connection: ConnectionId, frame: &str) -> Result<(), Refused> {
        let result = self.call(|feed, now_ns, out| {
            feed.on_frame(connection, frame.as_bytes(), now_ns, &mut |record| out.push(record))
        });
        result.map(|_| ())
    }

    fn frame(&mut self, frame: &str) {
        self.frame_on(C1, frame).unwrap();
    }

    fn image(&mut self, symbol: &str, request: Option<u64>, body: Option<&str>) {
        let answer = ImageAnswer {
            symbol,
            request,
            body: body.map(str::as_bytes),
        };
        let result = self.call(|feed, now_ns, out| feed.on_image(answer, now_ns, &mut |record| out.push(record)));
        result.unwrap();
    }

    /// Lets time pass, in steps of the shell's timer.
    fn pass(&mut self, seconds: i64) -> Vec<Action> {
        let mut actions = Vec::new();
        for _ in 0..seconds * 10 {
            self.now_ns += SECOND_NS / 10;
            self.call(|feed, now_ns, out| feed.on_timer(now_ns, &mut |record| out.push(record)));
            actions.extend(std::iter::from_fn(|| self.feed.next_action()));
        }
        actions
    }

    /// The records since the last time, as short text.
    fn take(&mut self) -> Vec<String> {
        self.records.drain(..).map(|record| short(&record)).collect()
    }

    fn is_trusted(&self, symbol: &str) -> bool {
        let index = u32::from(symbol == "B");
        self.feed.book(InstrumentId::new(VENUE, index)).unwrap().1
    }
}

fn note(books: &mut BTreeMap<u32, (OrderBook, bool)>, record: &Record) {
    let (book, trusted) = books.entry(record.instrument).or_default();
    match record.kind().unwrap() {
        Kind::BookClear => book.clear(),
        Kind::BookLevel => book
            .apply(record.flags().side().unwrap(), record.price, record.size)
            .unwrap(),
        Kind::Status => match StatusCode::of(record) {
            Some(StatusCode::BookTrusted) => *trusted = true,
            Some(StatusCode::BookUntrusted) => *trusted = false,
            _ => {}
        },
        _ => {}
    }
}

/// `A level b100=5 last untrusted`
fn short(record: &Record) -> String {
    let instrument = match record.instrument() {
        InstrumentId::NONE => "-",
        id if id.index() == 0 => "A",
        _ => "B",
    };
    let mut text = match record.kind().unwrap() {
        Kind::Status => {
            let code = StatusCode::of(record).unwrap();
            let cause = GapCause::from_code(record.price as u8).filter(|_| code == StatusCode::BookUntrusted);
            return format!("{instrument} {} {}", code.name(), cause.map_or("", GapCause::name))
                .trim_end()
                .to_owned();
        }
        Kind::Gap => {
            let number = |n: i64| if n == Record::ABSENT { "?".into() } else { n.to_string() };
            let cause = GapCause::of(record).unwrap().name();
            return format!(
                "{instrument} gap {cause} {}..{}",
                number(record.price),
                number(record.size)
            );
        }
        Kind::BookClear => format!("{instrument} clear"),
        kind => {
            let name = match kind {
                Kind::BookLevel => "level",
                kind => kind.name(),
            };
            let side = match record.flags().side() {
                Some(Side::Bid) => "b",
                Some(Side::Ask) => "a",
                None => "",
            };
            format!("{instrument} {name} {side}{}={}", record.price, record.size)
        }
    };
    for name in record.flags().names() {
        text.push(' ');
        text.push_str(name);
    }
    assert_ne!(record.ts_recv, 0);
    assert!(!record.flags().contains(Flags::NO_EVENT_TIME) || record.ts_event == record.ts_recv);
    text
}
