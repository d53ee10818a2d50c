//! The least that it takes: the same frames written to as many plain sockets, one `write` each, by one thread that does nothing else.
//! `role fanout-floor COUNT` prints its address; `go RATE BYTES` begins, `stop` ends.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use super::clients::{orders, say};
use super::frames::server_text;
use super::pace::Pace;
use crate::context::{BenchError, Result, Tried};
use crate::process::Helper;

/// Name of the role.
pub const ROLE: &str = "fanout-floor";

/// The writing process, seen from the process that measures.
#[derive(Debug)]
pub struct Floor {
    helper: Helper,
    /// Where its clients connect.
    pub address: String,
}

impl Floor {
    /// Starts it on a core.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(clients: usize, core: usize) -> Result<Floor> {
        let mut helper = Helper::start(ROLE, &[clients.to_string()], core)?;
        let address = helper.line()?;
        Ok(Floor { helper, address })
    }

    /// Writes `rate` frames a second to each client, each with a payload of `payload_bytes`.
    ///
    /// # Errors
    /// If the process ended.
    pub fn go(&mut self, rate: u64, payload_bytes: u16) -> Result<()> {
        self.helper.tell(&format!("go {rate} {payload_bytes}"))
    }

    /// Writes no more.
    ///
    /// # Errors
    /// If the process ended.
    pub fn stop(&mut self) -> Result<()> {
        self.helper.tell("stop")
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.helper.pid()
    }
}

/// The role.
///
/// # Errors
/// If an argument makes no sense or a connection ends.
pub fn run(arguments: &[String]) -> Result<()> {
    let [count] = arguments else {
        return Err(BenchError::new(ROLE, "expected COUNT"));
    };
    let count: usize = count.parse().tried(ROLE)?;
    let listener = TcpListener::bind("127.0.0.1:0").tried(ROLE)?;
    say(&listener.local_addr().tried(ROLE)?.to_string())?;
    let accept = || -> std::io::Result<TcpStream> {
        let (stream, _) = listener.accept()?;
        // As the bridge does.
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    let mut clients = (0..count).map(|_| accept().tried(ROLE)).collect::<Result<Vec<_>>>()?;
    let orders = orders();
    while let Ok(order) = orders.recv() {
        let mut words = order.split(' ').skip(1).map(str::parse::<u64>);
        if let (Some(Ok(rate)), Some(Ok(bytes))) = (words.next(), words.next()) {
            write(&mut clients, rate, bytes, &orders)?;
        }
    }
    Ok(())
}

/// Writes until the next order.
fn write(clients: &mut [TcpStream], rate: u64, bytes: u64, orders: &Receiver<String>) -> Result<()> {
    let frame = server_text(u16::try_from(bytes).tried(ROLE)?);
    let mut pace = Pace::new(rate);
    while matches!(orders.try_recv(), Err(TryRecvError::Empty)) {
        for _ in 0..pace.due() {
            for client in &mut *clients {
                client.write_all(&frame).tried(ROLE)?;
            }
        }
        std::thread::sleep(pace.pause().min(Duration::from_millis(10)));
    }
    Ok(())
}
