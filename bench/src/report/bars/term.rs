//! What a bar is computed from: figures of the run, and few ways to combine them. A term prints itself as the formula that it computes.

use std::fmt;

use crate::measurement::Better;
use crate::report::document::Line;
use crate::samples::Summary;

/// A formula over the measurements of a run.
#[derive(Clone, Copy, Debug)]
pub enum Term {
    /// One figure of one measurement.
    Figure(&'static str, Of, At),
    /// A further figure of one measurement.
    Detail(&'static str, &'static str),
    /// One divided by another.
    Over(&'static Term, &'static Term),
    /// One less another.
    Minus(&'static Term, &'static Term),
    /// A multiple.
    Times(f64, &'static Term),
    /// How many times better than a peer, the geometric mean of all measurements of a group that have the peer.
    MeanGain(&'static str, &'static str),
    /// How many times better than a peer, the least of all measurements of a group that have the peer.
    LeastGain(&'static str, &'static str),
    /// The largest median of all measurements whose name begins so.
    Most(&'static str),
}

/// Whose figure.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// Ours.
    Ours,
    /// The floor's.
    Floor,
    /// The peer's of this name, or the best of those whose name begins so.
    Peer(&'static str),
}

/// Which figure.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// Median.
    P50,
    /// 99th percentile.
    P99,
    /// 99.9th percentile.
    P99_9,
}

impl At {
    fn of(self, summary: &Summary) -> f64 {
        match self {
            At::P50 => summary.p50,
            At::P99 => summary.p99,
            At::P99_9 => summary.p99_9,
        }
    }

    fn name(self) -> &'static str {
        match self {
            At::P50 => "p50",
            At::P99 => "p99",
            At::P99_9 => "p99.9",
        }
    }
}

impl Term {
    /// The value; `None` if a figure of it was not measured.
    #[must_use]
    pub fn value(&self, lines: &[Line]) -> Option<f64> {
        match *self {
            Term::Figure(name, of, at) => Some(at.of(summary(find(lines, name)?, of)?)),
            Term::Detail(name, detail) => find(lines, name)?.details.get(detail).copied(),
            Term::Over(above, below) => {
                let ratio = above.value(lines)? / below.value(lines)?;
                Some(ratio).filter(|ratio| ratio.is_finite())
            }
            Term::Minus(from, what) => Some(from.value(lines)? - what.value(lines)?),
            Term::Times(factor, term) => Some(factor * term.value(lines)?),
            Term::MeanGain(group, peer) => {
                let gains: Vec<f64> = gains(lines, group, peer).collect();
                let logs: f64 = gains.iter().map(|gain| gain.ln()).sum();
                (!gains.is_empty()).then(|| (logs / gains.len() as f64).exp())
            }
            Term::LeastGain(group, peer) => gains(lines, group, peer).reduce(f64::min),
            Term::Most(group) => members(lines, group).map(|line| line.ours.p50).reduce(f64::max),
        }
    }
}

fn find<'a>(lines: &'a [Line], name: &str) -> Option<&'a Line> {
    lines.iter().find(|line| line.name == name)
}

fn members<'a>(lines: &'a [Line], group: &str) -> impl Iterator<Item = &'a Line> {
    lines.iter().filter(move |line| line.name.starts_with(group))
}

fn summary(line: &Line, of: Of) -> Option<&Summary> {
    match of {
        Of::Ours => Some(&line.ours),
        Of::Floor => line.floor.as_ref(),
        Of::Peer(name) => peer(line, name),
    }
}

fn peer<'a>(line: &'a Line, name: &str) -> Option<&'a Summary> {
    line.peers.get(name).or_else(|| {
        let named = || {
            let peers = line.peers.iter().filter(|(other, _)| other.starts_with(name));
            peers.map(|(_, summary)| summary)
        };
        let best = line.better.best(named().map(|summary| summary.p50))?;
        named().find(|summary| summary.p50 == best)
    })
}

/// Above 1 is better than the peer, whichever way is good.
fn gains<'a>(lines: &'a [Line], group: &'a str, name: &'a str) -> impl Iterator<Item = f64> + use<'a> {
    members(lines, group).filter_map(move |line| {
        let peer = peer(line, name)?.p50;
        let gain = match line.better {
            Better::Lower => peer / line.ours.p50,
            Better::Higher => line.ours.p50 / peer,
        };
        Some(gain).filter(|gain| gain.is_finite() && *gain > 0.0)
    })
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Figure(name, of, at) => write!(f, "{name} {of} {}", at.name()),
            Term::Detail(name, detail) => write!(f, "{name} {detail}"),
            Term::Over(above, below) => write!(f, "{above} / {below}"),
            Term::Minus(from, what) => write!(f, "({from} − {what})"),
            Term::Times(factor, term) => write!(f, "{factor} × {term}"),
            Term::MeanGain(group, peer) => write!(f, "geometric mean of {peer} / ours over {group}*"),
            Term::LeastGain(group, peer) => write!(f, "least of {peer} / ours over {group}*"),
            Term::Most(group) => write!(f, "largest p50 of {group}*"),
        }
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Of::Ours => f.write_str("ours"),
            Of::Floor => f.write_str("floor"),
            Of::Peer(name) => f.write_str(name),
        }
    }
}
