//! Every check by its name. `docs/doctor.md` has the same table; a test keeps the two equal.

/// One check.
#[derive(Debug)]
pub struct Check {
    /// Its name. Stable: scripts look for it.
    pub id: &'static str,
    /// What it looks at.
    pub looks_at: &'static str,
    /// The worst that it says.
    pub worst: &'static str,
    /// Why it matters.
    pub why: &'static str,
}

const fn check(id: &'static str, looks_at: &'static str, worst: &'static str, why: &'static str) -> Check {
    Check {
        id,
        looks_at,
        worst,
        why,
    }
}

/// The checks in the order in which they run.
pub const CHECKS: [Check; 24] = [
    check(
        "config.valid",
        "`tickpath.toml`, as `tickpath check` does",
        "failure",
        "no process starts with a configuration that is wrong",
    ),
    check(
        "secrets.files",
        "the files that the configuration names for tokens, keys and addresses",
        "failure",
        "a secret that other users read is none, and no process takes it",
    ),
    check(
        "secrets.config",
        "mode of a configuration with a password in `database.url`; `effective.toml`",
        "failure",
        "every user of the host can read the database's password",
    ),
    check(
        "cores.online",
        "`/sys/devices/system/cpu/online`",
        "failure",
        "a process that is pinned to a core that is not there does not start",
    ),
    check(
        "cores.isolated",
        "`/sys/devices/system/cpu/isolated`",
        "warning",
        "the scheduler puts other work on the core, which then waits for a time slice of milliseconds",
    ),
    check(
        "cores.nohz_full",
        "`/sys/devices/system/cpu/nohz_full`",
        "warning",
        "the timer interrupts the core up to 1,000 times a second",
    ),
    check(
        "cores.rcu_nocbs",
        "`rcu_nocbs` or `nohz_full` on the kernel's command line",
        "warning",
        "the kernel runs its deferred clean-up on the core",
    ),
    check(
        "cores.siblings",
        "`topology/thread_siblings_list` of pinned cores",
        "warning",
        "two hardware threads share one core's units and its first caches",
    ),
    check(
        "irqs.pinned",
        "`/proc/interrupts`, `/proc/irq/*/smp_affinity_list`",
        "warning",
        "each interrupt takes the core away for microseconds",
    ),
    check(
        "power.governor",
        "`cpufreq/scaling_governor`",
        "warning",
        "a core that has to speed up first answers late",
    ),
    check(
        "power.cstates",
        "`cpuidle/state*` of pinned cores that do not spin",
        "warning",
        "a core that sleeps deeply takes up to hundreds of microseconds to wake",
    ),
    check(
        "memory.huge_pages",
        "`/sys/kernel/mm/transparent_hugepage/enabled`, `defrag`",
        "warning",
        "the kernel stops a thread to compact memory",
    ),
    check(
        "memory.lock",
        "limit of locked memory against what the rings need, where there is swap",
        "warning",
        "memory is kept from being swapped out only within this limit",
    ),
    check(
        "memory.swap",
        "`/proc/swaps`, `vm.swappiness`",
        "warning",
        "a page of a ring that was swapped out costs milliseconds when it is needed",
    ),
    check(
        "memory.free",
        "`MemAvailable` against what the rings need",
        "failure",
        "rings are touched when they are made: without memory a process is killed at its start or later",
    ),
    check(
        "memory.shm",
        "size and room of `/dev/shm`",
        "warning",
        "shared memory of a database or of your own readers goes there; the rings are memory files and do not",
    ),
    check(
        "clock.source",
        "`clocksource0/current_clocksource`",
        "warning",
        "every record is stamped: another source makes each look at the clock a system call, or worse",
    ),
    check(
        "clock.tsc",
        "`constant_tsc` and `nonstop_tsc` in `/proc/cpuinfo`",
        "warning",
        "without them the kernel may drop the counter as its clock",
    ),
    check(
        "clock.offset",
        "chrony's word on the offset, else the kernel's (`adjtimex`)",
        "failure",
        "times of venues are compared with ours: `event_to_recv` means nothing on a clock that is wrong",
    ),
    check(
        "limits.files",
        "limit of open files against the clients that are allowed",
        "failure",
        "the bridge refuses clients, or the relay readers, before their configured number is there",
    ),
    check(
        "disk.room",
        "room on the journal's file system against `recorder.size_bytes_max`",
        "failure",
        "a full disk stops the recording; what is missing is then a Gap record",
    ),
    check(
        "disk.sync",
        "measured: 100 writes of 4 KiB with `fdatasync`",
        "failure",
        "what is not synced is lost in a power cut: a sync must fit into `recorder.sync_ms`",
    ),
    check(
        "jitter.core",
        "measured: a spin on each pinned core",
        "warning",
        "a core that is taken away shows in the tail of everything that runs there",
    ),
    check(
        "jitter.pin",
        "whether this process may be pinned there",
        "failure",
        "a process that cannot be pinned does not start",
    ),
];

/// The table of all checks, a row each, as the document has it.
pub fn rows() -> Vec<String> {
    let rows = CHECKS.iter().map(|check| {
        let Check {
            id,
            looks_at,
            worst,
            why,
        } = check;
        format!("| `{id}` | {looks_at} | {worst} | {why} |")
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the document is this one.
    #[test]
    fn the_document_lists_every_check() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/doctor.md");
        let text = std::fs::read_to_string(path).unwrap();
        let listed: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| `"))
            .filter(|line| line.matches(" | ").count() == 3)
            .collect();
        let expected = rows();
        assert_eq!(
            listed,
            expected,
            "docs/doctor.md must have these rows:\n{}",
            expected.join("\n")
        );
    }

    #[test]
    fn names_are_unique() {
        for (at, check) in CHECKS.iter().enumerate() {
            assert!(CHECKS[..at].iter().all(|other| other.id != check.id), "{}", check.id);
            assert!(["warning", "failure"].contains(&check.worst), "{}", check.id);
        }
    }
}
