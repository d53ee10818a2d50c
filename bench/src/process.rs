//! Processes of a measurement: started on a core, looked at from outside, ended with their owner.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::context::{BenchError, Result, Tried};

/// Longest wait for a process to do what it is there for.
const DEADLINE: Duration = Duration::from_secs(60);
/// For a process to end by itself.
const END_LIMIT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A process, ended when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts a command; all its threads stay on `core`, if one is given.
    ///
    /// # Errors
    /// If it cannot be started, or the core cannot be had.
    pub fn start(name: &str, command: &mut Command, core: Option<usize>) -> Result<Process> {
        let spawn = |command: &mut Command| command.spawn().tried(format!("starting {name}"));
        let child = match core {
            None => spawn(command)?,
            Some(core) => on_core(core, || spawn(command))??,
        };
        Ok(Process {
            name: name.to_owned(),
            child,
        })
    }

    /// Its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says so if it ended although nobody asked it to.
    ///
    /// # Errors
    /// If it ended.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait().tried(self.name.as_str())? {
            None => Ok(()),
            Some(status) => Err(BenchError::new(self.name.as_str(), format!("ended early: {status}"))),
        }
    }

    /// Asks it to stop, and waits for that.
    ///
    /// # Errors
    /// If it does not.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).tried(self.name.as_str())?;
        }
        wait_until(&format!("the end of {}", self.name), END_LIMIT, || {
            matches!(self.child.try_wait(), Ok(Some(_)))
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A supervisor that is killed leaves its children, so each process is asked first.
        let is_over = matches!(self.child.try_wait(), Ok(Some(_))) || self.stop().is_ok();
        if !is_over && let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("   {} could not be ended: {error}", self.name);
        }
    }
}

/// Runs `action` while this thread may run on `core` alone; what is started meanwhile inherits that.
fn on_core<T>(core: usize, action: impl FnOnce() -> T) -> Result<T> {
    let before = sched_getaffinity(None).tried("this thread's cores")?;
    let mut wanted = CpuSet::new();
    wanted.set(core);
    sched_setaffinity(None, &wanted).tried(format!("core {core}"))?;
    let result = action();
    sched_setaffinity(None, &before).tried("this thread's cores")?;
    Ok(result)
}

/// This program in another role, spoken to line by line.
#[derive(Debug)]
pub struct Helper {
    // The order matters: its input ends before it is waited for.
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    process: Process,
}

impl Helper {
    /// Starts the role on a core.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(role: &str, arguments: &[String], core: usize) -> Result<Helper> {
        let own = std::env::current_exe().tried("the path of this program")?;
        let mut command = Command::new(own);
        command.args(["role", role]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(role, &mut command, Some(core))?;
        let pipes = process.child.stdin.take().zip(process.child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| BenchError::new(role, "has no pipes"))?;
        Ok(Helper {
            input,
            output: BufReader::new(output),
            process,
        })
    }

    /// The next line that it prints.
    ///
    /// # Errors
    /// If it ended; its own words stand on the error output.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let count = self.output.read_line(&mut line).tried(self.process.name.as_str())?;
        if count == 0 {
            return Err(BenchError::new(self.process.name.as_str(), "ended early"));
        }
        Ok(line.trim_end().to_owned())
    }

    /// Tells it something.
    ///
    /// # Errors
    /// If it ended.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        writeln!(self.input, "{line}").tried(self.process.name.as_str())
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// Memory of a process, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Everything that it maps and that is there.
    pub rss: u64,
    /// The same, with what others map too divided by how many do.
    pub pss: u64,
}

/// Memory of a process as `/proc/PID/smaps_rollup` says.
///
/// # Errors
/// If the process is gone.
pub fn memory(pid: u32) -> Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = std::fs::read_to_string(&path).tried(path.as_str())?;
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.map_or_else(
            || Err(BenchError::new(path.as_str(), format!("has no {key}"))),
            |kib| Ok(kib << 10),
        )
    };
    Ok(Memory {
        rss: value("Rss:")?,
        pss: value("Pss:")?,
    })
}

/// Time that the threads of a process, those that still run, spent on cores, ns.
///
/// # Errors
/// If the process is gone.
pub fn cpu_ns(pid: u32) -> Result<u64> {
    let dir = format!("/proc/{pid}/task");
    let mut total = 0;
    for task in std::fs::read_dir(&dir).tried(dir.as_str())? {
        let path = task.tried(dir.as_str())?.path().join("schedstat");
        // A thread may end between the two looks.
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        total += text
            .split(' ')
            .next()
            .and_then(|ns| ns.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Ok(total)
}

/// An address on loopback that was free a moment ago.
///
/// # Errors
/// If there is none.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").tried("a free port")?;
    listener.local_addr().tried("a free port")
}

/// Lets this process, and what it starts, open as many files as it may.
///
/// # Errors
/// If that is fewer than `count`.
pub fn allow_files(count: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).tried("the limit of open files")?;
    match limit.maximum {
        Some(maximum) if maximum < count => {
            let why = format!("{maximum}, and {count} are needed: raise it with `ulimit -Hn`");
            Err(BenchError::new("the limit of open files", why))
        }
        _ => Ok(()),
    }
}

/// Waits until `condition` holds.
///
/// # Errors
/// If it does not in time.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !condition() {
        if Instant::now() > deadline {
            return Err(BenchError::new(format!("waiting for {what}"), "in vain"));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Waits for a process's socket or address as long as a process may take to start.
///
/// # Errors
/// If it does not come.
pub fn wait_for_socket(path: &Path) -> Result<()> {
    wait_until(&path.display().to_string(), DEADLINE, || {
        std::os::unix::net::UnixStream::connect(path).is_ok()
    })
}

/// Waits until somebody listens.
///
/// # Errors
/// If nobody does.
pub fn wait_for_address(address: SocketAddr) -> Result<()> {
    wait_until(&address.to_string(), DEADLINE, || {
        std::net::TcpStream::connect(address).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_can_be_looked_at() {
        let pid = std::process::id();
        let memory = memory(pid).unwrap();
        assert!(memory.pss > 0 && memory.rss >= memory.pss);
        assert!(cpu_ns(pid).unwrap() > 0);
    }
}
