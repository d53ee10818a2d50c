//! What the tasks of the bridge share.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use crate::access::Access;
use crate::address::Addresses;
use crate::kill::KillSwitch;
use crate::metrics::{Health, ServerMetrics};
use crate::reader::Command;
use crate::reports::Reports;
use crate::tls::Tls;

/// What connections may use, and how long they may take.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Bytes of one frame from a client.
    pub frame_bytes_max: usize,
    /// Requests a second from one client.
    pub requests_per_second_max: u32,
    /// Messages that may wait for a client.
    pub queue_messages_max: usize,
    /// How long a client may take for the handshake of TLS, and for the head of a request.
    pub head_timeout: Duration,
    /// A ping goes out so often; a client that is silent for two of them is gone.
    pub ping_interval: Duration,
    /// How long one write may take.
    pub write_timeout: Duration,
    /// How long a connection that is being closed may take to hear why.
    pub close_grace: Duration,
    /// How long what was written last may take to arrive.
    pub linger: Duration,
    /// How long a client is served where connections are accepted, at least.
    pub proving: Duration,
}

/// The newest text of `/metrics`.
#[derive(Debug, Default)]
pub struct Exposition(Mutex<Bytes>);

impl Exposition {
    /// Replaces it.
    pub fn set(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    /// The text.
    #[must_use]
    pub fn get(&self) -> Bytes {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// See the module.
#[derive(Debug)]
pub struct Context {
    /// To the reading thread.
    pub commands: mpsc::Sender<Command>,
    /// Who may connect.
    pub access: Access,
    /// Reports of backtests.
    pub reports: Reports,
    /// What one address may do.
    pub addresses: Arc<Addresses>,
    /// How connections are opened; `None`: as they come.
    pub tls: Option<Tls>,
    /// What stops trading.
    pub kill_switch: KillSwitch,
    /// What connections may use.
    pub limits: ConnectionLimits,
    /// One for each client that there may be.
    pub client_permits: Arc<Semaphore>,
    /// Where clients are served that have shown to read.
    pub lane: Handle,
    /// Numbers clients.
    pub clients_so_far: AtomicU64,
    /// Counters.
    pub metrics: ServerMetrics,
    /// What `/healthz` tells.
    pub health: Arc<Health>,
    /// What `/metrics` tells.
    pub exposition: Arc<Exposition>,
}
