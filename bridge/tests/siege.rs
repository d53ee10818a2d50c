//! Many hostile clients of every kind beside one honest client: each of them ends in a disconnect that is counted, memory stays bounded, and the honest one
//! misses nothing.

mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use support::Producer;
use support::live::{Client, World, wait_for};
use support::tls::write_secret;
use tickpath_bridge::Timing;
use tickpath_protocol::{Side, Venue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// Hostile clients of a kind.
const EACH: u64 = 25;
/// Connections of the storm, from one address.
const STORM: usize = 300;
const STORM_ALLOWED: usize = 100;
/// Trades that may be under way to the honest client: it is what paces the producer, not the machine.
const WINDOW: u64 = 100;
/// Memory that the siege may cost, generously: with no limit it would be a multiple.
const RSS_GROWTH_KIB_MAX: u64 = 256 << 10;
/// No hostile client is left for longer.
const PATIENCE: Duration = Duration::from_secs(100);

const TOKEN: &str = "Authorization: Bearer s3cret\r\n";
const STORMING: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77));

/// What a hostile client does once it is connected.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Subscribes to everything and takes nothing.
    NeverReads,
    /// A byte of the request's head now and then.
    SlowHandshake,
    /// A frame of a gigabyte, by its head.
    HugeFrame,
    /// A message in fragments without end.
    Fragments,
    /// Frames without a mask.
    WrongMask,
    /// Pings as fast as they go out.
    PingFlood,
    /// A text that is none.
    BadText,
    /// No HTTP.
    Garbage,
    /// No token.
    NoToken,
    /// A page of somebody else.
    WrongOrigin,
}

const KINDS: [Kind; 10] = [
    Kind::NeverReads,
    Kind::SlowHandshake,
    Kind::HugeFrame,
    Kind::Fragments,
    Kind::WrongMask,
    Kind::PingFlood,
    Kind::BadText,
    Kind::Garbage,
    Kind::NoToken,
    Kind::WrongOrigin,
];

/// Each kind comes from an address of its own, so that only the storm reaches the limit of one.
fn address_of(kind: Kind) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1 + kind as u8))
}

async fn connect(bridge: SocketAddr, from: IpAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.connect(bridge).await.unwrap()
}

