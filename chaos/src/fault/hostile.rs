//! Clients and peers that mean harm, on threads of their own until they are told to stop.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tickpath_protocol::Venue;
use tickpath_transport::Start;
use tickpath_transport::message::{Hello, Role};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::dice::Dice;

const LIMIT: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(5);
/// Clients that never read, at once.
const SILENT: usize = 16;

/// One attack; over when dropped.
#[derive(Debug)]
pub struct Attack {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Attack {
    fn start(attack: impl FnOnce(&AtomicBool) + Send + 'static) -> Attack {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        Attack {
            stop,
            thread: Some(std::thread::spawn(move || attack(&asked))),
        }
    }

    /// Clients that want everything and read nothing.
    #[must_use]
    pub fn silent(bridge: SocketAddr) -> Attack {
        Attack::start(move |stop| {
            let mut clients = Vec::new();
            while !is_set(stop) {
                if clients.len() < SILENT
                    && let Some(client) = subscribed(bridge)
                {
                    clients.push(client);
                }
                std::thread::sleep(PAUSE);
            }
        })
    }

    /// Clients that send nonsense at every level.
    #[must_use]
    pub fn garbage(bridge: SocketAddr, seed: u64) -> Attack {
        Attack::start(move |stop| {
            let mut dice = Dice::new(seed);
            while !is_set(stop) {
                // Whatever becomes of it: the bridge may close such a client whenever it likes.
                let _ended = nonsense(bridge, &mut dice);
                std::thread::sleep(PAUSE);
            }
        })
    }

    /// Clients that come and go.
    #[must_use]
    pub fn storm(bridge: SocketAddr) -> Attack {
        Attack::start(move |stop| {
            while !is_set(stop) {
                // A bridge that is stopped itself takes none, and then each of them waits.
                let more = || (!is_set(stop)).then(|| TcpStream::connect_timeout(&bridge, LIMIT));
                let open: Vec<_> = std::iter::from_fn(more).take(32).collect();
                drop(open);
                std::thread::sleep(PAUSE);
            }
        })
    }

    /// Peers at the relay's socket.
    #[must_use]
    pub fn peers(relay: PathBuf, seed: u64) -> Attack {
        Attack::start(move |stop| {
            let mut dice = Dice::new(seed);
            let mut held = Vec::new();
            while !is_set(stop) {
                if let Ok(mut peer) = knock(&relay) {
                    let _refused = peer.write_all(&hello(&mut dice));
                    if held.len() < 16 && dice.chance(20) {
                        held.push(peer);
                    }
                }
                std::thread::sleep(PAUSE);
            }
        })
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("an attack failed");
        }
    }
}

/// A connection to the relay's socket if it takes one now. A relay that is stopped itself takes none, and whoever waits for it cannot end.
fn knock(relay: &Path) -> std::io::Result<UnixStream> {
    let kind = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, kind, None)?;
    connect(&socket, &SocketAddrUnix::new(relay)?)?;
    let peer = UnixStream::from(socket);
    peer.set_nonblocking(false)?;
    peer.set_write_timeout(Some(LIMIT))?;
    Ok(peer)
}

fn is_set(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed)
}

/// A WebSocket client of everything.
pub fn subscribed(bridge: SocketAddr) -> Option<WebSocket<TcpStream>> {
    let stream = TcpStream::connect_timeout(&bridge, LIMIT).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    stream.set_write_timeout(Some(LIMIT)).ok()?;
    let (mut socket, _) = tungstenite::client(format!("ws://{bridge}/ws"), stream).ok()?;
    let all = r#"{"op":"subscribe","channels":["trades","quotes","book","status"],"symbols":["*"]}"#;
    socket.send(Message::text(all)).ok()?;
    Some(socket)
}

fn nonsense(bridge: SocketAddr, dice: &mut Dice) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&bridge, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    if dice.chance(30) {
        let noise: Vec<u8> = (0..dice.between(1, 4000)).map(|_| dice.between(0, 255) as u8).collect();
        return stream.write_all(&noise);
    }
    write!(
        stream,
        "GET /ws HTTP/1.1\r\nHost: {bridge}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGlja3BhdGgtY2hhb3MtMQ==\r\n\r\n"
    )?;
    let mut answer = [0; 512];
    let _head = stream.read(&mut answer)?;
    stream.write_all(&frame(dice))
}

/// A frame that no client should send.
pub fn frame(dice: &mut Dice) -> Vec<u8> {
    const MASK: [u8; 4] = [0; 4];
    let text = |text: &[u8]| [&[0x81, 0x80 | text.len() as u8], &MASK[..], text].concat();
    match dice.between(0, 7) {
        // Not masked.
        0 => vec![0x81, 2, b'{', b'}'],
        // 2⁶³ − 1 bytes announced.
        1 => [&[0x81, 0xff, 0x7f], &[0xff; 7][..], &MASK].concat(),
        // Text that is not UTF-8.
        2 => text(b"\xff\xfe\xfd"),
        3 => text(b"[[[[[[[["),
        4 => text(br#"{"op":"subscribe","channels":7}"#),
        5 => text(br#"{"op":"format","symbols":["*"]}"#),
        // A continuation of nothing, reserved bits set.
        6 => [&[0xf0, 0x80][..], &MASK].concat(),
        // A flood of pings.
        _ => [&[0x89, 0x80][..], &MASK].concat().repeat(500),
    }
}

/// Bytes that are no welcome guest of the relay.
fn hello(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    Hello {
        role: Role::Reader,
        venue: Venue::NONE,
        name: "stranger".into(),
        pid: std::process::id(),
        run_id: 0,
        next: 0,
        start: Start::Live,
    }
    .encode(&mut bytes);
    match dice.between(0, 5) {
        // A good hello, without the descriptor that must come with it.
        0 => {}
        1 => bytes.truncate(bytes.len() / 2),
        // The version stands after frame header and magic.
        2 => bytes[16] ^= 0x40,
        3 => bytes[8] ^= 1,
        // A length that no frame may have.
        4 => bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes()),
        _ => bytes = (0..dice.between(1, 500)).map(|_| dice.between(0, 255) as u8).collect(),
    }
    bytes
}
