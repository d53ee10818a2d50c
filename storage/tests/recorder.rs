//! A recorder at a relay: everything on the stream is in the journal once, or a Gap record says what is not; whoever is stopped or killed.
//!
//! `TICKPATH_TEST_KILLS` sets how often (30 without it), `TICKPATH_TEST_SEED` which moments.

#[path = "support/recording.rs"]
mod recording;

use std::process::Command;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use recording::{Load, Place, Process, account, disk, wait_until};
use tickpath_protocol::Kind;
use tickpath_relay::{Relay, RelayConfig};
use tickpath_storage::journal::{Batch, Journal};
use tickpath_transport::WaitStrategy;

/// Names the socket to the process that is to be killed.
const ROLE: &str = "TICKPATH_TEST_RELAY_AT";

#[test]
fn everything_is_recorded_over_stops_and_starts() {
    let place = Place::new();
    let _relay = place.relay(1 << 16);
    let load = Load::start(&place, 20);
    for _ in 0..4 {
        let recorder = place.recorder(700, disk());
        load.wait_for(1500);
        recorder.stop().unwrap();
        load.wait_for(300);
    }
    let recorder = place.recorder(700, disk());
    let last = load.finish();
    wait_until("all is recorded", || place.recorded() > last);
    recorder.stop().unwrap();
    account(&place.journal(), false).check_whole(last);
    let segments = Journal::open(&place.journal()).unwrap().segments().unwrap();
    assert!(
        segments.iter().all(|segment| segment.sealed),
        "a recorder that is stopped leaves nothing open"
    );
}

#[test]
fn a_recorder_that_is_killed_again_and_again_misses_nothing() {
    let place = Place::new();
    let _relay = place.relay(1 << 18);
    let load = Load::start(&place, 30);
    let kills = 25;
    for kill in 0..kills {
        let mut recorder = place.recorder_process("");
        let before = place.recorded();
        wait_until("it records", || place.recorded() > before);
        load.wait_for(kill * 37 % 500);
        recorder.kill();
        if kill % 5 == 0 {
            account(&place.journal(), false);
        }
    }
    let _recorder = place.recorder_process("");
    let last = load.finish();
    wait_until("all is recorded", || place.recorded() > last);
    let account = account(&place.journal(), false);
    account.check_whole(last);
    assert!(
        account.lives > kills as usize / 2 && account.runs == 1,
        "{} segments",
        account.lives
    );
}

#[test]
fn what_two_relays_lost_between_them_is_written_down_and_nothing_comes_twice() {
    let place = Place::new();
    let load = Load::start(&place, 10);
    let mut recorder = place.recorder(5000, disk());
    for round in 0..6 {
        let relay = place.relay(1 << 16);
        let before = place.recorded();
        wait_until("the relay's stream is recorded", || place.recorded() > before + 500);
        if round % 2 == 1 {
            // What this relay passes on while nobody records is lost with it.
            recorder.stop().unwrap();
            load.wait_for(400);
            relay.stop().unwrap();
            recorder = place.recorder(5000, disk());
        } else {
            relay.stop().unwrap();
        }
    }
    let _relay = place.relay(1 << 16);
    let last = load.finish();
    wait_until("all is recorded", || newest(&place) == last);
    recorder.stop().unwrap();
    let account = account(&place.journal(), true);
    assert!(
        account.trades.values().all(|times| *times == 1),
        "something was recorded twice"
    );
    assert_eq!(
        account.trades.len() as u64 + account.declared,
        last,
        "{} missed",
        account.missed
    );
    assert!(account.runs >= 7);
}

#[test]
fn the_oldest_segments_go_when_the_journal_is_too_large() {
    let place = Place::new();
    let _relay = place.relay(1 << 16);
    let load = Load::start(&place, 50);
    let limit = 4 << 20;
    let _recorder = place.recorder_process(&format!("size_bytes_max = {limit}\n"));
    wait_until("the oldest is deleted", || {
        Journal::open(&place.journal())
            .ok()
            .and_then(|journal| journal.first_index().unwrap())
            > Some(40_000)
    });
    let last = load.finish();
    wait_until("all is recorded", || place.recorded() > last);
    let journal = Journal::open(&place.journal()).unwrap();
    wait_until("it is within its limit", || {
        journal
            .segments()
            .unwrap()
            .iter()
            .map(|segment| segment.bytes)
            .sum::<u64>()
            <= limit
    });
    let first = journal.first_index().unwrap().unwrap();
    assert!(journal.cursor(first).unwrap().next(&mut Batch::default()).unwrap());
}

fn from_env(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Not a test by itself: the relay that the test below starts and kills.
#[test]
fn relay_process() {
    let Ok(socket) = std::env::var(ROLE) else { return };
    let config = RelayConfig {
        socket: socket.into(),
        capacity: 1 << 17,
        wait: WaitStrategy::Sleep,
        pin: None,
    };
    let relay = Relay::start(&config).unwrap();
    // Ends with its parent at the latest, which kills it.
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        std::thread::sleep(Duration::from_millis(50));
    }
    relay.stop().unwrap();
}

fn relay_process_at(place: &Place) -> Process {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "relay_process", "--nocapture"])
        .env(ROLE, place.socket())
        .spawn()
        .unwrap();
    Process(child)
}

/// The sequence of the newest trade in the journal.
fn newest(place: &Place) -> u64 {
    let Ok(journal) = Journal::open(&place.journal()) else {
        return 0;
    };
    let mut cursor = journal.cursor(0).unwrap();
    let (mut batch, mut newest) = (Batch::default(), 0);
    while cursor.next(&mut batch).unwrap() {
        let trades = batch.records.iter().filter(|record| record.kind() == Some(Kind::Trade));
        newest = trades.map(|record| record.sequence).fold(newest, u64::max);
    }
    newest
}

#[test]
fn relay_and_recorder_are_killed_at_random_and_every_record_is_there_once_or_declared() {
    let kills = from_env("TICKPATH_TEST_KILLS", 30);
    let seed = from_env("TICKPATH_TEST_SEED", 1);
    let mut random = StdRng::seed_from_u64(seed);
    let place = Place::new();
    let mut relay = relay_process_at(&place);
    let mut recorder = place.recorder_process("");
    let load = Load::start(&place, 20);
    let mut killed = [0; 3];
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(random.random_range(0..250)));
        let victim = random.random_range(0..3);
        if victim != 1 {
            recorder.kill();
        }
        if victim != 0 {
            relay.kill();
            relay = relay_process_at(&place);
        }
        if victim != 1 {
            recorder = place.recorder_process("");
        }
        killed[victim] += 1;
    }
    let last = load.finish();
    wait_until("all is recorded", || newest(&place) == last);
    let account = account(&place.journal(), true);
    println!(
        "seed {seed}: killed recorder, relay, both {killed:?} times; {last} records, {} of them declared lost, {} runs, {} segments",
        account.declared, account.runs, account.lives
    );
    assert!(
        account.trades.values().all(|times| *times == 1),
        "something was recorded twice"
    );
    assert_eq!(
        account.trades.len() as u64 + account.declared,
        last,
        "{} missed",
        account.missed
    );
    assert_eq!(account.missed, 0, "the relay's ring holds more than a restart takes");
}
