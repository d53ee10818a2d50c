//! Start and stop: one flag that SIGTERM and SIGINT set, and pinning of the thread that matters.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

/// Descriptors that tokio's runtime takes while it is made, with room to spare: without some of them it panics.
const RUNTIME_DESCRIPTORS: usize = 16;

/// Fails as opening a file does if a runtime could not have its descriptors now.
///
/// # Errors
/// If so many files cannot be opened.
pub fn room_for_runtime() -> io::Result<()> {
    let files: io::Result<Vec<File>> = (0..RUNTIME_DESCRIPTORS).map(|_| File::open("/dev/null")).collect();
    files.map(drop)
}

/// Set once the process was asked to stop. Cheap to ask in a loop.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<AtomicBool>);

impl Shutdown {
    /// A flag that only [`Shutdown::request`] sets.
    #[must_use]
    pub fn new() -> Shutdown {
        Shutdown::default()
    }

    /// A flag that SIGTERM and SIGINT set. A second signal ends the process at once.
    ///
    /// # Errors
    /// If the handlers cannot be installed.
    pub fn on_signals() -> io::Result<Shutdown> {
        let shutdown = Shutdown::new();
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register_conditional_shutdown(signal, 1, shutdown.0.clone())?;
            signal_hook::flag::register(signal, shutdown.0.clone())?;
        }
        Ok(shutdown)
    }

    /// Whether to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks for the stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The core is not one of this process's.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot pin to core {core}: this process may run on cores {available:?}; change `pin` or the unit's CPUAffinity"
)]
pub struct PinError {
    /// The core that was asked for.
    pub core: usize,
    /// The cores that there are.
    pub available: Vec<usize>,
}

/// Keeps the calling thread on one core; `None` leaves it to the scheduler.
///
/// # Errors
/// [`PinError`] if the core is not there.
pub fn pin_current_thread(core: Option<usize>) -> Result<(), PinError> {
    let Some(core) = core else { return Ok(()) };
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    if ids.iter().any(|id| id.id == core) && core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
        return Ok(());
    }
    Err(PinError {
        core,
        available: ids.iter().map(|id| id.id).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_where_there_is_a_core_and_says_so_where_not() {
        pin_current_thread(None).unwrap();
        let error = pin_current_thread(Some(100_000)).unwrap_err();
        let core = error.available[0];
        pin_current_thread(Some(core)).unwrap();
    }

    #[test]
    fn shutdown_is_shared() {
        let shutdown = Shutdown::new();
        let other = shutdown.clone();
        assert!(!other.is_requested());
        shutdown.request();
        assert!(other.is_requested());
    }
}
