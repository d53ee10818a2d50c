//! `up.json` and the lock beside it: what `up` runs, for `down`, `status` and the next `up`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tickpath_service::exit::{Context, ExitCode, ProcessError};

/// What `up` runs.
#[derive(Debug, Deserialize, Serialize)]
pub struct State {
    /// Process of `up` itself.
    pub pid: u32,
    /// Address of the dashboard.
    pub dashboard: String,
    /// Its children.
    pub processes: Vec<ProcessEntry>,
}

/// One process.
#[derive(Debug, Deserialize, Serialize)]
pub struct ProcessEntry {
    /// `relay`, `collector-kraken`, …
    pub name: String,
    /// `None` while it waits for its restart.
    pub pid: Option<u32>,
    /// How often it was restarted.
    pub restarts: u64,
}

impl State {
    /// The state of this process.
    pub fn new(dashboard: String, processes: Vec<ProcessEntry>) -> State {
        State {
            pid: std::process::id(),
            dashboard,
            processes,
        }
    }

    /// What stands in the directory; `None` if nothing does or it cannot be read.
    pub fn read(dir: &Path) -> Option<State> {
        serde_json::from_slice(&fs::read(path(dir)).ok()?).ok()
    }

    /// Replaces the file as a whole, so that a reader never sees half of it.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let temporary = dir.join("up.json.new");
        fs::write(&temporary, serde_json::to_vec(self)?)?;
        fs::rename(temporary, path(dir))
    }

    /// Removes the file; that it is gone already is no error.
    pub fn remove(dir: &Path) {
        if let Err(error) = fs::remove_file(path(dir))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove {}: {error}", path(dir).display());
        }
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("up.json")
}

/// Whether the process runs and is one of the pipeline's: a pid may have been given to somebody else since.
pub fn is_ours(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // `pid (name) state …`: Z is a zombie, which has ended.
    let Some((name, rest)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')) else {
        return false;
    };
    name.starts_with("tickpath") && !rest.trim_start().starts_with('Z')
}

/// The processes that an `up` of this directory started and that still run. Its state may be older than its last restart, so they are also known
/// by the configuration that they were told to read.
pub fn running_in(dir: &Path) -> Vec<u32> {
    let listed = State::read(dir).map(|state| state.processes).unwrap_or_default();
    let mut running: Vec<u32> = listed.iter().filter_map(|process| process.pid).collect();
    let config = dir.join("effective.toml");
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    running.extend(pids.filter(|pid| reads(*pid, &config)));
    running.sort_unstable();
    running.dedup();
    running.retain(|pid| is_ours(*pid));
    running
}

/// Whether it is a process of a pipeline, no command that somebody runs, and was started with this configuration.
fn reads(pid: u32, config: &Path) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut arguments = line.split(|byte| *byte == 0);
    let program = arguments.next().unwrap_or_default();
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.starts_with(b"tickpath-") && arguments.any(|argument| argument == config.as_os_str().as_encoded_bytes())
}

/// The one `up` of a runtime directory.
pub struct RunLock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl RunLock {
    /// Takes the lock, making the directory if need be.
    ///
    /// # Errors
    /// If the directory is not ours alone, or another `up` runs in it.
    pub fn acquire(dir: &Path) -> Result<RunLock, ProcessError> {
        let context = || format!("runtime directory {}", dir.display());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .or_exit(ExitCode::Unavailable, context())?;
        let metadata = fs::symlink_metadata(dir).or_exit(ExitCode::Unavailable, context())?;
        let own = fs::metadata("/proc/self").or_exit(ExitCode::Failed, "own user")?.uid();
        if !metadata.is_dir() || metadata.uid() != own {
            return Err(ProcessError::message(
                ExitCode::Unavailable,
                format!("{} is not a directory of this user; set `runtime_dir`", context()),
            ));
        }
        let lock = dir.join("up.lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock);
        let file = file.or_exit(ExitCode::Unavailable, format!("opening {}", lock.display()))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            ProcessError::message(
                ExitCode::Unavailable,
                format!(
                    "another `tickpath up` runs in {}: stop it with `tickpath down`, or set `runtime_dir`",
                    dir.display()
                ),
            )
        })?;
        Ok(RunLock(file))
    }
}
