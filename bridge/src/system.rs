//! The system report: once a second, what all processes' counters say, as one message. Counters in, JSON out; no clock, no socket.
//!
//! Rates are differences to the sample before; percentiles are those of the last ten to twenty seconds, so that a burst shows and fades.
//! A metric that a process does not have is null or absent in the report, never a guess.

use std::collections::HashMap;

use serde::Serialize;
use tickpath_transport::counters::{LatencySnapshot, Value};

use crate::metrics::name;
use crate::prometheus::Process;
use crate::recording::{self, RecordingReport};

/// Samples after which percentiles begin anew.
const WINDOW_SAMPLES: u64 = 10;
/// Samples for which a reader that is gone is still shown. Producers, the relay and the recorder are shown for good: their absence matters.
const GONE_SAMPLES: u64 = 60;
/// Processes that are remembered.
const PROCESSES_MAX: usize = 128;

/// The hops of a record's way, and the metric that each is taken from.
const HOPS: [(&str, &str); 4] = [
    ("event_to_recv", "tickpath_collector_event_to_recv_ns"),
    ("recv_to_publish", "tickpath_relay_recv_to_publish_ns"),
    ("publish_to_bridge", name::PUBLISH_TO_BRIDGE),
    ("recv_to_bridge", name::RECV_TO_BRIDGE),
];

#[derive(Debug, Serialize)]
struct Message<'a> {
    channel: &'static str,
    #[serde(rename = "type")]
    form: &'static str,
    data: Report<'a>,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    ts: i64,
    run_id: String,
    processes: Vec<ProcessReport<'a>>,
    venues: Vec<VenueReport>,
    latency: Vec<LatencyReport>,
    bridge: BridgeReport,
    recording: Option<RecordingReport>,
}

#[derive(Debug, Serialize)]
struct ProcessReport<'a> {
    name: &'a str,
    pid: u32,
    alive: bool,
    role: &'static str,
    records: u64,
    records_per_s: f64,
    lost: u64,
    lag: i64,
}

#[derive(Debug, Serialize)]
struct VenueReport {
    venue: String,
    connected: bool,
    records_per_s: f64,
    frames_per_s: f64,
    gaps: Option<i64>,
    resyncs: Option<i64>,
    refused: Option<i64>,
    reconnects: Option<i64>,
    books_trusted: Option<i64>,
    books_total: Option<i64>,
    checksums_ok: Option<i64>,
    checksums_bad: Option<i64>,
    last_recv_age_ms: Option<i64>,
}

#[derive(Debug, Serialize)]
struct LatencyReport {
    hop: &'static str,
    venue: Option<String>,
    p50_ns: u64,
    p90_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    max_ns: u64,
    count: u64,
}

#[derive(Debug, Serialize)]
struct BridgeReport {
    clients: i64,
    messages: i64,
    conflated: i64,
    disconnected_slow: i64,
    lapped: i64,
    missing: i64,
}

/// A process that was seen.
#[derive(Debug)]
struct Seen {
    process: Process,
    at_sample: u64,
}

/// Two earlier states of a histogram; the older one begins the window.
#[derive(Debug)]
struct Baselines {
    older: LatencySnapshot,
    newer: LatencySnapshot,
}

/// Makes reports of samples.
#[derive(Debug, Default)]
pub struct Reporter {
    sample: u64,
    at_ns: i64,
    elapsed_s: f64,
    seen: Vec<Seen>,
    /// Counters of the sample before.
    before: HashMap<(u32, String, String), u64>,
    baselines: HashMap<(u32, String, String), Baselines>,
}

impl Reporter {
    /// Nothing seen.
    #[must_use]
    pub fn new() -> Reporter {
        Reporter::default()
    }

