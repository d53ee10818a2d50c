//! Counters of a collector in memory that others read.

use tickpath_protocol::Venue;
use tickpath_service::Pulse;
use tickpath_transport::{Counter, CounterPage, Gauge, LatencyHistogram};

use crate::sync::Counters;

/// What a collector shows, all labelled with its venue.
pub struct Meters {
    frames: Counter,
    records: Counter,
    refused: Counter,
    gaps: Counter,
    resyncs: Counter,
    reconnects: Counter,
    images: Counter,
    refreshes: Counter,
    checksums_ok: Counter,
    checksums_bad: Counter,
    duplicates: Counter,
    dropped: Counter,
    capture_lost: Counter,
    books: Gauge,
    books_trusted: Gauge,
    connected: Gauge,
    last_recv_ns: Gauge,
    pub(super) event_to_recv: LatencyHistogram,
    pulse: Pulse,
    shown: Shown,
}

/// What was added to the counters so far.
#[derive(Default)]
struct Shown {
    counters: Counters,
    dropped: u64,
    capture_lost: u64,
}

/// The state that gauges show.
pub(super) struct State {
    pub counters: Counters,
    pub dropped: u64,
    pub capture_lost: u64,
    /// All books and those that are proven.
    pub books: (usize, usize),
    pub connected: bool,
    pub last_recv_ns: i64,
}

impl Meters {
    /// Registers the metrics of the collector of `venue`.
    #[must_use]
    pub fn new(page: &CounterPage, venue: Venue) -> Meters {
        let labels = format!("venue=\"{venue}\"");
        let counter = |name, help| page.counter(name, &labels, help);
        let gauge = |name, help| page.gauge(name, &labels, help);
        Meters {
            frames: counter("tickpath_collector_frames_total", "Frames received."),
            records: counter("tickpath_collector_records_total", "Records published."),
            refused: counter("tickpath_collector_refused_total", "Frames that no decoder accepts."),
            gaps: counter("tickpath_collector_gaps_total", "Gap records published."),
            resyncs: counter("tickpath_collector_resyncs_total", "Books that lost their proof."),
            reconnects: counter("tickpath_collector_reconnects_total", "Connections that ended."),
            images: counter(
                "tickpath_collector_images_total",
                "Book images published because readers asked.",
            ),
            refreshes: counter(
                "tickpath_collector_refreshes_total",
                "Proven books renewed by a fresh image.",
            ),
            checksums_ok: counter("tickpath_collector_checksums_ok_total", "Book checksums that agreed."),
            checksums_bad: counter(
                "tickpath_collector_checksums_bad_total",
                "Book checksums that did not agree.",
            ),
            duplicates: counter("tickpath_collector_duplicates_total", "Events received twice."),
            dropped: counter(
                "tickpath_collector_dropped_total",
                "Records dropped because the ring was full.",
            ),
            capture_lost: counter("tickpath_collector_capture_lost_total", "Frames that the capture lost."),
            books: gauge("tickpath_collector_books", "Books subscribed to."),
            books_trusted: gauge("tickpath_collector_books_trusted", "Books proven in sync."),
            connected: gauge("tickpath_collector_connected", "1 if every connection stands."),
            last_recv_ns: gauge(
                "tickpath_collector_last_recv_ns",
                "When the last frame was received, since the Unix epoch.",
            ),
            event_to_recv: page.latency(
                "tickpath_collector_event_to_recv_ns",
                &labels,
                "From the venue's clock to ours; holds the difference of the clocks.",
            ),
            pulse: Pulse::new(),
            shown: Shown::default(),
        }
    }

    /// Of the session's thread, which shows its state on every tick.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// A connection ended.
    pub(super) fn reconnected(&self) {
        self.reconnects.add(1);
    }

    /// Shows the state as it is now.
    pub(super) fn show(&mut self, state: &State) {
        self.pulse.beat();
        let (now, before) = (&state.counters, &self.shown.counters);
        for (counter, now, before) in [
            (&self.frames, now.frames, before.frames),
            (&self.records, now.records, before.records),
            (&self.refused, now.refused, before.refused),
            (&self.gaps, now.gaps, before.gaps),
            (&self.resyncs, now.resyncs, before.resyncs),
            (&self.images, now.images, before.images),
            (&self.refreshes, now.refreshes, before.refreshes),
            (&self.checksums_ok, now.checksums_ok, before.checksums_ok),
            (&self.checksums_bad, now.checksums_bad, before.checksums_bad),
            (&self.duplicates, now.duplicates, before.duplicates),
            (&self.dropped, state.dropped, self.shown.dropped),
            (&self.capture_lost, state.capture_lost, self.shown.capture_lost),
        ] {
            counter.add(now - before);
        }
        self.books.set(state.books.0 as i64);
        self.books_trusted.set(state.books.1 as i64);
        self.connected.set(i64::from(state.connected));
        self.last_recv_ns.set(state.last_recv_ns);
        self.shown = Shown {
            counters: state.counters,
            dropped: state.dropped,
            capture_lost: state.capture_lost,
        };
    }
}
