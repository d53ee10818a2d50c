//! A cursor over a frame for the fast decoders: it accepts the exact bytes that a venue usually sends and nothing else.
//!
//! Every step is `Option`: `None` means "not the usual shape", and the complete decoder judges the frame. So the scanner may refuse valid
//! JSON, but must never accept what the complete decoder refuses, or read another value from it.
//!
//! All steps are inlined, and what is not hands the cursor over by value: so it stays in registers through a whole frame.

use super::number::{self, Read};
use super::time::{Day, day_time};
use super::word::Word;
use super::{Listed, SymbolTable, rfc3339};

/// What is left of a frame.
#[derive(Clone, Debug)]
pub struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    /// At the start of a frame.
    #[inline(always)]
    #[must_use]
    pub fn new(frame: &'a [u8]) -> Scan<'a> {
        Scan { rest: frame }
    }

    /// Steps over exactly `text`. Its length is part of its type, so that the comparison is a few instructions.
    #[inline(always)]
    pub fn literal<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        let (start, rest) = self.rest.split_first_chunk::<N>()?;
        // As slices: arrays of 5, 6 or 7 bytes are compared after they were put together byte by byte.
        if start[..] != text[..] {
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

    /// Which of two texts stands here, `false` for the first, without a branch between them: which side a trade is on is anybody's guess.
    /// Both of at most eight bytes, neither the start of the other; the frame must go on for eight.
    #[inline(always)]
    pub fn either<const A: usize, const B: usize>(&mut self, first: &[u8; A], second: &[u8; B]) -> Option<bool> {
        const { assert!(A <= 8 && B <= 8) };
        let window = self.rest.first_chunk::<8>()?;
        let (is_first, is_second) = (window[..A] == first[..], window[..B] == second[..]);
        if !(is_first | is_second) {
            return None;
        }
        self.rest = &self.rest[if is_second { B } else { A }..];
        Some(is_second)
    }

    /// The byte here.
    #[inline(always)]
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The rest of a string whose opening quote is behind us, up to and past its closing quote. Only ASCII without escapes.
    #[inline(always)]
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let read = text(self.rest);
        self.step(read)
    }

    /// Steps over what [`Scan::text`] reads, at once if it has as many bytes as such a text usually has.
    #[inline(always)]
    pub fn skip_text<const USUAL: usize>(&mut self) -> Option<()> {
        if let Some((usual, [b'"', rest @ ..])) = self.rest.split_first_chunk::<USUAL>()
            && usual.iter().fold(true, |plain, byte| plain & is_plain(*byte))
        {
            self.rest = rest;
            return Some(());
        }
        self.text().map(drop)
    }

    /// As [`Scan::text`], but a cursor at the start of that string: for a number that stands before the symbol that says its decimals.
    #[inline(always)]
    pub fn later(&mut self) -> Option<Scan<'a>> {
        let later = self.clone();
        self.text()?;
        Some(later)
    }

    /// As [`Scan::text`], and the instrument of that symbol, which is not empty.
    #[inline(always)]
    pub fn symbol(&mut self, symbols: &SymbolTable) -> Option<Listed> {
        if let Some((key, rest)) = symbol_key(self.rest) {
            self.rest = rest;
            return symbols.get_short(key);
        }
        symbols.get(self.text()?)
    }

    /// A JSON integer without sign, at most 64 bits.
    #[inline(always)]
    pub fn uint(&mut self) -> Option<u64> {
        let read = number::uint(self.rest);
        self.step(read)
    }

    /// A JSON number without sign and exponent as a mantissa at `decimals`.
    #[inline(always)]
    pub fn decimal(&mut self, decimals: u8) -> Option<i64> {
        let read = number::decimal(self.rest, decimals);
        self.step(read)
    }

    /// The same within quotes, `"61737.63000000"`, both of which are still ahead.
    #[inline(always)]
    pub fn quoted_decimal(&mut self, decimals: u8) -> Option<i64> {
        self.literal(b"\"")?;
        self.closed_decimal(decimals)
    }

    /// The same with the opening quote behind us.
    #[inline(always)]
    pub fn closed_decimal(&mut self, decimals: u8) -> Option<i64> {
        let value = self.decimal(decimals)?;
        self.literal(b"\"")?;
        Some(value)
    }

    /// Steps over a JSON number without exponent.
    #[inline(always)]
    pub fn skip_number(&mut self) -> Option<()> {
        self.rest = number::skip(self.rest)?;
        Some(())
    }

    /// The rest of a list whose opening bracket is behind us, `item` being called at the start of each entry.
    #[inline(always)]
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
    #[inline(always)]
    pub fn time(&mut self, day: &mut Day) -> Option<i64> {
        let read = match day_time(self.rest, day) {
            None => other_time(self.rest),
            read => read,
        };
        self.step(read)
    }

    /// The end of the frame.
    #[inline(always)]
    pub fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }

    #[inline(always)]
    fn step<T>(&mut self, read: Read<'a, T>) -> Option<T> {
        let (value, rest) = read?;
        self.rest = rest;
        Some(value)
    }
}

