//! Venues' times to nanoseconds since the Unix epoch.
//!
//! Some venues send `0001-01-01T00:00:00Z` or `1970-01-01T00:00:00Z` on messages that are valid otherwise. A time before the year 2000 is
//! therefore no time, [`Record::ABSENT`], and not an error.

use tickpath_protocol::Record;

use super::word::{Word, power};

/// 2000-01-01T00:00:00Z.
const EARLIEST_NS: i64 = 946_684_800_000_000_000;

/// The text or number is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time")]
pub struct TimeError(pub String);

/// RFC 3339 in UTC with 0 to 9 decimals of a second, `2026-07-07T23:00:03.977459Z`: what Coinbase, Kraken and Alpaca send.
///
/// # Errors
/// [`TimeError`] for any other text and for years after 2262, which 64 bits of nanoseconds do not reach.
pub fn rfc3339(text: &[u8]) -> Result<i64, TimeError> {
    parse(text).ok_or_else(|| TimeError(String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned()))
}

fn parse(text: &[u8]) -> Option<i64> {
    let [date_time @ .., b'Z'] = text else { return None };
    let (whole, fraction) = date_time.split_at_checked(19)?;
    if [whole[4], whole[7], whole[10], whole[13], whole[16]] != *b"--T::" {
        return None;
    }
    let year = digits(&whole[..4])?;
    let month = digits(&whole[5..7])?;
    let day = digits(&whole[8..10])?;
    let (hour, minute, second) = (
        digits(&whole[11..13])?,
        digits(&whole[14..16])?,
        digits(&whole[17..19])?,
    );
    // 60 is a leap second, which counts as the second after.
    if !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let nanos = match fraction {
        [] => 0,
        [b'.', digits_text @ ..] if (1..=9).contains(&digits_text.len()) => {
            digits(digits_text)? * 10i64.pow(9 - digits_text.len() as u32)
        }
        _ => return None,
    };
    if year < 2000 {
        return Some(Record::ABSENT);
    }
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// The day of the last time that was read, which nearly always is that of the next one too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// `2026-07-07T`.
    text: [u8; 11],
    midnight_ns: i64,
}

impl Day {
    /// `None` for a text that is no date, and for days before 2000, whose times are none.
    #[cold]
    #[inline(never)]
    fn of(text: [u8; 11]) -> Option<Day> {
        let mut midnight = *b"yyyy-mm-ddT00:00:00Z";
        midnight[..text.len()].copy_from_slice(&text);
        let midnight_ns = parse(&midnight).filter(|time| *time != Record::ABSENT)?;
        Some(Day { text, midnight_ns })
    }
}

/// A time with a fraction at the start of `text`, and what stands behind its closing quote: the fast way to what [`rfc3339`] says. `None`
/// for times that [`rfc3339`] refuses and for some that it takes.
#[inline(always)]
pub(super) fn day_time<'a>(text: &'a [u8], day: &mut Day) -> Option<(i64, &'a [u8])> {
    let (date, rest) = text.split_first_chunk::<11>()?;
    if *date != day.text {
        *day = Day::of(*date)?;
    }
    let (clock, rest) = rest.split_first_chunk::<8>()?;
    let [hour, minute, second] = Word::first(clock)?.clock()?;
    let [b'.', rest @ ..] = rest else { return None };
    // 60 is a leap second, as in `parse`.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let fraction = Word::first(rest)?;
    let len = fraction.digits();
    if len == 0 {
        return None;
    }
    let mut nanos = fraction.number(len) * power(9 - len);
    let mut rest = rest.get(len..)?;
    if let [ninth @ b'0'..=b'9', behind @ ..] = rest {
        nanos += u64::from(ninth - b'0');
        rest = behind;
    }
    let [b'Z', b'"', rest @ ..] = rest else { return None };
    let since_midnight = (hour * 3_600 + minute * 60 + second) * 1_000_000_000 + nanos;
    Some((day.midnight_ns.checked_add(since_midnight as i64)?, rest))
}

/// Milliseconds since the epoch.
///
/// # Errors
/// [`TimeError`] beyond the year 2262.
pub fn millis(value: u64) -> Result<i64, TimeError> {
    scaled(value, 1_000_000)
}

/// Microseconds since the epoch.
///
/// # Errors
/// [`TimeError`] beyond the year 2262.
pub fn micros(value: u64) -> Result<i64, TimeError> {
    scaled(value, 1_000)
}

