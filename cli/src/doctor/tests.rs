//! The checks on hosts that are made up: a good one, a bad one, one without files, one full of garbage.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;
use tickpath_service::Config;

use super::finding::{Findings, Level};
use super::host::Host;
use super::plan::Plan;
use super::{by_files, catalog};

const CPU: &str = "sys/devices/system/cpu";

/// A host with four cores that has all that the plan asks for.
const GOOD: [(&str, &str); 24] = [
    ("sys/devices/system/cpu/online", "0-3\n"),
    ("sys/devices/system/cpu/isolated", "2-3\n"),
    ("sys/devices/system/cpu/nohz_full", "2-3\n"),
    ("proc/cmdline", "root=/dev/vda quiet rcu_nocbs=2-3 nohz_full=2-3\n"),
    ("sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "2\n"),
    ("sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "3\n"),
    ("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "performance\n"),
    ("sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "performance\n"),
    ("sys/devices/system/cpu/cpu3/cpuidle/state0/name", "POLL\n"),
    ("sys/devices/system/cpu/cpu3/cpuidle/state0/latency", "0\n"),
    ("sys/devices/system/cpu/cpu3/cpuidle/state1/name", "C6\n"),
    ("sys/devices/system/cpu/cpu3/cpuidle/state1/latency", "133\n"),
    ("sys/devices/system/cpu/cpu3/cpuidle/state1/disable", "1\n"),
    (
        "proc/interrupts",
        "      CPU0 CPU1 CPU2 CPU3\n 30:   9    0    5    0  PCI-MSI 1-edge  eth0\nLOC:   9  9  9  9  Local timer interrupts\n",
    ),
    ("proc/irq/30/effective_affinity_list", "0\n"),
    ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
    (
        "sys/kernel/mm/transparent_hugepage/defrag",
        "always defer [madvise] never\n",
    ),
    (
        "proc/self/limits",
        "Limit  Soft Limit  Hard Limit  Units\nMax open files            1048576              1048576              files\nMax locked memory         unlimited            unlimited            bytes\n",
    ),
    ("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n"),
    ("proc/meminfo", "MemTotal: 64000000 kB\nMemAvailable:   60000000 kB\n"),
    (
        "sys/devices/system/clocksource/clocksource0/current_clocksource",
        "tsc\n",
    ),
    (
        "proc/cpuinfo",
        "processor\t: 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc\n",
    ),
    ("dev/shm/.keep", ""),
    ("proc/sys/vm/swappiness", "60\n"),
];

/// What each change to the good host must lead to.
const FAULTS: [(&str, &str, &str, Level); 21] = [
    ("proc/cmdline", "rcu_nocbs=3-x", "cores.rcu_nocbs", Level::Unknown),
    ("sys/devices/system/cpu/online", "0-2", "cores.online", Level::Failure),
    ("sys/devices/system/cpu/isolated", "", "cores.isolated", Level::Warning),
    ("sys/devices/system/cpu/isolated", "3", "cores.isolated", Level::Warning),
    (
        "sys/devices/system/cpu/nohz_full",
        "(null)",
        "cores.nohz_full",
        Level::Warning,
    ),
    ("proc/cmdline", "quiet", "cores.rcu_nocbs", Level::Warning),
    ("proc/cmdline", "rcu_nocbs=all", "cores.rcu_nocbs", Level::Ok),
    (
        "sys/devices/system/cpu/cpu2/topology/thread_siblings_list",
        "0,2",
        "cores.siblings",
        Level::Warning,
    ),
    (
        "proc/irq/30/effective_affinity_list",
        "0-3",
        "irqs.pinned",
        Level::Warning,
    ),
    (
        "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor",
        "powersave",
        "power.governor",
        Level::Warning,
    ),
    (
        "sys/devices/system/cpu/cpu3/cpuidle/state1/disable",
        "0",
        "power.cstates",
        Level::Warning,
    ),
    (
        "sys/kernel/mm/transparent_hugepage/enabled",
        "[always] madvise never",
        "memory.huge_pages",
        Level::Warning,
    ),
    (
        "sys/kernel/mm/transparent_hugepage/defrag",
        "[always] madvise never",
        "memory.huge_pages",
        Level::Warning,
    ),
    (
        "proc/self/limits",
        "Max locked memory 8388608 8388608 bytes\nMax open files 1024 4096 files",
        "memory.lock",
        Level::Ok,
    ),
    (
        "proc/self/limits",
        "Max locked memory 8388608 8388608 bytes\nMax open files 1024 4096 files",
        "limits.files",
        Level::Failure,
    ),
    (
        "proc/swaps",
        "Filename\n/dev/vdb partition 1 0 -2",
        "memory.swap",
        Level::Warning,
    ),
    ("proc/meminfo", "MemAvailable: 1024 kB", "memory.free", Level::Failure),
    (
        "sys/devices/system/clocksource/clocksource0/current_clocksource",
        "hpet",
        "clock.source",
        Level::Warning,
    ),
    (
        "proc/cpuinfo",
        "flags : fpu tsc constant_tsc",
        "clock.tsc",
        Level::Warning,
    ),
    ("proc/cpuinfo", "Features : fp asimd", "clock.tsc", Level::Unknown),
    ("proc/meminfo", "MemAvailable: lots", "memory.free", Level::Unknown),
];

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn good_host() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    GOOD.iter().for_each(|(path, text)| put(dir.path(), path, text));
    dir
}

fn examine(root: &Path) -> Findings {
    let text = "[relay]\npin = 2\nwait = \"spin\"\n[bridge]\npin = 3\nwait = \"yield\"\n";
    let config = Config::parse(text, Path::new("t")).unwrap();
    let mut findings = Findings::default();
    by_files(&Host::at(root), &Plan::of(&config, None), &mut findings);
    for finding in findings.all() {
        let check = catalog::CHECKS.iter().find(|check| check.id == finding.id);
        let check = check.unwrap_or_else(|| panic!("{} is in no catalog", finding.id));
        assert!(
            finding.level < Level::Failure || check.worst == "failure",
            "{finding:?}"
        );
        assert_eq!(finding.level >= Level::Warning, finding.fix.is_some(), "{finding:?}");
    }
    findings
}

/// The worst that was found under a name.
fn worst(findings: &Findings, id: &str) -> Option<Level> {
    findings
        .all()
        .iter()
        .filter(|finding| finding.id == id)
        .map(|finding| finding.level)
        .max()
}

#[test]
fn a_good_host_has_no_fault() {
    let host = good_host();
    let findings = examine(host.path());
    for finding in findings.all() {
        // A made-up host has no clock to ask.
        let expected = if finding.id == "clock.offset" {
            Level::Unknown
        } else {
            Level::Ok
        };
        assert_eq!(finding.level, expected, "{finding:?}");
    }
    let by_files = ["cores.", "irqs.", "power.", "memory.", "clock.", "limits."];
    let ids = catalog::CHECKS.iter().map(|check| check.id);
    for id in ids.filter(|id| by_files.iter().any(|group| id.starts_with(group))) {
        assert!(worst(&findings, id).is_some(), "{id} was looked at");
    }
}

#[test]
fn each_fault_is_found_and_no_other() {
    for (path, text, id, expected) in FAULTS {
        let host = good_host();
        put(host.path(), path, text);
        let findings = examine(host.path());
        assert_eq!(
            worst(&findings, id),
            Some(expected),
            "{path} = {text:?}\n{}",
            findings.text()
        );
        let others = findings
            .all()
            .iter()
            .filter(|finding| finding.id != id && finding.level >= Level::Warning);
        let others: Vec<&str> = others.map(|finding| finding.id).collect();
        // One file may hold what two checks look at.
        let expected: &[&str] = match (path, id) {
            ("proc/self/limits", "memory.lock") => &["limits.files"],
            _ => &[],
        };
        assert_eq!(others, expected, "{path} = {text:?}");
    }
}

#[test]
fn a_limit_of_locked_memory_matters_where_there_is_swap() {
    let host = good_host();
    put(
        host.path(),
        "proc/self/limits",
        "Max locked memory 8388608 8388608 bytes",
    );
    put(host.path(), "proc/sys/vm/swappiness", "1");
    assert_eq!(worst(&examine(host.path()), "memory.lock"), Some(Level::Ok));
    put(host.path(), "proc/swaps", "Filename\n/dev/vdb partition 1 0 -2");
    let findings = examine(host.path());
    assert_eq!(worst(&findings, "memory.lock"), Some(Level::Warning));
    assert_eq!(worst(&findings, "memory.swap"), Some(Level::Ok), "for need alone");
}

#[test]
fn a_fix_names_the_file_or_the_command() {
    let host = good_host();
    put(host.path(), &format!("{CPU}/isolated"), "");
    put(host.path(), "proc/irq/30/effective_affinity_list", "0-3");
    let text = examine(host.path()).text();
    for expected in [
        "isolcpus=managed_irq,domain,2-3",
        "echo 0-1 > /proc/irq/$irq/smp_affinity_list",
        "for irq in 30;",
        "30 eth0 (5 since boot, goes to 0-3)",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
}

#[test]
fn what_is_absent_is_unknown() {
    let host = tempfile::tempdir().unwrap();
    let findings = examine(host.path());
    for finding in findings.all() {
        assert_eq!(finding.level, Level::Unknown, "{finding:?}");
    }
    assert!(findings.all().len() >= 14, "{}", findings.text());
}

#[test]
fn directories_and_links_in_a_circle_are_unknown_as_well() {
    let host = tempfile::tempdir().unwrap();
    for (path, _) in GOOD {
        let path = host.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&path, &path).unwrap();
    }
    let findings = examine(host.path());
    assert!(
        findings
            .all()
            .iter()
            .all(|finding| finding.level == Level::Unknown || finding.id == "memory.shm"),
        "{}",
        findings.text()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// Whatever stands in the files, every check says something and none panics.
    #[test]
    fn garbage_harms_nobody(text in "(\\PC|[0-9,:\\-\\[\\] \n\t]){0,200}", cut in 0_usize..200, binary in proptest::collection::vec(any::<u8>(), 0..100)) {
        let host = tempfile::tempdir().unwrap();
        for (at, (path, good)) in GOOD.iter().enumerate() {
            let half = good.char_indices().nth(cut % good.len().max(1)).map_or(0, |(at, _)| at);
            let bytes = match at % 3 {
                0 => text.clone().into_bytes(),
                1 => [&good.as_bytes()[..half], text.as_bytes()].concat(),
                _ => binary.clone(),
            };
            let path = host.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        prop_assert!(!examine(host.path()).all().is_empty());
    }
}
