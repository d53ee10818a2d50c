//! What the `tickpath` command says to bad input, and what its looking commands show.

mod support;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Pipeline, binary, stderr, tickpath, wait_for};

#[test]
fn check_names_file_and_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("tickpath.toml");
    let check = |text: &str| {
        std::fs::write(&path, text).expect("a file");
        tickpath(&["check", "--config", &path.display().to_string()])
    };
    let good = check("[relay]\nwait = \"yield\"\n");
    assert!(good.status.success(), "{}", stderr(&good));
    assert!(String::from_utf8_lossy(&good.stdout).contains("configuration is valid"));
    for (text, line, word) in [
        ("[relay]\nwait = \"nap\"\n", 2, "nap"),
        ("\n\n[bridge]\nlisten = 8080\n", 4, "listen"),
        ("[relay]\n[relays]\n", 2, "relays"),
    ] {
        let bad = check(text);
        assert_eq!(bad.status.code(), Some(2));
        let message = stderr(&bad);
        assert!(
            message.contains(&format!("tickpath.toml:{line}:")) || message.contains(word),
            "{message}"
        );
        assert!(message.contains(&format!(":{line}:")), "{message}");
    }
    let absent = tickpath(&["check", "--config", "/nowhere/tickpath.toml"]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(
        stderr(&absent).contains("/nowhere/tickpath.toml"),
        "{}",
        stderr(&absent)
    );
}

#[test]
fn decode_refuses_what_is_no_capture() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().display().to_string();
    let absent = tickpath(&["decode", "kraken", &path]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(stderr(&absent).contains("ws.tsv"), "{}", stderr(&absent));
    std::fs::write(dir.path().join("ws.tsv"), "12\t{}\nno tab here\n").expect("a file");
    let broken = tickpath(&["decode", "kraken", &path]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(stderr(&broken).contains("ws.tsv:2"), "{}", stderr(&broken));
    let venue = tickpath(&["decode", "krakn", &path]);
    assert_eq!(venue.status.code(), Some(2));
    assert!(stderr(&venue).contains("krakn"), "{}", stderr(&venue));
}

#[test]
fn a_taken_port_is_named_and_nothing_is_left_running() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let pipeline = Pipeline::new("");
    let address = taken.local_addr().expect("its address").to_string();
    let output = tickpath(&["up", "--config", &pipeline.config_path(), "--listen", &address]);
    assert!(!output.status.success());
    let message = stderr(&output);
    assert!(message.contains(&address), "{message}");
    assert!(message.contains("bridge"), "{message}");
    assert!(!pipeline.dir.path().join("run/up.json").exists());
}

#[test]
fn an_empty_replay_folder_is_refused() {
    let pipeline = Pipeline::new("");
    let empty = pipeline.dir.path().display().to_string();
    let output = tickpath(&["up", "--config", &pipeline.config_path(), "--replay", &empty]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("ws.tsv"), "{}", stderr(&output));
}

#[test]
fn status_and_tail_show_the_stream_and_a_second_up_is_refused() {
    let mut pipeline = Pipeline::new("");
    let config = pipeline.config_path();
    let absent = tickpath(&["status", "--config", &config]);
    assert_eq!(absent.status.code(), Some(3), "{}", stderr(&absent));
    pipeline.start("up", "tickpath", &["up"]);
    pipeline.wait_ready();

    let second = tickpath(&["up", "--config", &config]);
    assert_eq!(second.status.code(), Some(3));
    assert!(stderr(&second).contains("another `tickpath up`"), "{}", stderr(&second));

    for via in [&[][..], &["--socket"][..]] {
        let mut args = vec![
            "tail", "--config", &config, "--json", "-n", "20", "--venue", "kraken", "--symbol", "BTC/USD",
        ];
        args.extend(["--kind", "book_level"]);
        args.extend(via);
        let tail = tickpath(&args);
        assert!(tail.status.success(), "{}", stderr(&tail));
        let lines: Vec<Value> = String::from_utf8_lossy(&tail.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), 20);
        assert!(
            lines
                .iter()
                .all(|line| line["venue"] == "kraken" && line["symbol"] == "BTC/USD"),
            "{lines:?}"
        );
        assert!(
            lines
                .iter()
                .all(|line| line["price"].as_str().is_some_and(|price| price.contains('.'))),
            "{lines:?}"
        );
    }

    wait_for("the counters of every process", || {
        let status = tickpath(&["status", "--config", &config, "--json"]);
        let report: Value = serde_json::from_slice(&status.stdout).ok()?;
        let names: Vec<&str> = report["processes"]
            .as_array()?
            .iter()
            .filter_map(|p| p["name"].as_str())
            .collect();
        let all = [
            "relay",
            "bridge",
            "collector-kraken",
            "collector-binance",
            "collector-coinbase",
            "collector-alpaca",
        ];
        all.iter().all(|name| names.contains(name)).then_some(())
    });
    let text = tickpath(&["status", "--config", &config]);
    assert!(
        String::from_utf8_lossy(&text.stdout).contains("dashboard http://"),
        "{text:?}"
    );
}

#[test]
fn up_stops_within_its_deadline_and_leaves_nothing() {
    let mut pipeline = Pipeline::new("");
    let up = pipeline.start("up", "tickpath", &["up"]);
    pipeline.wait_ready();
    assert!(
        pipeline
            .log("up")
            .contains(&format!("Dashboard: http://{}/", pipeline.bridge))
            || {
                wait_for("the address", || {
                    pipeline.log("up").contains("Dashboard: http://").then_some(true)
                })
            }
    );
    let down = tickpath(&["down", "--config", &pipeline.config_path()]);
    assert!(down.status.success(), "{}", stderr(&down));
    let status = pipeline.child("up").wait().expect("it ended");
    assert_eq!(status.code(), Some(0), "{up}");
    assert!(!pipeline.dir.path().join("run/up.json").exists());
    assert!(!pipeline.socket().exists(), "the relay removes its socket");
    let log = pipeline.log("up");
    for level in ["WARN", "ERROR", "panicked"] {
        assert!(!log.contains(level), "a clean run says nothing alarming:\n{log}");
    }
}

#[test]
fn processes_refuse_a_bad_configuration_with_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("tickpath.toml");
    std::fs::write(&path, "[relay]\ncapacity = 7\n").expect("a file");
    let config = path.display().to_string();
    let collector = ["kraken", "--config", &config];
    let plain = ["--config", &config];
    for (name, args) in [
        ("tickpath-relay", &plain[..]),
        ("tickpath-bridge", &plain[..]),
        ("tickpath-simulator", &plain[..]),
        ("tickpath-collector", &collector[..]),
    ] {
        let output = Command::new(binary(name)).args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("tickpath.toml:2:"),
            "{name}: {}",
            stderr(&output)
        );
    }
    assert!(Path::new(&config).exists());
}
