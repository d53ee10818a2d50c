//! Names of segments: start time and first index, so that a listing in order of name is one in order of index of any day, and people see
//! what lies where.

use std::path::Path;

/// Extension of a segment.
pub const RECORDS_EXTENSION: &str = "journal";
/// Extension of the file beside it.
pub const BATCHES_EXTENSION: &str = "batches";

const INDEX_DIGITS: usize = 20;
const NS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The name of a segment without its extension: `20261121T114153.123456789Z-00000000000000000042`.
#[must_use]
pub fn stem(created_ns: i64, first_index: u64) -> String {
    let (seconds, ns) = (
        created_ns.div_euclid(NS_PER_SECOND),
        created_ns.rem_euclid(NS_PER_SECOND),
    );
    let (days, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{ns:09}Z-{first_index:020}")
}

/// The first index that a segment's name states; `None` for any other file.
#[must_use]
pub fn first_index(path: &Path) -> Option<u64> {
    if path.extension()? != RECORDS_EXTENSION {
        return None;
    }
    let (time, index) = path.file_stem()?.to_str()?.split_once('-')?;
    let is_name = time.ends_with('Z') && index.len() == INDEX_DIGITS && index.bytes().all(|byte| byte.is_ascii_digit());
    if is_name { index.parse().ok() } else { None }
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar. Source: Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_state_time_and_index() {
        let name = stem(1_795_261_313_123_456_789, 42);
        assert_eq!(name, "20261121T114153.123456789Z-00000000000000000042");
        assert_eq!(first_index(Path::new(&format!("/x/{name}.journal"))), Some(42));
        assert_eq!(stem(0, u64::MAX), "19700101T000000.000000000Z-18446744073709551615");
        assert!(stem(951_782_400_000_000_000, 0).starts_with("20000229T000000."));
        for other in [
            "lock",
            "recorded",
            "a.journal",
            "Z-1.journal",
            "20261121T114153.1Z-00000000000000000042.batches",
        ] {
            assert_eq!(first_index(Path::new(other)), None, "{other}");
        }
    }
}
