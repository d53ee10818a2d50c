//! A page of counters, gauges and latency histograms in a memory file: its process writes, anyone it is handed to reads, nobody waits.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic `TPCOUNT\0` |
//! | 8 | 8 | layout version |
//! | 16 | 8 | process id |
//! | 24 | 8 | when the page was made, ns since the Unix epoch |
//! | 32 | 8 + 64 | process name: length, bytes |
//! | 104 | 8 + 64 | version of its program, in the same form |
//! | 256 | 128 | metrics so far: Release after the descriptor, its reader fences with Acquire |
//! | 384 | 128 | words of value given out |
//! | 1024 | 512 × 320 | descriptors, see [`descriptor`] |
//! | 164864 | 8 × 262144 | values: one word for a counter or gauge, [`histogram::WORDS`] for a histogram |
//!
//! A metric carries its own name, labels and help, in the form that Prometheus prints, so a reader needs no table of ours. The file is
//! sparse: pages are touched as values are given out.
//!
//! A metric that finds no room, or whose name is taken by another kind, counts into memory that nobody reads, and a warning says so: a
//! counter must never be the reason why a process stops.

pub mod descriptor;
pub mod histogram;
mod page;
mod view;

pub use descriptor::MetricKind;
pub use histogram::{LatencyHistogram, LatencySnapshot};
pub use page::{Counter, CounterPage, Gauge};
pub use view::{CounterView, Metric, Value};

/// Metrics in one page.
pub const METRICS_MAX: usize = 512;

const MAGIC: u64 = u64::from_le_bytes(*b"TPCOUNT\0");
const HEADER_WORDS: usize = 32;
const VERSION_WORD: usize = 13;
const COUNT_OFFSET: usize = 256;
const USED_OFFSET: usize = 384;
const DESCRIPTORS_OFFSET: usize = 1024;
const VALUES_OFFSET: usize = DESCRIPTORS_OFFSET + METRICS_MAX * descriptor::LEN;
const VALUE_WORDS: usize = 1 << 18;
const FILE_LEN: usize = VALUES_OFFSET + VALUE_WORDS * 8;

const _: () = assert!(VALUES_OFFSET == 164_864);