fn upgrade(bridge: SocketAddr, headers: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: {bridge}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

/// A frame as clients send them, with a mask of zeros.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![opcode, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}

/// One hostile client, until the bridge has enough of it.
async fn attack(bridge: SocketAddr, kind: Kind) {
    let mut stream = connect(bridge, address_of(kind)).await;
    let head = match kind {
        Kind::NoToken => upgrade(bridge, ""),
        Kind::WrongOrigin => upgrade(bridge, &format!("{TOKEN}Origin: http://evil.example\r\n")),
        Kind::Garbage => "\0\u{1}\u{2} what?\r\n\r\n".to_owned(),
        _ => upgrade(bridge, TOKEN),
    };
    if let Kind::SlowHandshake = kind {
        return drip(stream, head.as_bytes()).await;
    }
    stream.write_all(head.as_bytes()).await.unwrap();
    let bytes = match kind {
        Kind::NeverReads => frame(0x81, br#"{"op":"subscribe","channels":["trades"],"symbols":["*"]}"#),
        Kind::HugeFrame => vec![0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 1],
        Kind::Fragments => frame(0x01, &[b'x'; 100]),
        Kind::WrongMask => vec![0x81, 0x05, b'h', b'e', b'l', b'l', b'o'],
        Kind::BadText => frame(0x81, &[0xff, 0xfe]),
        Kind::PingFlood => frame(0x89, b"x"),
        Kind::SlowHandshake | Kind::Garbage | Kind::NoToken | Kind::WrongOrigin => Vec::new(),
    };
    let (mut reading, mut writing) = stream.into_split();
    let write = async {
        // The bridge may close before all of it was sent, which is what is wanted.
        if writing.write_all(&bytes).await.is_err() {
            return;
        }
        let more = match kind {
            Kind::Fragments => frame(0x00, &[b'x'; 100]),
            Kind::PingFlood => bytes.clone(),
            _ => return std::future::pending().await,
        };
        while writing.write_all(&more).await.is_ok() {}
    };
    let read = async {
        let mut answer = [0; 1024];
        if let Kind::NeverReads = kind {
            // Only whether the connection is gone.
            while !matches!(reading.peek(&mut answer).await, Ok(0) | Err(_)) && !is_closed(&reading) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            return;
        }
        while !matches!(reading.read(&mut answer).await, Ok(0) | Err(_)) {}
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
}

/// Whether the bridge has closed a connection of which much was never read.
fn is_closed(stream: &tokio::net::tcp::OwnedReadHalf) -> bool {
    const ESTABLISHED: &str = "01";
    let (Ok(own), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else {
        return true;
    };
    let hex = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port()),
        IpAddr::V6(_) => String::new(),
    };
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let pair = format!("{} {} ", hex(own), hex(peer));
    !table.lines().any(|line| line.contains(&format!("{pair}{ESTABLISHED}")))
}

async fn drip(mut stream: TcpStream, head: &[u8]) {
    for byte in head.iter().take(head.len() - 1).cycle() {
        let mut answer = [0];
        let sent = stream.write_all(&[*byte]).await;
        let pause = tokio::time::sleep(Duration::from_millis(200));
        tokio::select! {
            _ = stream.read(&mut answer) => return,
            () = pause => {}
        }
        if sent.is_err() {
            return;
        }
    }
}

/// Many connections at once that say nothing, from one address.
async fn storm(bridge: SocketAddr) {
    let mut held = Vec::new();
    for _ in 0..STORM {
        held.push(connect(bridge, STORMING).await);
    }
    for mut stream in held {
        // Closed at once, or after the time for a head.
        while !matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)) {}
    }
}