fn scaled(value: u64, unit_ns: i64) -> Result<i64, TimeError> {
    let nanos = i64::try_from(value).ok().and_then(|value| value.checked_mul(unit_ns));
    nanos.map(or_absent).ok_or_else(|| TimeError(value.to_string()))
}

fn or_absent(nanos: i64) -> i64 {
    if nanos < EARLIEST_NS { Record::ABSENT } else { nanos }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Source: H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `days_from_civil`.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_of_the_venues() {
        for (text, expected) in [
            ("2026-07-07T23:00:03.977459Z", 1_783_465_203_977_459_000),
            ("2024-03-12T10:38:50.79613221Z", 1_710_239_930_796_132_210),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000_000),
            ("2021-02-22T15:51:44.208Z", 1_614_009_104_208_000_000),
            ("0001-01-01T00:00:00.000000Z", Record::ABSENT),
            ("1970-01-01T00:00:00Z", Record::ABSENT),
        ] {
            assert_eq!(rfc3339(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "Z",
            "2026-07-07",
            "2026-07-07T23:00:03",
            "2026-07-07 23:00:03Z",
            "2026-13-07T23:00:03Z",
            "2026-02-29T00:00:00Z",
            "2026-07-07T24:00:03Z",
            "2026-07-07T23:00:03.Z",
            "2026-07-07T23:00:03.1234567890Z",
            "2026-07-07T23:00:03.12a4Z",
            "9999-12-31T23:59:59Z",
            "2026-07-07T23:00:03+00:00",
            "+026-07-07T23:00:03Z",
        ] {
            assert!(rfc3339(text.as_bytes()).is_err(), "{text}");
        }
        assert!(millis(u64::MAX).is_err());
        assert!(micros(9_300_000_000_000_000).is_err());
        assert_eq!(millis(1_672_515_782_136), Ok(1_672_515_782_136_000_000));
        assert_eq!(micros(1_672_515_782_136_123), Ok(1_672_515_782_136_123_000));
        assert_eq!(millis(0), Ok(Record::ABSENT));
    }

    fn check_fast(text: &str, day: &mut Day) {
        let quoted = format!("{text}\",");
        if let Some((time, rest)) = day_time(quoted.as_bytes(), day) {
            assert_eq!((Ok(time), rest), (rfc3339(text.as_bytes()), &b","[..]), "{text}");
        }
    }

    #[test]
    fn the_fast_way_reads_what_venues_send() {
        let mut day = Day::default();
        for (text, expected) in [
            ("2026-07-07T23:00:03.977459Z\"", 1_783_465_203_977_459_000),
            ("2024-03-12T10:38:50.79613221Z\"", 1_710_239_930_796_132_210),
            ("2024-03-12T10:38:50.796132210Z\"", 1_710_239_930_796_132_210),
            ("2021-02-22T15:51:44.208Z\",\"next\"", 1_614_009_104_208_000_000),
        ] {
            let read = day_time(text.as_bytes(), &mut day).map(|(time, _)| time);
            assert_eq!(read, Some(expected), "{text}");
        }
        assert_eq!(day_time(b"2021-02-22T15:51:44.208Z", &mut day), None);
    }

    #[test]
    fn every_byte_at_every_place() {
        let mut day = Day::default();
        for text in [
            "2024-02-29T19:59:60.123456789Z",
            "2262-04-11T23:47:16.9Z",
            "1999-12-31T23:59:59.000001Z",
        ] {
            for place in 0..text.len() {
                for byte in 0x20..0x7f {
                    let mut bytes = text.as_bytes().to_vec();
                    bytes[place] = byte;
                    check_fast(std::str::from_utf8(&bytes).unwrap(), &mut day);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_fast_way_says_what_the_other_says(
            date in "(19|20|22)[0-9]{2}-[01][0-9]-[0-3][0-9]",
            clock in "[0-2][0-9]:[0-6][0-9]:[0-6][0-9]",
            fraction in "(\\.[0-9]{0,10})?Z?",
        ) {
            let mut day = Day::default();
            check_fast(&format!("{date}T{clock}{fraction}"), &mut day);
            // Again, with the day known.
            check_fast(&format!("{date}T{clock}{fraction}"), &mut day);
        }
    }
}
