//! Image requests at both ends, against a relay played by the test: what a reader sends, what a producer sees, and that neither waits.
#![cfg(not(loom))]

use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tickpath_protocol::{Record, Venue};
use tickpath_transport::connection::{Connection, Input};
use tickpath_transport::frame::encode;
use tickpath_transport::listener::Listener;
use tickpath_transport::message::{Welcome, encode_numbers, kind, records};
use tickpath_transport::producer_ring::ProducerRing;
use tickpath_transport::spsc::SpscMemory;
use tickpath_transport::stream_ring::StreamOwner;
use tickpath_transport::{
    CounterPage, Publisher, PublisherConfig, Start, Subscription, SubscriptionConfig, TransportError, Via,
};

const CAPACITY: usize = 1024;
const LIMIT: Duration = Duration::from_secs(30);

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// A relay that does what the test says.
struct Played {
    dir: TempDir,
    listener: Listener,
    stream: StreamOwner,
    page: CounterPage,
}

impl Played {
    fn new() -> Played {
        let dir = tempfile::tempdir().unwrap();
        Played {
            listener: Listener::bind(&dir.path().join("relay.sock")).unwrap(),
            dir,
            stream: StreamOwner::create(7, CAPACITY).unwrap(),
            page: CounterPage::create("test").unwrap(),
        }
    }

    /// The next peer's socket, after its hello.
    fn accept(&self) -> Connection {
        let mut knock = None;
        wait_until("a peer knocks", || {
            knock = self.listener.accept().unwrap();
            knock.is_some()
        });
        let mut connection = knock.unwrap().connection;
        assert_eq!(connection.wait_frame("hello", LIMIT).unwrap().0, kind::HELLO);
        connection
    }

    fn welcome(&self, connection: &mut Connection, descriptors: &[OwnedFd]) {
        let welcome = Welcome {
            run_id: 7,
            rows: 0,
            pid: 1,
            position: 0,
        };
        welcome.encode(connection.output());
        let descriptors: Vec<_> = descriptors.iter().map(std::os::fd::AsFd::as_fd).collect();
        connection.flush_with(&descriptors).unwrap();
    }

    /// An attached publisher, and the relay's end of its socket.
    fn publisher(&self, via: Via) -> (Publisher, Connection) {
        let config = PublisherConfig {
            socket: self.dir.path().join("relay.sock"),
            venue: Venue::test(0),
            name: "producer".into(),
            capacity: CAPACITY,
            via,
        };
        std::thread::scope(|scope| {
            let publisher = scope.spawn(|| Publisher::new(config, &self.page).unwrap());
            let mut connection = self.accept();
            self.welcome(&mut connection, &[]);
            (publisher.join().unwrap(), connection)
        })
    }

    /// An attached reader, and the relay's end of its socket.
    fn subscription(&self, via: Via) -> (Subscription, Connection) {
        let config = SubscriptionConfig {
            socket: self.dir.path().join("relay.sock"),
            name: "reader".into(),
            start: Start::Live,
            via,
        };
        let mut subscription = Subscription::new(config, &self.page);
        subscription.request_images();
        subscription.poll(0, |_| {});
        subscription.request_images();
        let mut connection = self.accept();
        match via {
            Via::SharedMemory => self.welcome(&mut connection, &[self.stream.ring().file().reader_fd().unwrap()]),
            Via::Socket => self.welcome(&mut connection, &[]),
        }
        wait_until("the reader attaches", || {
            subscription.poll(0, |_| {});
            subscription.is_attached()
        });
        (subscription, connection)
    }
}

/// The frame that a reader sends next.
fn next_frame(connection: &mut Connection) -> (u32, Vec<u8>) {
    connection.wait_frame("a request", LIMIT).unwrap()
}

fn ask(connection: &mut Connection) {
    encode(connection.output(), kind::IMAGES_WANTED, |_| {});
    connection.flush().unwrap();
}

#[test]
fn a_reader_asks_only_while_attached_and_each_time_once() {
    let relay = Played::new();
    for via in [Via::SharedMemory, Via::Socket] {
        let (mut subscription, mut connection) = relay.subscription(via);
        // What it asked while it was detached or greeting was not sent.
        assert!(connection.next_frame().unwrap().is_none());
        for _ in 0..3 {
            subscription.request_images();
            assert_eq!(next_frame(&mut connection), (kind::IMAGES_WANTED, Vec::new()));
        }
        assert!(connection.next_frame().unwrap().is_none());
        drop(connection);
        // The relay is gone and the reader has not noticed: nothing happens.
        subscription.request_images();
        wait_until("the reader notices", || {
            subscription.poll(1, |_| {});
            !subscription.is_attached()
        });
        subscription.request_images();
    }
}

