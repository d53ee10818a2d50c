//! A cursor over a frame for the fast decoders: it accepts the exact bytes that a venue usually sends and nothing else.
//!
//! Every step is `Option`: `None` means "not the usual shape", and the complete decoder judges the frame. So the scanner may refuse valid
//! JSON, but must never accept what the complete decoder refuses, or read another value from it.
//!
//! Numbers, strings and times are read eight bytes at a time ([`Word`]) where they are short enough and not at the very end of the frame,
//! which is nearly always, and byte by byte otherwise. A number ends where its digits end: what follows is for the caller to compare, and
//! no literal that may stand behind a number goes on with a digit, a point or an exponent.

use super::time::{Day, day_time};
use super::word::{Word, power};
use super::{Listed, SymbolTable, rfc3339};

/// Eight digits before the point and so many behind it fit 64 bits.
const SHORT_DECIMALS_MAX: u8 = 10;

/// What is left of a frame.
#[derive(Clone, Debug)]
pub struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    /// At the start of a frame.
    #[must_use]
    pub fn new(frame: &'a [u8]) -> Scan<'a> {
        Scan { rest: frame }
    }

    /// Steps over exactly `text`. Its length is part of its type, so that the comparison is a few instructions.
    #[inline(always)]
    pub fn literal<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        let (start, rest) = self.rest.split_first_chunk::<N>()?;
        if start != text {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    /// Steps over `text` if it stands here, and says whether it did.
    #[inline(always)]
    pub fn take<const N: usize>(&mut self, text: &[u8; N]) -> bool {
        self.literal(text).is_some()
    }

    /// The byte here.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The rest of a string whose opening quote is behind us, up to and past its closing quote. Only printable ASCII without escapes.
    #[inline]
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let mut len = 0;
        loop {
            let tail = self.rest.get(len..)?;
            let Some(word) = Word::first(tail) else {
                // The end of the frame is near.
                len += tail.iter().position(|byte| !is_plain(*byte))?;
                break;
            };
            let plain = word.plain();
            len += plain;
            if plain < 8 {
                break;
            }
        }
        let (text, rest) = self.rest.split_at_checked(len)?;
        let [b'"', rest @ ..] = rest else { return None };
        self.rest = rest;
        Some(text)
    }

    /// As [`Scan::text`], and the instrument of that symbol.
    #[inline]
    pub fn symbol(&mut self, symbols: &SymbolTable) -> Option<Listed> {
        if let Some((key, len)) = self.symbol_key()
            && let Some([b'"', rest @ ..]) = self.rest.get(len..)
        {
            self.rest = rest;
            return symbols.get_short(key);
        }
        symbols.get(self.text()?)
    }

    /// The plain bytes that stand here, if there are fewer than 16.
    #[inline(always)]
    fn symbol_key(&self) -> Option<([u64; 2], usize)> {
        let (low, rest) = self.rest.split_first_chunk::<8>()?;
        let low = Word::first(low)?;
        let plain = low.plain();
        if plain < 8 {
            return Some(([low.truncated(plain), 0], plain));
        }
        let high = Word::first(rest)?;
        let plain = high.plain();
        (plain < 8).then(|| ([low.bits(), high.truncated(plain)], 8 + plain))
    }

    /// A JSON integer without sign, at most 64 bits.
    #[inline]
    pub fn uint(&mut self) -> Option<u64> {
        match self.short_uint() {
            Some((value, rest)) => {
                self.rest = rest;
                Some(value)
            }
            None => self.long_uint(),
        }
    }

    /// Of at most 16 digits.
    #[inline(always)]
    fn short_uint(&self) -> Option<(u64, &'a [u8])> {
        let first = Word::first(self.rest)?;
        let len = first.digits();
        if !starts_number(self.rest, len) {
            return None;
        }
        let (value, rest) = (first.number(len), self.rest.get(len..)?);
        if len < 8 {
            return Some((value, rest));
        }
        let second = Word::first(rest)?;
        let (value, rest) = match second.digits() {
            0 => (value, rest),
            len => (value * power(len) + second.number(len), rest.get(len..)?),
        };
        (!starts_with_digit(rest)).then_some((value, rest))
    }

    #[cold]
    #[inline(never)]
    fn long_uint(&mut self) -> Option<u64> {
        let digits = self.digits()?;
        digits.iter().try_fold(0u64, |value, byte| {
            value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))
        })
    }

    /// A JSON number without sign and exponent as a mantissa at `decimals`.
    #[inline]
    pub fn decimal(&mut self, decimals: u8) -> Option<i64> {
        match self.short_decimal(decimals) {
            Some((value, rest)) => {
                self.rest = rest;
                Some(value)
            }
            None => self.long_decimal(decimals),
        }
    }

    /// Of at most eight digits before the point and eight behind it, all of which the instrument has.
    #[inline(always)]
    fn short_decimal(&self, decimals: u8) -> Option<(i64, &'a [u8])> {
        let whole = Word::first(self.rest)?;
        let len = whole.digits();
        if !starts_number(self.rest, len) || decimals > SHORT_DECIMALS_MAX {
            return None;
        }
        let decimals = usize::from(decimals);
        // Below 10^18, and so is the sum with the fraction.
        let value = whole.number(len) * power(decimals);
        let rest = self.rest.get(len..)?;
        let [b'.', rest @ ..] = rest else {
            return (!starts_with_digit(rest)).then_some((value as i64, rest));
        };
        let fraction = Word::first(rest)?;
        let len = fraction.digits();
        if len == 0 || len > decimals {
            return None;
        }
        let value = value + fraction.number(len) * power(decimals - len);
        let rest = rest.get(len..)?;
        (!starts_with_digit(rest)).then_some((value as i64, rest))
    }

    #[cold]
    #[inline(never)]
    fn long_decimal(&mut self, decimals: u8) -> Option<i64> {
        let whole = self.digits()?;
        let fraction = if self.take(b".") { self.any_digits()? } else { &[] };
        let (kept, beyond) = fraction.split_at(fraction.len().min(decimals.into()));
        if beyond.iter().any(|digit| *digit != b'0') {
            return None;
        }
        let mut value = whole.iter().chain(kept).try_fold(0u64, |value, byte| {
            value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))
        })?;
        if value != 0 {
            value = value.checked_mul(10u64.pow(u32::from(decimals) - kept.len() as u32))?;
        }
        i64::try_from(value).ok()
    }

    /// A decimal within quotes, `"61737.63000000"`, both of which are still ahead.
    #[inline]
    pub fn quoted_decimal(&mut self, decimals: u8) -> Option<i64> {
        self.literal(b"\"")?;
        let value = self.decimal(decimals)?;
        self.literal(b"\"")?;
        Some(value)
    }

    /// Steps over a JSON number without exponent.
    #[inline]
    pub fn skip_number(&mut self) -> Option<()> {
        self.take(b"-");
        self.digits()?;
        if self.take(b".") {
            self.any_digits()?;
        }
        Some(())
    }

    /// The rest of a list whose opening bracket is behind us, `item` being called at the start of each entry.
    #[inline]
    pub fn list(&mut self, mut item: impl FnMut(&mut Scan<'a>) -> Option<()>) -> Option<()> {
        if self.take(b"]") {
            return Some(());
        }
        loop {
            item(self)?;
            if !self.take(b",") {
                return self.literal(b"]");
            }
        }
    }

    /// An RFC 3339 time whose opening quote is behind us. `day` is that of the last time, or any.
    #[inline]
    pub fn time(&mut self, day: &mut Day) -> Option<i64> {
        if let Some((time, rest)) = day_time(self.rest, day) {
            self.rest = rest;
            return Some(time);
        }
        rfc3339(self.text()?).ok()
    }

    /// The end of the frame.
    #[inline]
    pub fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }

    /// The digits before a point: at least one, and no superfluous zero before them.
    #[inline]
    fn digits(&mut self) -> Option<&'a [u8]> {
        let start = self.rest;
        let digits = self.any_digits()?;
        starts_number(start, digits.len()).then_some(digits)
    }

    /// At least one digit.
    #[inline]
    fn any_digits(&mut self) -> Option<&'a [u8]> {
        let mut len = 0;
        while let Some(word) = Word::first(self.rest.get(len..)?) {
            let digits = word.digits();
            len += digits;
            if digits < 8 {
                return self.split(len);
            }
        }
        // The end of the frame is near.
        let tail = self.rest.get(len..)?;
        len += tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.split(len)
    }

    #[inline]
    fn split(&mut self, len: usize) -> Option<&'a [u8]> {
        let (digits, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        (!digits.is_empty()).then_some(digits)
    }
}

