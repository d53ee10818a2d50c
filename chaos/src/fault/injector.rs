//! Does faults, and takes back in time what does not pass by itself.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use tickpath_protocol::Venue;
use tickpath_service::exit::ProcessError;
use tickpath_transport::now_ns;

use super::hostile::Attack;
use super::{Kind, venue};
use crate::dice::Dice;
use crate::pipeline::{self, PROCESSES, Pipeline};
use crate::place::Place;
use crate::postgres::Postgres;
use crate::proc;
use crate::role::handle::Role;

/// What faults are done to.
pub struct Targets {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// Its database.
    pub postgres: Postgres,
    /// The certified producer.
    pub producer: Role,
    /// The readers.
    pub readers: Vec<Role>,
    /// The place of all. Last, so that it goes last.
    pub place: Place,
}

/// A fault that was done.
#[derive(Clone, Debug)]
pub struct Done {
    /// Which.
    pub kind: Kind,
    /// When, ns since the Unix epoch.
    pub at_ns: i64,
    /// What exactly, for people.
    pub what: String,
    /// Processes that were killed.
    pub killed: Vec<&'static str>,
    /// The relay was there and not stopped, so that it could tell of those.
    pub is_told: bool,
}

/// What takes a fault back.
enum Undo {
    Continue(u32),
    FreeDisk,
    StartDatabase,
    ResetClock,
    Descriptors(u32, Rlimit),
    /// Ends when it is dropped.
    Attack(#[expect(dead_code, reason = "the attack lasts as long as this")] Attack),
}

/// The faults that last.
#[derive(Default)]
pub struct Injector {
    active: Vec<(Kind, Instant, Undo)>,
}

/// The producer's code of a process, if it is one.
#[must_use]
pub fn venue_of(process: &str) -> Option<Venue> {
    match process.strip_prefix("collector-") {
        Some(venue) => venue.parse().ok(),
        None => (process == "engine").then_some(Venue::PAPER),
    }
}

impl Injector {
    /// Does a fault of this kind, unless it cannot be done now.
    ///
    /// # Errors
    /// If the means fail: the run is void then.
    pub fn inject(&mut self, kind: Kind, targets: &mut Targets, dice: &mut Dice) -> Result<Option<Done>, ProcessError> {
        let is_relay_up = self.is_up("relay", targets);
        let at_ns = now_ns();
        let mut killed = Vec::new();
        let what = match kind {
            Kind::KillOne | Kind::KillSeveral | Kind::KillAll => {
                killed = kill(kind, targets, dice);
                (!killed.is_empty()).then(|| killed.join(" "))
            }
            Kind::KillSupervisor => {
                targets.pipeline.restart_supervisor(&targets.place)?;
                Some("supervisor".to_owned())
            }
            Kind::Stop | Kind::StopReader | Kind::StopProducer => self.stop(kind, targets, dice),
            Kind::Descriptors => self.exhaust(targets, dice),
            Kind::DiskFull | Kind::ClockStep => self.disturb(kind, targets, dice)?,
            Kind::DatabaseStop | Kind::DatabaseKill | Kind::DatabaseBackend => self.database(kind, targets, dice),
            Kind::BridgeSilent | Kind::BridgeGarbage | Kind::BridgeStorm | Kind::RelayHostile => {
                Some(self.attack(kind, targets, dice))
            }
            Kind::Venue => venue::inject(targets.place.simulator, dice),
        };
        Ok(what.map(|what| Done {
            kind,
            at_ns,
            what,
            is_told: is_relay_up && !killed.contains(&"relay"),
            killed,
        }))
    }

    /// Whether a process runs and is not stopped.
    fn is_up(&self, name: &str, targets: &Targets) -> bool {
        let running = pipeline::processes(&targets.place);
        let is_stopped = |pid: &u32| {
            let mut active = self.active.iter();
            active.any(|(_, _, undo)| matches!(undo, Undo::Continue(stopped) if stopped == pid))
        };
        running.get(name).is_some_and(|pid| !is_stopped(pid))
    }