    /// The report on the processes there are now. `own` is the bridge's name.
    pub fn report(&mut self, processes: Vec<Process>, own: &str, run_id: u64, now_ns: i64) -> String {
        self.elapsed_s = (now_ns.saturating_sub(self.at_ns) as f64 / 1e9).max(0.001);
        self.at_ns = now_ns;
        self.sample += 1;
        self.take_note(processes);
        let report = Message {
            channel: "system",
            form: "update",
            data: Report {
                ts: now_ns,
                run_id: run_id.to_string(),
                processes: self.seen.iter().map(|seen| self.process(seen)).collect(),
                venues: self.venues(now_ns),
                latency: self.latencies(),
                bridge: self.bridge(own),
                recording: RecordingReport::of(self.everyone(), now_ns),
            },
        };
        // Of plain numbers and texts; there is nothing in it that JSON cannot say.
        let text = serde_json::to_string(&report).unwrap_or_default();
        self.remember();
        text
    }

    fn take_note(&mut self, processes: Vec<Process>) {
        for process in processes {
            let at_sample = self.sample;
            let seen = Seen { process, at_sample };
            match self
                .seen
                .iter()
                .position(|known| known.process.name == seen.process.name)
            {
                Some(index) => self.seen[index] = seen,
                None if self.seen.len() < PROCESSES_MAX => self.seen.push(seen),
                None => {}
            }
        }
        let sample = self.sample;
        self.seen.retain(|seen| {
            let is_missed = seen.process.role() != "reader" || recording::is_recorder(&seen.process);
            is_missed || sample - seen.at_sample <= GONE_SAMPLES
        });
    }

