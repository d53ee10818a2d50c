//! What all connections share: who is connected, what was sent, which faults are ordered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tickpath_protocol::Venue;
use tokio::sync::{mpsc, watch};

use crate::fault::{Effects, Fault};
use crate::script::{Entry, When};

/// WebSocket clients at one time, all venues together.
pub const CONNECTIONS_MAX: usize = 512;
/// Faults that may wait for one connection.
const FAULTS_WAITING_MAX: usize = 256;

/// The shared state of a running simulator.
#[derive(Debug)]
pub struct Hub {
    venues: [VenueState; 4],
    connections: Mutex<BTreeMap<u64, (Venue, mpsc::Sender<Fault>)>>,
    next_connection: AtomicU64,
    stop: watch::Sender<bool>,
}

/// Counters and orders of one venue.
#[derive(Debug)]
pub struct VenueState {
    venue: Venue,
    connections_total: AtomicU64,
    frames_sent: AtomicU64,
    data_frames_sent: AtomicU64,
    rest_requests: AtomicU64,
    rest_refused: AtomicU64,
    slow_clients: AtomicU64,
    /// Data frames at which the next fault of the script is due; `u64::MAX` if none is.
    next_trigger: AtomicU64,
    orders: Mutex<Orders>,
}

/// What waits to be done wrong, and what was.
#[derive(Debug, Default)]
struct Orders {
    triggers: Vec<(u64, When, Fault)>,
    handshakes: u32,
    handshake_delay: Duration,
    refusals: u32,
    retry_after_s: u32,
    faults: BTreeMap<&'static str, u64>,
    effects: Effects,
}

/// A connection's place in the hub; leaving it is dropping this.
#[derive(Debug)]
pub struct Seat<'a> {
    hub: &'a Hub,
    id: u64,
    /// Faults that this connection is to show.
    pub faults: mpsc::Receiver<Fault>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        lock(&self.hub.connections).remove(&self.id);
    }
}

impl Seat<'_> {
    /// The connection's number, from 1.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A hub for the script's faults that count frames.
    #[must_use]
    pub fn new(script: &[Entry]) -> Hub {
        Hub {
            venues: Venue::market_data().map(|venue| VenueState::new(venue, script)),
            connections: Mutex::default(),
            next_connection: AtomicU64::new(1),
            stop: watch::Sender::new(false),
        }
    }

    /// A new connection, if there is room.
    #[must_use]
    pub fn enter(&self, venue: Venue) -> Option<Seat<'_>> {
        let mut connections = lock(&self.connections);
        if connections.len() >= CONNECTIONS_MAX {
            return None;
        }
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        let (sender, faults) = mpsc::channel(FAULTS_WAITING_MAX);
        connections.insert(id, (venue, sender));
        if let Some(state) = self.venue(venue) {
            state.connections_total.fetch_add(1, Ordering::Relaxed);
        }
        Some(Seat { hub: self, id, faults })
    }

    /// Orders a fault: at once on the venue's connections, or on its next clients. How many connections were reached.
    pub fn order(&self, venue: Venue, fault: &Fault) -> usize {
        let Some(state) = self.venue(venue) else { return 0 };
        let mut orders = lock(&state.orders);
        match fault {
            Fault::SlowHandshake { ms, n } => {
                orders.handshakes = *n;
                orders.handshake_delay = Duration::from_millis(*ms);
                0
            }
            Fault::Http429 { n, retry_after_s } => {
                orders.refusals = *n;
                orders.retry_after_s = *retry_after_s;
                0
            }
            _ => {
                drop(orders);
                let connections = lock(&self.connections);
                let of_venue = connections.values().filter(|(of, _)| *of == venue);
                // A connection with so many faults waiting loses this one, which the answer shows.
                of_venue
                    .filter(|(_, sender)| sender.try_send(fault.clone()).is_ok())
                    .count()
            }
        }
    }

    /// The state of a venue.
    #[must_use]
    pub fn venue(&self, venue: Venue) -> Option<&VenueState> {
        self.venues.iter().find(|state| state.venue == venue)
    }

    /// Counts a frame; orders what the script wants after it.
    pub fn count_frame(&self, venue: Venue, is_data: bool) {
        let Some(state) = self.venue(venue) else { return };
        state.frames_sent.fetch_add(1, Ordering::Relaxed);
        if !is_data {
            return;
        }
        let sent = state.data_frames_sent.fetch_add(1, Ordering::Relaxed) + 1;
        if sent >= state.next_trigger.load(Ordering::Relaxed) {
            for fault in state.due(sent) {
                self.order(venue, &fault);
            }
        }
    }

    /// Becomes true when the simulator stops.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Asks every connection to end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// How many clients are connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.connections).len()
    }

    /// Everything, as `GET /control/state` shows it.
    #[must_use]
    pub fn state(&self) -> Value {
        let connections = lock(&self.connections);
        let venues = self.venues.iter().map(|state| {
            let ids: Vec<_> = connections
                .iter()
                .filter(|(_, (of, _))| *of == state.venue)
                .map(|(id, _)| *id)
                .collect();
            (state.venue.to_string(), state.describe(&ids))
        });
        json!({ "connections": connections.len(), "venues": venues.collect::<serde_json::Map<_, _>>() })
    }
}

