//! Publisher, relay, bridge, client: the real ones.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::live::{Client, World, config, http, start_bridge, start_relay, wait_for, wait_until};
use support::{ClientBook, Producer};
use tickpath_bridge::{Bridge, Timing};
use tickpath_protocol::{Flags, Kind, Side, StatusCode, Venue};
use tickpath_service::Shutdown;
use tickpath_service::config::Wait;
use tickpath_service::exit::ExitCode;

const IMAGE: [(Side, i64, i64); 3] = [(Side::Bid, 100, 5), (Side::Bid, 99, 5), (Side::Ask, 101, 5)];

#[tokio::test]
async fn a_snapshot_then_every_update() {
    for wait in [Wait::Sleep, Wait::Yield, Wait::Spin] {
        every_update_arrives(World::start(|config| config.bridge.wait = wait)).await;
    }
}

async fn every_update_arrives(world: World) {
    let mut live = world.producer(Venue::KRAKEN);
    let btc = live.instrument("BTC/USD");
    let mut kraken = Producer::default();
    live.send(kraken.image(btc, &IMAGE));
    live.send([kraken.trade(btc, Side::Bid, 100, 7)]);
    wait_until("the instrument is known", || {
        world.get("/api/instruments").1.contains("BTC/USD")
    });
    wait_until("the book is known", || {
        world.get("/api/book/kraken/BTC/USD").1.contains("10.1")
    });

    let mut client = world.client().await;
    client
        .subscribe(&["trades", "quotes", "book", "status"], &["kraken:BTC/USD"])
        .await;
    let (mut book, mut trades, mut quotes) = (ClientBook::default(), Vec::new(), 0);
    let mut snapshots = Vec::new();
    while snapshots.len() < 5 {
        let message = client.next().await;
        assert_eq!(message["type"], "snapshot");
        snapshots.push(message["channel"].as_str().unwrap().to_owned());
        match message["channel"].as_str() {
            Some("book") => book.apply(&message),
            Some("trades") => assert_eq!(message["data"][0]["size"], "0.007"),
            _ => {}
        }
    }
    snapshots.sort();
    assert_eq!(snapshots, ["book", "quotes", "status", "status", "trades"]);

    let mut expected = tickpath_protocol::OrderBook::new();
    for (side, price, size) in IMAGE {
        expected.apply(side, price, size).unwrap();
    }
    for round in 0..500 {
        let level = [
            (Side::Bid, 90 + round % 7, round % 3),
            (Side::Ask, 102 + round % 5, round % 4),
        ];
        for (side, price, size) in level {
            expected.apply(side, price, size).unwrap();
        }
        live.send(kraken.levels(btc, Flags::NONE, &level));
        live.send([kraken.trade(btc, Side::Ask, 1000 + round, 1)]);
        live.send(kraken.quote(btc, 100, 101));
    }
    let mut last_sequence = 0;
    while trades.len() < 500 || quotes < 500 || book.sequence < 3_499 {
        let message = client.next().await;
        assert_eq!(message["type"], "update");
        let sequence = message["data"][0]["sequence"].as_u64().unwrap();
        match message["channel"].as_str() {
            Some("book") => book.apply(&message),
            Some("trades") => trades.push(message["data"][0]["price"].as_str().unwrap().to_owned()),
            Some("quotes") => quotes += 1,
            _ => panic!("{message}"),
        }
        assert!(sequence > last_sequence, "the producer's order");
        last_sequence = sequence;
        if trades.len() == 500 && quotes == 500 {
            break;
        }
    }
    let sent: Vec<_> = (0..500)
        .map(|round| format!("{}.{}", (1000 + round) / 10, (1000 + round) % 10))
        .collect();
    assert_eq!(trades, sent);
    let levels = |side| expected.levels(side).map(|level| level.price).collect::<Vec<_>>();
    assert_eq!(book.bids.keys().rev().copied().collect::<Vec<_>>(), levels(Side::Bid));
    assert_eq!(book.asks.keys().copied().collect::<Vec<_>>(), levels(Side::Ask));
    assert!(book.trusted);

    wait_until("it is known to read", || {
        let metrics = world.get("/metrics").1;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("tickpath_bridge_clients_proven_total"));
        line.is_some_and(|line| line.ends_with(" 1"))
    });

    let document: Value = serde_json::from_str(&world.get("/api/book/kraken/BTC/USD?depth=1").1).unwrap();
    assert_eq!(document["bids"].as_array().unwrap().len(), 1);
    assert_eq!(document["trusted"], json!(true));
}

