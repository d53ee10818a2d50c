//! From the numbers of a counter page, which are whole, to Prometheus' base units, which are not: seconds, units of a currency. The name says what a number is in.
//!
//! | name on the page | name in `/metrics` | value |
//! |---|---|---|
//! | `…_ns`, `…_ns_total` | `…_seconds`, `…_seconds_total` | ÷ 10⁹ |
//! | `…_ms` | `…_seconds` | ÷ 10³ |
//! | `…_e8` | `…` | ÷ 10⁸ |
//! | any, with a label `decimals="n"` | the same, without the label | ÷ 10ⁿ |

use std::fmt;

/// Decimals of a nanosecond.
pub const NANO: u32 = 9;
const MILLI: u32 = 3;
/// Endings of names on a page, what stands for them outside, and how many decimals the number has.
const SUFFIXES: [(&str, &str, u32); 3] = [("_ns", "_seconds", NANO), ("_ms", "_seconds", MILLI), ("_e8", "", 8)];
/// Points in time whose name does not say that they are.
const TIMESTAMPS: [&str; 3] = [
    "tickpath_collector_last_recv_ns",
    "tickpath_engine_heartbeat_ns",
    "tickpath_gateway_heartbeat_ns",
];
/// More than any instrument has; what claims more is printed as it is.
const DECIMALS_MAX: u32 = 18;

/// A metric as `/metrics` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: String,
    /// The page's number is this many decimals larger.
    pub decimals: u32,
}

impl Exported {
    /// Of a metric on a page.
    #[must_use]
    pub fn of(name: &str, labels: &str) -> Exported {
        let (base, total) = match name.strip_suffix("_total") {
            Some(base) => (base, "_total"),
            None => (name, ""),
        };
        let suffix = SUFFIXES
            .iter()
            .find_map(|(suffix, unit, decimals)| Some((base.strip_suffix(suffix)?, *unit, *decimals)));
        let (base, unit, decimals) = suffix.unwrap_or((base, "", 0));
        let time = if TIMESTAMPS.contains(&name) { "_timestamp" } else { "" };
        let (labels, of_label) = without_decimals(labels);
        Exported {
            name: format!("{base}{time}{unit}{total}"),
            labels,
            decimals: decimals + of_label,
        }
    }
}

/// The labels without `decimals="n"`, and n; 0 if there is none.
fn without_decimals(labels: &str) -> (String, u32) {
    let Some((before, rest)) = labels.split_once("decimals=\"") else {
        return (labels.to_owned(), 0);
    };
    let Some((number, after)) = rest.split_once('"') else {
        return (labels.to_owned(), 0);
    };
    match number.parse() {
        Ok(decimals) if decimals <= DECIMALS_MAX => {
            let left = [before.trim_end_matches(','), after.trim_start_matches(',')];
            let left: Vec<&str> = left.into_iter().filter(|part| !part.is_empty()).collect();
            (left.join(","), decimals)
        }
        _ => (labels.to_owned(), 0),
    }
}

/// A number with so many decimals, printed exactly.
#[derive(Clone, Copy, Debug)]
pub struct Fixed(pub i128, pub u32);

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fixed(value, decimals) = *self;
        let unit = 10_u128.pow(decimals);
        let (whole, rest) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
        if value < 0 {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if rest > 0 {
            let digits = format!("{rest:0width$}", width = decimals as usize);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(name: &str, labels: &str) -> (String, String, u32) {
        let Exported { name, labels, decimals } = Exported::of(name, labels);
        (name, labels, decimals)
    }

    #[test]
    fn names_have_base_units() {
        for (page, outside, decimals) in [
            (
                "tickpath_relay_recv_to_publish_ns",
                "tickpath_relay_recv_to_publish_seconds",
                9,
            ),
            ("tickpath_process_cpu_ns_total", "tickpath_process_cpu_seconds_total", 9),
            ("tickpath_database_behind_ms", "tickpath_database_behind_seconds", 3),
            ("tickpath_engine_pnl_e8", "tickpath_engine_pnl", 8),
            (
                "tickpath_collector_last_recv_ns",
                "tickpath_collector_last_recv_timestamp_seconds",
                9,
            ),
            ("tickpath_relay_records_in_total", "tickpath_relay_records_in_total", 0),
            ("tickpath_recorder_journal_bytes", "tickpath_recorder_journal_bytes", 0),
        ] {
            assert_eq!(exported(page, ""), (outside.to_owned(), String::new(), decimals));
        }
    }

    #[test]
    fn decimals_are_taken_from_their_label() {
        for (labels, left, decimals) in [
            ("decimals=\"8\"", "", 8),
            ("a=\"x\",decimals=\"2\"", "a=\"x\"", 2),
            ("decimals=\"2\",a=\"x\"", "a=\"x\"", 2),
            ("a=\"x\",decimals=\"0\",b=\"y\"", "a=\"x\",b=\"y\"", 0),
            ("decimals=\"99\"", "decimals=\"99\"", 0),
            ("decimals=\"x\"", "decimals=\"x\"", 0),
        ] {
            assert_eq!(exported("p", labels), ("p".to_owned(), left.to_owned(), decimals));
        }
    }

    #[test]
    fn numbers_are_exact() {
        for (value, decimals, text) in [
            (0, 9, "0"),
            (5, 0, "5"),
            (-5, 1, "-0.5"),
            (1_024, 9, "0.000001024"),
            (12_300, 2, "123"),
            (i128::from(i64::MIN), 9, "-9223372036.854775808"),
            (i128::from(u64::MAX), 18, "18.446744073709551615"),
        ] {
            assert_eq!(Fixed(value, decimals).to_string(), text);
        }
    }
}
