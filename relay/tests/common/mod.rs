//! What the tests of the relay share: a relay in a folder of its own, producers, readers, waiting with a deadline.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tickpath_protocol::{Flags, InstrumentId, Kind, Record, Scale, Venue};
use tickpath_relay::{Relay, RelayConfig};
use tickpath_transport::{
    CounterPage, Event, Publisher, PublisherConfig, Received, Start, Subscription, SubscriptionConfig, Via,
    WaitStrategy,
};

/// No test waits longer for anything.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A folder with a socket path in it.
pub struct Place {
    pub dir: TempDir,
    pub page: CounterPage,
}

impl Place {
    pub fn new() -> Place {
        Place {
            dir: tempfile::tempdir().unwrap(),
            page: CounterPage::create("test").unwrap(),
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("relay.sock")
    }

    pub fn relay(&self, capacity: usize) -> Relay {
        Relay::start(&RelayConfig {
            socket: self.socket(),
            capacity,
            wait: WaitStrategy::Sleep,
            pin: None,
        })
        .unwrap()
    }

    pub fn publisher(&self, venue: Venue, capacity: usize, via: Via) -> Publisher {
        Publisher::new(self.publisher_config(venue, capacity, via), &self.page).unwrap()
    }

    pub fn publisher_config(&self, venue: Venue, capacity: usize, via: Via) -> PublisherConfig {
        PublisherConfig {
            socket: self.socket(),
            venue,
            name: format!("producer-{venue}"),
            capacity,
            via,
        }
    }

    pub fn subscription(&self, name: &str, start: Start, via: Via) -> Subscription {
        let config = SubscriptionConfig {
            socket: self.socket(),
            name: name.into(),
            start,
            via,
        };
        Subscription::new(config, &self.page)
    }
}

/// The scale of every test instrument.
pub fn scale() -> Scale {
    Scale::new(2, 8).unwrap()
}

/// Registers an instrument of the producer.
pub fn instrument(publisher: &mut Publisher, symbol: &str) -> InstrumentId {
    publisher.instrument(symbol, symbol, scale(), 1, 1).unwrap()
}

/// A trade whose contents certify themselves: price and size follow from `n`.
pub fn trade(instrument: InstrumentId, n: u64) -> Record {
    Record {
        kind: Kind::Trade as u8,
        flags: Flags::BID.with(Flags::LAST).0,
        scale: scale().to_byte(),
        instrument: instrument.0,
        ts_event: n as i64,
        ts_recv: tickpath_transport::now_ns(),
        price: mix(n),
        size: mix(n ^ 0x5555),
        ..Record::default()
    }
}

/// Whether a trade is whole.
pub fn is_certified(record: &Record) -> bool {
    let n = record.ts_event as u64;
    record.price == mix(n) && record.size == mix(n ^ 0x5555)
}

fn mix(n: u64) -> i64 {
    let mut x = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) as i64 >> 1
}

/// Waits until `done`, or fails saying `what`.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Polls until `done` says so of all that came; lapped and missing are counted by the subscription.
pub fn read_until(
    subscription: &mut Subscription,
    what: &str,
    mut done: impl FnMut(&[Received]) -> bool,
) -> Vec<Received> {
    let mut received = Vec::new();
    wait_until(what, || {
        subscription.poll(1000, |event| {
            if let Event::Record(record) = event {
                received.push(*record);
            }
        });
        done(&received)
    });
    received
}

/// Polls until attached.
pub fn attach(subscription: &mut Subscription) {
    wait_until("the reader attaches", || {
        subscription.poll(0, |_| {});
        subscription.is_attached()
    });
}

/// The trades among what came.
pub fn trades(received: &[Received]) -> Vec<Record> {
    let is_trade = |received: &&Received| received.record.kind() == Some(Kind::Trade);
    received
        .iter()
        .filter(is_trade)
        .map(|received| received.record)
        .collect()
}

/// The relay as a process of its own; killed with this value.
pub struct RelayProcess(pub std::process::Child);

impl RelayProcess {
    pub fn start(place: &Place, capacity: usize, wait: &str) -> RelayProcess {
        let config = place.dir.path().join("tickpath.toml");
        let socket = place.socket();
        let text = format!(
            "[log]\nlevel = \"error\"\n[relay]\nsocket = {socket:?}\ncapacity = {capacity}\nwait = \"{wait}\"\n"
        );
        std::fs::write(&config, text).unwrap();
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_tickpath-relay"))
            .arg("--config")
            .arg(&config)
            .spawn()
            .unwrap();
        let relay = RelayProcess(child);
        wait_until("the relay listens", || {
            tickpath_transport::connection::Connection::connect(&socket).is_ok()
        });
        relay
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Descriptors that it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// SIGKILL, and gone when this returns.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        // It may have been killed by the test already.
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The value of a counter of the relay, as an observer sees it.
pub fn relay_counter(place: &Place, name: &str, labels: &str) -> u64 {
    let mut observer = tickpath_transport::Observer::attach(&place.socket()).unwrap();
    let views = observer.refresh().unwrap();
    let metrics = views[0].metrics();
    let metric = metrics
        .iter()
        .find(|metric| metric.name == name && metric.labels == labels);
    match metric.map(|metric| &metric.value) {
        Some(tickpath_transport::counters::Value::Counter(value)) => *value,
        Some(tickpath_transport::counters::Value::Gauge(value)) => *value as u64,
        _ => 0,
    }
}
