//! What the tests of the recorder share: a place with a relay, load, recorders in this process and in their own, and what a journal adds up to.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tickpath_protocol::{Flags, GapCause, InstrumentId, Kind, Record, Scale, Venue};
use tickpath_relay::{Relay, RelayConfig};
use tickpath_storage::journal::file::{Disk, Medium};
use tickpath_storage::journal::{Batch, Journal};
use tickpath_storage::recorder::{Recorder, RecorderConfig};
use tickpath_transport::counters::Value;
use tickpath_transport::{CounterPage, CounterView, Observer, Publisher, PublisherConfig, Via, WaitStrategy};

/// No test waits longer for anything.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Records that the publisher's ring holds.
pub const RING: u64 = 1 << 16;
const VENUE: Venue = Venue::test(1);

#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_micros(500));
    }
}

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

    pub fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    pub fn relay(&self, capacity: usize) -> Relay {
        let config = RelayConfig {
            socket: self.socket(),
            capacity,
            wait: WaitStrategy::Sleep,
            pin: None,
        };
        Relay::start(&config).unwrap()
    }

    pub fn recorder(&self, segment_records: u64, medium: Arc<dyn Medium>) -> Recorder {
        let config = RecorderConfig {
            socket: self.socket(),
            dir: self.journal(),
            segment_records,
            sync_every: Duration::from_millis(5),
            size_bytes_max: 0,
            wait: WaitStrategy::Sleep,
            pin: None,
            medium,
        };
        Recorder::start(&config).unwrap()
    }

    /// The recorder as a process of its own.
    pub fn recorder_process(&self, extra: &str) -> Process {
        let config = self.write_config(extra);
        let child = Command::new(env!("CARGO_BIN_EXE_tickpath-recorder"))
            .arg("--config")
            .arg(&config)
            .spawn()
            .unwrap();
        Process(child)
    }

    /// The configuration of [`Place::recorder_process`]; where it is.
    pub fn write_config(&self, extra: &str) -> PathBuf {
        let config = self.dir.path().join("tickpath.toml");
        let text = format!(
            "[log]\nlevel = \"error\"\n[relay]\nsocket = {:?}\n[recorder]\ndir = {:?}\nsegment_records = 20000\nsync_ms = 5\n{extra}",
            self.socket(),
            self.journal(),
        );
        std::fs::write(&config, text).unwrap();
        config
    }

    pub fn recorded(&self) -> u64 {
        let recorded = Journal::open(&self.journal())
            .ok()
            .and_then(|journal| journal.recorded().unwrap());
        recorded.map_or(0, |recorded| recorded.next_index)
    }
}

/// Killed with this value.
pub struct Process(pub Child);

impl Process {
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed by the test already.
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Publishes trades, numbered from 1, until it is told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    published: Arc<AtomicU64>,
    thread: JoinHandle<u64>,
}

impl Load {
    /// `burst` trades at a time, with a short pause between.
    pub fn start(place: &Place, burst: u64) -> Load {
        let (stop, published) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut publisher = publisher(place);
        let thread = std::thread::spawn({
            let (stop, published) = (stop.clone(), published.clone());
            move || {
                let instruments = instruments(&mut publisher);
                while !stop.load(Ordering::Relaxed) {
                    let sequence = publish(&mut publisher, &instruments, burst);
                    published.store(sequence, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_micros(500));
                }
                wait_until("the relay has all", || {
                    publisher.room() == RING && publisher.is_attached()
                });
                publisher.sequence()
            }
        });
        Load {
            stop,
            published,
            thread,
        }
    }

    pub fn wait_for(&self, more: u64) {
        let target = self.published.load(Ordering::Relaxed) + more;
        wait_until("records are published", || {
            self.published.load(Ordering::Relaxed) >= target
        });
    }

