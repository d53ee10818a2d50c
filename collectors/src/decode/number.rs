//! Numbers at the start of a text: their value and what stands behind them.
//!
//! They are read eight bytes at a time ([`Word`]) where they are short enough and not at the very end of the frame, which is nearly always,
//! and digit by digit otherwise. A number ends where its digits end: what follows is for the caller to compare, and no literal that may stand
//! behind a number goes on with a digit, a point or an exponent.
//!
//! Everything is passed by value, so that a decoder that has all of this inlined keeps its place in the frame in registers.

use super::word::{Word, power};

/// Eight digits before the point and so many behind it fit 64 bits.
const SHORT_DECIMALS_MAX: u8 = 10;

/// A value, and the text behind it.
pub(super) type Read<'a, T> = Option<(T, &'a [u8])>;

/// A JSON integer without sign, at most 64 bits.
#[inline(always)]
pub(super) fn uint(text: &[u8]) -> Read<'_, u64> {
    match short_uint(text) {
        None => long_uint(text),
        read => read,
    }
}

/// Of at most 16 digits.
#[inline(always)]
fn short_uint(text: &[u8]) -> Read<'_, u64> {
    let (first, len, rest) = whole(text)?;
    if len < 8 {
        return Some((first, rest));
    }
    let second = Word::first(rest)?;
    match second.digits() {
        0 => Some((first, rest)),
        8 if starts_with_digit(&rest[8..]) => None,
        len => Some((first * power(len) + second.number(len), &rest[len..])),
    }
}

/// The first digits, up to eight, of an integer by JSON's grammar: their value, how many they are, and what stands behind them.
#[inline(always)]
fn whole(text: &[u8]) -> Option<(u64, usize, &[u8])> {
    let word = Word::first(text)?;
    if !word.is_integer() {
        return None;
    }
    let len = word.digits();
    Some((word.number(len), len, &text[len..]))
}

#[cold]
#[inline(never)]
fn long_uint(text: &[u8]) -> Read<'_, u64> {
    let (digits, rest) = integer(text)?;
    let value = digits.iter().try_fold(0, push_digit)?;
    Some((value, rest))
}

/// A JSON number without sign and exponent as a mantissa at `decimals`.
#[inline(always)]
pub(super) fn decimal(text: &[u8], decimals: u8) -> Read<'_, i64> {
    match short_decimal(text, decimals) {
        None => long_decimal(text, decimals),
        read => read,
    }
}

/// Of at most eight digits before the point, and no more behind it than the instrument has.
#[inline(always)]
fn short_decimal(text: &[u8], decimals: u8) -> Read<'_, i64> {
    if decimals > SHORT_DECIMALS_MAX {
        return None;
    }
    let decimals = usize::from(decimals);
    let (whole, _, rest) = whole(text)?;
    // Below 10^18, and so is the sum with the fraction.
    let value = whole * power(decimals);
    let [b'.', rest @ ..] = rest else {
        return (!starts_with_digit(rest)).then_some((value as i64, rest));
    };
    let word = Word::first(rest)?;
    if !word.is_digits() {
        let len = word.digits();
        if len == 0 || len > decimals {
            return None;
        }
        let fraction = word.number(len) * power(decimals - len);
        return Some(((value + fraction) as i64, &rest[len..]));
    }
    // What most venues print. To guess that it is so again lets the processor go on without having counted.
    let padding = decimals.checked_sub(8)?;
    let value = value + word.number(8) * power(padding);
    let rest = &rest[8..];
    if !starts_with_digit(rest) {
        return Some((value as i64, rest));
    }
    let word = Word::first(rest)?;
    let len = word.digits();
    let fraction = word.number(len) * power(padding.checked_sub(len)?);
    Some(((value + fraction) as i64, &rest[len..]))
}

#[cold]
#[inline(never)]
fn long_decimal(text: &[u8], decimals: u8) -> Read<'_, i64> {
    let (whole, rest) = integer(text)?;
    let (fraction, rest) = fraction(rest)?;
    let (kept, beyond) = fraction.split_at(fraction.len().min(decimals.into()));
    if beyond.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let mut value = whole.iter().chain(kept).try_fold(0, push_digit)?;
    if value != 0 {
        value = value.checked_mul(10u64.pow(u32::from(decimals) - kept.len() as u32))?;
    }
    Some((i64::try_from(value).ok()?, rest))
}

