//! Broken, foreign and hostile peers: each is refused with a reason or cut off, and the others notice nothing.

mod common;

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Place, RelayProcess, attach, instrument, read_until, relay_counter, trade, trades, wait_until};
use tickpath_protocol::{GapCause, Instrument, InstrumentId, InstrumentRow, Record, StatusCode, Venue};
use tickpath_transport::connection::Connection;
use tickpath_transport::frame::{PAYLOAD_LEN_MAX, encode};
use tickpath_transport::memory::{Access, MemoryFile, Prefault};
use tickpath_transport::message::{Hello, Refusal, RefusalCode, Role, kind};
use tickpath_transport::producer_ring::{ProducerRing, RingOwner};
use tickpath_transport::spsc::{Producer, SpscMemory};
use tickpath_transport::{LAYOUT_VERSION, Publisher, Start, TransportError, Via};

const VENUE: Venue = Venue::test(0);
const HOSTILE: Venue = Venue::test(1);

fn hello(role: Role, venue: Venue) -> Hello {
    Hello {
        role,
        venue,
        name: "peer".into(),
        pid: 7,
        run_id: 5,
        next: 1,
        start: Start::Live,
    }
}

fn encoded(hello: &Hello) -> Vec<u8> {
    let mut bytes = Vec::new();
    hello.encode(&mut bytes);
    bytes
}

/// Sends bytes and descriptors as the first words of a peer.
fn knock(place: &Place, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Connection {
    let mut connection = Connection::connect(&place.socket()).unwrap();
    connection.output().extend_from_slice(bytes);
    connection.flush_with(descriptors).unwrap();
    connection
}

/// The relay's answer: welcome or a reason.
fn answer(connection: &mut Connection) -> Result<(), Refusal> {
    match connection.wait_frame("hello", Duration::from_secs(10)).unwrap() {
        (kind::WELCOME, _) => Ok(()),
        (kind::REFUSAL, payload) => Err(Refusal::decode(&payload).unwrap()),
        (kind, _) => panic!("frame of kind {kind}"),
    }
}

fn page(place: &Place) -> OwnedFd {
    place.page.file().reader_fd().unwrap()
}

fn ring(venue: Venue) -> ProducerRing {
    let owner = RingOwner {
        venue,
        name: "peer".into(),
        run_id: 5,
        pid: 7,
        first_sequence: 1,
    };
    ProducerRing::create(owner, 256).unwrap()
}

/// A producer of ours that must not notice what happens to others.
struct Bystander {
    publisher: Publisher,
    subscription: tickpath_transport::Subscription,
    instrument: InstrumentId,
    sent: u64,
}

impl Bystander {
    fn new(place: &Place) -> Bystander {
        let mut publisher = place.publisher(VENUE, 1024, Via::SharedMemory);
        let mut subscription = place.subscription("bystander", Start::Live, Via::SharedMemory);
        let instrument = instrument(&mut publisher, "A/USD");
        attach(&mut subscription);
        Bystander {
            publisher,
            subscription,
            instrument,
            sent: 0,
        }
    }

    /// Sends a record and sees it come out, whatever else comes with it.
    fn check(&mut self) -> Vec<Record> {
        self.sent += 1;
        self.publisher.publish(trade(self.instrument, self.sent));
        self.publisher.flush();
        let sent = self.sent;
        let received = read_until(&mut self.subscription, "the bystander's record", |received| {
            trades(received)
                .iter()
                .any(|trade| trade.venue() == VENUE && trade.sequence == sent)
        });
        assert!(self.publisher.is_attached());
        received.iter().map(|received| received.record).collect()
    }
}

#[test]
fn other_versions_are_told_both_versions() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut bystander = Bystander::new(&place);
    let page = page(&place);
    for (version, expected) in [(0_u32, "version 0"), (1, "version 1"), (u32::MAX, "version 4294967295")] {
        let mut bytes = encoded(&hello(Role::Reader, Venue::NONE));
        bytes[16..20].copy_from_slice(&version.to_le_bytes());
        let refusal = answer(&mut knock(&place, &bytes, &[page.as_fd()])).unwrap_err();
        assert_eq!((refusal.code, refusal.version), (RefusalCode::Version, LAYOUT_VERSION));
        assert!(refusal.message.contains(expected), "{refusal}");
        assert!(refusal.message.contains("the relay 2"), "{refusal}");
    }
    let mut swapped = encoded(&hello(Role::Reader, Venue::NONE));
    swapped[8..16].reverse();
    let refusal = answer(&mut knock(&place, &swapped, &[page.as_fd()])).unwrap_err();
    assert!(refusal.message.contains("big-endian"), "{refusal}");
    bystander.check();
}

