//! The past into a relay: same records, same order, same times.

#[path = "support/archive.rs"]
mod support;

use std::time::{Duration, Instant};

use support::{DAY_NS, Place};
use tickpath_protocol::{Flags, GapCause, InstrumentId, Kind, Record, StatusCode, Venue};
use tickpath_relay::{Relay, RelayConfig};
use tickpath_service::Shutdown;
use tickpath_service::config::Speed;
use tickpath_storage::archive::export::Options;
use tickpath_storage::replay::{Feed, FeedOptions, Past, Played, Range, ReplayError};
use tickpath_transport::{
    CounterPage, Event, Publisher, PublisherConfig, Start, Subscription, SubscriptionConfig, Via, WaitStrategy,
};

const LIMIT: Duration = Duration::from_secs(60);

fn relay(place: &Place) -> Relay {
    let config = RelayConfig {
        socket: socket(place),
        capacity: 1 << 16,
        wait: WaitStrategy::Sleep,
        pin: None,
    };
    Relay::start(&config).unwrap()
}

fn socket(place: &Place) -> std::path::PathBuf {
    place.journal_dir().with_file_name("relay.sock")
}

/// Records of two venues in turns, with a gap, a status, and what the relay wrote then.
fn past() -> Vec<Record> {
    let mut records = vec![from_relay(StatusCode::ProducerAttached.record(
        Venue::KRAKEN,
        InstrumentId::NONE,
        5,
        77,
        1,
    ))];
    // The first that is heard of an instrument says nothing of its decimals.
    records.push(StatusCode::BookUntrusted.record(Venue::BINANCE, InstrumentId::new(Venue::BINANCE, 1), 900, 0, 0));
    for n in 0..2_000_u64 {
        let venue = if n % 5 < 3 { Venue::KRAKEN } else { Venue::BINANCE };
        records.push(Record {
            kind: Kind::BookLevel as u8,
            venue: venue.0,
            flags: Flags::ASK.0,
            scale: 0x28,
            instrument: InstrumentId::new(venue, (n % 3) as u32).0,
            sequence: n + 1,
            ts_event: n as i64,
            ts_recv: 1_000 + n as i64,
            price: n as i64,
            size: 7,
        });
    }
    records.push(GapCause::VenueSequence.record(Venue::KRAKEN, InstrumentId::new(Venue::KRAKEN, 1), 5, 4_000, 3, 9));
    records.push(StatusCode::BookTrusted.record(Venue::BINANCE, InstrumentId::new(Venue::BINANCE, 2), 4_001, 0, 0));
    records.push(GapCause::NotRecorded.record(Venue::NONE, InstrumentId::NONE, 5, 4_002, 3, 9));
    records
}

fn from_relay(record: Record) -> Record {
    Record {
        flags: record.flags | Flags::FROM_RELAY.0,
        ..record
    }
}

/// What of a record must come through: all but its sequence; the instrument by its symbol.
type Seen = (u8, u8, u8, u8, Option<String>, i64, i64, i64, i64);

fn seen(record: &Record, symbol: Option<String>) -> Seen {
    (
        record.kind,
        record.venue,
        record.flags,
        record.scale,
        symbol,
        record.ts_event,
        record.ts_recv,
        record.price,
        record.size,
    )
}

fn expected(records: &[Record]) -> Vec<Seen> {
    let played = records
        .iter()
        .filter(|record| !record.flags().contains(Flags::FROM_RELAY) && record.venue() != Venue::NONE);
    played
        .map(|record| {
            let id = record.instrument();
            seen(
                record,
                (id != InstrumentId::NONE).then(|| support::instrument(id.venue(), id.index() as u32).symbol),
            )
        })
        .collect()
}

fn play(place: &Place, past: &mut Past) -> Result<Played, ReplayError> {
    let page = CounterPage::create("test").unwrap();
    let shutdown = Shutdown::new();
    let options = FeedOptions {
        socket: socket(place),
        speed: Speed::Max,
        capacity: 1 << 10,
    };
    Feed::new(options, &page, &shutdown).play(past)
}

