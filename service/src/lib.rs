//! What each Tickpath process shares: configuration, logging, start and stop, pinning, exit codes, memory that nobody else reads, words to the service manager.
//!
//! Knows nothing of rings, sockets or venues' dialects.

pub mod config;
pub mod exit;
pub mod lifecycle;
pub mod logging;
pub mod memory;
pub mod notify;
pub mod pulse;
pub mod throttle;

pub use config::Config;
pub use exit::{ExitCode, run};
pub use lifecycle::{Shutdown, pin_current_thread, room_for_runtime};
pub use notify::{Condition, Notifier};
pub use pulse::Pulse;
pub use throttle::Throttle;
