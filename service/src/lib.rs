//! What each Tickpath process shares: configuration, logging, start and stop, pinning, exit codes, memory that nobody else reads.
//!
//! Knows nothing of rings, sockets or venues' dialects.

pub mod config;
pub mod exit;
pub mod lifecycle;
pub mod logging;
pub mod memory;
pub mod throttle;

pub use config::Config;
pub use exit::{ExitCode, run};
pub use lifecycle::{Shutdown, pin_current_thread};
pub use throttle::Throttle;
