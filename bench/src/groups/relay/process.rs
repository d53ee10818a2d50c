//! A relay process of a measurement.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions};

use crate::context::{BenchError, Context, Result};

const LIMIT: Duration = Duration::from_secs(20);

/// Waits for something that happens soon.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        if Instant::now() > deadline {
            return Err(BenchError::new(
                format!("wait for {what}"),
                format!("not within {LIMIT:?}"),
            ));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// `tickpath-relay` with its hot thread spinning on the near core; ends with this value.
pub struct RelayProcess {
    child: Child,
    pid: Pid,
    socket: PathBuf,
}

impl RelayProcess {
    /// Starts one whose stream holds `capacity` records. Call it from a thread that is not pinned: the process inherits its cores.
    pub fn start(context: &Context, capacity: usize) -> Result<RelayProcess> {
        let failed = |error| BenchError::new("start tickpath-relay", error);
        let socket = context.scratch.join("relay.sock");
        let config = context.scratch.join("relay.toml");
        let text = format!(
            "runtime_dir = {:?}\n[relay]\nsocket = {socket:?}\ncapacity = {capacity}\nwait = \"spin\"\npin = {}\n",
            context.scratch,
            context.near()
        );
        std::fs::write(&config, text).map_err(failed)?;
        let log = File::create(context.scratch.join("relay.log")).map_err(failed)?;
        let child = Command::new(context.binary("tickpath-relay"))
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .spawn()
            .map_err(|error| BenchError::new(format!("start {}", context.binary("tickpath-relay").display()), error))?;
        let pid = Pid::from_child(&child);
        let relay = RelayProcess { child, pid, socket };
        wait_until("the relay to listen", || relay.socket.exists())?;
        Ok(relay)
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Stops all its threads where they are; returns when they stand.
    pub fn hold(&self) -> Result<()> {
        let failed = |errno| BenchError::new("stop the relay", errno);
        rustix::process::kill_process(self.pid, Signal::STOP).map_err(failed)?;
        match rustix::process::waitpid(Some(self.pid), WaitOptions::UNTRACED).map_err(failed)? {
            Some((_, status)) if status.stopped() => Ok(()),
            _ => Err(BenchError::new("stop the relay", "it ended")),
        }
    }

    /// Lets it run on.
    pub fn release(&self) -> Result<()> {
        rustix::process::kill_process(self.pid, Signal::CONT)
            .map_err(|errno| BenchError::new("continue the relay", errno))
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        // A relay that is gone already needs no killing.
        if self.child.kill().is_err() || self.child.wait().is_err() {
            eprintln!("   the relay of a measurement had ended by itself");
        }
    }
}
