//! The claims themselves.

use super::term::At::{P50, P99, P99_9};
use super::term::Of::{Floor, Ours, Peer};
use super::term::Term::{Detail, Figure, LeastGain, MeanGain, Minus, Most, Over, Times};
use super::{Claim, Limit, Term};

/// A claim without a unit: a ratio.
const fn ratio(name: &'static str, term: Term, limit: Limit) -> Claim {
    claim(name, term, limit, "")
}

const fn claim(name: &'static str, term: Term, limit: Limit, unit: &'static str) -> Claim {
    Claim {
        name,
        term,
        limit,
        unit,
    }
}

const BROADCAST: &str = "ring.broadcast.latency";
const BROADCAST_P50: Term = Figure(BROADCAST, Ours, P50);
const SPSC: &str = "ring.spsc.latency";
const BATCHED: &str = "ring.spsc.throughput.batched";
const BOOK: &str = "book.update.1000";
const TICK_TO_ORDER: &str = "engine.tick_to_order";
const RELAY: &str = "relay.throughput.p3.r10";
const RELAY_ALONE: &str = "relay.throughput.p3.r0";
const SUSTAINED: &str = "relay.sustained";
const RECORD: &str = "pipeline.record.10k.spin";
const JSON: &str = "pipeline.json.10k.spin";
const APPEND: &str = "journal.append.4096";
const BACKTEST: &str = "backtest.records";
const INGEST: &str = "database.ingest";
const JSON_BLOCKING: &str = "pipeline.json.10k.sleep";

