//! How records move between processes: rings in shared memory, the handshake that hands them over, counters that others can read.
//!
//! ```text
//!  producer ──[ SPSC ring ]──▶ relay ──[ broadcast ring ]──▶ any number of readers
//!      └──────── hello ─────────▶ Unix socket ◀──────── hello ───────┘
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`spsc`], [`broadcast`] | the two rings as algorithms, over any memory; loom checks them on the heap |
//! | [`producer_ring`], [`stream_ring`] | the same two laid out in sealed memory files, with headers and instrument rows |
//! | [`frame`], [`message`], [`connection`], [`listener`] | the Unix socket: frames, what they say, descriptors, who may connect |
//! | [`publisher`], [`subscription`], [`observer`] | what a producer, a reader and a monitor hold |
//! | [`latch`] | the kill switch: a word in a file, seen by all who trade |
//! | [`counters`] | a page of counters, gauges and latency histograms that others read without asking |
//! | [`discipline`] | how far the clock that stamps records may be from true time |
//! | [`wait`] | what a thread does when there is nothing to do |
//! | [`urgency`] | how soon a thread gets a core that others use too |
//!
//! Promises: nothing that a peer writes into shared memory or a socket can make this crate panic, read outside a mapping, block or
//! grow without bound; no lock, allocation or system call to publish or read a record once warm. Refuses: any layout but its own.
//!
//! # Unsafe
//!
//! Shared memory cannot be had without `unsafe`. The workspace allows it in two files: [`memory`] turns a mapping into slices of atomics, and
//! `system` makes the system calls that rustix does not have.
//! Everything above is safe code over `AtomicU64`, so that even a peer that writes at the worst moment causes no data race in the language's
//! terms.

mod atomics;
pub mod broadcast;
pub mod spsc;

#[cfg(not(loom))]
pub mod clock;
#[cfg(not(loom))]
pub mod connection;
#[cfg(not(loom))]
pub mod counters;
#[cfg(not(loom))]
pub mod discipline;
#[cfg(not(loom))]
pub mod error;
#[cfg(not(loom))]
pub mod frame;
#[cfg(not(loom))]
mod header;
#[cfg(not(loom))]
pub mod latch;
#[cfg(not(loom))]
pub mod listener;
#[cfg(not(loom))]
#[allow(unsafe_code, reason = "shared memory cannot be had without; see the section above")]
pub mod memory;
#[cfg(not(loom))]
pub mod message;
#[cfg(not(loom))]
pub mod observer;
#[cfg(not(loom))]
pub mod producer_ring;
#[cfg(not(loom))]
pub mod publisher;
#[cfg(not(loom))]
mod rows;
#[cfg(not(loom))]
pub mod stream_ring;
#[cfg(not(loom))]
pub mod subscription;
#[cfg(not(loom))]
#[allow(
    unsafe_code,
    reason = "system calls that no safe crate of ours offers; see the section above"
)]
mod system;
#[cfg(not(loom))]
pub mod urgency;
#[cfg(not(loom))]
pub mod wait;

#[cfg(not(loom))]
pub use clock::now_ns;
#[cfg(not(loom))]
pub use counters::{Counter, CounterPage, CounterView, Gauge, LatencyHistogram};
#[cfg(not(loom))]
pub use discipline::Discipline;
#[cfg(not(loom))]
pub use error::{AttachError, TransportError};
#[cfg(not(loom))]
pub use latch::{Latch, LatchError, LatchState};
#[cfg(not(loom))]
pub use message::{Start, Via};
#[cfg(not(loom))]
pub use observer::Observer;
#[cfg(not(loom))]
pub use publisher::{Publisher, PublisherConfig};
#[cfg(not(loom))]
pub use subscription::{Event, Received, Subscription, SubscriptionConfig};
#[cfg(not(loom))]
pub use wait::{Idle, WaitStrategy};

/// The version of everything that two processes must agree on: ring headers, counter pages, messages.
pub const LAYOUT_VERSION: u32 = 2;

/// Words of 8 bytes in a record.
pub const RECORD_WORDS: usize = 6;
