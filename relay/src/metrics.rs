//! What the relay counts, for all to read.

use tickpath_protocol::Venue;
use tickpath_transport::{Counter, CounterPage, Gauge, LatencyHistogram};

/// The counters of one producer, kept by the hot thread. A producer that comes back goes on with the same ones.
#[derive(Debug)]
pub struct IntakeMetrics {
    pub records_in: Counter,
    pub lost_in_ring: Counter,
    pub lost_at_relay: Counter,
    pub refused: Counter,
    pub duplicates: Counter,
    pub ring_used: Gauge,
    pub ring_capacity: Gauge,
    pub attached: Gauge,
    pub recv_to_publish: LatencyHistogram,
}

impl IntakeMetrics {
    pub fn new(page: &CounterPage, venue: Venue) -> IntakeMetrics {
        let labels = format!("venue=\"{venue}\"");
        let lost = |cause: &str| {
            let labels = format!("{labels},cause=\"{cause}\"");
            page.counter(
                "tickpath_relay_records_lost_total",
                &labels,
                "Records missing from the producer's sequence.",
            )
        };
        let counter = |name, help| page.counter(name, &labels, help);
        let gauge = |name, help| page.gauge(name, &labels, help);
        IntakeMetrics {
            records_in: counter(
                "tickpath_relay_records_in_total",
                "Records taken from the producer's ring.",
            ),
            lost_in_ring: lost("ring_full"),
            lost_at_relay: lost("relay_loss"),
            refused: counter(
                "tickpath_relay_records_refused_total",
                "Records that no producer of this venue may send.",
            ),
            duplicates: counter(
                "tickpath_relay_records_duplicate_total",
                "Records below the expected sequence, left out.",
            ),
            ring_used: gauge(
                "tickpath_relay_ring_used_records",
                "Records waiting in the producer's ring.",
            ),
            ring_capacity: gauge(
                "tickpath_relay_ring_capacity_records",
                "Records that fit the producer's ring.",
            ),
            attached: gauge("tickpath_relay_producer_attached", "1 while the producer is attached."),
            recv_to_publish: page.latency(
                "tickpath_relay_recv_to_publish_ns",
                &labels,
                "From the frame read by the collector to the record published by the relay.",
            ),
        }
    }
}

/// The counters of the hot thread.
#[derive(Debug)]
pub struct HotMetrics {
    pub batches: Counter,
    pub records_out: Counter,
    pub rings_corrupt: Counter,
    pub instruments: Gauge,
    pub stream_capacity: Gauge,
}

impl HotMetrics {
    pub fn new(page: &CounterPage) -> HotMetrics {
        HotMetrics {
            batches: page.counter(
                "tickpath_relay_batches_total",
                "",
                "Batches taken from producers' rings.",
            ),
            records_out: page.counter(
                "tickpath_relay_records_out_total",
                "",
                "Records written to the stream, the relay's own too.",
            ),
            rings_corrupt: page.counter(
                "tickpath_relay_rings_corrupt_total",
                "",
                "Producers detached because their ring broke.",
            ),
            instruments: page.gauge(
                "tickpath_relay_instruments",
                "",
                "Rows in the instrument table of the run.",
            ),
            stream_capacity: page.gauge(
                "tickpath_relay_stream_capacity_records",
                "",
                "Records that the stream's ring holds: a reader further behind is lapped.",
            ),
        }
    }
}

/// The counters of the control thread.
#[derive(Debug)]
pub struct ControlMetrics {
    pub accepts: Counter,
    pub accept_failures: Counter,
    pub refusals: Counter,
    pub disconnects: Counter,
    pub producers: Gauge,
    pub readers: Gauge,
    pub observers: Gauge,
    pub stream_readers_lapped: Counter,
    pub image_requests: Counter,
}

impl ControlMetrics {
    pub fn new(page: &CounterPage) -> ControlMetrics {
        let counter = |name, help| page.counter(name, "", help);
        let gauge = |name, help| page.gauge(name, "", help);
        ControlMetrics {
            accepts: counter("tickpath_relay_accepts_total", "Connections accepted."),
            accept_failures: counter(
                "tickpath_relay_accept_failures_total",
                "Connections that could not be accepted.",
            ),
            refusals: counter("tickpath_relay_refusals_total", "Peers refused, with a reason."),
            disconnects: counter("tickpath_relay_disconnects_total", "Peers that left or were cut off."),
            producers: gauge("tickpath_relay_producers_attached", "Producers attached."),
            readers: gauge("tickpath_relay_readers_attached", "Readers attached."),
            observers: gauge("tickpath_relay_observers_attached", "Observers attached."),
            stream_readers_lapped: counter(
                "tickpath_relay_stream_readers_lapped_total",
                "Positions missed by readers over sockets.",
            ),
            image_requests: counter(
                "tickpath_relay_image_requests_total",
                "Times that readers asked for whole books; producers are asked once a second at most.",
            ),
        }
    }
}
