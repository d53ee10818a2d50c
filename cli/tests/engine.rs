//! The engine as a process: it trades, is killed with orders resting, stopped by the kill switch, and refuses to trade on what it cannot trust.

mod support;
#[path = "support/trading.rs"]
mod trading;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use support::{stderr, tickpath, wait_for};
use tickpath_protocol::{StatusCode, Venue};
use tickpath_storage::journal::{Journal, newest_image};
use trading::{kill_engine, latch, market, metric, signal, story, switch, wait_metric};

const OPEN: &str = "tickpath_engine_orders_open";
const RECORDS: &str = "tickpath_engine_records_total";

#[test]
fn it_trades_on_paper_and_stops_in_order() {
    let mut pipeline = market("");
    let engine = pipeline.start("engine", "tickpath-engine", &[]);
    wait_for("fills", || (story(&pipeline).fills() >= 3).then_some(()));
    wait_metric(&pipeline, engine, OPEN, |open| open > 0);
    signal(engine, "-TERM");
    let status = pipeline.child("engine").wait().expect("it ended");
    assert!(status.success(), "{}", pipeline.log("engine"));
    let end = wait_for("the end in the journal", || {
        let story = story(&pipeline);
        (story.statuses(StatusCode::StrategyStopped) == 1).then_some(story)
    });
    end.assert_ids_are_unique();
    assert_eq!(end.submitted_after(StatusCode::StrategyStopped), 0);
    assert!(
        pipeline.log("engine").contains("open_orders=0"),
        "{}",
        pipeline.log("engine")
    );
    // The journal says what it saw: the same core decides the same of it again.
    let again = switch(&pipeline, &["parity"]);
    assert!(
        again.contains(&format!(", {} fills among them", end.fills())),
        "{again}"
    );
}

/// `TICKPATH_TEST_KILLS` says how often.
#[test]
fn killed_with_orders_resting_it_repeats_no_order_and_knows_its_positions() {
    let kills = std::env::var("TICKPATH_TEST_KILLS").map_or(4, |text| text.parse().expect("a number"));
    let mut pipeline = market("");
    for life in 0..kills {
        let engine = pipeline.start("engine", "tickpath-engine", &[]);
        if life % 4 == 0 {
            wait_metric(&pipeline, engine, "tickpath_engine_fills_total", |fills| fills > 0);
        }
        wait_metric(&pipeline, engine, OPEN, |open| open > 0);
        kill_engine(&mut pipeline, engine);
    }
    // Killed, it recovers and then stands still, so that its positions can be compared.
    switch(&pipeline, &["kill"]);
    let engine = pipeline.start("engine", "tickpath-engine", &[]);
    wait_metric(&pipeline, engine, "tickpath_engine_phase", |phase| phase == 3);
    wait_metric(&pipeline, engine, "tickpath_engine_killed", |killed| killed == 1);
    let end = wait_for("the last start in the journal", || {
        let story = story(&pipeline);
        (story.statuses(StatusCode::EngineStarted) == kills + 1).then_some(story)
    });
    end.assert_ids_are_unique();
    assert_eq!(
        metric(&pipeline, engine, "tickpath_engine_halted"),
        Some(0),
        "{}",
        pipeline.log("engine")
    );
    assert_eq!(metric(&pipeline, engine, OPEN), Some(0));
    let position = metric(&pipeline, engine, "tickpath_engine_position").expect("a position");
    assert_eq!(position, end.positions().values().sum::<i64>(), "{} fills", end.fills());
    assert!(end.fills() > 0);
    for session in 1..=kills {
        switch(&pipeline, &["parity", "--session", &session.to_string()]);
    }
}

#[test]
fn the_kill_switch_works_on_a_stopped_engine_and_holds_over_restarts() {
    let mut pipeline = market("");
    let engine = pipeline.start("engine", "tickpath-engine", &[]);
    wait_metric(&pipeline, engine, OPEN, |open| open > 0);
    signal(engine, "-STOP");
    assert!(switch(&pipeline, &["kill", "--reason", "a test"]).starts_with("killed"));
    assert!(switch(&pipeline, &["kill"]).contains("was killed already: a test"));
    signal(engine, "-CONT");
    let read = wait_metric(&pipeline, engine, RECORDS, |_| true);
    wait_metric(&pipeline, engine, OPEN, |open| open == 0);
    wait_metric(&pipeline, engine, RECORDS, |records| records > read + 300);
    let killed = wait_for("the kill in the journal", || {
        let story = story(&pipeline);
        (story.statuses(StatusCode::KillLatched) == 1).then_some(story)
    });
    assert_eq!(killed.submitted_after(StatusCode::KillLatched), 0);

    for starts in 2..4 {
        let previous = pipeline.child("engine").id();
        kill_engine(&mut pipeline, previous);
        let engine = pipeline.start("engine", "tickpath-engine", &[]);
        wait_metric(&pipeline, engine, RECORDS, |records| records > 300);
        assert_eq!(metric(&pipeline, engine, "tickpath_engine_killed"), Some(1));
        let again = wait_for("the start in the journal", || {
            let story = story(&pipeline);
            (story.statuses(StatusCode::EngineStarted) == starts).then_some(story)
        });
        assert_eq!(
            again.submitted().len(),
            killed.submitted().len(),
            "nothing left after the kill"
        );
    }
    assert!(switch(&pipeline, &["arm"]).starts_with("armed: strategies"));
    let before = killed.submitted().len();
    wait_for("orders after arming", || {
        (story(&pipeline).submitted().len() > before).then_some(())
    });
    story(&pipeline).assert_ids_are_unique();
}

