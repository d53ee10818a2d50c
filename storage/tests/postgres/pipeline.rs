//! A stream under load at a relay and a recorder, both processes that can be killed, and what of it must be in the journal.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tickpath_protocol::{Flags, GapCause, InstrumentId, Kind, Record, Scale, Venue};
use tickpath_relay::{Relay, RelayConfig};
use tickpath_storage::journal::{Batch, Journal};
use tickpath_transport::{CounterPage, Publisher, PublisherConfig, Via, WaitStrategy, now_ns};

use crate::load::wait_until;

/// The one producer.
const VENUE: Venue = Venue::test(9);
/// Records that its ring holds: what a relay that is away may cost in time.
const RING: u64 = 1 << 17;
/// Names the relay's socket to the process that is to be it.
const RELAY: &str = "TICKPATH_TEST_RELAY_AT";

/// A process that is killed with this value.
pub struct Process(Child);

impl Process {
    pub fn start(mut command: Command) -> Process {
        Process(command.spawn().unwrap())
    }

    /// This test's own program, to run one test of it only, which the variable makes a process of the pipeline.
    pub fn of_this_test(test: &str, variable: &str, value: &str) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let quiet = std::process::Stdio::null();
        command.args(["--exact", test, "--nocapture"]).stdout(quiet);
        command.env(variable, value).env("RUST_LOG", "off");
        Process::start(command)
    }

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

/// Waits until the parent is gone, which kills this process long before that if all goes well.
pub fn outlive_nobody() {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a test `relay_process` runs: a relay, if this process is to be one.
pub fn relay_process() {
    let Ok(socket) = std::env::var(RELAY) else { return };
    let config = RelayConfig {
        socket: socket.into(),
        capacity: 1 << 18,
        wait: WaitStrategy::Sleep,
        pin: None,
    };
    let relay = Relay::start(&config).unwrap();
    outlive_nobody();
    drop(relay);
}

/// Relay, recorder and load.
pub struct Pipeline {
    dir: TempDir,
    relay: Process,
    recorder: Process,
    load: Option<Load>,
}

impl Pipeline {
    /// Started, with so many records a second.
    pub fn start(rate: u64) -> Pipeline {
        let dir = tempfile::tempdir().unwrap();
        let (relay, recorder) = (start_relay(dir.path()), start_recorder(dir.path()));
        let load = Some(Load::start(socket(dir.path()), rate));
        Pipeline {
            dir,
            relay,
            recorder,
            load,
        }
    }

    pub fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    /// Records published so far.
    pub fn published(&self) -> u64 {
        let load = self.load.as_ref().expect("it runs");
        load.published.load(Ordering::Relaxed)
    }

    /// Index after the last recorded record.
    pub fn recorded(&self) -> u64 {
        let journal = Journal::open(&self.journal()).ok();
        let recorded = journal.and_then(|journal| journal.recorded().unwrap());
        recorded.map_or(0, |recorded| recorded.next_index)
    }

    pub fn kill_relay(&mut self) {
        self.relay.kill();
        self.relay = start_relay(self.dir.path());
    }

    pub fn kill_recorder(&mut self) {
        self.recorder.kill();
        self.recorder = start_recorder(self.dir.path());
    }

    /// Ends the load once all are at work again, and waits until the newest record is in the journal; how many were published.
    pub fn finish(&mut self) -> u64 {
        let (journal, published) = (self.journal(), self.published());
        wait_until("what is published now is recorded", || newest(&journal).0 > published);
        let load = self.load.take().expect("it runs");
        load.stop.store(true, Ordering::Relaxed);
        let last = load.thread.join().unwrap();
        wait_until("the newest record is recorded", || {
            let (sequence, next_index) = newest(&journal);
            sequence == last && self.recorded() == next_index
        });
        last
    }
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("relay.sock")
}

fn start_relay(dir: &Path) -> Process {
    Process::of_this_test("relay_process", RELAY, socket(dir).to_str().unwrap())
}

fn start_recorder(dir: &Path) -> Process {
    let config = dir.join("tickpath.toml");
    let text = format!(
        "[log]\nlevel = \"error\"\n[relay]\nsocket = {:?}\n[recorder]\ndir = {:?}\nsegment_records = 65536\nsync_ms = 5\n",
        socket(dir),
        dir.join("journal"),
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickpath-recorder"));
    command.arg("--config").arg(config);
    Process::start(command)
}

/// Publishes until it is told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    published: Arc<AtomicU64>,
    thread: JoinHandle<u64>,
}

impl Load {
    fn start(socket: PathBuf, rate: u64) -> Load {
        let (stop, published) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (stop.clone(), published.clone());
        let thread = std::thread::spawn(move || publish(socket, rate, &stopped, &count));
        Load {
            stop,
            published,
            thread,
        }
    }
}

fn publish(socket: PathBuf, rate: u64, stop: &AtomicBool, published: &AtomicU64) -> u64 {
    let page = CounterPage::create("load").unwrap();
    let config = PublisherConfig {
        socket,
        venue: VENUE,
        name: "load".into(),
        capacity: RING as usize,
        via: Via::SharedMemory,
    };
    let mut publisher = Publisher::new(config, &page).unwrap();
    let scale = Scale::new(2, 8).unwrap();
    let instruments: Vec<InstrumentId> = (0..5)
        .map(|index| format!("SYM{index}/USD"))
        .map(|symbol| publisher.instrument(&symbol, &symbol, scale, 5, 1).unwrap())
        .collect();
    let start = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let due = (start.elapsed().as_secs_f64() * rate as f64) as u64;
        let now = now_ns();
        for n in publisher.sequence()..due {
            publisher.publish(market_record(n, now, &instruments));
        }
        publisher.flush();
        published.store(publisher.sequence(), Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(1));
    }
    wait_until("the relay has all", || {
        publisher.room() == RING && publisher.is_attached()
    });
    publisher.sequence()
}

