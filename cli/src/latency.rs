//! `tickpath latency`: how long each hop of a record's way takes, from shared counters alone. A histogram counts from the start of its process;
//! the difference of two looks is what happened between them.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Config, Shutdown};
use tickpath_transport::counters::LatencySnapshot;
use tickpath_transport::observer::Observer;

use crate::sample::{Sample, Window, label};
use crate::table::{Cell, Table, Tone, duration, grouped};

/// How often a wait looks whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// The hops in the order of a record's way, and the metric of each. Other histograms follow under their own names.
const HOPS: [(&str, &str); 9] = [
    ("venue to receive", "tickpath_collector_event_to_recv_ns"),
    ("receive to publish", "tickpath_relay_recv_to_publish_ns"),
    ("publish to bridge", "tickpath_bridge_publish_to_bridge_ns"),
    ("receive to bridge", "tickpath_bridge_recv_to_bridge_ns"),
    ("publish to recorder", "tickpath_recorder_publish_to_recorder_ns"),
    ("publish to engine", "tickpath_engine_publish_to_engine_ns"),
    ("publish to order", "tickpath_engine_tick_to_order_ns"),
    ("journal sync", "tickpath_recorder_sync_ns"),
    ("database transaction", "tickpath_database_transaction_ns"),
];

/// Arguments of `tickpath latency`.
#[derive(Args)]
pub struct LatencyArgs {
    /// One JSON object a table instead of text; times in nanoseconds.
    #[arg(long)]
    json: bool,
    /// Only what happens within so long a time from now, such as 5s or 500ms; without it everything since each process began.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    interval: Option<Duration>,
    /// Print a table every so many seconds until Ctrl-C: the first since each process began, each later one of the time since the one before.
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u32).range(1..=86_400), conflicts_with = "interval")]
    watch: Option<u32>,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| format!("{error}; write 5s or 500ms"))?;
    match time {
        time if time < Duration::from_millis(10) => Err("the shortest interval is 10ms".into()),
        time if time > Duration::from_secs(86_400) => Err("the longest interval is 24h".into()),
        time => Ok(time),
    }
}

/// Prints the table, once or until the user stops it.
///
/// # Errors
/// If there is no relay.
pub fn latency(config: &Config, args: &LatencyArgs) -> Result<(), ProcessError> {
    let socket = config.relay_socket();
    let absent = || format!("no relay answers on {}", socket.display());
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "signals")?;
    let mut observer = Observer::attach(&socket).or_exit(ExitCode::Unavailable, absent())?;
    let mut look = || {
        let views = observer.refresh().or_exit(ExitCode::Unavailable, absent())?;
        Ok(Sample::take(views))
    };
    let mut before = None;
    let mut now = look()?;
    if let Some(interval) = args.interval {
        sleep(interval, &shutdown);
        before = Some(std::mem::replace(&mut now, look()?));
    }
    loop {
        let window = Window {
            now: &now,
            before: before.as_ref(),
        };
        if !print(window, args.json)? {
            return Ok(());
        }
        let Some(seconds) = args.watch else { return Ok(()) };
        sleep(Duration::from_secs(seconds.into()), &shutdown);
        if shutdown.is_requested() {
            return Ok(());
        }
        before = Some(std::mem::replace(&mut now, look()?));
    }
}

fn sleep(time: Duration, shutdown: &Shutdown) {
    let until = std::time::Instant::now() + time;
    while !shutdown.is_requested() {
        let left = until.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(NAP));
    }
}

/// Whether there is still somebody to print for: a pager that was closed is no failure.
fn print(window: Window<'_>, json: bool) -> Result<bool, ProcessError> {
    let text = match json {
        true => serde_json::to_string(&Report::of(window)).or_exit(ExitCode::Failed, "latency")? + "\n",
        false => table(window).text(),
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        result => result.or_exit(ExitCode::Failed, "standard output").map(|()| true),
    }
}

/// One hop of one process.
#[derive(Debug)]
struct Hop {
    name: String,
    process: String,
    venue: Option<String>,
    counted: LatencySnapshot,
}

/// Every hop that a process measures, in the order of a record's way.
fn hops(window: Window<'_>) -> Vec<Hop> {
    let mut hops = Vec::new();
    for process in &window.now.processes {
        for metric in &process.metrics {
            let Some(counted) = window.latency(process, metric) else {
                continue;
            };
            let known = HOPS.iter().position(|(_, name)| *name == metric.name);
            let short = || {
                metric
                    .name
                    .trim_start_matches("tickpath_")
                    .trim_end_matches("_ns")
                    .to_owned()
            };
            let hop = Hop {
                name: known.map_or_else(short, |at| HOPS[at].0.to_owned()),
                process: process.name.clone(),
                venue: label(&metric.labels, "venue").map(str::to_owned),
                counted,
            };
            hops.push((known.unwrap_or(HOPS.len()), hop));
        }
    }
    // Stable: processes keep the relay's order within a hop.
    hops.sort_by_key(|(order, _)| *order);
    hops.into_iter().map(|(_, hop)| hop).collect()
}

