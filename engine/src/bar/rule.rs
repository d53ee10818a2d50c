//! When a bar ends, and how that is written.

use std::num::{NonZeroI64, NonZeroU32};

use tickpath_protocol::decimal::{DECIMALS_MAX, parse};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1000 * MS;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Units of time, the largest first.
const UNITS: [(&str, i64); 5] = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", MS)];

/// When a bar ends. Numbers are above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarRule {
    /// With its interval.
    Time {
        /// Length of the interval, ns.
        interval_ns: NonZeroI64,
    },
    /// With its last tick.
    Ticks(NonZeroU32),
    /// With its volume, a mantissa at the instrument's size decimals.
    Volume(NonZeroI64),
}

/// A text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no kind of bar: expected a time (`500ms`, `10s`, `1m`, `4h`, `1d`; at most 1d), ticks (`100t`), or a volume in base units \
     (`2.5v`), above 0 and with no more decimals than the instrument"
)]
pub struct BarRuleError(pub String);

impl BarRule {
    /// The rule that a text names: `500ms`, `10s`, `1m`, `4h`, `1d` a time; `100t` ticks; `2.5v` a volume in base units, of an instrument whose sizes
    /// have `size_decimals`.
    ///
    /// # Errors
    /// [`BarRuleError`] if it names none, or the volume has more decimals than the instrument.
    pub fn parse(text: &str, size_decimals: u8) -> Result<BarRule, BarRuleError> {
        let digits = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let rule = match unit {
            "t" => number.parse().ok().map(BarRule::Ticks),
            "v" => {
                let mantissa = parse(number.as_bytes(), size_decimals).ok();
                mantissa.and_then(NonZeroI64::new).map(BarRule::Volume)
            }
            _ => time(number, unit),
        };
        rule.ok_or_else(|| BarRuleError(text.to_owned()))
    }

    /// Whether a text names a rule of some instrument: what can be known before the instrument is.
    ///
    /// # Errors
    /// [`BarRuleError`] if it names none.
    pub fn check(text: &str) -> Result<(), BarRuleError> {
        let of_some = (0..=DECIMALS_MAX).any(|decimals| BarRule::parse(text, decimals).is_ok());
        if of_some {
            Ok(())
        } else {
            Err(BarRuleError(text.to_owned()))
        }
    }
}

fn time(number: &str, unit: &str) -> Option<BarRule> {
    let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let interval_ns = number.parse::<i64>().ok()?.checked_mul(*unit_ns)?;
    let interval_ns = NonZeroI64::new(interval_ns).filter(|ns| ns.get() <= DAY)?;
    Some(BarRule::Time { interval_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let time = |ns| BarRule::Time {
            interval_ns: NonZeroI64::new(ns).unwrap(),
        };
        for (text, rule) in [
            ("500ms", time(500_000_000)),
            ("10s", time(10_000_000_000)),
            ("1m", time(60_000_000_000)),
            ("1d", time(86_400_000_000_000)),
            ("100t", BarRule::Ticks(NonZeroU32::new(100).unwrap())),
            ("2.5v", BarRule::Volume(NonZeroI64::new(250).unwrap())),
        ] {
            assert_eq!(BarRule::parse(text, 2), Ok(rule));
            assert_eq!(BarRule::check(text), Ok(()));
        }
    }

    #[test]
    fn what_is_no_rule_is_named() {
        for text in [
            "",
            "m",
            "1",
            "0s",
            "2d",
            "1.5m",
            "-1s",
            "0t",
            "1x",
            "0v",
            "1.v",
            "99999999999999999999s",
            "１m",
        ] {
            assert_eq!(BarRule::check(text), Err(BarRuleError(text.to_owned())));
        }
        assert!(BarRule::parse("0.001v", 2).is_err(), "finer than the instrument");
        assert_eq!(BarRule::check("0.001v"), Ok(()));
    }
}
