//! Processes as `/proc` shows them. In a namespace of its own a run sees its own and no others.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// A process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// The name of its program, at most 15 bytes.
    pub name: String,
    /// `Z` for one that is dead and not waited for, `T` for one that is stopped.
    pub state: char,
}

/// Every process there is.
#[must_use]
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(read).collect()
}

fn read(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold any.
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = rest.split_whitespace();
    Some(Process {
        pid,
        name: name.to_owned(),
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
    })
}

/// Sends a signal; one that is gone already needs none.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
        && let Err(errno) = kill_process(pid, signal)
        && errno != rustix::io::Errno::SRCH
    {
        eprintln!("cannot signal process {}: {errno}", pid.as_raw_nonzero());
    }
}

/// Waits for processes of the pipeline whose parent was killed: they are this process's now, which is the namespace's first. `known` are its own
/// children, which their owners wait for.
pub fn reap_orphans(known: &[u32]) {
    let own = std::process::id();
    for process in all() {
        let is_orphan = process.parent == own && process.state == 'Z' && !known.contains(&process.pid);
        if is_orphan
            && process.name.starts_with("tickpath")
            && let Some(pid) = Pid::from_raw(process.pid as i32)
            && let Err(errno) = waitpid(Some(pid), WaitOptions::NOHANG)
        {
            eprintln!("cannot wait for process {}: {errno}", process.pid);
        }
    }
}

/// What a process has open, by kind: `socket`, `memfd`, `file`, `other`.
#[must_use]
pub fn descriptors(pid: u32) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    for target in entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()) {
        let target = target.to_string_lossy();
        let kind = match &*target {
            target if target.starts_with("socket:") => "socket",
            target if target.starts_with("/memfd:") => "memfd",
            target if target.starts_with('/') => "file",
            _ => "other",
        };
        *kinds.entry(kind).or_default() += 1;
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let own = std::process::id();
        let found = all().into_iter().find(|process| process.pid == own).unwrap();
        assert!(matches!(found.state, 'R' | 'S') && found.parent > 0, "{found:?}");
        assert!(descriptors(own).values().sum::<usize>() >= 3);
    }
}
