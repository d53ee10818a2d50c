//! Many clients of the bridge that mean harm, in one process: they subscribe to everything and never read, read a byte at a time, flood it with pings, or send nonsense
//! and come again. Each of them begins as an honest client would: it reads until it has answered a ping of the bridge, which gives it what the bridge gives those who read.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use clap::ValueEnum;
use rustix::process::{Resource, getrlimit, setrlimit};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_transport::urgency;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use super::{Orders, Said, say};
use crate::dice::Dice;
use crate::fault::hostile::{frame, subscribed};

const TICK: Duration = Duration::from_millis(20);
/// Clients that come again in one tick, at most: those that the bridge closed.
const AGAIN_MAX: usize = 16;
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

/// Runs until the input ends; the clients take turns in the kinds of `harm`, all four if none is named.
///
/// # Errors
/// If there cannot be so many connections.
pub fn run(bridge: SocketAddr, count: usize, harm: &[Harm]) -> Result<(), ProcessError> {
    // Who means harm does so from a host of their own: what this process needs of the processors is not what is measured.
    urgency::background().or_exit(ExitCode::Failed, "running in the background")?;
    let kinds = if harm.is_empty() { Harm::value_variants() } else { harm };
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).or_exit(ExitCode::Unavailable, "file descriptors")?;
    let mut dice = Dice::new(count as u64);
    let mut clients: Vec<Option<Client>> = Vec::with_capacity(count);
    while clients.len() < count {
        clients.push(connect(bridge));
    }
    if clients.iter().flatten().count() < count / 2 {
        return Err(ProcessError::message(
            ExitCode::Unavailable,
            "the bridge takes too few clients",
        ));
    }
    say(&Said::Ready)?;
    let orders = Orders::listen();
    while orders.next().is_ok() {
        let mut again = 0;
        for (index, client) in clients.iter_mut().enumerate() {
            let is_there = client
                .as_mut()
                .is_some_and(|client| client.act(kinds[index % kinds.len()], &mut dice));
            if !is_there && again < AGAIN_MAX {
                again += 1;
                *client = connect(bridge);
            }
        }
        std::thread::sleep(TICK);
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
    /// Whether it is still connected.
    fn act(&mut self, kind: Harm, dice: &mut Dice) -> bool {
        while !self.is_trusted {
            match self.socket.read() {
                Ok(Message::Ping(_)) => self.is_trusted = true,
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) => return would_block(&error),
                Err(_) => return false,
            }
            // The answer goes out.
            if self.is_trusted && self.socket.flush().is_err() {
                return false;
            }
        }
        do_harm(self.socket.get_mut(), kind, dice)
    }
}

fn would_block(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock
}

/// Does what such a client does; whether it is still connected.
fn do_harm(stream: &mut TcpStream, kind: Harm, dice: &mut Dice) -> bool {
    match kind {
        // It is not even seen whether it is still there, until the bridge has closed it and a peek says so.
        Harm::Silent => stream
            .peek(&mut [0; 1])
            .map_or_else(|error| would_block(&error), |_| true),
        Harm::Trickle => stream
            .read(&mut [0; 1])
            .map_or_else(|error| would_block(&error), |read| read > 0),
        Harm::Flood => stream
            .write(&PING.repeat(10))
            .map_or_else(|error| would_block(&error), |_| true),
        Harm::Nonsense if dice.chance(2) => stream
            .write(&frame(dice))
            .map_or_else(|error| would_block(&error), |_| true),
        Harm::Nonsense => stream
            .peek(&mut [0; 1])
            .map_or_else(|error| would_block(&error), |_| true),
    }
}
