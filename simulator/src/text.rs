//! How venues write numbers and times.

use std::fmt::{self, Write};

use tickpath_protocol::DecimalText;

/// With exactly the decimals that it has: `1774.00` (Kraken, Coinbase's level2).
pub fn fixed(mantissa: i64, decimals: u8) -> DecimalText {
    DecimalText::new(mantissa, decimals)
}

/// With zeros up to `shown` decimals: `1774.00000000` (Binance shows 8 of everything).
pub fn padded(mantissa: i64, decimals: u8, shown: u8) -> impl fmt::Display {
    let zeros = usize::from(shown.saturating_sub(decimals));
    let point = if decimals == 0 && zeros > 0 { "." } else { "" };
    let text = DecimalText::new(mantissa, decimals);
    fmt::from_fn(move |f| write!(f, "{text}{point}{:0<zeros$}", ""))
}

/// Without zeros at the end: `1774` (Alpaca, Coinbase Advanced Trade, Coinbase's matches).
pub fn trimmed(mantissa: i64, decimals: u8) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let mut text = String::with_capacity(24);
        write!(text, "{}", DecimalText::new(mantissa, decimals))?;
        f.write_str(match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.'),
            false => &text,
        })
    })
}

/// RFC 3339 in UTC with six decimals: `2026-07-07T22:58:17.050195Z`.
pub fn micros(ts_ns: i64) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let (seconds, rest) = (ts_ns.div_euclid(1_000_000_000), ts_ns.rem_euclid(1_000_000_000));
        write!(f, "{}.{:06}Z", date_time(seconds, 'T'), rest / 1_000)
    })
}

/// RFC 3339 in UTC with up to nine decimals, zeros at the end left out: `2024-03-12T10:38:50.79613221Z`, `…:50Z`.
pub fn nanos(ts_ns: i64) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let (seconds, rest) = (ts_ns.div_euclid(1_000_000_000), ts_ns.rem_euclid(1_000_000_000));
        match rest {
            0 => write!(f, "{}Z", date_time(seconds, 'T')),
            _ => write!(
                f,
                "{}.{}Z",
                date_time(seconds, 'T'),
                format!("{rest:09}").trim_end_matches('0')
            ),
        }
    })
}

/// Go's print of a time, which Advanced Trade's heartbeats hold: `2026-09-30 02:37:15.057778606 +0000 UTC m=+21697.195984854`.
pub fn go_time(ts_ns: i64, uptime_ns: i64) -> impl fmt::Display {
    let (seconds, rest) = (ts_ns.div_euclid(1_000_000_000), ts_ns.rem_euclid(1_000_000_000));
    let (up_seconds, up_rest) = (uptime_ns / 1_000_000_000, uptime_ns % 1_000_000_000);
    fmt::from_fn(move |f| {
        write!(
            f,
            "{}.{rest:09} +0000 UTC m=+{up_seconds}.{up_rest:09}",
            date_time(seconds, ' ')
        )
    })
}

/// `text` as a JSON string, with its quotes.
pub fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Text with `%XX` decoded; what is no valid escape stays.
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let value = escaped.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// A parameter of a query, decoded.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| percent_decoded(value))
}

/// The items joined by commas.
pub fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        if !text.is_empty() {
            text.push(',');
        }
        // Writing to a String cannot fail.
        _ = write!(text, "{item}");
    }
    text
}

/// Date and time of the proleptic Gregorian calendar; Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
fn date_time(seconds: i64, separator: char) -> impl fmt::Display {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    fmt::from_fn(move |f| {
        write!(
            f,
            "{year:04}-{month:02}-{day:02}{separator}{:02}:{:02}:{:02}",
            second / 3_600,
            second / 60 % 60,
            second % 60
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(padded(177_400, 2, 8).to_string(), "1774.00000000");
        assert_eq!(padded(5, 0, 8).to_string(), "5.00000000");
        assert_eq!(padded(5, 8, 8).to_string(), "0.00000005");
        assert_eq!(trimmed(177_400, 2).to_string(), "1774");
        assert_eq!(trimmed(177_450, 2).to_string(), "1774.5");
        assert_eq!(trimmed(100, 0).to_string(), "100");
        assert_eq!(trimmed(0, 9).to_string(), "0");
        assert_eq!(fixed(628_070, 1).to_string(), "62807.0");
    }

    #[test]
    fn addresses() {
        assert_eq!(parameter("a=1&symbol=%E5%B8%81%26X", "symbol").as_deref(), Some("币&X"));
        assert_eq!(percent_decoded("btcusdt%40trade%2fx%zz%4"), "btcusdt@trade/x%zz%4");
        assert_eq!(percent_decoded("%ff"), "%ff", "not UTF-8");
    }

    #[test]
    fn times() {
        assert_eq!(
            micros(1_783_465_097_050_195_999).to_string(),
            "2026-07-07T22:58:17.050195Z"
        );
        assert_eq!(
            nanos(1_710_239_930_796_132_210).to_string(),
            "2024-03-12T10:38:50.79613221Z"
        );
        assert_eq!(nanos(951_782_400_000_000_000).to_string(), "2000-02-29T00:00:00Z");
        assert_eq!(micros(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(
            go_time(1_783_465_097_050_195_999, 21_697_000_000_001).to_string(),
            "2026-07-07 22:58:17.050195999 +0000 UTC m=+21697.000000001"
        );
        assert_eq!(list([1, 2, 3]), "1,2,3");
        assert_eq!(json_string("a\"b"), "\"a\\\"b\"");
    }
}
