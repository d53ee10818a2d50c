//! Parameters of strategies: named, typed, with a range and a default.
//!
//! A strategy has a table of [`Parameter`]s. [`Values::parse`] takes what a configuration or a command line gives as text and makes it values of that
//! table, or says what is wrong and what would be right. A strategy therefore never sees a value that is missing or out of range.

mod values;

use std::fmt;

use tickpath_protocol::decimal::{self, DecimalText};

use self::values::Value;
pub use self::values::Values;
use crate::bar::BarRule;

/// Decimals of an exact number: finer than any lot of the venues we know, and numbers up to 9 × 10⁹ fit.
pub const EXACT_DECIMALS: u8 = 9;

/// One parameter of a strategy.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// As it is written in a configuration.
    pub name: &'static str,
    /// Type, range and default.
    pub kind: ParameterKind,
    /// What it means, with its unit.
    pub about: &'static str,
}

/// Type, range (both ends belong to it) and default of a parameter.
#[derive(Clone, Copy, Debug)]
pub enum ParameterKind {
    /// A whole number.
    Integer {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
        /// If nothing is given.
        default: i64,
    },
    /// A number of a model; never a price, size or fee.
    Real {
        /// Least.
        min: f64,
        /// Greatest.
        max: f64,
        /// If nothing is given.
        default: f64,
    },
    /// A size, fee or other decimal that is not rounded: mantissas at [`EXACT_DECIMALS`].
    Exact {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
        /// If nothing is given.
        default: i64,
    },
    /// `true` or `false`.
    Flag {
        /// If nothing is given.
        default: bool,
    },
    /// One of some words.
    Choice {
        /// The words.
        of: &'static [&'static str],
        /// If nothing is given.
        default: &'static str,
    },
    /// A kind of bar; see [`BarRule::parse`].
    Bar {
        /// If nothing is given.
        default: &'static str,
    },
}

impl ParameterKind {
    /// The default as it would be written.
    #[must_use]
    pub fn default_text(&self) -> String {
        match *self {
            ParameterKind::Integer { default, .. } => default.to_string(),
            ParameterKind::Real { default, .. } => default.to_string(),
            ParameterKind::Exact { default, .. } => exact_text(default),
            ParameterKind::Flag { default } => default.to_string(),
            ParameterKind::Choice { default, .. } | ParameterKind::Bar { default } => default.to_owned(),
        }
    }

    fn parse(&self, text: &str) -> Option<Value> {
        match *self {
            ParameterKind::Integer { min, max, .. } => {
                let value = text.parse().ok().filter(|value| (min..=max).contains(value));
                value.map(Value::Integer)
            }
            ParameterKind::Real { min, max, .. } => {
                let value = text.parse().ok().filter(|value| (min..=max).contains(value));
                value.map(Value::Real)
            }
            ParameterKind::Exact { min, max, .. } => {
                let value = decimal::parse(text.as_bytes(), EXACT_DECIMALS).ok();
                value.filter(|value| (min..=max).contains(value)).map(Value::Integer)
            }
            ParameterKind::Flag { .. } => text.parse().ok().map(Value::Flag),
            ParameterKind::Choice { of, .. } => of.iter().find(|word| **word == text).map(|word| Value::Word(word)),
            ParameterKind::Bar { .. } => BarRule::check(text).ok().map(|()| Value::Text(text.to_owned())),
        }
    }
}

/// An exact number as it would be written.
#[must_use]
pub fn exact_text(mantissa: i64) -> String {
    let text = DecimalText::new(mantissa, EXACT_DECIMALS).to_string();
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

impl fmt::Display for ParameterKind {
    /// The range: `2 to 10000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParameterKind::Integer { min, max, .. } => write!(f, "{min} to {max}"),
            ParameterKind::Real { min, max, .. } => write!(f, "{min} to {max}, real"),
            ParameterKind::Exact { min, max, .. } => {
                write!(f, "{} to {}, exact", exact_text(*min), exact_text(*max))
            }
            ParameterKind::Flag { .. } => f.write_str("true or false"),
            ParameterKind::Choice { of, .. } => f.write_str(&of.join(" or ")),
            ParameterKind::Bar { .. } => f.write_str("time (`1m`), ticks (`100t`) or volume (`2.5v`)"),
        }
    }
}

/// What is wrong with the parameters that a strategy was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// No such parameter.
    #[error("strategy `{strategy}` has no parameter `{name}`: it has {known}")]
    Unknown {
        /// The strategy.
        strategy: &'static str,
        /// What was given.
        name: String,
        /// What there is.
        known: String,
    },
    /// Given twice.
    #[error("parameter `{name}` of strategy `{strategy}` is given twice")]
    Twice {
        /// The strategy.
        strategy: &'static str,
        /// The parameter.
        name: &'static str,
    },
    /// Not of the type, or not in the range.
    #[error("`{value}` is no value for parameter `{name}` of strategy `{strategy}`: {range} (default {default})")]
    Value {
        /// The strategy.
        strategy: &'static str,
        /// The parameter.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is possible.
        range: String,
        /// The default.
        default: String,
    },
    /// Values that are right one by one and not together.
    #[error("parameters of strategy `{strategy}` contradict each other: {what}")]
    Contradiction {
        /// The strategy.
        strategy: &'static str,
        /// Which, and what must hold.
        what: String,
    },
}
