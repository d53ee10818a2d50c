//! Whole runs of the program. They start every process and a PostgreSQL, so `scripts/test chaos` runs them and an ordinary `cargo test` does not.

use std::process::{Command, Output};

fn chaos(arguments: &[&str]) -> Output {
    let output = Command::new("timeout")
        .args(["--kill-after=5", "600", env!("CARGO_BIN_EXE_tickpath-chaos")])
        .args(arguments)
        .output()
        .expect("tickpath-chaos runs");
    assert_ne!(
        output.status.code(),
        Some(124),
        "{arguments:?} did not end: {}",
        text(&output)
    );
    output
}

fn text(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
#[ignore = "starts every process"]
fn a_short_run_loses_nothing_in_silence() {
    let output = chaos(&[
        "--seed",
        "7",
        "--minutes",
        "0.5",
        "--faults",
        "30",
        "--heal-within",
        "240",
    ]);
    assert!(output.status.success(), "{}", text(&output));
    let report = text(&output);
    for promise in [
        "| lost silently, all readers | 0 |",
        "| torn or foreign, all readers | 0 |",
        "| repeated or reordered, all readers | 0 |",
        "| manual steps | 0 |",
    ] {
        assert!(report.contains(promise), "{promise}: {report}");
    }
}

/// Deadlines that counted in the wall's time once kept every venue away for an hour after a step back.
#[test]
#[ignore = "starts every process"]
fn steps_of_the_wall_clock_keep_nobody_away() {
    let output = chaos(&[
        "--minutes",
        "0.3",
        "--faults",
        "24",
        "--only",
        "clock_step,kill_one,venue",
        "--heal-within",
        "240",
    ]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("clock_step"), "{}", text(&output));
}

/// A run that plants something must find it: else the run above proves nothing.
#[track_caller]
fn caught(canary: &str, more: &[&str]) {
    let run = ["--minutes", "0.05", "--faults", "0", "--canary", canary];
    let output = chaos(&[&run, more].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("canary caught"), "{}", text(&output));
}

#[test]
#[ignore = "starts every process"]
fn readers_that_spoil_a_record_are_caught() {
    for canary in ["reader-drops", "reader-tears", "reader-repeats"] {
        caught(canary, &[]);
    }
}

#[test]
#[ignore = "starts every process"]
fn copies_that_differ_are_caught() {
    for canary in ["journal-rots", "row-doubled", "row-missing", "row-altered"] {
        caught(canary, &[]);
    }
}

#[test]
#[ignore = "starts every process"]
fn what_is_left_behind_is_caught() {
    for canary in ["process-left", "file-left", "memory-left"] {
        caught(canary, &[]);
    }
}

#[test]
#[ignore = "starts every process"]
fn errors_without_a_fault_and_what_does_not_heal_are_caught() {
    caught("log-line", &[]);
    caught("process-stuck", &["--heal-within", "10"]);
}

/// That the honest client got every record is checked by the run itself.
#[test]
#[ignore = "starts every process"]
fn hostile_clients_are_closed_come_again_and_cost_no_record() {
    let output = chaos(&["hostile", "--clients", "40", "--rounds", "1", "--seconds", "3"]);
    let report = text(&output);
    assert!(output.status.success(), "{report}");
    let company = report.lines().find(|line| line.contains("hostile clients on average"));
    let numbers: Vec<u64> = company
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(
        matches!(numbers[..], [present, came] if present >= 20 && came > 0),
        "{report}"
    );
}

#[test]
fn a_run_that_makes_no_sense_is_refused() {
    for (arguments, expected) in [
        (["--minutes", "0"], "--minutes 0"),
        (["--minutes", "NaN"], "--minutes NaN"),
        (["--canary", "parrot"], "parrot"),
        (["--only", "earthquake"], "kill_one"),
    ] {
        let output = chaos(&arguments);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(expected), "{}", text(&output));
    }
}
