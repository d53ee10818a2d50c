//! Real processes, killed with SIGKILL or stopped with SIGSTOP under load: the others go on, and what is lost is counted exactly.

mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use common::{Place, RelayProcess, instrument, is_certified, read_until, relay_counter, trade, trades, wait_until};
use rustix::process::{Pid, Signal};
use tickpath_protocol::{GapCause, Kind, Record, StatusCode, Venue};
use tickpath_transport::{
    CounterPage, Event, Publisher, PublisherConfig, Start, Subscription, SubscriptionConfig, Via,
};

/// Records between two flushes of a child.
const BATCH: u64 = 50;

const fn venue(n: u8) -> Venue {
    Venue::test(n)
}

/// A child of this test binary: one of the `child_` tests below, run alone.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    /// The newest line of each kind that it said: first word, numbers.
    said: Arc<Mutex<HashMap<String, Vec<u64>>>>,
}

impl Process {
    fn start(test: &str, place: &Place, venue: Venue, capacity: usize, via: &str) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env("TEST_SOCKET", place.socket())
            .env("TEST_VENUE", venue.to_string())
            .env("TEST_CAPACITY", capacity.to_string())
            .env("TEST_VIA", via)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said: Arc<Mutex<HashMap<String, Vec<u64>>>> = Arc::default();
        let heard = Arc::clone(&said);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut words = line.split(' ').map(str::to_owned);
                let Some(word) = words.next() else { continue };
                let numbers: Vec<u64> = words.map_while(|number| number.parse().ok()).collect();
                if !numbers.is_empty() {
                    heard.lock().unwrap().insert(word, numbers);
                }
            }
        });
        Process {
            stdin: child.stdin.take(),
            child,
            said,
        }
    }

    /// The numbers of the newest line that begins with `word`.
    fn said(&self, word: &str) -> Option<Vec<u64>> {
        self.said.lock().unwrap().get(word).cloned()
    }

    fn flushed(&self) -> u64 {
        self.said("flushed").map_or(0, |numbers| numbers[0])
    }

    /// Asks a producer to end; the last sequence and how many it dropped.
    fn end(&mut self) -> (u64, u64) {
        drop(self.stdin.take());
        wait_until("the child ends", || self.said("end").is_some());
        let end = self.said("end").unwrap();
        (end[0], end[1])
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed by the test already.
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What the test that started this child wants; a child that nobody started has nothing to do.
fn is_child() -> bool {
    std::env::var_os("TEST_SOCKET").is_some()
}

fn variable(name: &str) -> String {
    std::env::var(name).expect("set by the test that starts this child")
}

fn via() -> Via {
    match variable("TEST_VIA").as_str() {
        "socket" => Via::Socket,
        _ => Via::SharedMemory,
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The parent is gone: so is the reason to say anything.
    let _heard = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Publishes until its input ends, then says how much, then waits to be killed.
#[test]
#[ignore = "a child process of other tests"]
fn child_producer() {
    if !is_child() {
        return;
    }
    let page = CounterPage::create("child").unwrap();
    let config = PublisherConfig {
        socket: variable("TEST_SOCKET").into(),
        venue: variable("TEST_VENUE").parse().unwrap(),
        name: "child".into(),
        capacity: variable("TEST_CAPACITY").parse().unwrap(),
        via: via(),
    };
    let mut publisher = Publisher::new(config, &page).unwrap();
    let id = instrument(&mut publisher, "A/USD");
    let ending = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&ending);
    std::thread::spawn(move || {
        let _end = std::io::stdin().read_to_end(&mut Vec::new());
        asked.store(true, Ordering::Relaxed);
    });
    say("");
    while !ending.load(Ordering::Relaxed) {
        for _ in 0..BATCH {
            publisher.publish(trade(id, publisher.sequence() + 1));
        }
        publisher.flush();
        say(&format!("flushed {}", publisher.sequence()));
        std::thread::sleep(Duration::from_millis(1));
    }
    say(&format!("end {} {}", publisher.sequence(), publisher.dropped()));
    loop {
        publisher.flush();
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Reads, and says how far it is: records, lapped, missing, position.
#[test]
#[ignore = "a child process of other tests"]
fn child_reader() {
    if !is_child() {
        return;
    }
    let page = CounterPage::create("child-reader").unwrap();
    let config = SubscriptionConfig {
        socket: variable("TEST_SOCKET").into(),
        name: "child-reader".into(),
        start: Start::Oldest,
        via: via(),
    };
    let mut subscription = Subscription::new(config, &page);
    let mut records = 0_u64;
    say("");
    loop {
        let mut seen = 0;
        subscription.poll(1000, |event| {
            if let Event::Record(received) = event {
                assert!(received.record.kind() != Some(Kind::Trade) || is_certified(&received.record));
                seen += 1;
            }
        });
        records += seen;
        if seen > 0 {
            let (lapped, missing, position) = (subscription.lapped(), subscription.missing(), subscription.position());
            say(&format!("read {records} {lapped} {missing} {position}"));
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What a reader saw of one producer.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    trades: u64,
    missing: u64,
    /// Of the newest record or Gap.
    last: u64,
}

type Ledger = HashMap<Venue, Seen>;

/// Reads on a thread of its own until each venue came to the sequence that `ends` says.
fn read(
    mut subscription: Subscription,
    progress: Arc<AtomicU64>,
    ends: Arc<Mutex<HashMap<Venue, u64>>>,
) -> JoinHandle<Ledger> {
    std::thread::spawn(move || {
        let mut ledger = Ledger::new();
        let mut expected: HashMap<Venue, u64> = HashMap::new();
        wait_until("a reader comes to the end", || {
            subscription.poll(4096, |event| match event {
                Event::Record(received) => note(&mut ledger, &mut expected, &received.record),
                Event::Missing { venue, count } => ledger.entry(venue).or_default().missing += count,
                Event::Lapped { missed } => panic!("lapped by {missed}: the ring was to be large enough"),
                Event::Attached { .. } | Event::Detached => {}
            });
            progress.store(ledger.values().map(|seen| seen.trades).sum(), Ordering::Relaxed);
            let ends = ends.lock().unwrap();
            !ends.is_empty()
                && ends
                    .iter()
                    .all(|(venue, end)| ledger.get(venue).is_some_and(|seen| seen.last == *end))
        });
        ledger
    })
}

fn note(ledger: &mut Ledger, expected: &mut HashMap<Venue, u64>, record: &Record) {
    let seen = ledger.entry(record.venue()).or_default();
    let stands_in = GapCause::of(record).is_some_and(GapCause::is_of_producer);
    if record.kind() == Some(Kind::Trade) {
        assert!(is_certified(record), "{record:?}");
        assert_eq!(record.ts_event as u64, record.sequence);
        seen.trades += 1;
    }
    if record.kind() == Some(Kind::Trade) || stands_in {
        let next = expected.entry(record.venue()).or_default();
        assert!(
            record.sequence >= *next,
            "{record:?} came twice or late; {next} was next"
        );
        *next = record.sequence + 1;
        seen.last = record.sequence;
    }
}

#[test]
fn a_relay_that_is_killed_under_load_comes_back_and_every_loss_is_counted() {
    let place = Place::new();
    let mut relay = RelayProcess::start(&place, 1 << 19, "sleep");
    let mut producers = [
        (
            venue(0),
            Process::start("child_producer", &place, venue(0), 1 << 17, "memory"),
        ),
        (
            venue(1),
            Process::start("child_producer", &place, venue(1), 256, "memory"),
        ),
        (
            venue(2),
            Process::start("child_producer", &place, venue(2), 1 << 17, "socket"),
        ),
    ];
    let ends: Arc<Mutex<HashMap<Venue, u64>>> = Arc::default();
    let progress: [Arc<AtomicU64>; 2] = Default::default();
    let by_memory = read(
        place.subscription("memory", Start::Oldest, Via::SharedMemory),
        Arc::clone(&progress[0]),
        Arc::clone(&ends),
    );
    let by_socket = read(
        place.subscription("socket", Start::Oldest, Via::Socket),
        Arc::clone(&progress[1]),
        Arc::clone(&ends),
    );
    for _ in 0..3 {
        for progress in &progress {
            let start = progress.load(Ordering::Relaxed);
            wait_until("the readers are under load", || {
                progress.load(Ordering::Relaxed) > start + 5000
            });
        }
        relay.kill();
        let flushed = producers[1].1.flushed();
        wait_until("the small ring is full", || producers[1].1.flushed() > flushed + 1000);
        relay = RelayProcess::start(&place, 1 << 19, "sleep");
    }
    let truth: HashMap<Venue, (u64, u64)> = producers
        .iter_mut()
        .map(|(venue, child)| (*venue, child.end()))
        .collect();
    *ends.lock().unwrap() = truth.iter().map(|(venue, (end, _))| (*venue, *end)).collect();
    for ledger in [by_memory.join().unwrap(), by_socket.join().unwrap()] {
        for (venue, (end, _)) in &truth {
            let seen = ledger[venue];
            assert_eq!(seen.trades + seen.missing, *end, "{venue}: {seen:?}");
        }
    }
    assert!(truth[&venue(1)].1 > 0, "the small ring was to overflow");
    assert_eq!(truth[&venue(0)].1, 0);
}

/// As above for readers in shared memory alone, to the record: nothing in a ring is lost with the relay.
#[test]
fn what_is_in_shared_memory_survives_the_relay() {
    let place = Place::new();
    let mut relay = RelayProcess::start(&place, 1 << 19, "sleep");
    let mut large = Process::start("child_producer", &place, venue(0), 1 << 17, "memory");
    let mut small = Process::start("child_producer", &place, venue(1), 256, "memory");
    let ends: Arc<Mutex<HashMap<Venue, u64>>> = Arc::default();
    let progress = Arc::new(AtomicU64::new(0));
    let reader = read(
        place.subscription("memory", Start::Oldest, Via::SharedMemory),
        Arc::clone(&progress),
        Arc::clone(&ends),
    );
    for _ in 0..5 {
        let start = progress.load(Ordering::Relaxed);
        wait_until("the reader is under load", || {
            progress.load(Ordering::Relaxed) > start + 3000
        });
        relay.kill();
        relay = RelayProcess::start(&place, 1 << 19, "sleep");
    }
    let truth = [large.end(), small.end()];
    *ends.lock().unwrap() = HashMap::from([(venue(0), truth[0].0), (venue(1), truth[1].0)]);
    let ledger = reader.join().unwrap();
    for (index, (end, dropped)) in truth.into_iter().enumerate() {
        let seen = ledger[&venue(index as u8)];
        assert_eq!((seen.trades, seen.missing), (end - dropped, dropped), "{seen:?}");
    }
    assert_eq!(truth[0].1, 0);
}

#[test]
fn a_killed_producer_leaves_all_that_it_flushed() {
    for via in ["memory", "socket"] {
        let place = Place::new();
        let _relay = RelayProcess::start(&place, 1 << 18, "sleep");
        let mut subscription = place.subscription("reader", Start::Oldest, Via::SharedMemory);
        let mut producer = Process::start("child_producer", &place, venue(0), 1 << 16, via);
        wait_until("the producer is at work", || producer.flushed() > 5000);
        producer.kill();
        let flushed = producer.flushed();
        let is_over = |record: &Record| StatusCode::of(record) == Some(StatusCode::ProducerDetached);
        let received = read_until(&mut subscription, "the farewell", |received| {
            received.last().is_some_and(|last| is_over(&last.record))
        });
        let trades = trades(&received);
        assert!(trades.iter().all(is_certified));
        assert!(trades.iter().map(|trade| trade.sequence).eq(1..=trades.len() as u64));
        if via == "memory" {
            let arrived = trades.len() as u64;
            assert!(
                (flushed..=flushed + BATCH).contains(&arrived),
                "{flushed} flushed, {arrived} arrived"
            );
        }
        assert_eq!(received.last().unwrap().record.size, trades.len() as i64);
        assert_eq!(subscription.missing(), 0);
        // The next life counts from 1, and nothing of it is taken for a repetition.
        let mut next = Process::start("child_producer", &place, venue(0), 1 << 16, via);
        wait_until("the next life is at work", || next.flushed() > 500);
        let (end, _) = next.end();
        let received = read_until(&mut subscription, "the next life", |received| {
            received.last().is_some_and(|last| last.record.sequence == end)
        });
        assert_eq!(common::trades(&received).len() as u64, end);
        assert_eq!((subscription.missing(), subscription.duplicates()), (0, 0));
    }
}

#[test]
fn stopped_and_killed_readers_harm_nobody_and_know_what_they_missed() {
    for via in ["memory", "socket"] {
        let place = Place::new();
        let _relay = RelayProcess::start(&place, 4096, "sleep");
        let mut prompt = place.subscription("prompt", Start::Oldest, Via::SharedMemory);
        let mut publisher = place.publisher(venue(0), 1 << 14, Via::SharedMemory);
        let id = instrument(&mut publisher, "A/USD");
        let mut stopped = Process::start("child_reader", &place, venue(0), 0, via);
        let mut killed = Process::start("child_reader", &place, venue(0), 0, via);
        let mut send = |count: u64, publisher: &mut Publisher| {
            for _ in 0..count / 500 {
                for _ in 0..500 {
                    publisher.publish(trade(id, publisher.sequence() + 1));
                }
                publisher.flush();
                let sent = publisher.sequence();
                read_until(&mut prompt, "the prompt reader", |received| {
                    received.last().is_some_and(|last| last.record.sequence == sent)
                });
            }
            (prompt.missing(), prompt.lapped())
        };
        assert_eq!(send(1000, &mut publisher), (0, 0));
        for reader in [&stopped, &killed] {
            wait_until("both read", || reader.said("read").is_some());
        }
        stopped.signal(Signal::STOP);
        killed.kill();
        assert_eq!(send(40_000, &mut publisher), (0, 0));
        wait_until("the killed reader is forgotten", || {
            relay_counter(&place, "tickpath_relay_readers_attached", "") == 2
        });
        stopped.signal(Signal::CONT);
        // One status and 41,000 trades.
        wait_until("the stopped reader catches up", || {
            stopped.said("read").is_some_and(|read| read[3] == 41_001)
        });
        let [records, lapped, missing, _] = stopped.said("read").unwrap()[..] else {
            panic!("four numbers");
        };
        assert!(lapped > 0);
        assert_eq!((records + lapped, missing), (41_001, lapped));
        stopped.kill();
    }
}