#[tokio::test]
async fn a_slow_client_is_conflated_then_closed_and_others_are_not() {
    let world = World::start(|config| {
        config.bridge.queue_messages_max = 64;
        config.bridge.slow_client_ms = 500;
    });
    let mut live = world.producer(Venue::KRAKEN);
    let btc = live.instrument("BTC/USD");
    let mut kraken = Producer::default();
    let image: Vec<_> = (0..400).map(|price| (Side::Bid, 1_000_000 + price, 5)).collect();
    live.send(kraken.image(btc, &image));
    wait_until("the instrument is known", || {
        world.get("/api/instruments").1.contains("BTC/USD")
    });
    let mut stuck = world.client().await;
    stuck.subscribe(&["book"], &["*"]).await;
    let mut quick = world.client().await;
    quick.subscribe(&["quotes"], &["*"]).await;

    // Whole images, so that the kernel's buffers fill soon.
    let mut quotes = 0;
    while world.metric("tickpath_bridge_disconnected_slow_total") == 0 {
        for _ in 0..20 {
            live.send(kraken.levels(btc, Flags::NONE, &image));
        }
        quotes += 1;
        live.send(kraken.quote(btc, quotes, quotes + 1));
        let wanted = json!(format!("{}.{}", quotes / 10, quotes % 10));
        quick.find(|message| message["data"][0]["bid"] == wanted).await;
    }
    assert!(world.metric("tickpath_bridge_conflated_total") > 0);
    let (messages, close) = stuck.rest().await;
    let close = close.expect("it is told why");
    assert_eq!(u16::from(close.code), 1008);
    assert!(close.reason.contains("slow"), "{}", close.reason);
    assert!(messages.iter().all(|message| message["channel"] == "book"));
    wait_until("it is gone", || world.metric("tickpath_bridge_clients{") == 1);
}

#[tokio::test]
async fn a_client_that_pauses_gets_the_newest_state() {
    for wait in [Wait::Sleep, Wait::Yield] {
        let world = World::start(|config| {
            config.bridge.queue_messages_max = 8;
            config.bridge.wait = wait;
        });
        newest_state_after_a_pause(world).await;
    }
}

async fn newest_state_after_a_pause(world: World) {
    let mut live = world.producer(Venue::KRAKEN);
    let btc = live.instrument("BTC/USD");
    let mut kraken = Producer::default();
    let levels: Vec<_> = (0..400).map(|price| (Side::Bid, 1_000_000 + price, 5)).collect();
    live.send(kraken.image(btc, &levels));
    wait_until("the instrument is known", || {
        world.get("/api/instruments").1.contains("BTC/USD")
    });
    let mut client = world.client().await;
    client.subscribe(&["book"], &["*"]).await;
    let mut sent = 0;
    while world.metric("tickpath_bridge_conflated_total") == 0 {
        for _ in 0..20 {
            live.send(kraken.levels(btc, Flags::NONE, &levels));
            sent += 1;
        }
        // The rings hold two such rounds.
        let newest = format!("\"sequence\":{}}}", kraken.sequence);
        wait_for("the round has passed", || {
            world.get("/api/book/kraken/BTC/USD?depth=0").1.contains(&newest)
        })
        .await;
    }
    let last = kraken.levels(btc, Flags::NONE, &[(Side::Ask, 2_000_000, 1)]);
    live.send(last);
    sent += 1;
    let (mut book, mut updates, mut conflated) = (ClientBook::default(), 0, 0);
    while !book.asks.contains_key(&2_000_000) {
        let message = client.next().await;
        book.apply(&message);
        match message["conflated"].as_u64() {
            Some(count) => conflated += count,
            None if message["type"] == "update" => updates += 1,
            None => {}
        }
    }
    assert!(conflated > 0);
    assert_eq!(updates + conflated, sent, "every update was delivered or counted");
    assert_eq!(book.bids.len(), 400);
}

#[tokio::test]
async fn the_relay_may_go_and_come_back() {
    for wait in [Wait::Sleep, Wait::Yield] {
        relay_goes_and_comes_back(World::start(|config| config.bridge.wait = wait)).await;
    }
}

async fn relay_goes_and_comes_back(mut world: World) {
    let mut live = world.producer(Venue::KRAKEN);
    let btc = live.instrument("BTC/USD");
    let mut kraken = Producer::default();
    live.send(kraken.image(btc, &IMAGE));
    wait_until("the book is known", || {
        world.get("/api/book/kraken/BTC/USD").1.contains("10.1")
    });
    let mut client = world.client().await;
    client.subscribe(&["book", "trades"], &["*"]).await;
    client
        .find(|message| message["data"][0]["trusted"] == json!(true))
        .await;

    world.restart_relay();
    client
        .find(|message| message["data"][0]["trusted"] == json!(false))
        .await;
    live.send([kraken.trade(btc, Side::Bid, 555, 1)]);
    let mut is_trusted = false;
    let mut has_trade = false;
    while !(is_trusted && has_trade) {
        let message = client.next().await;
        is_trusted |= message["data"][0]["trusted"] == json!(true);
        has_trade |= message["data"][0]["price"] == "55.5";
    }
    assert_eq!(world.metric("tickpath_bridge_missing_total"), 0);
}

