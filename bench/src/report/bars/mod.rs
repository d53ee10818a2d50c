//! What the figures must reach, and whether a run reaches it.

mod table;
mod term;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::document::Line;
pub use table::ALL;
pub use term::{At, Of, Term};

/// A claim that a run must show.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// For people.
    pub name: &'static str,
    /// What is computed.
    pub term: Term,
    /// What it must be.
    pub limit: Limit,
    /// Unit of value and limit; empty for a ratio.
    pub unit: &'static str,
}

/// How large a value may or must be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// No larger.
    AtMost(f64),
    /// No smaller.
    AtLeast(f64),
}

impl Limit {
    /// Whether a value keeps it.
    #[must_use]
    pub fn holds(self, value: f64) -> bool {
        match self {
            Limit::AtMost(limit) => value <= limit,
            Limit::AtLeast(limit) => value >= limit,
        }
    }
}

/// A claim after a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// For people.
    pub name: String,
    /// What was computed, over figures of the run.
    pub formula: String,
    /// The result, if all figures were measured.
    pub value: Option<f64>,
    /// Unit of value and limit; empty for a ratio.
    pub unit: String,
    /// What it must be.
    pub limit: Limit,
    /// Whether it is.
    pub met: Met,
}

/// Whether a bar is reached; in JSON `true`, `false` or `"not measured"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// A figure of it is missing in this run.
    NotMeasured,
}

impl Met {
    const NOT_MEASURED: &str = "not measured";

    /// For people.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Met::Yes => "met",
            Met::No => "missed",
            Met::NotMeasured => Met::NOT_MEASURED,
        }
    }
}

impl Serialize for Met {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Met::Yes => serializer.serialize_bool(true),
            Met::No => serializer.serialize_bool(false),
            Met::NotMeasured => serializer.serialize_str(Met::NOT_MEASURED),
        }
    }
}

impl<'de> Deserialize<'de> for Met {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Met, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Spelt {
            Known(bool),
            Text(String),
        }
        match Spelt::deserialize(deserializer)? {
            Spelt::Known(true) => Ok(Met::Yes),
            Spelt::Known(false) => Ok(Met::No),
            Spelt::Text(text) if text == Met::NOT_MEASURED => Ok(Met::NotMeasured),
            Spelt::Text(text) => Err(serde::de::Error::custom(format!(
                "`met` is `{text}`: expected true, false or \"{}\"",
                Met::NOT_MEASURED
            ))),
        }
    }
}

/// Every claim against the figures of a run.
#[must_use]
pub fn evaluate(lines: &[Line]) -> Vec<Bar> {
    ALL.iter().map(|claim| claim.against(lines)).collect()
}

impl Claim {
    /// This claim against the figures of a run.
    #[must_use]
    pub fn against(&self, lines: &[Line]) -> Bar {
        let value = self.term.value(lines);
        Bar {
            name: self.name.to_owned(),
            formula: self.term.to_string(),
            value,
            unit: self.unit.to_owned(),
            limit: self.limit,
            met: match value.map(|value| self.limit.holds(value)) {
                Some(true) => Met::Yes,
                Some(false) => Met::No,
                None => Met::NotMeasured,
            },
        }
    }
}
