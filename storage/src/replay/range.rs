//! From when to when: a part of the past, by receive time.

use std::fmt;

use crate::archive::Date;

/// The text is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time: write a day (2026-11-21), a time in UTC (2026-11-21T09:30:00.5Z), or ns since the Unix epoch"
)]
pub struct NoTime(pub String);

/// Receive times, the end left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first, ns since the Unix epoch.
    pub from_ns: Option<i64>,
    /// The first that is no longer in it.
    pub to_ns: Option<i64>,
}

impl Range {
    /// Whether a receive time is in it.
    #[must_use]
    pub fn holds(&self, ns: i64) -> bool {
        self.from_ns.is_none_or(|from| ns >= from) && self.to_ns.is_none_or(|to| ns < to)
    }

    /// Whether any time of a day is in it.
    #[must_use]
    pub fn meets(&self, date: Date) -> bool {
        let starts_before_end = self
            .to_ns
            .is_none_or(|to| date.start_ns().is_none_or(|start| start < to));
        let ends_after_start = self.from_ns.is_none_or(|from| date >= Date::of_ns(from));
        starts_before_end && ends_after_start
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from_ns, self.to_ns) {
            (None, None) => f.write_str("at all"),
            (Some(from), None) => write!(f, "received from {from} on"),
            (None, Some(to)) => write!(f, "received before {to}"),
            (Some(from), Some(to)) => write!(f, "received from {from} to before {to}"),
        }
    }
}

/// A time in ns since the Unix epoch, of a day, a time in UTC, or that number itself.
///
/// # Errors
/// [`NoTime`].
pub fn time_ns(text: &str) -> Result<i64, NoTime> {
    let wrong = || NoTime(text.to_owned());
    if let Ok(ns) = text.parse::<i64>() {
        return Ok(ns);
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z').ok_or_else(wrong)?),
        None => (text, "00:00:00"),
    };
    let date: Date = date.parse().map_err(|_| wrong())?;
    let of_day = time_of_day_ns(time).ok_or_else(wrong)?;
    date.start_ns()
        .and_then(|start| start.checked_add(of_day))
        .ok_or_else(wrong)
}

/// `09:30`, `09:30:00` or `09:30:00.123456789`.
fn time_of_day_ns(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut seconds = 0;
    let parts: Vec<&str> = whole.split(':').collect();
    let limits = [24, 60, 60];
    if !(2..=3).contains(&parts.len()) || (parts.len() == 2 && !fraction.is_empty()) {
        return None;
    }
    for (at, limit) in limits.into_iter().enumerate() {
        let part = parts.get(at).copied().unwrap_or("00");
        let value: i64 = part
            .parse()
            .ok()
            .filter(|value| part.len() == 2 && (0..limit).contains(value))?;
        seconds = seconds * 60 + value;
    }
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i64 = format!("{fraction:0<9}").parse().ok()?;
    Some(seconds * 1_000_000_000 + nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read() {
        assert_eq!(time_ns("1970-01-02"), Ok(86_400_000_000_000));
        assert_eq!(time_ns("1970-01-01T00:00:01.5Z"), Ok(1_500_000_000));
        assert_eq!(time_ns("1970-01-01T01:01Z"), Ok(3_660_000_000_000));
        assert_eq!(time_ns("17"), Ok(17));
        for text in [
            "",
            "yesterday",
            "1970-01-01T00:00:01",
            "1970-01-01T24:00Z",
            "1970-01-01T0:00Z",
            "1970-01-01T00:00:00.1234567890Z",
        ] {
            assert_eq!(time_ns(text), Err(NoTime(text.into())));
        }
    }

    #[test]
    fn a_range_leaves_its_end_out() {
        let range = Range {
            from_ns: Some(10),
            to_ns: Some(20),
        };
        assert_eq!([9, 10, 19, 20].map(|ns| range.holds(ns)), [false, true, true, false]);
        assert!(range.meets(Date::of_ns(0)));
        assert!(!range.meets(Date::of_ns(0).next()));
        assert!(
            !Range {
                from_ns: Some(86_400_000_000_000),
                to_ns: None
            }
            .meets(Date::of_ns(0))
        );
    }
}
