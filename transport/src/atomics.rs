//! The atomics of the rings: the machine's, or those of loom, which tries every interleaving and every value a weak load may return.

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicU64, Ordering, fence};
