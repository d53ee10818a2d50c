//! The session against venues that fail in every way.

#[path = "support/venue.rs"]
mod venue;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tickpath_collectors::capture::{CaptureWriter, Frames};
use tickpath_collectors::decode::Channel;
use tickpath_collectors::dialect::alpaca::Alpaca;
use tickpath_collectors::dialect::binance::Binance;
use tickpath_collectors::dialect::coinbase_advanced::CoinbaseAdvanced;
use tickpath_collectors::dialect::kraken::Kraken;
use tickpath_collectors::dialect::{Policy, Selection};
use tickpath_collectors::session::SessionError;
use tickpath_protocol::checksum::book_crc32;
use tickpath_protocol::{Flags, GapCause, Kind, OrderBook, Record, Side, StatusCode, Venue};
use tickpath_service::ExitCode;
use tickpath_service::config::{AlpacaFeed, TimeUnit, Wait};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;
use venue::{FakeVenue, Hasty, Session, Socket, count_of, kinds};

const INSTRUMENTS: &str = r#"{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","qty_precision":8,"qty_increment":1e-08,"price_precision":1,"price_increment":0.1}]}}"#;

fn selection() -> Selection {
    Selection {
        channels: vec![Channel::Trades, Channel::Quotes, Channel::Book],
        depth: 10,
    }
}

fn kraken(change: impl FnOnce(&mut Policy)) -> Hasty {
    Hasty::new(Kraken::new(selection()), change)
}

fn no_rest(_: &str) -> String {
    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into()
}

fn kraken_image() -> String {
    let mut book = OrderBook::new();
    book.apply(Side::Bid, 1_000, 100_000_000).unwrap();
    book.apply(Side::Ask, 1_001, 200_000_000).unwrap();
    format!(
        r#"{{"channel":"book","type":"snapshot","data":[{{"symbol":"BTC/USD","bids":[{{"price":100.0,"qty":1.00000000}}],"asks":[{{"price":100.1,"qty":2.00000000}}],"checksum":{}}}]}}"#,
        book_crc32(&book)
    )
}

async fn say(socket: &mut Socket, text: impl Into<String>) -> bool {
    socket.send(Message::text(text.into())).await.is_ok()
}

