//! The other party of a ring measurement: `tickpath-bench role ring-far JOB CORE SOCKET NAME`.

use std::os::unix::net::UnixStream;
use std::path::Path;

use quanta::Clock;
use tickpath_peers::ring::End;
use tickpath_peers::ring_iceoryx::{IceoryxEnd, Party};
use tickpath_peers::ring_unix::UnixEnd;

use super::duplex::{Yielding, join_near};
use super::latency::{Contender, HELD_BITS, Pause, STOP, broken};
use super::throughput::Job;
use super::{BroadcastEnd, CAPACITY, SpscEnd, pin};
use crate::context::{BenchError, Result};

/// Empty looks between two looks whether the process that began still lives.
const TURNS_MAX: u32 = 1 << 16;

/// Runs the other party.
pub fn role(arguments: &[String]) -> Result<()> {
    let [job, core, socket, name] = arguments else {
        return Err(BenchError::new("role ring-far", "expected JOB CORE SOCKET NAME"));
    };
    let core = core
        .parse()
        .map_err(|error| BenchError::new(format!("core `{core}`"), error))?;
    pin(core)?;
    let socket = Path::new(socket);
    if let Some(contender) = Contender::ALL.into_iter().find(|contender| contender.name() == job) {
        return echo_of(contender, socket, name);
    }
    match Job::parse(job) {
        Some(job) => job.receive(socket),
        None => Err(BenchError::new(format!("job `{job}`"), "no such job")),
    }
}

fn echo_of(contender: Contender, socket: &Path, name: &str) -> Result<()> {
    match contender {
        Contender::Broadcast => echo(BroadcastEnd::meet(join_near(socket)?, CAPACITY)?),
        Contender::Spsc => echo(SpscEnd::meet(join_near(socket)?, CAPACITY)?),
        Contender::HandOver => echo(Yielding(SpscEnd::meet(join_near(socket)?, CAPACITY)?)),
        Contender::Iceoryx => {
            let end = IceoryxEnd::new(name, Party::Far).map_err(broken)?;
            drop(join_near(socket)?);
            echo(end)
        }
        Contender::UnixBusy | Contender::UnixBlocking => {
            let stream = UnixStream::connect(socket.with_file_name("unix.sock"))
                .map_err(|error| BenchError::new("connect to the first process", error))?;
            echo(UnixEnd::new(stream, contender == Contender::UnixBusy).map_err(broken)?)
        }
        Contender::Line | Contender::Rtrb | Contender::Crossbeam => {
            Err(BenchError::new(contender.name(), "its parties are threads"))
        }
    }
}

/// Sends every record back, after a pause, with how long that was, until told to stop.
pub fn echo<E: End>(mut end: E) -> Result<()> {
    let (clock, mut pause) = (Clock::new(), Pause::default());
    let mut patience = Patience::new();
    let mut words = [0; 6];
    loop {
        if !end.receive(&mut words).map_err(broken)? {
            patience.turn()?;
        } else if words[0] == STOP {
            return Ok(());
        } else {
            let since = clock.raw();
            pause.take();
            let held = clock.raw().saturating_sub(since);
            words[0] |= held.clamp(1, (1 << HELD_BITS) - 1);
            end.send(&words).map_err(broken)?;
        }
    }
}

/// Empty looks in a row; a process whose parent died ends instead of polling for ever.
#[derive(Debug)]
pub struct Patience {
    turns: u32,
    parent: u32,
}

impl Patience {
    /// Of a process that was started just now.
    pub fn new() -> Patience {
        Patience {
            turns: 0,
            parent: std::os::unix::process::parent_id(),
        }
    }

    /// Counts an empty look. It stands in the innermost loop of every contender, so all but the count is elsewhere.
    #[inline(always)]
    pub fn turn(&mut self) -> Result<()> {
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(TURNS_MAX) {
            return self.look_around();
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn look_around(&self) -> Result<()> {
        if std::os::unix::process::parent_id() != self.parent {
            return Err(BenchError::new("the first process", "it is gone"));
        }
        std::thread::yield_now();
        Ok(())
    }
}
