//! One record to many WebSocket clients: the real relay and bridge, a producer, and clients that only count.
//!
//! The bridge has one core for all its threads; relay, producer and clients share the other. The producer publishes trades at a fixed rate
//! (open loop), of which each is one message to each client, so that all clients together are offered 120,000 messages a second however
//! many they are. The floor is a process on the bridge's core that writes the same bytes to as many plain sockets, one `write` each; it
//! takes turns with the bridge.
//!
//! Limits: one machine, loopback. On two cores the clients' reading competes with the relay and the producer, not with the bridge.

pub mod clients;
mod encode;
pub mod floor;
mod frames;
mod pace;
mod stage;

use std::time::Duration;

use crate::context::{Context, Result};
use crate::measurement::{Better, Measurement};
use crate::process::{allow_files, cpu_ns};
use crate::samples::Samples;
use clients::Count;
use stage::Stage;

/// Messages a second that are offered to all clients together.
const OFFERED: u64 = 120_000;
/// Files that a process may need beside one a client.
const FILES_BESIDE: u64 = 100;
/// What one must know to read the figures.
const METHOD: &str = "Offered 120,000 messages/s over all clients, at a fixed rate; each value is a round. \
    The floor writes the same bytes to plain sockets, one write each.";

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let mut measurements = encode::measure(context)?;
    let sizes: &[usize] = context.pick(&[10, 100, 1_000], &[10, 20]);
    allow_files(*sizes.iter().max().unwrap_or(&0) as u64 + FILES_BESIDE)?;
    for clients in sizes {
        context.say(&format!("{clients} clients"));
        measurements.extend(measure_size(context, *clients)?);
    }
    Ok(measurements)
}

/// What one round gave.
struct Turn {
    count: Count,
    cpu_ns: u64,
}

impl Turn {
    /// Messages for each second that the process spent on its core.
    fn per_cpu_second(&self) -> u64 {
        (self.count.total as f64 * 1e9 / self.cpu_ns.max(1) as f64) as u64
    }
}

fn measure_size(context: &Context, clients: usize) -> Result<Vec<Measurement>> {
    let rate = context.pick(OFFERED, 2_000) / clients as u64;
    let mut stage = Stage::start(context, clients)?;
    let (mut ours, mut floor): (Vec<Turn>, Vec<Turn>) = (Vec::new(), Vec::new());
    for _ in 0..context.pick(3, 1) {
        ours.push(bridge_turn(context, &mut stage, rate)?);
        let payload = ours.last().map_or(0, |turn| payload_bytes(&turn.count));
        floor.push(floor_turn(context, &mut stage, rate, payload)?);
    }
    let rates = |turns: &[Turn]| Samples::of(turns.iter().map(|turn| turn.count.rate() as u64));
    let costs = |turns: &[Turn]| Samples::of(turns.iter().map(Turn::per_cpu_second));
    let least = ours.iter().map(|turn| turn.count.least_rate()).fold(f64::MAX, f64::min);
    let spread = ours.iter().map(|turn| turn.count.most - turn.count.least).max();
    let cpu = |turns: &[Turn]| {
        let used: u64 = turns.iter().map(|turn| turn.cpu_ns).sum();
        let passed: u64 = turns.iter().map(|turn| turn.count.elapsed_ns).sum();
        used as f64 / passed as f64
    };
    let delivered = Measurement::new(
        format!("fanout.{clients}.delivered"),
        "messages/s",
        Better::Higher,
        rates(&ours),
    )
    .floor("plain sockets", rates(&floor))
    .detail("offered_per_s", (rate * clients as u64) as f64)
    .detail("least_client_per_s", least)
    .detail("most_less_least_messages", spread.unwrap_or(0) as f64)
    .detail("bridge_cores", cpu(&ours))
    .detail("floor_cores", cpu(&floor))
    .detail("bridge_lapped_or_missing_records", stage.missing()? as f64)
    .note(METHOD);
    let name = format!("fanout.{clients}.per_cpu_second");
    let cost = Measurement::new(name, "messages/s", Better::Higher, costs(&ours))
        .floor("plain sockets", costs(&floor))
        .note("Messages for each second of core time of the bridge, kernel included.");
    Ok(vec![delivered, cost])
}

/// The payload of the mean message; the frame's header is two bytes, or four from 126 bytes on.
fn payload_bytes(count: &Count) -> u16 {
    let frame = count.bytes / count.total.max(1);
    let header = if frame < 128 { 2 } else { 4 };
    frame.saturating_sub(header).min(u16::MAX.into()) as u16
}

fn bridge_turn(context: &Context, stage: &mut Stage, rate: u64) -> Result<Turn> {
    stage.producer.go(rate);
    let pid = stage.bridge.pid();
    let turn = turn(context, &mut stage.clients, || cpu_ns(pid));
    stage.producer.stop();
    stage.bridge.check()?;
    turn
}

fn floor_turn(context: &Context, stage: &mut Stage, rate: u64, payload_bytes: u16) -> Result<Turn> {
    stage.floor.go(rate, payload_bytes)?;
    let pid = stage.floor.pid();
    let turn = turn(context, &mut stage.floor_clients, || cpu_ns(pid));
    stage.floor.stop()?;
    turn
}

/// Counts while messages flow, after a while for them to flow evenly.
fn turn(context: &Context, clients: &mut clients::Clients, cpu: impl Fn() -> Result<u64>) -> Result<Turn> {
    std::thread::sleep(context.pick(Duration::from_millis(300), Duration::from_millis(80)));
    clients.begin()?;
    let cpu_before = cpu()?;
    std::thread::sleep(context.pick(Duration::from_millis(2_500), Duration::from_millis(150)));
    let cpu_after = cpu()?;
    Ok(Turn {
        count: clients.end()?,
        cpu_ns: cpu_after - cpu_before,
    })
}
