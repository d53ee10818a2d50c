//! Starting and stopping the two threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use tickpath_service::{Pulse, logging, pin_current_thread};
use tickpath_transport::clock::new_run_id;
use tickpath_transport::listener::Listener;
use tickpath_transport::stream_ring::StreamOwner;
use tickpath_transport::{CounterPage, Idle, TransportError, WaitStrategy, urgency};
use tracing::info;

use crate::PEERS_MAX;
use crate::control::{Control, Wake};
use crate::hot::Hot;
use crate::metrics::HotMetrics;
use crate::outlet::Outlet;

/// What a relay needs to know.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// The Unix socket on which processes attach.
    pub socket: PathBuf,
    /// Records in the stream, a power of two; 64 bytes each.
    pub capacity: usize,
    /// How the hot thread waits.
    pub wait: WaitStrategy,
    /// Core of the hot thread.
    pub pin: Option<usize>,
}

/// Why there is no relay.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The socket or the memory cannot be had.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The core cannot be had.
    #[error(transparent)]
    Pin(#[from] tickpath_service::lifecycle::PinError),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    /// A thread of the relay ended by itself, which is a bug; the log says more.
    #[error("the {0} thread ended unexpectedly; starting the relay again loses nothing that producers hold")]
    Ended(&'static str),
}

/// A running relay.
#[derive(Debug)]
pub struct Relay {
    run_id: u64,
    page: CounterPage,
    pulses: [Pulse; 2],
    wake: Arc<Wake>,
    control: Option<JoinHandle<Result<(), RelayError>>>,
    hot: Option<JoinHandle<()>>,
}

impl Relay {
    /// Listens, makes the stream, starts both threads. When this returns, peers can attach.
    ///
    /// # Errors
    /// If the socket is taken, or memory, core or threads cannot be had.
    pub fn start(config: &RelayConfig) -> Result<Relay, RelayError> {
        let listener = Listener::bind(&config.socket)?;
        let page = CounterPage::create("relay")?;
        let run_id = new_run_id();
        let outlet = Outlet::new(StreamOwner::create(run_id, config.capacity)?);
        let stream = outlet.stream().clone();
        let wake = Arc::new(Wake::new().map_err(TransportError::from)?);
        let (commands, commanded) = sync_channel(2 * PEERS_MAX);
        let (reports, reported) = sync_channel(2 * PEERS_MAX);
        let metrics = HotMetrics::new(&page);
        metrics.stream_capacity.set(config.capacity as i64);
        let pulses = [Pulse::new(), Pulse::new()];
        let hot = Hot {
            outlet,
            commands: commanded,
            reports,
            wake: Arc::clone(&wake),
            idle: Idle::new(config.wait),
            pulse: pulses[0].clone(),
            metrics,
            intakes: Vec::with_capacity(PEERS_MAX),
            unsent: Vec::with_capacity(PEERS_MAX),
            counted: 0,
        };
        let (ring, pulse) = (Arc::clone(&wake), pulses[1].clone());
        let control = Control::new(listener, stream, page.clone(), ring, pulse, commands, reported);
        let hot = start_hot(hot, config.pin)?;
        let control = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || control.run())?;
        logging::set_run_id(run_id);
        info!(run_id, socket = %config.socket.display(), capacity = config.capacity, "the relay is up");
        Ok(Relay {
            run_id,
            page,
            pulses,
            wake,
            control: Some(control),
            hot: Some(hot),
        })
    }

    /// Differs for each life of the relay.
    #[must_use]
    pub fn run_id(&self) -> u64 {
        self.run_id
    }

    /// Its counters.
    #[must_use]
    pub fn page(&self) -> &CounterPage {
        &self.page
    }

    /// Of the hot and of the control thread.
    #[must_use]
    pub fn pulses(&self) -> &[Pulse] {
        &self.pulses
    }

    /// Whether a thread ended by itself: call [`Relay::stop`] to learn why.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.control.as_ref().is_none_or(JoinHandle::is_finished)
            || self.hot.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops. Producers keep their rings and hand them to the next relay.
    ///
    /// # Errors
    /// If a thread had ended by itself.
    pub fn stop(mut self) -> Result<(), RelayError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), RelayError> {
        self.wake.stop();
        let control = match self.control.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_panic)) => Err(RelayError::Ended("control")),
            None => Ok(()),
        };
        // The control thread held the only sender of commands: the hot thread ends.
        match self.hot.take().map(JoinHandle::join) {
            Some(Err(_panic)) => Err(RelayError::Ended("hot")),
            Some(Ok(())) | None => control,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "stopping the relay");
        }
    }
}

/// Starts the hot thread and waits until it is pinned.
fn start_hot(hot: Hot, pin: Option<usize>) -> Result<JoinHandle<()>, RelayError> {
    let (pinned, is_pinned) = sync_channel(1);
    let thread = std::thread::Builder::new().name("hot".into()).spawn(move || {
        let outcome = pin_current_thread(pin);
        urgency::prompt();
        let is_ok = outcome.is_ok();
        // Nobody listens only if `start_hot` is gone, and then the commands' sender is too.
        if pinned.send(outcome).is_ok() && is_ok {
            hot.run();
        }
    })?;
    let outcome: Receiver<_> = is_pinned;
    match outcome.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(RelayError::Ended("hot")),
    }
}
