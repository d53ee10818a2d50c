//! Book images on demand through a real relay: every producer is asked, once a second at most, however many readers ask how often.

mod common;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::{Place, attach, instrument, read_until, relay_counter, trade, trades, wait_until};
use tickpath_protocol::Venue;
use tickpath_transport::connection::Connection;
use tickpath_transport::frame::encode;
use tickpath_transport::message::{Hello, Refusal, RefusalCode, Role, kind};
use tickpath_transport::{Publisher, Start, Via};

/// Time between two requests to producers.
const ASK_EVERY: Duration = Duration::from_secs(1);
const REQUESTS_TOTAL: &str = "tickpath_relay_image_requests_total";

/// Two producers in shared memory and one over the socket, all attached, and how often each was asked.
struct Producers {
    publishers: Vec<Publisher>,
    asked: Vec<u64>,
}

impl Producers {
    fn new(place: &Place) -> Producers {
        let vias = [Via::SharedMemory, Via::SharedMemory, Via::Socket];
        let publishers: Vec<Publisher> = (0..)
            .zip(vias)
            .map(|(n, via)| place.publisher(Venue::test(n), 1024, via))
            .collect();
        let producers = Producers {
            asked: vec![0; publishers.len()],
            publishers,
        };
        producers.wait_attached();
        producers
    }

    fn wait_attached(&self) {
        wait_until("the producers attach", || {
            self.publishers.iter().all(Publisher::is_attached)
        });
    }

    fn look(&mut self) -> &[u64] {
        for (publisher, asked) in self.publishers.iter_mut().zip(&mut self.asked) {
            *asked += u64::from(publisher.take_image_request());
        }
        &self.asked
    }

    /// Waits until each was asked so often; more is a failure.
    fn wait_asked(&mut self, times: u64) {
        wait_until("the producers are asked", || {
            self.look().iter().all(|asked| *asked >= times)
        });
        assert!(self.asked.iter().all(|asked| *asked == times), "{:?}", self.asked);
    }
}

/// A peer without a client library; its hello is said and answered.
fn knock(place: &Place, role: Role) -> Connection {
    let hello = Hello {
        role,
        venue: if role.produces() { Venue::test(9) } else { Venue::NONE },
        name: "peer".into(),
        pid: 7,
        run_id: 5,
        next: 1,
        start: Start::Live,
    };
    let mut connection = Connection::connect(&place.socket()).unwrap();
    hello.encode(connection.output());
    let page = place.page.file().reader_fd().unwrap();
    let descriptors = [page.as_fd()];
    connection.flush_with(&descriptors[..role.descriptors()]).unwrap();
    let (kind, _) = connection.wait_frame("hello", common::LIMIT).unwrap();
    assert_eq!(kind, kind::WELCOME);
    connection
}

/// The refusal that follows, after whatever came before it.
fn refusal(connection: &mut Connection) -> Refusal {
    loop {
        if let (kind::REFUSAL, payload) = connection.wait_frame("refusal", common::LIMIT).unwrap() {
            return Refusal::decode(&payload).unwrap();
        }
    }
}

#[test]
fn a_reader_asks_and_every_producer_is_asked_once() {
    for via in [Via::SharedMemory, Via::Socket] {
        let place = Place::new();
        let _relay = place.relay(1024);
        let mut producers = Producers::new(&place);
        let mut subscription = place.subscription("reader", Start::Live, via);
        attach(&mut subscription);
        assert_eq!(producers.look(), [0, 0, 0]);
        let asked_at = Instant::now();
        subscription.request_images();
        producers.wait_asked(1);
        // Within the second: not at once, and not forgotten.
        subscription.request_images();
        subscription.request_images();
        producers.wait_asked(2);
        assert!(asked_at.elapsed() >= ASK_EVERY, "{:?}", asked_at.elapsed());
        wait_until("all are counted", || relay_counter(&place, REQUESTS_TOTAL, "") == 3);
    }
}