#[test]
fn a_damaged_journal_keeps_the_engine_from_trading() {
    let mut pipeline = market("");
    let engine = pipeline.start("engine", "tickpath-engine", &[]);
    wait_for("orders", || (story(&pipeline).submitted().len() >= 2).then_some(()));
    kill_engine(&mut pipeline, engine);
    let recorder = pipeline.child("recorder").id();
    signal(recorder, "-TERM");
    pipeline.child("recorder").wait().expect("it ended");
    let dir = pipeline.dir.path().join("run/journal");
    let journal = Journal::open(&dir).expect("a journal");
    let segment = journal.segments().expect("segments").remove(0);
    // What is before the newest image of the account would not matter.
    let image = newest_image(&journal, Venue::PAPER, &mut || true).expect("a search");
    let image = image.found.expect("an image");
    damage(&segment.path, segment.header.record_offset(image.index + 20));
    pipeline.start("recorder", "tickpath-recorder", &[]);
    let engine = pipeline.start("engine", "tickpath-engine", &[]);
    wait_metric(&pipeline, engine, "tickpath_engine_halted", |reason| reason != 0);
    wait_metric(&pipeline, engine, RECORDS, |records| records > 500);
    assert_eq!(
        metric(&pipeline, engine, "tickpath_engine_orders_submitted_total"),
        Some(0)
    );
    let log = pipeline.log("engine");
    assert!(
        log.contains("is damaged at record") && log.contains("trading is halted"),
        "{log}"
    );
    switch(&pipeline, &["arm"]);
    wait_metric(&pipeline, engine, "tickpath_engine_orders_submitted_total", |orders| {
        orders > 0
    });
}

#[test]
fn segments_before_the_newest_image_are_not_missed() {
    let mut pipeline = market("");
    let engine = pipeline.start("engine", "tickpath-engine", &[]);
    wait_metric(&pipeline, engine, "tickpath_engine_fills_total", |fills| fills > 0);
    kill_engine(&mut pipeline, engine);
    let recorder = pipeline.child("recorder").id();
    signal(recorder, "-TERM");
    pipeline.child("recorder").wait().expect("it ended");
    pipeline.start("recorder", "tickpath-recorder", &[]);
    // It stands still, so that its positions can be compared.
    switch(&pipeline, &["kill"]);
    let engine = pipeline.start("engine", "tickpath-engine", &[]);
    wait_metric(&pipeline, engine, "tickpath_engine_phase", |phase| phase == 3);
    let position = metric(&pipeline, engine, "tickpath_engine_position").expect("a position");
    let journal = Journal::open(&pipeline.dir.path().join("run/journal")).expect("a journal");
    let older = wait_for("an image in the new segment", || {
        let mut segments = journal.segments().expect("segments");
        let newest = segments.pop().expect("a segment").header.first_index;
        let search = newest_image(&journal, Venue::PAPER, &mut || true).expect("a search");
        let is_there = search.found.is_some_and(|place| place.index >= newest);
        (is_there && !segments.is_empty()).then_some(segments)
    });
    kill_engine(&mut pipeline, engine);
    for segment in older {
        tickpath_storage::journal::remove_segment(&segment.path).expect("to delete it");
    }
    let engine = pipeline.start("engine", "tickpath-engine", &[]);
    wait_metric(&pipeline, engine, "tickpath_engine_phase", |phase| phase == 3);
    wait_metric(&pipeline, engine, "tickpath_engine_killed", |killed| killed == 1);
    assert_eq!(
        metric(&pipeline, engine, "tickpath_engine_halted"),
        Some(0),
        "{}",
        pipeline.log("engine")
    );
    assert_eq!(metric(&pipeline, engine, "tickpath_engine_position"), Some(position));
    assert!(
        pipeline.log("engine").contains("of session 2 at index"),
        "{}",
        pipeline.log("engine")
    );
}

/// Turns a byte round.
fn damage(segment: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(segment).expect("a segment");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("a byte");
    file.write_all_at(&[!byte[0]], at).expect("to write it");
}

#[test]
fn the_watchdog_latches_on_stale_data_and_on_silence() {
    for (stopped, keys, says) in [
        (
            "collector",
            "stale_ms = 1000\nsilence_ms = 0\n",
            "no record of any traded instrument",
        ),
        ("engine", "stale_ms = 0\nsilence_ms = 1000\n", "no sign of life"),
    ] {
        let mut pipeline = market(&format!("[engine.watchdog]\n{keys}"));
        let engine = pipeline.start("engine", "tickpath-engine", &[]);
        let watchdog = pipeline.start("watchdog", "tickpath-kill-watchdog", &[]);
        wait_metric(&pipeline, watchdog, "tickpath_subscription_records_total", |records| {
            records > 300
        });
        wait_metric(&pipeline, engine, OPEN, |open| open > 0);
        assert!(!latch(&pipeline).is_killed());
        let pid = pipeline.child(stopped).id();
        signal(pid, "-STOP");
        wait_for("the latch", || latch(&pipeline).is_killed().then_some(()));
        signal(pid, "-CONT");
        assert!(latch(&pipeline).note().contains(says), "{}", latch(&pipeline).note());
        wait_metric(&pipeline, watchdog, "tickpath_watchdog_kills_total", |kills| kills == 1);
        wait_metric(&pipeline, engine, "tickpath_engine_killed", |killed| killed == 1);
    }
}

#[test]
fn check_names_the_line_of_what_the_engine_refuses() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("tickpath.toml");
    let text = "[[engine.strategy]]\nname = \"a\"\nkind = \"guess\"\ninstruments = [\"kraken:BTC/USD\"]\n";
    std::fs::write(&path, text).expect("a file");
    let output = tickpath(&["check", "--config", &path.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    let error = stderr(&output);
    assert!(
        error.contains("tickpath.toml:3:") && error.contains("unknown strategy `guess`"),
        "{error}"
    );
}