#[test]
fn frames_may_be_split_and_coalesced() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut split = Connection::connect(&place.socket()).unwrap();
    for byte in encoded(&hello(Role::Observer, Venue::NONE)) {
        split.output().push(byte);
        split.flush().unwrap();
    }
    answer(&mut split).unwrap();
    let mut both = encoded(&hello(Role::Observer, Venue::NONE));
    encode(&mut both, kind::PAGES_WANTED, |_| {});
    let mut coalesced = knock(&place, &both, &[]);
    answer(&mut coalesced).unwrap();
    assert_eq!(
        coalesced.wait_frame("pages", Duration::from_secs(10)).unwrap().0,
        kind::PAGE
    );
}

#[test]
fn garbage_is_refused() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut bystander = Bystander::new(&place);
    let oversized = [(PAYLOAD_LEN_MAX as u32 + 1).to_le_bytes(), 1_u32.to_le_bytes()].concat();
    let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
    let mut records_first = Vec::new();
    encode(&mut records_first, kind::RECORDS, |out| out.extend_from_slice(&[0; 48]));
    for bytes in [oversized, http, records_first] {
        let refusal = answer(&mut knock(&place, &bytes, &[])).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::Malformed, "{refusal}");
    }
    bystander.check();
}

#[test]
fn no_value_of_any_byte_of_a_hello_harms_the_relay() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut bystander = Bystander::new(&place);
    let page = page(&place);
    let good = encoded(&hello(Role::Reader, Venue::NONE));
    // The payload alone: frames that promise more than they hold are another test's.
    for index in 8..good.len() {
        let mut bytes = good.clone();
        bytes[index] = bytes[index].wrapping_add(0x81);
        let mut connection = knock(&place, &bytes, &[page.as_fd()]);
        // Some bytes mean nothing to a reader; what counts is an answer.
        let _verdict = answer(&mut connection);
    }
    bystander.check();
}

#[test]
fn wrong_descriptors_are_refused_and_closed() {
    let place = Place::new();
    let relay = RelayProcess::start(&place, 1024, "sleep");
    let null = std::fs::File::open("/dev/null").unwrap();
    let (socket, _other) = UnixStream::pair().unwrap();
    let flags = rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING;
    let unsealed = rustix::fs::memfd_create("unsealed", flags).unwrap();
    rustix::fs::ftruncate(&unsealed, 1 << 21).unwrap();
    let empty = MemoryFile::create("zeros", 1 << 21, Access::Peers, Prefault::None).unwrap();
    let page = page(&place);
    let ring = ring(VENUE);
    let good = ring.file();
    let sets: [(&[BorrowedFd<'_>], &str); 9] = [
        (&[], "0 descriptors"),
        (&[good.as_fd()], "1 descriptors"),
        (&[good.as_fd(), page.as_fd(), page.as_fd()], "3 descriptors"),
        (&[null.as_fd(), page.as_fd()], "no sealed memory file"),
        (&[socket.as_fd(), page.as_fd()], "no sealed memory file"),
        (&[unsealed.as_fd(), page.as_fd()], "no sealed memory file"),
        (&[empty.as_fd(), page.as_fd()], "magic"),
        (&[page.as_fd(), good.as_fd()], "magic"),
        (&[good.as_fd(), null.as_fd()], "no sealed memory file"),
    ];
    wait_until("the relay is at rest", || {
        relay_counter(&place, "tickpath_relay_observers_attached", "") <= 1
    });
    let before = relay.descriptors();
    for _ in 0..3 {
        for (descriptors, reason) in &sets {
            let refusal = answer(&mut knock(&place, &encoded(&hello(Role::Producer, VENUE)), descriptors)).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::Malformed);
            assert!(refusal.message.contains(reason), "{refusal}");
        }
    }
    wait_until("no descriptor stays open", || relay.descriptors() <= before);
    let mut connection = knock(
        &place,
        &encoded(&hello(Role::Producer, VENUE)),
        &[good.as_fd(), page.as_fd()],
    );
    answer(&mut connection).unwrap();
}

#[test]
fn a_ring_that_is_not_the_one_of_the_hello_is_refused() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let (page, ring) = (page(&place), ring(VENUE));
    let good = hello(Role::Producer, VENUE);
    for lie in [
        Hello {
            venue: HOSTILE,
            ..good.clone()
        },
        Hello {
            run_id: 6,
            ..good.clone()
        },
        Hello { pid: 8, ..good.clone() },
        Hello {
            name: "other".into(),
            ..good
        },
    ] {
        let mut connection = knock(&place, &encoded(&lie), &[ring.file().as_fd(), page.as_fd()]);
        assert_eq!(answer(&mut connection).unwrap_err().code, RefusalCode::Malformed);
    }
}