/// The per-hop table.
pub fn table(window: Window<'_>) -> Table {
    let since = window
        .seconds()
        .map_or("since each process began".to_owned(), |seconds| {
            format!("of the last {seconds:.1} s")
        });
    let rows = hops(window).into_iter().map(|hop| {
        let counted = &hop.counted;
        let time = |ns: u64| match counted.count() {
            0 => Cell::absent(),
            _ => Cell::plain(duration(ns)),
        };
        let percentile = |percent: f64| time(counted.percentile(percent));
        vec![
            Cell::plain(hop.name),
            hop.venue.map_or_else(Cell::absent, Cell::plain),
            percentile(50.0),
            percentile(90.0),
            percentile(99.0),
            percentile(99.9),
            time(counted.max()),
            Cell::plain(grouped(i64::try_from(counted.count()).unwrap_or(i64::MAX))),
            Cell::new(hop.process, Tone::Faint),
        ]
    });
    Table {
        title: format!("latency {since}"),
        columns: &["hop", "venue", "p50", "p90", "p99", "p99.9", "max", "count", "process"],
        rows: rows.collect(),
        if_empty: "no process measures anything yet",
    }
}

#[derive(Serialize)]
struct Report {
    /// Length of the window; null: since each process began.
    window_s: Option<f64>,
    hops: Vec<HopReport>,
}

#[derive(Serialize)]
struct HopReport {
    hop: String,
    process: String,
    venue: Option<String>,
    count: u64,
    p50_ns: u64,
    p90_ns: u64,
    p99_ns: u64,
    p99_9_ns: u64,
    max_ns: u64,
}

impl Report {
    fn of(window: Window<'_>) -> Report {
        let hops = hops(window).into_iter().map(|hop| HopReport {
            count: hop.counted.count(),
            p50_ns: hop.counted.percentile(50.0),
            p90_ns: hop.counted.percentile(90.0),
            p99_ns: hop.counted.percentile(99.0),
            p99_9_ns: hop.counted.percentile(99.9),
            max_ns: hop.counted.max(),
            hop: hop.name,
            process: hop.process,
            venue: hop.venue,
        });
        Report {
            window_s: window.seconds(),
            hops: hops.collect(),
        }
    }
}

/// The largest p99 among the hops of one name, for a line of summary.
pub fn worst_p99(window: Window<'_>, metric: &str) -> Option<u64> {
    let processes = window.now.processes.iter();
    let counted = processes.flat_map(|process| {
        process
            .of(metric, &[])
            .filter_map(move |metric| window.latency(process, metric))
    });
    counted
        .filter(|counted| counted.count() > 0)
        .map(|counted| counted.percentile(99.0))
        .max()
}

#[cfg(test)]
mod tests {
    use tickpath_transport::CounterPage;

    use super::*;
    use crate::sample::tests::sample;

    #[test]
    fn hops_stand_in_the_order_of_a_record_s_way_and_unknown_ones_last() {
        let bridge = CounterPage::create("bridge").unwrap();
        let strange = bridge.latency("tickpath_bridge_nap_ns", "", "");
        let published = bridge.latency("tickpath_bridge_publish_to_bridge_ns", "", "");
        let relay = CounterPage::create("relay").unwrap();
        let received = relay.latency("tickpath_relay_recv_to_publish_ns", "venue=\"kraken\"", "");
        relay.counter("tickpath_relay_records_out_total", "", "").add(1);
        (1..=100).for_each(|us| received.record(us * 1_000));
        published.record(5);
        let pages = [bridge, relay];
        let before = sample(&pages, 1);
        let cumulative = Window {
            now: &before,
            before: None,
        };
        let names: Vec<String> = hops(cumulative).into_iter().map(|hop| hop.name).collect();
        assert_eq!(names, ["receive to publish", "publish to bridge", "bridge_nap"]);
        let text = table(cumulative).text();
        assert!(text.starts_with("latency since each process began\n"), "{text}");
        assert!(text.contains("receive to publish  kraken"), "{text}");
        assert_eq!(worst_p99(cumulative, "tickpath_bridge_nap_ns"), None);

        strange.record(77);
        let now = sample(&pages, 6);
        let window = Window {
            now: &now,
            before: Some(&before),
        };
        let counts: Vec<u64> = hops(window).iter().map(|hop| hop.counted.count()).collect();
        assert_eq!(counts, [0, 0, 1]);
        let report = serde_json::to_value(Report::of(window)).unwrap();
        assert_eq!(report["window_s"], 5.0);
        assert_eq!(report["hops"][2]["max_ns"], 77);
        assert_eq!(report["hops"][0]["venue"], "kraken");
        assert!(table(window).text().starts_with("latency of the last 5.0 s\n"));
    }

    #[test]
    fn intervals_make_sense() {
        assert_eq!(parse_time("5s"), Ok(Duration::from_secs(5)));
        for text in ["", "5", "0s", "1ms", "25h", "soon"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_document_lists_the_hops() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/latency.md");
        let text = std::fs::read_to_string(path).unwrap();
        let rows = text
            .lines()
            .filter(|line| line.starts_with("| ") && line.contains("_ns` |"));
        let rows: Vec<(&str, &str)> = rows
            .map(|line| {
                let cells: Vec<&str> = line.split(" | ").collect();
                (cells[0].trim_start_matches("| "), cells[3].trim_matches('`'))
            })
            .collect();
        assert_eq!(rows, HOPS);
    }

    #[test]
    fn every_hop_is_a_metric_of_its_own() {
        for (at, (_, metric)) in HOPS.iter().enumerate() {
            assert!(HOPS[..at].iter().all(|(_, other)| other != metric), "{metric}");
            assert!(metric.ends_with("_ns"), "{metric}");
        }
    }
}
