//! A run has namespaces of its own for processes and mounts: whatever it leaves behind is seen at the end, can be told from everything else on the machine, and goes
//! with it however it ends. Small disks can be mounted without touching anybody's.

use std::os::unix::process::CommandExt;
use std::process::Command;

use tickpath_service::exit::{ExitCode, ProcessError};

/// Set in the environment of the run itself.
const INSIDE: &str = "TICKPATH_CHAOS_INSIDE";

/// Whether this process is in namespaces of its own already.
#[must_use]
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Starts this program again, in namespaces of its own, in place of this process.
///
/// Whoever is not root becomes nobody else, but may mount inside: PostgreSQL refuses to run as root.
#[must_use]
pub fn enter() -> ProcessError {
    let own = match std::env::current_exe() {
        Ok(own) => own,
        Err(error) => return ProcessError::new(ExitCode::Failed, "the path of this program", &error),
    };
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--map-current-user", "--keep-caps"]);
    }
    let error = command
        .arg(own)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    ProcessError::new(
        ExitCode::Unavailable,
        "cannot run `unshare` (Debian: package util-linux; as root, or with user namespaces allowed)",
        &error,
    )
}
