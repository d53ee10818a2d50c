//! How often a core is taken away from who is pinned there: a spin that does nothing but read the clock. Two reads are some tens of nanoseconds
//! apart; a longer gap was somebody else's, an interrupt, the scheduler, or the host of this guest.
//!
//! A process that is pinned there and spins shares the core with the measurement: measure while the pipeline is down.

use std::fmt::Write;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tickpath_service::pin_current_thread;

use super::finding::Findings;
use super::plan::Plan;
use crate::table::duration;

/// Upper ends of the buckets that are shown, ns.
const BUCKETS: [(u64, &str); 5] = [
    (1_000, "below 1 µs"),
    (10_000, "1-10 µs"),
    (100_000, "10-100 µs"),
    (1_000_000, "0.1-1 ms"),
    (u64::MAX, "1 ms and more"),
];
/// Gaps from here on are time that the core was away, ns.
const AWAY_NS: u64 = 10_000;
/// A core that is away for longer at once, or for a larger part, is not whole.
const GAP_NS_MAX: u64 = 1_000_000;
const AWAY_PERCENT_MAX: f64 = 1.0;
/// Longest gap that is told apart, ns.
const HIGHEST_NS: u64 = 60_000_000_000;

/// Measures each pinned core for `time`. `is_up`: the pipeline runs, and its pinned threads with it.
pub fn check(plan: &Plan, time: Duration, is_up: bool, findings: &mut Findings) {
    for core in plan.cores().keys() {
        let mut keys = plan.keys(*core);
        if is_up {
            keys.push_str("; the pipeline runs there meanwhile");
        }
        // On a thread of its own, for its pin stays with it.
        let core = *core;
        let measured = std::thread::Builder::new()
            .name("jitter".into())
            .spawn(move || measure(core, time));
        match measured.map(std::thread::JoinHandle::join) {
            Ok(Ok(Ok(gaps))) => judge(core, &keys, &gaps, time, findings),
            Ok(Ok(Err(error))) => findings.fail(
                "jitter.pin",
                format!("core {core} ({keys}): {error}"),
                "change the pin, or the cores that this session and the units may use (CPUAffinity, cpusets)",
            ),
            Ok(Err(_)) => findings.unknown("jitter.core", format!("core {core}: the measurement broke off")),
            Err(error) => findings.unknown(
                "jitter.core",
                format!("core {core}: no thread could be started: {error}"),
            ),
        }
    }
}

/// Gaps between two reads of the clock, ns.
fn measure(core: usize, time: Duration) -> Result<Histogram<u64>, String> {
    pin_current_thread(Some(core)).map_err(|error| error.to_string())?;
    let mut gaps = Histogram::new_with_max(HIGHEST_NS, 2).map_err(|error| error.to_string())?;
    let start = Instant::now();
    let mut last = start;
    while last.duration_since(start) < time {
        let now = Instant::now();
        let gap = u64::try_from(now.duration_since(last).as_nanos()).unwrap_or(HIGHEST_NS);
        gaps.saturating_record(gap);
        last = now;
    }
    Ok(gaps)
}

fn judge(core: usize, keys: &str, gaps: &Histogram<u64>, time: Duration, findings: &mut Findings) {
    let away: f64 = gaps
        .iter_recorded()
        .filter(|value| value.value_iterated_to() >= AWAY_NS)
        .map(|value| value.value_iterated_to() as f64 * value.count_at_value() as f64)
        .sum();
    let percent = 100.0 * away / (time.as_nanos() as f64).max(1.0);
    let found = format!(
        "core {core} ({keys}), {} ms: {}; away for {percent:.2} %, at most {}",
        time.as_millis(),
        buckets(gaps),
        duration(gaps.max())
    );
    if gaps.max() >= GAP_NS_MAX || percent > AWAY_PERCENT_MAX {
        findings.warn(
            "jitter.core",
            found,
            format!(
                "keep others off core {core}: see cores.isolated and irqs.pinned; in a guest ask for cores of its own"
            ),
        );
    } else {
        findings.ok("jitter.core", found);
    }
}

/// How many gaps fell into each bucket, those that are empty left out.
fn buckets(gaps: &Histogram<u64>) -> String {
    let mut text = String::new();
    let mut low = 0;
    for (high, name) in BUCKETS {
        let count = gaps
            .iter_recorded()
            .filter(|value| (low..high).contains(&value.value_iterated_to()))
            .map(|value| value.count_at_value());
        let count: u64 = count.sum();
        low = high;
        if count > 0 {
            let separator = if text.is_empty() { "" } else { ", " };
            write!(text, "{separator}{count} gaps {name}").unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn judged(gaps: &[(u64, u64)]) -> (Level, String) {
        let mut histogram = Histogram::new_with_max(HIGHEST_NS, 2).unwrap();
        for (value, count) in gaps {
            histogram.record_n(*value, *count).unwrap();
        }
        let mut findings = Findings::default();
        judge(3, "relay.pin", &histogram, Duration::from_millis(500), &mut findings);
        (findings.all()[0].level, findings.all()[0].found.clone())
    }

    #[test]
    fn gaps_are_counted_and_judged() {
        let (level, text) = judged(&[(30, 1_000_000), (5_000, 7), (20_000, 2)]);
        assert_eq!(level, Level::Ok, "{text}");
        assert!(
            text.contains("1000000 gaps below 1 µs, 7 gaps 1-10 µs, 2 gaps 10-100 µs"),
            "{text}"
        );
        assert_eq!(judged(&[(30, 1_000), (2_000_000, 1)]).0, Level::Warning);
        assert_eq!(
            judged(&[(30, 1_000), (50_000, 200)]).0,
            Level::Warning,
            "2 % away in short pieces"
        );
        assert_eq!(judged(&[]).0, Level::Ok);
    }

    #[test]
    fn a_core_is_measured_and_one_that_is_not_there_is_a_failure() {
        let allowed = std::thread::spawn(|| pin_current_thread(Some(100_000)).unwrap_err().available[0])
            .join()
            .unwrap();
        let gaps = measure(allowed, Duration::from_millis(20)).unwrap();
        assert!(!gaps.is_empty());
        assert!(
            measure(100_000, Duration::from_millis(1))
                .unwrap_err()
                .contains("100000")
        );
    }
}
