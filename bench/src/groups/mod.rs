//! The measurements, in the order in which they run.

pub(crate) mod archive;
pub(crate) mod backtest;
pub(crate) mod book;
pub(crate) mod database;
pub(crate) mod decode;
pub mod engine;
pub(crate) mod fanout;
pub(crate) mod footprint;
pub(crate) mod journal;
pub(crate) mod matching;
pub(crate) mod pipeline;
pub(crate) mod relay;
pub(crate) mod ring;

use crate::context::{BenchError, Context, Result};
use crate::measurement::Measurement;

/// A group of measurements.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// First part of the names of its measurements; what `--only` selects by.
    pub name: &'static str,
    /// What it measures, for `--help`.
    pub about: &'static str,
    /// Binaries that it starts.
    pub needs: &'static [&'static str],
    /// Takes them.
    pub measure: fn(&Context) -> Result<Vec<Measurement>>,
}

/// Every group.
pub const ALL: &[Group] = &[
    Group {
        name: "ring",
        about: "the two rings: one-way latency and throughput",
        needs: &[],
        measure: ring::measure,
    },
    Group {
        name: "decode",
        about: "frame bytes to records in the ring, a venue and type at a time",
        needs: &[],
        measure: decode::measure,
    },
    Group {
        name: "book",
        about: "updates of an order book",
        needs: &[],
        measure: book::measure,
    },
    Group {
        name: "matching",
        about: "orders, cancels and market orders through the matching engine",
        needs: &[],
        measure: matching::measure,
    },
    Group {
        name: "engine",
        about: "from a record that can be read to the order that answers it",
        needs: &[],
        measure: engine::measure,
    },
    Group {
        name: "relay",
        about: "records a second and added latency",
        needs: &["tickpath-relay"],
        measure: relay::measure,
    },
    Group {
        name: "pipeline",
        about: "from the venue's socket to a reader and to a WebSocket client",
        needs: &["tickpath-relay", "tickpath-collector", "tickpath-bridge"],
        measure: pipeline::measure,
    },
    Group {
        name: "fanout",
        about: "one record to many WebSocket clients",
        needs: &["tickpath-relay", "tickpath-bridge"],
        measure: fanout::measure,
    },
    Group {
        name: "journal",
        about: "records appended to the journal and read back",
        needs: &[],
        measure: journal::measure,
    },
    Group {
        name: "database",
        about: "the journal into a PostgreSQL of its own",
        needs: &[],
        measure: database::measure,
    },
    Group {
        name: "archive",
        about: "the journal to Parquet, and bytes a record",
        needs: &[],
        measure: archive::measure,
    },
    Group {
        name: "backtest",
        about: "recorded markets through the engine's core",
        needs: &[],
        measure: backtest::measure,
    },
    Group {
        name: "footprint",
        about: "memory of every process, ten minutes of load, and allocations a record",
        needs: &[
            "tickpath",
            "tickpath-relay",
            "tickpath-collector",
            "tickpath-bridge",
            "tickpath-simulator",
            "tickpath-recorder",
            "tickpath-engine",
            "tickpath-kill-watchdog",
            "tickpath-bench-allocations",
        ],
        measure: footprint::measure,
    },
];

/// The groups whose names begin with one of `only`; all of them if it is empty.
///
/// # Errors
/// If no group's name begins so.
pub fn selected(only: &[String]) -> Result<Vec<&'static Group>> {
    for prefix in only {
        if prefix.is_empty() || !ALL.iter().any(|group| group.name.starts_with(prefix.as_str())) {
            let names: Vec<&str> = ALL.iter().map(|group| group.name).collect();
            let why = format!("no group's name begins so: expected one of {}", names.join(", "));
            return Err(BenchError::new(format!("--only {prefix}"), why));
        }
    }
    let wanted = |group: &&Group| only.is_empty() || only.iter().any(|prefix| group.name.starts_with(prefix.as_str()));
    Ok(ALL.iter().filter(wanted).collect())
}

/// Checks that every binary that the groups start has been built.
///
/// # Errors
/// If one is missing, with the command that builds it.
pub fn check_binaries(context: &Context, groups: &[&Group]) -> Result<()> {
    for name in groups.iter().flat_map(|group| group.needs) {
        let path = context.binary(name);
        if !path.is_file() {
            let release = if cfg!(debug_assertions) { "" } else { " --release" };
            let why = format!(
                "not built: run `cargo build{release} --workspace`, or ./scripts/bench, which builds what it needs"
            );
            return Err(BenchError::new(path.display().to_string(), why));
        }
    }
    Ok(())
}
