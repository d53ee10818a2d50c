//! What the program says to its user: a cheap run, its files, and what is wrong with bad input.

use std::path::Path;
use std::process::{Command, Output};

use tickpath_bench::report::bars::{ALL, Met};
use tickpath_bench::report::document::Document;

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tickpath-bench"))
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn refused(arguments: &[&str], expected: &[&str]) {
    let output = bench(arguments);
    let error = text(&output.stderr);
    assert!(!output.status.success(), "{arguments:?} was accepted");
    for part in expected {
        assert!(error.contains(part), "{arguments:?}: `{part}` is not in: {error}");
    }
}

#[test]
fn bad_input_is_named_before_anything_is_measured() {
    refused(&["--only", "rings"], &["--only rings", "ring, decode, book"]);
    refused(&["--only", ""], &["no group's name begins so"]);
    refused(&["--captures", "/nowhere"], &["--captures /nowhere", "no such folder"]);
    refused(&["--json", "/nowhere/result.json"], &["--json /nowhere/result.json"]);
    refused(&["--out", "/proc/nowhere"], &["/proc/nowhere"]);
    refused(&["--cores", "100000"], &["--cores", "core 100000"]);
    refused(&["--cores", "0,0"], &["core 0 is named twice"]);
    refused(&["--readme", "/nowhere.md"], &["/nowhere.md"]);
    refused(&["--readme", env!("CARGO_MANIFEST_DIR")], &["reading"]);
    refused(&["--readme", "README.md", "--quick"], &["--quick"]);
    refused(&["role", "nobody"], &["role nobody", "no such role"]);
    refused(
        &[
            "readme",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            "README.md",
        ],
        &["no result of a run"],
    );
}

#[test]
fn missing_binaries_come_with_the_command_that_builds_them() {
    let dir = tempfile::tempdir().unwrap();
    let alone = dir.path().join("tickpath-bench");
    std::fs::copy(env!("CARGO_BIN_EXE_tickpath-bench"), &alone).unwrap();
    let output = Command::new(&alone)
        .args(["--quick", "--only", "fanout"])
        .output()
        .unwrap();
    let error = text(&output.stderr);
    assert!(!output.status.success());
    assert!(
        error.contains("tickpath-relay") && error.contains("cargo build"),
        "{error}"
    );
}

#[test]
fn help_names_every_option_and_group() {
    let help = text(&bench(&["--help"]).stdout);
    for word in [
        "--quick",
        "--json",
        "--out",
        "--only",
        "--captures",
        "--cores",
        "--readme",
        "fanout",
        "footprint",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

/// The files of a run, by folder and ending.
fn files(dir: &Path, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(ending)).collect()
}

#[test]
fn a_quick_run_prints_and_writes_what_it_promises() {
    let dir = tempfile::tempdir().unwrap();
    let (out, json) = (dir.path().join("out"), dir.path().join("result.json"));
    let places = ["--out", out.to_str().unwrap(), "--json", json.to_str().unwrap()];
    let output = bench(&[&["--quick", "--only", "book"][..], &places].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(
        table.contains("measurement") && table.contains("not measured"),
        "{table}"
    );

    let document = Document::read(&json).unwrap();
    assert_eq!(document, Document::read(&out.join("result.json")).unwrap());
    assert!(document.failures.is_empty());
    assert!(document.environment.quick && document.environment.cores > 0);
    assert_eq!(document.bars.len(), ALL.len());
    assert!(document.measurements.iter().all(|line| line.group() == "book"));
    let ring = document
        .bars
        .iter()
        .find(|bar| bar.formula.starts_with("ring."))
        .unwrap();
    assert_eq!((ring.met, ring.value), (Met::NotMeasured, None));

    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("A smoke run") && !page.contains("<script") && !page.contains("src="));
    assert!(!page.contains("@import") && !page.contains("<link"));
    let latencies = document.measurements.iter().filter(|line| line.unit == "ns").count();
    assert!(files(&out.join("hgrm"), ".ours.hgrm").len() == latencies);
}

/// Every object of the JSON has the fields that the issue of it asks for, and no number is missing in a summary.
#[test]
fn the_json_has_its_documented_form() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("result.json");
    let output = bench(&["--quick", "--only", "ring,book", "--json", json.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    for key in [
        "cpu",
        "cores",
        "kernel",
        "governor",
        "pinning",
        "clock",
        "commit",
        "date",
        "rustc",
        "load_average",
    ] {
        assert!(!value["environment"][key].is_null(), "{key}");
    }
    let summaries = |line: &serde_json::Value| {
        let mut summaries = vec![line["ours"].clone()];
        summaries.extend(line["peers"].as_object().unwrap().values().cloned());
        summaries.extend(Some(line["floor"].clone()).filter(|floor| !floor.is_null()));
        summaries
    };
    for line in value["measurements"].as_array().unwrap() {
        for key in [
            "name",
            "unit",
            "ours",
            "floor",
            "peers",
            "ratio_to_floor",
            "ratio_to_best_peer",
        ] {
            assert!(line.get(key).is_some(), "{key}: {line}");
        }
        for summary in summaries(line) {
            for key in ["p50", "p90", "p99", "p99_9", "max", "n"] {
                assert!(summary[key].is_number(), "{key}: {line}");
            }
        }
    }
    for bar in value["bars"].as_array().unwrap() {
        assert!(bar["met"].is_boolean() || bar["met"] == "not measured", "{bar}");
        assert!(bar["formula"].is_string() && bar["limit"].is_object(), "{bar}");
    }
}
