//! The corpus mutated blindly, from a seed: what a compiler without instrumentation can do towards a campaign.
//!
//! `TICKPATH_TEST_MUTATIONS` says how many inputs a target gets, `TICKPATH_TEST_SEED` from which seed.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use tickpath_hostile::TARGETS;

/// What decoders trip over: ends, signs, exponents, quotes, brackets, extremes.
const PIECES: [&[u8]; 16] = [
    b"",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"-",
    b".",
    b"e99",
    b"0",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"18446744073709551616",
    b"null",
];

/// Numbers from a seed: xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize % limit.max(1)
    }

    fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len() + 1);
        let len = self.below(16.min(input.len() - at) + 1);
        match self.below(6) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..at + len)),
            2 => drop(input.splice(at..at + len, PIECES[self.below(PIECES.len())].iter().copied())),
            3 => {
                let again = input[at..at + len].to_vec();
                drop(input.splice(at..at, again));
            }
            4 => drop(input.splice(at.., other[self.below(other.len())..].iter().copied())),
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
        }
    }
}

fn from_env(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect(name))
}

#[test]
fn mutated_inputs_keep_the_promises() {
    let (count, seed) = (
        from_env("TICKPATH_TEST_MUTATIONS", 300),
        from_env("TICKPATH_TEST_SEED", 1),
    );
    for (target, body) in TARGETS {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let mut paths: Vec<_> = fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path()).collect();
        paths.sort();
        let inputs: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for number in 0..count {
            let mut input = inputs[dice.below(inputs.len())].clone();
            for _ in 0..=dice.below(4) {
                let other = dice.below(inputs.len());
                dice.mutate(&mut input, &inputs[other]);
            }
            let outcome = catch_unwind(|| body(&input));
            let shown = String::from_utf8_lossy(&input[..input.len().min(2_000)]).into_owned();
            assert!(outcome.is_ok(), "{target}, seed {seed}, input {number}: {shown}");
        }
    }
}
