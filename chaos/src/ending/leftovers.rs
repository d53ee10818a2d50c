//! What a run leaves behind: processes, descriptors, memory files, temporary files. Its namespaces show its own and nobody else's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::pipeline;
use crate::place::Place;
use crate::proc;

/// What the processes of the pipeline have open, by name and kind.
pub type Open = BTreeMap<String, BTreeMap<&'static str, usize>>;

/// What every process of the pipeline has open now.
#[must_use]
pub fn open(place: &Place) -> Open {
    let running = pipeline::processes(place);
    running
        .into_iter()
        .map(|(name, pid)| (name, proc::descriptors(pid)))
        .collect()
}

/// What is open now and was not at the beginning. Files come and go with the segments of the journal, so they may be some more.
#[must_use]
pub fn more_open(before: &Open, now: &Open) -> Vec<String> {
    const FILES_MORE: usize = 6;
    let mut more = Vec::new();
    for (name, kinds) in now {
        for (kind, count) in kinds {
            let had = before.get(name).and_then(|kinds| kinds.get(kind)).copied().unwrap_or(0);
            let allowed = if *kind == "file" { had + FILES_MORE } else { had };
            if *count > allowed {
                more.push(format!(
                    "{name} has {count} descriptors of kind {kind} open, {had} at the beginning"
                ));
            }
        }
    }
    more
}

/// Processes of the pipeline that are left after it stopped, and whatever else there is but `known`.
#[must_use]
pub fn processes(known: &[u32]) -> Vec<String> {
    let own = std::process::id();
    let left = proc::all().into_iter().filter(|process| {
        let is_database = process.name.starts_with("postgres");
        process.pid != own && !known.contains(&process.pid) && !is_database && process.state != 'Z'
    });
    left.map(|process| {
        format!(
            "process left: {} ({}), state {}",
            process.name, process.pid, process.state
        )
    })
    .collect()
}

/// Files that should not be there any more.
#[must_use]
pub fn files(place: &Place) -> Vec<String> {
    let mut left = names(&place.path("tmp"), "file left", |_| true);
    left.extend(names(&place.journal(), "file left", |name| {
        name.ends_with(".tmp") || name == "ballast"
    }));
    // The socket and the state go with the processes; the configuration and the engine's latch are kept for the next start.
    left.extend(names(&place.path("run"), "file left", |name| {
        !matches!(name, "effective.toml" | "engine" | "relay.sock.lock" | "up.lock")
    }));
    // The database's server names its own.
    left.extend(names(Path::new("/dev/shm"), "memory file left", |name| {
        !name.starts_with("PostgreSQL.")
    }));
    left
}

fn names(dir: &Path, what: &str, is_left: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| is_left(name))
        .map(|name| format!("{what}: {}", dir.join(name).display()))
        .collect()
}
