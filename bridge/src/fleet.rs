//! What is known of each process from outside: whether it is there, since when, how often it came back, what it takes of the machine. Added to the process's own
//! metrics, so that a process that is dead says so.

use std::collections::BTreeMap;
use std::fs;

use tickpath_service::Config;
use tickpath_service::config::engine::ExecutionVenue;
use tickpath_transport::counters::{Metric, Value};

use crate::prometheus::Process;

/// Looks for which a process that nobody configured is remembered.
const GONE_LOOKS: u32 = 60;
/// Processes that are remembered.
const PROCESSES_MAX: usize = 128;
/// Ticks a second of the times in `/proc/PID/stat`: a constant of Linux's interface, see proc_pid_stat(5) and `USER_HZ`.
const TICKS_PER_SECOND: u64 = 100;

/// Remembers the processes.
#[derive(Debug)]
pub struct Fleet {
    expected: Vec<String>,
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    pid: u32,
    started_ns: i64,
    restarts: u64,
    missed: u32,
}

/// The processes that this configuration asks for, by the names of their pages. The simulator has no page.
#[must_use]
pub fn expected(config: &Config) -> Vec<String> {
    let mut names = vec!["relay".to_owned(), crate::PROCESS.to_owned()];
    names.extend(config.recorder.enabled.then(|| "recorder".to_owned()));
    names.extend(
        config
            .enabled_collectors()
            .iter()
            .map(|(venue, _)| format!("collector-{venue}")),
    );
    if config.engine.enabled {
        names.push("engine".to_owned());
        names.extend(config.engine.watchdog.enabled.then(|| "kill-watchdog".to_owned()));
        names.extend((config.engine.venue == ExecutionVenue::Simulated).then(|| "gateway".to_owned()));
    }
    names
}

impl Fleet {
    /// Nothing seen yet; those that are expected are down until they are seen.
    #[must_use]
    pub fn new(expected: Vec<String>) -> Fleet {
        Fleet {
            expected,
            known: BTreeMap::new(),
        }
    }

    /// The processes with what is known of them, each name once, and those that are missed.
    pub fn complete(&mut self, processes: Vec<Process>) -> Vec<Process> {
        let mut present: BTreeMap<String, Process> = BTreeMap::new();
        for process in processes {
            // Two of one name, as two `tickpath tail`: a label can stand for one of them only.
            let is_newest = present
                .get(&process.name)
                .is_none_or(|other| other.started_ns < process.started_ns);
            if is_newest {
                present.insert(process.name.clone(), process);
            }
        }
        self.take_note(&present);
        for process in present.values_mut() {
            let restarts = self.known.get(&process.name).map_or(0, |known| known.restarts);
            process.metrics.extend(outside(process, restarts));
        }
        let absent = self.absent(&present);
        present.into_values().chain(absent).collect()
    }

    fn take_note(&mut self, present: &BTreeMap<String, Process>) {
        for known in self.known.values_mut() {
            known.missed = known.missed.saturating_add(1);
        }
        for (name, process) in present {
            let has_room = self.known.len() < PROCESSES_MAX;
            let (pid, started_ns) = (process.pid, process.started_ns);
            let new = Known {
                pid,
                started_ns,
                restarts: 0,
                missed: 0,
            };
            match self.known.get_mut(name) {
                Some(known) => {
                    let is_another = (known.pid, known.started_ns) != (pid, started_ns);
                    let restarts = known.restarts + u64::from(is_another);
                    *known = Known { restarts, ..new };
                }
                None if has_room => {
                    self.known.insert(name.clone(), new);
                }
                None => {}
            }
        }
        let expected = &self.expected;
        self.known
            .retain(|name, known| expected.contains(name) || known.missed <= GONE_LOOKS);
    }

    fn absent(&self, present: &BTreeMap<String, Process>) -> Vec<Process> {
        let names = self.expected.iter().filter(|name| !present.contains_key(*name));
        let absent = names.map(|name| {
            let restarts = self.known.get(name).map_or(0, |known| known.restarts);
            Process {
                name: name.clone(),
                pid: 0,
                started_ns: 0,
                version: String::new(),
                metrics: vec![up(false), restarts_total(restarts)],
            }
        });
        absent.collect()
    }
}

fn outside(process: &Process, restarts: u64) -> Vec<Metric> {
    let mut metrics = vec![
        up(true),
        restarts_total(restarts),
        gauge(
            "tickpath_process_start_time_ns",
            process.started_ns,
            "When the process started, since the Unix epoch.",
        ),
    ];
    if !process.version.is_empty() {
        metrics.push(Metric {
            labels: format!("version=\"{}\"", process.version.replace(['"', '\\', '\n'], "_")),
            ..gauge(
                "tickpath_build_info",
                1,
                "1; the label says which version of the program runs.",
            )
        });
    }
    metrics.extend(usage(process.pid));
    metrics
}

fn up(is_up: bool) -> Metric {
    let help = "1 while the process is attached to the relay, 0 while a process that should be there is not.";
    gauge("tickpath_process_up", is_up.into(), help)
}

fn restarts_total(restarts: u64) -> Metric {
    let help = "Times that the process came back as another one, as the bridge saw it.";
    counter("tickpath_process_restarts_total", restarts, help)
}