#[test]
fn a_relay_that_does_not_read_keeps_no_reader_waiting_and_gets_whole_frames() {
    const REQUESTS: usize = 100_000;
    let relay = Played::new();
    for via in [Via::SharedMemory, Via::Socket] {
        let (mut subscription, mut connection) = relay.subscription(via);
        for _ in 0..REQUESTS {
            subscription.request_images();
        }
        let mut received = 0;
        while connection.receive().unwrap() == Input::Some {
            while let Some(frame) = connection.next_frame().unwrap() {
                assert_eq!((frame.kind, frame.payload.len()), (kind::IMAGES_WANTED, 0));
                received += 1;
            }
        }
        assert!((1..REQUESTS).contains(&received), "{received}");
        // There is room again: the next request comes through, still on a frame's border.
        subscription.request_images();
        assert_eq!(next_frame(&mut connection), (kind::IMAGES_WANTED, Vec::new()));
    }
}

#[test]
fn a_producer_in_shared_memory_sees_each_bump_once() {
    let relay = Played::new();
    let (mut publisher, mut connection) = relay.publisher(Via::SharedMemory);
    let [ring, _page] = connection.take_descriptors().unwrap();
    let ring = ProducerRing::open(ring).unwrap();
    // To attach is no request.
    assert!(!publisher.take_image_request());
    for _ in 0..3 {
        ring.want_images();
        assert!(publisher.take_image_request());
        assert!(!publisher.take_image_request());
    }
    // One image serves all who asked before it.
    ring.want_images();
    ring.want_images();
    assert!(publisher.take_image_request());
    assert!(!publisher.take_image_request());
}

#[test]
fn a_producer_over_the_socket_sees_each_request_once() {
    let relay = Played::new();
    let (mut publisher, mut connection) = relay.publisher(Via::Socket);
    wait_until("the producer attaches", || publisher.is_attached());
    assert!(!publisher.take_image_request());
    for _ in 0..3 {
        ask(&mut connection);
        wait_until("the request arrives", || publisher.take_image_request());
        assert!(!publisher.take_image_request());
    }
    assert!(publisher.is_attached() && publisher.fatal().is_none());
}

/// A link that has records to send all the time still listens.
#[test]
fn a_producer_under_load_over_the_socket_hears_the_request() {
    let relay = Played::new();
    let (mut publisher, mut connection) = relay.publisher(Via::Socket);
    wait_until("the producer attaches", || publisher.is_attached());
    ask(&mut connection);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let deadline = Instant::now() + LIMIT;
            while !publisher.take_image_request() {
                assert!(Instant::now() < deadline, "the request is not heard");
                while publisher.room() > 0 {
                    publisher.publish(Record::default());
                }
                publisher.flush();
            }
        });
        // Until the producer has heard it and hangs up.
        while let Ok((kind, payload)) = connection.wait_frame("records", LIMIT) {
            assert_eq!(kind, kind::RECORDS);
            assert!(records(&payload).unwrap().count() > 0);
        }
    });
}

#[test]
fn frames_that_no_producer_expects_end_the_conversation() {
    let relay = Played::new();
    for (via, kind) in [
        (Via::SharedMemory, kind::IMAGES_WANTED),
        (Via::SharedMemory, kind::PAGES),
        (Via::Socket, kind::PAGES),
    ] {
        let (mut publisher, mut connection) = relay.publisher(via);
        wait_until("the producer attaches", || publisher.is_attached());
        encode_numbers(connection.output(), kind, []);
        connection.flush().unwrap();
        assert_eq!(
            connection.wait_frame("nothing", LIMIT).unwrap_err(),
            TransportError::Closed
        );
        assert!(!publisher.take_image_request());
        assert!(publisher.fatal().is_none());
    }
}

#[test]
fn room_is_what_the_relay_left_free_now() {
    let relay = Played::new();
    let (mut publisher, mut connection) = relay.publisher(Via::SharedMemory);
    let [ring, _page] = connection.take_descriptors().unwrap();
    let ring = ProducerRing::open(ring).unwrap();
    let capacity = CAPACITY as u64;
    assert_eq!(publisher.room(), capacity);
    for n in 1..=100 {
        publisher.publish(Record::default());
        assert_eq!(publisher.room(), capacity - n);
    }
    publisher.flush();
    ring.consumed().store(60, Ordering::Release);
    assert_eq!(publisher.room(), capacity - 40);
    assert!(publisher.fatal().is_none());
    // A cursor that went back, or ahead of what was published, is no cursor.
    for broken in [59, 101, u64::MAX] {
        ring.consumed().store(broken, Ordering::Release);
        assert_eq!(publisher.room(), 0);
        assert!(matches!(publisher.fatal(), Some(TransportError::RingCorrupt(_))));
    }
}
