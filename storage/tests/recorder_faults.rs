//! A recorder whose disk is full, fails or cannot be written, or that is too slow: it says so, goes on when it can, and a Gap record covers what
//! was lost.

#[path = "support/recording.rs"]
mod recording;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use recording::{
    Load, Place, Process, RING, account, counter, counter_at, disk, instruments, publish, publisher, wait_until,
};
use support::{Breaking, BrokenDisk};
use tickpath_storage::journal::{Appender, Settings};

#[test]
fn a_recorder_that_was_lapped_says_what_it_missed() {
    let place = Place::new();
    let _relay = place.relay(1 << 10);
    let mut publisher = publisher(&place);
    let instruments = instruments(&mut publisher);
    let recorder = place.recorder(5000, disk());
    let last = publish(&mut publisher, &instruments, 200);
    wait_until("it records", || place.recorded() > last);
    recorder.stop().unwrap();
    // Five times round while nobody records.
    for _ in 0..50 {
        publish(&mut publisher, &instruments, 100);
        wait_until("the relay has all", || publisher.room() == RING);
    }
    let recorder = place.recorder(5000, disk());
    let before = place.recorded();
    wait_until("it records", || place.recorded() > before);
    let last = publish(&mut publisher, &instruments, 1);
    let counter = |name: &str| counter(recorder.page(), name);
    wait_until("the newest is recorded", || {
        account(&place.journal(), false).trades.contains_key(&last)
    });
    assert_eq!(counter("tickpath_recorder_laps_total"), 1);
    let lost = counter("tickpath_recorder_lost_total");
    recorder.stop().unwrap();
    let account = account(&place.journal(), false);
    assert!(account.missed > 3000, "{}", account.missed);
    assert_eq!(
        (account.missed, account.trades.len() as u64 + account.missed),
        (lost, last)
    );
}

#[test]
fn a_full_disk_costs_what_comes_meanwhile_and_is_got_over() {
    let place = Place::new();
    let _relay = place.relay(1 << 14);
    let load = Load::start(&place, 20);
    let disk = Arc::new(BrokenDisk::default());
    let recorder = place.recorder(1000, Arc::new(Breaking(disk.clone())));
    wait_until("it records", || place.recorded() > 2000);
    disk.is_full.store(true, Ordering::Relaxed);
    wait_until("it stops", || {
        counter(recorder.page(), "tickpath_recorder_stopped") == 1
    });
    wait_until("it loses", || {
        counter(recorder.page(), "tickpath_recorder_lost_total") > 1000
    });
    disk.is_full.store(false, Ordering::Relaxed);
    wait_until("it goes on", || {
        counter(recorder.page(), "tickpath_recorder_stopped") == 0
    });
    load.wait_for(500);
    let last = load.finish();
    wait_until("the newest is recorded", || {
        account(&place.journal(), false).trades.contains_key(&last)
    });
    let lost = counter(recorder.page(), "tickpath_recorder_lost_total");
    recorder.stop().unwrap();
    let account = account(&place.journal(), false);
    assert_eq!(
        (account.missed, account.trades.len() as u64 + account.missed),
        (lost, last)
    );
}

#[test]
fn failed_syncs_lose_nothing_that_can_still_be_read() {
    let place = Place::new();
    let _relay = place.relay(1 << 16);
    let load = Load::start(&place, 20);
    let disk = Arc::new(BrokenDisk::default());
    let recorder = place.recorder(100_000, Arc::new(Breaking(disk.clone())));
    for _ in 0..5 {
        let before = place.recorded();
        wait_until("it records", || place.recorded() > before + 500);
        disk.failing_syncs.store(1, Ordering::Relaxed);
    }
    let before = place.recorded();
    wait_until("it records", || place.recorded() > before);
    let last = load.finish();
    wait_until("all is recorded", || place.recorded() > last);
    recorder.stop().unwrap();
    let account = account(&place.journal(), false);
    account.check_whole(last);
    assert!(account.lives >= 5, "each failed sync gives a segment up");
}

