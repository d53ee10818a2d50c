//! Many clients of the bridge that mean harm, in one process: they subscribe to everything and never read, read a byte at a time, flood it with pings, or send nonsense
//! and come again. Each of them begins as an honest client would: it reads until it has answered a ping of the bridge, which gives it what the bridge gives those who read.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use clap::ValueEnum;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_transport::urgency;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use super::{Order, Orders, Over, Said, say};
use crate::cores;
use crate::dice::Dice;
use crate::fault::hostile::{frame, subscribed};

const TICK: Duration = Duration::from_millis(20);
/// A ping without content, masked with zeros.
const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];

/// What a hostile client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Harm {
    /// Never reads.
    Silent,
    /// Reads a byte at a time.
    Trickle,
    /// Sends pings as fast as they are taken, and reads no answer.
    Flood,
    /// Sends now and then what no client should send.
    Nonsense,
}

/// Runs until the input ends; the clients take turns in the kinds of `harm`, all four if none is named. Who means harm does so from a host of their own, and what
/// this process needs of the processors is not what is measured: it keeps to `core`, or runs only when nobody else wants to.
///
/// # Errors
/// If there cannot be so many connections, or the core is not there.
pub fn run(bridge: SocketAddr, count: usize, core: Option<usize>, harm: &[Harm]) -> Result<(), ProcessError> {
    match core {
        Some(core) => cores::move_to(core)?,
        None => urgency::background().or_exit(ExitCode::Failed, "running in the background")?,
    }
    let kinds = if harm.is_empty() { Harm::value_variants() } else { harm };
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).or_exit(ExitCode::Unavailable, "file descriptors")?;
    let mut dice = Dice::new(count as u64);
    let mut clients: Vec<Option<Client>> = (0..count).map(|_| connect(bridge)).collect();
    if present(&clients) < count / 2 {
        return Err(ProcessError::message(
            ExitCode::Unavailable,
            "the bridge takes too few clients",
        ));
    }
    say(&Said::Ready)?;
    let orders = Orders::listen();
    let mut company = Company::default();
    loop {
        match orders.next() {
            Ok(Some(Order::Begin)) => company = Company::default(),
            Ok(Some(Order::End)) => say(&Said::Company(company))?,
            Ok(_) => {}
            Err(Over) => return Ok(()),
        }
        let_go(&mut clients).or_exit(ExitCode::Failed, "looking at the connections")?;
        company.looked(present(&clients) as u64);
        for (index, client) in clients.iter_mut().enumerate() {
            if let Some(client) = client {
                client.act(kinds[index % kinds.len()], &mut dice);
            }
        }
        for client in clients.iter_mut().filter(|client| client.is_none()) {
            *client = connect(bridge);
            company.came_again += u64::from(client.is_some());
        }
        std::thread::sleep(TICK);
    }
}

/// How much company the honest client had in a round.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Company {
    looks: u64,
    present: u64,
    /// Connections that were made, each after the bridge had ended one.
    pub came_again: u64,
}

impl Company {
    fn looked(&mut self, present: u64) {
        self.looks += 1;
        self.present += present;
    }

    /// Clients that were connected, on average.
    #[must_use]
    pub fn present(&self) -> u64 {
        self.present / self.looks.max(1)
    }
}

fn present(clients: &[Option<Client>]) -> usize {
    clients.iter().flatten().count()
}

/// Drops the connections that the bridge has ended. Who reads nothing sees no end behind what was sent to them: only the system knows.
fn let_go(clients: &mut [Option<Client>]) -> io::Result<()> {
    let mut looks: Vec<PollFd<'_>> = clients
        .iter()
        .flatten()
        .map(|client| PollFd::new(client.socket.get_ref(), PollFlags::RDHUP))
        .collect();
    poll(&mut looks, Some(&Timespec::default()))?;
    let ended: Vec<bool> = looks.iter().map(|look| !look.revents().is_empty()).collect();
    let open = clients.iter_mut().filter(|client| client.is_some());
    for (client, _) in open.zip(ended).filter(|(_, is_over)| *is_over) {
        *client = None;
    }
    Ok(())
}

fn connect(bridge: SocketAddr) -> Option<Client> {
    let socket = subscribed(bridge)?;
    socket.get_ref().set_nonblocking(true).ok()?;
    Some(Client {
        socket,
        is_trusted: false,
    })
}

struct Client {
    socket: WebSocket<TcpStream>,
    /// It has answered a ping.
    is_trusted: bool,
}

impl Client {
    /// Does harm, once it is trusted.
    fn act(&mut self, kind: Harm, dice: &mut Dice) {
        while !self.is_trusted {
            match self.socket.read() {
                Ok(Message::Ping(_)) => {
                    self.is_trusted = true;
                    // The answer goes out. An error is the end of the connection, which the next look finds.
                    let _ = self.socket.flush();
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
        let stream = self.socket.get_mut();
        // An error is the end of the connection here too, or a full socket.
        let _ = match kind {
            Harm::Silent => Ok(0),
            Harm::Trickle => stream.read(&mut [0]),
            Harm::Flood => stream.write(&PING.repeat(10)),
            Harm::Nonsense if dice.chance(2) => stream.write(&frame(dice)),
            Harm::Nonsense => Ok(0),
        };
    }
}
