//! Sockets, timers and files around a [`crate::sync::Feed`].
//!
//! One thread runs it all: every connection of the venue, the REST requests and the timers share one feed and one publisher, so that no
//! record crosses a thread before the ring. The parts:
//!
//! - [`hub`]: the feed, where its records go, and what it asks to be done;
//! - [`images`]: books published whole for readers that ask;
//! - [`line`]: one connection that is to stand for ever: opened, reopened with backoff, handed over before the venue's limit;
//! - [`socket`]: one life of a WebSocket: login, subscriptions, frames, watchdogs; [`wire`] is the TCP stream below it, watched or polled;
//! - [`discovery`], [`selection`], [`rest`]: instruments, and images of books, over REST;
//! - [`keys`]: secrets of venues that want a login;
//! - [`meters`]: counters in memory that others read.
//!
//! Every queue has a limit, every wait a deadline, and nothing that the venue sends ends the process but a login that is refused for good.

mod backoff;
mod clock;
mod discovery;
mod handle;
mod hub;
mod images;
mod keys;
mod line;
mod meters;
mod outlet;
mod rest;
mod selection;
mod socket;
mod wire;

#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Duration;

use tickpath_protocol::Venue;
use tickpath_service::config::Collector;
use tickpath_service::{ExitCode, Shutdown, room_for_runtime};
use tokio::task::LocalSet;

use crate::capture::{CaptureError, CaptureWriter};
use crate::dialect::Dialect;
pub use keys::Keys;
pub use meters::Meters;
pub use outlet::Outlet;

use hub::Hub;

/// How often timers are looked at, the request to stop among them.
const TICK: Duration = Duration::from_millis(50);
/// From one image that readers asked for to the next, where no frame comes between.
const IMAGE_TICK: Duration = Duration::from_millis(1);

/// For all connections to close, at the end.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
const CLOSE_TICK: Duration = Duration::from_millis(5);

/// What a session runs with.
pub struct Settings {
    /// The venue.
    pub venue: Venue,
    /// Its table of the configuration, resolved.
    pub collector: Collector,
    /// For venues that want a login.
    pub keys: Option<Keys>,
    /// Where raw frames go.
    pub capture: Option<CaptureWriter>,
    /// Set when the process is to stop.
    pub shutdown: Shutdown,
}

/// Why a session ends by itself.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The configuration lacks what the venue needs, or names what it does not have.
    #[error("{0}")]
    Configuration(String),
    /// The venue refused the login for good.
    #[error("{venue} refused the login: {reason}")]
    Login {
        /// The venue.
        venue: Venue,
        /// Its words.
        reason: String,
    },
    /// Records cannot be published.
    #[error("cannot publish: {0}")]
    Publish(String),
    /// The capture cannot be made.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The process cannot be set up.
    #[error("cannot set up {what}: {source}")]
    Setup {
        /// What.
        what: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl SessionError {
    /// The code to exit with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            SessionError::Configuration(_) | SessionError::Login { .. } | SessionError::Capture(_) => {
                ExitCode::BadInput
            }
            SessionError::Publish(_) => ExitCode::Unavailable,
            SessionError::Setup { .. } => ExitCode::Failed,
        }
    }
}

/// Runs the session on this thread until it is asked to stop.
///
/// # Errors
/// As [`SessionError`] says.
pub fn run<O: Outlet + 'static>(
    settings: Settings,
    dialect: Box<dyn Dialect>,
    outlet: O,
    meters: Meters,
) -> Result<(), SessionError> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
    let runtime = room_for_runtime().and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build());
    let runtime = runtime.map_err(|error| SessionError::Setup {
        what: "the runtime",
        source: error.into(),
    })?;
    let shutdown = settings.shutdown.clone();
    let hub = Rc::new(Hub::new(settings, dialect, outlet, meters)?);
    let tasks = LocalSet::new();
    let result = tasks.block_on(&runtime, async {
        tokio::task::spawn_local(discovery::run(hub.clone()));
        let result = watch(&hub, &shutdown).await;
        if tokio::time::timeout(CLOSE_LIMIT, close(&hub)).await.is_err() {
            tracing::debug!("some connections are closed without a word");
        }
        result
    });
    drop(tasks);
    hub.close();
    result
}

/// Ticks until the process is to stop or cannot go on.
async fn watch<O: Outlet + 'static>(hub: &Rc<Hub<O>>, shutdown: &Shutdown) -> Result<(), SessionError> {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !shutdown.is_requested() {
        tokio::select! {
            _ = ticks.tick() => Hub::tick(hub),
            () = tokio::time::sleep(IMAGE_TICK), if hub.has_images() => hub.publish_images(),
        }
        if let Some(error) = hub.take_failure() {
            return Err(error);
        }
    }
    Ok(())
}

/// Closes every connection.
async fn close<O: Outlet + 'static>(hub: &Hub<O>) {
    hub.begin_close();
    while !hub.is_closed() {
        tokio::time::sleep(CLOSE_TICK).await;
    }
}
