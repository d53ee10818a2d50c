//! Many clients in one process, which count what they get and look at none of it: `role fanout-clients ADDRESS COUNT [REQUEST]`.
//!
//! With a request they are WebSocket clients that send it and wait for its answer; without one they only read. It prints `ready`; `begin`
//! and `end` on its input frame a count, after which it prints a [`Count`].

use std::io::{BufRead, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Instant;

use rustix::event::epoll;

use super::frames::{FrameCounter, PONG, client_text};
use crate::context::{BenchError, Result, Tried};
use crate::process::Helper;

/// Name of the role.
pub const ROLE: &str = "fanout-clients";
const READ_BYTES: usize = 64 << 10;
/// Between two looks at the input where no data comes.
const TICK_MS: i64 = 2;
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What the clients got between `begin` and `end`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count {
    /// ns from `begin` to `end`.
    pub elapsed_ns: u64,
    /// Messages of all clients.
    pub total: u64,
    /// Messages of the client that got the fewest.
    pub least: u64,
    /// Messages of the client that got the most.
    pub most: u64,
    /// Bytes of all clients, frame headers included.
    pub bytes: u64,
}

impl Count {
    fn line(&self) -> String {
        let Count {
            elapsed_ns,
            total,
            least,
            most,
            bytes,
        } = self;
        format!("{elapsed_ns} {total} {least} {most} {bytes}")
    }

    fn parse(line: &str) -> Option<Count> {
        let mut numbers = line.split(' ').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        Some(Count {
            elapsed_ns: next()?,
            total: next()?,
            least: next()?,
            most: next()?,
            bytes: next()?,
        })
    }

    /// Messages a second, of all clients together.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.total as f64 * 1e9 / self.elapsed_ns as f64
    }

    /// Messages a second of the client that got the fewest.
    #[must_use]
    pub fn least_rate(&self) -> f64 {
        self.least as f64 * 1e9 / self.elapsed_ns as f64
    }
}

/// The clients, seen from the process that measures.
#[derive(Debug)]
pub struct Clients(Helper);

impl Clients {
    /// Starts `count` of them on a core, and waits until all are there.
    ///
    /// # Errors
    /// If one is refused.
    pub fn start(address: &str, count: usize, request: Option<&str>, core: usize) -> Result<Clients> {
        let mut arguments = vec![address.to_owned(), count.to_string()];
        arguments.extend(request.map(str::to_owned));
        Ok(Clients(Helper::start(ROLE, &arguments, core)?))
    }

    /// Waits until all are connected.
    ///
    /// # Errors
    /// If one is refused.
    pub fn wait_ready(&mut self) -> Result<()> {
        match self.0.line()?.as_str() {
            "ready" => Ok(()),
            other => Err(BenchError::new(ROLE, format!("unexpected `{other}`"))),
        }
    }

    /// Begins to count.
    ///
    /// # Errors
    /// If the process ended.
    pub fn begin(&mut self) -> Result<()> {
        self.0.tell("begin")
    }

    /// Ends the count.
    ///
    /// # Errors
    /// If the process ended.
    pub fn end(&mut self) -> Result<Count> {
        self.0.tell("end")?;
        let line = self.0.line()?;
        Count::parse(&line).ok_or_else(|| BenchError::new(ROLE, format!("unexpected `{line}`")))
    }
}

/// One connection.
struct Client {
    stream: TcpStream,
    frames: FrameCounter,
    pings_answered: u64,
    /// Texts at the last `begin`.
    begun_at: u64,
}

