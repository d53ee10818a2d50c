//! Decimal text to mantissa and back, exactly.
//!
//! A mantissa is the number × 10^decimals as an `i64`. Text is what JSON calls a number: an optional minus, digits without a superfluous
//! leading zero, a fraction, an exponent. Zeros beyond the decimals are fine; any other digit there is an error, and so is a value that
//! does not fit. Nothing is ever rounded and no float takes part.

use std::fmt;

/// Decimals that a record can state for one number.
pub const DECIMALS_MAX: u8 = 15;

/// Characters that the longest mantissa text needs: sign, 19 digits, point.
pub const TEXT_LEN_MAX: usize = 21;

/// Digits that fit 64 bits with a sign whatever they are.
const PLAIN_DIGITS_MAX: usize = 18;

/// Why a text is not a mantissa.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Empty text: a missing number is never zero.
    #[error("empty text where a number is required")]
    Empty,
    /// Not the grammar of a JSON number.
    #[error("not a decimal number")]
    Syntax,
    /// A digit other than 0 beyond the decimals.
    #[error("more decimals than the instrument has")]
    Inexact,
    /// Does not fit 64 bits at these decimals.
    #[error("number does not fit 64 bits at the instrument's decimals")]
    Overflow,
}

/// The mantissa of `text` at `decimals` (at most [`DECIMALS_MAX`]).
///
/// # Errors
/// As [`DecimalError`] says; no text is rounded.
pub fn parse(text: &[u8], decimals: u8) -> Result<i64, DecimalError> {
    debug_assert!(decimals <= DECIMALS_MAX);
    match plain(text, decimals) {
        Some(mantissa) => Ok(mantissa),
        None => general(text, decimals),
    }
}

/// In one pass, what nearly every number of a venue is: digits, at most [`PLAIN_DIGITS_MAX`], with a point that is followed by no more of
/// them than there are decimals. `None` for all else, right or wrong.
fn plain(text: &[u8], decimals: u8) -> Option<i64> {
    let mut value: u64 = 0;
    let mut fraction_start = None;
    for (index, byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value.wrapping_mul(10).wrapping_add(digit.into());
        } else if *byte == b'.' && fraction_start.is_none() {
            fraction_start = Some(index + 1);
        } else {
            return None;
        }
    }
    let (whole, fraction) = match fraction_start {
        Some(start) => (start - 1, text.len() - start),
        None => (text.len(), 0),
    };
    let is_number = whole > 0 && (whole == 1 || text[0] != b'0') && (fraction > 0 || fraction_start.is_none());
    let padding = usize::from(decimals).checked_sub(fraction)?;
    if !is_number || whole + fraction + padding > PLAIN_DIGITS_MAX {
        return None;
    }
    Some((value * 10u64.pow(padding as u32)) as i64)
}

fn general(text: &[u8], decimals: u8) -> Result<i64, DecimalError> {
    if text.is_empty() {
        return Err(DecimalError::Empty);
    }
    let parts = Parts::split(text)?;
    // Digit k of integer and fraction together has weight 10^(int_len - 1 - k + exponent); scaled it must be at least 10^0.
    let shift = i64::from(decimals) + i64::from(parts.exponent);
    let mut value: u64 = 0;
    let digits = parts.integer.iter().chain(parts.fraction);
    let kept = parts.integer.len() as i64 + shift;
    for (index, digit) in digits.enumerate() {
        let digit = u64::from(digit - b'0');
        if (index as i64) < kept {
            value = value
                .checked_mul(10)
                .and_then(|v| v.checked_add(digit))
                .ok_or(DecimalError::Overflow)?;
        } else if digit != 0 {
            return Err(DecimalError::Inexact);
        }
    }
    let padding = kept - (parts.integer.len() + parts.fraction.len()) as i64;
    if value != 0 {
        for _ in 0..padding.max(0) {
            value = value.checked_mul(10).ok_or(DecimalError::Overflow)?;
        }
    }
    let magnitude = i64::try_from(value).map_err(|_| DecimalError::Overflow)?;
    Ok(if parts.negative { -magnitude } else { magnitude })
}

struct Parts<'a> {
    negative: bool,
    integer: &'a [u8],
    fraction: &'a [u8],
    exponent: i32,
}