/// A trade, quote or level of a book.
fn market_record(n: u64, now: i64, instruments: &[InstrumentId]) -> Record {
    let kinds = [Kind::Trade, Kind::Quote, Kind::BookLevel, Kind::BookLevel];
    Record {
        kind: kinds[(n % 4) as usize] as u8,
        instrument: instruments[(n % 5) as usize].0,
        ts_event: now - 1_000_000,
        ts_recv: now,
        scale: Scale::new(2, 8).unwrap().to_byte(),
        flags: [Flags::BID, Flags::ASK][(n % 2) as usize].with(Flags::LAST).0,
        price: 6_000_000 + (n % 1_000) as i64,
        size: 1 + (n % 100_000) as i64,
        ..Record::default()
    }
}

fn is_market(record: &Record) -> bool {
    matches!(record.kind(), Some(Kind::Trade | Kind::Quote | Kind::BookLevel))
}

/// Highest sequence of a market record in the newest segment that has any, and the index after the journal's last record.
fn newest(journal: &Path) -> (u64, u64) {
    let Ok(journal) = Journal::open(journal) else {
        return (0, 0);
    };
    let (mut batch, mut next_index) = (Batch::default(), 0);
    for segment in journal.segments().unwrap().iter().rev() {
        let mut cursor = journal.cursor(segment.header.first_index).unwrap();
        let mut newest = 0;
        while cursor.next(&mut batch).unwrap() {
            let market = batch.records.iter().filter(|record| is_market(record));
            newest = market.map(|record| record.sequence).fold(newest, u64::max);
        }
        next_index = next_index.max(cursor.position());
        if newest > 0 {
            return (newest, next_index);
        }
    }
    (0, next_index)
}

/// Every record up to `last` is in the journal once, or a Gap record of it stands for it; how many are there, and how many gaps stand for.
#[track_caller]
pub fn check_journal(journal: &Path, last: u64) -> (u64, u64) {
    let mut cursor = Journal::open(journal).unwrap().cursor(0).unwrap();
    let (mut batch, mut index) = (Batch::default(), 0);
    let (mut seen, mut declared) = (HashSet::new(), 0);
    while cursor.next(&mut batch).unwrap() {
        assert_eq!(batch.first_index, index, "indexes are dense");
        index = batch.next_index();
        for record in &batch.records {
            match GapCause::of(record) {
                Some(GapCause::NotRecorded) => panic!("the recorder was lapped: {record:?}"),
                Some(_) => declared += (record.size - record.price + 1) as u64,
                None if is_market(record) => {
                    assert!(seen.insert(record.sequence), "{} was recorded twice", record.sequence);
                }
                None => {}
            }
        }
    }
    assert_eq!(seen.len() as u64 + declared, last, "{declared} in gaps");
    (seen.len() as u64, declared)
}
