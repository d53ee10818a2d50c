//! What the gateway counts and shows on its counter page.

use std::cell::Cell;
use std::rc::Rc;

use tickpath_protocol::trading::News;
use tickpath_transport::{Counter, CounterPage, Gauge, LatencyHistogram};

/// Causes of failed calls and messages, as their label says them.
const CAUSES: [&str; 6] = [
    "no_connection",
    "no_answer",
    "status",
    "too_large",
    "malformed",
    "misfit",
];

/// Counters and gauges; see each help text. Clones are the same ones.
#[derive(Clone, Debug)]
pub struct Meters {
    /// When the desk last looked round.
    pub heartbeat: Gauge,
    /// Orders sent.
    pub sent: Counter,
    /// Orders held back here.
    pub refused: Counter,
    /// Cancels sent.
    pub cancels: Counter,
    /// Reports published.
    pub reports: Counter,
    /// Fills among them.
    pub fills: Counter,
    /// Orders of nobody.
    pub strays: Counter,
    /// Records of the engine that were missed.
    pub missed: Counter,
    /// Orders under way or resting.
    pub open: Gauge,
    unknown: Gauge,
    unknown_now: Rc<Cell<i64>>,
    failed: Vec<(&'static str, Counter)>,
    /// Whether the kill latch is set.
    pub killed: Gauge,
    /// Whether the `user` channel is there.
    pub channel_connected: Gauge,
    /// Whether the venue has said that it speaks of our orders there.
    pub channel_subscribed: Gauge,
    /// How often it was connected.
    pub channel_connections: Counter,
    /// From the engine's publication of an order to the venue's answer.
    pub order_to_answer: Rc<LatencyHistogram>,
}

impl Meters {
    /// The counters of a page.
    #[must_use]
    pub fn new(page: &CounterPage) -> Meters {
        let counter = |name, help| page.counter(name, "", help);
        let gauge = |name, help| page.gauge(name, "", help);
        let failed = |cause: &'static str| {
            let help = "Calls and messages of the venue without a usable answer.";
            let labels = format!("cause=\"{cause}\"");
            (cause, page.counter("tickpath_gateway_failed_total", &labels, help))
        };
        Meters {
            heartbeat: gauge(
                "tickpath_gateway_heartbeat_ns",
                "When the gateway last looked round, since the Unix epoch.",
            ),
            sent: counter("tickpath_gateway_orders_sent_total", "Orders sent to the venue."),
            refused: counter(
                "tickpath_gateway_orders_refused_total",
                "Orders and replacements refused here: killed, too old, not offered by the venue.",
            ),
            cancels: counter("tickpath_gateway_cancels_sent_total", "Cancels sent to the venue."),
            reports: counter("tickpath_gateway_reports_total", "Reports published."),
            fills: counter("tickpath_gateway_fills_total", "Reports of fills, repeated ones too."),
            strays: counter(
                "tickpath_gateway_strays_total",
                "Orders found at the venue that nobody here knew, and canceled.",
            ),
            missed: counter(
                "tickpath_gateway_missed_total",
                "Times that records of the engine were missed; everything was canceled.",
            ),
            open: gauge("tickpath_gateway_orders_open", "Orders under way or resting."),
            unknown: gauge(
                "tickpath_gateway_orders_unknown",
                "Orders that were sent and whose outcome is not known.",
            ),
            unknown_now: Rc::default(),
            failed: CAUSES.into_iter().map(failed).collect(),
            killed: gauge("tickpath_gateway_killed", "1 while the kill switch is latched."),
            channel_connected: gauge(
                "tickpath_gateway_channel_connected",
                "1 while the user channel is connected.",
            ),
            channel_subscribed: gauge(
                "tickpath_gateway_channel_subscribed",
                "1 while the user channel speaks of our orders.",
            ),
            channel_connections: counter(
                "tickpath_gateway_channel_connections_total",
                "Connections of the user channel.",
            ),
            order_to_answer: Rc::new(page.latency(
                "tickpath_gateway_order_to_answer_ns",
                "",
                "From the engine's publication of an order to the venue's answer.",
            )),
        }
    }

    /// Counts a call or a message that was of no use.
    pub fn failed(&self, cause: &str) {
        if let Some((_, counter)) = self.failed.iter().find(|(known, _)| *known == cause) {
            counter.add(1);
        }
    }

    /// How many there were.
    #[must_use]
    pub fn failures(&self, cause: &str) -> u64 {
        let found = self.failed.iter().find(|(known, _)| *known == cause);
        found.map_or(0, |(_, counter)| counter.get())
    }

    /// An order's outcome is not known, or is known again.
    pub fn unknown(&self, change: i64) {
        self.unknown_now.set(self.unknown_now.get() + change);
        self.unknown.set(self.unknown_now.get());
    }

    /// Counts a report.
    pub fn reported(&self, news: &News) {
        self.reports.add(1);
        if matches!(news, News::Filled { .. }) {
            self.fills.add(1);
        }
    }
}
