//! The whole path, in real processes: from the venue's socket to a reader, and to a WebSocket client.
//!
//! This process plays the venue and both readers, on one pinned thread; between them run the released collector, relay and bridge. Trades
//! leave at a fixed rate, open loop, and every time runs from when a trade was due to when it is seen. The floor, a message of the same size
//! and rate over loopback TCP, takes turns with the pipeline, whose processes are stopped meanwhile. [`layout`] says who has which core.

mod client;
mod layout;
mod load;
mod rig;
mod switches;
mod venue;

use std::thread;
use std::time::Duration;

use tickpath_peers::net::{OneWay, Receive, one_way};
use tickpath_transport::now_ns;

use self::layout::{Layout, Mode, pin};
use self::load::{Load, Seen, WARM, round};
use self::rig::Rig;
use crate::context::{BenchError, Context, Result, Tried};
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

const BINARIES: [&str; 3] = ["tickpath-relay", "tickpath-collector", "tickpath-bridge"];
/// Rates of the measurements, records a second.
const RATES: [(&str, i64); 3] = [("1k", 1_000), ("10k", 10_000), ("100k", 100_000)];
/// In blocking mode every message wakes two threads; 100,000 a second are beyond a shared core.
const BLOCKING_RATES: usize = 2;
/// Sent without a loss, frames a second.
const SUSTAINED: i64 = 120_000;
/// For the processes to be at work again after a floor.
const SETTLE: Duration = Duration::from_millis(20);

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    if let Some(missing) = BINARIES.iter().find(|name| !context.binary(name).is_file()) {
        if context.quick {
            context.say(&format!("left out: {missing} was not built beside this program"));
            return Ok(Vec::new());
        }
        return Err(BenchError::new(
            *missing,
            "not built beside this program; scripts/bench builds it",
        ));
    }
    // On a thread of its own, so that other groups find this one where it was.
    thread::scope(|scope| {
        let measuring = scope.spawn(|| take(context));
        measuring
            .join()
            .unwrap_or_else(|_| Err(BenchError::new("pipeline", "the measuring thread failed")))
    })
}

fn take(context: &Context) -> Result<Vec<Measurement>> {
    let layout = Layout::new(context);
    pin(layout.ends)?;
    let mut all = records(context, layout)?;
    all.extend(messages(context, layout, Mode::Polled)?);
    all.extend(messages(context, layout, Mode::Blocking)?);
    all.extend(switches::measure(context, layout)?);
    Ok(all)
}

/// `pipeline.record.*`, the hops, and `pipeline.sustained`.
fn records(context: &Context, layout: Layout) -> Result<Vec<Measurement>> {
    let mut rig = Rig::start(context, "record", layout, layout.waits(Mode::Polled), false)?;
    let mut all = Vec::new();
    for (name, rate) in rates(context, RATES.len()) {
        context.say(&format!("pipeline.record at {name}/s"));
        let (seen, floor) = compare(context, layout, &mut rig, Mode::Polled, rate)?;
        let note = format!(
            "due time to visible at a reader in another process; {}",
            layout.described()
        );
        all.push(
            latency(format!("pipeline.record.{name}.spin"), seen.record)
                .floor("loopback TCP one-way, busy-polled", floor)
                .detail("lost_records", seen.lost_records as f64)
                .note(note),
        );
        for (hop, samples, note) in [
            (
                "send_to_recv",
                seen.received,
                "due time to `ts_recv`: the venue's send, TCP, and the collector's read",
            ),
            (
                "recv_to_publish",
                seen.published,
                "`ts_recv` to the relay's stamp: decode, producer ring, relay",
            ),
            ("publish_to_visible", seen.visible, "the relay's stamp to the reader's"),
        ] {
            all.push(latency(format!("pipeline.record.{name}.hop.{hop}"), samples).note(note));
        }
    }
    all.push(sustained(context, &mut rig)?);
    Ok(all)
}

