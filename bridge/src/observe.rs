//! The observing thread: once a second reads every process's counters and makes the system report and the text of `/metrics` of them; and looks at
//! the kill latch.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tickpath_service::Shutdown;
use tickpath_transport::{CounterPage, CounterView, Observer, now_ns};
use tokio::sync::mpsc;

use crate::context::Exposition;
use crate::fleet::Fleet;
use crate::host::Host;
use crate::kill::LatchReport;
use crate::metrics::Health;
use crate::prometheus::{self, Process};
use crate::reader::Command;
use crate::system::Reporter;

const INTERVAL: Duration = Duration::from_secs(1);
/// How often the thread looks whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// See the module.
pub struct Observing {
    /// The relay's socket.
    pub socket: PathBuf,
    /// The bridge's own page, seen even without a relay.
    pub own: CounterView,
    /// The same, to write what belongs to the host.
    pub page: CounterPage,
    /// Processes that should be there.
    pub expected: Vec<String>,
    /// To the reading thread.
    pub commands: mpsc::Sender<Command>,
    /// What `/metrics` tells.
    pub exposition: Arc<Exposition>,
    /// Where the kill latch is.
    pub latch: PathBuf,
    /// The relay's run.
    pub health: Arc<Health>,
}

impl Observing {
    /// Works until `shutdown`.
    pub fn run(self, shutdown: &Shutdown) {
        let mut reporter = Reporter::new();
        let mut fleet = Fleet::new(self.expected.clone());
        let mut host = Host::new(&self.page);
        let mut observer = None;
        let mut next = Instant::now();
        while !shutdown.is_requested() {
            if Instant::now() < next {
                std::thread::sleep(NAP);
                continue;
            }
            next = Instant::now() + INTERVAL;
            let latch = LatchReport::read(&self.latch);
            host.show(latch.as_ref().map(|latch| latch.killed));
            let processes = self.sample(&mut observer);
            let text = prometheus::render(&fleet.complete(processes.clone()));
            self.exposition.set(text);
            let report = reporter.report(processes, self.own.process(), self.health.run_id(), now_ns());
            let commands = [Command::Report(report.into()), Command::Latch(latch)];
            let told = commands.map(|command| self.commands.try_send(command));
            if told.iter().any(Result::is_err) {
                tracing::debug!("the reading thread is too busy for this second's report");
            }
        }
    }

    fn sample(&self, observer: &mut Option<Observer>) -> Vec<Process> {
        if observer.is_none() {
            // Without a relay there is nobody to observe; the next second tries again.
            *observer = Observer::attach(&self.socket).ok();
        }
        let mut processes = Vec::new();
        if let Some(attached) = observer {
            match attached.refresh() {
                Ok(views) => processes.extend(views.iter().map(Process::seen)),
                Err(error) => {
                    tracing::debug!(%error, "the relay cannot be observed");
                    *observer = None;
                }
            }
        }
        if !processes.iter().any(|process| process.name == self.own.process()) {
            processes.push(Process::seen(&self.own));
        }
        processes
    }
}
