//! The text of `/metrics`: every process's page of counters in Prometheus' exposition format 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;

use tickpath_transport::counters::{Metric, Value};

/// The quantiles of a latency, as percent and as the label has it.
const QUANTILES: [(f64, &str); 5] = [
    (50.0, "0.5"),
    (90.0, "0.9"),
    (99.0, "0.99"),
    (99.9, "0.999"),
    (100.0, "1"),
];

/// One process's metrics.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Its metrics.
    pub metrics: Vec<Metric>,
}

/// The text. Samples of one name stand together, whichever process they are from, as the format requires.
#[must_use]
pub fn render(processes: &[Process]) -> String {
    let mut families: BTreeMap<&str, Vec<(&Process, &Metric)>> = BTreeMap::new();
    for process in processes {
        for metric in &process.metrics {
            families.entry(&metric.name).or_default().push((process, metric));
        }
    }
    let mut text = String::new();
    for (name, samples) in families {
        let Some((_, first)) = samples.first() else { continue };
        let kind = kind(&first.value);
        line(&mut text, format_args!("# HELP {name} {}", escaped_help(&first.help)));
        line(&mut text, format_args!("# TYPE {name} {kind}"));
        // A process of another version may mean another thing by the name; a family has one type.
        for (process, metric) in samples.iter().filter(|(_, metric)| self::kind(&metric.value) == kind) {
            sample(&mut text, process, metric);
        }
    }
    text
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Counter(_) => "counter",
        Value::Gauge(_) => "gauge",
        Value::Latency(_) => "summary",
    }
}

fn sample(text: &mut String, process: &Process, metric: &Metric) {
    let name = &metric.name;
    let labels = labels(process, metric);
    match &metric.value {
        Value::Counter(value) => line(text, format_args!("{name}{{{labels}}} {value}")),
        Value::Gauge(value) => line(text, format_args!("{name}{{{labels}}} {value}")),
        Value::Latency(latency) => {
            for (percent, quantile) in QUANTILES {
                let value = if percent == 100.0 {
                    latency.max()
                } else {
                    latency.percentile(percent)
                };
                line(text, format_args!("{name}{{{labels},quantile=\"{quantile}\"}} {value}"));
            }
            line(text, format_args!("{name}_sum{{{labels}}} {}", latency.sum()));
            line(text, format_args!("{name}_count{{{labels}}} {}", latency.count()));
        }
    }
}

fn labels(process: &Process, metric: &Metric) -> String {
    let process = process
        .name
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    match metric.labels.as_str() {
        "" => format!("process=\"{process}\""),
        labels => format!("process=\"{process}\",{labels}"),
    }
}

fn escaped_help(help: &str) -> String {
    help.replace('\\', "\\\\").replace('\n', "\\n")
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{arguments}");
}

#[cfg(test)]
mod tests {
    use tickpath_transport::{CounterPage, CounterView};

    use super::*;

    fn process(name: &str, fill: impl FnOnce(&CounterPage)) -> Process {
        let page = CounterPage::create(name).unwrap();
        fill(&page);
        let view = CounterView::open(page.file().reader_fd().unwrap()).unwrap();
        Process {
            name: view.process().to_owned(),
            pid: view.pid(),
            metrics: view.metrics(),
        }
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
        let bridge = process("bridge", |page| {
            page.gauge("up", "", "Is up.").set(1);
            let latency = page.latency("hop_ns", "venue=\"kraken\"", "A hop.");
            (1..=100).for_each(|ns| latency.record(ns));
        });
        let text = render(&[relay, bridge]);
        assert_eq!(text.matches("# TYPE up gauge").count(), 1);
        assert_eq!(
            text.matches("# HELP tickpath_relay_records_in_total Records in.")
                .count(),
            1
        );
        for expected in [
            "tickpath_relay_records_in_total{process=\"relay\",venue=\"kraken\"} 5\n",
            "up{process=\"relay\"} 1\nup{process=\"bridge\"} 1\n",
            "# TYPE hop_ns summary\n",
            "hop_ns{process=\"bridge\",venue=\"kraken\",quantile=\"1\"} 100\n",
            "hop_ns_count{process=\"bridge\",venue=\"kraken\"} 100\n",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
    }
}
