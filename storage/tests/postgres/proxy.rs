//! A network between the writer and its database that breaks: a proxy on a TCP port of this machine.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Where a connection breaks, counted from its first COMMIT.
#[derive(Clone, Copy, Debug)]
enum Break {
    /// The COMMIT of that number never arrives.
    BeforeCommit(u64),
    /// It arrives, and nobody hears of it.
    AfterCommit(u64),
    /// After so many further bytes, wherever that is.
    AfterBytes(usize),
}

/// Passes connections on to a Unix socket, and breaks each of them after a while.
pub struct Proxy {
    port: u16,
    heal: Arc<AtomicBool>,
    broken: Arc<AtomicU64>,
}

impl Proxy {
    /// A proxy of `socket` whose breaks follow from `seed`.
    pub fn start(socket: PathBuf, seed: u64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heal, broken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut random = StdRng::seed_from_u64(seed);
        let (healed, breaks) = (heal.clone(), broken.clone());
        // Ends with the process of the test.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(server) = UnixStream::connect(&socket) else {
                    continue;
                };
                let place = match random.random_range(0..3) {
                    0 => Break::BeforeCommit(random.random_range(1..6)),
                    1 => Break::AfterCommit(random.random_range(1..6)),
                    _ => Break::AfterBytes(random.random_range(1..400_000)),
                };
                let (healed, breaks) = (healed.clone(), breaks.clone());
                std::thread::spawn(move || pass(client.unwrap(), server, place, &healed, &breaks));
            }
        });
        Proxy { port, heal, broken }
    }

    /// Address of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Connections that it has broken.
    pub fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    /// From now on none is broken.
    pub fn heal(&self) {
        self.heal.store(true, Ordering::Relaxed);
    }
}

/// Passes bytes in both directions until the break; then neither side hears anything more of the other.
fn pass(mut client: TcpStream, mut server: UnixStream, place: Break, heal: &AtomicBool, broken: &AtomicU64) {
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let is_mute = Arc::new(AtomicBool::new(false));
    let mute = is_mute.clone();
    let returning = std::thread::spawn(move || {
        let mut buffer = [0; 1 << 16];
        while let Ok(count @ 1..) = answers.read(&mut buffer) {
            if mute.load(Ordering::SeqCst) || back.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        // Either side may be gone already.
        let _closed = back.shutdown(Shutdown::Both);
    });
    let (mut commits, mut bytes) = (0, 0);
    let mut buffer = [0; 1 << 16];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let sent = &buffer[..count];
        commits += u64::from(sent.windows(7).any(|window| window == b"COMMIT\0"));
        bytes += if commits > 0 { count } else { 0 };
        let (is_over, arrives) = match place {
            _ if heal.load(Ordering::Relaxed) => (false, count),
            Break::BeforeCommit(number) => (commits >= number, 0),
            Break::AfterCommit(number) => (commits >= number, count),
            Break::AfterBytes(limit) => (bytes >= limit, count - (bytes - limit.min(bytes)).min(count)),
        };
        is_mute.store(is_over, Ordering::SeqCst);
        let passed = if is_over { &sent[..arrives] } else { sent };
        if server.write_all(passed).is_err() {
            break;
        }
        if is_over {
            broken.fetch_add(1, Ordering::Relaxed);
            break;
        }
    }
    // The server sees the end of the connection, after all that arrived.
    let _closed = server.shutdown(Shutdown::Write);
    let _gone = client.shutdown(Shutdown::Both);
    returning.join().unwrap();
}
