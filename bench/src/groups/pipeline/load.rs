//! One round: trades that leave at a fixed rate, whatever becomes of them, and the times at which they are seen again.
//!
//! A time runs from when the trade was *due*. If the sender is late, or the pipeline blocks it, that counts.

use std::io;
use std::thread;
use std::time::Duration;

use tickpath_protocol::Kind;
use tickpath_transport::{Event, Received, now_ns};

use super::client::Client;
use super::layout::Mode;
use super::rig::Rig;
use super::venue::number_of;
use crate::context::{Result, Tried};
use crate::samples::Samples;

/// Trades before a round that only warm caches up.
pub const WARM: i64 = 200;
/// From the start of a round to its first trade.
const LEAD_NS: i64 = 2_000_000;
/// How long the last trades may take.
const DRAIN_NS: i64 = 1_000_000_000;
/// Records between two looks at the schedule.
const RECORDS_PER_TURN: usize = 64;
/// After so long without a message a blocking client looks whether the round is over.
const CLIENT_PATIENCE: Duration = Duration::from_millis(500);

/// A rate, held for so many trades.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub per_second: i64,
    pub trades: i64,
}

impl Load {
    pub fn interval_ns(self) -> i64 {
        1_000_000_000 / self.per_second
    }
}

/// What rounds of one rate collected, ns.
#[derive(Debug)]
pub struct Seen {
    /// Due to visible at the reader.
    pub record: Samples,
    /// Due to read by the WebSocket client.
    pub json: Samples,
    /// Due to `ts_recv`.
    pub received: Samples,
    /// `ts_recv` to the relay's stamp.
    pub published: Samples,
    /// The relay's stamp to visible.
    pub visible: Samples,
    /// Trades that never came, to the reader and to the client.
    pub lost_records: i64,
    pub lost_messages: i64,
    /// Gaps, laps and records missing of which the reader was told.
    pub disturbances: u64,
}

impl Default for Seen {
    fn default() -> Seen {
        let none = || Samples::new(1.0);
        Seen {
            record: none(),
            json: none(),
            received: none(),
            published: none(),
            visible: none(),
            lost_records: 0,
            lost_messages: 0,
            disturbances: 0,
        }
    }
}

/// When trade `first + n` is due.
#[derive(Clone, Copy)]
struct Schedule {
    first: i64,
    start_ns: i64,
    interval_ns: i64,
    trades: i64,
}

impl Schedule {
    /// When it was due; `None` for a trade of another round, or of the warm-up.
    fn due_ns(&self, number: i64) -> Option<i64> {
        let index = number - self.first;
        (WARM..self.trades)
            .contains(&index)
            .then_some(self.start_ns + index * self.interval_ns)
    }
}

/// Runs a round; the calling thread is venue, reader and, where messages are polled, client.
pub fn round(rig: &mut Rig, mode: Mode, load: Load, seen: &mut Seen) -> Result<()> {
    let schedule = Schedule {
        first: rig.venue.next(),
        start_ns: now_ns() + LEAD_NS,
        interval_ns: load.interval_ns(),
        trades: load.trades + WARM,
    };
    let Some(mut client) = rig.client.take() else {
        return drive(rig, None, mode, schedule, seen);
    };
    client.set_polled(mode == Mode::Polled).tried("set up the client")?;
    let outcome = match mode {
        Mode::Polled => drive(rig, Some(&mut client), mode, schedule, seen),
        Mode::Blocking => thread::scope(|scope| {
            let reading = scope.spawn(|| read_blocking(&mut client, schedule));
            let outcome = drive(rig, None, mode, schedule, seen);
            let read = reading
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the client failed")));
            let (samples, lost) = read.tried("read from the bridge")?;
            seen.json.merge(&samples);
            seen.lost_messages += lost;
            outcome
        }),
    };
    rig.client = Some(client);
    outcome
}

fn drive(
    rig: &mut Rig,
    mut client: Option<&mut Client>,
    mode: Mode,
    schedule: Schedule,
    seen: &mut Seen,
) -> Result<()> {
    let count = schedule.trades - WARM;
    let (mut sent, mut records, mut messages) = (0, 0, if client.is_some() { 0 } else { count });
    let mut due_ns = schedule.start_ns;
    let end_ns = schedule.start_ns + schedule.trades * schedule.interval_ns + DRAIN_NS;
    loop {
        let now = now_ns();
        if sent < schedule.trades && now >= due_ns {
            rig.venue.send(due_ns).tried("send a trade")?;
            sent += 1;
            due_ns += schedule.interval_ns;
        } else {
            rig.venue.flush().tried("send a trade")?;
            if mode == Mode::Blocking {
                // The client's thread sleeps on this core.
                thread::yield_now();
            }
        }
        rig.reader.poll(RECORDS_PER_TURN, |event| match event {
            Event::Record(received) => records += i64::from(seen.note(&schedule, received)),
            Event::Lapped { .. } | Event::Missing { .. } | Event::Detached => seen.disturbances += 1,
            Event::Attached { .. } => {}
        });
        if let Some(client) = &mut client {
            client
                .read(|number| messages += i64::from(note_message(&mut seen.json, &schedule, number)))
                .tried("read from the bridge")?;
        }
        if sent == schedule.trades && ((records >= count && messages >= count) || now > end_ns) {
            break;
        }
    }
    seen.lost_records += count - records;
    seen.lost_messages += count - messages;
    Ok(())
}

/// The client of the blocking mode: a thread that sleeps in `read`, on the core of the ends.
fn read_blocking(client: &mut Client, schedule: Schedule) -> io::Result<(Samples, i64)> {
    client.set_patience(CLIENT_PATIENCE)?;
    let (mut samples, mut messages) = (Samples::new(1.0), 0);
    let count = schedule.trades - WARM;
    let end_ns = schedule.start_ns + schedule.trades * schedule.interval_ns + DRAIN_NS;
    while messages < count && now_ns() < end_ns {
        client.read(|number| messages += i64::from(note_message(&mut samples, &schedule, number)))?;
    }
    Ok((samples, count - messages))
}

fn note_message(samples: &mut Samples, schedule: &Schedule, number: i64) -> bool {
    let due_ns = schedule.due_ns(number);
    if let Some(due_ns) = due_ns {
        samples.add(between(due_ns, now_ns()));
    }
    due_ns.is_some()
}

impl Seen {
    /// Takes the times of a record; false if it is none of this round's.
    fn note(&mut self, schedule: &Schedule, received: &Received) -> bool {
        let visible_ns = now_ns();
        let record = &received.record;
        match record.kind() {
            Some(Kind::Trade) => {}
            Some(Kind::Gap) => {
                self.disturbances += 1;
                return false;
            }
            _ => return false,
        }
        let Some(due_ns) = schedule.due_ns(number_of(record.price)) else {
            return false;
        };
        self.record.add(between(due_ns, visible_ns));
        self.received.add(between(due_ns, record.ts_recv));
        self.published.add(between(record.ts_recv, received.published_ns));
        self.visible.add(between(received.published_ns, visible_ns));
        true
    }
}

fn between(from_ns: i64, to_ns: i64) -> u64 {
    u64::try_from(to_ns - from_ns).unwrap_or(0)
}
