//! The core has no clock, file, socket, thread, randomness or unordered map: what would make two runs differ does not stand in its sources.

use std::path::Path;

/// Words that a deterministic core cannot need.
const FORBIDDEN: [&str; 12] = [
    "std::time",
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::thread",
    "std::process",
    "HashMap",
    "HashSet",
    "SystemTime",
    "Instant::now",
    "rand::",
];

/// What is not the core: the process around it.
const PROCESS: [&str; 2] = ["main.rs", "process"];

#[test]
fn the_core_is_pure() {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut seen = 0;
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).expect("a source folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
            if PROCESS.contains(&name) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source file");
            for word in FORBIDDEN {
                assert!(!text.contains(word), "{} says `{word}`", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} files");
}
