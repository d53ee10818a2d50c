//! The text of `/metrics`: every process's page of counters in Prometheus' exposition format 0.0.4, in its base units; see [`crate::units`].

use std::collections::BTreeMap;
use std::fmt::Write;

use tickpath_transport::CounterView;
use tickpath_transport::counters::{LatencySnapshot, Metric, Value};

use crate::units::{Exported, Fixed, NANO};

/// Samples in one text: pages may hold more than any server wants to store.
pub const SAMPLES_MAX: usize = 20_000;
/// Says how many were too many.
const LEFT_OUT: &str = "tickpath_bridge_samples_left_out";
/// The bounds of a histogram's buckets are the powers of two of a nanosecond between these two, and the middle of each octave: all are bounds of the page's own
/// buckets too, so that no count is an estimate.
const OCTAVES: std::ops::RangeInclusive<u32> = 10..=33;

/// One process's metrics.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// When it made its page, ns since the Unix epoch.
    pub started_ns: i64,
    /// The version of its program; empty if it does not say.
    pub version: String,
    /// Its metrics.
    pub metrics: Vec<Metric>,
}

impl Process {
    /// What a page says now.
    #[must_use]
    pub fn seen(view: &CounterView) -> Process {
        Process {
            name: view.process().to_owned(),
            pid: view.pid(),
            started_ns: view.started_ns(),
            version: view.version().to_owned(),
            metrics: view.metrics(),
        }
    }
}

/// The text. Samples of one name stand together, whichever process they are from, as the format requires.
#[must_use]
pub fn render(processes: &[Process]) -> String {
    let mut families: BTreeMap<String, Vec<(&Process, &Metric, Exported)>> = BTreeMap::new();
    for process in processes {
        for metric in &process.metrics {
            let exported = Exported::of(&metric.name, &metric.labels);
            let family = families.entry(exported.name.clone()).or_default();
            family.push((process, metric, exported));
        }
    }
    let mut text = Text::default();
    for (name, samples) in families {
        let Some((_, first, _)) = samples.first() else { continue };
        let kind = kind(&first.value);
        text.head(&name, kind, &first.help);
        // A process of another version may mean another thing by the name; a family has one type.
        for (process, metric, exported) in samples
            .iter()
            .filter(|(_, metric, _)| self::kind(&metric.value) == kind)
        {
            text.metric(process, metric, exported);
        }
    }
    text.finish()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Counter(_) => "counter",
        Value::Gauge(_) => "gauge",
        Value::Latency(_) => "histogram",
    }
}

#[derive(Default)]
struct Text {
    text: String,
    samples: usize,
    left_out: usize,
}

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn metric(&mut self, process: &Process, metric: &Metric, exported: &Exported) {
        let name = &exported.name;
        let labels = labels(process, &exported.labels);
        let fixed = |value: i128| Fixed(value, exported.decimals);
        let lines = match &metric.value {
            Value::Latency(_) => 2 * OCTAVES.count() + 2,
            _ => 1,
        };
        if self.samples + lines > SAMPLES_MAX {
            self.left_out += lines;
            return;
        }
        self.samples += lines;
        match &metric.value {
            Value::Counter(value) => self.line(format_args!("{name}{{{labels}}} {}", fixed((*value).into()))),
            Value::Gauge(value) => self.line(format_args!("{name}{{{labels}}} {}", fixed((*value).into()))),
            Value::Latency(latency) => self.histogram(name, &labels, latency),
        }
    }

    fn histogram(&mut self, name: &str, labels: &str, latency: &LatencySnapshot) {
        let bounds = OCTAVES.flat_map(|octave| [1_u64 << octave, 3 << (octave - 1)]);
        for bound in bounds.take(2 * OCTAVES.count() - 1) {
            let (count, le) = (latency.count_below(bound), Fixed(bound.into(), NANO));
            self.line(format_args!("{name}_bucket{{{labels},le=\"{le}\"}} {count}"));
        }
        let (count, sum) = (latency.count(), Fixed(latency.sum().into(), NANO));
        self.line(format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {count}"));
        self.line(format_args!("{name}_sum{{{labels}}} {sum}"));
        self.line(format_args!("{name}_count{{{labels}}} {count}"));
    }

    fn line(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        self.text.write_fmt(arguments).unwrap_or_default();
        self.text.push('\n');
    }

    fn finish(mut self) -> String {
        let left_out = self.left_out;
        self.head(LEFT_OUT, "gauge", "Samples that this text has no room for.");
        self.line(format_args!("{LEFT_OUT} {left_out}"));
        self.text
    }
}

