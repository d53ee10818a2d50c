//! One look a second at everything that is shown, from a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use tickpath_service::{Config, Shutdown};
use tickpath_transport::observer::Observer;

use super::process::{self, Usage};
use crate::kill::KillReport;
use crate::sample::Sample;
use crate::supervisor::State;

/// Between two looks.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// How often the thread sees whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// What was seen.
#[derive(Debug)]
pub struct Look {
    /// The counters, or why there are none.
    pub sample: Result<Sample, String>,
    /// What the kernel says of the processes in the sample, in its order.
    pub usage: Vec<Option<Usage>>,
    /// One line on the kill switch, and whether it is latched.
    pub kill: Option<(String, bool)>,
    /// Restarts of each process that `tickpath up` runs.
    pub restarts: Vec<(String, u64)>,
}

/// Looks again and again, whether there is a relay or not.
pub struct Looker {
    config: Config,
    socket: PathBuf,
    observer: Option<Observer>,
}

impl Looker {
    /// Nothing seen yet.
    pub fn new(config: &Config) -> Looker {
        Looker {
            config: config.clone(),
            socket: config.relay_socket(),
            observer: None,
        }
    }

    /// Looks until nobody wants to see it any more.
    pub fn run(mut self, shutdown: &Shutdown, looks: &SyncSender<Look>) {
        let mut next = Instant::now();
        while !shutdown.is_requested() {
            if Instant::now() < next {
                std::thread::sleep(NAP);
                continue;
            }
            next = Instant::now() + INTERVAL;
            // A full channel: the screen is busy, and the next look will be newer.
            if let Err(std::sync::mpsc::TrySendError::Disconnected(_)) = looks.try_send(self.look()) {
                return;
            }
        }
    }

    /// One look.
    pub fn look(&mut self) -> Look {
        let sample = self.sample().map_err(|error| error.to_string());
        let processes = sample
            .as_ref()
            .map(|sample| sample.processes.as_slice())
            .unwrap_or_default();
        let kill = KillReport::of(&self.config);
        let state = State::read(&self.config.runtime_dir());
        let entries = state.into_iter().flat_map(|state| state.processes);
        Look {
            usage: processes
                .iter()
                .map(|process| process::usage(Path::new("/proc"), process.pid))
                .collect(),
            kill: kill.map(|kill| (kill.text().trim_end().to_owned(), kill.is_killed())),
            restarts: entries.map(|entry| (entry.name, entry.restarts)).collect(),
            sample,
        }
    }

    fn sample(&mut self) -> Result<Sample, tickpath_transport::TransportError> {
        let mut observer = match self.observer.take() {
            Some(observer) => observer,
            None => Observer::attach(&self.socket)?,
        };
        // It is kept only if it works: whatever was wrong with it, a new one begins afresh.
        let sample = Sample::take(observer.refresh()?);
        self.observer = Some(observer);
        Ok(sample)
    }
}
