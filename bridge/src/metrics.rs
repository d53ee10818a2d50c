//! What the bridge counts, on its page of shared counters, where `tickpath status`, `/metrics` and the dashboard read it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tickpath_protocol::Venue;
use tickpath_service::Pulse;
use tickpath_transport::{Counter, CounterPage, Gauge, LatencyHistogram};

use crate::event::Ignored;
use crate::hub::Tally;

/// Names of metrics that other parts of the bridge read back.
pub mod name {
    /// WebSocket clients at the moment.
    pub const CLIENTS: &str = "tickpath_bridge_clients";
    /// Messages handed to clients.
    pub const MESSAGES: &str = "tickpath_bridge_messages_total";
    /// Updates that a newer snapshot stood for.
    pub const CONFLATED: &str = "tickpath_bridge_conflated_total";
    /// Clients closed for being slow.
    pub const DISCONNECTED_SLOW: &str = "tickpath_bridge_disconnected_slow_total";
    /// Records missed because the relay overtook the bridge.
    pub const LAPPED: &str = "tickpath_bridge_lapped_total";
    /// Records missed, for whatever reason.
    pub const MISSING: &str = "tickpath_bridge_missing_total";
    /// Relay to bridge.
    pub const PUBLISH_TO_BRIDGE: &str = "tickpath_bridge_publish_to_bridge_ns";
    /// Frame read to bridge.
    pub const RECV_TO_BRIDGE: &str = "tickpath_bridge_recv_to_bridge_ns";
}

/// Written by the clients' tasks and the accept loop.
#[derive(Debug)]
pub struct ServerMetrics {
    /// Connections refused because there are too many, or for their origin, host or token.
    pub refused: Counter,
    /// Requests of clients that were answered with an error.
    pub bad_requests: Counter,
    /// Connections closed because the client broke a rule.
    pub violations: Counter,
    /// Clients that have shown to read.
    pub proven: Counter,
    /// Connections dropped because the client answered no ping or took no data.
    pub timeouts: Counter,
    /// Connections dropped because no request came on them in time, or no whole one.
    pub handshake_timeouts: Counter,
    /// Connections that are not TLS, or not as this bridge speaks it.
    pub tls_failures: Counter,
    /// Connections refused because their address has too many.
    pub address_connections: Counter,
    /// Connections refused because their address opens them too fast.
    pub address_connects: Counter,
    /// Requests refused unseen, because their address brought too many wrong tokens.
    pub address_wrong_tokens: Counter,
    /// Requests with a wrong token.
    pub wrong_tokens: Counter,
    /// When the certificate ends.
    pub certificate_ends: Gauge,
}

impl ServerMetrics {
    /// The metrics on `page`.
    #[must_use]
    pub fn new(page: &CounterPage) -> ServerMetrics {
        let limited = |limit: &str| {
            page.counter(
                "tickpath_bridge_address_limited_total",
                &format!("limit=\"{limit}\""),
                "Connections and requests refused because their address reached a limit of its own, by limit.",
            )
        };
        ServerMetrics {
            refused: page.counter(
                "tickpath_bridge_refused_total",
                "",
                "Connections refused for a limit, their origin, host or token.",
            ),
            bad_requests: page.counter(
                "tickpath_bridge_bad_requests_total",
                "",
                "Requests of clients that were answered with an error.",
            ),
            violations: page.counter(
                "tickpath_bridge_violations_total",
                "",
                "Connections closed because the client broke a rule.",
            ),
            proven: page.counter(
                "tickpath_bridge_clients_proven_total",
                "",
                "Clients there for a second that had answered a ping for what they read: served apart from the others.",
            ),
            timeouts: page.counter(
                "tickpath_bridge_timeouts_total",
                "",
                "Connections dropped because the client answered no ping or took no data.",
            ),
            handshake_timeouts: page.counter(
                "tickpath_bridge_handshake_timeouts_total",
                "",
                "Connections dropped because no whole request came on them in time.",
            ),
            tls_failures: page.counter(
                "tickpath_bridge_tls_failures_total",
                "",
                "Connections dropped because they did not speak TLS as they should.",
            ),
            address_connections: limited("connections"),
            address_connects: limited("connects"),
            address_wrong_tokens: limited("wrong_tokens"),
            wrong_tokens: page.counter(
                "tickpath_bridge_wrong_tokens_total",
                "",
                "Requests that brought a token, and not the right one.",
            ),
            certificate_ends: page.gauge(
                "tickpath_bridge_certificate_ends_seconds",
                "",
                "When the certificate ends, seconds since the Unix epoch; 0 without TLS.",
            ),
        }
    }
}

/// Written by the reading thread.
#[derive(Debug)]
pub struct ReaderMetrics {
    page: CounterPage,
    clients: Gauge,
    records: Counter,
    lapped: Counter,
    missing: Counter,
    images_requested: Counter,
    encoded: Counter,
    messages: Counter,
    conflated: Counter,
    skipped: Counter,
    disconnected_slow: Counter,
    ignored: [Counter; 5],
    publish_to_bridge: LatencyHistogram,
    recv_to_bridge: Vec<(Venue, LatencyHistogram)>,
    tally: Tally,
    ignored_before: Ignored,
}