fn labels(process: &Process, labels: &str) -> String {
    let process = process
        .name
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    match labels {
        "" => format!("process=\"{process}\""),
        labels => format!("process=\"{process}\",{labels}"),
    }
}

#[cfg(test)]
mod tests {
    use tickpath_transport::{CounterPage, CounterView};

    use super::*;

    fn process(name: &str, fill: impl FnOnce(&CounterPage)) -> Process {
        let page = CounterPage::create(name).unwrap();
        fill(&page);
        Process::seen(&CounterView::open(page.file().reader_fd().unwrap()).unwrap())
    }

    #[test]
    fn help_and_type_come_once_a_name() {
        let relay = process("relay", |page| {
            page.counter("tickpath_relay_records_in_total", "venue=\"kraken\"", "Records in.")
                .add(5);
            page.counter("tickpath_relay_records_in_total", "venue=\"binance\"", "Records in.")
                .add(6);
            page.gauge("up", "", "Is up.").set(1);
        });
        let bridge = process("bridge", |page| page.gauge("up", "", "Is up.").set(1));
        let text = render(&[relay, bridge]);
        assert_eq!(text.matches("# TYPE up gauge").count(), 1);
        let help = "# HELP tickpath_relay_records_in_total Records in.";
        assert_eq!(text.matches(help).count(), 1);
        for expected in [
            "tickpath_relay_records_in_total{process=\"relay\",venue=\"kraken\"} 5\n",
            "up{process=\"relay\"} 1\nup{process=\"bridge\"} 1\n",
            "tickpath_bridge_samples_left_out 0\n",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
    }

    #[test]
    fn a_histogram_counts_exactly_and_in_seconds() {
        let bridge = process("bridge", |page| {
            let latency = page.latency("hop_ns", "venue=\"kraken\"", "A hop.");
            for ns in [1, 1023, 1024, 1535, 1536, 20_000_000_000] {
                latency.record(ns);
            }
        });
        let text = render(&[bridge]);
        for expected in [
            "# TYPE hop_seconds histogram\n",
            "hop_seconds_bucket{process=\"bridge\",venue=\"kraken\",le=\"0.000001024\"} 2\n",
            "hop_seconds_bucket{process=\"bridge\",venue=\"kraken\",le=\"0.000001536\"} 4\n",
            "hop_seconds_bucket{process=\"bridge\",venue=\"kraken\",le=\"0.000002048\"} 5\n",
            "hop_seconds_bucket{process=\"bridge\",venue=\"kraken\",le=\"8.589934592\"} 5\n",
            "hop_seconds_bucket{process=\"bridge\",venue=\"kraken\",le=\"+Inf\"} 6\n",
            "hop_seconds_sum{process=\"bridge\",venue=\"kraken\"} 20.000005119\n",
            "hop_seconds_count{process=\"bridge\",venue=\"kraken\"} 6\n",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
    }

    #[test]
    fn too_many_samples_are_left_out_and_counted() {
        let names: Vec<String> = (0..60).map(|index| format!("reader-{index}")).collect();
        let fill = |page: &CounterPage| {
            for index in 0..400 {
                page.gauge("many", &format!("n=\"{index}\""), "Many.").set(1);
            }
        };
        let processes: Vec<Process> = names.iter().map(|name| process(name, fill)).collect();
        let text = render(&processes);
        assert_eq!(
            text.lines().filter(|line| line.starts_with("many{")).count(),
            SAMPLES_MAX
        );
        assert!(text.contains(&format!("{LEFT_OUT} {}\n", 60 * 400 - SAMPLES_MAX)));
    }
}
