//! `tickpath status`: processes, rates, lag and gaps, from shared counters alone: no process is asked.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tickpath_service::Config;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_transport::counters::{Metric, Value};
use tickpath_transport::observer::Observer;

use crate::kill::KillReport;
use crate::sample::{ProcessSample, Sample, Window};
use crate::supervisor::State;

/// Time between the two looks that a rate is taken from.
const WINDOW: Duration = Duration::from_secs(1);

/// Arguments of `tickpath status`.
#[derive(Args)]
pub struct StatusArgs {
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Prints the status; exit code 3 if no relay answers.
///
/// # Errors
/// If there is no relay.
pub fn status(config: &Config, args: &StatusArgs) -> Result<(), ProcessError> {
    let socket = config.relay_socket();
    let context = || format!("no relay answers on {}", socket.display());
    let mut observer = Observer::attach(&socket).or_exit(ExitCode::Unavailable, context())?;
    let before = Sample::take(observer.refresh().or_exit(ExitCode::Unavailable, context())?);
    std::thread::sleep(WINDOW);
    let after = Sample::take(observer.refresh().or_exit(ExitCode::Unavailable, context())?);
    let report = Report {
        kill: KillReport::of(config),
        up: State::read(&config.runtime_dir()),
        processes: processes(Window {
            now: &after,
            before: Some(&before),
        }),
    };
    match args.json {
        true => println!(
            "{}",
            serde_json::to_string(&report).or_exit(ExitCode::Failed, "status")?
        ),
        false => print!("{}", report.text()),
    }
    Ok(())
}

/// The processes, with rates over the window.
fn processes(window: Window<'_>) -> Vec<ProcessReport> {
    let reports = window.now.processes.iter().map(|process| ProcessReport {
        name: process.name.clone(),
        pid: process.pid,
        metrics: process
            .metrics
            .iter()
            .map(|metric| (full_name(metric), report(window, process, metric)))
            .collect(),
    });
    reports.collect()
}

fn full_name(metric: &Metric) -> String {
    match metric.labels.as_str() {
        "" => metric.name.clone(),
        labels => format!("{}{{{labels}}}", metric.name),
    }
}

fn report(window: Window<'_>, process: &ProcessSample, metric: &Metric) -> MetricReport {
    match &metric.value {
        Value::Counter(total) => MetricReport::Counter {
            total: *total,
            per_second: window.growth(process, metric).unwrap_or(0.0),
        },
        Value::Gauge(value) => MetricReport::Gauge { value: *value },
        Value::Latency(latency) => MetricReport::Latency {
            p50_ns: latency.percentile(50.0),
            p99_ns: latency.percentile(99.0),
            p99_9_ns: latency.percentile(99.9),
        },
    }
}

#[derive(Serialize)]
struct Report {
    /// What `tickpath up` runs, if it does.
    up: Option<State>,
    /// The kill switch, once there was an engine.
    kill: Option<KillReport>,
    processes: Vec<ProcessReport>,
}

#[derive(Serialize)]
struct ProcessReport {
    name: String,
    pid: u32,
    metrics: BTreeMap<String, MetricReport>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum MetricReport {
    Counter { total: u64, per_second: f64 },
    Gauge { value: i64 },
    Latency { p50_ns: u64, p99_ns: u64, p99_9_ns: u64 },
}

impl Report {
    fn text(&self) -> String {
        let mut out = String::new();
        if let Some(up) = &self.up {
            out.push_str(&format!("dashboard {}\n", up.dashboard));
            for process in &up.processes {
                let pid = process.pid.map_or("restarting".to_owned(), |pid| pid.to_string());
                out.push_str(&format!(
                    "{:<22} pid {pid:<10} restarts {}\n",
                    process.name, process.restarts
                ));
            }
        }
        out.extend(self.kill.as_ref().map(KillReport::text));
        for process in &self.processes {
            out.push_str(&format!("\n{} (pid {})\n", process.name, process.pid));
            for (name, metric) in &process.metrics {
                let value = match metric {
                    MetricReport::Counter { total, per_second } => format!("{total:>14}  {per_second:>12.1}/s"),
                    MetricReport::Gauge { value } => format!("{value:>14}"),
                    MetricReport::Latency {
                        p50_ns,
                        p99_ns,
                        p99_9_ns,
                    } => {
                        format!("p50 {p50_ns} ns  p99 {p99_ns} ns  p99.9 {p99_9_ns} ns")
                    }
                };
                out.push_str(&format!(
                    "  {:<58} {value}\n",
                    name.strip_prefix("tickpath_").unwrap_or(name)
                ));
            }
        }
        out
    }
}
