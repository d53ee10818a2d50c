//! One line of the result.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::samples::Samples;

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Latencies, instructions, bytes.
    Lower,
    /// Rates.
    Higher,
}

impl Better {
    /// The best of some values, if there are any.
    #[must_use]
    pub fn best(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        match self {
            Better::Lower => values.reduce(f64::min),
            Better::Higher => values.reduce(f64::max),
        }
    }
}

/// What was measured, with the values of ours, of the floor and of the peers from the same run.
///
/// For a rate, one value is the rate of one round. Ratios are of medians, ours over theirs: below 1 is faster for [`Better::Lower`], above 1
/// for [`Better::Higher`].
#[derive(Clone, Debug)]
pub struct Measurement {
    /// Dotted, `ring.broadcast.latency`.
    pub name: String,
    /// `ns`, `records/s`, …
    pub unit: &'static str,
    /// Which way is good.
    pub better: Better,
    /// Ours.
    pub ours: Samples,
    /// The least that the machine allows, with what it is.
    pub floor: Option<(String, Samples)>,
    /// What a user would pick instead.
    pub peers: BTreeMap<String, Samples>,
    /// Further figures of ours, by name with the unit last: `instructions_per_frame`.
    pub details: BTreeMap<String, f64>,
    /// What one must know to read it.
    pub note: String,
}

impl Measurement {
    /// A measurement without floor, peers and details.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: &'static str, better: Better, ours: Samples) -> Measurement {
        Measurement {
            name: name.into(),
            unit,
            better,
            ours,
            floor: None,
            peers: BTreeMap::new(),
            details: BTreeMap::new(),
            note: String::new(),
        }
    }

    /// With the floor.
    #[must_use]
    pub fn floor(mut self, name: impl Into<String>, samples: Samples) -> Measurement {
        self.floor = Some((name.into(), samples));
        self
    }

    /// With a peer.
    #[must_use]
    pub fn peer(mut self, name: impl Into<String>, samples: Samples) -> Measurement {
        self.peers.insert(name.into(), samples);
        self
    }

    /// With a further figure.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, value: f64) -> Measurement {
        self.details.insert(name.into(), value);
        self
    }

    /// With what one must know to read it.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Measurement {
        self.note = note.into();
        self
    }

    /// Median of ours over that of the floor; `None` without a floor, or where its median is 0.
    #[must_use]
    pub fn ratio_to_floor(&self) -> Option<f64> {
        let (_, floor) = self.floor.as_ref()?;
        finite(self.ours.summary().p50 / floor.summary().p50)
    }

    /// Median of ours over that of the best peer; `None` without peers, or where that median is 0.
    #[must_use]
    pub fn ratio_to_best_peer(&self) -> Option<f64> {
        let medians = self.peers.values().map(|peer| peer.summary().p50);
        finite(self.ours.summary().p50 / self.better.best(medians)?)
    }
}

/// Ratios over nothing are no ratios.
fn finite(ratio: f64) -> Option<f64> {
    Some(ratio).filter(|ratio| ratio.is_finite())
}
