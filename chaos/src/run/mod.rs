//! A run: phases of faults, each followed by one of healing in which progress is required; then the account.

mod ending;
mod healing;
pub mod setup;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tickpath_service::Shutdown;
use tickpath_service::exit::{ExitCode, ProcessError};

use crate::canary::Canary;
use crate::dice::Dice;
use crate::ending::leftovers::{self, Open};
use crate::fault::injector::{Done, Injector, Targets, venue_of};
use crate::fault::{Kind, Swarm};
use crate::host;
use crate::pipeline;
use crate::proc;
use crate::report::{Report, Spread};
use crate::role::Order;
use crate::watch::Watch;

/// How long the faults of a phase go on.
const FAULTS_FOR: Duration = Duration::from_secs(12);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A producer that was killed is noticed by then or the relay went before it could tell.
const NOTICED_WITHIN_NS: i64 = 2_000_000_000;
/// Recoveries that took longer are named one by one.
const SLOW_NS: u64 = 5_000_000_000;

/// What a run is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of the faults, the markets and the certified stream.
    pub seed: u64,
    /// How long, healing included.
    pub minutes: f64,
    /// Faults to do in that time, about.
    pub faults: u64,
    /// The kinds of them; all if none is named.
    pub only: Vec<Kind>,
    /// Certified records a second.
    pub rate: u64,
    /// Events a second of each simulated instrument.
    pub events_per_second: u64,
    /// How long a healing may take.
    pub heal_within: Duration,
    /// What to plant.
    pub canary: Option<Canary>,
}

/// Runs it to its end.
///
/// # Errors
/// If it could not be run; what it found wrong stands in the report.
pub fn run(options: &Options) -> Result<Report, ProcessError> {
    let shutdown = Shutdown::on_signals().map_err(|error| ProcessError::new(ExitCode::Failed, "signals", &error))?;
    let targets = setup::start(options)?;
    let mut run = Run {
        dice: Dice::new(options.seed),
        watch: Watch::new(&targets.place.log())?,
        injector: Injector::default(),
        done: Vec::new(),
        judged: 0,
        judged_before: 0,
        seen: BTreeMap::new(),
        restarts: 0,
        healings: Vec::new(),
        open: Open::new(),
        report: Report {
            seed: options.seed,
            minutes: options.minutes,
            commit: host::commit(),
            build: host::build().to_owned(),
            host: host::describe(),
            date: host::date(),
            rate: options.rate,
            ..Report::default()
        },
        shutdown,
        targets,
        options: options.clone(),
    };
    if run.targets.place.clock().is_none() {
        run.report.left_out.push(Kind::ClockStep.name().to_owned());
    }
    run.heal("the start")?;
    run.open = leftovers::open(&run.targets.place);
    run.phases()?;
    run.finish()
}

/// A run under way.
struct Run {
    options: Options,
    dice: Dice,
    watch: Watch,
    injector: Injector,
    shutdown: Shutdown,
    done: Vec<Done>,
    /// Faults that were done when the log was judged the last time, and the time before.
    judged: usize,
    judged_before: usize,
    /// The processes as last seen, to count restarts.
    seen: BTreeMap<String, u32>,
    restarts: u64,
    /// ns each.
    healings: Vec<u64>,
    /// Descriptors at the beginning.
    open: Open,
    report: Report,
    // The last: the processes go after everything that looks at them.
    targets: Targets,
}

impl Run {
    fn phases(&mut self) -> Result<(), ProcessError> {
        let end = Instant::now() + Duration::from_secs_f64(self.options.minutes * 60.0);
        if let Some(canary) = self.options.canary {
            self.plant(canary)?;
        }
        while Instant::now() < end && self.report.problems.is_empty() && !self.shutdown.is_requested() {
            let faults_end = end.min(Instant::now() + FAULTS_FOR);
            self.faults(faults_end)?;
            self.report.phases += 1;
            self.heal(&format!("phase {}", self.report.phases))?;
        }
        Ok(())
    }

