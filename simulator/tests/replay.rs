//! Replay: exactly the recorded frames, in order, to whoever subscribes; REST answers in turn; what is wrong is said at the start.

mod support;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Client, DEADLINE, fault, get, start};
use tickpath_service::config::{Simulator, Speed};
use tickpath_simulator::Server;

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures");

/// A capture of our own, in the venues' documented formats.
struct Own(tempfile::TempDir);

impl Own {
    fn new() -> Own {
        Own(tempfile::tempdir().unwrap())
    }

    fn with(self, venue: &str, file: &str, lines: &[&str]) -> Own {
        let folder = self.0.path().join(venue);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(file), lines.join("\n") + "\n").unwrap();
        self
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn kraken() -> Own {
        Own::new().with("kraken", "ws.tsv", &[
            "1000000000\t{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"system\":\"online\"}]}",
            "1000000001\t{\"channel\":\"instrument\",\"type\":\"snapshot\",\"data\":{\"assets\":[],\"pairs\":[]}}",
            "1000000002\t{\"method\":\"subscribe\",\"result\":{\"channel\":\"book\",\"depth\":10,\"snapshot\":true,\"symbol\":\"A/B\"},\"success\":true,\"time_in\":\"t\",\"time_out\":\"t\"}",
            "1100000000\t{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[{\"symbol\":\"A/B\",\"bids\":[{\"price\":1.0,\"qty\":2.50}],\"asks\":[{\"price\":1.2,\"qty\":0.10}],\"checksum\":7}]}",
            "1200000000\t{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"A/B\",\"bids\":[{\"price\":0.9,\"qty\":1.00}],\"asks\":[{\"price\":1.2,\"qty\":0.00},{\"price\":1.3,\"qty\":4.00}],\"checksum\":8,\"timestamp\":\"2026-01-01T00:00:00.000001Z\"}]}",
        ])
    }

    fn binance() -> Own {
        let diff = |time: u64, symbol: &str, first: u64, last: u64, bid: &str| {
            format!(
                "{time}\t{{\"stream\":\"{}@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"{symbol}\",\"U\":{first},\"u\":{last},\"b\":[[\"1.00\",\"{bid}\"]],\"a\":[]}}}}",
                symbol.to_lowercase()
            )
        };
        let frames = [
            diff(1_000, "AB", 8, 10, "1"),
            diff(2_000, "AB", 11, 12, "2"),
            diff(3_000, "CD", 50, 51, "1"),
            diff(4_000, "AB", 13, 13, "3"),
        ];
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        Own::new().with("binance", "ws.tsv", &frames).with("binance", "rest.tsv", &[
            "500\thttps://api.binance.com/api/v3/exchangeInfo\t{\"symbols\":[]}",
            "1500\thttps://api.binance.com/api/v3/depth?symbol=AB&limit=1000\t{\"lastUpdateId\":10,\"bids\":[[\"1.00\",\"1\"],[\"0.50\",\"9\"]],\"asks\":[[\"2.00\",\"5\"]]}",
            "3500\thttps://api.binance.com/api/v3/depth?symbol=CD&limit=1000\t{\"lastUpdateId\":40,\"bids\":[],\"asks\":[]}",
        ])
    }
}

async fn replay(directory: &Path, change: impl FnOnce(&mut Simulator)) -> Server {
    start(|config| {
        config.replay = directory.to_owned();
        config.speed = Speed::Max;
        change(config);
    })
    .await
}

fn recorded(directory: &Path, venue: &str) -> Vec<String> {
    let text = std::fs::read_to_string(directory.join(venue).join("ws.tsv")).unwrap();
    text.lines()
        .map(|line| line.split_once('\t').unwrap().1.to_owned())
        .collect()
}

/// Connects and subscribes as a collector of the venue does.
async fn subscriber(server: &Server, venue: &str) -> Client {
    let path = if venue == "binance" {
        "/binance/stream?streams="
    } else {
        &format!("/{venue}")
    };
    let mut client = Client::connect(server, path).await;
    let subscribe = match venue {
        "binance" => r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}"#,
        "coinbase" => r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch"]}"#,
        _ => r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10}}"#,
    };
    client.send(subscribe).await;
    client
}

