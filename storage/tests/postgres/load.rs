//! Records of every kind, and a writer that is asked to bring them.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::path::Path;
use std::time::{Duration, Instant};

use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, Record, Scale, Venue};
use tickpath_storage::database::{Settings, Writer};
use tickpath_storage::journal::{self, Appender};
use tickpath_transport::CounterPage;

/// How long a test waits for rows before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Instruments of each of the two venues of these records.
const INSTRUMENTS: u64 = 5;

/// The record of that number: kinds, sides, scales, absent numbers and times all differ from one to the next.
pub fn record(n: u64, now_ns: i64) -> Record {
    let mixed = n
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(31)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let venue = if n.is_multiple_of(3) {
        Venue::KRAKEN
    } else {
        Venue::test(9)
    };
    let kind = match mixed >> 56 {
        0..30 => Kind::Trade as u8,
        30..90 => Kind::Quote as u8,
        90..230 => Kind::BookLevel as u8,
        other => Kind::ALL[other as usize % Kind::ALL.len()] as u8,
    };
    let side = [Flags::BID, Flags::ASK, Flags::NONE][(mixed % 3) as usize];
    let instrument = match mixed % 50 {
        0 => InstrumentId::NONE,
        other => InstrumentId::new(venue, (other % INSTRUMENTS) as u32),
    };
    Record {
        kind,
        venue: venue.0,
        flags: side.with(Flags::LAST).0,
        scale: mixed as u8,
        instrument: instrument.0,
        sequence: n + 1,
        ts_event: now_ns + n as i64 * 1_001 - (mixed % 1_000) as i64,
        ts_recv: now_ns + n as i64 * 1_001,
        price: if mixed.is_multiple_of(97) {
            Record::ABSENT
        } else {
            (mixed >> (mixed % 60)) as i64
        },
        size: if mixed.is_multiple_of(89) {
            Record::ABSENT
        } else {
            -((mixed >> 33) as i64)
        },
    }
}

pub fn records(from: u64, to: u64, now_ns: i64) -> Vec<Record> {
    (from..to).map(|n| record(n, now_ns)).collect()
}

/// A journal to write in `dir`, with the instruments that [`record`] names.
pub fn appender(dir: &Path, run_id: u64, segment_records: u64) -> Appender {
    let settings = journal::Settings {
        segment_records,
        row_reserve: 32,
        ..journal::Settings::default()
    };
    let mut appender = Appender::open(dir, settings).unwrap();
    begin_run(&mut appender, run_id);
    appender
}

pub fn begin_run(appender: &mut Appender, run_id: u64) {
    appender.begin_run(run_id).unwrap();
    for venue in [Venue::KRAKEN, Venue::test(9)] {
        for index in 0..INSTRUMENTS as u32 {
            // In every run another order, so that ids of runs must not be mixed up.
            let number = (index + run_id as u32) % INSTRUMENTS as u32;
            appender
                .instrument(&Instrument {
                    id: InstrumentId::new(venue, index),
                    symbol: format!("SYM{number}/USD"),
                    name: format!("SYM{number}/USD"),
                    scale: Scale::new(2, 8).unwrap(),
                    tick: 5,
                    lot: 1,
                })
                .unwrap();
        }
    }
}

/// Appends records and brings them to the disk.
pub fn append(appender: &mut Appender, first_position: u64, records: &[Record]) {
    let published = vec![tickpath_transport::now_ns(); records.len()];
    appender.append(first_position, records, &published).unwrap();
    appender.sync().unwrap();
}

pub fn settings(url: &str, journal: &Path) -> Settings {
    Settings {
        url: url.parse().unwrap(),
        journal: journal.to_owned(),
        batch_rows: 1_000,
        flush: Duration::from_millis(20),
        retention_days: 0,
    }
}

/// The value of a gauge or counter of the writer.
pub fn metric(page: &CounterPage, name: &str) -> i64 {
    use tickpath_transport::counters::Value;
    let view = tickpath_transport::CounterView::open(page.file().reader_fd().unwrap()).unwrap();
    let metric = view.metrics().into_iter().find(|metric| metric.name == name);
    match metric.map(|metric| metric.value) {
        Some(Value::Counter(value)) => value as i64,
        Some(Value::Gauge(value)) => value,
        _ => -1,
    }
}

/// Waits until the condition holds.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Brings all that is recorded.
pub fn bring_all(settings: &Settings) -> CounterPage {
    let page = CounterPage::create("test").unwrap();
    let writer = Writer::start(settings.clone(), &page).unwrap();
    wait_until("the database takes rows", || {
        metric(&page, "tickpath_database_connected") == 1
    });
    writer.finish(PATIENCE);
    assert_eq!(metric(&page, "tickpath_database_behind_records"), 0);
    page
}