impl<'a> Parts<'a> {
    fn split(text: &'a [u8]) -> Result<Parts<'a>, DecimalError> {
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (integer, rest) = digits(rest);
        if integer.is_empty() || (integer.len() > 1 && integer[0] == b'0') {
            return Err(DecimalError::Syntax);
        }
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => match digits(rest) {
                ([], _) => return Err(DecimalError::Syntax),
                found => found,
            },
            rest => (&[][..], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => exponent(rest)?,
            _ => return Err(DecimalError::Syntax),
        };
        Ok(Parts {
            negative,
            integer,
            fraction,
            exponent,
        })
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len()))
}

/// An exponent beyond ±999 has no use here: the value is 0, inexact or too large whatever its digits are, and stays so at the limit.
fn exponent(text: &[u8]) -> Result<i32, DecimalError> {
    let (negative, rest) = match text {
        [b'+', rest @ ..] => (false, rest),
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (number, []) = digits(rest) else {
        return Err(DecimalError::Syntax);
    };
    if number.is_empty() {
        return Err(DecimalError::Syntax);
    }
    let magnitude = number
        .iter()
        .fold(0i32, |e, digit| (e * 10 + i32::from(digit - b'0')).min(999));
    Ok(if negative { -magnitude } else { magnitude })
}

/// The decimals that `text` shows after its point, trailing zeros included: what a venue's wire format keeps for the number.
///
/// # Errors
/// [`DecimalError::Syntax`] or [`DecimalError::Empty`] where it is no number.
pub fn decimals_shown(text: &[u8]) -> Result<u8, DecimalError> {
    if text.is_empty() {
        return Err(DecimalError::Empty);
    }
    let parts = Parts::split(text)?;
    let shown = parts.fraction.len() as i64 - i64::from(parts.exponent);
    Ok(u8::try_from(shown.max(0)).unwrap_or(u8::MAX))
}

/// The fewest decimals at which `text` is exact: those of an increment such as `0.010` (2), `1e-08` (8) or `5` (0).
///
/// # Errors
/// [`DecimalError::Syntax`] or [`DecimalError::Empty`] where it is no number; [`DecimalError::Inexact`] above [`DECIMALS_MAX`].
pub fn decimals_needed(text: &[u8]) -> Result<u8, DecimalError> {
    for decimals in 0..=DECIMALS_MAX {
        match parse(text, decimals) {
            Ok(_) => return Ok(decimals),
            Err(DecimalError::Inexact) => {}
            Err(error) => return Err(error),
        }
    }
    Err(DecimalError::Inexact)
}

/// A mantissa that prints as its decimal text, with all of its decimals: `DecimalText::new(177_400, 2)` is `1774.00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecimalText {
    mantissa: i64,
    decimals: u8,
}

impl DecimalText {
    /// The text of `mantissa` at `decimals`.
    #[must_use]
    pub fn new(mantissa: i64, decimals: u8) -> DecimalText {
        DecimalText { mantissa, decimals }
    }

    /// Writes the text into `buffer` and returns it, without allocating.
    pub fn write(self, buffer: &mut [u8; TEXT_LEN_MAX]) -> &str {
        let decimals = usize::from(self.decimals.min(DECIMALS_MAX));
        let mut rest = self.mantissa.unsigned_abs();
        let mut at = buffer.len();
        let mut written = 0;
        while rest != 0 || written <= decimals {
            if written == decimals && decimals != 0 {
                at -= 1;
                buffer[at] = b'.';
            }
            at -= 1;
            buffer[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            written += 1;
        }
        if self.mantissa < 0 {
            at -= 1;
            buffer[at] = b'-';
        }
        std::str::from_utf8(&buffer[at..]).expect("digits, point and minus are ASCII")
    }
}

impl fmt::Display for DecimalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.write(&mut [0; TEXT_LEN_MAX]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, decimals: u8, expected: Result<i64, DecimalError>) {
        assert_eq!(parse(text.as_bytes(), decimals), expected, "{text} at {decimals}");
    }

    #[test]
    fn venue_texts() {
        check("61737.63000000", 8, Ok(6_173_763_000_000));
        check("0.00000000", 8, Ok(0));
        check("63514.6", 2, Ok(6_351_460));
        check("1774.14", 2, Ok(177_414));
        check("0", 10, Ok(0));
        check("1e-08", 8, Ok(1));
        check("1.5E+3", 0, Ok(1500));
        check("-0.5", 1, Ok(-5));
        check("150.0", 0, Ok(150));
        check("5e-05", 15, Ok(50_000_000_000));
        check("0e999", 15, Ok(0));
    }

