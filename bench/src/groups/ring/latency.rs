//! One-way latency: a record goes to the other core and back, and half of that is a hop. How long the other core held it is taken off.
//!
//! All contenders take turns, round by round, each round with rings and parties of its own, so that neither a noisy moment nor a lucky place in
//! memory favours one. Every party polls without a pause instruction, whoever the contender is. Before it sends, there and back, a party waits for a
//! time of its own choice (see [`Pause`]).

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use quanta::Clock;
use tickpath_peers::line::line_pair;
use tickpath_peers::ring::{Broken, End, crossbeam_pair, rtrb_pair};
use tickpath_peers::ring_iceoryx::{IceoryxEnd, Party};
use tickpath_peers::ring_unix::UnixEnd;
use tickpath_transport::listener::Listener;

use super::duplex::{Yielding, await_far};
use super::far::echo;
use super::{BroadcastEnd, CAPACITY, SpscEnd, on_core, pin};
use crate::context::{BenchError, Context, Result};
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

/// In the first word of a record: the measurement is over. Else that word is the trip's number, and on the way back below it, in as many bits as
/// [`HELD_BITS`] says, for how long the record was held, ticks of the clock and never 0.
pub const STOP: u64 = u64::MAX;
/// Of the first word; see [`STOP`].
pub const HELD_BITS: u32 = 32;
/// Turns without a record before a party lets others have its core: far more than any hop takes where there are two cores.
const TURNS_MAX: u32 = 1 << 16;

/// Who carries the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the table of the module above says what they are")]
pub enum Contender {
    Broadcast,
    Spsc,
    Line,
    Rtrb,
    Crossbeam,
    Iceoryx,
    UnixBusy,
    UnixBlocking,
    HandOver,
}

impl Contender {
    /// All, in the order of a round.
    pub const ALL: [Contender; 9] = [
        Contender::Broadcast,
        Contender::Line,
        Contender::Rtrb,
        Contender::Spsc,
        Contender::Crossbeam,
        Contender::Iceoryx,
        Contender::UnixBusy,
        Contender::UnixBlocking,
        Contender::HandOver,
    ];

    /// The name in the result and on the other party's command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Contender::Broadcast => "broadcast",
            Contender::Spsc => "spsc",
            Contender::Line => "cache line bounced",
            Contender::Rtrb => "rtrb",
            Contender::Crossbeam => "crossbeam-channel",
            Contender::Iceoryx => "iceoryx2",
            Contender::UnixBusy => "unix socket, polled",
            Contender::UnixBlocking => "unix socket, blocking",
            Contender::HandOver => "one core, handed over",
        }
    }

    /// Round trips of a round: fewer where one takes long.
    fn trips(self, context: &Context) -> u64 {
        let full = match self {
            Contender::UnixBusy | Contender::HandOver => 5_000,
            Contender::UnixBlocking => 1_000,
            _ => 20_000,
        };
        context.pick(full, 200)
    }
}

/// Latency of both rings, their floor and their peers.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let mut samples = Contender::ALL.map(|_| Samples::new(0.5));
    for _ in 0..context.pick(25, 1) {
        for (contender, into) in Contender::ALL.into_iter().zip(&mut samples) {
            round(context, contender, into)?;
        }
    }
    let of = |wanted: Contender| {
        let index = Contender::ALL.iter().position(|contender| *contender == wanted);
        samples[index.unwrap_or(0)].clone()
    };
    let line = |name: &str, ours: Contender| {
        let peers = [
            Contender::Rtrb,
            Contender::Crossbeam,
            Contender::Iceoryx,
            Contender::UnixBusy,
            Contender::UnixBlocking,
        ];
        let base = Measurement::new(name, "ns", Better::Lower, of(ours))
            .floor(Contender::Line.name(), of(Contender::Line))
            .note("one record of 48 bytes there and back, halved; two pinned processes (floor, rtrb, crossbeam-channel: threads)");
        peers
            .into_iter()
            .fold(base, |line, peer| line.peer(peer.name(), of(peer)))
    };
    let handed_over = Measurement::new("ring.spsc.handover", "ns", Better::Lower, of(Contender::HandOver)).note(
        "one record of 48 bytes there and back, halved; two processes on one core, each yields it after a look in vain",
    );
    Ok(vec![
        line("ring.broadcast.latency", Contender::Broadcast),
        line("ring.spsc.latency", Contender::Spsc),
        handed_over,
    ])
}

/// One-way times of one contender, over so many rounds: for measurements that need them as a part.
pub fn one_way(context: &Context, contender: Contender, rounds: usize) -> Result<Samples> {
    let mut samples = Samples::new(0.5);
    for _ in 0..rounds {
        round(context, contender, &mut samples)?;
    }
    Ok(samples)
}