async fn check_frames(directory: &Path, venue: &str) {
    let expected = recorded(directory, venue);
    let server = replay(directory, |_| {}).await;
    let mut client = subscriber(&server, venue).await;
    if venue == "binance" {
        assert_eq!(
            client.text().await,
            r#"{"result":null,"id":1}"#,
            "answered, for the recording has no answer"
        );
    }
    for (number, frame) in expected.iter().enumerate() {
        let seen = client.text().await;
        assert!(
            seen == *frame,
            "{venue} frame {}: {seen:.200} instead of {frame:.200}",
            number + 1
        );
    }
    if venue == "kraken" {
        assert_eq!(client.text().await, r#"{"channel":"heartbeat"}"#, "it lives on");
    } else {
        assert!(client.next().await.unwrap().unwrap().is_ping(), "it lives on");
    }
}

#[tokio::test]
async fn own_captures_are_played_to_the_byte() {
    check_frames(&Own::kraken().path(), "kraken").await;
    check_frames(&Own::binance().path(), "binance").await;
}

#[tokio::test]
async fn public_captures_are_played_to_the_byte() {
    for set in ["2021", "recent"] {
        let directory = Path::new(SHARED).join(set);
        for venue in ["binance", "coinbase", "kraken"] {
            if directory.join(venue).is_dir() {
                check_frames(&directory, venue).await;
            }
        }
    }
}

#[tokio::test]
async fn kraken_waits_with_books_until_they_are_asked_for() {
    let own = Own::kraken();
    let frames = recorded(&own.path(), "kraken");
    let server = replay(&own.path(), |_| {}).await;
    let mut client = Client::connect(&server, "/kraken/v2").await;
    assert_eq!(client.text().await, frames[0]);
    client
        .send(r#"{"method":"subscribe","params":{"channel":"instrument","snapshot":true}}"#)
        .await;
    assert_eq!(client.text().await, frames[1]);
    assert_eq!(
        client.text().await,
        r#"{"channel":"heartbeat"}"#,
        "it stays alive while it waits"
    );
    client.send(r#"{"method":"ping","req_id":5}"#).await;
    assert_eq!(client.json().await["method"], "pong", "no book came in between");
    client
        .send(r#"{"method":"subscribe","params":{"channel":"book","symbol":["A/B"],"depth":10}}"#)
        .await;
    for frame in &frames[2..] {
        assert_eq!(client.text().await, *frame);
    }
    client
        .send(r#"{"method":"unsubscribe","params":{"channel":"book","symbol":["A/B"],"depth":10}}"#)
        .await;
    assert_eq!(
        client.until(|frame| frame["method"] == "unsubscribe").await["success"],
        true
    );
    client
        .send(r#"{"method":"subscribe","params":{"channel":"book","symbol":["A/B"],"depth":10}}"#)
        .await;
    assert_eq!(
        client.until(|frame| frame["method"] == "subscribe").await["success"],
        true
    );
    let again = r#"{"channel":"book","type":"snapshot","data":[{"symbol":"A/B","bids":[{"price":1.0,"qty":2.50},{"price":0.9,"qty":1.00}],"asks":[{"price":1.3,"qty":4.00}],"checksum":8,"timestamp":"2026-01-01T00:00:00.000001Z"}]}"#;
    assert_eq!(client.text().await, again, "the snapshot is rebuilt from what was sent");
}

#[tokio::test]
async fn binance_snapshots_come_in_turn_and_are_then_rebuilt() {
    let own = Own::binance();
    let server = replay(&own.path(), |_| {}).await;
    let depth = |symbol: &str| format!("/binance/api/v3/depth?symbol={symbol}&limit=5000");
    assert_eq!(
        get(&server, "/binance/api/v3/exchangeInfo").await.body,
        r#"{"symbols":[]}"#
    );
    for _ in 0..2 {
        let mut client = Client::connect(&server, "/binance/stream?streams=ab@depth@100ms/cd@depth@100ms").await;
        let first = client.json().await;
        assert_eq!(first["data"]["u"], 10);
        assert_eq!(
            get(&server, &depth("AB")).await.json()["lastUpdateId"],
            10,
            "the recorded one first"
        );
        client.until(|frame| frame["data"]["u"] == 51).await;
        client.until(|frame| frame["data"]["u"] == 13).await;
        let rebuilt = get(&server, &depth("AB")).await;
        assert_eq!(
            rebuilt.body,
            r#"{"lastUpdateId":13,"bids":[["1.00","3"],["0.50","9"]],"asks":[["2.00","5"]]}"#
        );
        assert_eq!(get(&server, &depth("CD")).await.json()["lastUpdateId"], 40);
        let hole = get(&server, &depth("CD")).await;
        assert_eq!(
            (hole.status, hole.json()["code"].as_i64()),
            (404, Some(-1121)),
            "its diffs do not join"
        );
        drop(client);
        support::state_of(&server, "binance", |state| {
            state["connections"] == serde_json::json!([])
        })
        .await;
    }
}

#[tokio::test]
async fn a_binance_snapshot_comes_between_the_frames_that_it_was_recorded_between() {
    let own = Own::binance();
    let server = replay(&own.path(), |_| {}).await;
    let mut client = Client::connect(&server, "/binance/stream?streams=ab@depth@100ms/cd@depth@100ms").await;
    let mut last = client.json().await["data"]["u"].as_u64();
    let (ab, cd) = ("/binance/api/v3/depth?symbol=AB", "/binance/api/v3/depth?symbol=CD");
    let mut snapshot = pin!(async { tokio::join!(get(&server, cd), get(&server, ab)).0 });
    let cd = loop {
        tokio::select! {
            // What has come on the WebSocket is looked at first.
            biased;
            frame = client.json() => last = frame["data"]["u"].as_u64(),
            answer = &mut snapshot => break answer,
        }
    };
    assert_eq!(cd.json()["lastUpdateId"], 40);
    assert_eq!(last, Some(51), "three frames were recorded before it");
    assert_eq!(client.json().await["data"]["u"], 13);
}

#[tokio::test]
async fn a_second_binance_client_joins_the_first() {
    let lines: Vec<String> = (0..40).map(|n| format!("{}\t{{\"n\":{n}}}", n * 50_000_000)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let own = Own::new().with("binance", "ws.tsv", &lines);
    let server = replay(&own.path(), |config| config.speed = Speed::Times(1.0)).await;
    let mut first = Client::connect(&server, "/binance/ws/ab@trade").await;
    first.until(|frame| frame["n"] == 5).await;
    let mut second = Client::connect(&server, "/binance/ws/ab@trade").await;
    let joined = second.json().await["n"].as_u64().unwrap();
    assert!((6..30).contains(&joined), "{joined}");
    drop(first);
    for n in joined + 1..40 {
        assert_eq!(second.json().await["n"], n);
    }
}

#[tokio::test]
async fn speed_scales_the_gaps_and_repeat_starts_over() {
    let own = Own::kraken();
    let server = replay(&own.path(), |config| {
        (config.speed, config.repeat) = (Speed::Times(0.5), true)
    })
    .await;
    for _ in 0..2 {
        let mut client = subscriber(&server, "kraken").await;
        let is = |kind: &'static str| move |frame: &Value| frame["type"] == kind && frame["channel"] == "book";
        client.until(is("snapshot")).await;
        let since = Instant::now();
        client.until(is("update")).await;
        assert!(
            (Duration::from_millis(150)..DEADLINE).contains(&since.elapsed()),
            "a tenth of a second at half speed"
        );
        assert_eq!(client.close_code().await, Some(1001));
    }
}

#[tokio::test]
async fn faults_act_on_a_replay() {
    let lines: Vec<String> = (0..400).map(|n| format!("{}\t{{\"n\":{n}}}", n * 5_000_000)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let own = Own::new().with("coinbase", "ws.tsv", &lines);
    let server = replay(&own.path(), |config| config.speed = Speed::Times(1.0)).await;
    let mut client = subscriber(&server, "coinbase").await;
    client.until(|frame| frame["n"] == 0).await;
    assert_eq!(fault(&server, r#"{"venue":"coinbase","fault":"gap","n":3}"#).await, 1);
    let mut last = 0;
    let missed = loop {
        let n = client.json().await["n"].as_u64().unwrap();
        if n != last + 1 {
            break n - last - 1;
        }
        last = n;
    };
    assert_eq!(missed, 3);
}

#[tokio::test]
async fn a_venue_without_a_capture_is_refused() {
    let server = replay(&Own::kraken().path(), |_| {}).await;
    let answer = get(&server, "/coinbase/products").await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("no capture of coinbase"));
}

/// Runs the program with a configuration; its exit code and what it said.
fn run(config: &str) -> (Option<i32>, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tickpath-simulator"))
        .args(["--config".as_ref(), file.path()])
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn bad_input_is_named_and_has_its_exit_code() {
    let own = Own::kraken().with("coinbase", "ws.tsv", &["1\t{}", "not a line"]);
    let replay = |path: &Path| format!("[simulator]\nlisten = \"127.0.0.1:0\"\nreplay = {path:?}\n");
    let (code, said) = run(&replay(&own.path()));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("coinbase/ws.tsv:2: no tab"), "{said}");
    let (code, said) = run(&replay(&own.path().join("kraken")));
    assert_eq!(code, Some(2));
    assert!(said.contains("no capture in it"), "{said}");
    let (code, said) = run("[simulator]\nfaults = \"/nonexistent/faults\"\n");
    assert_eq!(code, Some(2));
    assert!(said.contains("/nonexistent/faults"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, said) = run(&format!("[simulator]\nlisten = \"{}\"\n", taken.local_addr().unwrap()));
    assert_eq!(code, Some(3));
    assert!(said.contains("cannot listen on 127.0.0.1:"), "{said}");
}
