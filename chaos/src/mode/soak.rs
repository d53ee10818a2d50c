//! `tickpath-chaos soak`: a steady load for long, and whether memory, descriptors and latency stay what they were.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tickpath_service::exit::ProcessError;

use super::{Stage, refuse, ring, time, write_json};
use crate::pipeline;
use crate::place::{Place, Wanted};
use crate::proc;

/// Part of the run that counts as warming up: what it takes then is not growth.
const WARM_UP: f64 = 0.2;

/// Arguments of the mode.
#[derive(Debug, Args)]
pub struct SoakArgs {
    /// How long.
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Certified records a second.
    #[arg(long, default_value_t = 100_000)]
    rate: u64,
    /// Seconds between two samples.
    #[arg(long, default_value_t = 10)]
    sample: u64,
    /// Writes the samples as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A figure over time: hours since the beginning, value.
#[derive(Debug, Default, Serialize)]
struct Series(Vec<(f64, f64)>);

impl Series {
    /// The first value after the warm-up, the last one, and the slope of the straight line with the least squares, an hour.
    fn figures(&self) -> (f64, f64, f64) {
        let from = (self.0.len() as f64 * WARM_UP) as usize;
        let points = &self.0[from.min(self.0.len())..];
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return (0.0, 0.0, 0.0);
        };
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
        let products: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let squares: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let slope = if squares > 0.0 { products / squares } else { 0.0 };
        (first.1, last.1, slope)
    }
}

/// Runs it and prints the slopes.
///
/// # Errors
/// If the pipeline cannot be run, or a record is lost in silence.
pub fn run(arguments: &SoakArgs) -> Result<(), ProcessError> {
    let wanted = Wanted {
        disk_mib: 1536,
        relay: "capacity = 1048576".to_owned(),
        bridge: String::new(),
        simulator: String::new(),
        // A journal that reached its limit: deleting its oldest segments is part of the steady state.
        recorder: "segment_records = 1048576\nsize_bytes_max = 536870912".to_owned(),
        more: String::new(),
    };
    let (mut readers, stage) = Stage::start(&wanted, arguments.rate, |place| Ok(vec![ring(place, "ring")?]))?;
    let start = Instant::now();
    let mut series = BTreeMap::<String, Series>::new();
    while start.elapsed().as_secs_f64() < arguments.minutes * 60.0 {
        let latency = time(&mut readers[0], Duration::from_secs(arguments.sample))?;
        let hours = start.elapsed().as_secs_f64() / 3600.0;
        let mut add = |name: String, value: f64| series.entry(name).or_default().0.push((hours, value));
        add("latency p50, µs".to_owned(), latency.p50_ns as f64 / 1e3);
        add("latency p99, µs".to_owned(), latency.p99_ns as f64 / 1e3);
        add("latency p99.9, µs".to_owned(), latency.p999_ns as f64 / 1e3);
        add("records/s".to_owned(), latency.count as f64 / arguments.sample as f64);
        sample(&stage.place, add);
    }
    let (published, problems) = stage.finish(&mut readers)?;
    println!("| figure | first | last | slope an hour |\n|---|---|---|---|");
    for (name, series) in &series {
        let (first, last, slope) = series.figures();
        println!("| {name} | {first:.1} | {last:.1} | {slope:+.2} |");
    }
    println!(
        "\n{published} records in {:.1} minutes, warm-up of {:.0} % left out; {}, {} build of {}",
        start.elapsed().as_secs_f64() / 60.0,
        WARM_UP * 100.0,
        crate::host::describe(),
        crate::host::build(),
        crate::host::commit()
    );
    write_json(arguments.json.as_deref(), &series)?;
    refuse(&problems)
}

/// Memory that is a process's own, and its descriptors.
fn sample(place: &Place, mut add: impl FnMut(String, f64)) {
    for (name, pid) in pipeline::processes(place) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        // Pages of files and of shared rings are there before anybody touches them: only memory of its own can leak.
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        if let Some(kib) = kib {
            add(format!("{name} memory, KiB"), kib);
        }
        let descriptors: usize = proc::descriptors(pid).values().sum();
        add(format!("{name} descriptors"), descriptors as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_that_of_the_line() {
        let line = Series((0..100).map(|n| (f64::from(n), 3.0 + 2.0 * f64::from(n))).collect());
        let (first, last, slope) = line.figures();
        assert_eq!((first, last), (43.0, 201.0));
        assert!((slope - 2.0).abs() < 1e-9);
        assert_eq!(Series::default().figures(), (0.0, 0.0, 0.0));
    }
}