/// Every claim, in the order of the groups.
pub const ALL: &[Claim] = &[
    ratio(
        "broadcast ring, one-way, over a bounced cache line",
        Over(&BROADCAST_P50, &Figure(BROADCAST, Floor, P50)),
        Limit::AtMost(2.0),
    ),
    ratio(
        "broadcast ring, one-way, over rtrb",
        Over(&BROADCAST_P50, &Figure(BROADCAST, Peer("rtrb"), P50)),
        Limit::AtMost(0.8),
    ),
    ratio(
        "broadcast ring, one-way, over iceoryx2",
        Over(&BROADCAST_P50, &Figure(BROADCAST, Peer("iceoryx2"), P50)),
        Limit::AtMost(0.25),
    ),
    ratio(
        "broadcast ring, one-way p99.9, over rtrb's",
        Over(&Figure(BROADCAST, Ours, P99_9), &Figure(BROADCAST, Peer("rtrb"), P99_9)),
        Limit::AtMost(0.8),
    ),
    ratio(
        "SPSC ring, one-way, over rtrb",
        Over(&Figure(SPSC, Ours, P50), &Figure(SPSC, Peer("rtrb"), P50)),
        Limit::AtMost(1.1),
    ),
    ratio(
        "SPSC ring, batched throughput, over rtrb's chunks",
        Over(&Figure(BATCHED, Ours, P50), &Figure(BATCHED, Peer("rtrb"), P50)),
        Limit::AtLeast(0.9),
    ),
    ratio(
        "decoding, times faster than serde_json",
        MeanGain("decode.", "serde_json"),
        Limit::AtLeast(4.0),
    ),
    ratio(
        "decoding, times faster than serde_json, the worst type",
        LeastGain("decode.", "serde_json"),
        Limit::AtLeast(2.5),
    ),
    ratio(
        "decoding, times faster than sonic-rs",
        MeanGain("decode.", "sonic-rs"),
        Limit::AtLeast(3.0),
    ),
    ratio(
        "decoding, times faster than barter-data",
        MeanGain("decode.", "barter-data"),
        Limit::AtLeast(6.0),
    ),
    ratio(
        "top of a book of 1,000 levels, times faster than BTreeMap",
        Over(&Figure(BOOK, Peer("BTreeMap"), P50), &Figure(BOOK, Ours, P50)),
        Limit::AtLeast(3.0),
    ),
    claim(
        "matching, on one core",
        Figure("matching.throughput", Ours, P50),
        Limit::AtLeast(5e6),
        "orders/s",
    ),
    claim(
        "matching, p99 of an order",
        Figure("matching.latency", Ours, P99),
        Limit::AtMost(1_000.0),
        "ns",
    ),
    claim(
        "tick to order",
        Figure(TICK_TO_ORDER, Ours, P50),
        Limit::AtMost(1_000.0),
        "ns",
    ),
    claim(
        "tick to order, p99",
        Figure(TICK_TO_ORDER, Ours, P99),
        Limit::AtMost(5_000.0),
        "ns",
    ),
    claim(
        "relay, 3 producers, 10 readers",
        Figure(RELAY, Ours, P50),
        Limit::AtLeast(20e6),
        "records/s",
    ),
    ratio(
        "relay, share of its rate that 10 readers cost",
        Over(
            &Minus(&Figure(RELAY_ALONE, Ours, P50), &Figure(RELAY, Ours, P50)),
            &Figure(RELAY_ALONE, Ours, P50),
        ),
        Limit::AtMost(0.05),
    ),
    ratio(
        "relay, added latency over the broadcast ring's, the worst case",
        Over(&Most("relay.latency."), &BROADCAST_P50),
        Limit::AtMost(3.0),
    ),
    claim(
        "socket to reader, busy-polled, above TCP",
        Minus(&Figure(RECORD, Ours, P50), &Figure(RECORD, Floor, P50)),
        Limit::AtMost(2_000.0),
        "ns",
    ),
    claim(
        "socket to reader, busy-polled, p99 above TCP's, 10k/s",
        Minus(&Figure(RECORD, Ours, P99), &Figure(RECORD, Floor, P99)),
        Limit::AtMost(10_000.0),
        "ns",
    ),
    claim(
        "socket to WebSocket, busy-polled, above 2 × TCP",
        Minus(&Figure(JSON, Ours, P50), &Times(2.0, &Figure(JSON, Floor, P50))),
        Limit::AtMost(8_000.0),
        "ns",
    ),
    claim(
        "socket to WebSocket, blocking, above 2 × TCP",
        Minus(
            &Figure(JSON_BLOCKING, Ours, P50),
            &Times(2.0, &Figure(JSON_BLOCKING, Floor, P50)),
        ),
        Limit::AtMost(15_000.0),
        "ns",
    ),
    claim(
        "one venue without loss",
        Figure("pipeline.sustained", Ours, P50),
        Limit::AtLeast(100_000.0),
        "frames/s",
    ),
    claim(
        "relay for 60 s, 12 readers",
        Figure(SUSTAINED, Ours, P50),
        Limit::AtLeast(1_000_000.0),
        "records/s",
    ),
    claim(
        "relay for 60 s, 12 readers: lost",
        Detail(SUSTAINED, "records_lost_by_readers"),
        Limit::AtMost(0.0),
        "records",
    ),
    claim(
        "relay for 60 s, 12 readers: dropped by producers",
        Detail(SUSTAINED, "records_dropped_by_producers"),
        Limit::AtMost(0.0),
        "records",
    ),
    claim(
        "the least of 1,000 WebSocket clients, bridge on one core",
        Detail("fanout.1000.delivered", "least_client_per_s"),
        Limit::AtLeast(100.0),
        "messages/s",
    ),
    claim(
        "journal, appended",
        Figure(APPEND, Ours, P50),
        Limit::AtLeast(5e6),
        "records/s",
    ),
    ratio(
        "journal, appended, over write(2) of the same bytes",
        Over(&Figure(APPEND, Ours, P50), &Figure(APPEND, Floor, P50)),
        Limit::AtLeast(0.7),
    ),
    claim(
        "database, rows",
        Figure(INGEST, Ours, P50),
        Limit::AtLeast(300_000.0),
        "rows/s",
    ),
    ratio(
        "database, over a bare COPY BINARY",
        Over(&Figure(INGEST, Ours, P50), &Figure(INGEST, Floor, P50)),
        Limit::AtLeast(0.8),
    ),
    claim(
        "Parquet, exported",
        Figure("archive.export", Ours, P50),
        Limit::AtLeast(2e6),
        "records/s",
    ),
    claim(
        "backtest, one core",
        Figure(BACKTEST, Ours, P50),
        Limit::AtLeast(20e6),
        "records/s",
    ),
    ratio(
        "backtest, over hftbacktest",
        Over(
            &Figure(BACKTEST, Ours, P50),
            &Figure(BACKTEST, Peer("hftbacktest"), P50),
        ),
        Limit::AtLeast(1.2),
    ),
    claim(
        "backtest of a year of one-minute bars",
        Figure("backtest.year", Ours, P50),
        Limit::AtMost(200e6),
        "ns",
    ),
    claim(
        "allocations on hot threads",
        Most("allocations."),
        Limit::AtMost(0.0),
        "allocations/record",
    ),
];
