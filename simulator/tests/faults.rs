//! Each fault as a client sees it, and the counters that tell the truth about it.

mod support;

use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Client, fault, get, request, start, state_of};
use tickpath_simulator::Server;
use tokio_tungstenite::tungstenite::{Error, Message};

/// A client of Coinbase matches and books, past its first frames.
async fn coinbase(server: &Server) -> Client {
    let mut client = Client::connect(server, "/coinbase").await;
    client
        .send(r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["matches","level2_batch"]}"#)
        .await;
    client.until(|frame| frame["type"] == "match").await;
    client
}

/// The next `n` trade numbers.
async fn trades(client: &mut Client, n: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    while ids.len() < n {
        let frame = client.until(|frame| frame["type"] == "match").await;
        ids.push(frame["trade_id"].as_u64().unwrap());
    }
    ids
}

fn steps(ids: &[u64]) -> Vec<i64> {
    let steps = ids.windows(2).map(|pair| pair[1].cast_signed() - pair[0].cast_signed());
    steps.filter(|step| *step != 1).collect()
}

#[tokio::test]
async fn gaps_duplicates_and_reordering() {
    let server = start(|_| {}).await;
    let mut client = coinbase(&server).await;
    let mut ids = trades(&mut client, 20).await;
    assert_eq!(steps(&ids), [0; 0], "nothing is wrong before a fault");
    let command = |name: &str| format!(r#"{{"venue":"coinbase","fault":"{name}","n":2,"match":"\"match\""}}"#);
    assert_eq!(fault(&server, &command("gap")).await, 1);
    ids.extend(trades(&mut client, 60).await);
    let gap = steps(&ids);
    assert!(gap == [3] || gap == [2, 2], "{gap:?}");
    fault(&server, &command("duplicate")).await;
    ids.drain(..ids.len() - 1);
    ids.extend(trades(&mut client, 60).await);
    assert_eq!(steps(&ids), [0, 0]);
    fault(&server, &command("reorder")).await;
    ids.drain(..ids.len() - 1);
    ids.extend(trades(&mut client, 80).await);
    let reordered = steps(&ids);
    assert_eq!(reordered.iter().filter(|step| **step == -1).count(), 2, "{reordered:?}");
    let state = state_of(&server, "coinbase", |state| state["pairs_reordered"] == 2).await;
    assert_eq!(
        (&state["frames_dropped"], &state["frames_duplicated"]),
        (&Value::from(2), &Value::from(2))
    );
    for name in ["gap", "duplicate", "reorder"] {
        assert_eq!(state["faults"][name], 1, "{state}");
    }
}

#[tokio::test]
async fn disconnects_with_and_without_a_word() {
    let server = start(|_| {}).await;
    for (close_frame, expected) in [(true, Some(1012)), (false, None)] {
        let mut client = coinbase(&server).await;
        fault(
            &server,
            &format!(r#"{{"venue":"coinbase","fault":"disconnect","close_frame":{close_frame},"code":1012}}"#),
        )
        .await;
        assert_eq!(client.close_code().await, expected);
        state_of(&server, "coinbase", |state| {
            state["connections"] == serde_json::json!([])
        })
        .await;
    }
}

#[tokio::test]
async fn garbage_of_every_kind() {
    let server = start(|_| {}).await;
    for kind in ["truncated", "random", "deep", "huge_number", "wrong_types", "empty"] {
        let mut client = coinbase(&server).await;
        fault(
            &server,
            &format!(r#"{{"venue":"coinbase","fault":"garbage","kind":"{kind}"}}"#),
        )
        .await;
        let seen = loop {
            match client.next().await.unwrap().unwrap() {
                Message::Binary(bytes) => break format!("binary {}", bytes.len()),
                Message::Text(text) if !text.contains("\"type\":\"") => break text.to_string(),
                Message::Text(text) if serde_json::from_str::<Value>(&text).is_err() => break text.to_string(),
                Message::Text(text) if text.contains(&"9".repeat(400)) => break "huge".to_owned(),
                _ => {}
            }
        };
        let fits = match kind {
            "truncated" => seen.starts_with("{\"type\":"),
            "random" => seen == "binary 256",
            "deep" => seen == "[".repeat(100_000),
            "huge_number" => seen == "huge" || seen.contains("9999"),
            "wrong_types" => seen.contains("\"changes\":{"),
            _ => seen.is_empty(),
        };
        assert!(fits, "{kind}: {seen:.100}");
        assert!(!trades(&mut client, 2).await.is_empty(), "the connection goes on");
    }
    let mut client = coinbase(&server).await;
    fault(&server, r#"{"venue":"coinbase","fault":"garbage","kind":"not_utf8"}"#).await;
    let error = loop {
        match client.next().await {
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(error, Some(Err(Error::Utf8(_)))), "{error:?}");
}

#[tokio::test]
async fn an_oversized_frame_has_the_size_asked_for() {
    let server = start(|_| {}).await;
    let mut client = coinbase(&server).await;
    fault(&server, r#"{"venue":"coinbase","fault":"oversized","bytes":5000000}"#).await;
    let mut len = 0;
    while len != 5_000_000 {
        len = client.text().await.len();
    }
}

#[tokio::test]
async fn a_stall_is_silent_and_loses_nothing() {
    // Far more waits after the silence than is sent at once.
    let server = start(|config| config.events_per_second = 1_000).await;
    let mut client = coinbase(&server).await;
    fault(&server, r#"{"venue":"coinbase","fault":"stall","ms":700}"#).await;
    let (mut longest, mut ids) = (Duration::ZERO, Vec::new());
    while longest < Duration::from_millis(600) {
        let since = Instant::now();
        let frame = client.json().await;
        longest = longest.max(since.elapsed());
        ids.extend(frame["trade_id"].as_u64());
    }
    ids.extend(trades(&mut client, 300).await);
    assert_eq!(steps(&ids), [0; 0]);
}

#[tokio::test]
async fn a_bad_checksum_is_one_too_high() {
    let server = start(|_| {}).await;
    let mut bad = Client::connect(&server, "/kraken/v2").await;
    let mut good = Client::connect(&server, "/kraken/v2").await;
    let subscribe = r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}"#;
    for client in [&mut bad, &mut good] {
        client.send(subscribe).await;
        client.until(|frame| frame["type"] == "snapshot").await;
    }
    let state = state_of(&server, "kraken", |_| true).await;
    assert_eq!(state["connections"].as_array().unwrap().len(), 2);
    fault(&server, r#"{"venue":"kraken","fault":"bad_checksum","n":3}"#).await;
    let state = state_of(&server, "kraken", |state| state["checksums_corrupted"] == 6).await;
    assert_eq!(state["faults"]["bad_checksum"], 2, "once a connection");
}

#[tokio::test]
async fn slow_handshakes_and_refused_calls() {
    let server = start(|_| {}).await;
    fault(&server, r#"{"venue":"kraken","fault":"slow_handshake","ms":400}"#).await;
    let since = Instant::now();
    Client::connect(&server, "/kraken").await;
    assert!(since.elapsed() >= Duration::from_millis(400));
    Client::connect(&server, "/kraken").await;
    fault(
        &server,
        r#"{"venue":"binance","fault":"http_429","n":2,"retry_after_s":7}"#,
    )
    .await;
    for expected in [429, 429, 200] {
        let answer = get(&server, "/binance/api/v3/time").await;
        assert_eq!(answer.status, expected);
        assert_eq!(answer.header("Retry-After"), (expected == 429).then_some("7"));
    }
    let state = server.state();
    assert_eq!(state["venues"]["binance"]["rest_refused"], 2);
    assert_eq!(state["venues"]["kraken"]["faults"]["slow_handshake"], 1);
}

#[tokio::test]
async fn venues_announce_that_they_go_down() {
    let server = start(|_| {}).await;
    let mut binance = Client::connect(&server, "/binance/stream?streams=").await;
    fault(&server, r#"{"venue":"binance","fault":"shutdown_notice"}"#).await;
    assert_eq!(binance.json().await["stream"], "!serverShutdown");
    let mut kraken = Client::connect(&server, "/kraken").await;
    kraken.text().await;
    fault(&server, r#"{"venue":"kraken","fault":"shutdown_notice"}"#).await;
    assert_eq!(kraken.json().await["data"][0]["system"], "maintenance");
    let mut coinbase = coinbase(&server).await;
    fault(&server, r#"{"venue":"coinbase","fault":"shutdown_notice"}"#).await;
    assert_eq!(coinbase.close_code().await, Some(1001));
}

#[tokio::test]
async fn a_script_does_it_by_itself() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let script = r#"{"venue":"coinbase","fault":"gap","every_frames":50,"match":"\"match\""}
{"venue":"coinbase","fault":"disconnect","at_s":1.5}"#;
    std::fs::write(file.path(), script).unwrap();
    let server = start(|config| config.faults = file.path().to_owned()).await;
    let mut client = coinbase(&server).await;
    assert_eq!(client.close_code().await, None);
    let state = state_of(&server, "coinbase", |state| state["faults"]["disconnect"] == 1).await;
    let (frames, gaps) = (
        state["data_frames_sent"].as_u64().unwrap(),
        state["faults"]["gap"].as_u64().unwrap(),
    );
    assert!(gaps == frames / 50 || gaps + 1 == frames / 50, "{state}");
    assert!(state["frames_dropped"].as_u64() > Some(0));
}

#[tokio::test]
async fn wrong_commands_are_refused_with_the_reason() {
    let server = start(|_| {}).await;
    for (command, expected) in [
        ("", "not a JSON object"),
        (r#"{"fault":"gap"}"#, "`venue` is missing"),
        (r#"{"venue":"kraken","fault":"gop"}"#, "unknown variant"),
        (
            r#"{"venue":"kraken","fault":"oversized","bytes":99999999999}"#,
            "is above",
        ),
    ] {
        let answer = request(&server, "POST /control/fault HTTP/1.1\r\n", command).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains(expected), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_thrown_out() {
    let server = start(|config| config.events_per_second = 20_000).await;
    let mut client = Client::connect(&server, "/binance/stream?streams=btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker/ethusdt@bookTicker/solusdt@bookTicker").await;
    client.text().await;
    state_of(&server, "binance", |state| state["slow_clients"] == 1).await;
}

#[tokio::test]
async fn stopping_takes_leave_of_clients() {
    let server = start(|_| {}).await;
    let mut client = coinbase(&server).await;
    let stopped = tokio::spawn(server.stop());
    assert_eq!(client.close_code().await, Some(1001));
    stopped.await.unwrap();
}