fn round(context: &Context, contender: Contender, into: &mut Samples) -> Result<()> {
    let trips = contender.trips(context);
    match contender {
        Contender::Line => between_threads(context, line_pair(), trips, into),
        Contender::Rtrb => between_threads(context, rtrb_pair(CAPACITY), trips, into),
        Contender::Crossbeam => between_threads(context, crossbeam_pair(CAPACITY), trips, into),
        Contender::Broadcast => between_processes(context, contender, trips, into, |listener, _| {
            BroadcastEnd::meet(await_far(listener)?, CAPACITY)
        }),
        Contender::Spsc => between_processes(context, contender, trips, into, |listener, _| {
            SpscEnd::meet(await_far(listener)?, CAPACITY)
        }),
        Contender::HandOver => between_processes(context, contender, trips, into, |listener, _| {
            Ok(Yielding(SpscEnd::meet(await_far(listener)?, CAPACITY)?))
        }),
        Contender::Iceoryx => between_processes(context, contender, trips, into, |listener, name| {
            let end = IceoryxEnd::new(name, Party::Near).map_err(broken)?;
            // The other comes when it has opened the services: what is sent from now on arrives.
            drop(await_far(listener)?);
            Ok(end)
        }),
        Contender::UnixBusy | Contender::UnixBlocking => {
            let path = context.scratch.join("unix.sock");
            let listener = UnixListener::bind(&path).map_err(|error| BenchError::new("listen", error))?;
            let outcome = between_processes(context, contender, trips, into, |_, _| {
                let (stream, _) = listener.accept().map_err(|error| BenchError::new("accept", error))?;
                UnixEnd::new(stream, contender == Contender::UnixBusy).map_err(broken)
            });
            std::fs::remove_file(&path).map_err(|error| BenchError::new("remove the socket", error))?;
            outcome
        }
    }
}

fn between_threads<E: End + Send>(
    context: &Context,
    (near, far): (E, E),
    trips: u64,
    into: &mut Samples,
) -> Result<()> {
    let (near_core, far_core) = (context.near(), context.far());
    std::thread::scope(|scope| {
        let echoing = scope.spawn(move || {
            pin(far_core)?;
            echo(far)
        });
        on_core(near_core, || ping(near, trips, into))?;
        match echoing.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn between_processes<E: End>(
    context: &Context,
    contender: Contender,
    trips: u64,
    into: &mut Samples,
    meet: impl FnOnce(&Listener, &str) -> Result<E> + Send,
) -> Result<()> {
    let socket = context.scratch.join("ring.sock");
    let listener = Listener::bind(&socket).map_err(|error| BenchError::new("listen", error))?;
    let name = format!("{}", std::process::id());
    let far_core = match contender {
        Contender::HandOver => context.near(),
        _ => context.far(),
    };
    let far = spawn_far(contender.name(), far_core, &socket, &name)?;
    let outcome = on_core(context.near(), || ping(meet(&listener, &name)?, trips, into));
    end_far(far, outcome)
}

/// Starts this program as the other party.
pub fn spawn_far(job: &str, core: usize, socket: &Path, name: &str) -> Result<Child> {
    let own = std::env::current_exe().map_err(|error| BenchError::new("the path of this program", error))?;
    Command::new(own)
        .args(["role", "ring-far", job, &core.to_string()])
        .arg(socket)
        .arg(name)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| BenchError::new("start the other party", error))
}

/// Waits for the other party's end; kills it if ours went wrong.
pub fn end_far<T>(mut far: Child, outcome: Result<T>) -> Result<T> {
    let ended = match &outcome {
        Ok(_) => far.wait(),
        Err(_) => far.kill().and_then(|()| far.wait()),
    };
    let status = ended.map_err(|error| BenchError::new("wait for the other party", error))?;
    let value = outcome?;
    if status.success() {
        Ok(value)
    } else {
        Err(BenchError::new("the other party", status))
    }
}

/// Sends a record and waits for it to come back, over and over, at moments that nobody can guess.
fn ping<E: End>(mut end: E, trips: u64, into: &mut Samples) -> Result<()> {
    let clock = Clock::new();
    let mut pause = Pause::default();
    let warm = trips / 10;
    for trip in 1..=warm {
        pause.take();
        exchange(&mut end, trip)?;
    }
    let mut stamps = vec![(0, 0); trips as usize];
    for (trip, stamp) in (warm + 1..).zip(&mut stamps) {
        pause.take();
        let start = clock.raw();
        let held = exchange(&mut end, trip)?;
        *stamp = (start + held, clock.raw());
    }
    end.send(&[STOP; 6]).map_err(broken)?;
    for (start, stop) in stamps {
        into.add(clock.delta_as_nanos(start, stop));
    }
    Ok(())
}

/// Pauses of any length up to about half a microsecond.
///
/// Without them a record would come at every so many looks of a polling loop, as no market sends it. A processor learns that beat: it guesses the
/// look that succeeds and fetches what would be read then, so that two lines which must come one after the other seem to come at once. So both
/// parties pause: an answer that is always as late as the last one has such a beat too.
#[derive(Debug)]
pub struct Pause(u64);

impl Default for Pause {
    fn default() -> Pause {
        Pause(0x9e37_79b9_7f4a_7c15)
    }
}

impl Pause {
    /// Waits.
    #[inline]
    pub fn take(&mut self) {
        let steps = self.0 >> 56;
        for _ in 0..=steps {
            // Knuth's MMIX generator; each step waits for the one before it.
            self.0 = std::hint::black_box(
                self.0
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407),
            );
        }
    }
}

/// There and back; for how long the record was held there.
#[inline]
fn exchange<E: End>(end: &mut E, trip: u64) -> Result<u64> {
    let mut words = [trip << HELD_BITS; 6];
    end.send(&words).map_err(broken)?;
    let mut turns = 0_u32;
    while !end.receive(&mut words).map_err(broken)? {
        turns = turns.wrapping_add(1);
        if turns.is_multiple_of(TURNS_MAX) {
            std::thread::yield_now();
        }
    }
    Ok(words[0] & ((1 << HELD_BITS) - 1))
}

/// A contender's error as ours.
#[cold]
pub fn broken(error: Broken) -> BenchError {
    BenchError::new("a contender of the ring measurements", error)
}
