//! Keeps a process's memory to itself, where there are secrets in it.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// From here on no core dump is written of this process, and other processes of its user can neither trace it nor read its memory and environment
/// in `/proc`; root still can. To be called before the first secret is read, and by each process that reads any: a debugger cannot be attached to it.
///
/// # Errors
/// If the system refuses, which no system does that allows the process anything at all.
pub fn keep_private() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    // Also where cores go to a program, for which the limit does not count.
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
