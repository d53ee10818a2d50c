//! A day in UTC, without a calendar library: the archive needs the day of a time stamp, its name, and the name's day.

use std::fmt;
use std::str::FromStr;

const DAY_NS: i64 = 86_400_000_000_000;

/// A day in UTC: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

/// The text is no day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no day: write it as 2026-11-21")]
pub struct NoDate(pub String);

impl Date {
    /// The day of a time in ns since the Unix epoch. Every time has one: 64 bits of nanoseconds reach from 1677 to 2262.
    #[must_use]
    pub fn of_ns(ns: i64) -> Date {
        // 2^63 ns are 106,752 days, which an i32 holds.
        Date(ns.div_euclid(DAY_NS) as i32)
    }

    /// Its first moment in ns since the Unix epoch; `None` outside of what 64 bits of nanoseconds reach.
    #[must_use]
    pub fn start_ns(self) -> Option<i64> {
        i64::from(self.0).checked_mul(DAY_NS)
    }

    /// The day after.
    #[must_use]
    pub fn next(self) -> Date {
        Date(self.0 + 1)
    }

    /// Year, month, day: Howard Hinnant's `civil_from_days`, <https://howardhinnant.github.io/date_algorithms.html>.
    fn civil(self) -> (i32, i32, i32) {
        let shifted = self.0 + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        (year_of_era + era * 400 + i32::from(month <= 2), month, day)
    }

    /// `days_from_civil` of the same page.
    fn from_civil(year: i32, month: i32, day: i32) -> Date {
        let year = year - i32::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month_from_march = (month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Date(era * 146_097 + day_of_era - 719_468)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Date {
    type Err = NoDate;

    fn from_str(text: &str) -> Result<Date, NoDate> {
        let number = |part: Option<&str>| part?.parse::<i32>().ok();
        let mut parts = text.split('-');
        let (year, month, day) = (number(parts.next()), number(parts.next()), number(parts.next()));
        let (Some(year @ 1677..=2262), Some(month @ 1..=12), Some(day @ 1..=31)) = (year, month, day) else {
            return Err(NoDate(text.to_owned()));
        };
        let date = Date::from_civil(year, month, day);
        // 2026-02-30 and 2026-2-3 do not print as they were written.
        if date.to_string() == text {
            Ok(date)
        } else {
            Err(NoDate(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_back() {
        for day in -106_752..=106_751 {
            let date = Date(day);
            assert_eq!(date.to_string().parse(), Ok(date));
        }
        assert_eq!(Date::of_ns(0).to_string(), "1970-01-01");
        assert_eq!(Date::of_ns(-1).to_string(), "1969-12-31");
        assert_eq!(Date::of_ns(1_709_164_800_000_000_000).to_string(), "2024-02-29");
        assert_eq!(Date::of_ns(i64::MAX).to_string(), "2262-04-11");
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026-02-30",
            "2026-2-3",
            "2026-13-01",
            "21.11.2026",
            "2026-11-21x",
            "99999-01-01",
        ] {
            assert_eq!(text.parse::<Date>(), Err(NoDate(text.into())));
        }
    }
}