/// What the process takes of the machine; nothing where `/proc` does not show it, as to another user.
fn usage(pid: u32) -> Vec<Metric> {
    let mut metrics = Vec::new();
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    if let Some(ticks) = cpu_ticks(&read("stat")) {
        let ns = ticks.saturating_mul(1_000_000_000 / TICKS_PER_SECOND);
        metrics.push(counter(
            "tickpath_process_cpu_ns_total",
            ns,
            "Processor time used, user and system.",
        ));
    }
    let status = read("status");
    if let Some(kilobytes) = number_after(&status, "VmRSS:") {
        let help = "Memory in use, what is shared with other processes too.";
        metrics.push(gauge(
            "tickpath_process_resident_memory_bytes",
            kilobytes.saturating_mul(1024),
            help,
        ));
    }
    if let Some(threads) = number_after(&status, "Threads:") {
        metrics.push(gauge("tickpath_process_threads", threads, "Threads."));
    }
    if let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) {
        let open = i64::try_from(open.count()).unwrap_or(i64::MAX);
        metrics.push(gauge("tickpath_process_open_fds", open, "Open file descriptors."));
    }
    if let Some(most) = number_after(&read("limits"), "Max open files") {
        metrics.push(gauge(
            "tickpath_process_max_fds",
            most,
            "File descriptors that may be open.",
        ));
    }
    metrics
}

/// User and system time in `pid (name) state …`: fields 14 and 15. A name may hold spaces and brackets.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    ticks()?.checked_add(ticks()?)
}

fn number_after(text: &str, key: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

fn gauge(name: &str, value: i64, help: &str) -> Metric {
    metric(name, Value::Gauge(value), help)
}

fn counter(name: &str, value: u64, help: &str) -> Metric {
    metric(name, Value::Counter(value), help)
}

fn metric(name: &str, value: Value, help: &str) -> Metric {
    Metric {
        name: name.to_owned(),
        labels: String::new(),
        help: help.to_owned(),
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, pid: u32, started_ns: i64) -> Process {
        Process {
            name: name.to_owned(),
            pid,
            started_ns,
            version: "1.2.3".to_owned(),
            metrics: Vec::new(),
        }
    }

    fn value(processes: &[Process], process: &str, name: &str) -> Option<Value> {
        let process = processes.iter().find(|known| known.name == process)?;
        let metric = process.metrics.iter().find(|metric| metric.name == name)?;
        Some(metric.value.clone())
    }

    fn is_up(processes: &[Process], process: &str) -> Option<bool> {
        value(processes, process, "tickpath_process_up").map(|value| value == Value::Gauge(1))
    }

    #[test]
    fn who_is_expected_is_down_until_seen_and_when_gone() {
        let mut fleet = Fleet::new(vec!["relay".into(), "recorder".into()]);
        let seen = fleet.complete(vec![process("relay", 7, 100)]);
        assert_eq!(
            (is_up(&seen, "relay"), is_up(&seen, "recorder")),
            (Some(true), Some(false))
        );
        let seen = fleet.complete(vec![]);
        assert_eq!(
            (is_up(&seen, "relay"), is_up(&seen, "recorder")),
            (Some(false), Some(false))
        );
        let restarts = "tickpath_process_restarts_total";
        assert_eq!(value(&seen, "relay", restarts), Some(Value::Counter(0)));
        let seen = fleet.complete(vec![process("relay", 8, 200)]);
        assert_eq!(is_up(&seen, "relay"), Some(true));
        assert_eq!(value(&seen, "relay", restarts), Some(Value::Counter(1)));
        let start = value(&seen, "relay", "tickpath_process_start_time_ns");
        assert_eq!(start, Some(Value::Gauge(200)));
    }

    #[test]
    fn who_is_not_expected_is_forgotten_and_of_two_the_newest_is_shown() {
        let mut fleet = Fleet::new(vec![]);
        let seen = fleet.complete(vec![process("tail", 1, 20), process("tail", 2, 10)]);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].pid, 1);
        for _ in 0..=GONE_LOOKS {
            assert_eq!(fleet.known.len(), 1);
            assert!(fleet.complete(vec![]).is_empty(), "nobody misses it");
        }
        assert!(fleet.known.is_empty());
    }

    #[test]
    fn a_process_takes_something_of_the_machine() {
        let mut fleet = Fleet::new(vec![]);
        let seen = fleet.complete(vec![process("own", std::process::id(), 1)]);
        for name in [
            "tickpath_process_resident_memory_bytes",
            "tickpath_process_threads",
            "tickpath_process_open_fds",
            "tickpath_process_max_fds",
        ] {
            assert!(matches!(value(&seen, "own", name), Some(Value::Gauge(1..))), "{name}");
        }
        assert!(value(&seen, "own", "tickpath_process_cpu_ns_total").is_some());
    }

    #[test]
    fn names_in_stat_may_hold_anything() {
        let stat = "12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("12 (a"), None);
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn the_configuration_says_who_should_be_there() {
        let names = expected(&Config::default());
        for name in [
            "relay",
            "bridge",
            "recorder",
            "engine",
            "kill-watchdog",
            "collector-kraken",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
        }
    }
}