#[test]
fn peers_that_leave_early_or_say_nothing_are_let_go() {
    let place = Place::new();
    let relay = RelayProcess::start(&place, 1024, "sleep");
    wait_until("the relay is at rest", || {
        relay_counter(&place, "tickpath_relay_observers_attached", "") <= 1
    });
    let before = relay.descriptors();
    let left = relay_counter(&place, "tickpath_relay_disconnects_total", "");
    let bytes = encoded(&hello(Role::Reader, Venue::NONE));
    for cut in [0, 1, 7, 8, 60, bytes.len() - 1] {
        let mut peer = UnixStream::connect(place.socket()).unwrap();
        peer.write_all(&bytes[..cut]).unwrap();
    }
    let mut half = UnixStream::connect(place.socket()).unwrap();
    half.write_all(&bytes[..50]).unwrap();
    half.shutdown(std::net::Shutdown::Write).unwrap();
    let mut silent = UnixStream::connect(place.socket()).unwrap();
    // The relay hangs up: at once on the half-closed one, at its deadline on the silent one.
    for peer in [&mut half, &mut silent] {
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let end = std::io::Read::read(peer, &mut [0; 16]);
        assert!(matches!(&end, Ok(0)) || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    }
    wait_until("all are let go", || relay.descriptors() <= before);
    assert!(relay_counter(&place, "tickpath_relay_disconnects_total", "") >= left + 8);
}

#[test]
fn a_storm_of_connections_costs_the_others_nothing() {
    let place = Place::new();
    let relay = RelayProcess::start(&place, 1024, "sleep");
    let mut bystander = Bystander::new(&place);
    bystander.check();
    wait_until("the relay is at rest", || {
        relay_counter(&place, "tickpath_relay_observers_attached", "") <= 1
    });
    let before = relay.descriptors();
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            for n in 0..1000 {
                // A full queue refuses; that is the storm's problem.
                if let Ok(mut connection) = Connection::connect(&place.socket()) {
                    connection.output().extend_from_slice(&[n as u8; 30]);
                    let _sent = connection.flush();
                }
            }
        });
        while !storm.is_finished() {
            bystander.check();
        }
    });
    bystander.check();
    assert_eq!(
        (bystander.subscription.lapped(), bystander.subscription.missing()),
        (0, 0)
    );
    wait_until("no descriptor stays open", || relay.descriptors() <= before);
}

#[test]
fn a_live_venue_keeps_its_producer_and_a_dead_one_is_replaced() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let first = place.publisher(VENUE, 256, Via::SharedMemory);
    wait_until("the first attaches", || first.is_attached());
    let error = Publisher::new(place.publisher_config(VENUE, 256, Via::SharedMemory), &place.page).unwrap_err();
    let TransportError::Refused(refusal) = &error else {
        panic!("{error}");
    };
    assert_eq!(refusal.code, RefusalCode::VenueTaken);
    assert!(refusal.message.contains("producer-test0"), "{refusal}");
    assert!(first.is_attached() && first.fatal().is_none());
    drop(first);
    let second = place.publisher(VENUE, 256, Via::SharedMemory);
    wait_until("the second attaches", || second.is_attached());
}

#[test]
fn a_second_relay_is_refused_and_says_what_to_do() {
    let place = Place::new();
    let _relay = RelayProcess::start(&place, 1024, "sleep");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tickpath-relay"))
        .arg("--config")
        .arg(place.dir.path().join("tickpath.toml"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("another relay serves this path"), "{text}");
    Bystander::new(&place).check();
}

/// Attaches a ring of which the test holds the memory.
fn attach_ring(place: &Place, ring: &ProducerRing) -> Connection {
    let page = page(place);
    let mut connection = knock(
        place,
        &encoded(&hello(Role::Producer, ring.owner().venue)),
        &[ring.file().as_fd(), page.as_fd()],
    );
    answer(&mut connection).unwrap();
    connection
}

#[test]
fn a_cursor_that_breaks_while_in_use_is_seen_at_once() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut bystander = Bystander::new(&place);
    for broken in [257, 1000, u64::MAX, u64::MAX - 255] {
        let ring = ring(HOSTILE);
        let mut connection = attach_ring(&place, &ring);
        bystander.check();
        ring.produced().store(broken, Ordering::Release);
        let refusal = answer(&mut connection).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::RingCorrupt);
        assert!(refusal.message.contains("ring corrupt"), "{refusal}");
        let detached =
            |record: &Record| record.venue() == HOSTILE && StatusCode::of(record) == Some(StatusCode::ProducerDetached);
        wait_until("readers are told", || bystander.check().iter().any(detached));
    }
    // What the relay wrote itself it does not read back.
    let ring = ring(HOSTILE);
    let _connection = attach_ring(&place, &ring);
    ring.consumed().store(u64::MAX, Ordering::Release);
    bystander.check();
}

