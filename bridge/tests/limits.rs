//! What one address may do, and what nobody may do without the token.

mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use support::live::{World, http, wait_for};
use support::tls::write_secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 8));

/// A connection from this address of ours.
async fn connect(world: &World, from: IpAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    socket.connect(world.address()).await.unwrap()
}

/// The status of a request from this address; 0 if the connection is closed without an answer.
async fn status(world: &World, from: IpAddr, path: &str, token: Option<&str>) -> u16 {
    let mut stream = connect(world, from).await;
    let token = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{token}\r\n",
        world.address()
    );
    let mut answer = Vec::new();
    // A connection that is refused may be gone before anything is written to it.
    let asked = stream.write_all(head.as_bytes()).await;
    let answered = stream.read_to_end(&mut answer).await;
    if asked.is_err() || answered.is_err() {
        return 0;
    }
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).map_or(0, |status| status.parse().unwrap())
}

fn limited(world: &World, limit: &str) -> u64 {
    let page = world.get("/metrics").1;
    let name = format!("limit=\"{limit}\"");
    let line = page.lines().find(|line| line.contains(&name));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_so_many_connections() {
    let world = World::start(|config| {
        config.bridge.limit_loopback = true;
        config.bridge.address_connections_max = 3;
        config.bridge.address_connects_per_second_max = 10_000;
    });
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(connect(&world, ONE).await);
    }
    assert_eq!(status(&world, ONE, "/healthz", None).await, 0);
    assert_eq!(status(&world, OTHER, "/healthz", None).await, 200);
    wait_for("it is counted", || limited(&world, "connections") == 1).await;
    drop(held);
    while status(&world, ONE, "/healthz", None).await != 200 {}
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_connects_so_often() {
    let world = World::start(|config| {
        config.bridge.limit_loopback = true;
        // The test's own questions come from 127.0.0.1, and are many.
        config.bridge.address_connects_per_second_max = 200;
        config.bridge.address_connections_max = 10_000;
    });
    let mut held = Vec::new();
    while limited(&world, "connects") == 0 {
        for _ in 0..400 {
            held.push(connect(&world, ONE).await);
        }
    }
    while status(&world, OTHER, "/healthz", None).await != 200 {}
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_guesses_so_often() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    write_secret(&token, "s3cret");
    let world = World::start(|config| {
        config.bridge.limit_loopback = true;
        config.bridge.token_file = token;
        config.bridge.address_wrong_tokens_per_minute_max = 3;
        config.bridge.address_connects_per_second_max = 10_000;
    });
    let ask = |from, token| status(&world, from, "/api/instruments", Some(token));
    assert_eq!(ask(ONE, "s3cret").await, 200);
    for _ in 0..3 {
        assert_eq!(ask(ONE, "guess").await, 401);
    }
    // From here on the right one is not looked at either, so a guesser learns nothing.
    for token in ["guess", "s3cret"] {
        assert_eq!(ask(ONE, token).await, 429);
    }
    assert_eq!(
        status(&world, ONE, "/", None).await,
        200,
        "what needs no token is served"
    );
    assert_eq!(ask(OTHER, "s3cret").await, 200);
}

#[test]
fn what_is_not_read_alone_needs_the_token_wherever_it_goes() {
    let ask = |world: &World, method: &str, path: &str, headers: &str| -> u16 {
        let address = world.address();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n{headers}");
        http(address, &head).split(' ').nth(1).unwrap().parse().unwrap()
    };
    let open = World::start(|_| {});
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    write_secret(&token, "s3cret");
    let guarded = World::start(|config| config.bridge.token_file = token);
    for path in [
        "/",
        "/healthz",
        "/ws",
        "/api/kill",
        "/api/arm",
        "/api/instruments",
        "/nowhere",
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            assert_eq!(ask(&open, method, path, ""), 403, "{method} {path}");
            assert_eq!(ask(&guarded, method, path, ""), 401, "{method} {path}");
        }
    }
    let right = "Authorization: Bearer s3cret\r\n";
    assert_eq!(ask(&guarded, "PUT", "/api/kill", right), 405);
    assert_eq!(ask(&guarded, "POST", "/nowhere", right), 404);
}