fn rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A counter of the bridge, of all labels, asked with the token.
fn counter(world: &World, name: &str) -> u64 {
    let head = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n{TOKEN}", world.address());
    let page = support::live::http(world.address(), &head);
    let lines = page.lines().filter(|line| line.starts_with(name));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

/// Where the honest client is, and where it ends.
#[derive(Default)]
struct Progress {
    read: AtomicU64,
    is_over: AtomicBool,
    last: AtomicU64,
}

/// Publishes trades, [`WINDOW`] ahead of who reads them at most, until the end; returns how many.
fn publish(mut live: support::live::LiveProducer, progress: &Progress) -> u64 {
    let instrument = live.instrument("BTC/USD");
    let (mut numbers, mut sent) = (Producer::default(), 0);
    let mut send = |sent: &mut u64| {
        *sent += 1;
        live.send([numbers.trade(instrument, Side::Bid, *sent as i64, 1)]);
    };
    while !progress.is_over.load(Ordering::Relaxed) {
        if sent < progress.read.load(Ordering::Relaxed) + WINDOW {
            send(&mut sent);
        } else {
            std::thread::yield_now();
        }
    }
    // Known before it is sent, so that who reads it knows that it is the last one.
    progress.last.store(sent + 1, Ordering::Release);
    send(&mut sent);
    sent
}

/// Reads trades to the last one; each is one more than the one before.
async fn follow(mut client: Client, progress: Arc<Progress>) -> u64 {
    let mut count = 0;
    loop {
        let message = client.next().await;
        assert!(
            message.get("conflated").is_none() && message.get("skipped").is_none(),
            "{message}"
        );
        for trade in message["data"].as_array().into_iter().flatten() {
            let sequence = trade["sequence"].as_u64().unwrap();
            // The first message is a snapshot of what came before.
            assert!(count == 0 || sequence == count + 1, "{sequence} after {count}");
            count = sequence;
        }
        progress.read.store(count, Ordering::Relaxed);
        let last = progress.last.load(Ordering::Acquire);
        if last > 0 && count >= last {
            return count;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_client_beside_many_hostile_ones_misses_nothing() {
    let secret = tempfile::tempdir().unwrap();
    let token = secret.path().join("token");
    write_secret(&token, "s3cret");
    let timing = Timing {
        proving: Duration::from_millis(500),
        ping_interval: Duration::from_secs(5),
        // Longer than the storm takes to gather on a slow machine.
        head_timeout: Duration::from_secs(10),
        close_grace: Duration::from_secs(1),
        linger: Duration::from_secs(10),
    };
    let world = World::start_with(timing, |config| {
        config.bridge.token_file = token;
        config.bridge.frame_bytes_max = 4 << 10;
        config.bridge.requests_per_second_max = 20;
        config.bridge.queue_messages_max = 512;
        config.bridge.slow_client_ms = 1_000;
        config.bridge.limit_loopback = true;
        config.bridge.address_connections_max = STORM_ALLOWED;
        config.bridge.address_connects_per_second_max = 100_000;
    });
    let address = world.address();
    let progress = Arc::<Progress>::default();
    let mut honest = Client::connect(address, &[("authorization", "Bearer s3cret")])
        .await
        .unwrap();
    honest.subscribe(&["trades"], &["*"]).await;
    let live = world.producer(Venue::KRAKEN);
    let paced = Arc::clone(&progress);
    let publisher = std::thread::spawn(move || publish(live, &paced));
    let follower = tokio::spawn(follow(honest, Arc::clone(&progress)));
    wait_for("trades arrive", || progress.read.load(Ordering::Relaxed) > 10).await;

    let before = rss_kib();
    let mut attackers = JoinSet::new();
    attackers.spawn(async move {
        storm(address).await;
        "Storm".to_owned()
    });
    for kind in KINDS.into_iter().cycle().take(KINDS.len() * EACH as usize) {
        attackers.spawn(async move {
            attack(address, kind).await;
            format!("{kind:?}")
        });
    }
    let siege = async { while attackers.join_next().await.is_some_and(|ended| ended.is_ok()) {} };
    tokio::time::timeout(PATIENCE, siege)
        .await
        .expect("each of them is got rid of");
    assert!(attackers.is_empty(), "an attacker failed");
    let grown = rss_kib().saturating_sub(before);
    assert!(grown <= RSS_GROWTH_KIB_MAX, "{grown} KiB more");

    let reached = |name: &str, least: u64| {
        let found = counter(&world, name);
        (found < least).then(|| format!("{name} {found} of {least}"))
    };
    let counted = || {
        let idle = counter(&world, "tickpath_bridge_timeouts_total")
            + counter(&world, "tickpath_bridge_disconnected_slow_total");
        let mut missing: Vec<String> = [
            // Frames, fragments, masks, pings, text, garbage; token and origin; heads that do not end.
            reached("tickpath_bridge_violations_total", 6 * EACH),
            reached("tickpath_bridge_refused_total", 2 * EACH),
            reached("tickpath_bridge_handshake_timeouts_total", EACH),
            reached("tickpath_bridge_address_limited_total", 1),
        ]
        .into_iter()
        .flatten()
        .collect();
        missing.extend((idle < EACH).then(|| format!("{idle} who never read of {EACH}")));
        missing
    };
    wait_for("every kind is counted", || {
        let missing = counted();
        if !missing.is_empty() {
            eprintln!("{missing:?}");
        }
        missing.is_empty()
    })
    .await;

    progress.is_over.store(true, Ordering::Relaxed);
    let sent = publisher.join().unwrap();
    let got = tokio::time::timeout(PATIENCE, follower)
        .await
        .expect("the rest arrives")
        .unwrap();
    assert_eq!(got, sent);
    println!(
        "{} hostile clients; the honest one got {got} trades of {sent}, {grown} KiB more",
        KINDS.len() as u64 * EACH + STORM as u64
    );
}
