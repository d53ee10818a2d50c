//! Producers to readers through a relay, over memory and over the socket.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use common::{Place, attach, instrument, is_certified, read_until, trade, trades, wait_until};
use tickpath_protocol::{Flags, GapCause, InstrumentId, Kind, Record, StatusCode, Venue};
use tickpath_transport::{Event, Observer, Start, Via};

const VENUE: Venue = Venue::test(0);

fn carries_everything(producer: Via, reader: Via) {
    let place = Place::new();
    let _relay = place.relay(1 << 16);
    let mut publisher = place.publisher(VENUE, 4096, producer);
    let mut subscription = place.subscription("reader", Start::Oldest, reader);
    let ids = [instrument(&mut publisher, "A/USD"), instrument(&mut publisher, "B/USD")];
    const COUNT: u64 = 20_000;
    let read = AtomicU64::new(0);
    let received = std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..=COUNT {
                publisher.publish(trade(ids[n as usize % 2], n));
                if n % 10 == 0 {
                    publisher.flush();
                    wait_until("the reader keeps up", || n < read.load(Ordering::Relaxed) + 2000);
                }
            }
        });
        read_until(&mut subscription, "all records", |received| {
            let last = received.last().map_or(0, |last| last.record.sequence);
            read.store(last, Ordering::Relaxed);
            last == COUNT
        })
    });
    assert_eq!(received[0].record.flags, Flags::LAST.with(Flags::FROM_RELAY).0);
    assert_eq!(StatusCode::of(&received[0].record), Some(StatusCode::ProducerAttached));
    let trades = trades(&received);
    assert!(trades.iter().all(is_certified));
    assert!(trades.is_sorted_by_key(|trade| trade.sequence));
    assert_eq!((trades.len() as u64, publisher.dropped()), (COUNT, 0));
    assert_eq!(
        (subscription.missing(), subscription.duplicates(), subscription.lapped()),
        (0, 0, 0)
    );
    for pair in received.windows(2) {
        assert_eq!(pair[0].position + 1, pair[1].position);
    }
    let table = subscription.instruments();
    assert_eq!(table.len(), 2);
    assert_eq!(table.get(ids[1]).unwrap().symbol, "B/USD");
}

#[test]
fn memory_to_memory() {
    carries_everything(Via::SharedMemory, Via::SharedMemory);
}

#[test]
fn socket_to_memory() {
    carries_everything(Via::Socket, Via::SharedMemory);
}

#[test]
fn memory_to_socket() {
    carries_everything(Via::SharedMemory, Via::Socket);
}

#[test]
fn socket_to_socket() {
    carries_everything(Via::Socket, Via::Socket);
}

#[test]
fn a_full_ring_costs_the_newest_records_and_a_gap_says_which() {
    let place = Place::new();
    let mut publisher = place.publisher(VENUE, 256, Via::SharedMemory);
    let id = instrument(&mut publisher, "A/USD");
    for n in 0..1000 {
        publisher.publish(trade(id, n));
    }
    publisher.flush();
    assert_eq!(publisher.dropped(), 1000 - 256);
    let _relay = place.relay(1024);
    let mut subscription = place.subscription("reader", Start::Oldest, Via::SharedMemory);
    let received = read_until(&mut subscription, "the record after the gap", |received| {
        if publisher.is_attached() && publisher.sequence() == 1000 && received.len() > 256 {
            publisher.publish(trade(id, 1000));
        }
        publisher.flush();
        received.last().is_some_and(|last| last.record.sequence == 1001)
    });
    let gap = received[received.len() - 2].record;
    assert_eq!(GapCause::of(&gap), Some(GapCause::RingFull));
    assert_eq!((gap.price, gap.size, gap.sequence), (257, 1000, 1000));
    assert_eq!(trades(&received).len(), 257);
    assert_eq!(subscription.missing(), 744);
}

#[test]
fn what_a_producer_may_not_send_is_refused_and_a_gap_stands_in_for_it() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut publisher = place.publisher(VENUE, 256, Via::SharedMemory);
    let id = instrument(&mut publisher, "A/USD");
    let good = trade(id, 1);
    let bad = [
        Record { kind: 99, ..good },
        Record {
            instrument: InstrumentId::new(VENUE, 7).0,
            ..good
        },
        Record {
            instrument: InstrumentId::new(Venue::KRAKEN, 0).0,
            ..good
        },
        Record {
            instrument: InstrumentId::NONE.0,
            ..good
        },
        Record { scale: 0, ..good },
        Record {
            flags: Flags::FROM_RELAY.0,
            ..good
        },
        Record {
            kind: Kind::Gap as u8,
            scale: GapCause::RingFull as u8,
            price: 1,
            size: 5,
            ..good
        },
    ];
    publisher.publish(good);
    for record in bad {
        publisher.publish(record);
    }
    publisher.publish(good);
    publisher.publish(Record { kind: 0, ..good });
    publisher.flush();
    let mut subscription = place.subscription("reader", Start::Oldest, Via::SharedMemory);
    let received = read_until(&mut subscription, "the last gap", |received| received.len() == 5);
    let sequences: Vec<u64> = received.iter().map(|received| received.record.sequence).collect();
    assert_eq!(sequences, [0, 1, 8, 9, 10]);
    let gaps: Vec<(i64, i64)> = received
        .iter()
        .filter(|received| GapCause::of(&received.record) == Some(GapCause::RelayLoss))
        .map(|received| (received.record.price, received.record.size))
        .collect();
    assert_eq!(gaps, [(2, 8), (10, 10)]);
    assert_eq!(subscription.missing(), 8);
}