    fn process<'a>(&self, seen: &'a Seen) -> ProcessReport<'a> {
        let process = &seen.process;
        let is_alive = seen.at_sample == self.sample;
        let role = process.role();
        let (records, lost, lag) = match role {
            "relay" => (
                "tickpath_relay_records_out_total",
                "tickpath_relay_records_lost_total",
                "",
            ),
            "producer" => (
                "tickpath_publisher_records_total",
                "tickpath_publisher_dropped_total",
                "tickpath_publisher_ring_used_records",
            ),
            _ => (
                "tickpath_subscription_records_total",
                "tickpath_subscription_missing_total",
                "tickpath_subscription_lag_records",
            ),
        };
        let total = |name: &str| process.sum(name, None).unwrap_or(0);
        ProcessReport {
            name: &process.name,
            pid: process.pid,
            alive: is_alive,
            role,
            records: total(records).max(0) as u64,
            records_per_s: if is_alive {
                self.rate(process, records, None)
            } else {
                0.0
            },
            lost: total(lost).max(0) as u64,
            lag: total(lag),
        }
    }

    fn venues(&self, now_ns: i64) -> Vec<VenueReport> {
        let mut reports = Vec::new();
        for seen in &self.seen {
            let process = &seen.process;
            for venue in process.venues_of("tickpath_collector_") {
                let get = |name: &str| process.sum(&format!("tickpath_collector_{name}"), Some(&venue));
                let rate = |name: &str| self.rate(process, &format!("tickpath_collector_{name}"), Some(&venue));
                let is_alive = seen.at_sample == self.sample;
                let last_recv = get("last_recv_ns").filter(|ns| *ns > 0);
                reports.push(VenueReport {
                    connected: is_alive && get("connected").is_some_and(|connected| connected > 0),
                    records_per_s: if is_alive { rate("records_total") } else { 0.0 },
                    frames_per_s: if is_alive { rate("frames_total") } else { 0.0 },
                    gaps: get("gaps_total"),
                    resyncs: get("resyncs_total"),
                    refused: get("refused_total"),
                    reconnects: get("reconnects_total"),
                    books_trusted: get("books_trusted").map(|trusted| if is_alive { trusted } else { 0 }),
                    books_total: get("books"),
                    checksums_ok: get("checksums_ok_total"),
                    checksums_bad: get("checksums_bad_total"),
                    last_recv_age_ms: last_recv.map(|ns| (now_ns.saturating_sub(ns) / 1_000_000).max(0)),
                    venue,
                });
            }
        }
        reports
    }

    fn latencies(&self) -> Vec<LatencyReport> {
        let mut reports = Vec::new();
        for (hop, metric_name) in HOPS {
            for seen in self.seen.iter().filter(|seen| seen.at_sample == self.sample) {
                for metric in seen.process.metrics.iter().filter(|metric| metric.name == metric_name) {
                    let Value::Latency(latency) = &metric.value else {
                        continue;
                    };
                    let key = (seen.process.pid, metric.name.clone(), metric.labels.clone());
                    let window = match self.baselines.get(&key) {
                        Some(baselines) => latency.minus(&baselines.older),
                        None => latency.clone(),
                    };
                    reports.push(LatencyReport {
                        hop,
                        venue: venue_of(&metric.labels).map(str::to_owned),
                        p50_ns: window.percentile(50.0),
                        p90_ns: window.percentile(90.0),
                        p99_ns: window.percentile(99.0),
                        p999_ns: window.percentile(99.9),
                        max_ns: window.max(),
                        count: window.count(),
                    });
                }
            }
        }
        reports
    }

    fn bridge(&self, own: &str) -> BridgeReport {
        let own = self.seen.iter().find(|seen| seen.process.name == own);
        let get = |name: &str| own.and_then(|seen| seen.process.sum(name, None)).unwrap_or(0);
        BridgeReport {
            clients: get(name::CLIENTS),
            messages: get(name::MESSAGES),
            conflated: get(name::CONFLATED),
            disconnected_slow: get(name::DISCONNECTED_SLOW),
            lapped: get(name::LAPPED),
            missing: get(name::MISSING),
        }
    }

    /// Every process that was seen, with whether it is alive.
    fn everyone(&self) -> impl Iterator<Item = (&Process, bool)> + Clone {
        let alive = |seen: &Seen| seen.at_sample == self.sample;
        self.seen.iter().map(move |seen| (&seen.process, alive(seen)))
    }

    /// A second's growth of a counter since the sample before; 0 for a process that is new.
    fn rate(&self, process: &Process, name: &str, venue: Option<&str>) -> f64 {
        let mut grown = 0;
        for metric in process.of(name, venue) {
            if let Value::Counter(value) = metric.value {
                let key = (process.pid, metric.name.clone(), metric.labels.clone());
                grown += self.before.get(&key).map_or(0, |before| value.saturating_sub(*before));
            }
        }
        // One decimal is what a rate is worth.
        (grown as f64 / self.elapsed_s * 10.0).round() / 10.0
    }

    /// Keeps what the next sample is compared with.
    fn remember(&mut self) {
        let is_turn_of_window = self.sample.is_multiple_of(WINDOW_SAMPLES);
        self.before.clear();
        let mut baselines = HashMap::new();
        for seen in self.seen.iter().filter(|seen| seen.at_sample == self.sample) {
            for metric in &seen.process.metrics {
                let key = (seen.process.pid, metric.name.clone(), metric.labels.clone());
                match &metric.value {
                    Value::Counter(value) => {
                        self.before.insert(key, *value);
                    }
                    Value::Latency(latency) if HOPS.iter().any(|(_, name)| *name == metric.name) => {
                        let next = match self.baselines.remove(&key) {
                            Some(known) if is_turn_of_window => Baselines {
                                older: known.newer,
                                newer: latency.clone(),
                            },
                            Some(known) => known,
                            None => Baselines {
                                older: latency.clone(),
                                newer: latency.clone(),
                            },
                        };
                        baselines.insert(key, next);
                    }
                    _ => {}
                }
            }
        }
        self.baselines = baselines;
    }
}

