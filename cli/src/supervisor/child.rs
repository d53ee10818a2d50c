//! One process of the pipeline and its restarts.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tickpath_service::config::Database;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tracing::warn;

use super::state::ProcessEntry;

/// Pause before the first restart.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause before a restart.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A process that ran this long is healthy: its next restart is quick again.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// What became of a child since the last look.
pub enum Ended {
    /// It runs, or waits for its restart.
    No,
    /// It was started again.
    Restarted,
    /// It died and will be restarted after the pause.
    Died {
        /// Exit code or signal.
        how: String,
        /// The pause.
        pause: Duration,
    },
    /// It refused its input or a resource at its very first start.
    WillNotHelp {
        /// Exit code.
        how: String,
    },
}

/// One process.
pub struct Child {
    name: String,
    program: PathBuf,
    args: Vec<String>,
    /// What is added to them at a restart.
    restart_args: Vec<String>,
    running: Option<std::process::Child>,
    started: Instant,
    restart_at: Option<Instant>,
    pause: Duration,
    restarts: u64,
    listens_on: Option<SocketAddr>,
}

impl Child {
    /// A process that is not started yet.
    pub fn new(name: String, program: PathBuf, args: Vec<String>) -> Child {
        let started = Instant::now();
        Child {
            name,
            program,
            args,
            restart_args: Vec::new(),
            running: None,
            started,
            restart_at: None,
            pause: PAUSE_MIN,
            restarts: 0,
            listens_on: None,
        }
    }

    /// The same, to which processes started later connect.
    pub fn listening_on(self, address: SocketAddr) -> Child {
        let listens_on = Some(address);
        Child { listens_on, ..self }
    }

    /// The same, which is also told this when it is restarted.
    pub fn restarted_with(self, argument: &str) -> Child {
        let restart_args = vec![argument.to_owned()];
        Child { restart_args, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it stands in the state file.
    pub fn entry(&self) -> ProcessEntry {
        let pid = self.running.as_ref().map(std::process::Child::id);
        ProcessEntry {
            name: self.name.clone(),
            pid,
            restarts: self.restarts,
        }
    }

    /// Starts it.
    pub fn start(&mut self) -> Result<(), ProcessError> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::null());
        if self.restarts > 0 {
            command.args(&self.restart_args);
        }
        // What is secret comes from files that the configuration names: see `keep_secret_apart`.
        let child = command
            .env_remove(Database::URL_VARIABLE)
            .env_remove(super::TIMESCALE_VARIABLE)
            .spawn()
            .or_exit(ExitCode::Failed, format!("starting {}", self.program.display()))?;
        self.running = Some(child);
        self.started = Instant::now();
        self.restart_at = None;
        Ok(())
    }

    /// Waits until the others can connect to it, it has ended, or the time is over; nothing for a child that nobody connects to.
    pub fn wait_until_it_listens(&mut self, timeout: Duration) -> Result<(), ProcessError> {
        let (Some(address), Some(running)) = (self.listens_on, &mut self.running) else {
            return Ok(());
        };
        let deadline = Instant::now() + timeout;
        while TcpStream::connect_timeout(&address, timeout).is_err() && Instant::now() < deadline {
            let ended = running
                .try_wait()
                .or_exit(ExitCode::Failed, format!("waiting for {}", self.name))?;
            if ended.is_some() {
                break;
            }
            std::thread::sleep(super::TICK);
        }
        Ok(())
    }

    /// Looks whether it ended, and restarts it when its pause is over.
    pub fn poll(&mut self) -> Result<Ended, ProcessError> {
        if let Some(at) = self.restart_at {
            if Instant::now() < at {
                return Ok(Ended::No);
            }
            self.restarts += 1;
            self.start()?;
            return Ok(Ended::Restarted);
        }
        let Some(running) = &mut self.running else {
            return Ok(Ended::No);
        };
        let status = running
            .try_wait()
            .or_exit(ExitCode::Failed, format!("waiting for {}", self.name))?;
        let Some(status) = status else { return Ok(Ended::No) };
        self.running = None;
        let how = describe(status);
        let bad_input = [ExitCode::BadInput as i32, ExitCode::Unavailable as i32];
        if self.restarts == 0 && status.code().is_some_and(|code| bad_input.contains(&code)) && !self.was_healthy() {
            return Ok(Ended::WillNotHelp { how });
        }
        self.pause = if self.was_healthy() {
            PAUSE_MIN
        } else {
            (self.pause * 2).min(PAUSE_MAX)
        };
        self.restart_at = Some(Instant::now() + self.pause);
        Ok(Ended::Died { how, pause: self.pause })
    }

    /// Asks it to stop; it is not restarted.
    pub fn terminate(&mut self) {
        self.restart_at = None;
        if let Some(running) = &self.running {
            super::signal(running.id(), rustix::process::Signal::TERM);
        }
    }

    /// Whether it has ended.
    pub fn is_gone(&mut self) -> bool {
        let gone = match &mut self.running {
            Some(running) => !matches!(running.try_wait(), Ok(None)),
            None => true,
        };
        if gone {
            self.running = None;
        }
        gone
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take()
            && let Err(error) = running.kill().and_then(|()| running.wait())
        {
            warn!(child = self.name, "cannot kill it: {error}");
        }
    }

    fn was_healthy(&self) -> bool {
        self.started.elapsed() >= HEALTHY_AFTER
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
