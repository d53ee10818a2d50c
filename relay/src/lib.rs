//! The relay: the one writer of the stream.
//!
//! It is a process of its own for four reasons:
//!
//! 1. **One order.** What two collectors received has no order until somebody puts it into one; the position in the relay's stream is it.
//! 2. **Nobody waits for readers.** The broadcast ring is written without a look at who reads it, so a slow, stopped or hostile reader costs
//!    nothing to producers and other readers.
//! 3. **Any process may die.** The relay holds the rings of producers and the stream of readers: what a killed producer flushed still
//!    arrives, and a killed relay leaves the producers' rings as they were, for the next one to go on with.
//! 4. **Loss is seen in one place.** It checks every producer's sequence and writes a Gap where something is missing.
//!
//! ```text
//!                control thread                                  hot thread
//!   ┌───────────────────────────────────────┐   Attach    ┌──────────────────────────┐
//!   │ accept, hello, hang-up, observers,    │────────────▶│ rings, round-robin, 64   │
//!   │ records over sockets, counter pages,  │◀────────────│ records each ──▶ stream  │
//!   │ images that readers want              │  Detached   └──────────────────────────┘
//!   └───────────────────────────────────────┘
//! ```
//!
//! The hot thread takes no lock, makes no system call (but to sleep, when it may and there is nothing to do) and allocates nothing for a
//! record. It knows no async runtime, no JSON and no database, and nothing outside of shared memory.

mod control;
mod hot;
mod intake;
mod metrics;
mod outlet;
mod relay;

pub use relay::{Relay, RelayConfig, RelayError};

/// Records taken from one producer before the next one's turn.
pub const BATCH_MAX: u64 = 64;
/// Peers that may be attached at one time, producers, readers and observers together.
pub const PEERS_MAX: usize = 64;
/// Peers that may be about to say hello at one time; others wait in the listening socket's queue.
pub const GREETING_MAX: usize = 32;