    /// One phase of faults.
    fn faults(&mut self, end: Instant) -> Result<(), ProcessError> {
        let has_clock = self.targets.place.clock().is_some();
        let swarm = match self.options.only.as_slice() {
            [] => Swarm::throw(&mut self.dice, |kind| kind != Kind::ClockStep || has_clock),
            only => Swarm::of(only),
        };
        say(&format!(
            "phase {}: {}",
            self.report.phases + 1,
            swarm.names().join(" ")
        ));
        // Healing takes about a third of the time.
        let mean_ms = self.options.minutes * 60_000.0 * 0.66 / self.options.faults.max(1) as f64;
        let mut next = Instant::now();
        while Instant::now() < end && !self.shutdown.is_requested() {
            self.tend()?;
            if self.options.faults > 0 && Instant::now() >= next {
                next = Instant::now() + Duration::from_millis(self.dice.between(1, 2 * mean_ms as u64 + 1));
                if let Some(kind) = swarm.pick(&mut self.dice) {
                    self.inject(kind)?;
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn inject(&mut self, kind: Kind) -> Result<(), ProcessError> {
        let Some(done) = self.injector.inject(kind, &mut self.targets, &mut self.dice)? else {
            return Ok(());
        };
        say(&format!("  {} {}: {}", self.done.len(), kind.name(), done.what));
        let (id, at_ns) = (self.done.len() as u64, done.at_ns);
        for reader in &mut self.targets.readers {
            reader.tell(Order::Mark { id, at_ns })?;
        }
        self.done.push(done);
        Ok(())
    }

    /// What must be done all the time.
    fn tend(&mut self) -> Result<(), ProcessError> {
        self.injector.tend(&mut self.targets)?;
        proc::reap_orphans(&self.own_children());
        if self.targets.pipeline.is_over() {
            return Err(ProcessError::message(
                ExitCode::Failed,
                format!("`tickpath up` ended by itself; its log: {}", self.log_tail()),
            ));
        }
        for (name, pid) in pipeline::processes(&self.targets.place) {
            if self.seen.insert(name, pid).is_some_and(|before| before != pid) {
                self.restarts += 1;
            }
        }
        Ok(())
    }

    /// The processes that this one started and waits for.
    fn own_children(&self) -> Vec<u32> {
        let readers = self.targets.readers.iter().map(|reader| reader.pid());
        let others = [self.targets.pipeline.supervisor(), self.targets.producer.pid()];
        readers.chain(others).collect()
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.targets.place.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Adds what was measured to the report.
    fn measure(&mut self) {
        for done in &self.done {
            *self.report.faults.entry(done.kind.name().to_owned()).or_default() += 1;
        }
        self.report.restarts = self.restarts;
        let mut recovery: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for reader in &self.targets.readers {
            for (id, ns) in &reader.heard().recovered {
                let kind = self.done[*id as usize].kind.name();
                recovery.entry(kind.to_owned()).or_default().push(*ns);
                recovery.entry("all".to_owned()).or_default().push(*ns);
                if *ns > SLOW_NS {
                    let (name, what, s) = (reader.name(), &self.done[*id as usize].what, *ns as f64 / 1e9);
                    say(&format!(
                        "slow: {name} had a record {s:.1} s after fault {id}, {kind}: {what}"
                    ));
                }
            }
        }
        self.report.recovery = recovery.into_iter().map(|(kind, ns)| (kind, Spread::of(ns))).collect();
        self.report.healing = Spread::of(std::mem::take(&mut self.healings));
        self.report.dead_peer = Spread::of(self.noticed());
        let expected = &self.watch.expected;
        self.report.log_expected = expected
            .iter()
            .map(|(text, count)| ((*text).to_owned(), *count))
            .collect();
    }

    /// For each kill of a producer, while the relay could tell of it, or of the relay: how long until the first of the readers knew, ns.
    fn noticed(&self) -> Vec<u64> {
        let mut noticed = Vec::new();
        for done in &self.done {
            for process in &done.killed {
                let first = |times: &[i64]| times.iter().copied().filter(|at_ns| *at_ns >= done.at_ns).min();
                let found = self.targets.readers.iter().filter_map(|reader| {
                    let heard = reader.heard();
                    match venue_of(process) {
                        Some(_) if !done.is_told => None,
                        Some(venue) => {
                            let gone = heard.producers_gone.iter().filter(|(code, _)| *code == venue.0);
                            first(&gone.map(|(_, at_ns)| *at_ns).collect::<Vec<_>>())
                        }
                        None if *process == "relay" => first(&heard.relay_gone),
                        None => None,
                    }
                });
                let after = found.min().map(|at_ns| at_ns - done.at_ns);
                noticed.extend(after.filter(|ns| *ns < NOTICED_WITHIN_NS).map(|ns| ns as u64));
            }
        }
        noticed
    }
}

/// A line about how the run goes, for people.
fn say(line: &str) {
    eprintln!("{line}");
}
