//! The bell that ends the control thread's sleep: the hot thread reports, or the relay is to stop.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::EventfdFlags;
use rustix::io::Errno;
use tracing::warn;

/// An eventfd and a flag.
#[derive(Debug)]
pub struct Wake {
    bell: OwnedFd,
    stopping: AtomicBool,
}

impl Wake {
    pub fn new() -> Result<Wake, Errno> {
        Ok(Wake {
            bell: rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            stopping: AtomicBool::new(false),
        })
    }

    /// Ends the sleep.
    pub fn ring(&self) {
        if let Err(errno) = rustix::io::write(&self.bell, &1_u64.to_ne_bytes())
            && errno != Errno::AGAIN
        {
            warn!(%errno, "cannot wake the control thread");
        }
    }

    /// Makes the bell silent again.
    pub fn hush(&self) {
        // EAGAIN: it had not rung.
        let _was_ringing = rustix::io::read(&self.bell, &mut [0; 8]);
    }

    /// Ends the sleep, and the thread.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.ring();
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
