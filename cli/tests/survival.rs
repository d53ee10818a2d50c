//! Any one process is killed under load: the others go on, it returns by itself, and nothing is lost without being counted.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use serde_json::Value;
use support::{Pipeline, wait_for};
use tickpath_protocol::{Flags, GapCause, Record};
use tickpath_transport::counters::CounterPage;
use tickpath_transport::subscription::{Event, Subscription, SubscriptionConfig};
use tickpath_transport::{Idle, Start, Via, WaitStrategy};

/// A reader of its own, which counts what it gets and what it is told is missing.
struct Witness {
    stop: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
    thread: JoinHandle<Account>,
}

/// What a witness knows in the end.
#[derive(Debug, Default)]
struct Account {
    missing: u64,
    /// Missing by its own bookkeeping: holes in each producer's sequence between its starts.
    holes: u64,
    /// Records that Gap records of producers stand in for.
    declared: u64,
    runs: BTreeMap<u8, u64>,
}

impl Witness {
    fn start(socket: &Path) -> Witness {
        let (stop, received) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let config = SubscriptionConfig {
            socket: socket.to_owned(),
            name: "witness".into(),
            start: Start::Live,
            via: Via::SharedMemory,
        };
        let thread = std::thread::spawn({
            let (stop, received) = (stop.clone(), received.clone());
            move || watch(config, &stop, &received)
        });
        Witness { stop, received, thread }
    }

    fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    fn finish(self) -> Account {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the witness lives")
    }
}

fn watch(config: SubscriptionConfig, stop: &AtomicBool, received: &AtomicU64) -> Account {
    let page = CounterPage::create("witness").expect("counters");
    let mut subscription = Subscription::new(config, &page);
    let mut idle = Idle::new(WaitStrategy::Sleep);
    let mut account = Account::default();
    let mut last: BTreeMap<u8, u64> = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let events = subscription.poll(1024, |event| {
            if let Event::Record(item) = event {
                received.fetch_add(1, Ordering::Relaxed);
                account.observe(&item.record, &mut last);
            }
        });
        if events == 0 { idle.idle() } else { idle.reset() }
    }
    account.missing = subscription.missing();
    account
}

impl Account {
    fn observe(&mut self, record: &Record, last: &mut BTreeMap<u8, u64>) {
        let stands_in = GapCause::of(record).is_some_and(GapCause::is_of_producer);
        if record.flags().contains(Flags::FROM_RELAY) && !stands_in {
            return;
        }
        let before = last.insert(record.venue, record.sequence);
        match before {
            Some(before) if stands_in => self.declared += record.sequence - before,
            // A producer that was started again counts from 1.
            Some(before) if record.sequence <= before => *self.runs.entry(record.venue).or_default() += 1,
            Some(before) => self.holes += record.sequence - before - 1,
            None => {}
        }
    }
}

fn pids(pipeline: &Pipeline) -> BTreeMap<String, u64> {
    let state = std::fs::read(pipeline.dir.path().join("run/up.json")).unwrap_or_default();
    let state: Value = serde_json::from_slice(&state).unwrap_or_default();
    let processes = state["processes"].as_array().cloned().unwrap_or_default();
    processes
        .iter()
        .filter_map(|process| Some((process["name"].as_str()?.to_owned(), process["pid"].as_u64()?)))
        .collect()
}

/// Whether the bridge holds every book, and each of them proven.
fn books_are_proven(pipeline: &Pipeline) -> bool {
    let Some((200, body)) = pipeline.get("/api/instruments") else {
        return false;
    };
    let instruments: Vec<Value> = serde_json::from_str(&body).expect("a list of instruments");
    instruments.len() == 8 && instruments.iter().all(|instrument| instrument["trusted"] == true)
}

#[test]
fn every_process_may_be_killed() {
    let mut pipeline = Pipeline::new("events_per_second = 400\n");
    pipeline.start("up", "tickpath", &["up"]);
    pipeline.wait_ready();
    let witness = Witness::start(&pipeline.socket());
    let names = wait_for("all processes", || {
        let pids = pids(&pipeline);
        (pids.len() == 10).then_some(pids)
    });
    let advance = |what: &str, records: u64| {
        let from = witness.received();
        wait_for(what, || (witness.received() >= from + records).then_some(()));
    };
    advance("records at the start", 1000);
    for (name, pid) in &names {
        let killed = std::process::Command::new("kill")
            .args(["-9", &pid.to_string()])
            .status()
            .expect("kill runs");
        assert!(killed.success(), "{name}");
        wait_for(&format!("the return of {name}"), || {
            pids(&pipeline).get(name).filter(|new| *new != pid).copied()
        });
        pipeline.wait_ready();
        advance(&format!("records after the return of {name}"), 1000);
        wait_for(&format!("proven books after the return of {name}"), || {
            books_are_proven(&pipeline).then_some(())
        });
    }
    let account = witness.finish();
    assert_eq!(account.holes, 0, "every missing record is declared: {account:?}");
    assert_eq!(account.missing, account.declared, "{account:?}");
    assert!(
        account.runs.len() >= 4,
        "each collector was seen to start again: {account:?}"
    );
}

#[test]
fn down_stops_everything_even_after_up_was_killed() {
    down_after_kill(|_| {});
}

/// A process that `up` started again right before it was killed is not in its state yet.
#[test]
fn down_stops_what_the_state_does_not_name() {
    down_after_kill(|pipeline| {
        let path = pipeline.dir.path().join("run/up.json");
        let mut state: Value = serde_json::from_slice(&std::fs::read(&path).expect("a state")).expect("JSON");
        for process in state["processes"].as_array_mut().expect("processes") {
            process["pid"] = Value::Null;
        }
        std::fs::write(path, state.to_string()).expect("a state");
    });
}

fn down_after_kill(spoil: impl FnOnce(&Pipeline)) {
    let mut pipeline = Pipeline::new("");
    let up = pipeline.start("up", "tickpath", &["up"]);
    pipeline.wait_ready();
    let before = pids(&pipeline);
    let killed = std::process::Command::new("kill")
        .args(["-9", &up.to_string()])
        .status()
        .expect("kill runs");
    assert!(killed.success());
    pipeline.child("up").wait().expect("it ends");
    spoil(&pipeline);
    let down = support::tickpath(&["down", "--config", &pipeline.config_path()]);
    assert!(down.status.success(), "{}", support::stderr(&down));
    for (name, pid) in before {
        wait_for(&format!("the end of {name}"), || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            (stat.is_empty() || !stat.contains("tickpath") || stat.contains(") Z")).then_some(())
        });
    }
    let again = support::tickpath(&["down", "--config", &pipeline.config_path()]);
    assert_eq!(again.status.code(), Some(3), "{}", support::stderr(&again));
}