#[tokio::test]
async fn a_bridge_that_comes_late_asks_for_whole_books() {
    let world = World::start(|_| {});
    let mut live = world.producer(Venue::KRAKEN);
    let btc = live.instrument("BTC/USD");
    let mut kraken = Producer::default();
    // An image that came before this reader listened: all that it sees are changes.
    live.send(kraken.levels(btc, Flags::NONE, &[(Side::Bid, 98, 1)]));
    wait_until("the book is known", || {
        world.get("/api/book/kraken/BTC/USD").1.contains("9.8")
    });
    let mut client = world.client().await;
    client.subscribe(&["book", "status"], &["*"]).await;
    let untrusted = client.find(|message| message["channel"] == "book").await;
    assert_eq!(untrusted["data"][0]["trusted"], json!(false));
    wait_until("the producer is asked", || live.publisher.take_image_request());
    live.send(kraken.image(btc, &IMAGE));
    let image = client.find(|message| message["channel"] == "book").await;
    assert_eq!(
        (&image["type"], &image["data"][0]["trusted"]),
        (&json!("snapshot"), &json!(true))
    );
    client
        .find(|message| message["data"][0]["status"] == "book_trusted")
        .await;
    wait_until("the request is counted", || {
        world.metric("tickpath_bridge_images_requested_total") > 0
    });
}

#[tokio::test]
async fn a_bridge_waits_for_its_relay() {
    let dir = tempfile::tempdir().unwrap();
    let bridge = start_bridge(&dir, Timing::default(), |_| {});
    let mut world = World {
        dir,
        relay: None,
        bridge,
    };
    assert_eq!(world.get("/healthz").0, 503);
    assert_eq!(world.get("/").0, 200);
    assert_eq!(world.get("/api/instruments"), (200, "[]".into()));
    wait_until("own metrics without a relay", || {
        world.get("/metrics").1.contains("tickpath_bridge_clients")
    });
    let mut client = world.client().await;
    client.subscribe(&["trades"], &["*"]).await;
    world.relay = Some(start_relay(&world.dir));
    wait_until("it attaches", || world.get("/healthz").0 == 200);
    let mut live = world.producer(Venue::KRAKEN);
    let btc = live.instrument("BTC/USD");
    live.send([Producer::default().trade(btc, Side::Bid, 5, 1)]);
    client.find(|message| message["data"][0]["price"] == "0.5").await;
}