impl ReaderMetrics {
    /// The metrics on `page`.
    #[must_use]
    pub fn new(page: &CounterPage) -> ReaderMetrics {
        let ignored = |reason: &str| {
            page.counter(
                "tickpath_bridge_ignored_total",
                &format!("reason=\"{reason}\""),
                "Records that led to no message, by reason.",
            )
        };
        ReaderMetrics {
            clients: page.gauge(name::CLIENTS, "", "WebSocket clients connected now."),
            records: page.counter("tickpath_bridge_records_total", "", "Records read from the relay."),
            lapped: page.counter(
                name::LAPPED,
                "",
                "Records missed because the relay overtook the bridge.",
            ),
            missing: page.counter(name::MISSING, "", "Records missed, for whatever reason."),
            images_requested: page.counter(
                "tickpath_bridge_images_requested_total",
                "",
                "Times that whole books were asked for.",
            ),
            encoded: page.counter(
                "tickpath_bridge_encoded_total",
                "",
                "Messages encoded, each once for all clients.",
            ),
            messages: page.counter(name::MESSAGES, "", "Messages handed to clients."),
            conflated: page.counter(
                name::CONFLATED,
                "",
                "Updates to slow clients that a newer snapshot stood for.",
            ),
            skipped: page.counter(
                "tickpath_bridge_skipped_trades_total",
                "",
                "Trades that slow clients did not get.",
            ),
            disconnected_slow: page.counter(
                name::DISCONNECTED_SLOW,
                "",
                "Clients closed because they stayed behind.",
            ),
            ignored: ["unknown", "malformed", "unknown_instrument", "torn_quote", "book_full"].map(ignored),
            publish_to_bridge: page.latency(
                name::PUBLISH_TO_BRIDGE,
                "",
                "From the relay's publish to the bridge's read.",
            ),
            recv_to_bridge: Vec::new(),
            page: page.clone(),
            tally: Tally::default(),
            ignored_before: Ignored::default(),
        }
    }

    /// Counts records read.
    pub fn read(&self, records: u64) {
        self.records.add(records);
    }

    /// Brings the counters of losses up to the subscription's.
    pub fn losses(&self, lapped: u64, missing: u64) {
        self.lapped.add(lapped.saturating_sub(self.lapped.get()));
        self.missing.add(missing.saturating_sub(self.missing.get()));
    }

    /// Whole books were asked for.
    pub fn images_requested(&self) {
        self.images_requested.add(1);
    }

    /// The latency of one record of a venue.
    pub fn latency(&mut self, venue: Venue, recv_ns: i64, published_ns: i64, now_ns: i64) {
        self.publish_to_bridge.record_between(published_ns, now_ns);
        let known = self.recv_to_bridge.iter().position(|(known, _)| *known == venue);
        let index = known.unwrap_or_else(|| {
            let histogram = self.page.latency(
                name::RECV_TO_BRIDGE,
                &format!("venue=\"{venue}\""),
                "From the collector's read of a frame to the bridge's read of its record.",
            );
            self.recv_to_bridge.push((venue, histogram));
            self.recv_to_bridge.len() - 1
        });
        self.recv_to_bridge[index].1.record_between(recv_ns, now_ns);
    }

    /// Adds what was counted since the last call.
    pub fn tally(&mut self, clients: usize, tally: Tally, ignored: Ignored) {
        self.clients.set(clients as i64);
        let before = std::mem::replace(&mut self.tally, tally);
        self.encoded.add(tally.encoded - before.encoded);
        self.messages.add(tally.messages - before.messages);
        self.conflated.add(tally.conflated - before.conflated);
        self.skipped.add(tally.skipped - before.skipped);
        self.disconnected_slow
            .add(tally.disconnected_slow - before.disconnected_slow);
        let before = std::mem::replace(&mut self.ignored_before, ignored);
        let grown = [
            ignored.unknown - before.unknown,
            ignored.malformed - before.malformed,
            ignored.unknown_instrument - before.unknown_instrument,
            ignored.torn_quotes - before.torn_quotes,
            ignored.book_full - before.book_full,
        ];
        for (counter, grown) in self.ignored.iter().zip(grown) {
            counter.add(grown);
        }
    }
}

/// What `/healthz` and the service manager are told.
#[derive(Debug, Default)]
pub struct Health {
    is_attached: AtomicBool,
    run_id: AtomicU64,
    instruments: AtomicU64,
    clients: AtomicU64,
    pulse: Pulse,
}

impl Health {
    /// The reading thread made a turn.
    pub fn beat(&self) {
        self.pulse.beat();
    }

    /// Of the reading thread.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// The relay came or went.
    pub fn set_attached(&self, run_id: Option<u64>) {
        self.run_id.store(run_id.unwrap_or(0), Ordering::Relaxed);
        self.is_attached.store(run_id.is_some(), Ordering::Relaxed);
    }

    /// So many instruments are known, and so many clients are connected.
    pub fn set_counts(&self, instruments: usize, clients: usize) {
        self.instruments.store(instruments as u64, Ordering::Relaxed);
        self.clients.store(clients as u64, Ordering::Relaxed);
    }

    /// Whether the relay is attached.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.is_attached.load(Ordering::Relaxed)
    }

    /// The run of the relay; 0 without one.
    #[must_use]
    pub fn run_id(&self) -> u64 {
        self.run_id.load(Ordering::Relaxed)
    }

    /// How many WebSocket clients are connected.
    #[must_use]
    pub fn clients(&self) -> u64 {
        self.clients.load(Ordering::Relaxed)
    }

    /// How many instruments are known.
    #[must_use]
    pub fn instruments(&self) -> u64 {
        self.instruments.load(Ordering::Relaxed)
    }
}
