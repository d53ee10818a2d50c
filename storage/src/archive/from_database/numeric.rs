//! PostgreSQL's `numeric` in its binary form to a mantissa with its decimals, exactly: the inverse of [`crate::database::copy`].

use std::error::Error;

use tokio_postgres::types::{FromSql, Type, accepts};

/// A decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numeric {
    /// All its digits.
    pub mantissa: i64,
    /// How many of them stand behind the point.
    pub decimals: u8,
}

impl<'a> FromSql<'a> for Numeric {
    /// Refuses what no record has: NaN, infinity, more than 15 decimals, more than 64 bits.
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Numeric, Box<dyn Error + Sync + Send>> {
        numeric(bytes).ok_or_else(|| "a number that is no price and no size of a record".into())
    }

    accepts!(NUMERIC);
}

/// Digits of base 10000 with a weight, a sign and the number of decimals to show.
fn numeric(bytes: &[u8]) -> Option<Numeric> {
    let word = |at: usize| Some(i16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let (count, weight, sign) = (usize::try_from(word(0)?).ok()?, i32::from(word(2)?), word(4)?);
    let decimals = u8::try_from(word(6)?).ok().filter(|decimals| *decimals <= 15)?;
    if bytes.len() != 8 + 2 * count || !matches!(sign, 0 | 0x4000) {
        return None;
    }
    let mut sum: i128 = 0;
    for index in 0..count {
        let digit = i128::from(word(8 + 2 * index)?);
        // The power of ten of this digit, once the point is moved behind the last decimal.
        let power = 4 * (weight - index as i32) + i32::from(decimals);
        sum = sum.checked_add(match u32::try_from(power) {
            Ok(power) => digit.checked_mul(10_i128.checked_pow(power)?)?,
            // Behind the decimals there are only zeros.
            Err(_) => {
                let unit = 10_i128.checked_pow(power.unsigned_abs())?;
                (digit % unit == 0).then_some(digit / unit)?
            }
        })?;
    }
    let mantissa = i64::try_from(if sign == 0 { sum } else { -sum }).ok()?;
    Some(Numeric { mantissa, decimals })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[u16]) -> Option<(i64, u8)> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        numeric(&bytes).map(|number| (number.mantissa, number.decimals))
    }

    #[test]
    fn numbers_read_as_they_were_written() {
        assert_eq!(of(&[0, 0, 0, 2]), Some((0, 2)));
        assert_eq!(of(&[2, 0, 0, 2, 1_774, 1_400]), Some((177_414, 2)));
        assert_eq!(of(&[1, 1, 0x4000, 0, 1]), Some((-10_000, 0)));
        assert_eq!(of(&[1, 0xfffe, 0, 8, 1]), Some((1, 8)));
        assert_eq!(of(&[5, 4, 0, 0, 922, 3_372, 368, 5_477, 5_807]), Some((i64::MAX, 0)));
    }

    #[test]
    fn what_no_record_has_is_refused() {
        assert_eq!(of(&[5, 4, 0, 0, 922, 3_372, 368, 5_477, 5_808]), None, "beyond 64 bits");
        assert_eq!(of(&[0, 0, 0xc000, 0]), None, "NaN");
        assert_eq!(of(&[1, 0, 0, 16, 1]), None, "16 decimals");
        assert_eq!(of(&[1, 0xffff, 0, 2, 1]), None, "digits behind the decimals");
        assert_eq!(of(&[2, 0, 0, 0, 1]), None, "cut short");
        assert_eq!(of(&[1, 300, 0, 0, 1]), None, "huge");
        assert_eq!(numeric(&[]), None);
    }
}
