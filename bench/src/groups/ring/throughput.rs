//! Records a second through each ring, one by one and in batches, from one pinned party to another.
//!
//! A round carries a fixed number of records; its time ends when the receiver has looked at every word of the last. Our broadcast writer waits for
//! nobody, so here it is told how far its reader is (over a second ring, once every [`ACK_EVERY`] records) and keeps within the ring's size: that is what the
//! disruptor does by itself, and without it the figure would be of records that nobody read.

use std::path::Path;
use std::time::{Duration, Instant};

use tickpath_peers::ring::{Step, checked, numbered, rtrb_pair};
use tickpath_peers::ring_disruptor;
use tickpath_transport::broadcast::Next;
use tickpath_transport::listener::Listener;

use super::duplex::{await_far, join_near};
use super::far::Patience;
use super::latency::{end_far, spawn_far};
use super::{BroadcastEnd, SpscEnd, on_core, pin};
use crate::context::{BenchError, Context, Result};
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

/// Records of a batch.
pub const BATCH: usize = 64;
/// Records that a ring holds.
const CAPACITY: usize = 8192;
/// Records between two notes of our broadcast reader how far it is.
const ACK_EVERY: u64 = 1024;

/// Which ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// One reader.
    Spsc,
    /// Any number.
    Broadcast,
}

/// What the other party is to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    ring: Ring,
    step: Step,
    count: u64,
}

impl Job {
    /// The job that [`Job::text`] wrote.
    pub fn parse(text: &str) -> Option<Job> {
        let mut parts = text.split(':');
        let ring = match parts.next()? {
            "spsc-throughput" => Ring::Spsc,
            "broadcast-throughput" => Ring::Broadcast,
            _ => return None,
        };
        let step = match parts.next()? {
            "single" => Step::Single,
            _ => Step::Batch(BATCH),
        };
        let count = parts.next()?.parse().ok()?;
        Some(Job { ring, step, count })
    }

    fn text(self) -> String {
        let ring = match self.ring {
            Ring::Spsc => "spsc-throughput",
            Ring::Broadcast => "broadcast-throughput",
        };
        format!("{ring}:{}:{}", step_name(self.step), self.count)
    }

    /// The receiving party.
    pub fn receive(self, socket: &Path) -> Result<()> {
        let connection = join_near(socket)?;
        match self.ring {
            Ring::Spsc => receive_spsc(SpscEnd::meet(connection, CAPACITY)?, self),
            Ring::Broadcast => receive_broadcast(BroadcastEnd::meet(connection, CAPACITY)?, self),
        }
    }
}

fn step_name(step: Step) -> &'static str {
    match step {
        Step::Single => "single",
        Step::Batch(_) => "batched",
    }
}

/// Throughput of both rings and their peers.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for step in [Step::Single, Step::Batch(BATCH)] {
        for ring in [Ring::Spsc, Ring::Broadcast] {
            measurements.push(compare(context, ring, step)?);
        }
    }
    Ok(measurements)
}

fn compare(context: &Context, ring: Ring, step: Step) -> Result<Measurement> {
    let count = context.pick(2_000_000, 20_000);
    let job = Job { ring, step, count };
    let (mut ours, mut theirs) = (Samples::new(1.0), Samples::new(1.0));
    let rate = |time: Duration| (count as f64 / time.as_secs_f64()) as u64;
    for _ in 0..context.pick(15, 1) {
        ours.add(rate(send(context, job)?));
        theirs.add(rate(match ring {
            Ring::Spsc => rtrb(context, step, count)?,
            Ring::Broadcast => disruptor(context, step, count)?,
        }));
    }
    let (ring_name, peer) = match (ring, step) {
        (Ring::Spsc, Step::Single) => ("spsc", "rtrb push, pop"),
        (Ring::Spsc, Step::Batch(_)) => ("spsc", "rtrb chunks"),
        (Ring::Broadcast, _) => ("broadcast", "disruptor"),
    };
    let name = format!("ring.{ring_name}.throughput.{}", step_name(step));
    Ok(Measurement::new(name, "records/s", Better::Higher, ours)
        .peer(peer, theirs)
        .note(format!(
            "a value is a round of {count} records, all received; ours between two processes; batches of {BATCH}; rings of {CAPACITY}"
        )))
}

/// Carries a round of ours: how long until all was received.
fn send(context: &Context, job: Job) -> Result<Duration> {
    let socket = context.scratch.join("ring.sock");
    let listener = Listener::bind(&socket).map_err(|error| BenchError::new("listen", error))?;
    let far = spawn_far(&job.text(), context.far(), &socket, "throughput")?;
    let outcome = on_core(context.near(), || {
        let connection = await_far(&listener)?;
        match job.ring {
            Ring::Spsc => send_spsc(SpscEnd::meet(connection, CAPACITY)?, job),
            Ring::Broadcast => send_broadcast(BroadcastEnd::meet(connection, CAPACITY)?, job),
        }
    });
    end_far(far, outcome)
}