#[test]
fn any_bytes_in_slots_and_rows_do_no_harm() {
    let place = Place::new();
    let _relay = place.relay(1 << 14);
    let mut bystander = Bystander::new(&place);
    let mut seed = 7_u64;
    let mut random = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        seed >> (seed % 60)
    };
    let hostile = ring(HOSTILE);
    let connection = attach_ring(&place, &hostile);
    let mut producer: Producer<&ProducerRing> = Producer::new(&hostile).unwrap();
    for _ in 0..50 {
        while producer.free(1).unwrap() > 0 {
            producer.push(std::array::from_fn(|_| random()));
        }
        producer.flush();
        for record in bystander.check() {
            let is_ours = record.venue() == VENUE || record.venue() == HOSTILE;
            assert!(is_ours && record.kind().is_some(), "{record:?}");
        }
    }
    drop(connection);
    // A row that is none, one of another venue, and one that leaves a hole.
    let row = |venue: Venue, index: u32| {
        InstrumentRow::encode(&Instrument {
            id: InstrumentId::new(venue, index),
            symbol: "A".into(),
            name: "A".into(),
            scale: common::scale(),
            tick: 0,
            lot: 0,
        })
        .unwrap()
    };
    for (bad, code) in [
        (blank_row(), RefusalCode::InstrumentConflict),
        (row(VENUE, 0), RefusalCode::InstrumentConflict),
        (row(HOSTILE, 9), RefusalCode::InstrumentConflict),
    ] {
        let hostile = ring(HOSTILE);
        let mut connection = attach_ring(&place, &hostile);
        hostile.push_row(bad).unwrap();
        assert_eq!(answer(&mut connection).unwrap_err().code, code);
        bystander.check();
    }
    assert_eq!(bystander.subscription.instruments().len(), 1);
}

/// A row that nobody wrote.
fn blank_row() -> InstrumentRow {
    ring(HOSTILE).row(0)
}

#[test]
fn sequences_that_jump_repeat_or_are_absurd_are_accounted_for() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut subscription = place.subscription("reader", Start::Oldest, Via::SharedMemory);
    let ring = ring(HOSTILE);
    let id = InstrumentId::new(HOSTILE, 0);
    let instrument = Instrument {
        id,
        symbol: "A".into(),
        name: "A".into(),
        scale: common::scale(),
        tick: 0,
        lot: 0,
    };
    ring.push_row(InstrumentRow::encode(&instrument).unwrap()).unwrap();
    let mut producer: Producer<&ProducerRing> = Producer::new(&ring).unwrap();
    for sequence in [1, 2 | 1 << 40, 3, 3, 2, 6, u64::MAX, 0, 7] {
        let record = Record {
            venue: HOSTILE.0,
            sequence,
            ..trade(id, sequence)
        };
        producer.push(record.to_words());
    }
    producer.flush();
    let _connection = attach_ring(&place, &ring);
    let received = read_until(&mut subscription, "the last record", |received| {
        received.last().is_some_and(|last| last.record.sequence == 7)
    });
    let passed: Vec<(u64, bool)> = received
        .iter()
        .map(|received| (received.record.sequence, GapCause::of(&received.record).is_some()))
        .collect();
    let expected = [
        (0, false),
        (1, false),
        (2, true),
        (3, false),
        (5, true),
        (6, false),
        (7, false),
    ];
    assert_eq!(passed, expected);
    assert_eq!(subscription.missing(), 3);
    let labels = "venue=\"test1\"";
    assert_eq!(relay_counter(&place, "tickpath_relay_records_refused_total", labels), 2);
    assert_eq!(
        relay_counter(&place, "tickpath_relay_records_duplicate_total", labels),
        3
    );
}