impl VenueState {
    fn new(venue: Venue, script: &[Entry]) -> VenueState {
        let of_venue = script.iter().filter(|entry| entry.venue == venue);
        let triggers: Vec<_> = of_venue
            .filter_map(|entry| match entry.when {
                When::AfterFrames(n) | When::EveryFrames(n) => Some((n, entry.when, entry.fault.clone())),
                When::At(_) | When::Every(_) => None,
            })
            .collect();
        VenueState {
            venue,
            connections_total: AtomicU64::new(0),
            frames_sent: AtomicU64::new(0),
            data_frames_sent: AtomicU64::new(0),
            rest_requests: AtomicU64::new(0),
            rest_refused: AtomicU64::new(0),
            slow_clients: AtomicU64::new(0),
            next_trigger: AtomicU64::new(next_trigger(&triggers)),
            orders: Mutex::new(Orders {
                triggers,
                ..Orders::default()
            }),
        }
    }

    fn due(&self, sent: u64) -> Vec<Fault> {
        let mut orders = lock(&self.orders);
        let mut due = Vec::new();
        orders.triggers.retain_mut(|(at, when, fault)| {
            if *at > sent {
                return true;
            }
            due.push(fault.clone());
            match when {
                When::EveryFrames(n) => {
                    *at = sent.saturating_add(*n);
                    true
                }
                _ => false,
            }
        });
        self.next_trigger
            .store(next_trigger(&orders.triggers), Ordering::Relaxed);
        due
    }

    /// Counts a fault that was done.
    pub fn count_fault(&self, fault: &Fault) {
        *lock(&self.orders).faults.entry(fault.name()).or_default() += 1;
    }

    /// Adds what a connection's faults did since it last said so.
    pub fn count_effects(&self, since: Effects) {
        let effects = &mut lock(&self.orders).effects;
        effects.dropped += since.dropped;
        effects.duplicated += since.duplicated;
        effects.reordered += since.reordered;
        effects.corrupted += since.corrupted;
        effects.injected += since.injected;
    }

    /// Counts a client that did not read.
    pub fn count_slow_client(&self) {
        self.slow_clients.fetch_add(1, Ordering::Relaxed);
    }

    /// How long the handshake of the client that just came is to be delayed.
    pub fn handshake_delay(&self) -> Option<Duration> {
        let mut orders = lock(&self.orders);
        orders.handshakes = orders.handshakes.checked_sub(1)?;
        *orders.faults.entry("slow_handshake").or_default() += 1;
        Some(orders.handshake_delay)
    }

    /// Counts a REST call; `Some(seconds)` if it is to be refused with 429.
    pub fn rest_call(&self) -> Option<u32> {
        self.rest_requests.fetch_add(1, Ordering::Relaxed);
        let mut orders = lock(&self.orders);
        orders.refusals = orders.refusals.checked_sub(1)?;
        *orders.faults.entry("http_429").or_default() += 1;
        self.rest_refused.fetch_add(1, Ordering::Relaxed);
        Some(orders.retry_after_s)
    }

    fn describe(&self, connections: &[u64]) -> Value {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let orders = lock(&self.orders);
        json!({
            "connections": connections,
            "connections_total": count(&self.connections_total),
            "frames_sent": count(&self.frames_sent),
            "data_frames_sent": count(&self.data_frames_sent),
            "rest_requests": count(&self.rest_requests),
            "rest_refused": count(&self.rest_refused),
            "slow_clients": count(&self.slow_clients),
            "faults": orders.faults,
            "frames_dropped": orders.effects.dropped,
            "frames_duplicated": orders.effects.duplicated,
            "pairs_reordered": orders.effects.reordered,
            "checksums_corrupted": orders.effects.corrupted,
            "frames_injected": orders.effects.injected,
        })
    }
}

fn next_trigger(triggers: &[(u64, When, Fault)]) -> u64 {
    triggers.iter().map(|(at, _, _)| *at).min().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_counts_frames() {
        let entry = |when, name: &str| Entry {
            venue: Venue::KRAKEN,
            when,
            fault: serde_json::from_str(&format!(r#"{{"fault":"{name}"}}"#)).unwrap(),
        };
        let hub = Hub::new(&[
            entry(When::AfterFrames(3), "gap"),
            entry(When::EveryFrames(2), "duplicate"),
        ]);
        let mut seat = hub.enter(Venue::KRAKEN).unwrap();
        let mut seen = Vec::new();
        for n in 1..=6 {
            hub.count_frame(Venue::KRAKEN, true);
            hub.count_frame(Venue::KRAKEN, false);
            while let Ok(fault) = seat.faults.try_recv() {
                seen.push((n, fault.name()));
            }
        }
        assert_eq!(seen, [(2, "duplicate"), (3, "gap"), (4, "duplicate"), (6, "duplicate")]);
        assert_eq!(hub.state()["venues"]["kraken"]["frames_sent"], 12);
        drop(seat);
        assert_eq!(hub.connections(), 0);
    }
}
