//! Self-certifying records between two real processes, through both rings at full speed: nothing torn, foreign, doubled, out of order or
//! silently lost. Loom proves the algorithms over a few steps; this runs them on the machine's own caches for millions.
//!
//! `TICKPATH_STRESS_RECORDS` sets how many records each direction carries; the default keeps the test short.
#![cfg(not(loom))]

use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tickpath_protocol::Venue;
use tickpath_transport::broadcast::{Next, Reader, Writer};
use tickpath_transport::connection::Connection;
use tickpath_transport::frame::encode;
use tickpath_transport::listener::{Knock, Listener};
use tickpath_transport::producer_ring::{ProducerRing, RingOwner};
use tickpath_transport::spsc::{Consumer, Producer};
use tickpath_transport::stream_ring::{StreamOwner, StreamRing};

const CAPACITY: usize = 1024;
const SEED: u64 = 0x7c15_9e37;
const LIMIT: Duration = Duration::from_secs(300);

fn count() -> u64 {
    match std::env::var("TICKPATH_STRESS_RECORDS") {
        Ok(count) => count.parse().expect("TICKPATH_STRESS_RECORDS is a number"),
        Err(_) => 3_000_000,
    }
}

/// The words of record `n`: each follows from the seed and `n`, so that any mixture shows.
fn words(n: u64) -> [u64; 6] {
    std::array::from_fn(|index| {
        let mut x = (SEED ^ n)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(index as u64);
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        if index == 0 { n } else { x ^ (x >> 32) }
    })
}

fn child(test: &str, socket: &std::path::Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env("TEST_SOCKET", socket)
        .spawn()
        .unwrap()
}

/// Hands a memory file to the child that connects.
fn hand_over(listener: &Listener, file: impl AsFd) -> Connection {
    let deadline = Instant::now() + LIMIT;
    let Knock { mut connection, .. } = loop {
        match listener.accept().unwrap() {
            Some(knock) => break knock,
            None => assert!(Instant::now() < deadline, "the child does not come"),
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    encode(connection.output(), 1, |_| {});
    connection.flush_with(&[file.as_fd()]).unwrap();
    connection
}

/// The memory file that the parent hands over; a child that nobody started gets none.
fn receive() -> Option<(Connection, std::os::fd::OwnedFd)> {
    let socket = std::env::var_os("TEST_SOCKET")?;
    let mut connection = Connection::connect(socket.as_ref()).unwrap();
    connection.wait_frame("file", LIMIT).unwrap();
    let [fd] = connection.take_descriptors().unwrap();
    Some((connection, fd))
}

/// Lets the other process run where there are fewer cores than threads.
fn pause(turns: &mut u32) {
    *turns += 1;
    if turns.is_multiple_of(64) {
        std::thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

#[test]
fn spsc_between_two_processes() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("test.sock");
    let listener = Listener::bind(&socket).unwrap();
    let owner = RingOwner {
        venue: Venue::test(0),
        name: "stress".into(),
        run_id: 1,
        pid: std::process::id(),
        first_sequence: 1,
    };
    let ring = ProducerRing::create(owner, CAPACITY).unwrap();
    let mut child = child("child_consumes", &socket);
    let _connection = hand_over(&listener, ring.file());
    let mut producer: Producer<ProducerRing> = Producer::new(ring).unwrap();
    let deadline = Instant::now() + LIMIT;
    let mut turns = 0;
    let mut n = 0;
    while n < count() {
        // One by one and many at once, in batches of changing size.
        let size = (words(n)[1] % 5 + 1).min(count() - n);
        while producer.free(size).unwrap() < size {
            producer.flush();
            pause(&mut turns);
            assert!(
                !turns.is_multiple_of(1 << 20) || Instant::now() < deadline,
                "the consumer stands still at {n}"
            );
        }
        match size {
            1 => producer.push(words(n)),
            _ => producer.push_all((n..n + size).map(words)),
        }
        n += size;
        if words(n)[1].is_multiple_of(7) {
            producer.flush();
        }
    }
    producer.flush();
    assert!(child.wait().unwrap().success(), "the consumer found a wrong record");
}

#[test]
#[ignore = "a child process of another test"]
fn child_consumes() {
    let Some((_connection, fd)) = receive() else {
        return;
    };
    let mut consumer: Consumer<ProducerRing> = Consumer::new(ProducerRing::open(fd).unwrap()).unwrap();
    let (mut next, mut turns) = (0, 0);
    while next < count() {
        let available = consumer.available().unwrap();
        if available == 0 {
            pause(&mut turns);
            continue;
        }
        for offset in 0..available {
            assert_eq!(consumer.peek(offset), words(next + offset));
        }
        consumer.commit(available);
        next += available;
    }
}

#[test]
fn broadcast_between_two_processes() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("test.sock");
    let listener = Listener::bind(&socket).unwrap();
    let stream = StreamOwner::create(1, CAPACITY).unwrap();
    let mut readers = [child("child_reads", &socket), child("child_reads", &socket)];
    let file = stream.ring().file().reader_fd().unwrap();
    let _connections = [hand_over(&listener, &file), hand_over(&listener, &file)];
    let mut writer: Writer<StreamOwner> = Writer::new(stream);
    for n in 0..count() {
        // At full speed the readers are lapped all the time, which is the point.
        writer.write(words(n), n as i64);
        if n % 64 == 63 {
            writer.publish_head();
        }
        // Now and then they may catch up.
        if n % 500_000 == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    writer.publish_head();
    for reader in &mut readers {
        assert!(reader.wait().unwrap().success(), "a reader found a wrong record");
    }
}

#[test]
#[ignore = "a child process of another test"]
fn child_reads() {
    let Some((_connection, fd)) = receive() else {
        return;
    };
    let mut reader = Reader::at(StreamRing::open(fd).unwrap(), 0);
    let (mut read, mut missed, mut turns) = (0_u64, 0_u64, 0);
    let deadline = Instant::now() + LIMIT;
    while reader.position() < count() {
        let position = reader.position();
        match reader.next() {
            Next::Record {
                words: found,
                published_ns,
            } => {
                assert_eq!((found, published_ns), (words(position), position as i64));
                read += 1;
            }
            Next::Lapped(count) => missed += count,
            Next::Empty => {
                pause(&mut turns);
                assert!(
                    !turns.is_multiple_of(1 << 20) || Instant::now() < deadline,
                    "no record at {position}"
                );
            }
        }
    }
    assert_eq!(read + missed, count());
    assert!(read > 0);
}
