//! `tickpath status`: processes, rates, lag and gaps, from shared counters alone: no process is asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tickpath_service::Config;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_transport::counters::{CounterView, Value};
use tickpath_transport::observer::Observer;

use crate::kill::KillReport;
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
        processes: after.since(&before),
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

/// All numbers at one moment, by process and metric.
struct Sample {
    at: Instant,
    processes: BTreeMap<(String, u32), BTreeMap<String, Number>>,
}

#[derive(Clone, Copy)]
enum Number {
    Count(u64),
    Level(i64),
    Latency { p50: u64, p99: u64, p999: u64 },
}

impl Sample {
    fn take(views: &[CounterView]) -> Sample {
        let processes = views
            .iter()
            .map(|view| {
                let metrics = view.metrics().into_iter().map(|metric| {
                    let number = match metric.value {
                        Value::Counter(count) => Number::Count(count),
                        Value::Gauge(level) => Number::Level(level),
                        Value::Latency(latency) => Number::Latency {
                            p50: latency.percentile(50.0),
                            p99: latency.percentile(99.0),
                            p999: latency.percentile(99.9),
                        },
                    };
                    let labels = if metric.labels.is_empty() {
                        String::new()
                    } else {
                        format!("{{{}}}", metric.labels)
                    };
                    (format!("{}{labels}", metric.name), number)
                });
                ((view.process().to_owned(), view.pid()), metrics.collect())
            })
            .collect();
        Sample {
            at: Instant::now(),
            processes,
        }
    }

    fn since(&self, before: &Sample) -> Vec<ProcessReport> {
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        self.processes
            .iter()
            .map(|((name, pid), metrics)| {
                let earlier = before.processes.get(&(name.clone(), *pid));
                let metrics = metrics.iter().map(|(metric, number)| {
                    let value = match (*number, earlier.and_then(|earlier| earlier.get(metric))) {
                        (Number::Count(total), Some(Number::Count(past))) => MetricReport::Counter {
                            total,
                            per_second: total.saturating_sub(*past) as f64 / seconds,
                        },
                        (Number::Count(total), _) => MetricReport::Counter { total, per_second: 0.0 },
                        (Number::Level(value), _) => MetricReport::Gauge { value },
                        (Number::Latency { p50, p99, p999 }, _) => MetricReport::Latency {
                            p50_ns: p50,
                            p99_ns: p99,
                            p99_9_ns: p999,
                        },
                    };
                    (metric.clone(), value)
                });
                ProcessReport {
                    name: name.clone(),
                    pid: *pid,
                    metrics: metrics.collect(),
                }
            })
            .collect()
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
