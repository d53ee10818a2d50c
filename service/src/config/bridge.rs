//! `[bridge]`: where the dashboard and the WebSocket are served, to whom, and within which limits.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Wait;
use super::value::{Secret, SecretError, Url};

/// `[bridge]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bridge {
    /// Address of the dashboard and the WebSocket.
    pub listen: SocketAddr,
    /// PEM file with the certificate that clients are shown, its issuers after it; empty: no TLS.
    pub tls_certificate: PathBuf,
    /// PEM file with its private key.
    pub tls_key: PathBuf,
    /// Listen on an address other than loopback although there is no TLS.
    pub allow_plaintext: bool,
    /// File that holds the bearer token which clients must send; empty: none is asked for, and nobody may change anything.
    pub token_file: PathBuf,
    /// Origins, beside the bridge's own, whose pages may open the WebSocket.
    pub origins: Vec<String>,
    /// Folder of the backtests that the page lists; empty: see [`super::Config::reports_dir`].
    pub reports: PathBuf,
    /// WebSocket clients at one time.
    pub clients_max: usize,
    /// Connections of one address at one time.
    pub address_connections_max: usize,
    /// New connections a second from one address.
    pub address_connects_per_second_max: u32,
    /// Wrong tokens a minute from one address, before it is told to wait.
    pub address_wrong_tokens_per_minute_max: u32,
    /// Whether these three hold for loopback too, where all clients share an address.
    pub limit_loopback: bool,
    /// Bytes of one frame from a client.
    pub frame_bytes_max: usize,
    /// Subscriptions of one client, a channel of an instrument each.
    pub subscriptions_max: usize,
    /// Requests a second from one client.
    pub requests_per_second_max: u32,
    /// Messages that may wait for a client before it is conflated.
    pub queue_messages_max: usize,
    /// Milliseconds that a client may stay conflated before it is closed.
    pub slow_client_ms: u64,
    /// OpenTelemetry collector (OTLP over HTTP) that gets traces of what clients ask; none: there are no traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces_url: Option<Url>,
    /// How the reading thread waits for records; with `spin` and `yield` it also writes to the clients.
    pub wait: Wait,
    /// Core of that thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<usize>,
}

impl Default for Bridge {
    fn default() -> Self {
        Bridge {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            allow_plaintext: false,
            token_file: PathBuf::new(),
            origins: Vec::new(),
            reports: PathBuf::new(),
            clients_max: 1_000,
            address_connections_max: 64,
            address_connects_per_second_max: 20,
            address_wrong_tokens_per_minute_max: 10,
            limit_loopback: false,
            frame_bytes_max: 64 << 10,
            subscriptions_max: 20_000,
            requests_per_second_max: 50,
            queue_messages_max: 4_096,
            slow_client_ms: 10_000,
            traces_url: None,
            wait: Wait::Sleep,
            pin: None,
        }
    }
}

impl Bridge {
    /// The bearer token; `None`: nobody needs one, and nobody may change anything.
    ///
    /// # Errors
    /// If the file cannot be read, or others may read it; the message says what to do.
    pub fn token(&self) -> Result<Option<Secret>, SecretError> {
        if self.token_file.as_os_str().is_empty() {
            return Ok(None);
        }
        Secret::from_file(&self.token_file).map(Some)
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        !self.tls_certificate.as_os_str().is_empty()
    }

    /// Where people find the dashboard.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.has_tls() { "https" } else { "http" };
        format!("{scheme}://{}/", self.listen)
    }

    pub(super) fn problems(&self, problems: &mut Vec<String>) {
        if self.has_tls() == self.tls_key.as_os_str().is_empty() {
            problems.push("`bridge.tls_certificate` and `bridge.tls_key` are set together, or neither".to_owned());
        }
        if !self.listen.ip().is_loopback() && !self.has_tls() && !self.allow_plaintext {
            problems.push(format!(
                "`bridge.listen` {} is not loopback, and without TLS everybody on the way reads the token: set `bridge.tls_certificate` and \
                 `bridge.tls_key`, or `bridge.allow_plaintext = true` where a proxy or a network of its own keeps it from others",
                self.listen
            ));
        }
        if let Some(url) = &self.traces_url
            && !url.as_str().starts_with("http")
        {
            problems.push(format!("`bridge.traces_url` {url} is no http:// or https:// address"));
        }
        for (name, limit) in [
            ("clients_max", self.clients_max),
            ("address_connections_max", self.address_connections_max),
            (
                "address_connects_per_second_max",
                self.address_connects_per_second_max as usize,
            ),
            (
                "address_wrong_tokens_per_minute_max",
                self.address_wrong_tokens_per_minute_max as usize,
            ),
            ("frame_bytes_max", self.frame_bytes_max),
            ("subscriptions_max", self.subscriptions_max),
            ("requests_per_second_max", self.requests_per_second_max as usize),
            ("queue_messages_max", self.queue_messages_max),
            ("slow_client_ms", self.slow_client_ms as usize),
        ] {
            if limit == 0 {
                problems.push(format!("`bridge.{name}` is 0: nothing could be served"));
            }
        }
    }
}
