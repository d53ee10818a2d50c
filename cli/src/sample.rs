//! All counters of all processes at one moment, and what changed since an earlier moment. They are read from shared pages: no process is asked.

use std::time::Instant;

use tickpath_transport::counters::{CounterView, LatencySnapshot, Metric, Value};
use tickpath_transport::now_ns;

/// Every page at one moment.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it was taken, for differences.
    pub at: Instant,
    /// When it was taken, ns since the Unix epoch.
    pub now_ns: i64,
    /// The pages, the relay's first.
    pub processes: Vec<ProcessSample>,
}

/// One process's page.
#[derive(Clone, Debug)]
pub struct ProcessSample {
    /// `collector-kraken`
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// When it began, ns since the Unix epoch.
    pub started_ns: i64,
    /// What it counts.
    pub metrics: Vec<Metric>,
}

impl Sample {
    /// Copies the pages.
    pub fn take(views: &[CounterView]) -> Sample {
        let processes = views.iter().map(|view| ProcessSample {
            name: view.process().to_owned(),
            pid: view.pid(),
            started_ns: view.started_ns(),
            metrics: view.metrics(),
        });
        Sample {
            at: Instant::now(),
            now_ns: now_ns(),
            processes: processes.collect(),
        }
    }

    /// The same life of the same process, if it was there already.
    fn counterpart(&self, process: &ProcessSample) -> Option<&ProcessSample> {
        let key = |process: &ProcessSample| (process.pid, process.started_ns);
        self.processes
            .iter()
            .find(|known| key(known) == key(process) && known.name == process.name)
    }
}

/// Two moments: the later one, and the one that differences are taken to.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The later one.
    pub now: &'a Sample,
    /// The earlier one; `None`: the beginning of each process.
    pub before: Option<&'a Sample>,
}

impl Window<'_> {
    /// Seconds between the two.
    pub fn seconds(&self) -> Option<f64> {
        self.before
            .map(|before| self.now.at.saturating_duration_since(before.at).as_secs_f64())
    }

    /// A second's growth of a process's counter, over all labels that hold `labels`; `None` if it has no such counter, or there is no earlier moment.
    pub fn rate(&self, process: &ProcessSample, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let past = self.before?.counterpart(process);
        let seconds = self.seconds().filter(|seconds| *seconds > 0.0)?;
        let now = process.sum(name, labels)?;
        // A process that is new has no past to grow from; a metric that is new began at 0.
        let past = past.map_or(Some(now), |past| past.sum(name, labels)).unwrap_or(0);
        Some(now.saturating_sub(past).max(0) as f64 / seconds)
    }

    /// A second's growth of one counter.
    pub fn growth(&self, process: &ProcessSample, metric: &Metric) -> Option<f64> {
        let past = self.before?.counterpart(process)?.find(&metric.name, &metric.labels);
        let seconds = self.seconds().filter(|seconds| *seconds > 0.0)?;
        match (&metric.value, past.map(|past| &past.value)) {
            (Value::Counter(now), Some(Value::Counter(past))) => Some(now.saturating_sub(*past) as f64 / seconds),
            _ => None,
        }
    }

    /// What a histogram counted within the window.
    pub fn latency(&self, process: &ProcessSample, metric: &Metric) -> Option<LatencySnapshot> {
        let Value::Latency(now) = &metric.value else {
            return None;
        };
        let past = self.before.and_then(|before| before.counterpart(process));
        let past = past.and_then(|past| past.find(&metric.name, &metric.labels));
        Some(match past.map(|past| &past.value) {
            Some(Value::Latency(past)) => now.minus(past),
            _ => now.clone(),
        })
    }
}

impl ProcessSample {
    /// The metric of exactly this name and these labels.
    pub fn find(&self, name: &str, labels: &str) -> Option<&Metric> {
        self.metrics
            .iter()
            .find(|metric| metric.name == name && metric.labels == labels)
    }

    /// The metrics of this name that have these labels, among others.
    pub fn of<'a>(&'a self, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = &'a Metric> {
        self.metrics.iter().filter(move |metric| {
            metric.name == name
                && labels
                    .iter()
                    .all(|(key, value)| label(&metric.labels, key) == Some(*value))
        })
    }

    /// The sum of their counters and gauges; `None` if there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<i64> {
        let numbers = self.of(name, labels).filter_map(|metric| match &metric.value {
            Value::Counter(count) => Some(i64::try_from(*count).unwrap_or(i64::MAX)),
            Value::Gauge(level) => Some(*level),
            Value::Latency(_) => None,
        });
        numbers.reduce(i64::saturating_add)
    }

    /// The first of these metrics that the process has.
    pub fn first_of(&self, names: &[&str]) -> Option<i64> {
        names.iter().find_map(|name| self.sum(name, &[]))
    }

    /// The values of a label among the metrics whose names begin with `prefix`, in their order.
    pub fn label_values(&self, prefix: &str, key: &str) -> Vec<&str> {
        let mut values: Vec<&str> = Vec::new();
        for metric in self.metrics.iter().filter(|metric| metric.name.starts_with(prefix)) {
            if let Some(value) = label(&metric.labels, key)
                && !values.contains(&value)
            {
                values.push(value);
            }
        }
        values
    }
}

