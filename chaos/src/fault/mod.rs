//! Faults: which there are, and which of them a phase may use.
//!
//! Swarm testing (Groce and others, 2012): a phase uses a random part of the faults, because faults that always come together hide each other.

pub mod hostile;
pub mod injector;
pub mod venue;

use std::str::FromStr;

use crate::dice::Dice;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// SIGKILL to one process.
    KillOne,
    /// SIGKILL to two to four processes at the same moment.
    KillSeveral,
    /// SIGKILL to every process but the supervisor.
    KillAll,
    /// SIGKILL to the supervisor, which is started again as a service manager would.
    KillSupervisor,
    /// SIGSTOP to a process, SIGCONT later.
    Stop,
    /// SIGSTOP to a reader of the certified stream.
    StopReader,
    /// SIGSTOP to the certified producer.
    StopProducer,
    /// The journal's disk is full for a while.
    DiskFull,
    /// The database is stopped for a while, as an administrator does.
    DatabaseStop,
    /// The database's server is killed, and is away for a while.
    DatabaseKill,
    /// A process of the database's that serves a client is killed.
    DatabaseBackend,
    /// The wall clock steps, and later back.
    ClockStep,
    /// A process gets no new descriptors for a while.
    Descriptors,
    /// Clients subscribe to everything and never read.
    BridgeSilent,
    /// Clients send what is no WebSocket, no JSON, no request.
    BridgeGarbage,
    /// Clients come and go as fast as they can.
    BridgeStorm,
    /// Peers at the relay's socket that send no hello, a wrong one, one of another version, or half of one.
    RelayHostile,
    /// A venue misbehaves.
    Venue,
}

impl Kind {
    /// Every kind, how often it is taken beside the others, and its name.
    pub const ALL: [(Kind, u64, &'static str); 18] = [
        (Kind::KillOne, 6, "kill_one"),
        (Kind::KillSeveral, 2, "kill_several"),
        (Kind::KillAll, 1, "kill_all"),
        (Kind::KillSupervisor, 1, "kill_supervisor"),
        (Kind::Stop, 4, "stop"),
        (Kind::StopReader, 3, "stop_reader"),
        (Kind::StopProducer, 2, "stop_producer"),
        (Kind::DiskFull, 2, "disk_full"),
        (Kind::DatabaseStop, 1, "database_stop"),
        (Kind::DatabaseKill, 1, "database_kill"),
        (Kind::DatabaseBackend, 2, "database_backend"),
        (Kind::ClockStep, 2, "clock_step"),
        (Kind::Descriptors, 3, "descriptors"),
        (Kind::BridgeSilent, 2, "bridge_silent"),
        (Kind::BridgeGarbage, 2, "bridge_garbage"),
        (Kind::BridgeStorm, 2, "bridge_storm"),
        (Kind::RelayHostile, 3, "relay_hostile"),
        (Kind::Venue, 8, "venue"),
    ];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        Kind::ALL[self as usize].2
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        let found = Kind::ALL.iter().find(|(.., name)| *name == text);
        found.map(|(kind, ..)| *kind).ok_or_else(|| {
            let names: Vec<&str> = Kind::ALL.iter().map(|(.., name)| *name).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

fn weigh((kind, weight, _): (Kind, u64, &str)) -> impl Iterator<Item = Kind> {
    std::iter::repeat_n(kind, weight as usize)
}

/// The kinds that a phase uses.
#[derive(Clone, Debug)]
pub struct Swarm(Vec<Kind>);

impl Swarm {
    /// A random half of the kinds, and no fewer than three of those that `possible` allows.
    pub fn throw(dice: &mut Dice, possible: impl Fn(Kind) -> bool) -> Swarm {
        let all = Kind::ALL.into_iter().filter(|(kind, ..)| possible(*kind));
        let (mut taken, mut left): (Vec<_>, Vec<_>) = all.partition(|_| dice.chance(50));
        while taken.len() < 3
            && let Some(one) = left.pop()
        {
            taken.push(one);
        }
        Swarm(taken.into_iter().flat_map(weigh).collect())
    }

    /// These kinds and no others.
    #[must_use]
    pub fn of(only: &[Kind]) -> Swarm {
        let taken = Kind::ALL.into_iter().filter(|(kind, ..)| only.contains(kind));
        Swarm(taken.flat_map(weigh).collect())
    }

    /// The next fault.
    pub fn pick(&self, dice: &mut Dice) -> Option<Kind> {
        dice.pick(&self.0).copied()
    }

    /// Its kinds, each once.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let mut kinds = self.0.clone();
        kinds.dedup();
        kinds.into_iter().map(Kind::name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        for (index, (kind, weight, name)) in Kind::ALL.iter().enumerate() {
            assert_eq!((*kind as usize, kind.name()), (index, *name));
            assert!(*weight > 0);
        }
    }

    #[test]
    fn swarms_differ_and_leave_out_what_is_not_possible() {
        let swarm = |seed| Swarm::throw(&mut Dice::new(seed), |kind| kind != Kind::ClockStep).names();
        assert_ne!(swarm(1), swarm(2));
        assert!((0..200).all(|seed| swarm(seed).len() >= 3 && !swarm(seed).contains(&"clock_step")));
        assert!((0..50).any(|seed| swarm(seed).contains(&"kill_all")));
    }
}
