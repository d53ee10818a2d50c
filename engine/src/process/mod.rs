//! The process around the core: what it reads, where it publishes, what it remembers, who may stop it.
//!
//! ```text
//!  broadcast ring ─▶ hot thread: latch? ─▶ Engine::on_record ─▶ SPSC ring ─▶ relay
//!                        │                                        counters ─▶ status, bridge, watchdog
//!  journal ──▶ past ─────┘ once, before the first record
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`setup`] | from configuration to an engine: limits, strategies, the instruments they name |
//! | [`past`] | what earlier sessions left, from the recorder's journal |
//! | [`session`] | the number of this session, so that no client order id comes twice |
//! | [`hot`] | the one thread that trades |
//! | [`execution`] | where orders go: paper, or a venue behind the gateway |
//! | `trader` | the engine between the two rings, and what it does about the latch and about losses |
//! | [`meters`] | what it counts and shows |
//! | [`watchdog`] | the other process, which presses the kill switch |
//!
//! A record costs the hot thread no lock, allocation, system call or log line once warm. It looks at the kill latch before every record.

pub mod execution;
pub mod hot;
pub mod meters;
pub mod past;
pub mod session;
pub mod setup;
mod trader;
pub mod watchdog;

use tickpath_service::config::Wait;
use tickpath_transport::WaitStrategy;

/// The name at the relay and of the counter page.
pub const NAME: &str = "engine";

/// How a thread waits, as the configuration names it.
#[must_use]
pub fn wait_strategy(wait: Wait) -> WaitStrategy {
    match wait {
        Wait::Spin => WaitStrategy::Spin,
        Wait::Yield => WaitStrategy::Yield,
        Wait::Sleep => WaitStrategy::Sleep,
    }
}