#[test]
fn a_reader_that_joins_late_hears_of_the_present_only() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut publisher = place.publisher(VENUE, 256, Via::SharedMemory);
    let id = instrument(&mut publisher, "A/USD");
    let mut early = place.subscription("early", Start::Live, Via::SharedMemory);
    attach(&mut early);
    publisher.publish(trade(id, 1));
    publisher.flush();
    read_until(&mut early, "the first trade", |received| !trades(received).is_empty());
    for via in [Via::SharedMemory, Via::Socket] {
        let mut late = place.subscription("late", Start::Live, via);
        attach(&mut late);
        assert_eq!(
            late.instruments().find(VENUE, "A/USD").map(|found| found.id),
            Some(id).filter(|_| via == Via::SharedMemory)
        );
        publisher.publish(trade(id, 2));
        publisher.flush();
        let received = read_until(&mut late, "the second trade", |received| !received.is_empty());
        assert_eq!(received[0].record.sequence, publisher.sequence());
        assert_eq!(late.instruments().len(), 1);
        assert_eq!(late.missing(), 0);
    }
}

#[test]
fn a_producer_that_returns_keeps_its_ids_and_only_new_rows_are_added() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut subscription = place.subscription("reader", Start::Oldest, Via::SharedMemory);
    let mut first = place.publisher(VENUE, 256, Via::SharedMemory);
    let a = instrument(&mut first, "A/USD");
    let b = instrument(&mut first, "B/USD");
    first.publish(trade(b, 1));
    first.flush();
    read_until(&mut subscription, "the first life", |received| {
        !trades(received).is_empty()
    });
    drop(first);
    let mut second = place.publisher(VENUE, 256, Via::SharedMemory);
    assert_eq!(second.instruments().len(), 2);
    assert_eq!(instrument(&mut second, "B/USD"), b);
    let c = instrument(&mut second, "C/USD");
    assert_eq!(instrument(&mut second, "A/USD"), a);
    assert_eq!(c.index(), 2);
    second.publish(trade(c, 2));
    second.flush();
    let received = read_until(&mut subscription, "the second life", |received| {
        !trades(received).is_empty()
    });
    let statuses: Vec<StatusCode> = received
        .iter()
        .filter_map(|received| StatusCode::of(&received.record))
        .collect();
    assert_eq!(statuses, [StatusCode::ProducerDetached, StatusCode::ProducerAttached]);
    assert_eq!(subscription.instruments().len(), 3);
    assert_eq!((subscription.missing(), subscription.duplicates()), (0, 0));
}

#[test]
fn a_lapped_reader_learns_exactly_how_many_it_missed() {
    for via in [Via::SharedMemory, Via::Socket] {
        let place = Place::new();
        let _relay = place.relay(256);
        let mut publisher = place.publisher(VENUE, 4096, Via::SharedMemory);
        let id = instrument(&mut publisher, "A/USD");
        let mut prompt = place.subscription("prompt", Start::Oldest, Via::SharedMemory);
        let mut sleeper = place.subscription("sleeper", Start::Oldest, via);
        attach(&mut prompt);
        attach(&mut sleeper);
        let mut sent = 0;
        // A stream reader has what its socket holds before it is lapped.
        while sent < 20_000 {
            for _ in 0..100 {
                publisher.publish(trade(id, sent));
                sent += 1;
            }
            publisher.flush();
            read_until(&mut prompt, "the prompt reader", |received| {
                received.last().is_some_and(|last| last.record.sequence == sent)
            });
        }
        assert_eq!((prompt.lapped(), prompt.missing()), (0, 0));
        let mut told = 0;
        let mut records = 0;
        wait_until("the sleeper catches up", || {
            let mut last = 0;
            sleeper.poll(1000, |event| match event {
                Event::Lapped { missed } => told += missed,
                Event::Record(received) => {
                    records += 1;
                    last = received.record.sequence;
                }
                _ => {}
            });
            last == sent
        });
        assert!(told > 0);
        assert_eq!(told, sleeper.lapped());
        assert_eq!(told, sleeper.missing());
        // The stream: one status, then the trades.
        assert_eq!(records + told, sent + 1);
    }
}

#[test]
fn an_observer_sees_the_pages_of_all() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut observer = Observer::attach(&place.socket()).unwrap();
    let names = |observer: &mut Observer| {
        let views = observer.refresh().unwrap();
        views.iter().map(|view| view.process().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&mut observer), ["relay"]);
    let publisher = place.publisher(VENUE, 256, Via::SharedMemory);
    wait_until("the producer attaches", || publisher.is_attached());
    assert_eq!(names(&mut observer), ["relay", "test"]);
    let mut subscription = place.subscription("reader", Start::Live, Via::SharedMemory);
    attach(&mut subscription);
    // One page, although its process is attached twice.
    assert_eq!(names(&mut observer), ["relay", "test"]);
    let metrics = observer.refresh().unwrap()[0].metrics();
    assert!(
        metrics
            .iter()
            .any(|metric| metric.name == "tickpath_relay_records_out_total")
    );
    drop(subscription);
    drop(publisher);
    wait_until("the page goes", || names(&mut observer) == ["relay"]);
}
