//! How the kernel keeps the clock that stamps records: its distance to true time as the synchronising daemon told it. One system call, for warm threads alone.
//!
//! The call is `adjtimex(2)`. With `modes` 0 it changes nothing and needs no privilege; a seccomp filter may still forbid it, as systemd's
//! `ProtectClock=` does.

use std::io;

use crate::system;

/// What the kernel says of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discipline {
    /// Whether a daemon says that the clock is synchronised.
    pub is_synchronised: bool,
    /// What is still to be corrected, ns. Daemons that step or slew by other means, as chrony does, leave it near 0.
    pub offset_ns: i64,
    /// The largest error that there may be, ns. Grows by 500 µs a second until a daemon says better, and counts as lost synchronisation at 16 s.
    pub error_max_ns: i64,
}

impl Discipline {
    /// Asks the kernel.
    ///
    /// # Errors
    /// If the system call is forbidden or unknown.
    pub fn read() -> io::Result<Discipline> {
        let (timex, state) = system::adjtimex()?;
        Ok(Discipline::of(&timex, state))
    }

    fn of(timex: &libc::timex, state: i32) -> Discipline {
        let is_nano = timex.status & libc::STA_NANO != 0;
        let offset = timex.offset;
        Discipline {
            is_synchronised: state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0,
            offset_ns: if is_nano { offset } else { offset.saturating_mul(1000) },
            error_max_ns: timex.maxerror.saturating_mul(1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_ns_whatever_the_kernel_counts_in() {
        let mut timex = system::unasked();
        timex.offset = -25;
        timex.maxerror = 1_500;
        timex.status = libc::STA_NANO;
        let nano = Discipline::of(&timex, 0);
        assert_eq!((nano.is_synchronised, nano.offset_ns), (true, -25));
        assert_eq!(nano.error_max_ns, 1_500_000);
        timex.status = 0;
        assert_eq!(Discipline::of(&timex, 0).offset_ns, -25_000);
        assert!(!Discipline::of(&timex, libc::TIME_ERROR).is_synchronised);
        timex.status = libc::STA_UNSYNC;
        assert!(!Discipline::of(&timex, 0).is_synchronised);
    }

    #[test]
    fn the_kernel_answers_or_says_why_not() {
        match Discipline::read() {
            Ok(discipline) => assert!(discipline.error_max_ns >= 0, "{discipline:?}"),
            Err(error) => assert!(error.raw_os_error().is_some(), "{error}"),
        }
    }
}
