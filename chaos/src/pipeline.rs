//! `tickpath up` and what it started, seen from outside.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tickpath_service::exit::{Context, ExitCode, ProcessError};

use crate::place::{CLOCK_VARIABLE, Place};
use crate::proc;

/// How long `tickpath up` has to stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Instruments of the four simulated venues.
const INSTRUMENTS: usize = 8;
/// Processes of the pipeline, the supervisor left out.
pub const PROCESSES: [&str; 10] = [
    "relay",
    "recorder",
    "simulator",
    "bridge",
    "collector-binance",
    "collector-coinbase",
    "collector-kraken",
    "collector-alpaca",
    "engine",
    "kill-watchdog",
];

/// The supervisor, stopped with all that it started when dropped.
#[derive(Debug)]
pub struct Pipeline {
    up: Child,
    tickpath: PathBuf,
    /// Times that the supervisor was started again.
    pub supervisor_restarts: u64,
}

impl Pipeline {
    /// Starts it in a place.
    ///
    /// # Errors
    /// If the binary does not stand beside this one.
    pub fn start(place: &Place) -> Result<Pipeline, ProcessError> {
        let own = std::env::current_exe().or_exit(ExitCode::Failed, "the path of this program")?;
        let tickpath = own.with_file_name("tickpath");
        if !tickpath.is_file() {
            return Err(ProcessError::message(
                ExitCode::BadInput,
                format!("{} is missing: run `cargo build --workspace` first", tickpath.display()),
            ));
        }
        Ok(Pipeline {
            up: spawn(&tickpath, place)?,
            tickpath,
            supervisor_restarts: 0,
        })
    }

    /// The supervisor's process.
    #[must_use]
    pub fn supervisor(&self) -> u32 {
        self.up.id()
    }

    /// Kills the supervisor and starts another one.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn restart_supervisor(&mut self, place: &Place) -> Result<(), ProcessError> {
        self.up
            .kill()
            .and_then(|()| self.up.wait())
            .or_exit(ExitCode::Failed, "killing `tickpath up`")?;
        self.up = spawn(&self.tickpath, place)?;
        self.supervisor_restarts += 1;
        Ok(())
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Errors
    /// If it does not, or says that it failed.
    pub fn stop(&mut self) -> Result<(), ProcessError> {
        proc::signal(self.up.id(), Signal::TERM);
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            let ended = self
                .up
                .try_wait()
                .or_exit(ExitCode::Failed, "waiting for `tickpath up`")?;
            match ended {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    let message = format!("`tickpath up` ended with {status}");
                    return Err(ProcessError::message(ExitCode::Failed, message));
                }
                None => std::thread::sleep(LOOK_EVERY),
            }
        }
        Err(ProcessError::message(ExitCode::Failed, "`tickpath up` does not stop"))
    }

    /// Whether the supervisor ended by itself.
    pub fn is_over(&mut self) -> bool {
        !matches!(self.up.try_wait(), Ok(None))
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if !self.is_over()
            && let Err(error) = self.stop().or_else(|_| {
                self.up
                    .kill()
                    .map_err(|e| ProcessError::new(ExitCode::Failed, "killing", &e))
            })
        {
            eprintln!("{error}");
        }
    }
}

fn spawn(tickpath: &std::path::Path, place: &Place) -> Result<Child, ProcessError> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(place.log())
        .or_exit(ExitCode::Failed, "log")?;
    let mut command = Command::new(tickpath);
    command
        .args(["up", "--config"])
        .arg(place.config_path())
        .env("TMPDIR", place.path("tmp"))
        .env_remove("RUST_LOG")
        .env_remove("TICKPATH_DATABASE_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    if let Some((library, offset)) = place.clock() {
        command.env("LD_PRELOAD", library).env(CLOCK_VARIABLE, offset);
    }
    command.spawn().or_exit(ExitCode::Failed, "starting `tickpath up`")
}

/// The processes that run, by name, as the supervisor states them.
#[must_use]
pub fn processes(place: &Place) -> BTreeMap<String, u32> {
    let state = fs::read(place.path("run/up.json")).unwrap_or_default();
    let state: Value = serde_json::from_slice(&state).unwrap_or_default();
    let listed = state["processes"].as_array().map_or(&[][..], Vec::as_slice);
    let pid = |process: &Value| Some((process["name"].as_str()?.to_owned(), process["pid"].as_u64()? as u32));
    listed.iter().filter_map(pid).collect()
}

/// The body of what the bridge answers with 200.
#[must_use]
pub fn get(bridge: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&bridge, ANSWER_LIMIT).ok()?;
    stream.set_read_timeout(Some(ANSWER_LIMIT)).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {bridge}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

/// Whose book of the simulated instruments the bridge does not hold, or not proven; nothing if all are.
#[must_use]
pub fn unproven_book(bridge: SocketAddr) -> Option<String> {
    let answer = get(bridge, "/api/instruments").and_then(|body| serde_json::from_str::<Vec<Value>>(&body).ok());
    let Some(instruments) = answer else {
        return Some("the bridge does not answer".to_owned());
    };
    let markets: Vec<&Value> = instruments.iter().filter(|one| one["venue"] != "test0").collect();
    if markets.len() != INSTRUMENTS {
        return Some(format!("the bridge knows {} of {INSTRUMENTS} markets", markets.len()));
    }
    let unproven = markets.into_iter().find(|one| one["trusted"] != true)?;
    Some(format!(
        "the book of {} {} is not proven",
        unproven["venue"], unproven["symbol"]
    ))
}
