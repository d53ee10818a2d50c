//! Allocations a record: in the feed, in the relay, in the engine with its strategies, and in the collector's whole session with its WebSocket library.

use std::process::{Command, Stdio};

use crate::context::{BenchError, Context, Result, Tried};
use crate::measurement::{Better, Measurement};
use crate::process::{Process, free_address, wait_for_address};
use crate::samples::Samples;

const COUNTER: &str = "tickpath-bench-allocations";
const VENUES: [&str; 3] = ["binance", "coinbase", "kraken"];
const FEED: &str = "Frames of a capture, decoded, synced and published; its fourth pass is counted, from a tenth of it on, in 200 parts. \
    The median part is what the thread does; the others also hold what the thread of the publisher's socket allocates by the clock.";
const RELAY: &str = "Producer, relay and reader in one process, all threads counted, in 200 parts. The median part is what the hot threads do; \
    the others also hold what the controlling threads allocate by the clock.";
const ENGINE: &str = "All seven built-in strategies in one engine with its paper venue, over two markets that wander and make each of them trade; \
    as many events before the count as in it, which has 200 parts.";
const SESSION: &str = "The collector's session as it is, WebSocket library and runtime included, and a relay; against the simulator. \
    All threads counted, in 200 parts of the time. The median part is what the hot threads do; the others also hold what controlling threads allocate \
    by the clock, which is as much for few records as for many.";

/// Takes all.
///
/// # Errors
/// If a counter cannot be run.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    // The project's own captures are too small to warm anything up.
    let can_warm = context.captures.is_some() || context.quick;
    if !can_warm {
        context.say("allocations.decode is left out: it takes recorded feeds (--captures)");
    }
    for venue in VENUES.iter().filter(|_| can_warm) {
        let dir = context.capture(venue).display().to_string();
        measurements.push(count(
            context,
            &format!("allocations.decode.{venue}"),
            FEED,
            &["feed", venue, &dir],
        )?);
    }
    let records = context.pick("5000000", "20000");
    measurements.push(count(context, "allocations.relay", RELAY, &["relay", records])?);
    let events = context.pick("1000000", "20000");
    measurements.push(count(context, "allocations.engine", ENGINE, &["engine", events])?);
    measurements.extend(sessions(context)?);
    Ok(measurements)
}

fn sessions(context: &Context) -> Result<Vec<Measurement>> {
    let dir = context.scratch.join("allocations");
    std::fs::create_dir_all(&dir).tried(format!("making {}", dir.display()))?;
    let (address, config) = (free_address()?, dir.join("tickpath.toml"));
    let text = format!(
        "runtime_dir = {dir:?}\n[log]\nlevel = \"warn\"\n[simulator]\nlisten = \"{address}\"\nevents_per_second = 2000\n"
    );
    std::fs::write(&config, text).tried(format!("writing {}", config.display()))?;
    let mut command = Command::new(context.binary("tickpath-simulator"));
    command
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let _simulator = Process::start("tickpath-simulator", &mut command, Some(context.far()))?;
    wait_for_address(address)?;
    let config = config.display().to_string();
    let seconds = context.pick("3", "0.05");
    let venues = context.pick(&VENUES[..], &VENUES[..1]);
    let one = |venue: &&str| {
        let name = format!("allocations.session.{venue}");
        count(context, &name, SESSION, &["session", &config, venue, seconds])
    };
    venues.iter().map(one).collect()
}

fn count(context: &Context, name: &str, note: &str, arguments: &[&str]) -> Result<Measurement> {
    context.say(name);
    let output = Command::new(context.binary(COUNTER))
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .tried(format!("running {COUNTER}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let parts: Option<Vec<(u64, u64)>> = text.lines().map(part).collect();
    let parts = parts.unwrap_or_default();
    let (records, allocations) = parts.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    if records == 0 {
        return Err(BenchError::new(
            name,
            format!("{COUNTER} {arguments:?} counted nothing: `{}`", text.trim()),
        ));
    }
    let mut samples = Samples::new(parts.len() as f64 / records as f64);
    parts.iter().for_each(|part| samples.add(part.1));
    Ok(Measurement::new(name, "allocations/record", Better::Lower, samples)
        .detail("records", records as f64)
        .detail("allocations", allocations as f64)
        .note(note))
}

/// Records and allocations of a line.
fn part(line: &str) -> Option<(u64, u64)> {
    let (records, allocations) = line.split_once(' ')?;
    Some((records.parse().ok()?, allocations.parse().ok()?))
}
