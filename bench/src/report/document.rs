//! The result as data: what the JSON holds.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bars::Bar;
use super::environment::Environment;
use crate::context::{BenchError, Result, Tried};
use crate::measurement::{Better, Measurement};
use crate::samples::{Samples, Summary};

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Where and when.
    pub environment: Environment,
    /// Every measurement, in the order in which it was taken.
    pub measurements: Vec<Line>,
    /// What the figures must reach, and whether they do.
    pub bars: Vec<Bar>,
    /// Groups that could not be measured, with the reason.
    pub failures: Vec<Failure>,
}

/// A group that could not be measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Its name.
    pub group: String,
    /// Why.
    pub error: String,
}

/// A measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Dotted: `ring.broadcast.latency`.
    pub name: String,
    /// `ns`, `records/s`, …
    pub unit: String,
    /// Which way is good.
    pub better: Better,
    /// Ours.
    pub ours: Summary,
    /// The least that the machine allows.
    pub floor: Option<Summary>,
    /// What the floor is.
    pub floor_name: Option<String>,
    /// What a user would pick instead.
    pub peers: BTreeMap<String, Summary>,
    /// Median of ours over that of the floor.
    pub ratio_to_floor: Option<f64>,
    /// Median of ours over that of the best peer.
    pub ratio_to_best_peer: Option<f64>,
    /// Further figures of ours, by name with the unit last.
    pub details: BTreeMap<String, f64>,
    /// What one must know to read it.
    pub note: String,
}

impl Line {
    /// The peer with the best median.
    #[must_use]
    pub fn best_peer(&self) -> Option<(&str, &Summary)> {
        let best = self.better.best(self.peers.values().map(|peer| peer.p50))?;
        let found = self.peers.iter().find(|(_, peer)| peer.p50 == best)?;
        Some((found.0.as_str(), found.1))
    }

    /// First part of the name.
    #[must_use]
    pub fn group(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }
}

impl From<&Measurement> for Line {
    fn from(measurement: &Measurement) -> Line {
        Line {
            name: measurement.name.clone(),
            unit: measurement.unit.to_owned(),
            better: measurement.better,
            ours: measurement.ours.summary(),
            floor: measurement.floor.as_ref().map(|(_, samples)| samples.summary()),
            floor_name: measurement.floor.as_ref().map(|(name, _)| name.clone()),
            peers: measurement
                .peers
                .iter()
                .map(|(name, samples)| (name.clone(), Samples::summary(samples)))
                .collect(),
            ratio_to_floor: measurement.ratio_to_floor(),
            ratio_to_best_peer: measurement.ratio_to_best_peer(),
            details: measurement.details.clone(),
            note: measurement.note.clone(),
        }
    }
}

impl Document {
    /// The result of a run, with its bars.
    #[must_use]
    pub fn new(environment: Environment, measurements: &[Measurement], failures: Vec<Failure>) -> Document {
        let measurements: Vec<Line> = measurements.iter().map(Line::from).collect();
        Document {
            environment,
            bars: super::bars::evaluate(&measurements),
            measurements,
            failures,
        }
    }

    /// Reads what [`Document::write`] wrote.
    ///
    /// # Errors
    /// If the file cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<Document> {
        let text = std::fs::read(path).tried(format!("reading {}", path.display()))?;
        serde_json::from_slice(&text)
            .map_err(|error| BenchError::new(path.display().to_string(), format!("no result of a run: {error}")))
    }

    /// Writes the result to a file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).tried("the result as JSON")?;
        std::fs::write(path, text + "\n").tried(format!("writing {}", path.display()))
    }
}