#[tokio::test]
async fn the_system_report_names_processes_and_hops() {
    let world = World::start(|_| {});
    let mut live = world.producer(Venue::KRAKEN);
    let btc = live.instrument("BTC/USD");
    let mut kraken = Producer::default();
    let mut client = world.client().await;
    client.send(r#"{"op":"subscribe","channels":["system"],"id":2}"#).await;
    assert_eq!(client.next().await["op"], "subscribed");
    let has_name = |message: &Value, name: &str| {
        let processes = message["data"]["processes"].as_array();
        processes.is_some_and(|processes| processes.iter().any(|process| process["name"] == name))
    };
    loop {
        live.send([kraken.trade(btc, Side::Bid, 5, 1)]);
        let message = client.next().await;
        assert_eq!(
            (&message["channel"], &message["type"]),
            (&json!("system"), &json!("update"))
        );
        let hops = message["data"]["latency"].as_array().unwrap();
        let has_hop = |hop: &str| hops.iter().any(|entry| entry["hop"] == hop);
        let has_all = ["relay", "bridge", "collector-kraken"]
            .iter()
            .all(|name| has_name(&message, name));
        if has_all && has_hop("publish_to_bridge") && has_hop("recv_to_bridge") {
            assert_eq!(message["data"]["bridge"]["clients"], 1);
            break;
        }
    }
    let metrics = world.get("/metrics").1;
    assert!(metrics.contains("process=\"relay\""), "{metrics}");
    assert!(metrics.contains("tickpath_bridge_publish_to_bridge_seconds_count"));
}

#[tokio::test]
async fn statuses_pass_through() {
    let world = World::start(|_| {});
    let mut live = world.producer(Venue::KRAKEN);
    let btc = live.instrument("BTC/USD");
    let mut kraken = Producer::default();
    live.send([kraken.status(StatusCode::Subscribed, btc, 0, 0)]);
    wait_until("the instrument is known", || {
        world.get("/api/instruments").1.contains("BTC/USD")
    });
    let mut client = world.client().await;
    client.subscribe(&["status"], &["kraken:*"]).await;
    live.send([
        kraken.status(StatusCode::Connected, tickpath_protocol::InstrumentId::NONE, 0, 0),
        kraken.status(StatusCode::BookUntrusted, btc, 4, 0),
        kraken.record(Kind::Heartbeat, btc, Flags::LAST, 0, 0),
    ]);
    let venue = client.find(|message| message["data"][0]["status"] == "connected").await;
    assert_eq!(venue["symbol"], Value::Null);
    let book = client
        .find(|message| message["data"][0]["status"] == "book_untrusted")
        .await;
    assert_eq!(
        (&book["symbol"], &book["data"][0]["cause"]),
        (&json!("BTC/USD"), &json!("checksum"))
    );
}

#[tokio::test]
async fn stopping_says_goodbye() {
    for wait in [Wait::Sleep, Wait::Yield] {
        says_goodbye(World::start(|config| config.bridge.wait = wait)).await;
    }
}

async fn says_goodbye(world: World) {
    let mut client = world.client().await;
    let reading = tokio::spawn(async move { client.rest().await });
    tokio::task::spawn_blocking(move || world.bridge.stop())
        .await
        .unwrap()
        .unwrap();
    let (_, close) = reading.await.unwrap();
    assert_eq!(u16::from(close.expect("a close frame").code), 1001);
}

#[test]
fn a_port_in_use_is_told() {
    let world = World::start(|_| {});
    let mut config = config(&world.dir);
    config.bridge.listen = world.address();
    let error = Bridge::start(&config, Timing::default(), Shutdown::new()).unwrap_err();
    assert_eq!(error.code(), ExitCode::Unavailable);
    assert!(error.to_string().contains(&world.address().to_string()), "{error}");
}

#[test]
fn the_page_and_its_headers() {
    let world = World::start(|_| {});
    let head = format!("Host: {}\r\n", world.address());
    for (path, content_type) in [
        ("/", "text/html"),
        ("/assets/app.js", "text/javascript"),
        ("/assets/app.css", "text/css"),
    ] {
        let response = http(world.address(), &format!("GET {path} HTTP/1.1\r\n{head}"));
        assert!(response.starts_with("HTTP/1.1 200"), "{path}: {response}");
        let headers = response.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        assert!(headers.contains(&format!("content-type: {content_type}")), "{headers}");
        assert!(
            headers.contains("content-security-policy: default-src 'self'"),
            "{headers}"
        );
        assert!(headers.contains("x-content-type-options: nosniff"), "{headers}");
    }
    let api = http(world.address(), &format!("GET /api/instruments HTTP/1.1\r\n{head}"));
    assert!(api.to_ascii_lowercase().contains("cache-control: no-store"));
    for (request, status, code) in [
        ("GET /nowhere", 404, "not_found"),
        ("POST /healthz", 403, "no_token_configured"),
        ("GET /api/book/kraken/NO/SUCH", 404, "unknown_symbol"),
        ("GET /api/book/krakn/BTC/USD", 404, "unknown_venue"),
        ("GET /api/book/kraken/BTC/USD?depth=-1", 400, "bad_depth"),
        ("GET /ws", 400, "websocket_required"),
    ] {
        let response = http(world.address(), &format!("{request} HTTP/1.1\r\n{head}"));
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status}")),
            "{request}: {response}"
        );
        assert!(
            response.contains(&format!("\"code\":\"{code}\"")),
            "{request}: {response}"
        );
    }
}

#[tokio::test]
async fn a_client_that_answers_no_ping_goes() {
    let timing = Timing {
        ping_interval: Duration::from_millis(100),
        close_grace: Duration::from_millis(100),
        ..Timing::default()
    };
    let world = World::start_with(timing, |_| {});
    // It stays open and reads nothing, so nothing answers the pings.
    let silent = world.client().await;
    let mut lively = world.client().await;
    wait_until("both are counted", || world.get("/healthz").1.contains("\"clients\":2"));
    let pings = async {
        loop {
            lively.send(r#"{"op":"ping","id":1}"#).await;
            assert_eq!(lively.next().await["op"], "pong");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    tokio::select! {
        () = pings => {}
        () = wait_for("the silent one goes", || world.get("/healthz").1.contains("\"clients\":1")) => {}
    }
    drop(silent);
    let late = Client::connect(world.address(), &[]).await;
    assert!(late.is_ok());
}
