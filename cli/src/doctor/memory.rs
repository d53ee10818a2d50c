//! Memory: what the rings need, and what may get in their way.

use std::path::Path;

use super::finding::Findings;
use super::host::Host;
use super::limits::{Limit, limit};
use super::plan::Plan;
use crate::table::bytes;

const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage";
/// A `/dev/shm` that is smaller is a container's default, and too small for a database beside the pipeline.
const SHM_BYTES_MIN: u64 = 256 << 20;

/// Checks memory.
pub fn check(host: &Host, plan: &Plan, findings: &mut Findings) {
    huge_pages(host, findings);
    lock(host, plan, findings);
    swap(host, findings);
    free(host, plan, findings);
    shm(&host.path("/dev/shm"), findings);
}

/// The choice in brackets: `always [madvise] never`.
fn chosen(text: &str) -> Option<&str> {
    text.split_whitespace()
        .find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
}

fn huge_pages(host: &Host, findings: &mut Findings) {
    let id = "memory.huge_pages";
    let read = |name: &str| host.text(&format!("{HUGE_PAGES}/{name}"));
    let (enabled, defrag) = (read("enabled"), read("defrag"));
    match (enabled.as_deref().and_then(chosen), defrag.as_deref().and_then(chosen)) {
        (None, _) => findings.unknown(id, "this kernel does not say whether it makes huge pages by itself"),
        (Some("always"), _) => findings.warn(
            id,
            "huge pages are made for everybody (always)",
            format!("echo madvise > {HUGE_PAGES}/enabled; for good: transparent_hugepage=madvise on the kernel's command line"),
        ),
        (Some(mode), Some("always")) if mode != "never" => {
            findings.warn(id, "threads wait for compaction (defrag: always)", format!("echo madvise > {HUGE_PAGES}/defrag"));
        }
        (Some(mode), _) => findings.ok(id, format!("huge pages: {mode}")),
    }
}

fn lock(host: &Host, plan: &Plan, findings: &mut Findings) {
    let need = bytes(plan.memory_bytes);
    let has_swap = swap_devices(host) != Some(0);
    match limit(host, "Max locked memory") {
        None => findings.unknown("memory.lock", "/proc/self/limits cannot be read"),
        Some(Limit::Most(most)) if most < plan.memory_bytes && has_swap => findings.warn(
            "memory.lock",
            format!("{} may be locked, and the rings take {need}", bytes(most)),
            "tickpath doctor --write /etc (LimitMEMLOCK for the units); for a shell: `memlock` in /etc/security/limits.d",
        ),
        Some(Limit::Most(most)) if most < plan.memory_bytes => findings.ok(
            "memory.lock",
            format!(
                "{} may be locked, less than the {need} of the rings, but without swap they stay",
                bytes(most)
            ),
        ),
        Some(limit) => findings.ok(
            "memory.lock",
            format!("{limit} may be locked, and the rings take {need}"),
        ),
    }
}

/// How many devices or files there are to swap to: one line of headings, then one each.
fn swap_devices(host: &Host) -> Option<usize> {
    let swaps = host.text("/proc/swaps")?;
    let lines = swaps.lines().skip(1);
    Some(lines.filter(|line| !line.trim().is_empty()).count())
}

fn swap(host: &Host, findings: &mut Findings) {
    let Some(devices) = swap_devices(host) else {
        findings.unknown("memory.swap", "/proc/swaps cannot be read");
        return;
    };
    let eagerness = host
        .text("/proc/sys/vm/swappiness")
        .and_then(|text| text.parse::<u32>().ok());
    match (devices, eagerness) {
        (0, _) => findings.ok("memory.swap", "there is no swap"),
        (_, Some(0..=10)) => findings.ok(
            "memory.swap",
            "there is swap, for need alone (vm.swappiness is 10 or less)",
        ),
        _ => findings.warn(
            "memory.swap",
            match eagerness {
                Some(eagerness) => format!("{devices} swap devices, vm.swappiness is {eagerness}"),
                None => format!("{devices} swap devices, vm.swappiness is unknown"),
            },
            "sysctl vm.swappiness=1; for good: tickpath doctor --write /etc",
        ),
    }
}

fn free(host: &Host, plan: &Plan, findings: &mut Findings) {
    let need = plan.memory_bytes;
    let available = host.text("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    match available.map(|kibibytes| kibibytes.saturating_mul(1024)) {
        None => findings.unknown("memory.free", "/proc/meminfo does not say how much memory is available"),
        Some(available) if available < need => findings.fail(
            "memory.free",
            format!("{} are available, and the rings take {}", bytes(available), bytes(need)),
            "make `relay.capacity` and the `ring_capacity` of collectors and engine smaller",
        ),
        Some(available) if available / 2 < need => findings.ok(
            "memory.free",
            format!(
                "{} are available: enough, but the rings take {}, more than half",
                bytes(available),
                bytes(need)
            ),
        ),
        Some(available) => findings.ok(
            "memory.free",
            format!("{} are available, and the rings take {}", bytes(available), bytes(need)),
        ),
    }
}

fn shm(path: &Path, findings: &mut Findings) {
    let Ok(statistics) = rustix::fs::statvfs(path) else {
        findings.unknown("memory.shm", format!("{} is not there", path.display()));
        return;
    };
    let size = statistics.f_blocks.saturating_mul(statistics.f_frsize);
    let room = statistics.f_bavail.saturating_mul(statistics.f_frsize);
    let found = format!("{} of {} are free in {}", bytes(room), bytes(size), path.display());
    if size < SHM_BYTES_MIN {
        let fix = format!(
            "mount -o remount,size={} /dev/shm; in a container: --shm-size",
            bytes(SHM_BYTES_MIN)
        );
        findings.warn("memory.shm", found, fix.replace(" MiB", "M").replace(".0M", "M"));
    } else {
        findings.ok("memory.shm", found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_stands_in_brackets() {
        assert_eq!(chosen("always [madvise] never"), Some("madvise"));
        for text in ["", "always", "[", "[]", "] ["] {
            assert!(chosen(text).unwrap_or("").is_empty(), "{text}");
        }
    }
}
