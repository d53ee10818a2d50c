//! The corpus of the fuzz targets as ordinary tests, and the corpus itself: small, and made of our own inputs.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use tickpath_hostile::{TARGETS, canary};

/// Bytes of the whole corpus: it is committed.
const CORPUS_BYTES_MAX: u64 = 512 << 10;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let files = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut inputs: Vec<_> = files
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    inputs.sort();
    inputs
}

/// Each input, each of its beginnings in steps, and each with one byte changed here and there.
#[test]
fn every_input_keeps_the_promises() {
    for (target, body) in TARGETS {
        let inputs = corpus(target);
        assert!(inputs.len() >= 3, "{target} has {} inputs", inputs.len());
        for (path, input) in inputs {
            let check = |input: &[u8], how: &str| {
                let outcome = catch_unwind(|| body(input));
                assert!(outcome.is_ok(), "{target}: {} {how}", path.display());
            };
            check(&input, "as it is");
            let step = input.len() / 16 + 1;
            for at in (0..input.len()).step_by(step) {
                check(&input[..at], &format!("cut at {at}"));
                let mut changed = input.clone();
                changed[at] ^= 1 << (at % 8);
                check(&changed, &format!("changed at {at}"));
            }
        }
    }
}

#[test]
fn the_canary_is_a_bug_and_only_that() {
    assert!(catch_unwind(|| canary(b"TICKpath!")).is_err());
    for harmless in [&b""[..], b"TICK", b"TICKpath?", b"tickpath!"] {
        canary(harmless);
    }
}

#[test]
fn every_target_has_its_program_and_the_corpus_is_small() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut programs: Vec<String> = fs::read_dir(root.join("../fuzz/fuzz_targets"))
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    programs.sort();
    let mut names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).chain(["canary"]).collect();
    names.sort_unstable();
    assert_eq!(programs, names);
    let manifest = fs::read_to_string(root.join("../fuzz/Cargo.toml")).unwrap();
    assert!(
        names
            .iter()
            .all(|name| manifest.contains(&format!("name = \"{name}\"")))
    );
    let bytes: u64 = TARGETS
        .iter()
        .flat_map(|(name, _)| corpus(name))
        .map(|(_, input)| input.len() as u64)
        .sum();
    assert!(bytes <= CORPUS_BYTES_MAX, "{bytes} bytes");
}
