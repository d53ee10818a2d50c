//! Whether cores are at their speed, and awake.

use tickpath_service::config::Wait;

use super::finding::Findings;
use super::host::{Cores, Host};
use super::plan::Plan;

/// Waking from a state that takes longer shows beside what a hop takes, µs.
const WAKE_US_MAX: u64 = 10;
/// States of a core that are looked at; Linux has ten.
const STATES_MAX: usize = 16;

/// Checks the governor of the cores that matter, and how deep pinned ones sleep.
pub fn check(host: &Host, plan: &Plan, findings: &mut Findings) {
    let pinned = plan.pinned();
    let cores = if pinned.is_empty() {
        host.cores("/sys/devices/system/cpu/online").unwrap_or_default()
    } else {
        pinned
    };
    governor(host, &cores, findings);
    cstates(host, plan, findings);
}

fn governor(host: &Host, cores: &Cores, findings: &mut Findings) {
    let mut slow = Vec::new();
    let mut known = 0;
    for core in &cores.0 {
        let Some(governor) = host.text(&format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor")) else {
            continue;
        };
        known += 1;
        if governor != "performance" {
            slow.push(format!("core {core}: {governor}"));
        }
    }
    match (known, slow.is_empty()) {
        (0, _) => findings.unknown(
            "power.governor",
            "the kernel does not set the cores' speed: the firmware does, or the host of this guest",
        ),
        (_, true) => findings.ok("power.governor", format!("cores {cores} run at full speed")),
        _ => findings.warn(
            "power.governor",
            slow.join(", "),
            "cpupower frequency-set -g performance",
        ),
    }
}

/// Sleep matters to threads that let their core idle: who spins never does.
fn cstates(host: &Host, plan: &Plan, findings: &mut Findings) {
    let sleepers = plan
        .pins
        .iter()
        .filter(|pin| pin.wait != Wait::Spin)
        .map(|pin| pin.core);
    let sleepers = Cores(sleepers.collect());
    if sleepers.is_empty() {
        findings.ok("power.cstates", "no pinned core idles");
        return;
    }
    let mut deep = Vec::new();
    let mut known = false;
    for core in &sleepers.0 {
        let dir = format!("/sys/devices/system/cpu/cpu{core}/cpuidle");
        for state in host
            .names(&dir)
            .into_iter()
            .filter(|name| name.starts_with("state"))
            .take(STATES_MAX)
        {
            let field = |name: &str| host.text(&format!("{dir}/{state}/{name}"));
            let Some(latency) = field("latency").and_then(|text| text.parse::<u64>().ok()) else {
                continue;
            };
            known = true;
            if latency > WAKE_US_MAX && field("disable").as_deref() != Some("1") {
                deep.push(format!("core {core} {}: {latency} µs", field("name").unwrap_or(state)));
            }
        }
    }
    match (known, deep.is_empty()) {
        (false, _) => findings.unknown(
            "power.cstates",
            "the kernel does not say how deep the cores sleep: the host of this guest does",
        ),
        (true, true) => findings.ok(
            "power.cstates",
            format!("cores {sleepers} wake within {WAKE_US_MAX} µs"),
        ),
        (true, false) => findings.warn(
            "power.cstates",
            format!("takes longer than {WAKE_US_MAX} µs to wake: {}", deep.join(", ")),
            format!("cpupower -c {sleepers} idle-set -D {WAKE_US_MAX}; or let the threads spin"),
        ),
    }
}