/// Runs the recorder to its end; its exit code and what it said.
fn refusal(place: &Place, extra: &str) -> (i32, String) {
    let mut process = place.recorder_process(extra);
    process.kill();
    let output = Command::new("timeout")
        .args(["30", env!("CARGO_BIN_EXE_tickpath-recorder"), "--config"])
        .arg(place.dir.path().join("tickpath.toml"))
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_directory_that_cannot_be_had_is_refused_with_a_reason() {
    let place = Place::new();
    let lock = Appender::open(&place.journal(), Settings::default()).unwrap();
    let (code, message) = refusal(&place, "");
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("locked by another recorder"), "{message}");
    drop(lock);

    // A file where the directory should be: also root cannot write there.
    std::fs::remove_dir_all(place.journal()).unwrap();
    std::fs::write(place.journal(), "").unwrap();
    let (code, message) = refusal(&place, "");
    assert_eq!(code, 2, "{message}");
    assert!(
        message.contains("cannot make") && message.contains(place.journal().to_str().unwrap()),
        "{message}"
    );

    std::fs::remove_file(place.journal()).unwrap();
    std::fs::create_dir(place.journal()).unwrap();
    let stem = "20261121T114153.123456789Z-00000000000000000000";
    for extension in ["journal", "batches"] {
        std::fs::write(place.journal().join(format!("{stem}.{extension}")), "not ours").unwrap();
    }
    let (code, message) = refusal(&place, "");
    assert_eq!(code, 2, "{message}");
    assert!(
        message.contains("is no journal segment that this build reads"),
        "{message}"
    );
}

/// The recorder's command in a mount namespace of its own, whose journal lies on a memory file system.
fn on_own_disk(place: &Place, options: &str, prepare: &str) -> Command {
    let allowed = Command::new("unshare").args(["-rm", "true"]).status();
    assert!(
        allowed.is_ok_and(|status| status.success()),
        "this test mounts a disk of its own, and `unshare -rm` is not allowed: run it as root, or allow user namespaces"
    );
    std::fs::create_dir_all(place.journal()).unwrap();
    let script = format!("mount -t tmpfs -o {options} tmpfs \"$0\" && {prepare} exec \"$@\"");
    let mut command = Command::new("unshare");
    command
        .args(["-rm", "sh", "-c", &script])
        .arg(place.journal())
        .arg(env!("CARGO_BIN_EXE_tickpath-recorder"))
        .arg("--config")
        .arg(place.write_config(""));
    command
}

/// A directory as a process sees it.
fn seen_by(process: &Process, dir: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", process.0.id(), dir.display()))
}

/// No mock: a file system of 8 MB, most of it taken by something else at first.
#[test]
fn a_small_disk_fills_up_and_recording_goes_on_when_there_is_room() {
    let place = Place::new();
    let mut command = on_own_disk(&place, "size=8m", "head -c 5500000 /dev/zero >\"$0/ballast\" &&");
    let _relay = place.relay(1 << 16);
    let process = Process(command.spawn().unwrap());
    let journal = seen_by(&process, &place.journal());
    let load = Load::start(&place, 20);
    let counter = |name: &str| counter_at(&place.socket(), name);
    wait_until("it stops", || counter("tickpath_recorder_stopped") == 1);
    wait_until("it loses", || counter("tickpath_recorder_lost_total") > 1000);
    std::fs::remove_file(journal.join("ballast")).unwrap();
    wait_until("it goes on", || counter("tickpath_recorder_stopped") == 0);
    let before = counter("tickpath_recorder_recorded_index");
    wait_until("it records", || {
        counter("tickpath_recorder_recorded_index") > before + 500
    });
    let last = load.finish();
    wait_until("the newest is recorded", || {
        account(&journal, false).trades.contains_key(&last)
    });
    let (account, lost) = (account(&journal, false), counter("tickpath_recorder_lost_total"));
    assert_eq!(
        (account.missed, account.trades.len() as u64 + account.missed),
        (lost, last)
    );
    assert!(account.trades.values().all(|times| *times == 1));
}

#[test]
fn a_disk_that_can_only_be_read_is_refused_with_a_reason() {
    let place = Place::new();
    let mut command = on_own_disk(&place, "ro", "");
    let output = command.output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("Read-only file system") && message.contains(place.journal().to_str().unwrap()),
        "{message}"
    );
}