/// Speaks Kraken until the book is subscribed to; `false` if this connection is the one of instruments, which is then kept up.
async fn kraken_until_book(socket: &mut Socket) -> bool {
    while let Some(Ok(message)) = socket.next().await {
        let text = message.to_text().unwrap_or_default().to_owned();
        if text.contains(r#""instrument""#) {
            say(socket, INSTRUMENTS).await;
            while say(socket, r#"{"channel":"heartbeat"}"#).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            return false;
        }
        if text.contains(r#""channel":"book""#) {
            return say(socket, kraken_image()).await;
        }
    }
    false
}

/// A Kraken whose first market connection does something after the image, and whose others stay.
fn failing_kraken<F>(fail: impl Fn(Socket) -> F + Send + Sync + Clone + 'static) -> FakeVenue
where
    F: Future<Output = ()> + Send + 'static,
{
    let has_failed = Arc::new(AtomicBool::new(false));
    let talk = move |_, mut socket: Socket| {
        let (has_failed, fail) = (has_failed.clone(), fail.clone());
        async move {
            if !kraken_until_book(&mut socket).await {
                return;
            }
            if !has_failed.swap(true, Ordering::SeqCst) {
                return fail(socket).await;
            }
            while say(&mut socket, r#"{"channel":"heartbeat"}"#).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    FakeVenue::start(talk, no_rest, Vec::new())
}

/// The book is trusted, the connection ends for this cause, and the book is trusted again.
fn recovers(venue: &FakeVenue, dialect: Hasty, cause: GapCause) {
    recovers_waiting(venue, dialect, cause, Wait::Sleep);
}

fn recovers_waiting(venue: &FakeVenue, dialect: Hasty, cause: GapCause, wait: Wait) {
    let session = Session::start_waiting(venue, dialect, &["BTC/USD"], None, wait);
    session.wait_end(cause);
    session.wait_status(StatusCode::BookTrusted, 2);
    let gaps = kinds(&session.records(), Kind::Gap);
    assert!(gaps.iter().any(|gap| GapCause::of(gap) == Some(cause)), "{gaps:?}");
    session.stop().unwrap();
}

#[test]
fn a_lost_connection_is_made_again() {
    let venue = failing_kraken(|socket| async { drop(socket) });
    recovers(&venue, kraken(|_| {}), GapCause::Disconnect);
}

#[test]
fn polled_connections_end_as_watched_ones_do() {
    for wait in [Wait::Spin, Wait::Yield] {
        let lost = failing_kraken(|socket| async { drop(socket) });
        recovers_waiting(&lost, kraken(|_| {}), GapCause::Disconnect, wait);
        let silent = failing_kraken(|socket| async {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            drop(socket);
        });
        let hasty = kraken(|policy| policy.silence = Duration::from_millis(500));
        recovers_waiting(&silent, hasty, GapCause::Silence, wait);
        let senseless = failing_kraken(|mut socket| async move {
            while say(&mut socket, "\u{7f}not json\\").await {
                tokio::task::yield_now().await;
            }
        });
        recovers_waiting(&senseless, kraken(|_| {}), GapCause::Refused, wait);
    }
}

#[test]
fn silence_ends_a_connection() {
    let venue = failing_kraken(|socket| async {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        drop(socket);
    });
    recovers(
        &venue,
        kraken(|policy| policy.silence = Duration::from_millis(500)),
        GapCause::Silence,
    );
}

#[test]
fn garbage_ends_a_connection() {
    let venue = failing_kraken(|mut socket| async move {
        while say(&mut socket, "\u{7f}not json\\").await {
            tokio::task::yield_now().await;
        }
    });
    recovers(&venue, kraken(|_| {}), GapCause::Refused);
}

#[test]
fn an_oversized_frame_ends_a_connection() {
    let venue = failing_kraken(|mut socket| async move {
        say(&mut socket, "x".repeat(200_000)).await;
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    });
    recovers(
        &venue,
        kraken(|policy| policy.frame_bytes_max = 100_000),
        GapCause::Overflow,
    );
}

#[test]
fn a_limit_at_the_door_is_obeyed() {
    let talk = |_, mut socket: Socket| async move {
        kraken_until_book(&mut socket).await;
    };
    let refuse = vec!["HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"];
    let venue = FakeVenue::start(talk, no_rest, refuse);
    let session = Session::start(&venue, kraken(|_| {}), &["BTC/USD"], None);
    assert!(session.wait_end(GapCause::Disconnect) >= 1_000);
    session.wait_status(StatusCode::BookTrusted, 1);
    session.stop().unwrap();
}

#[test]
fn a_venue_in_maintenance_is_left_alone_for_a_while() {
    let venue = failing_kraken(|mut socket| async move {
        say(
            &mut socket,
            r#"{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"maintenance","api_version":"v2","connection_id":4421894013101914413}]}"#,
        )
        .await;
    });
    let session = Session::start(&venue, kraken(|_| {}), &["BTC/USD"], None);
    assert!(session.wait_end(GapCause::Disconnect) >= 5_000);
    assert_eq!(count_of(&session.records(), StatusCode::Halted), 1);
    session.stop().unwrap();
}

#[test]
fn readers_get_images_when_they_ask_and_there_is_room() {
    let talk = |_, mut socket: Socket| async move {
        if kraken_until_book(&mut socket).await {
            while say(&mut socket, r#"{"channel":"heartbeat"}"#).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    let venue = FakeVenue::start(talk, no_rest, Vec::new());
    let session = Session::start(&venue, kraken(|_| {}), &["BTC/USD"], None);
    session.wait_status(StatusCode::BookTrusted, 1);
    let images = |records: &[Record]| kinds(records, Kind::BookClear).len();
    let heartbeats = |records: &[Record]| kinds(records, Kind::Heartbeat).len();

    session.readers.room.store(5, Ordering::SeqCst);
    session.readers.want_images.store(true, Ordering::SeqCst);
    session.wait("look at the request", |_| {
        !session.readers.want_images.load(Ordering::SeqCst)
    });
    let before = heartbeats(&session.records());
    session.wait("heartbeat", |records| heartbeats(records) > before);
    assert_eq!(images(&session.records()), 1, "an image of 3 records wants room for 6");

    session.readers.room.store(6, Ordering::SeqCst);
    session.wait("image", |records| images(records) == 2);
    let records = session.records();
    let at = records
        .iter()
        .rposition(|record| record.kind() == Some(Kind::BookClear))
        .unwrap();
    let flags: Vec<_> = records[at..at + 3].iter().map(Record::flags).collect();
    assert!(
        flags
            .iter()
            .all(|flags| flags.contains(Flags::SNAPSHOT) && !flags.contains(Flags::UNTRUSTED))
    );
    assert!(flags[2].contains(Flags::LAST), "{flags:?}");
    let levels: Vec<_> = records[at + 1..at + 3]
        .iter()
        .map(|record| (record.price, record.size))
        .collect();
    assert_eq!(levels, [(1_000, 100_000_000), (1_001, 200_000_000)]);
    assert_eq!(count_of(&records, StatusCode::BookTrusted), 1);
    session.stop().unwrap();
}

const PRODUCTS: &str = r#"{"products":[
    {"product_id":"BTC-USD","base_increment":"0.00000001","quote_increment":"0.01","quote_currency_id":"USD","base_currency_id":"BTC","alias":"","alias_to":["BTC-USDC"]},
    {"product_id":"BTC-USDC","base_increment":"0.00000001","quote_increment":"0.01","quote_currency_id":"USDC","base_currency_id":"BTC","alias":"BTC-USD","alias_to":[]}]}"#;

#[test]
fn data_under_an_alias_is_of_the_product_subscribed_to() {
    let talk = |_, mut socket: Socket| async move {
        let mut number = 0;
        while let Some(Ok(message)) = socket.next().await {
            if message.to_text().unwrap_or_default().contains("level2") {
                for product in ["BTC-USD", "BTC-USDC"] {
                    say(
                        &mut socket,
                        format!(
                            r#"{{"channel":"l2_data","timestamp":"2026-09-30T02:39:53.670986313Z","sequence_num":{number},"events":[{{"type":"snapshot","product_id":"{product}","updates":[{{"side":"bid","event_time":"2026-09-30T02:39:53.407329Z","price_level":"{number}.25","new_quantity":"1"}}]}}]}}"#
                        ),
                    )
                    .await;
                    number += 1;
                }
            }
        }
    };
    for (symbols, instruments) in [(&["BTC-USDC"][..], [0, 0]), (&["BTC-USD", "BTC-USDC"], [0, 1])] {
        let venue = FakeVenue::start(talk, |_| PRODUCTS.to_owned(), Vec::new());
        let dialect = Hasty::new(CoinbaseAdvanced::new(selection()), |_| {});
        let session = Session::start(&venue, dialect, symbols, None);
        session.wait("images", |records| kinds(records, Kind::BookLevel).len() == 2);
        let of = kinds(&session.records(), Kind::BookLevel);
        assert_eq!([of[0], of[1]].map(|record| record.instrument().index()), instruments);
        session.stop().unwrap();
    }
}

#[test]
fn stops_promptly_and_says_what_is_missing_from_then_on() {
    let venue = failing_kraken(|mut socket| async move {
        while say(&mut socket, r#"{"channel":"heartbeat"}"#).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let capture = CaptureWriter::create(dir.path(), Venue::KRAKEN).unwrap();
    let session = Session::start(&venue, kraken(|_| {}), &["BTC/USD"], Some(capture));
    session.wait_status(StatusCode::BookTrusted, 1);
    session.wait("heartbeat", |records| !kinds(records, Kind::Heartbeat).is_empty());
    let start = Instant::now();
    session.stop().unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let mut frames = Frames::open(&dir.path().join("kraken")).unwrap();
    let mut has_image = false;
    while let Some((_, frame)) = frames.next_frame().unwrap() {
        has_image |= frame == kraken_image().as_bytes();
    }
    assert!(has_image, "the capture holds the frames as sent");
}

#[test]
fn a_symbol_that_is_not_listed_is_an_error_of_configuration() {
    let talk = |_, mut socket: Socket| async move {
        kraken_until_book(&mut socket).await;
    };
    let venue = FakeVenue::start(talk, no_rest, Vec::new());
    let error = Session::start(&venue, kraken(|_| {}), &["NOT/THERE"], None)
        .end()
        .unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::BadInput, "{error}");
}

#[test]
fn a_login_that_is_refused_for_good_ends_the_session() {
    let talk = |_, mut socket: Socket| async move {
        say(&mut socket, r#"[{"T":"success","msg":"connected"}]"#).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.to_text().unwrap_or_default().contains("\"auth\"") {
                say(&mut socket, r#"[{"T":"error","code":402,"msg":"auth failed"}]"#).await;
            }
        }
    };
    let assets = r#"[{"id":"1","class":"crypto","exchange":"CRYPTO","symbol":"BTC/USD","name":"Bitcoin","status":"active","tradable":true,"min_trade_increment":"0.000000001","price_increment":"0.000000001"}]"#;
    let venue = FakeVenue::start(talk, |_| assets.into(), Vec::new());
    let dialect = Hasty::new(Alpaca::new(selection(), vec![AlpacaFeed::Crypto]), |_| {});
    let error = Session::start(&venue, dialect, &["BTC/USD"], None).end().unwrap_err();
    assert!(matches!(error, SessionError::Login { .. }), "{error}");
    assert_eq!(error.exit_code(), ExitCode::BadInput);
}

const EXCHANGE_INFO: &str = r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","baseAssetPrecision":8,"quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1000000.00","tickSize":"0.01"},{"filterType":"LOT_SIZE","minQty":"0.00001","maxQty":"9000.0","stepSize":"0.00001"}]}]}"#;

/// A Binance whose market makes one trade and one change of the book at each step, for all connections at once.
struct Market {
    step: Arc<AtomicI64>,
    frames: broadcast::Sender<String>,
}

impl Market {
    fn start() -> Market {
        let (frames, _) = broadcast::channel(1_024);
        Market {
            step: Arc::default(),
            frames,
        }
    }

    fn run(&self) -> impl Future<Output = ()> + Send + 'static {
        let (step, frames) = (self.step.clone(), self.frames.clone());
        async move {
            loop {
                let n = step.fetch_add(1, Ordering::SeqCst) + 1;
                for data in [
                    format!(
                        r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1700000000000000,"s":"BTCUSDT","U":{n},"u":{n},"b":[["100.00000000","{n}.00000000"]],"a":[]}}}}"#
                    ),
                    format!(
                        r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1700000000000000,"s":"BTCUSDT","t":{n},"p":"100.00000000","q":"{n}.00000000","T":1700000000000000,"m":true,"M":true}}}}"#
                    ),
                ] {
                    // Nobody may be connected.
                    drop(frames.send(data));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

#[test]
fn a_connection_is_handed_over_without_a_gap_and_images_obey_the_limit() {
    let market = Market::start();
    let (step, frames) = (market.step.clone(), market.frames.clone());
    let run = Arc::new(std::sync::Mutex::new(Some(market.run())));
    let closed = Arc::new(AtomicUsize::new(0));
    let was_closed = closed.clone();
    let talk = move |number, mut socket: Socket| {
        let (mut frames, run, closed) = (frames.subscribe(), run.clone(), closed.clone());
        async move {
            let market = run.lock().unwrap().take();
            if let Some(market) = market {
                tokio::spawn(market);
            }
            let start = Instant::now();
            let mut is_subscribed = false;
            let mut has_announced = number > 0;
            loop {
                tokio::select! {
                    message = socket.next() => match message {
                        Some(Ok(message)) if message.to_text().unwrap_or_default().contains("SUBSCRIBE") => {
                            is_subscribed = true;
                            say(&mut socket, r#"{"result":null,"id":1}"#).await;
                        }
                        Some(Ok(_)) => {}
                        _ => break,
                    },
                    Ok(frame) = frames.recv() => {
                        if is_subscribed && !say(&mut socket, frame).await {
                            break;
                        }
                        if !has_announced && start.elapsed() > Duration::from_millis(1_500) {
                            has_announced = true;
                            say(&mut socket, r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#).await;
                        }
                    }
                }
            }
            closed.fetch_add(1, Ordering::SeqCst);
        }
    };
    let asked = AtomicUsize::new(0);
    let rest = move |path: &str| {
        if path.contains("exchangeInfo") {
            return EXCHANGE_INFO.to_owned();
        }
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            return "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into();
        }
        let n = step.load(Ordering::SeqCst) - 1;
        format!(r#"{{"lastUpdateId":{n},"bids":[["100.00000000","{n}.00000000"]],"asks":[]}}"#)
    };
    let venue = FakeVenue::start(talk, rest, Vec::new());
    let dialect = Hasty::new(Binance::new(selection(), TimeUnit::Microsecond), |_| {});
    let session = Session::start(&venue, dialect, &["BTC/USDT"], None);
    session.wait_status(StatusCode::BookTrusted, 1);
    session.wait("hand-over", |_| was_closed.load(Ordering::SeqCst) == 1);
    let before = kinds(&session.records(), Kind::Trade).len();
    session.wait("trades of the successor", |records| {
        kinds(records, Kind::Trade).len() > before + 50
    });
    let records = session.records();
    assert!(kinds(&records, Kind::Gap).is_empty());
    assert_eq!(count_of(&records, StatusCode::BookUntrusted), 1, "at the start alone");
    assert_eq!(count_of(&records, StatusCode::Disconnected), 0);
    let sizes: Vec<_> = kinds(&records, Kind::Trade)
        .iter()
        .map(|trade| trade.size / 100_000_000)
        .collect();
    assert!(sizes.windows(2).all(|pair| pair[1] == pair[0] + 1), "{sizes:?}");
    session.stop().unwrap();
}