fn subscribe(place: &Place, page: &CounterPage) -> Subscription {
    let config = SubscriptionConfig {
        socket: socket(place),
        name: "test".into(),
        start: Start::Oldest,
        via: Via::SharedMemory,
    };
    Subscription::new(config, page)
}

fn receive(subscription: &mut Subscription, count: usize) -> Vec<Seen> {
    let mut all = Vec::new();
    let since = Instant::now();
    while all.len() < count {
        assert!(since.elapsed() < LIMIT, "{} of {count} records came", all.len());
        subscription.poll_with(1_024, |event, instruments| match event {
            Event::Record(received) if !received.record.flags().contains(Flags::FROM_RELAY) => {
                let symbol = instruments
                    .get(received.record.instrument())
                    .map(|instrument| instrument.symbol.clone());
                all.push(seen(&received.record, symbol));
            }
            _ => {}
        });
        std::thread::yield_now();
    }
    all
}

#[test]
fn a_journal_and_its_archive_play_alike() {
    let place = Place::new();
    let records = past();
    place.append(7, &records);
    place.export(&Options::at(50 * DAY_NS)).unwrap();
    let expected = expected(&records);
    for from in [place.journal_dir(), place.archive()] {
        let _relay = relay(&place);
        let page = CounterPage::create("test").unwrap();
        let mut subscription = subscribe(&place, &page);
        let played = play(&place, &mut Past::open(&from, Range::default(), None).unwrap()).unwrap();
        assert_eq!(
            played,
            Played {
                records: expected.len() as u64,
                from_relay: 1,
                unplayable: 1
            }
        );
        let received = receive(&mut subscription, expected.len());
        assert_eq!(received.len(), expected.len());
        for (at, (received, expected)) in received.iter().zip(&expected).enumerate() {
            assert_eq!(received, expected, "record {at} from {}", from.display());
        }
        assert_eq!(subscription.missing(), 0);
    }
}

#[test]
fn a_range_plays_its_part_and_an_empty_one_is_refused() {
    let place = Place::new();
    place.append(7, &past());
    place.export(&Options::at(50 * DAY_NS)).unwrap();
    let _relay = relay(&place);
    for from in [place.journal_dir(), place.archive()] {
        let range = Range {
            from_ns: Some(1_010),
            to_ns: Some(1_030),
        };
        let played = play(&place, &mut Past::open(&from, range, None).unwrap()).unwrap();
        assert_eq!(played.records, 20);
        let only = play(&place, &mut Past::open(&from, range, Some(Venue::BINANCE)).unwrap()).unwrap();
        assert_eq!(only.records, 8);
        for range in [
            Range {
                from_ns: Some(DAY_NS),
                to_ns: None,
            },
            Range {
                from_ns: Some(50),
                to_ns: Some(40),
            },
        ] {
            let error = play(&place, &mut Past::open(&from, range, None).unwrap()).unwrap_err();
            assert!(matches!(error, ReplayError::Empty { .. }), "{error}");
        }
    }
}

#[test]
fn another_producer_of_the_venue_keeps_a_replay_out() {
    let place = Place::new();
    place.append(7, &past());
    let _relay = relay(&place);
    let page = CounterPage::create("test").unwrap();
    let config = PublisherConfig {
        socket: socket(&place),
        venue: Venue::KRAKEN,
        name: "collector".into(),
        capacity: 1 << 10,
        via: Via::SharedMemory,
    };
    let publisher = Publisher::new(config, &page).unwrap();
    let since = Instant::now();
    while !publisher.is_attached() {
        assert!(since.elapsed() < LIMIT);
        std::thread::yield_now();
    }
    let error = play(
        &place,
        &mut Past::open(&place.journal_dir(), Range::default(), None).unwrap(),
    )
    .unwrap_err();
    assert!(
        error.to_string().contains("stop the collector") && matches!(error, ReplayError::Refused { .. }),
        "{error}"
    );
}

#[test]
fn what_is_neither_journal_nor_archive_is_refused() {
    let place = Place::new();
    std::fs::create_dir(place.archive()).unwrap();
    let error = Past::open(&place.archive(), Range::default(), None).err().unwrap();
    assert!(matches!(error, ReplayError::Neither(_)), "{error}");
}
