//! Repeatable chance: xorshift64*, seeded by the property test so that a failure shrinks and repeats.

/// A stream of numbers.
pub struct Dice(u64);

impl Dice {
    /// From any seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    /// 0 to below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }

    /// True once in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }

    /// A frame with a few faults: bytes changed, cut off, put in, doubled, numbers edited.
    pub fn mutated(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut frame = frame.to_vec();
        for _ in 0..=self.below(3) {
            if frame.is_empty() {
                break;
            }
            let at = self.below(frame.len());
            match self.below(7) {
                0 => frame[at] ^= 1 << self.below(8),
                1 => frame.truncate(at),
                2 => frame.insert(at, br#"0123456789-+.eE"\{}[],: tfn"#[self.below(27)]),
                3 => drop(frame.remove(at)),
                4 => {
                    let end = frame.len().min(at + 1 + self.below(12));
                    let part = frame[at..end].to_vec();
                    frame.splice(at..at, part);
                }
                _ => self.edit_number(&mut frame, at),
            }
        }
        frame
    }

    /// Changes the first digit from `at` on into something that numbers hold.
    fn edit_number(&mut self, frame: &mut Vec<u8>, at: usize) {
        let Some(digit) = frame[at..].iter().position(u8::is_ascii_digit) else {
            return;
        };
        let edits: [&[u8]; 10] = [
            b"0",
            b"9",
            b"-",
            b"-0",
            b"1e3",
            b"2E-2",
            b"00",
            b".",
            b"",
            b"99999999999999999999",
        ];
        let edit = edits[self.below(edits.len())];
        frame.splice(at + digit..=at + digit, edit.iter().copied());
    }
}
