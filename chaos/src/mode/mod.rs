//! Measurements that need hostile or stopped company: each in rounds that take turns, so that what else the machine does falls on both alike.

pub mod hostile;
pub mod soak;
pub mod stopped;

use std::time::{Duration, Instant};

use tickpath_service::exit::{Context, ExitCode, ProcessError};

use crate::pipeline::{self, Pipeline};
use crate::place::{self, Place, Wanted};
use crate::role::Order;
use crate::role::handle::Role;
use crate::role::stopwatch::Latency;
use crate::run::setup::wait_ready;

const READY_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Records that the producer's ring holds: a pause of the relay must not cost any.
const PRODUCER_RING: &str = "131072";
const SEED: &str = "1";
/// A pipeline of relay and bridge alone.
const RELAY_AND_BRIDGE: &str = "[engine]\nenabled = false\n[collectors.kraken]\nenabled = false\n[collectors.coinbase]\nenabled = false\n\
     [collectors.binance]\nenabled = false\n[collectors.alpaca]\nenabled = false";

/// A pipeline with a certified producer. Roles first, so that they end first.
pub struct Stage {
    producer: Role,
    pipeline: Pipeline,
    /// Where it is.
    pub place: Place,
}

impl Stage {
    /// Starts a pipeline, `readers` of it, and then the producer.
    ///
    /// # Errors
    /// If one of them cannot be started.
    pub fn start(
        wanted: &Wanted,
        rate: u64,
        readers: impl FnOnce(&Place) -> Result<Vec<Role>, ProcessError>,
    ) -> Result<(Vec<Role>, Stage), ProcessError> {
        place::hide_shared_memory()?;
        let place = Place::new(wanted)?;
        let pipeline = Pipeline::start(&place)?;
        let deadline = Instant::now() + READY_WITHIN;
        while pipeline::get(place.bridge, "/healthz").is_none() {
            if Instant::now() >= deadline {
                let log = std::fs::read_to_string(place.log()).unwrap_or_default();
                return Err(ProcessError::message(
                    ExitCode::Failed,
                    format!("the pipeline does not start: {log}"),
                ));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let readers = readers(&place)?;
        for reader in &readers {
            wait_ready(reader)?;
        }
        let socket = place.socket().display().to_string();
        let producer = Role::start(
            "producer",
            &["producer", &socket, SEED, &rate.to_string(), PRODUCER_RING],
        )?;
        wait_ready(&producer)?;
        let stage = Stage {
            producer,
            pipeline,
            place,
        };
        Ok((readers, stage))
    }

    /// Lets the stream end; what is wrong with what the readers got, and how much was published.
    ///
    /// # Errors
    /// If somebody does not end.
    pub fn finish(mut self, readers: &mut [Role]) -> Result<(u64, Vec<String>), ProcessError> {
        self.producer.tell(Order::Finish { last: 0 })?;
        let (last, _) = wait_for("the producer's end", || self.producer.heard().published)?;
        let mut problems = Vec::new();
        for reader in readers {
            reader.tell(Order::Finish { last })?;
            let account = wait_for("a reader's end", || reader.heard().account.clone())?;
            let found = account.problems(last);
            problems.extend(found.iter().map(|problem| format!("{}: {problem}", reader.name())));
            reader.end()?;
        }
        self.producer.end()?;
        self.pipeline.stop()?;
        Ok((last, problems))
    }
}

/// A reader of the ring.
fn ring(place: &Place, name: &str) -> Result<Role, ProcessError> {
    Role::start(
        name,
        &["ring", &place.socket().display().to_string(), SEED, name, "memory"],
    )
}

fn wait_for<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> Result<T, ProcessError> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        if let Some(value) = value() {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            return Err(ProcessError::message(
                ExitCode::Failed,
                format!("waited in vain for {what}"),
            ));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What records take to a reader for so long.
fn time(reader: &mut Role, length: Duration) -> Result<Latency, ProcessError> {
    reader.heard().latency = None;
    reader.tell(Order::Begin)?;
    std::thread::sleep(length);
    reader.tell(Order::End)?;
    wait_for("the latencies of a round", || reader.heard().latency)
}

/// A figure of a round.
type Figure = fn(&Latency) -> u64;

/// Rounds of two kinds that took turns.
struct Rounds {
    what: &'static str,
    without: Vec<Latency>,
    with: Vec<Latency>,
}

impl Rounds {
    /// Prints medians over the rounds and their ratio; the ratio of the figure that is promised.
    fn print(&self, promised: Figure) -> f64 {
        println!(
            "| figure | without, µs | with {}, µs | ratio |\n|---|---|---|---|",
            self.what
        );
        let figures: [(&str, Figure); 3] = [
            ("p50", |latency| latency.p50_ns),
            ("p99", |latency| latency.p99_ns),
            ("p99.9", |latency| latency.p999_ns),
        ];
        for (name, of) in figures {
            let (without, with) = (median(&self.without, of), median(&self.with, of));
            let ratio = with / without;
            println!("| {name} | {:.1} | {:.1} | {ratio:.3} |", without / 1e3, with / 1e3);
        }
        let records: u64 = self.without.iter().chain(&self.with).map(|latency| latency.count).sum();
        println!(
            "\n{} rounds of each kind in turns, medians of rounds; {records} records",
            self.with.len()
        );
        println!(
            "{}, {} build of {}",
            crate::host::describe(),
            crate::host::build(),
            crate::host::commit()
        );
        median(&self.with, promised) / median(&self.without, promised)
    }
}

fn median(rounds: &[Latency], of: Figure) -> f64 {
    let mut values: Vec<u64> = rounds.iter().map(of).collect();
    values.sort_unstable();
    let middle = values.len() / 2;
    let value = match values.len() {
        0 => return 0.0,
        len if len % 2 == 0 => (values[middle - 1] + values[middle]) as f64 / 2.0,
        _ => values[middle] as f64,
    };
    value.max(1.0)
}

fn write_json(path: Option<&std::path::Path>, value: &impl serde::Serialize) -> Result<(), ProcessError> {
    let Some(path) = path else { return Ok(()) };
    let text = serde_json::to_vec_pretty(value).or_exit(ExitCode::Failed, "report")?;
    std::fs::write(path, text).or_exit(ExitCode::Failed, path.display().to_string())
}

fn refuse(problems: &[String]) -> Result<(), ProcessError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(ProcessError::message(ExitCode::Failed, problems.join("; ")))
}
