//! How soon a thread gets a core that others use too. Where each hot thread has a core to itself it makes no difference.
//!
//! The scheduler of Linux (EEVDF) lets a thread run for its slice before another one of the same class takes over, a millisecond or three by default: so long a thread that was
//! woken for a record may wait for one that computes. A thread that asks for shorter slices has earlier deadlines and gets the core sooner, for the same share of it (`sched(7)`,
//! `Documentation/scheduler/sched-eevdf.rst`). Kernels before 6.12 take the wish and ignore it.

use std::io;

use crate::system;

/// The shortest slice that the kernel grants, ns.
const SLICE_NS: u64 = 100_000;

/// Asks for the calling thread, and those that it starts, to be run soon after they are woken. No privilege is needed, the priority stays, and a thread with a real-time
/// policy keeps that. If the system call is forbidden or unknown, the log says so and the thread is run as any other.
pub fn prompt() {
    if let Err(error) = shorten_slices() {
        tracing::info!(%error, "this thread is run no sooner than others: the system refuses short slices");
    }
}

fn shorten_slices() -> io::Result<()> {
    let mut attributes = system::scheduling()?;
    if attributes.sched_policy != libc::SCHED_OTHER.cast_unsigned() {
        return Ok(());
    }
    attributes.sched_flags = 0;
    attributes.sched_runtime = SLICE_NS;
    system::set_scheduling(attributes)
}

/// Lets the calling thread run only when nobody else wants its core.
///
/// # Errors
/// If the system call is forbidden or unknown.
pub fn background() -> io::Result<()> {
    let mut attributes = system::scheduling()?;
    attributes.sched_flags = 0;
    attributes.sched_policy = libc::SCHED_IDLE.cast_unsigned();
    attributes.sched_priority = 0;
    attributes.sched_runtime = 0;
    system::set_scheduling(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread of its own: what it asks for stays with it.
    fn after(change: fn() -> io::Result<()>) -> (libc::sched_attr, libc::sched_attr) {
        let thread = std::thread::spawn(move || {
            let before = system::scheduling().unwrap();
            change().unwrap();
            (before, system::scheduling().unwrap())
        });
        thread.join().unwrap()
    }

    #[test]
    fn a_prompt_thread_has_short_slices_and_its_priority() {
        let (before, prompt) = after(shorten_slices);
        assert_eq!(prompt.sched_policy, before.sched_policy);
        assert_eq!(prompt.sched_nice, before.sched_nice);
        // Kernels before 6.12 tell no slice.
        assert!(
            [0, SLICE_NS].contains(&prompt.sched_runtime),
            "{}",
            prompt.sched_runtime
        );
        assert_eq!(prompt.sched_runtime == 0, before.sched_runtime == 0);
    }

    #[test]
    fn a_thread_in_the_background_is_idle_to_the_scheduler() {
        let (_, background) = after(background);
        assert_eq!(background.sched_policy, libc::SCHED_IDLE.cast_unsigned());
    }
}