/// Whether `len` digits at the start of `text` are an integer by JSON's grammar.
#[inline(always)]
fn starts_number(text: &[u8], len: usize) -> bool {
    len == 1 || (len > 1 && text.first() != Some(&b'0'))
}

#[inline(always)]
fn starts_with_digit(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_digit)
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\')
}

/// The mantissa of a text that [`Scan::text`] returned: for numbers that stand before the symbol that says their decimals.
#[inline]
#[must_use]
pub fn decimal_text(text: &[u8], decimals: u8) -> Option<i64> {
    let mut scan = Scan::new(text);
    let value = scan.decimal(decimals)?;
    scan.end()?;
    Some(value)
}

/// As [`super::json::positive`].
#[inline]
#[must_use]
pub fn positive(value: i64) -> Option<i64> {
    (value > 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tickpath_protocol::decimal;

    use super::*;

    #[test]
    fn reads_what_a_venue_sends() {
        let mut scan = Scan::new(br#"{"t":12345,"p":"0.001","s":62807.0}"#);
        scan.literal(b"{\"t\":").unwrap();
        assert_eq!(scan.uint(), Some(12345));
        scan.literal(b",\"p\":").unwrap();
        assert_eq!(scan.quoted_decimal(8), Some(100_000));
        assert!(!scan.take(b"}"));
        scan.literal(b",\"s\":").unwrap();
        assert_eq!(scan.decimal(1), Some(628_070));
        scan.literal(b"}").unwrap();
        scan.end().unwrap();
        assert_eq!(scan.peek(), None);
        assert_eq!(scan.uint(), None);
    }

    #[test]
    fn reads_lists() {
        for (text, expected) in [
            ("]", Some(0)),
            ("1]", Some(1)),
            ("1,2,3]", Some(6)),
            ("1,]", None),
            (",1]", None),
            ("1", None),
            ("1 ,2]", None),
        ] {
            let (mut scan, mut sum) = (Scan::new(text.as_bytes()), 0);
            let read = scan.list(|scan| {
                sum += scan.uint()?;
                Some(())
            });
            assert_eq!(read.and_then(|()| scan.end()).map(|()| sum), expected, "{text}");
        }
    }

    #[test]
    fn numbers_that_were_read_as_text() {
        assert_eq!(decimal_text(b"1.5", 2), Some(150));
        assert_eq!(decimal_text(b"1.5 ", 2), None);
        assert_eq!(decimal_text(b"", 2), None);
        assert_eq!(positive(0), None);
        assert_eq!(positive(1), Some(1));
    }

    #[test]
    fn leaves_the_unusual_to_the_complete_decoder() {
        for text in [
            "",
            "-1",
            "01",
            "1.",
            ".5",
            "1e3",
            "1.5e3",
            "1.5E-3",
            "99999999999999999999",
        ] {
            let mut scan = Scan::new(text.as_bytes());
            assert_eq!(scan.decimal(8).and_then(|_| scan.end()), None, "{text}");
        }
        for text in ["1.0", "1e3", "00", "18446744073709551616"] {
            let mut scan = Scan::new(text.as_bytes());
            assert_eq!(scan.uint().and_then(|_| scan.end()), None, "{text}");
        }
        for text in [&b"ab\\\"c\""[..], b"abc", b"a\x01b\"", "ä\"".as_bytes()] {
            assert_eq!(Scan::new(text).text(), None);
        }
    }

    proptest! {
        #[test]
        fn a_number_it_steps_over_is_one(text in "-?[0-9]{0,3}(\\.[0-9]{0,3})?(e-?[0-9])?") {
            let mut scan = Scan::new(text.as_bytes());
            let skipped = scan.skip_number().is_some() && scan.end().is_some();
            prop_assert_eq!(skipped, !text.contains('e') && decimal::parse(text.as_bytes(), 3).is_ok());
        }

        #[test]
        fn a_decimal_it_accepts_is_the_exact_one(text in "-?[0-9]{0,12}(\\.[0-9]{0,18})?(e-?[0-9])?", decimals in 0u8..=15) {
            let mut scan = Scan::new(text.as_bytes());
            if let (Some(value), Some(())) = (scan.decimal(decimals), scan.end()) {
                prop_assert_eq!(decimal::parse(text.as_bytes(), decimals), Ok(value));
            }
        }
    }
}
