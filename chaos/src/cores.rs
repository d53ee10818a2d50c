//! Who runs on which core, where a measurement must keep two apart.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tickpath_service::exit::{Context, ExitCode, ProcessError};

/// Takes the last core from this thread and all that it starts from now on; `None` where there is only one.
///
/// # Errors
/// If the system refuses.
pub fn free_one() -> Result<Option<usize>, ProcessError> {
    let mut cores = sched_getaffinity(None).or_exit(ExitCode::Failed, "reading the cores")?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|core| cores.is_set(*core));
    let free = last.filter(|_| cores.count() > 1);
    if let Some(core) = free {
        cores.unset(core);
        sched_setaffinity(None, &cores).or_exit(ExitCode::Failed, "leaving a core free")?;
    }
    Ok(free)
}

/// Moves this thread to a core that [`free_one`] left free.
///
/// # Errors
/// If the system refuses.
pub fn move_to(core: usize) -> Result<(), ProcessError> {
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).or_exit(ExitCode::Failed, format!("moving to core {core}"))
}