/// The value of a label in `venue="kraken",cause="lapped"`.
pub fn label<'a>(labels: &'a str, key: &str) -> Option<&'a str> {
    labels.split("\",").find_map(|pair| {
        let (name, value) = pair.split_once("=\"")?;
        (name == key).then(|| value.strip_suffix('"').unwrap_or(value))
    })
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use tickpath_transport::CounterPage;

    use super::*;

    /// What a reader sees of these pages at the start of a second that has a number.
    pub fn sample(pages: &[CounterPage], second: u64) -> Sample {
        let views: Vec<CounterView> = pages
            .iter()
            .map(|page| CounterView::open(page.file().reader_fd().unwrap()).unwrap())
            .collect();
        let mut sample = Sample::take(&views);
        // The two moments of a window are as far apart as the numbers say, however long the test takes between them.
        sample.now_ns = 1_700_000_000_000_000_000 + second as i64 * 1_000_000_000;
        sample.at = epoch() + Duration::from_secs(second);
        sample
    }

    fn epoch() -> Instant {
        static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *EPOCH.get_or_init(Instant::now)
    }

    #[test]
    fn labels_are_taken_apart() {
        assert_eq!(label("venue=\"kraken\"", "venue"), Some("kraken"));
        assert_eq!(label("strategy=\"a, b\",currency=\"USD\"", "currency"), Some("USD"));
        assert_eq!(label("strategy=\"a, b\",currency=\"USD\"", "strategy"), Some("a, b"));
        assert_eq!(label("reader=\"bridge\"", "venue"), None);
        assert_eq!(label("", "venue"), None);
    }

    #[test]
    fn rates_and_windows_are_those_of_one_life_of_a_process() {
        let page = CounterPage::create("relay").unwrap();
        let records = page.counter("records_total", "venue=\"kraken\"", "");
        let others = page.counter("records_total", "venue=\"binance\"", "");
        let hop = page.latency("hop_ns", "", "");
        hop.record(1_000_000);
        records.add(100);
        let before = sample(std::slice::from_ref(&page), 10);
        records.add(50);
        others.add(10);
        hop.record(70);
        let now = sample(std::slice::from_ref(&page), 12);
        let window = Window {
            now: &now,
            before: Some(&before),
        };
        let relay = &now.processes[0];
        assert_eq!(window.rate(relay, "records_total", &[]), Some(30.0));
        assert_eq!(window.rate(relay, "records_total", &[("venue", "kraken")]), Some(25.0));
        assert_eq!(window.rate(relay, "absent_total", &[]), None);
        let metric = relay.find("hop_ns", "").unwrap();
        assert_eq!(window.latency(relay, metric).unwrap().count(), 1);
        let cumulative = Window {
            now: &now,
            before: None,
        };
        assert_eq!(cumulative.latency(relay, metric).unwrap().count(), 2);
        assert_eq!(cumulative.rate(relay, "records_total", &[]), None);

        // Another life of the process has nothing in common with this one.
        let restarted = CounterPage::create("relay").unwrap();
        restarted.counter("records_total", "", "").add(5);
        let now = sample(&[restarted], 14);
        let window = Window {
            now: &now,
            before: Some(&before),
        };
        assert_eq!(window.rate(&now.processes[0], "records_total", &[]), Some(0.0));
    }

    #[test]
    fn sums_and_labels_of_a_page() {
        let page = CounterPage::create("relay").unwrap();
        for (venue, used) in [("kraken", 3), ("binance", 4)] {
            page.gauge("ring_used", &format!("venue=\"{venue}\""), "").set(used);
        }
        let sample = sample(&[page], 1);
        let relay = &sample.processes[0];
        assert_eq!(relay.sum("ring_used", &[]), Some(7));
        assert_eq!(relay.sum("ring_used", &[("venue", "binance")]), Some(4));
        assert_eq!(relay.first_of(&["absent", "ring_used"]), Some(7));
        assert_eq!(relay.first_of(&["absent"]), None);
        assert_eq!(relay.label_values("ring", "venue"), ["kraken", "binance"]);
    }
}
