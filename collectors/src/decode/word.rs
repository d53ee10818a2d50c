//! Text eight bytes at a time ("SIMD within a register"): how many digits it starts with, their value, and where a string ends.
//!
//! Each question is answered for all eight bytes by a few instructions and without a branch, so its cost does not depend on what the numbers
//! of a feed look like. Source of the arithmetic: D. Lemire, "Quickly parsing eight digits"; H. S. Warren, "Hacker's Delight", 6-1.

/// Eight bytes of a frame, the first one lowest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word(u64);

/// The highest bit of every byte.
const HIGH: u64 = all(0x80);

/// Powers of ten that a digit count or a number of decimals can ask for; 16 of them, so that four bits always name one.
const POWERS: [u64; 16] = {
    let mut powers = [1; 16];
    let mut index = 1;
    while index < 16 {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// 10^`exponent`, which must be below 16.
#[inline(always)]
pub(super) fn power(exponent: usize) -> u64 {
    debug_assert!(exponent < POWERS.len());
    POWERS[exponent & 15]
}

/// The same byte eight times.
const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

impl Word {
    /// The first eight bytes; `None` if there are fewer.
    #[inline(always)]
    pub fn first(text: &[u8]) -> Option<Word> {
        text.first_chunk().map(|bytes| Word(u64::from_le_bytes(*bytes)))
    }

    /// How many digits it starts with, 0 to 8.
    #[inline(always)]
    pub fn digits(self) -> usize {
        first_high(self.others())
    }

    /// Whether all of it is digits.
    #[inline(always)]
    pub fn is_digits(self) -> bool {
        self.others() == 0
    }

    /// The highest bit of the first byte that is no digit, and of some behind it.
    #[inline(always)]
    fn others(self) -> u64 {
        let values = self.0 ^ all(b'0');
        // A byte above 9 carries into its highest bit. One above 0x7f also carries into the byte behind it, which comes too late to matter.
        (values.wrapping_add(all(0x7f - 9)) | values) & HIGH
    }

    /// Whether it starts with an integer by JSON's grammar: a digit, and no other one behind a zero.
    #[inline(always)]
    pub fn is_integer(self) -> bool {
        let others = self.others();
        let first = (self.0 ^ all(b'0')) & 0xff;
        // No short cuts: numbers start with zero as often as not.
        (others & 0x80 == 0) & (first | (others & 0x8000) != 0)
    }

    /// The value of its first `len` bytes, 1 to 8, all of which must be digits.
    #[inline(always)]
    pub fn number(self, len: usize) -> u64 {
        debug_assert!((1..=self.digits()).contains(&len));
        // Moved to the end, behind zeros: eight digits, whatever their number was.
        let digits = (self.0 ^ all(b'0')) << (((8 - len as u32) * 8) & 63);
        let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
        const PAIR: u64 = 0x0000_00ff_0000_00ff;
        const FIRST: u64 = 100 + (1_000_000 << 32);
        const SECOND: u64 = 1 + (10_000 << 32);
        let low = (pairs & PAIR).wrapping_mul(FIRST);
        let high = ((pairs >> 16) & PAIR).wrapping_mul(SECOND);
        low.wrapping_add(high) >> 32
    }

    /// How many bytes stand before the first quote, backslash, control character or byte that is not ASCII, 0 to 8.
    #[inline(always)]
    pub fn plain(self) -> usize {
        let word = self.0;
        // What is looked for ends up with its highest bit set, and only such a byte borrows from the one behind it, which comes too late to
        // matter.
        let quote = (word ^ all(b'"')).wrapping_sub(all(1));
        let backslash = (word ^ all(b'\\')).wrapping_sub(all(1));
        let control = word.wrapping_sub(all(0x20));
        first_high((quote | backslash | control | word) & HIGH)
    }

    /// Its first `len` bytes, fewer than 8, and zeros behind them.
    #[inline(always)]
    pub fn truncated(self, len: usize) -> u64 {
        self.0 & ((1 << ((len as u32 * 8) & 63)) - 1)
    }

    /// All eight bytes.
    #[inline(always)]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Hours, minutes and seconds of `hh:mm:ss`, each of two digits.
    #[inline(always)]
    pub fn clock(self) -> Option<[u64; 3]> {
        let values = self.0 ^ u64::from_le_bytes(*b"00:00:00");
        let colons = u64::from_le_bytes([0, 0, 0xff, 0, 0, 0xff, 0, 0]);
        if values & colons != 0 || (values.wrapping_add(all(0x7f - 9)) | values) & HIGH != 0 {
            return None;
        }
        let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
        Some([pairs & 0xff, pairs >> 24 & 0xff, pairs >> 48 & 0xff])
    }
}

/// Index of the first byte whose highest bit is set; 8 if none is.
#[inline(always)]
fn first_high(bits: u64) -> usize {
    (bits.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(bytes: [u8; 8]) {
        let word = Word::first(&bytes).unwrap();
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        assert_eq!(word.digits(), digits, "{bytes:?}");
        assert_eq!(word.is_digits(), digits == 8, "{bytes:?}");
        assert_eq!(
            word.is_integer(),
            digits == 1 || (digits > 1 && bytes[0] != b'0'),
            "{bytes:?}"
        );
        for len in 1..=digits {
            let text = std::str::from_utf8(&bytes[..len]).unwrap();
            assert_eq!(word.number(len), text.parse::<u64>().unwrap(), "{text}");
        }
        let is_plain = |byte: &&u8| matches!(byte, 0x20..=0x7f) && !matches!(byte, b'"' | b'\\');
        assert_eq!(word.plain(), bytes.iter().take_while(is_plain).count(), "{bytes:?}");
        let clock = match bytes {
            [a, b, b':', c, d, b':', e, f] if [a, b, c, d, e, f].iter().all(u8::is_ascii_digit) => {
                Some([(a, b), (c, d), (e, f)].map(|(tens, ones)| u64::from(tens - b'0') * 10 + u64::from(ones - b'0')))
            }
            _ => None,
        };
        assert_eq!(word.clock(), clock, "{bytes:?}");
        for len in 0..8 {
            let mut expected = bytes;
            expected[len..].fill(0);
            assert_eq!(word.truncated(len).to_le_bytes(), expected);
        }
    }

    /// Every byte at every place among digits and among letters, so that no carry between bytes goes unseen.
    #[test]
    fn every_byte_at_every_place() {
        for text in [b"90909090", b"00000000", b"99999999", b"abcXYZ~ ", b"23:59:60"] {
            for place in 0..8 {
                for byte in 0..=u8::MAX {
                    let mut bytes = *text;
                    bytes[place] = byte;
                    check(bytes);
                }
            }
        }
    }

    #[test]
    fn fewer_than_eight_are_no_word() {
        assert!(Word::first(b"1234567").is_none());
    }

    proptest! {
        #[test]
        fn any_eight_bytes(bytes: [u8; 8]) {
            check(bytes);
        }

        #[test]
        fn eight_likely_bytes(text in "[0-9.\"\\\\eE: \u{1}-]{8}") {
            check(text.as_bytes().try_into().unwrap());
        }
    }
}
