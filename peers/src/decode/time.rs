//! RFC 3339 times to exact nanoseconds: written for the purpose, because the usual libraries take several times as long.

use super::Failed;

/// Nanoseconds since the epoch of `2026-07-07T23:00:03.977459Z`, with 0 to 9 decimals.
pub(super) fn nanos(text: &str) -> Result<i64, Failed> {
    parse(text.as_bytes()).ok_or_else(|| Failed::Time(text.to_owned()))
}

fn parse(text: &[u8]) -> Option<i64> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', rest @ ..] = text else {
        return None;
    };
    let [h0, h1, b':', n0, n1, b':', s0, s1, fraction @ .., b'Z'] = rest else {
        return None;
    };
    let year = pair(*y0, *y1)? * 100 + pair(*y2, *y3)?;
    let (month, day) = (pair(*m0, *m1)?, pair(*d0, *d1)?);
    let (hour, minute, second) = (pair(*h0, *h1)?, pair(*n0, *n1)?, pair(*s0, *s1)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut nanos = 0;
    if let [b'.', digits @ ..] = fraction {
        if !(1..=9).contains(&digits.len()) {
            return None;
        }
        for byte in digits {
            nanos = nanos * 10 + digit(*byte)?;
        }
        nanos *= 10i64.pow(9 - digits.len() as u32);
    } else if !fraction.is_empty() {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1_000_000_000 + nanos)
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

fn pair(tens: u8, ones: u8) -> Option<i64> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// Days since 1970-01-01, for years from 1 on. Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::nanos;

    #[test]
    fn exact_times() {
        for (text, expected) in [
            ("2026-07-07T23:00:03.977459Z", 1_783_465_203_977_459_000),
            ("2024-03-12T10:38:50.79613221Z", 1_710_239_930_796_132_210),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000_000),
        ] {
            assert_eq!(nanos(text).unwrap(), expected, "{text}");
        }
        for text in ["", "2026-07-07", "2026-07-07T23:00:03.Z", "2026-07-07T23:00:03.12a4Z"] {
            assert!(nanos(text).is_err(), "{text}");
        }
    }
}
