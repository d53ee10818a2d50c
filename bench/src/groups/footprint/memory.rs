//! Memory of the pipeline's processes, at rest and under load.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::context::{Context, Result, Tried};
use crate::groups::fanout::clients::Clients;
use crate::measurement::{Better, Measurement};
use crate::process::{Memory, Process, free_address, memory, wait_for_address, wait_until};
use crate::samples::Samples;

/// Market events a second and instrument, of eight instruments.
const EVENTS_AT_REST: u32 = 1;
const EVENTS_UNDER_LOAD: u32 = 500;
const CLIENTS: usize = 10;
const REQUEST: &str =
    r#"{"op":"subscribe","channels":["trades","quotes","book","status","system"],"symbols":["*"],"id":1}"#;
/// Processes of a pipeline with four venues: relay, simulator, bridge, recorder, collectors, engine and its watchdog.
const PROCESSES: usize = 10;
const START_LIMIT: Duration = Duration::from_secs(30);
const MINUTE_S: f64 = 60.0;

/// What `tickpath up` says it runs.
#[derive(Deserialize)]
struct State {
    processes: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    pid: Option<u32>,
}

/// Looks at one process: seconds since the first look, and its memory.
type Looks = Vec<(f64, Memory)>;

/// Takes all.
///
/// # Errors
/// If the pipeline cannot be started, or one of its processes dies.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    context.say("memory at rest");
    let rest = context.pick(Duration::from_secs(10), Duration::from_millis(300));
    let at_rest = watch(context, EVENTS_AT_REST, rest)?;
    let load = context.pick(Duration::from_secs(600), Duration::from_millis(700));
    context.say(&format!("memory under load, {} s", load.as_secs()));
    let loaded = watch(context, EVENTS_UNDER_LOAD, load)?;
    let mut measurements = Vec::new();
    for (name, looks) in &loaded {
        if let Some(rest) = at_rest.get(name) {
            measurements.push(at_rest_of(name, rest));
        }
        measurements.push(under_load_of(name, looks));
    }
    Ok(measurements)
}

fn at_rest_of(name: &str, looks: &Looks) -> Measurement {
    Measurement::new(format!("footprint.{name}.rest"), "bytes", Better::Lower, rss(looks))
        .detail("pss_bytes", looks.last().map_or(0.0, |look| look.1.pss as f64))
        .note("RSS; one market event a second and instrument, ten clients.")
}

fn under_load_of(name: &str, looks: &Looks) -> Measurement {
    let last = looks.last().copied().unwrap_or_default();
    let first = looks.first().copied().unwrap_or_default();
    Measurement::new(format!("footprint.{name}.load"), "bytes", Better::Lower, rss(looks))
        .detail("first_rss_bytes", first.1.rss as f64)
        .detail("last_rss_bytes", last.1.rss as f64)
        .detail("last_pss_bytes", last.1.pss as f64)
        .detail("growth_bytes_per_minute", slope(second_half(looks)) * MINUTE_S)
        .detail("seconds", last.0 - first.0)
        .note(format!(
            "RSS over the time of load: {EVENTS_UNDER_LOAD} market events a second and instrument, four venues, ten clients. \
             Growth: a straight line through the second half."
        ))
}

fn rss(looks: &Looks) -> Samples {
    Samples::of(looks.iter().map(|look| look.1.rss))
}

fn second_half(looks: &Looks) -> &[(f64, Memory)] {
    &looks[looks.len() / 2..]
}

/// Bytes a second, by least squares.
fn slope(looks: &[(f64, Memory)]) -> f64 {
    let count = looks.len() as f64;
    let mean = |value: fn(&(f64, Memory)) -> f64| looks.iter().map(value).sum::<f64>() / count;
    let (time, rss) = (mean(|look| look.0), mean(|look| look.1.rss as f64));
    let above: f64 = looks
        .iter()
        .map(|look| (look.0 - time) * (look.1.rss as f64 - rss))
        .sum();
    let below: f64 = looks.iter().map(|look| (look.0 - time).powi(2)).sum();
    if below > 0.0 { above / below } else { 0.0 }
}

/// Runs the pipeline and looks at its processes some hundred times.
fn watch(context: &Context, events_per_second: u32, time: Duration) -> Result<BTreeMap<String, Looks>> {
    let dir = context.scratch.join(format!("footprint-{events_per_second}"));
    std::fs::create_dir_all(&dir).tried(format!("making {}", dir.display()))?;
    let (config, bridge) = write_config(&dir, events_per_second)?;
    let mut command = Command::new(context.binary("tickpath"));
    command.arg("up").arg("--config").arg(&config);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut up = Process::start("tickpath up", &mut command, None)?;
    wait_until("all processes", START_LIMIT, || pids(&dir).len() == PROCESSES)?;
    wait_for_address(bridge)?;
    let mut clients = Clients::start(&bridge.to_string(), CLIENTS, Some(REQUEST), context.near())?;
    clients.wait_ready()?;
    clients.begin()?;
    let mut looks: BTreeMap<String, Looks> = BTreeMap::new();
    let start = Instant::now();
    while start.elapsed() < time {
        std::thread::sleep(time / 200);
        up.check()?;
        for (name, pid) in pids(&dir) {
            let seconds = start.elapsed().as_secs_f64();
            looks.entry(name).or_default().push((seconds, memory(pid)?));
        }
    }
    let count = clients.end()?;
    context.say(&format!("{:.0} messages/s to {CLIENTS} clients", count.rate()));
    // Before the bridge, which would tell them that it goes away.
    drop(clients);
    up.stop()?;
    Ok(looks)
}

fn write_config(dir: &Path, events_per_second: u32) -> Result<(PathBuf, std::net::SocketAddr)> {
    let (bridge, simulator) = (free_address()?, free_address()?);
    let config = dir.join("tickpath.toml");
    let text = format!(
        "runtime_dir = {:?}\n[log]\nlevel = \"warn\"\n[bridge]\nlisten = \"{bridge}\"\n\
         [simulator]\nlisten = \"{simulator}\"\nevents_per_second = {events_per_second}\n",
        dir.join("run")
    );
    std::fs::write(&config, text).tried(format!("writing {}", config.display()))?;
    Ok((config, bridge))
}

/// Name and id of every process that runs.
fn pids(dir: &Path) -> Vec<(String, u32)> {
    let text = std::fs::read(dir.join("run/up.json")).unwrap_or_default();
    // Not there yet, or being replaced: the caller looks again.
    let Ok(state) = serde_json::from_slice::<State>(&text) else {
        return Vec::new();
    };
    let entries = state.processes.into_iter();
    entries.filter_map(|entry| Some((entry.name, entry.pid?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_a_straight_line() {
        let look = |second: u64| {
            let rss = 1_000 + 20 * second;
            (second as f64, Memory { rss, pss: 0 })
        };
        let looks: Looks = (0..10).map(look).collect();
        assert!((slope(&looks) - 20.0).abs() < 1e-9);
        assert_eq!(slope(&looks[..1]), 0.0);
    }
}
