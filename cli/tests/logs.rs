//! JSON logs: every line of every process has the fields that docs/operations.md lists, in their form, also those that tell of trouble.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};
use support::{Pipeline, wait_for};
use tickpath_service::logging::json::{ALWAYS, SOMETIMES};

/// What `up` prints for people, on stdout; the log is on stderr, and the test has both in one file.
const FOR_PEOPLE: &str = "Dashboard: ";

/// The fields that docs/operations.md lists, in its order.
fn documented() -> Vec<String> {
    let table = between("log fields");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
    let names = rows.filter_map(|row| row.split(" | ").next());
    // A row may name several: `peer`, `peer_pid`.
    let quoted = names.flat_map(|names| names.split('`').skip(1).step_by(2));
    quoted.map(str::to_owned).collect()
}

fn objects(log: &str) -> Vec<Map<String, Value>> {
    // The last one may still be on its way.
    let (whole, _) = log.rsplit_once('\n').unwrap_or_default();
    let lines = whole.lines().filter(|line| !line.starts_with(FOR_PEOPLE));
    lines
        .map(|line| match serde_json::from_str(line) {
            Ok(Value::Object(object)) => object,
            other => panic!("not a JSON object, {other:?}: {line}"),
        })
        .collect()
}

/// Checks the form of the fields that are everywhere, and that all are documented; returns the process.
fn check(object: &Map<String, Value>, documented: &[String]) -> String {
    for field in ALWAYS {
        assert!(object.contains_key(field), "no {field} in {object:?}");
    }
    let text = |field: &str| {
        object[field]
            .as_str()
            .unwrap_or_else(|| panic!("{field} of {object:?}"))
    };
    let (date, time) = text("timestamp").split_once('T').expect("a date and a time");
    assert!(
        date.len() == 10 && time.len() == 16 && time.ends_with('Z'),
        "{object:?}"
    );
    assert!(
        ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&text("level")),
        "{object:?}"
    );
    assert!(object["pid"].as_u64().is_some_and(|pid| pid > 0), "{object:?}");
    assert!(
        !text("message").is_empty() && text("target").starts_with("tickpath"),
        "{object:?}"
    );
    if object.contains_key("run_id") {
        assert!(text("run_id").parse::<u64>().is_ok(), "{object:?}");
    }
    for field in object.keys() {
        assert!(
            documented.contains(field),
            "`{field}` is not in docs/operations.md: {object:?}"
        );
    }
    text("process").to_owned()
}

fn kill(pid: u64) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.expect("kill runs").success());
}

/// The child of `up` of this name, once it is there and is not `before`.
fn child(pipeline: &Pipeline, name: &str, before: Option<u64>) -> u64 {
    wait_for(name, || {
        let state = std::fs::read(pipeline.dir.path().join("run/up.json")).ok()?;
        let state: Value = serde_json::from_slice(&state).ok()?;
        let processes = state["processes"].as_array()?.iter();
        let mut pids = processes
            .filter(|process| process["name"] == name)
            .filter_map(|process| process["pid"].as_u64());
        pids.next().filter(|pid| Some(*pid) != before)
    })
}

#[test]
fn every_line_of_every_process_has_the_documented_fields() {
    let documented = documented();
    let everywhere: Vec<&str> = ALWAYS.into_iter().chain(SOMETIMES).collect();
    assert_eq!(
        documented[..everywhere.len()],
        everywhere,
        "the document begins with them"
    );
    let mut pipeline = Pipeline::new("events_per_second = 50\n[log]\nformat = \"json\"\n");
    let up = pipeline.start("up", "tickpath", &["up"]);
    pipeline.wait_ready();
    // Collectors have nothing to say until something happens.
    let simulator = child(&pipeline, "simulator", None);
    kill(simulator);
    let said_by = |pipeline: &Pipeline| -> BTreeSet<String> {
        let objects = objects(&pipeline.log("up"));
        objects.iter().map(|object| check(object, &documented)).collect()
    };
    wait_for("a line of each collector", || {
        let collectors = said_by(&pipeline)
            .into_iter()
            .filter(|name| name.starts_with("collector-"));
        (collectors.count() == 4).then_some(())
    });
    child(&pipeline, "simulator", Some(simulator));
    pipeline.wait_ready();
    let asked = Command::new("kill").args(["-TERM", &up.to_string()]).status();
    assert!(asked.expect("kill runs").success());
    pipeline.child("up").wait().expect("up ends");
    let all = [
        "up",
        "relay",
        "recorder",
        "simulator",
        "bridge",
        "engine",
        "kill-watchdog",
    ];
    let said_by = said_by(&pipeline);
    assert!(all.iter().all(|name| said_by.contains(*name)), "{said_by:?}");
    let log = objects(&pipeline.log("up"));
    let mut runs: BTreeMap<&str, &Value> = BTreeMap::new();
    for object in &log {
        let process = object["process"].as_str().expect("a process");
        if let Some(venue) = process.strip_prefix("collector-") {
            assert_eq!(object["venue"], venue, "{object:?}");
        }
        // The newest counts: before it attached, the recorder speaks of the run that its journal ends with.
        object.get("run_id").map(|run_id| runs.insert(process, run_id));
    }
    for process in ["bridge", "recorder", "engine", "kill-watchdog"] {
        assert_eq!(
            runs.get(process),
            runs.get("relay"),
            "{process} ends in the relay's run"
        );
    }
}

#[test]
fn last_words_are_a_line_too() {
    let mut pipeline = Pipeline::new("[log]\nformat = \"json\"\n");
    pipeline.start("relay", "tickpath-relay", &[]);
    wait_for("the relay", || {
        pipeline.log("relay").contains("the relay is up").then_some(())
    });
    pipeline.start("second", "tickpath-relay", &[]);
    let status = pipeline.child("second").wait().expect("it ends");
    assert_eq!(status.code(), Some(3), "{}", pipeline.log("second"));
    let log = objects(&pipeline.log("second"));
    let last = log.last().expect("a line");
    check(last, &documented());
    assert_eq!(
        (&last["level"], &last["process"]),
        (&"ERROR".into(), &"relay".into()),
        "{last:?}"
    );
}

/// The text between two marks of docs/operations.md.
fn between(what: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let text = std::fs::read_to_string(path).expect("docs/operations.md");
    let (_, rest) = text.split_once(&format!("<!-- {what}:begin -->")).expect("a beginning");
    let (part, _) = rest.split_once(&format!("<!-- {what}:end -->")).expect("an end");
    part.to_owned()
}

/// All sources of the crates that run, as one text.
fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let crates = [
        "bridge",
        "cli",
        "collectors",
        "engine",
        "journal",
        "relay",
        "service",
        "storage",
        "transport",
    ];
    let mut open: Vec<_> = crates.iter().map(|name| root.join(name).join("src")).collect();
    let mut text = String::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a folder");
            open.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else {
            text.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
        }
    }
    text
}

#[test]
fn messages_that_the_document_explains_are_logged_somewhere() {
    let (table, sources) = (between("log messages"), sources());
    let messages: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert!(messages.len() > 20, "{}", messages.len());
    for message in messages {
        assert!(sources.contains(message), "no process logs `{message}`");
    }
}
