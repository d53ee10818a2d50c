//! The system calls that rustix does not have, as safe functions: `adjtimex(2)`, `sched_getattr(2)` and `sched_setattr(2)`.

use std::io;
use std::mem::size_of;

/// How far the kernel has the clock from true time, and the clock's state. Changes nothing and needs no privilege.
pub(crate) fn adjtimex() -> io::Result<(libc::timex, i32)> {
    let mut timex = unasked();
    // SAFETY: the pointer is to a `timex` of ours, which lives longer than the call and which nobody else sees.
    match unsafe { libc::adjtimex(&raw mut timex) } {
        -1 => Err(io::Error::last_os_error()),
        state => Ok((timex, state)),
    }
}

/// The question: `modes` 0 sets nothing.
pub(crate) fn unasked() -> libc::timex {
    // SAFETY: `timex` is plain numbers, of which all bits zero are valid ones.
    unsafe { std::mem::zeroed() }
}

/// What the scheduler knows of the calling thread.
pub(crate) fn scheduling() -> io::Result<libc::sched_attr> {
    let mut attributes = libc::sched_attr {
        size: ATTRIBUTES_BYTES,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: thread 0 is the calling one; the pointer is to attributes of ours that live longer than the call, and the kernel writes no more than the size it is told.
    let outcome = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, ATTRIBUTES_BYTES, 0) };
    if outcome == 0 {
        Ok(attributes)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Has the calling thread scheduled otherwise.
pub(crate) fn set_scheduling(mut attributes: libc::sched_attr) -> io::Result<()> {
    attributes.size = ATTRIBUTES_BYTES;
    // SAFETY: thread 0 is the calling one; the kernel reads as many bytes as `size` says, which are ours and live longer than the call.
    let outcome = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The first version of the structure, which every kernel that has the calls knows.
const ATTRIBUTES_BYTES: u32 = size_of::<libc::sched_attr>() as u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_those_of_the_first_version() {
        // SCHED_ATTR_SIZE_VER0 of <linux/sched/types.h>.
        assert_eq!(ATTRIBUTES_BYTES, 48);
    }
}