/// A string up to its closing quote.
#[inline(always)]
fn text(frame: &[u8]) -> Read<'_, &[u8]> {
    let mut rest = frame;
    while let Some(word) = Word::first(rest) {
        let plain = word.plain();
        rest = &rest[plain..];
        if plain < 8 {
            let [b'"', behind @ ..] = rest else { return None };
            return Some((&frame[..frame.len() - rest.len()], behind));
        }
    }
    last_text(frame, rest)
}

/// The same where `rest`, the part of it that was not looked at, is short: the end of the frame is near.
#[cold]
#[inline(never)]
fn last_text<'a>(frame: &'a [u8], rest: &'a [u8]) -> Read<'a, &'a [u8]> {
    let plain = rest.iter().position(|byte| !is_plain(*byte))?;
    let (text, behind) = frame.split_at(frame.len() - rest.len() + plain);
    Some((text, behind.strip_prefix(b"\"")?))
}

/// A string of fewer than 16 bytes up to its closing quote, as two words with zeros behind it.
#[inline(always)]
fn symbol_key(frame: &[u8]) -> Read<'_, [u64; 2]> {
    let (low, tail) = frame.split_first_chunk::<8>()?;
    let low = Word::first(low)?;
    let (key, len) = match low.plain() {
        8 => {
            let high = Word::first(tail)?;
            let len = high.plain();
            if len == 8 {
                return None;
            }
            ([low.bits(), high.truncated(len)], 8 + len)
        }
        len => ([low.truncated(len), 0], len),
    };
    let [b'"', rest @ ..] = frame.get(len..)? else {
        return None;
    };
    Some((key, rest))
}

#[cold]
#[inline(never)]
fn other_time(frame: &[u8]) -> Read<'_, i64> {
    let (text, rest) = text(frame)?;
    Some((rfc3339(text).ok()?, rest))
}

#[inline(always)]
fn is_plain(byte: u8) -> bool {
    (0x20..=0x7f).contains(&byte) & (byte != b'"') & (byte != b'\\')
}

/// As [`super::json::positive`].
#[inline(always)]
#[must_use]
pub fn positive(value: i64) -> Option<i64> {
    (value > 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tickpath_protocol::{InstrumentId, Scale, Venue};

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
    fn numbers_before_their_symbol() {
        let mut scan = Scan::new(br#"1.5","s":"BTC"}"#);
        let mut later = scan.later().unwrap();
        scan.literal(b",\"s\":\"").unwrap();
        assert_eq!(later.closed_decimal(2), Some(150));
        assert_eq!(later.peek(), Some(b','));
        let mut later = Scan::new(br#"1.5 ","s":"BTC"}"#).later().unwrap();
        assert_eq!(later.closed_decimal(2), None);
        assert_eq!(positive(0), None);
        assert_eq!(positive(1), Some(1));
    }

    #[test]
    fn one_of_two_texts() {
        for (text, expected) in [
            ("buy\",\"p\":", Some((false, b','))),
            ("sell\",\"p\"", Some((true, b','))),
            ("hold\",\"p\"", None),
            ("sell\"", None),
        ] {
            let mut scan = Scan::new(text.as_bytes());
            let read = scan.either(b"buy\"", b"sell\"");
            assert_eq!(read.zip(scan.peek()), expected, "{text}");
        }
    }

    #[test]
    fn strings_of_the_usual_length_and_others() {
        for text in ["", "abc", "abcd", "abcdefgh", "abcdefghijklmnop"] {
            let frame = format!("{text}\",1");
            let mut scan = Scan::new(frame.as_bytes());
            assert_eq!(scan.skip_text::<4>(), Some(()), "{text}");
            assert_eq!(scan.rest, b",1");
        }
        for text in ["abcd", "ab\\\"c", "ab\nd\"", "abä\""] {
            assert_eq!(Scan::new(text.as_bytes()).skip_text::<4>(), None, "{text}");
        }
    }

    #[test]
    fn strings_and_symbols_of_every_length() {
        let id = InstrumentId::new(Venue::KRAKEN, 7);
        let scale = Scale::new(2, 8).unwrap();
        for len in 1..40 {
            let symbol = "SYMBOL/".repeat(9)[..len].to_owned();
            let mut symbols = SymbolTable::new();
            symbols.insert(&symbol, Listed { id, scale });
            for behind in ["\"", "\",\"p\":1,\"q\":\"0.00000000\"}"] {
                let frame = format!("{symbol}{behind}");
                assert_eq!(Scan::new(frame.as_bytes()).text(), Some(symbol.as_bytes()));
                let mut scan = Scan::new(frame.as_bytes());
                assert_eq!(scan.symbol(&symbols), Some(Listed { id, scale }), "{symbol}");
                assert_eq!(scan.rest, &behind.as_bytes()[1..]);
                for other in [format!("X{frame}"), format!("{symbol} {behind}"), symbol.clone()] {
                    assert_eq!(Scan::new(other.as_bytes()).symbol(&symbols), None, "{other}");
                }
            }
        }
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
        fn a_string_ends_at_its_quote(frame in "[a-z\"\\\\\u{1}\u{7f}\u{e4} !#~]{0,40}") {
            let plain = frame.bytes().position(|byte| !is_plain(byte));
            let expected = plain.filter(|len| frame.as_bytes()[*len] == b'"').map(|len| &frame.as_bytes()[..len]);
            prop_assert_eq!(Scan::new(frame.as_bytes()).text(), expected);
        }
    }
}