/// `pipeline.json.*`.
fn messages(context: &Context, layout: Layout, mode: Mode) -> Result<Vec<Measurement>> {
    let (suffix, count, floor_name) = match mode {
        Mode::Polled => ("spin", RATES.len(), "loopback TCP one-way, busy-polled"),
        Mode::Blocking => ("sleep", BLOCKING_RATES, "loopback TCP one-way, blocking"),
    };
    let mut rig = Rig::start(context, suffix, layout, layout.waits(mode), true)?;
    let mut all = Vec::new();
    for (name, rate) in rates(context, count) {
        context.say(&format!("pipeline.json at {name}/s, {suffix}"));
        let (seen, floor) = compare(context, layout, &mut rig, mode, rate)?;
        let note = format!(
            "due time to read by a WebSocket client, so both ends of two TCP hops; {}; {}",
            layout.described(),
            match mode {
                Mode::Polled => "the client polls its socket",
                Mode::Blocking => "collector and client sleep in the kernel, relay and bridge poll their rings",
            }
        );
        all.push(
            latency(format!("pipeline.json.{name}.{suffix}"), seen.json)
                .floor(floor_name, floor)
                .detail("lost_messages", seen.lost_messages as f64)
                .detail("record_p50_ns", seen.record.summary().p50)
                .note(note),
        );
    }
    Ok(all)
}

fn rates(context: &Context, count: usize) -> impl Iterator<Item = (&'static str, i64)> {
    RATES.into_iter().take(context.pick(count, 2.min(count)))
}

fn latency(name: String, samples: Samples) -> Measurement {
    Measurement::new(name, "ns", Better::Lower, samples)
}

/// Ours and the floor, in turns.
fn compare(context: &Context, layout: Layout, rig: &mut Rig, mode: Mode, rate: i64) -> Result<(Seen, Samples)> {
    let (mut seen, mut floor) = (Seen::default(), Samples::new(1.0));
    let load = Load {
        per_second: rate,
        trades: context.pick(rate * 3 / 2, rate / 20),
    };
    for _ in 0..context.pick(3, 1) {
        rig.pause()?;
        take_floor(layout, mode, load, rig.venue.frame_bytes(), &mut floor)?;
        rig.resume()?;
        thread::sleep(SETTLE);
        round(rig, mode, load, &mut seen)?;
    }
    Ok((seen, floor))
}

fn take_floor(layout: Layout, mode: Mode, load: Load, bytes: usize, floor: &mut Samples) -> Result<()> {
    let run = OneWay {
        bytes,
        interval_ns: load.interval_ns(),
        messages: usize::try_from(WARM + load.trades * 3 / 4).unwrap_or(0),
        receive: match mode {
            Mode::Polled => Receive::Polled,
            Mode::Blocking => Receive::Blocking,
        },
        clock: now_ns,
    };
    let pin_receiver = || {
        if let Err(error) = pin(layout.collector) {
            eprintln!("tickpath-bench: {error}");
        }
    };
    let latencies = one_way(run, pin_receiver).tried("loopback TCP")?;
    latencies.into_iter().skip(WARM as usize).for_each(|ns| floor.add(ns));
    Ok(())
}

/// `pipeline.sustained`: frames a second over the whole time, 0 if a single one was lost.
fn sustained(context: &Context, rig: &mut Rig) -> Result<Measurement> {
    context.say(&format!("pipeline.sustained at {SUSTAINED}/s"));
    let load = Load {
        per_second: SUSTAINED,
        trades: SUSTAINED * context.pick(25, 1) / context.pick(1, 20),
    };
    let mut seen = Seen::default();
    let start_ns = now_ns();
    round(rig, Mode::Polled, load, &mut seen)?;
    let seconds = (now_ns() - start_ns) as f64 / 1e9;
    let is_whole = seen.lost_records == 0 && seen.disturbances == 0;
    let rate = if is_whole { load.trades as f64 / seconds } else { 0.0 };
    Ok(Measurement::new(
        "pipeline.sustained",
        "frames/s",
        Better::Higher,
        Samples::of([rate as u64]),
    )
    .detail("seconds", seconds)
    .detail("frames", load.trades as f64)
    .detail("lost_frames", seen.lost_records as f64)
    .detail("gaps_and_laps", seen.disturbances as f64)
    .detail("latency_p99_ns", seen.record.summary().p99)
    .note("frames of one venue, a trade each, every one found again at the reader; 0 if any was lost"))
}
