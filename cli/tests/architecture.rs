//! The arrows between crates, and those that must never be: ARCHITECTURE.md draws them, this test keeps them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand};

/// What each crate of ours may depend on, tests aside.
const ALLOWED: [(&str, &[&str]); 18] = [
    ("protocol", &[]),
    ("matching", &["protocol"]),
    ("transport", &["protocol"]),
    ("service", &["protocol"]),
    ("journal", &["protocol", "transport"]),
    ("collectors", &["protocol", "transport", "service"]),
    ("relay", &["protocol", "transport", "service"]),
    ("bridge", &["protocol", "transport", "service"]),
    ("simulator", &["protocol", "matching", "service"]),
    ("storage", &["protocol", "transport", "service", "journal"]),
    ("engine", &["protocol", "transport", "service", "journal"]),
    ("gateway", &["protocol", "transport", "service"]),
    ("backtest", &["protocol", "service", "collectors", "storage", "engine"]),
    (
        "cli",
        &[
            "protocol",
            "transport",
            "service",
            "collectors",
            "storage",
            "engine",
            "backtest",
        ],
    ),
    (
        "hostile",
        &[
            "protocol",
            "transport",
            "service",
            "journal",
            "collectors",
            "bridge",
            "gateway",
        ],
    ),
    ("peers", &["protocol"]),
    ("chaos", &["protocol", "transport", "service", "journal"]),
    (
        "bench",
        &[
            "protocol",
            "matching",
            "transport",
            "service",
            "collectors",
            "relay",
            "bridge",
            "simulator",
            "storage",
            "engine",
            "backtest",
            "peers",
        ],
    ),
];

/// What must not be reachable from a crate, at any depth, tests aside.
const NEVER: [(&str, &[&str]); 3] = [
    (
        "protocol",
        &["serde_json", "tokio", "tickpath-transport", "tickpath-service"],
    ),
    ("transport", &["serde_json", "tokio", "axum", "hyper"]),
    ("relay", &["tokio", "axum", "hyper", "tokio-postgres"]),
];

/// What a crate must not use itself. The relay's log lines may be JSON, which is the log subscriber's affair.
const NEVER_DIRECTLY: [(&str, &[&str]); 2] = [
    ("relay", &["serde_json", "serde"]),
    ("service", &["serde_json", "tokio"]),
];

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Every package of the lock file with its dependencies, tests aside.
fn arrows() -> Arrows {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .features(CargoOpt::AllFeatures)
        .other_options(vec![
            "--locked".into(),
            "--filter-platform=x86_64-unknown-linux-gnu".into(),
        ])
        .exec()
        .expect("cargo metadata");
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.to_string()))
        .collect();
    let resolve = metadata.resolve.expect("a resolved graph");
    let mut arrows = Arrows::new();
    for node in &resolve.nodes {
        let targets = node
            .deps
            .iter()
            .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        arrows
            .entry(names[&node.id].clone())
            .or_default()
            .extend(targets.map(|dep| names[&dep.pkg].clone()));
    }
    arrows
}

fn reachable(arrows: &Arrows, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(package) = open.pop() {
        for next in arrows.get(&package).into_iter().flatten() {
            if seen.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    seen
}

#[test]
fn crates_depend_downwards_only() {
    let arrows = arrows();
    let ours: BTreeSet<&str> = arrows
        .keys()
        .filter_map(|name| name.strip_prefix("tickpath-"))
        .collect();
    assert_eq!(
        ours,
        ALLOWED.iter().map(|(name, _)| *name).collect(),
        "a new crate needs a row in ALLOWED"
    );
    for (name, allowed) in ALLOWED {
        for target in &arrows[&format!("tickpath-{name}")] {
            if let Some(target) = target.strip_prefix("tickpath-") {
                assert!(allowed.contains(&target), "{name} must not depend on {target}");
            }
        }
    }
}

#[test]
fn what_must_never_be_reachable_is_not() {
    let arrows = arrows();
    for (name, never) in NEVER {
        let reached = reachable(&arrows, &format!("tickpath-{name}"));
        for package in never {
            assert!(!reached.contains(*package), "{name} must never reach {package}");
        }
    }
    for (name, never) in NEVER_DIRECTLY {
        let used = &arrows[&format!("tickpath-{name}")];
        assert!(
            never.iter().all(|package| !used.contains(*package)),
            "{name} uses one of {never:?}"
        );
    }
}

/// A venue's dialect knows no other venue's, and `unsafe` stays in one crate.
#[test]
fn sources_keep_their_borders() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let dialects = root.join("collectors/src/dialect");
    let venues: Vec<String> = std::fs::read_dir(&dialects)
        .expect("dialects")
        .map(|entry| entry.expect("entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().expect("UTF-8"))
        .collect();
    assert!(venues.len() >= 4, "{venues:?}");
    for venue in &venues {
        for (path, text) in sources(&dialects.join(venue)) {
            for other in venues.iter().filter(|other| *other != venue) {
                let import = format!("dialect::{other}::");
                assert!(!text.contains(&import), "{} imports {import}", path.display());
            }
        }
    }
    for crate_name in ALLOWED
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| *name != "transport")
    {
        for (path, text) in sources(&root.join(crate_name).join("src")) {
            assert!(
                !text.contains("allow(unsafe_code)"),
                "{} allows unsafe code",
                path.display()
            );
        }
    }
}

fn sources(dir: &Path) -> Vec<(std::path::PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).expect("a source folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    found
}