    /// Takes back what is due.
    ///
    /// # Errors
    /// If that fails.
    pub fn tend(&mut self, targets: &mut Targets) -> Result<(), ProcessError> {
        let now = Instant::now();
        self.take_back(targets, |until| until <= now)
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// If that fails.
    pub fn heal(&mut self, targets: &mut Targets) -> Result<(), ProcessError> {
        self.take_back(targets, |_| true)
    }

    fn take_back(&mut self, targets: &mut Targets, is_due: impl Fn(Instant) -> bool) -> Result<(), ProcessError> {
        let (due, active) = self
            .active
            .drain(..)
            .partition::<Vec<_>, _>(|(_, until, _)| is_due(*until));
        self.active = active;
        // The end of an attack may have to wait for the one that is attacked, so whoever is stopped goes on first.
        let (attacks, others) = due
            .into_iter()
            .partition::<Vec<_>, _>(|(_, _, undo)| matches!(undo, Undo::Attack(_)));
        for (_, _, undo) in others.into_iter().chain(attacks) {
            match undo {
                Undo::Continue(pid) => proc::signal(pid, Signal::CONT),
                Undo::FreeDisk => targets.place.free_disk()?,
                Undo::StartDatabase => targets.postgres.resume(),
                Undo::ResetClock => targets.place.set_clock(0)?,
                Undo::Descriptors(pid, before) => limit(pid, before),
                Undo::Attack(_) => {}
            }
        }
        Ok(())
    }

    fn is_active(&self, kinds: &[Kind]) -> bool {
        self.active.iter().any(|(kind, ..)| kinds.contains(kind))
    }

    fn lasting(&mut self, kind: Kind, ms: u64, undo: Undo) {
        self.active
            .push((kind, Instant::now() + Duration::from_millis(ms), undo));
    }

    fn stop(&mut self, kind: Kind, targets: &Targets, dice: &mut Dice) -> Option<String> {
        let (name, pid) = match kind {
            Kind::StopProducer => (targets.producer.name().to_owned(), targets.producer.pid()),
            Kind::StopReader => {
                let reader = dice.pick(&targets.readers)?;
                (reader.name().to_owned(), reader.pid())
            }
            _ => pick_process(targets, dice)?,
        };
        // Mostly a hiccup, at times long enough to be overtaken.
        let ms = match dice.between(0, 3) {
            0 => dice.between(1, 20),
            1 | 2 => dice.between(20, 1000),
            _ => dice.between(1000, 5000),
        };
        proc::signal(pid, Signal::STOP);
        self.lasting(kind, ms, Undo::Continue(pid));
        Some(format!("{name} for {ms} ms"))
    }

    fn exhaust(&mut self, targets: &Targets, dice: &mut Dice) -> Option<String> {
        let (name, pid) = pick_process(targets, dice)?;
        // Twice at once the second would take the first one's limit for the usual one, and leave it for good.
        let mut active = self.active.iter();
        if active.any(|(_, _, undo)| matches!(undo, Undo::Descriptors(held, _) if *held == pid)) {
            return None;
        }
        let open = proc::descriptors(pid).values().sum::<usize>() as u64;
        let now = Rlimit {
            current: Some(open),
            maximum: None,
        };
        let own = Pid::from_raw(pid as i32)?;
        // What it may have at most stays as it is: that must come back.
        let before = prlimit(
            Some(own),
            Resource::Nofile,
            Rlimit {
                maximum: hard_limit(pid),
                ..now
            },
        )
        .ok()?;
        let ms = dice.between(500, 4000);
        self.lasting(Kind::Descriptors, ms, Undo::Descriptors(pid, before));
        Some(format!("{name} at {open} for {ms} ms"))
    }

    fn disturb(&mut self, kind: Kind, targets: &Targets, dice: &mut Dice) -> Result<Option<String>, ProcessError> {
        if self.is_active(&[kind]) {
            return Ok(None);
        }
        let ms = dice.between(500, 4000);
        if kind == Kind::DiskFull {
            targets.place.fill_disk()?;
            self.lasting(kind, ms, Undo::FreeDisk);
            return Ok(Some(format!("for {ms} ms")));
        }
        if targets.place.clock().is_none() {
            return Ok(None);
        }
        let s = *dice.pick(&[-3600, -60, -1, 1, 60, 3600]).unwrap_or(&1);
        targets.place.set_clock(s * 1_000_000_000)?;
        self.lasting(kind, ms, Undo::ResetClock);
        Ok(Some(format!("by {s} s for {ms} ms")))
    }

    fn database(&mut self, kind: Kind, targets: &mut Targets, dice: &mut Dice) -> Option<String> {
        if self.is_active(&[Kind::DatabaseStop, Kind::DatabaseKill]) {
            return None;
        }
        let ms = dice.between(100, 3000);
        match kind {
            Kind::DatabaseBackend => return targets.postgres.kill_backend().then(|| "backend".to_owned()),
            Kind::DatabaseKill => targets.postgres.kill(),
            _ => targets.postgres.stop(),
        }
        self.lasting(kind, ms, Undo::StartDatabase);
        Some(format!("for {ms} ms"))
    }

    fn attack(&mut self, kind: Kind, targets: &Targets, dice: &mut Dice) -> String {
        let (bridge, seed) = (targets.place.bridge, dice.between(0, u64::MAX - 1));
        let attack = match kind {
            Kind::BridgeSilent => Attack::silent(bridge),
            Kind::BridgeGarbage => Attack::garbage(bridge, seed),
            Kind::BridgeStorm => Attack::storm(bridge),
            _ => Attack::peers(targets.place.socket(), seed),
        };
        let ms = dice.between(200, 3000);
        self.lasting(kind, ms, Undo::Attack(attack));
        format!("for {ms} ms")
    }
}

fn pick_process(targets: &Targets, dice: &mut Dice) -> Option<(String, u32)> {
    let running = pipeline::processes(&targets.place);
    let running: Vec<_> = running.into_iter().collect();
    dice.pick(&running).cloned()
}

/// Kills as many as the kind says; whom it reached.
fn kill(kind: Kind, targets: &Targets, dice: &mut Dice) -> Vec<&'static str> {
    let running = pipeline::processes(&targets.place);
    let mut names: Vec<&'static str> = PROCESSES
        .into_iter()
        .filter(|name| running.contains_key(*name))
        .collect();
    let count = match kind {
        Kind::KillOne => 1,
        Kind::KillSeveral => dice.between(2, 4) as usize,
        _ => names.len(),
    };
    let mut killed = Vec::new();
    while killed.len() < count && !names.is_empty() {
        let at = dice.between(0, names.len() as u64 - 1) as usize;
        killed.push(names.swap_remove(at));
    }
    for name in &killed {
        proc::signal(running[*name], Signal::KILL);
    }
    killed
}

fn hard_limit(pid: u32) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(4)?.parse().ok()
}

fn limit(pid: u32, to: Rlimit) {
    // It may have been killed since, and its successor has a limit of its own.
    if let Some(pid) = Pid::from_raw(pid as i32)
        && let Err(errno) = prlimit(Some(pid), Resource::Nofile, to)
        && errno != rustix::io::Errno::SRCH
    {
        eprintln!(
            "cannot give process {} its descriptors back: {errno}",
            pid.as_raw_nonzero()
        );
    }
}
