//! Clients that break every rule: each ends in an answer or a close with a reason, and the bridge serves on.

mod support;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use support::live::{Client, DEADLINE, World, http, wait_until};
use tickpath_bridge::rate::PINGS_PER_SECOND_MAX;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

/// Whoever was hostile, the next client is served.
async fn check_alive(world: &World) {
    let mut client = world.client().await;
    client.send(r#"{"op":"ping","id":"alive"}"#).await;
    assert_eq!(client.next().await, json!({"op": "pong", "id": "alive"}));
}

#[tokio::test]
async fn bad_requests_are_answered() {
    let world = World::start(|_| {});
    let mut client = world.client().await;
    for (frame, code) in [
        ("", "bad_json"),
        ("{", "bad_json"),
        (
            "{\"op\":\"subscribe\",\"channels\":[\"trades\"],\"symbols\":[\"kraken:NO/SUCH\"]}",
            "unknown_symbol",
        ),
        (
            "{\"op\":\"subscribe\",\"channels\":[\"candles\"],\"symbols\":[\"*\"]}",
            "unknown_channel",
        ),
        ("{\"op\":\"order\"}", "unknown_op"),
    ] {
        client.send(frame).await;
        let reply = client.next().await;
        assert_eq!(
            (&reply["op"], &reply["code"]),
            (&json!("error"), &json!(code)),
            "{frame}"
        );
    }
    client.send("[".repeat(50_000)).await;
    assert_eq!(client.next().await["code"], "bad_json");
    client
        .socket
        .send(Message::binary(vec![0xff, 0xfe, 0x00]))
        .await
        .unwrap();
    assert_eq!(client.next().await["code"], "bad_json");
    client
        .socket
        .send(Message::binary(&br#"{"op":"ping","id":3}"#[..]))
        .await
        .unwrap();
    assert_eq!(client.next().await, json!({"op": "pong", "id": 3}));
}

#[tokio::test]
async fn a_frame_too_large_is_told_and_closed() {
    let world = World::start(|config| config.bridge.frame_bytes_max = 1_000);
    let mut client = world.client().await;
    let sent = client.socket.send(Message::text("x".repeat(1_000_000))).await;
    assert!(sent.is_ok(), "{sent:?}");
    let (messages, close) = client.rest().await;
    assert_eq!(messages[0]["code"], "frame_too_large");
    assert_eq!(u16::from(close.expect("a close frame").code), 1009);
    check_alive(&world).await;
}

#[tokio::test]
async fn many_fragments_are_one_frame() {
    let world = World::start(|config| config.bridge.frame_bytes_max = 1_000);
    let mut stream = raw_websocket(&world);
    // A text frame that is not the last of its message, then continuations without end.
    let mut bytes = vec![0x01, 0x80 | 100, 0, 0, 0, 0];
    bytes.extend([b'x'; 100]);
    for _ in 0..50 {
        bytes.extend([0x00, 0x80 | 100, 0, 0, 0, 0]);
        bytes.extend([b'x'; 100]);
    }
    stream.write_all(&bytes).unwrap();
    assert_eq!(close_code(&read_to_end(&mut stream)), Some(1009));
    check_alive(&world).await;
}

#[tokio::test]
async fn text_that_is_not_utf8_is_closed() {
    let world = World::start(|_| {});
    let mut stream = raw_websocket(&world);
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe]).unwrap();
    let response = read_to_end(&mut stream);
    assert!(String::from_utf8_lossy(&response).contains("bad_json"));
    assert_eq!(close_code(&response), Some(1007));
    check_alive(&world).await;
}

#[tokio::test]
async fn bytes_that_are_no_frames_are_closed() {
    let world = World::start(|_| {});
    for garbage in [
        &[0xff; 64][..],
        &[0x81, 0x05, b'h', b'e', b'l', b'l', b'o'],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = raw_websocket(&world);
        stream.write_all(garbage).unwrap();
        assert_eq!(close_code(&read_to_end(&mut stream)), Some(1002));
    }
    check_alive(&world).await;
}

#[tokio::test]
async fn a_flood_is_refused_then_closed() {
    let world = World::start(|config| config.bridge.requests_per_second_max = 5);
    let mut client = world.client().await;
    for _ in 0..2_000 {
        if client
            .socket
            .feed(Message::text(r#"{"op":"ping","id":1}"#))
            .await
            .is_err()
        {
            break;
        }
    }
    // The bridge may have closed before all of it was sent.
    let flushed = client.socket.flush().await;
    let (messages, close) = client.rest().await;
    let count = |code: &str| messages.iter().filter(|message| message["code"] == code).count();
    assert!(count("rate_limited") > 0, "{flushed:?} {messages:?}");
    assert!(
        messages.len() < 200,
        "a flood is not answered one for one: {}",
        messages.len()
    );
    assert_eq!(u16::from(close.expect("a close frame").code), 1008);
    check_alive(&world).await;
}

#[tokio::test]
async fn a_flood_of_pings_is_closed_after_a_few_answers() {
    let world = World::start(|config| config.bridge.requests_per_second_max = 1000);
    let mut client = world.client().await;
    for _ in 0..2_000 {
        if client
            .socket
            .feed(Message::Ping(Bytes::from_static(b"x")))
            .await
            .is_err()
        {
            break;
        }
    }
    let flushed = client.socket.flush().await;
    let mut pongs = 0;
    let close = loop {
        match client.socket.next().await {
            Some(Ok(Message::Pong(_))) => pongs += 1,
            Some(Ok(Message::Close(frame))) => break frame,
            Some(Ok(_)) => {}
            end => panic!("no close frame; {flushed:?}, {end:?}"),
        }
    };
    assert_eq!(u16::from(close.expect("a reason").code), 1008);
    // Two seconds' worth at most: the flood comes in one go.
    assert!(pongs <= 2 * PINGS_PER_SECOND_MAX, "{pongs}");
    check_alive(&world).await;
}

#[tokio::test]
async fn subscriptions_have_a_limit() {
    let world = World::start(|config| config.bridge.subscriptions_max = 2);
    let mut live = world.producer(tickpath_protocol::Venue::KRAKEN);
    for symbol in ["A/B", "C/D", "E/F"] {
        let id = live.instrument(symbol);
        live.send([support::Producer::default().trade(id, tickpath_protocol::Side::Bid, 1, 1)]);
    }
    wait_until("instruments are known", || {
        world.get("/api/instruments").1.contains("E/F")
    });
    let mut client = world.client().await;
    client
        .send(r#"{"op":"subscribe","channels":["trades"],"symbols":["*"],"id":9}"#)
        .await;
    let reply = client.next().await;
    assert_eq!(
        (&reply["code"], &reply["id"]),
        (&json!("too_many_subscriptions"), &json!(9))
    );
    client.subscribe(&["trades"], &["kraken:A/B", "kraken:C/D"]).await;
}

#[tokio::test]
async fn clients_have_a_limit() {
    let world = World::start(|config| config.bridge.clients_max = 2);
    let first = world.client().await;
    let _second = world.client().await;
    let Err(Error::Http(response)) = Client::connect(world.address(), &[]).await else {
        panic!("a third client came in");
    };
    assert_eq!(response.status(), 503);
    drop(first);
    let deadline = std::time::Instant::now() + DEADLINE;
    while Client::connect(world.address(), &[]).await.is_err() {
        assert!(
            std::time::Instant::now() < deadline,
            "the place of a client that went is free again"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn foreign_origins_and_hosts_stay_out() {
    let world = World::start(|config| config.bridge.origins = vec!["https://desk.example".into()]);
    let own = format!("http://{}", world.address());
    for (origin, expected) in [
        (own.as_str(), true),
        ("https://desk.example", true),
        ("http://evil.example", false),
        ("null", false),
    ] {
        let result = Client::connect(world.address(), &[("origin", origin)]).await;
        match result {
            Ok(_) => assert!(expected, "{origin}"),
            Err(Error::Http(response)) => assert!(!expected && response.status() == 403, "{origin}"),
            Err(error) => panic!("{origin}: {error}"),
        }
    }
    let rebound = http(
        world.address(),
        "GET /api/instruments HTTP/1.1\r\nHost: evil.example\r\n",
    );
    assert!(rebound.starts_with("HTTP/1.1 403"), "{rebound}");
    check_alive(&world).await;
}

#[tokio::test]
async fn without_the_token_only_the_page_and_health_are_served() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "s3cret\n").unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let world = World::start(|config| config.bridge.token_file = file.path().to_owned());
    for (path, status) in [
        ("/", 200),
        ("/assets/app.js", 200),
        ("/healthz", 200),
        ("/metrics", 401),
        ("/api/instruments", 401),
        ("/ws", 401),
    ] {
        assert_eq!(world.get(path).0, status, "{path}");
    }
    let head = format!("Host: {}\r\nAuthorization: Bearer s3cret\r\n", world.address());
    let api = http(world.address(), &format!("GET /api/instruments HTTP/1.1\r\n{head}"));
    assert!(api.starts_with("HTTP/1.1 200"), "{api}");
    for (headers, expected) in [
        (&[][..], false),
        (&[("authorization", "Bearer wrong")][..], false),
        (&[("authorization", "Bearer s3cret")][..], true),
        (&[("sec-websocket-protocol", "tickpath, bearer.s3cret")][..], true),
        (&[("sec-websocket-protocol", "tickpath, bearer.wrong")][..], false),
    ] {
        let result = Client::connect(world.address(), headers).await;
        match result {
            Ok(_) => assert!(expected, "{headers:?}"),
            Err(Error::Http(response)) => assert!(!expected && response.status() == 401, "{headers:?}"),
            Err(error) => panic!("{headers:?}: {error}"),
        }
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_do_not_pile_up() {
    let world = World::start(|config| config.bridge.requests_per_second_max = 1_000_000);
    let mut client = world.client().await;
    let text = json!({"op": "ping", "id": "x".repeat(60)}).to_string();
    // It sends and never reads, until the bridge has enough.
    let flood = async {
        loop {
            if client.socket.send(Message::text(text.clone())).await.is_err() {
                break;
            }
        }
    };
    let is_closed = tokio::time::timeout(DEADLINE, flood).await.is_ok();
    assert!(is_closed || world.get("/healthz").1.contains("\"clients\":0"));
    check_alive(&world).await;
}

#[test]
fn slow_and_absurd_http_is_bounded() {
    let world = World::start(|_| {});
    let long = format!("GET /{} HTTP/1.1\r\nHost: {}\r\n", "a".repeat(100_000), world.address());
    let mut stream = std::net::TcpStream::connect(world.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // The bridge may close before all of it was sent.
    if stream.write_all(long.as_bytes()).is_ok() {
        let response = read_to_end(&mut stream);
        let text = String::from_utf8_lossy(&response);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
    }
    assert_eq!(world.get("/healthz").0, 200);
}

/// A connection past the handshake, to write raw frames on.
fn raw_websocket(world: &World) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(world.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        world.address()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

fn read_to_end(stream: &mut std::net::TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    bytes
}

/// The code of the close frame at the end of a server's bytes: unmasked, so its reason stands in clear behind it.
fn close_code(bytes: &[u8]) -> Option<u16> {
    let at = bytes.windows(2).rposition(|pair| pair[0] == 0x88 && pair[1] >= 2)?;
    let code = bytes.get(at + 2..at + 4)?;
    Some(u16::from_be_bytes([code[0], code[1]]))
}

#[test]
fn errors_are_json() {
    let world = World::start(|_| {});
    let (status, body) = world.get("/nowhere");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["error"]["code"]), (404, &json!("not_found")));
}