    #[test]
    fn what_is_refused() {
        use DecimalError::*;
        check("", 8, Err(Empty));
        for text in [
            "-", "+1", ".5", "1.", "1.e5", "1e", "1e+", "01", "NaN", "0x10", " 1", "1 ", "1,5", "--1", "1.2.3", "inf",
            "1e5.", "1_0",
        ] {
            check(text, 8, Err(Syntax));
        }
        check("0.123", 2, Err(Inexact));
        check("1e-9", 8, Err(Inexact));
        check("1e-99999999999", 8, Err(Inexact));
        check("92233720368.54775808", 8, Err(Overflow));
        check("92233720368.54775807", 8, Ok(i64::MAX));
        check("1e99999999999", 0, Err(Overflow));
        check("99999999999999999999999999", 0, Err(Overflow));
        check("-9223372036854775808", 0, Err(Overflow)); // i64::MIN means absent
    }

    #[test]
    fn increments_say_their_decimals() {
        for (text, needed, shown) in [
            ("0.010", 2, 3),
            ("1e-08", 8, 8),
            ("5", 0, 0),
            ("1.00000000", 0, 8),
            ("10", 0, 0),
        ] {
            assert_eq!(decimals_needed(text.as_bytes()), Ok(needed), "{text}");
            assert_eq!(decimals_shown(text.as_bytes()), Ok(shown), "{text}");
        }
        assert_eq!(decimals_needed(b"1e-16"), Err(DecimalError::Inexact));
    }

    #[test]
    fn text_shows_all_decimals() {
        for (mantissa, decimals, text) in [
            (177_400, 2, "1774.00"),
            (5, 3, "0.005"),
            (0, 0, "0"),
            (0, 2, "0.00"),
            (-5, 1, "-0.5"),
            (i64::MIN, 15, "-9223.372036854775808"),
            (i64::MAX, 0, "9223372036854775807"),
        ] {
            assert_eq!(DecimalText::new(mantissa, decimals).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn text_reads_back(mantissa in -i64::MAX..=i64::MAX, decimals in 0..=DECIMALS_MAX) {
            let text = DecimalText::new(mantissa, decimals).to_string();
            prop_assert_eq!(parse(text.as_bytes(), decimals), Ok(mantissa));
            if decimals > 0 {
                prop_assert_eq!(decimals_shown(text.as_bytes()), Ok(decimals));
            }
        }

        #[test]
        fn trailing_zeros_change_nothing(mantissa in 0..=i64::MAX / 100, zeros in 0usize..30) {
            let text = DecimalText::new(mantissa, 8).to_string() + &"0".repeat(zeros);
            prop_assert_eq!(parse(text.as_bytes(), 8), Ok(mantissa));
        }

        #[test]
        fn the_short_way_says_what_the_general_one_says(text in "-?[0-9]{0,20}(\\.[0-9]{0,20})?(e[0-9])?", decimals in 0..=DECIMALS_MAX) {
            prop_assert_eq!(parse(text.as_bytes(), decimals), general(text.as_bytes(), decimals));
        }

        #[test]
        fn any_bytes_end_in_an_answer(text in prop::collection::vec(any::<u8>(), 0..40), decimals in 0..=DECIMALS_MAX) {
            if let Ok(mantissa) = parse(&text, decimals) {
                prop_assert_ne!(mantissa, i64::MIN);
            }
        }

        #[test]
        fn agrees_with_wide_arithmetic(int in 0u64..1_000_000_000_000, frac in "[0-9]{1,12}", exp in -12i32..12, decimals in 0..=DECIMALS_MAX) {
            let text = format!("{int}.{frac}e{exp}");
            let digits: u128 = format!("{int}{frac}").parse().unwrap();
            let power = exp - frac.len() as i32 + i32::from(decimals);
            let exact = if power >= 0 {
                Some(digits * 10u128.pow(power as u32))
            } else {
                let divisor = 10u128.pow(power.unsigned_abs());
                (digits.is_multiple_of(divisor)).then_some(digits / divisor)
            };
            match parse(text.as_bytes(), decimals) {
                Ok(mantissa) => prop_assert_eq!(Some(mantissa as u128), exact),
                Err(DecimalError::Inexact) => prop_assert_eq!(exact, None),
                Err(DecimalError::Overflow) => prop_assert!(exact.is_none_or(|v| v > i64::MAX as u128)),
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }
}
