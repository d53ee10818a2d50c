//! What it costs to make the text of a message, which the bridge does once for all clients. The peer writes the same bytes through
//! serde_json from a struct of the same fields, its decimals exact too.

use quanta::Clock;
use serde::Serialize;
use tickpath_bridge::event::{Quote, Stamp, Trade};
use tickpath_bridge::message::{self, Form};
use tickpath_bridge::state::InstrumentState;
use tickpath_protocol::decimal::TEXT_LEN_MAX;
use tickpath_protocol::{DecimalText, Flags, Instrument, InstrumentId, Scale, Side, Venue};

use crate::context::{BenchError, Context, Result, Tried};
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

/// Messages between two looks at the clock.
const BATCH: u64 = 64;
const PRICE_DECIMALS: u8 = 1;
const SIZE_DECIMALS: u8 = 8;

#[derive(Serialize)]
struct Envelope<'a, T> {
    channel: &'a str,
    r#type: &'a str,
    venue: &'a str,
    symbol: &'a str,
    data: [T; 1],
}

#[derive(Serialize)]
struct TradeFields<'a> {
    price: &'a str,
    size: &'a str,
    side: &'a str,
    ts_event: i64,
    ts_recv: i64,
    sequence: u64,
}

#[derive(Serialize)]
struct QuoteFields<'a> {
    bid: &'a str,
    bid_size: &'a str,
    ask: &'a str,
    ask_size: &'a str,
    derived: bool,
    untrusted: bool,
    ts_event: i64,
    ts_recv: i64,
    sequence: u64,
}

/// Both messages that a market sends most often.
///
/// # Errors
/// If the two ways do not write the same bytes.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let state = InstrumentState::new(0, instrument());
    let trade = compare(
        context,
        "fanout.encode.trade",
        |text, n| our_trade(text, &state, n),
        peer_trade,
    )?;
    let quote = compare(
        context,
        "fanout.encode.quote",
        |text, n| our_quote(text, &state, n),
        peer_quote,
    )?;
    Ok(vec![trade, quote])
}

fn instrument() -> Instrument {
    Instrument {
        id: InstrumentId::new(Venue::KRAKEN, 0),
        symbol: "BTC/USD".into(),
        name: "BTC/USD".into(),
        scale: Scale::from_byte(PRICE_DECIMALS << 4 | SIZE_DECIMALS),
        tick: 1,
        lot: 1,
    }
}

/// Both ways in turns, a batch each.
fn compare(
    context: &Context,
    name: &str,
    ours: impl Fn(&mut String, i64),
    peer: impl Fn(&mut Vec<u8>, i64) -> Result<()>,
) -> Result<Measurement> {
    let (mut text, mut bytes) = (String::new(), Vec::new());
    for n in [0, 1, 9_999_999] {
        text.clear();
        bytes.clear();
        ours(&mut text, n);
        peer(&mut bytes, n)?;
        if text.as_bytes() != bytes {
            let why = format!("{text} is not {}", String::from_utf8_lossy(&bytes));
            return Err(BenchError::new(name, why));
        }
    }
    let clock = Clock::new();
    let batches: i64 = context.pick(20_000, 50);
    let mut samples = [Samples::new(1.0 / BATCH as f64), Samples::new(1.0 / BATCH as f64)];
    // The first tenth only warms up.
    for batch in -batches / 10..batches {
        let start = clock.raw();
        for n in 0..BATCH as i64 {
            text.clear();
            ours(&mut text, batch * 64 + n);
            std::hint::black_box(text.as_str());
        }
        let middle = clock.raw();
        for n in 0..BATCH as i64 {
            bytes.clear();
            peer(&mut bytes, batch * 64 + n)?;
            std::hint::black_box(bytes.as_slice());
        }
        let end = clock.raw();
        if batch >= 0 {
            samples[0].add(clock.delta_as_nanos(start, middle));
            samples[1].add(clock.delta_as_nanos(middle, end));
        }
    }
    let [ours, peer] = samples;
    Ok(Measurement::new(name, "ns", Better::Lower, ours)
        .peer("serde_json", peer)
        .detail("message_bytes", text.len() as f64)
        .note("One message's text, into a reused buffer, each value the mean of 64 in a row; in this process, by the bridge's own code."))
}

fn stamp(n: i64) -> Stamp {
    Stamp {
        ts_event: 1_783_465_204_585_581_000 + n,
        ts_recv: 1_783_465_204_590_581_000 + n,
        sequence: n.unsigned_abs(),
    }
}

fn price(n: i64) -> i64 {
    628_070 + n % 1_000
}

fn size(n: i64) -> i64 {
    100_000 + n % 77_777
}

fn our_trade(text: &mut String, state: &InstrumentState, n: i64) {
    let trade = Trade {
        price: price(n),
        size: size(n),
        side: Some(Side::Bid),
        stamp: stamp(n),
    };
    message::trades(text, state, Form::Update, std::iter::once(&trade));
}

fn our_quote(text: &mut String, state: &InstrumentState, n: i64) {
    let quote = Quote {
        bid: price(n),
        bid_size: size(n),
        ask: price(n) + 1,
        ask_size: size(n) + 1,
        flags: Flags::NONE,
        stamp: stamp(n),
    };
    message::quote(text, state, Form::Update, Some(&quote));
}

fn peer_trade(bytes: &mut Vec<u8>, n: i64) -> Result<()> {
    let (mut first, mut second) = ([0; TEXT_LEN_MAX], [0; TEXT_LEN_MAX]);
    let Stamp {
        ts_event,
        ts_recv,
        sequence,
    } = stamp(n);
    let fields = TradeFields {
        price: DecimalText::new(price(n), PRICE_DECIMALS).write(&mut first),
        size: DecimalText::new(size(n), SIZE_DECIMALS).write(&mut second),
        side: "buy",
        ts_event,
        ts_recv,
        sequence,
    };
    envelope(bytes, "trades", fields)
}

fn peer_quote(bytes: &mut Vec<u8>, n: i64) -> Result<()> {
    let mut texts = [[0; TEXT_LEN_MAX]; 4];
    let [bid, bid_size, ask, ask_size] = &mut texts;
    let Stamp {
        ts_event,
        ts_recv,
        sequence,
    } = stamp(n);
    let fields = QuoteFields {
        bid: DecimalText::new(price(n), PRICE_DECIMALS).write(bid),
        bid_size: DecimalText::new(size(n), SIZE_DECIMALS).write(bid_size),
        ask: DecimalText::new(price(n) + 1, PRICE_DECIMALS).write(ask),
        ask_size: DecimalText::new(size(n) + 1, SIZE_DECIMALS).write(ask_size),
        derived: false,
        untrusted: false,
        ts_event,
        ts_recv,
        sequence,
    };
    envelope(bytes, "quotes", fields)
}

fn envelope(bytes: &mut Vec<u8>, channel: &str, fields: impl Serialize) -> Result<()> {
    let envelope = Envelope {
        channel,
        r#type: "update",
        venue: "kraken",
        symbol: "BTC/USD",
        data: [fields],
    };
    serde_json::to_writer(bytes, &envelope).tried("a message by serde_json")
}