/// The role.
///
/// # Errors
/// If an argument makes no sense, a client is refused or a connection ends.
pub fn run(arguments: &[String]) -> Result<()> {
    let [address, count, request @ ..] = arguments else {
        return Err(BenchError::new(ROLE, "expected ADDRESS COUNT [REQUEST]"));
    };
    let count: usize = count.parse().tried(ROLE)?;
    let clients = (0..count).map(|_| connect(address, request.first().map(String::as_str)));
    let mut clients = clients.collect::<Result<Vec<Client>>>()?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).tried("epoll")?;
    for (index, client) in clients.iter().enumerate() {
        client.stream.set_nonblocking(true).tried(ROLE)?;
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&poll, &client.stream, data, epoll::EventFlags::IN).tried("epoll")?;
    }
    say("ready")?;
    let orders = orders();
    let mut buffer = vec![0; READ_BYTES];
    let mut events: Vec<epoll::Event> = Vec::with_capacity(count);
    let mut begun = (Instant::now(), 0_u64);
    let mut bytes = 0_u64;
    loop {
        let limit = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: TICK_MS * 1_000_000,
        };
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&limit)).tried("epoll")?;
        for event in &events {
            bytes += clients[event.data.u64() as usize].read(&mut buffer)?;
        }
        match orders.try_recv() {
            Ok(order) if order == "begin" => {
                clients
                    .iter_mut()
                    .for_each(|client| client.begun_at = client.frames.texts);
                begun = (Instant::now(), bytes);
            }
            Ok(_) => say(&count_since(&clients, begun, bytes).line())?,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
    }
}

fn count_since(clients: &[Client], begun: (Instant, u64), bytes: u64) -> Count {
    let counts = || clients.iter().map(|client| client.frames.texts - client.begun_at);
    Count {
        elapsed_ns: begun.0.elapsed().as_nanos() as u64,
        total: counts().sum(),
        least: counts().min().unwrap_or(0),
        most: counts().max().unwrap_or(0),
        bytes: bytes - begun.1,
    }
}

impl Client {
    /// Reads once; returns how many bytes there were.
    fn read(&mut self, buffer: &mut [u8]) -> Result<u64> {
        let count = match self.stream.read(buffer) {
            Ok(0) => return Err(BenchError::new(ROLE, "a connection was closed")),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(BenchError::new(ROLE, error)),
        };
        self.frames.feed(&buffer[..count]);
        if self.frames.is_closed {
            return Err(BenchError::new(ROLE, "a client was closed with a reason"));
        }
        while self.pings_answered < self.frames.pings {
            self.stream.write_all(&PONG).tried(ROLE)?;
            self.pings_answered += 1;
        }
        Ok(count as u64)
    }
}

/// Connects; with a request also upgrades, sends it and waits for its answer.
fn connect(address: &str, request: Option<&str>) -> Result<Client> {
    let stream = TcpStream::connect(address).tried(format!("connecting to {address}"))?;
    let mut client = Client {
        stream,
        frames: FrameCounter::default(),
        pings_answered: 0,
        begun_at: 0,
    };
    let Some(request) = request else { return Ok(client) };
    let upgrade = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGlja3BhdGgtYmVuY2gtMQ==\r\n\r\n"
    );
    client.stream.write_all(upgrade.as_bytes()).tried("upgrading")?;
    let mut seen = Vec::new();
    let head = read_past(&mut client.stream, &mut seen, b"\r\n\r\n")?;
    if !seen.starts_with(b"HTTP/1.1 101") {
        let head = String::from_utf8_lossy(&seen).into_owned();
        return Err(BenchError::new("the bridge refused a client", head));
    }
    client.stream.write_all(&client_text(request)).tried("subscribing")?;
    read_past(&mut client.stream, &mut seen, b"\"op\":\"subscribed\"")?;
    client.frames.feed(&seen[head..]);
    Ok(client)
}

/// Reads until `wanted` has come; returns where it ends.
fn read_past(stream: &mut TcpStream, seen: &mut Vec<u8>, wanted: &[u8]) -> Result<usize> {
    let mut buffer = [0; 4096];
    loop {
        let found = seen.windows(wanted.len()).position(|window| window == wanted);
        if let Some(at) = found {
            return Ok(at + wanted.len());
        }
        let count = stream.read(&mut buffer).tried("an answer of the bridge")?;
        seen.extend_from_slice(&buffer[..count]);
        if count == 0 || seen.len() > ANSWER_BYTES_MAX {
            let seen = String::from_utf8_lossy(seen).into_owned();
            return Err(BenchError::new("an answer of the bridge", seen));
        }
    }
}

/// Lines of the standard input; the channel ends with it.
pub(super) fn orders() -> Receiver<String> {
    let (sender, orders) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(std::result::Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    orders
}

/// A line on the standard output, at once.
pub(super) fn say(line: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")
        .and_then(|()| output.flush())
        .tried("standard output")
}
