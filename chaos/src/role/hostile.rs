//! Many clients of the bridge that mean harm, in one process: they subscribe to everything and never read, read a byte at a time, flood it with pings, or send nonsense
//! and come again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tickpath_service::exit::{Context, ExitCode, ProcessError};

use super::{Orders, Said, say};
use crate::dice::Dice;
use crate::fault::hostile::{frame, subscribed};

const TICK: Duration = Duration::from_millis(20);
/// Clients that come again in one tick, at most: those that the bridge closed.
const AGAIN_MAX: usize = 16;
/// A ping without content, masked with zeros.
const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];

/// Runs until the input ends.
///
/// # Errors
/// If there cannot be so many connections.
pub fn run(bridge: SocketAddr, count: usize) -> Result<(), ProcessError> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).or_exit(ExitCode::Unavailable, "file descriptors")?;
    let mut dice = Dice::new(count as u64);
    let mut clients: Vec<Option<TcpStream>> = Vec::with_capacity(count);
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
            let is_there = client.as_mut().is_some_and(|stream| harm(stream, index, &mut dice));
            if !is_there && again < AGAIN_MAX {
                again += 1;
                *client = connect(bridge);
            }
        }
        std::thread::sleep(TICK);
    }
    Ok(())
}

fn connect(bridge: SocketAddr) -> Option<TcpStream> {
    let socket = subscribed(bridge)?;
    let stream = socket.get_ref().try_clone().ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

/// Does what a client of this number does; whether it is still connected.
fn harm(stream: &mut TcpStream, index: usize, dice: &mut Dice) -> bool {
    let would_block = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    match index % 4 {
        // Never reads: it is not even seen whether it is still there, until the bridge has closed it and a peek says so.
        0 => stream
            .peek(&mut [0; 1])
            .map_or_else(|error| would_block(&error), |_| true),
        1 => stream
            .read(&mut [0; 1])
            .map_or_else(|error| would_block(&error), |read| read > 0),
        2 => stream
            .write(&PING.repeat(10))
            .map_or_else(|error| would_block(&error), |_| true),
        // Now and then, and is closed for it.
        _ if dice.chance(2) => stream
            .write(&frame(dice))
            .map_or_else(|error| would_block(&error), |_| true),
        _ => stream
            .peek(&mut [0; 1])
            .map_or_else(|error| would_block(&error), |_| true),
    }
}