impl Process {
    /// What it is in the pipeline, by what it counts.
    fn role(&self) -> &'static str {
        let has = |prefix: &str| self.metrics.iter().any(|metric| metric.name.starts_with(prefix));
        if has("tickpath_relay_") {
            "relay"
        } else if has("tickpath_publisher_") {
            "producer"
        } else {
            "reader"
        }
    }

    fn of(&self, name: &str, venue: Option<&str>) -> impl Iterator<Item = &tickpath_transport::counters::Metric> {
        self.metrics
            .iter()
            .filter(move |metric| metric.name == name && (venue.is_none() || venue_of(&metric.labels) == venue))
    }

    /// The sum of a metric over its labels; `None` if the process does not have it.
    pub(crate) fn sum(&self, name: &str, venue: Option<&str>) -> Option<i64> {
        let mut sum = None;
        for metric in self.of(name, venue) {
            let value = match &metric.value {
                Value::Counter(value) => i64::try_from(*value).unwrap_or(i64::MAX),
                Value::Gauge(value) => *value,
                Value::Latency(_) => continue,
            };
            sum = Some(sum.unwrap_or(0i64).saturating_add(value));
        }
        sum
    }

    /// The venues that its metrics of this prefix are labelled with.
    fn venues_of(&self, prefix: &str) -> Vec<String> {
        let mut venues: Vec<String> = Vec::new();
        for metric in self.metrics.iter().filter(|metric| metric.name.starts_with(prefix)) {
            if let Some(venue) = venue_of(&metric.labels)
                && !venues.iter().any(|known| known == venue)
            {
                venues.push(venue.to_owned());
            }
        }
        venues
    }
}

/// The venue in `venue="kraken",…`.
fn venue_of(labels: &str) -> Option<&str> {
    labels
        .split(',')
        .find_map(|label| label.strip_prefix("venue=\"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use tickpath_transport::{CounterPage, CounterView};

    use super::*;

    fn sample(page: &CounterPage) -> Process {
        Process::seen(&CounterView::open(page.file().reader_fd().unwrap()).unwrap())
    }

    fn json(text: &str) -> serde_json::Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn rates_percentiles_and_the_dead() {
        let collector = CounterPage::create("collector-kraken").unwrap();
        let kraken = "venue=\"kraken\"";
        let published = collector.counter("tickpath_publisher_records_total", kraken, "");
        let records = collector.counter("tickpath_collector_records_total", kraken, "");
        collector.gauge("tickpath_collector_connected", kraken, "").set(1);
        collector
            .gauge("tickpath_collector_last_recv_ns", kraken, "")
            .set(2_000_000_000);
        let latency = collector.latency("tickpath_collector_event_to_recv_ns", kraken, "");
        let bridge = CounterPage::create("bridge").unwrap();
        bridge.gauge(name::CLIENTS, "", "").set(3);

        let mut reporter = Reporter::new();
        let first = json(&reporter.report(vec![sample(&collector), sample(&bridge)], "bridge", 7, 1_000_000_000));
        assert_eq!(first["data"]["run_id"], "7");
        assert_eq!(first["data"]["bridge"]["clients"], 3);

        records.add(50);
        published.add(60);
        latency.record(1_000);
        let second = json(&reporter.report(vec![sample(&collector), sample(&bridge)], "bridge", 7, 3_000_000_000));
        let data = &second["data"];
        assert_eq!(data["venues"][0]["records_per_s"], 25.0);
        assert_eq!(data["venues"][0]["connected"], true);
        assert_eq!(data["venues"][0]["last_recv_age_ms"], 1_000);
        assert_eq!(data["venues"][0]["gaps"], serde_json::Value::Null);
        assert_eq!(data["processes"][0]["role"], "producer");
        assert_eq!(data["processes"][0]["records"], 60);
        assert_eq!(data["processes"][0]["records_per_s"], 30.0);
        assert_eq!(data["latency"][0]["hop"], "event_to_recv");
        assert_eq!(data["latency"][0]["count"], 1);

        let third = json(&reporter.report(vec![sample(&bridge)], "bridge", 7, 4_000_000_000));
        assert_eq!(third["data"]["processes"][0]["alive"], false);
        assert_eq!(third["data"]["venues"][0]["connected"], false);
        assert_eq!(third["data"]["venues"][0]["records_per_s"], 0.0);
    }

    #[test]
    fn labels_name_the_venue() {
        assert_eq!(venue_of("venue=\"kraken\""), Some("kraken"));
        assert_eq!(venue_of("feed=\"x\",venue=\"alpaca\""), Some("alpaca"));
        assert_eq!(venue_of("reader=\"bridge\""), None);
        assert_eq!(venue_of(""), None);
    }
}