fn send_spsc(mut end: SpscEnd, job: Job) -> Result<Duration> {
    let wrong = |error| BenchError::new("the SPSC ring", error);
    // The receiver says that it is there.
    while end.consumer.available().map_err(wrong)? == 0 {
        std::hint::spin_loop();
    }
    end.consumer.commit(1);
    let start = Instant::now();
    let mut next = 0;
    while next < job.count {
        let size = match job.step {
            Step::Single => 1,
            Step::Batch(size) => (size as u64).min(job.count - next),
        };
        if end.producer.free(size).map_err(wrong)? < size {
            continue;
        }
        match job.step {
            Step::Single => end.producer.push(numbered(next)),
            Step::Batch(_) => end.producer.push_all((next..next + size).map(numbered)),
        }
        end.producer.flush();
        next += size;
    }
    while end.consumer.available().map_err(wrong)? == 0 {}
    Ok(start.elapsed())
}

fn receive_spsc(mut end: SpscEnd, job: Job) -> Result<()> {
    let wrong = |error| BenchError::new("the SPSC ring", error);
    end.producer.push([0; 6]);
    end.producer.flush();
    let mut patience = Patience::new();
    let (mut taken, mut sum) = (0, 0_u64);
    while taken < job.count {
        let available = end.consumer.available().map_err(wrong)?;
        let size = match job.step {
            Step::Single => available.min(1),
            Step::Batch(_) => available,
        };
        if size == 0 {
            patience.turn()?;
            continue;
        }
        for offset in 0..size {
            sum = sum.wrapping_add(checked(&end.consumer.peek(offset)));
        }
        end.consumer.commit(size);
        taken += size;
    }
    std::hint::black_box(sum);
    end.producer.push([1; 6]);
    end.producer.flush();
    Ok(())
}

/// The position up to which the reader has read, as its newest note says.
fn acknowledged(end: &mut BroadcastEnd, known: &mut u64) -> Result<u64> {
    loop {
        match end.reader.next() {
            Next::Record { words, .. } => *known = words[0],
            Next::Empty => return Ok(*known),
            Next::Lapped(_) => return Err(BenchError::new("notes of the reader", "overwritten unread")),
        }
    }
}

fn send_broadcast(mut end: BroadcastEnd, job: Job) -> Result<Duration> {
    let room = CAPACITY as u64 - BATCH as u64;
    let mut known = u64::MAX;
    while acknowledged(&mut end, &mut known)? == u64::MAX {
        std::hint::spin_loop();
    }
    let start = Instant::now();
    while end.writer.position() < job.count {
        let next = end.writer.position();
        if next - known > room && next - acknowledged(&mut end, &mut known)? > room {
            continue;
        }
        let size = match job.step {
            Step::Single => 1,
            Step::Batch(size) => (size as u64).min(job.count - next),
        };
        for n in next..next + size {
            end.writer.write(numbered(n), 0);
        }
        end.writer.publish_head();
    }
    while acknowledged(&mut end, &mut known)? < job.count {}
    Ok(start.elapsed())
}

fn receive_broadcast(mut end: BroadcastEnd, job: Job) -> Result<()> {
    let mut patience = Patience::new();
    let mut note = |position: u64| {
        end.writer.write([position; 6], 0);
        end.writer.publish_head();
    };
    note(0);
    let mut sum = 0_u64;
    while end.reader.position() < job.count {
        match end.reader.next() {
            Next::Record { words, .. } => {
                sum = sum.wrapping_add(checked(&words));
                let position = end.reader.position();
                if position.is_multiple_of(ACK_EVERY) || position == job.count {
                    note(position);
                }
            }
            Next::Empty => patience.turn()?,
            Next::Lapped(missed) => {
                return Err(BenchError::new("the broadcast ring", format!("{missed} records lost")));
            }
        }
    }
    std::hint::black_box(sum);
    Ok(())
}

fn rtrb(context: &Context, step: Step, count: u64) -> Result<Duration> {
    let (mut near, mut far) = rtrb_pair(CAPACITY);
    let far_core = context.far();
    std::thread::scope(|scope| {
        let receiving = scope.spawn(move || {
            pin(far_core)?;
            far.send_all(1, Step::Single);
            std::hint::black_box(far.receive_all(count, step));
            far.send_all(1, Step::Single);
            Ok(())
        });
        let time = on_core(context.near(), || {
            near.receive_all(1, Step::Single);
            let start = Instant::now();
            near.send_all(count, step);
            near.receive_all(1, Step::Single);
            Ok(start.elapsed())
        });
        match receiving.join() {
            Ok(outcome) => outcome.and(time),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn disruptor(context: &Context, step: Step, count: u64) -> Result<Duration> {
    std::thread::scope(|scope| {
        let carrying = scope.spawn(|| {
            let mut pinned = Ok(());
            let time = ring_disruptor::carry(CAPACITY, context.far(), count, step, || pinned = pin(context.near()));
            pinned.map(|()| time)
        });
        match carrying.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