/// A JSON number without exponent, whatever its value.
#[inline(always)]
pub(super) fn skip(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (_, rest) = integer(text)?;
    let (_, rest) = fraction(rest)?;
    Some(rest)
}

/// The digits before a point: at least one, and no superfluous zero before them.
#[inline(always)]
fn integer(text: &[u8]) -> Read<'_, &[u8]> {
    let (digits, rest) = digits(text);
    let superfluous = digits.len() > 1 && digits.first() == Some(&b'0');
    (!digits.is_empty() && !superfluous).then_some((digits, rest))
}

/// A point and the digits behind it, of which there is at least one; nothing where there is no point.
#[inline(always)]
fn fraction(text: &[u8]) -> Read<'_, &[u8]> {
    let [b'.', text @ ..] = text else {
        return Some((&[], text));
    };
    let (digits, rest) = digits(text);
    (!digits.is_empty()).then_some((digits, rest))
}

#[inline(always)]
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let mut len = 0;
    while let Some(word) = text.get(len..).and_then(Word::first) {
        let digits = word.digits();
        len += digits;
        if digits < 8 {
            return text.split_at_checked(len).unwrap_or_default();
        }
    }
    // The end of the frame is near.
    len += text[len..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at(len)
}

fn push_digit(value: u64, digit: &u8) -> Option<u64> {
    value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
}

#[inline(always)]
fn starts_with_digit(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tickpath_protocol::{DecimalError, decimal};

    use super::*;

    /// Every way to read a number, with and without eight bytes behind it, against the exact parser.
    fn check(text: &str, decimals: u8) {
        let exact = decimal::parse(text.as_bytes(), decimals);
        let plain = !text.starts_with('-') && !text.contains(['e', 'E']);
        for behind in ["", "\"", "\",\"0.00000000\"]"] {
            let frame = format!("{text}{behind}");
            let frame = frame.as_bytes();
            for read in [
                super::decimal(frame, decimals),
                long_decimal(frame, decimals),
                short_decimal(frame, decimals),
            ] {
                if let Some((value, rest)) = read.filter(|(_, rest)| rest.len() == behind.len()) {
                    assert_eq!(exact, Ok(value), "{text} at {decimals}");
                    assert_eq!(rest, behind.as_bytes());
                }
            }
            let read = super::decimal(frame, decimals).filter(|(_, rest)| rest.len() == behind.len());
            assert_eq!(read.is_some(), plain && exact.is_ok(), "{text} at {decimals}");
            let whole = text.parse::<u64>().ok().filter(|value| value.to_string() == text);
            let read = uint(frame).filter(|(_, rest)| rest.len() == behind.len());
            assert_eq!(read.map(|(value, _)| value), whole, "{text}");
            let skipped = skip(frame).is_some_and(|rest| rest.len() == behind.len());
            let is_number = decimal::parse(text.as_bytes(), 0) != Err(DecimalError::Syntax) && !text.is_empty();
            assert_eq!(skipped, is_number && !text.contains(['e', 'E']), "{text}");
        }
    }

    #[test]
    fn numbers_of_every_length() {
        for whole in 0..=20 {
            for fraction in 0..=20 {
                for digit in ["0", "1", "9"] {
                    let (whole, fraction) = (digit.repeat(whole), digit.repeat(fraction));
                    for decimals in [0, 1, 2, 7, 8, 9, 10, 11, 15] {
                        check(&whole, decimals);
                        check(&format!("{whole}.{fraction}"), decimals);
                        check(&format!("1{whole}.{fraction}5"), decimals);
                        check(&format!("0.{whole}{fraction}"), decimals);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in [
            "",
            "-",
            ".",
            "-1",
            "01",
            "00",
            "1.",
            ".5",
            "1..5",
            "1.5.5",
            "1e3",
            "1.5E-3",
            "1 ",
            "+1",
            "18446744073709551616",
        ] {
            check(text, 8);
        }
    }

    proptest! {
        #[test]
        fn any_number(text in "-?[0-9]{0,20}(\\.[0-9]{0,20})?(e-?[0-9])?", decimals in 0u8..=15) {
            check(&text, decimals);
        }

        #[test]
        fn nearly_a_number(text in "[-0-9.eE/:\u{0}\u{7f}]{0,12}", decimals in 0u8..=15) {
            check(&text, decimals);
        }
    }
}
