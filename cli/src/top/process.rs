//! What the kernel says of a process: its state, its time on the processor, the cores that its threads are pinned to. From `/proc`, which a
//! container may hide: then nothing is said.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The kernel counts times for users in hundredths of a second, whatever its own tick is (`USER_HZ` in proc(5)).
const TICK: Duration = Duration::from_millis(10);
/// Threads of a process that are looked at.
const THREADS_MAX: usize = 256;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// R runs, S sleeps, D waits for a disk, T is stopped, Z has ended.
    pub state: char,
    /// Time on processors since its start.
    pub busy: Duration,
    /// When this was seen.
    pub at: Instant,
    /// Cores that one thread at least may not leave.
    pub pins: BTreeSet<usize>,
}

impl Usage {
    /// Percent of one core since an earlier look.
    pub fn percent_since(&self, before: &Usage) -> Option<f64> {
        let elapsed = self.at.saturating_duration_since(before.at).as_secs_f64();
        let busy = self.busy.checked_sub(before.busy)?.as_secs_f64();
        (elapsed > 0.0).then(|| 100.0 * busy / elapsed)
    }
}

/// What is known of a process now; `proc` is `/proc`.
pub fn usage(proc: &Path, pid: u32) -> Option<Usage> {
    let dir = proc.join(pid.to_string());
    let (state, busy) = parse_stat(&fs::read_to_string(dir.join("stat")).ok()?)?;
    let threads = fs::read_dir(dir.join("task")).into_iter().flatten().take(THREADS_MAX);
    let pins = threads.flatten().filter_map(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).ok()?;
        let allowed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        // A pinned thread may run on one core alone, which reads as one number.
        allowed.trim().parse().ok()
    });
    Some(Usage {
        state,
        busy,
        at: Instant::now(),
        pins: pins.collect(),
    })
}

/// State and time on processors, of `pid (name) state ppid …`; a name may hold blanks and brackets.
fn parse_stat(text: &str) -> Option<(char, Duration)> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // Fields 14 and 15 of proc(5), where the state is the third.
    let mut ticks = fields.skip(10).map(str::parse::<u64>);
    let busy = ticks.next()?.ok()?.saturating_add(ticks.next()?.ok()?);
    Some((state, TICK.saturating_mul(u32::try_from(busy).unwrap_or(u32::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let seen = usage(Path::new("/proc"), std::process::id()).unwrap();
        assert!("RSD".contains(seen.state), "{seen:?}");
        assert_eq!(usage(Path::new("/proc"), u32::MAX), None);
        let later = Usage {
            busy: seen.busy + Duration::from_millis(500),
            at: seen.at + Duration::from_secs(1),
            ..seen.clone()
        };
        assert_eq!(later.percent_since(&seen), Some(50.0));
        assert_eq!(seen.percent_since(&seen), None);
    }

    #[test]
    fn a_made_up_process_is_read_and_garbage_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let stat = |text: &str| {
            fs::create_dir_all(dir.path().join("7/task/7")).unwrap();
            fs::create_dir_all(dir.path().join("7/task/8")).unwrap();
            fs::write(dir.path().join("7/stat"), text).unwrap();
            usage(dir.path(), 7)
        };
        let line = "7 (a ) b) S 1 7 7 0 -1 4194304 90 0 0 0 120 30 0 0 20 0 3 0 5 6 7";
        let seen = stat(line).unwrap();
        assert_eq!((seen.state, seen.busy), ('S', Duration::from_millis(1_500)));
        assert!(seen.pins.is_empty());
        fs::write(
            dir.path().join("7/task/7/status"),
            "Name:\tx\nCpus_allowed_list:\t0-1\n",
        )
        .unwrap();
        fs::write(dir.path().join("7/task/8/status"), "Cpus_allowed_list:\t1\n").unwrap();
        assert_eq!(stat(line).unwrap().pins, BTreeSet::from([1]));
        for garbage in [
            "",
            ")",
            "7 (x)",
            "7 (x) S 1 2",
            "7 (x) S 1 7 7 0 -1 4 9 0 0 0 many 30",
            "7 (x) S 1 7 7 0 -1 4 9 0 0 0 -1 30",
        ] {
            assert_eq!(stat(garbage), None, "{garbage:?}");
        }
        let endless = format!("7 (x) R 1 7 7 0 -1 4 9 0 0 0 {} {}", u64::MAX, u64::MAX);
        assert!(stat(&endless).is_some());
    }
}
