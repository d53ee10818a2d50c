//! Nothing is allocated for a frame once a feed is warm.

use tickpath_collectors::decode::{Channel, Listing};
use tickpath_collectors::dialect::binance::Binance;
use tickpath_collectors::dialect::coinbase::Coinbase;
use tickpath_collectors::dialect::kraken::Kraken;
use tickpath_collectors::dialect::{Dialect, Selection};
use tickpath_collectors::sync::{ConnectionId, Feed, FeedOptions, ImageAnswer, Registry};
use tickpath_protocol::checksum::book_crc32;
use tickpath_protocol::{InstrumentId, OrderBook, Record, Scale, Side, Venue};
use tickpath_service::config::TimeUnit;

const CONNECTION: ConnectionId = ConnectionId(0);

struct One(Venue);

impl Registry for One {
    type Error = std::convert::Infallible;

    fn instrument(&mut self, _: &Listing) -> Result<InstrumentId, Self::Error> {
        Ok(InstrumentId::new(self.0, 0))
    }
}

/// Frames of a book that keeps its size, and trades and quotes, each one step later than the last.
fn check(dialect: impl Dialect + 'static, symbol: &str, start: &[String], frames: impl Fn(u64) -> Vec<String>) {
    let venue = dialect.venue();
    let channels = vec![Channel::Trades, Channel::Quotes, Channel::Book];
    let options = FeedOptions { channels, depth: None };
    let mut feed = Feed::new(Box::new(dialect), options);
    let listing = Listing {
        symbol: symbol.into(),
        name: symbol.into(),
        scale: Scale::new(1, 8).unwrap(),
        tick: 0,
        lot: 0,
        trading: true,
    };
    let symbols = feed.list(&[listing], |_| true, &mut One(venue)).unwrap();
    let mut count = 0;
    let mut sink = |_: Record| count += 1;
    feed.on_connected(CONNECTION, &symbols, 1, &mut sink);
    for frame in start {
        feed.on_frame(CONNECTION, frame.as_bytes(), 1, &mut sink).unwrap();
    }
    if venue == Venue::BINANCE {
        let image = ImageAnswer {
            symbol,
            request: None,
            body: Some(br#"{"lastUpdateId":0,"bids":[["99.0","1.0"]],"asks":[["101.0","1.0"]]}"#),
        };
        feed.on_frame(CONNECTION, frames(1)[0].as_bytes(), 1, &mut sink)
            .unwrap();
        feed.on_image(image, 1, &mut sink).unwrap();
    }
    let frames: Vec<_> = (2..400).map(frames).collect();
    let (warm, measured) = frames.split_at(50);
    for frame in warm.iter().flatten() {
        feed.on_frame(CONNECTION, frame.as_bytes(), 2, &mut sink).unwrap();
    }
    let allocations = allocation_counter::measure(|| {
        for frame in measured.iter().flatten() {
            feed.on_frame(CONNECTION, frame.as_bytes(), 3, &mut sink).unwrap();
            feed.on_timer(3, &mut sink);
        }
    });
    assert_eq!(allocations.count_total, 0, "{venue}");
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(vec![1u8])));
    assert_eq!(counted.count_total, 1, "the counter counts");
    assert!(feed.book(InstrumentId::new(venue, 0)).unwrap().1, "{venue}: trusted");
    assert!(count > 1_000, "{venue}: {count}");
}

fn selection() -> Selection {
    Selection {
        channels: vec![Channel::Trades, Channel::Quotes, Channel::Book],
        depth: 10,
    }
}

#[test]
fn binance() {
    check(Binance::new(selection(), TimeUnit::Microsecond), "BTCUSDT", &[], |n| {
        vec![
            format!(
                r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1700000000000000,"s":"BTCUSDT","U":{n},"u":{n},"b":[["98.00000000","{n}.00000000"]],"a":[["102.00000000","0.00000000"]]}}}}"#
            ),
            format!(
                r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1700000000000000,"s":"BTCUSDT","t":{n},"p":"100.00000000","q":"1.00000000","T":1700000000000000,"m":true,"M":true}}}}"#
            ),
            format!(
                r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{n},"s":"BTCUSDT","b":"99.00000000","B":"1.00000000","a":"101.00000000","A":"1.00000000"}}}}"#
            ),
        ]
    });
}

#[test]
fn coinbase() {
    let image = r#"{"type":"snapshot","product_id":"BTC-USD","asks":[["101.0","1.0"]],"bids":[["99.0","1.0"]],"time":"2026-07-07T22:58:17.050195Z"}"#;
    check(Coinbase::new(selection()), "BTC-USD", &[image.into()], |n| {
        vec![
            format!(
                r#"{{"type":"l2update","product_id":"BTC-USD","changes":[["buy","99.0","{n}.00000000"],["sell","103.0","0.00000000"]],"time":"2026-07-07T22:58:17.068248Z"}}"#
            ),
            format!(
                r#"{{"type":"match","trade_id":{n},"maker_order_id":"a","taker_order_id":"b","side":"sell","size":"0.2","price":"100.6","product_id":"BTC-USD","sequence":{n},"time":"2026-07-07T22:58:17.164892Z"}}"#
            ),
        ]
    });
}

#[test]
fn kraken() {
    let crc = |size: i64| {
        let mut book = OrderBook::new();
        book.apply(Side::Bid, 990, size).unwrap();
        book.apply(Side::Ask, 1_010, 100_000_000).unwrap();
        book_crc32(&book)
    };
    let image = format!(
        r#"{{"channel":"book","type":"snapshot","data":[{{"symbol":"BTC/USD","bids":[{{"price":99.0,"qty":1.00000000}}],"asks":[{{"price":101.0,"qty":1.00000000}}],"checksum":{},"timestamp":"2026-08-16T23:37:03.745044Z"}}]}}"#,
        crc(100_000_000)
    );
    check(Kraken::new(selection()), "BTC/USD", &[image], move |n| {
        vec![
            format!(
                r#"{{"channel":"book","type":"update","data":[{{"symbol":"BTC/USD","bids":[{{"price":99.0,"qty":{n}.00000000}}],"asks":[],"checksum":{},"timestamp":"2026-08-16T23:37:03.745044Z"}}]}}"#,
                crc(n as i64 * 100_000_000)
            ),
            format!(
                r#"{{"channel":"trade","type":"update","data":[{{"symbol":"BTC/USD","side":"buy","price":100.0,"qty":0.00147959,"ord_type":"limit","trade_id":{n},"timestamp":"2026-07-07T23:00:04.585581Z"}}]}}"#
            ),
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":99.0,"bid_qty":740.00000000,"ask":101.0,"ask_qty":740.00000000,"last":100.0,"volume":997038.98383185,"vwap":100.1,"low":90.0,"high":110.0,"change":-0.1,"change_pct":-0.17,"timestamp":"2023-09-25T09:04:31.742648Z"}]}"#.into(),
        ]
    });
}