    /// The last sequence.
    pub fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

pub fn publisher(place: &Place) -> Publisher {
    let config = PublisherConfig {
        socket: place.socket(),
        venue: VENUE,
        name: "load".into(),
        capacity: RING as usize,
        via: Via::SharedMemory,
    };
    Publisher::new(config, &place.page).unwrap()
}

pub fn instruments(publisher: &mut Publisher) -> Vec<InstrumentId> {
    let scale = Scale::new(2, 8).unwrap();
    ["A/USD", "B/USD"]
        .map(|symbol| publisher.instrument(symbol, symbol, scale, 1, 1).unwrap())
        .to_vec()
}

/// Publishes `count` trades; the sequence of the last one.
pub fn publish(publisher: &mut Publisher, instruments: &[InstrumentId], count: u64) -> u64 {
    for n in 0..count {
        publisher.publish(Record {
            kind: Kind::Trade as u8,
            flags: Flags::BID.with(Flags::LAST).0,
            scale: Scale::new(2, 8).unwrap().to_byte(),
            instrument: instruments[(n % 2) as usize].0,
            ts_recv: tickpath_transport::now_ns(),
            price: 7,
            size: 9,
            ..Record::default()
        });
    }
    publisher.flush();
    publisher.sequence()
}

/// What a journal holds.
#[derive(Debug, Default)]
pub struct Account {
    /// How often each sequence of a trade was recorded.
    pub trades: BTreeMap<u64, u64>,
    /// Sequences that Gap records of the producer stand in for.
    pub declared: u64,
    /// Positions that Gap records of the recorder stand in for.
    pub missed: u64,
    pub runs: usize,
    pub lives: usize,
}

/// Reads all of a journal: indexes are dense, positions of a run go on but for Gap records, and every record names its instrument.
pub fn account(dir: &Path, repeats: bool) -> Account {
    let journal = Journal::open(dir).unwrap();
    let mut cursor = journal.cursor(0).unwrap();
    let mut account = Account {
        lives: journal.segments().unwrap().len(),
        ..Account::default()
    };
    let mut batch = Batch::default();
    let (mut index, mut run, mut position) = (0, 0, 0);
    while cursor.next(&mut batch).unwrap() {
        assert_eq!(batch.first_index, index, "indexes are dense");
        if batch.run_id != run {
            (run, position) = (batch.run_id, 0);
            account.runs += 1;
        }
        let goes_on = batch.first_position == position || repeats && batch.first_position > position;
        assert!(
            goes_on,
            "positions {position} to {} are not accounted for",
            batch.first_position
        );
        for record in &batch.records {
            match (record.kind().unwrap(), GapCause::of(record)) {
                (Kind::Trade, _) => {
                    *account.trades.entry(record.sequence).or_default() += 1;
                    assert!(cursor.instruments().get(record.instrument()).is_some());
                    assert_eq!((record.price, record.size), (7, 9));
                }
                (_, Some(GapCause::NotRecorded)) => {
                    assert_eq!(batch.span, (record.size - record.price + 1) as u64);
                    account.missed += batch.span;
                }
                (_, Some(_)) => account.declared += (record.size - record.price + 1) as u64,
                _ => {}
            }
        }
        index = batch.next_index();
        position = batch.next_position();
    }
    account
}

impl Account {
    /// Every trade up to `last` is there exactly once.
    #[track_caller]
    pub fn check_whole(&self, last: u64) {
        assert_eq!(
            self.trades.len() as u64,
            last,
            "{} missed, {} declared",
            self.missed,
            self.declared
        );
        assert!(
            self.trades.values().all(|times| *times == 1),
            "something was recorded twice"
        );
        assert_eq!((self.missed, self.declared), (0, 0));
    }
}

pub fn disk() -> Arc<dyn Medium> {
    Arc::new(Disk)
}

/// A counter or gauge of a page.
pub fn counter(page: &CounterPage, name: &str) -> u64 {
    let view = CounterView::open(page.file().reader_fd().unwrap()).unwrap();
    counter_of(&view, name).unwrap_or_else(|| panic!("no metric {name}"))
}

fn counter_of(view: &CounterView, name: &str) -> Option<u64> {
    let value = view
        .metrics()
        .into_iter()
        .find(|metric| metric.name == name)
        .map(|metric| metric.value);
    match value {
        Some(Value::Counter(value)) => Some(value),
        Some(Value::Gauge(value)) => Some(value as u64),
        _ => None,
    }
}

/// A counter or gauge of the recorder that is attached to a relay, which may be another process.
pub fn counter_at(socket: &Path, name: &str) -> u64 {
    let mut observer = Observer::attach(socket).unwrap();
    let views = observer.refresh().unwrap();
    views.iter().find_map(|view| counter_of(view, name)).unwrap_or(0)
}
