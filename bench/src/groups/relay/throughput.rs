//! Records a second through the relay's one core.
//!
//! Two cores cannot feed the relay, read along and run it at once, so a round is filled first: the relay is stopped (SIGSTOP), the producers put their
//! share into their rings, the readers begin to poll, the relay goes on. The time is between the relay's own stamps of the first and the last record,
//! so neither the stop nor the fill is in it. Rounds with 0, 1, 10 and 50 readers take turns.
//!
//! The readers are polled by one thread on the far core, each up to [`CHUNK`] records at a turn: all pull the same cache lines out of the relay's core, as
//! readers on cores of their own would.

use tickpath_transport::broadcast::{Next, Reader};
use tickpath_transport::stream_ring::StreamRing;
use tickpath_transport::{CounterPage, now_ns};

use super::Source;
use super::process::RelayProcess;
use super::tap::Tap;
use crate::context::{BenchError, Context, Result};
use crate::groups::ring::on_core;
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

const PRODUCERS: [u8; 4] = [1, 3, 4, 12];
const READERS: [usize; 4] = [0, 1, 10, 50];
/// Records of a round, all producers together; fewer than the stream holds, so that the slowest reader is not lapped.
const RECORDS: u64 = 240_000;
const STREAM: usize = 1 << 18;
/// Records that a reader takes before it is the next one's turn.
const CHUNK: usize = 256;

/// Every number of producers with every number of readers.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for producers in PRODUCERS {
        let relay = RelayProcess::start(context, STREAM)?;
        let rates = on_core(context.far(), || rounds(context, &relay, producers))?;
        let quiet = rates[0].summary().p50;
        for (readers, ours) in READERS.into_iter().zip(rates) {
            let change = (ours.summary().p50 / quiet - 1.0) * 100.0;
            let name = format!("relay.throughput.p{producers}.r{readers}");
            measurements.push(
                Measurement::new(name, "records/s", Better::Higher, ours)
                    .detail("change_by_readers_percent", change)
                    .note(format!("{producers} producers' rings filled while the relay is stopped, then {RECORDS} records on one core, by the relay's own stamps; {readers} readers read along on the other core")),
            );
        }
    }
    Ok(measurements)
}

fn rounds(context: &Context, relay: &RelayProcess, producers: u8) -> Result<[Samples; READERS.len()]> {
    let page = CounterPage::create("bench").map_err(|error| BenchError::new("a counter page", error))?;
    let share = context.pick(RECORDS, 12_000) / u64::from(producers);
    let capacity = (share + 1).next_power_of_two() as usize;
    let mut sources = Vec::new();
    for n in 0..producers {
        sources.push(Source::attach(relay, &page, n, capacity)?);
    }
    let most = READERS[READERS.len() - 1];
    let mut taps = Vec::new();
    for _ in 0..=most {
        taps.push(Tap::attach(relay.socket(), &page)?);
    }
    let mut rates = READERS.map(|_| Samples::new(1.0));
    for round in 0..context.pick(16, 2) {
        for (readers, into) in READERS.into_iter().zip(&mut rates) {
            let rate = one_round(relay, &mut sources, &mut taps, readers, share)?;
            // The first warms up.
            if round > 0 {
                into.add(rate);
            }
        }
    }
    Ok(rates)
}

/// Fills, lets the relay run, reads along with the first `readers` taps: records a second.
fn one_round(
    relay: &RelayProcess,
    sources: &mut [Source],
    taps: &mut [Tap],
    readers: usize,
    share: u64,
) -> Result<u64> {
    let total = share * sources.len() as u64;
    let first = catch_up(taps);
    relay.hold()?;
    let filled = fill(sources, share);
    let (reading, resting) = taps.split_at_mut(readers);
    relay.release()?;
    filled?;
    if reading.is_empty() {
        // Whoever looks at the stream is a reader: the producers' side of the rings tells instead.
        let capacity = sources[0].publisher.room().max(share + 1).next_power_of_two();
        for source in sources.iter_mut() {
            super::process::wait_until("the relay to empty a ring", || source.publisher.room() >= capacity)?;
        }
    }
    while reading.iter().any(|tap| tap.reader.position() < first + total) {
        for tap in reading.iter_mut() {
            take(&mut tap.reader)?;
        }
    }
    // The last tap never reads along.
    let witness = resting
        .last_mut()
        .ok_or_else(|| BenchError::new("throughput", "no witness"))?;
    let stream = witness.reader.memory().clone();
    let begun = stamp(&mut Reader::at(stream.clone(), first))?;
    let ended = stamp(&mut Reader::at(stream, first + total - 1))?;
    Ok((total as f64 / ((ended - begun).max(1) as f64 / 1e9)) as u64)
}

fn fill(sources: &mut [Source], share: u64) -> Result<()> {
    for source in sources {
        let mut now = now_ns();
        for n in 0..share {
            if n % 64 == 0 {
                now = now_ns();
            }
            source.publish(n, now);
        }
        source.publisher.flush();
        if source.publisher.dropped() > 0 {
            return Err(BenchError::new("fill a ring", "records were dropped"));
        }
    }
    Ok(())
}

/// Moves every tap to the newest record; which is where the next will stand.
fn catch_up(taps: &mut [Tap]) -> u64 {
    for tap in taps.iter_mut() {
        tap.reader = Reader::live(tap.reader.memory().clone());
    }
    taps[0].reader.position()
}

fn take(reader: &mut Reader<StreamRing>) -> Result<()> {
    for _ in 0..CHUNK {
        match reader.next() {
            Next::Record { words, .. } => {
                std::hint::black_box(words);
            }
            Next::Empty => return Ok(()),
            Next::Lapped(missed) => return Err(BenchError::new("read along", format!("{missed} records lapped"))),
        }
    }
    Ok(())
}

/// When the relay published the reader's next record.
fn stamp(reader: &mut Reader<StreamRing>) -> Result<i64> {
    match reader.next() {
        Next::Record { published_ns, .. } => Ok(published_ns),
        other => Err(BenchError::new("the stamp of a record", format!("{other:?}"))),
    }
}
