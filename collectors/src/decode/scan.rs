//! A cursor over a frame for the fast decoders: it accepts the exact bytes that a venue usually sends and nothing else.
//!
//! Every step is `Option`: `None` means "not the usual shape", and the complete decoder judges the frame. So the scanner may refuse valid
//! JSON, but must never accept what the complete decoder refuses, or read another value from it.

use super::{TimeError, rfc3339};

/// Position in a frame.
#[derive(Clone, Debug)]
pub struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    /// At the start of a frame.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Scan<'a> {
        Scan { bytes, at: 0 }
    }

    /// Steps over exactly `text`.
    #[inline]
    pub fn literal(&mut self, text: &[u8]) -> Option<()> {
        let end = self.at + text.len();
        if self.bytes.get(self.at..end)? != text {
            return None;
        }
        self.at = end;
        Some(())
    }

    /// Steps over `text` if it stands here, and says whether it did.
    #[inline]
    pub fn take(&mut self, text: &[u8]) -> bool {
        self.literal(text).is_some()
    }

    /// The byte here.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The rest of a string whose opening quote is behind us, up to and past its closing quote. Only printable ASCII without escapes.
    #[inline]
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let len = rest
            .iter()
            .position(|byte| !matches!(byte, 0x20..=0x7e) || matches!(byte, b'"' | b'\\'))?;
        if rest[len] != b'"' {
            return None;
        }
        self.at += len + 1;
        Some(&rest[..len])
    }

    /// A JSON integer without sign, at most 64 bits.
    #[inline]
    pub fn uint(&mut self) -> Option<u64> {
        let start = self.at;
        let mut value: u64 = 0;
        while let Some(digit) = self.digit() {
            value = value.checked_mul(10)?.checked_add(digit)?;
        }
        self.ends_number(start).then_some(value)
    }

    /// A JSON number without sign and exponent as a mantissa at `decimals`.
    #[inline]
    pub fn decimal(&mut self, decimals: u8) -> Option<i64> {
        let start = self.at;
        let mut value: u64 = 0;
        while let Some(digit) = self.digit() {
            value = value.checked_mul(10)?.checked_add(digit)?;
        }
        if self.at == start || (self.at - start > 1 && self.bytes[start] == b'0') {
            return None;
        }
        let mut left = decimals;
        if self.take(b".") {
            let fraction = self.at;
            while let Some(digit) = self.digit() {
                if left > 0 {
                    left -= 1;
                    value = value.checked_mul(10)?.checked_add(digit)?;
                } else if digit != 0 {
                    return None;
                }
            }
            if self.at == fraction {
                return None;
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            return None;
        }
        if value != 0 {
            value = value.checked_mul(10u64.pow(left.into()))?;
        }
        i64::try_from(value).ok()
    }

    /// The same within quotes, `"61737.63000000"`, both of which are still ahead.
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
        let start = self.at;
        while self.digit().is_some() {}
        if self.at == start || (self.at - start > 1 && self.bytes[start] == b'0') {
            return None;
        }
        if self.take(b".") {
            let fraction = self.at;
            while self.digit().is_some() {}
            if self.at == fraction {
                return None;
            }
        }
        (!matches!(self.peek(), Some(b'e' | b'E'))).then_some(())
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

    /// An RFC 3339 time whose opening quote is behind us.
    #[inline]
    pub fn time(&mut self) -> Option<i64> {
        self.text()
            .and_then(|text| rfc3339(text).map_err(drop::<TimeError>).ok())
    }

    /// The end of the frame.
    #[inline]
    pub fn end(&self) -> Option<()> {
        (self.at == self.bytes.len()).then_some(())
    }

    #[inline]
    fn digit(&mut self) -> Option<u64> {
        let byte = self.peek()?;
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        self.at += 1;
        Some(u64::from(digit))
    }

    /// Whether what was read since `start` is an integer by JSON's grammar and no fraction or exponent follows.
    #[inline]
    fn ends_number(&self, start: usize) -> bool {
        let len = self.at - start;
        len > 0 && (len == 1 || self.bytes[start] != b'0') && !matches!(self.peek(), Some(b'.' | b'e' | b'E'))
    }
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
            assert_eq!(Scan::new(text.as_bytes()).decimal(8), None, "{text}");
        }
        for text in ["1.0", "1e3", "00", "18446744073709551616"] {
            assert_eq!(Scan::new(text.as_bytes()).uint(), None, "{text}");
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