#[test]
fn a_flood_of_requests_costs_producers_one_a_second() {
    const FLOOD: u64 = 50_000;
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut producers = Producers::new(&place);
    let mut bystander = place.subscription("bystander", Start::Live, Via::SharedMemory);
    attach(&mut bystander);
    let mut hostile = knock(&place, Role::Reader);
    let id = instrument(&mut producers.publishers[0], "A/USD");
    let started = Instant::now();
    for sent in 1..=FLOOD {
        encode(hostile.output(), kind::IMAGES_WANTED, |_| {});
        if sent.is_multiple_of(100) {
            wait_until("the relay takes the flood", || hostile.flush().unwrap());
        }
        producers.look();
        if sent.is_multiple_of(1000) {
            // The others notice nothing.
            producers.publishers[0].publish(trade(id, sent));
            producers.publishers[0].flush();
            let sequence = producers.publishers[0].sequence();
            read_until(&mut bystander, "the bystander's record", |received| {
                trades(received).iter().any(|trade| trade.sequence == sequence)
            });
        }
    }
    wait_until("the flood is over", || {
        producers.look();
        relay_counter(&place, REQUESTS_TOTAL, "") == FLOOD
    });
    // The last request is honoured a second after the one before it at the latest.
    wait_until("the second request", || {
        producers.look().iter().all(|asked| *asked >= 2)
    });
    let most = 1 + started.elapsed().as_secs();
    assert!(
        producers.asked.iter().all(|asked| *asked <= most),
        "{:?}",
        producers.asked
    );
    assert_eq!((bystander.lapped(), bystander.missing()), (0, 0));
}

#[test]
fn a_reader_can_ask_the_next_relay() {
    let place = Place::new();
    let relay = place.relay(1024);
    let mut producers = Producers::new(&place);
    let mut readers = [
        place.subscription("memory", Start::Live, Via::SharedMemory),
        place.subscription("socket", Start::Live, Via::Socket),
    ];
    for reader in &mut readers {
        attach(reader);
    }
    readers[0].request_images();
    producers.wait_asked(1);
    relay.stop().unwrap();
    wait_until("everyone notices", || {
        for reader in &mut readers {
            reader.poll(1000, |_| {});
            reader.request_images();
        }
        let has_reader = readers.iter().any(tickpath_transport::Subscription::is_attached);
        !has_reader && !producers.publishers.iter().any(Publisher::is_attached)
    });
    let mut times = 1;
    for _ in 0..2 {
        let relay = place.relay(1024);
        producers.wait_attached();
        for reader in &mut readers {
            attach(reader);
            // To attach again is no request, and what was asked of no relay is gone.
            producers.look();
            assert!(
                producers.asked.iter().all(|asked| *asked == times),
                "{:?}",
                producers.asked
            );
            reader.request_images();
            times += 1;
            producers.wait_asked(times);
        }
        relay.stop().unwrap();
        wait_until("everyone notices", || {
            for reader in &mut readers {
                reader.poll(1000, |_| {});
            }
            let has_reader = readers.iter().any(tickpath_transport::Subscription::is_attached);
            !has_reader && !producers.publishers.iter().any(Publisher::is_attached)
        });
    }
}

#[test]
fn whatever_else_a_reader_says_is_refused_as_is_a_request_of_anyone_else() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut producers = Producers::new(&place);
    let request: &[u8] = &[];
    for (role, kind, payload) in [
        (Role::Reader, kind::IMAGES_WANTED, &[0][..]),
        (Role::ReaderStream, kind::IMAGES_WANTED, &[0; 8]),
        (Role::Reader, kind::RECORDS, &[0; 48]),
        (Role::ReaderStream, kind::RECORDS, &[0; 48]),
        (Role::Reader, kind::PAGES_WANTED, request),
        (Role::ReaderStream, kind::PAGES_WANTED, request),
        (Role::Reader, kind::HELLO, request),
        (Role::ProducerStream, kind::IMAGES_WANTED, request),
        (Role::Observer, kind::IMAGES_WANTED, request),
    ] {
        let mut peer = knock(&place, role);
        encode(peer.output(), kind, |out| out.extend_from_slice(payload));
        peer.flush().unwrap();
        assert_eq!(refusal(&mut peer).code, RefusalCode::Malformed, "{role:?}, kind {kind}");
    }
    assert_eq!(relay_counter(&place, REQUESTS_TOTAL, ""), 0);
    assert_eq!(producers.look(), [0, 0, 0]);
}

#[test]
fn a_reader_that_asks_and_leaves_is_heard() {
    let place = Place::new();
    let _relay = place.relay(1024);
    let mut producers = Producers::new(&place);
    let mut reader = knock(&place, Role::Reader);
    encode(reader.output(), kind::IMAGES_WANTED, |_| {});
    assert!(reader.flush().unwrap());
    drop(reader);
    producers.wait_asked(1);
}
