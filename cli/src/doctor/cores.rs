//! Whether pinned cores are there, and belong to who is pinned to them.

use super::finding::Findings;
use super::host::{Cores, Host};
use super::plan::Plan;

const CPU: &str = "/sys/devices/system/cpu";

/// Checks the pinned cores.
pub fn check(host: &Host, plan: &Plan, findings: &mut Findings) {
    let pinned = plan.pinned();
    if pinned.is_empty() {
        findings.ok(
            "cores.online",
            "nothing is pinned, so no core has to be kept free; docs/tuning.md says what pinning buys",
        );
        return;
    }
    online(host, plan, &pinned, findings);
    let isolated = host.cores(&format!("{CPU}/isolated"));
    listed(findings, "cores.isolated", "isolated", isolated, &pinned);
    let tickless = host.cores(&format!("{CPU}/nohz_full"));
    let command_line = host.text("/proc/cmdline");
    let all = host.cores(&format!("{CPU}/online")).unwrap_or_default();
    let callbacks = command_line.as_deref().and_then(|line| {
        let named = ["rcu_nocbs", "nohz_full"].map(|key| parameter(line, key, &all));
        named
            .into_iter()
            .try_fold(Cores::default(), |both, cores| Some(both.with(&cores?)))
    });
    listed(findings, "cores.nohz_full", "free of the timer", tickless, &pinned);
    listed(
        findings,
        "cores.rcu_nocbs",
        "free of deferred clean-up",
        callbacks,
        &pinned,
    );
    siblings(host, plan, &pinned, findings);
}

fn online(host: &Host, plan: &Plan, pinned: &Cores, findings: &mut Findings) {
    let Some(online) = host.cores(&format!("{CPU}/online")) else {
        findings.unknown("cores.online", format!("{CPU}/online cannot be read"));
        return;
    };
    let absent = pinned.without(&online);
    for core in &absent.0 {
        let keys = plan.keys(*core);
        findings.fail(
            "cores.online",
            format!("core {core} ({keys}) is not there: cores {online} are"),
            format!("set {keys} to one of {online}, or bring it up: echo 1 > {CPU}/cpu{core}/online"),
        );
    }
    if absent.is_empty() {
        findings.ok("cores.online", format!("pinned cores {pinned} are among {online}"));
    }
}

/// Whether all pinned cores are in a list of the kernel's.
fn listed(findings: &mut Findings, id: &'static str, what: &str, list: Option<Cores>, pinned: &Cores) {
    match list.map(|list| pinned.without(&list)) {
        None => findings.unknown(id, format!("this kernel does not say which cores are {what}")),
        Some(missing) if missing.is_empty() => findings.ok(id, format!("cores {pinned} are {what}")),
        Some(missing) => findings.warn(
            id,
            format!("pinned cores {missing} are not {what}"),
            format!(
                "in /etc/default/grub add to GRUB_CMDLINE_LINUX: isolcpus=managed_irq,domain,{pinned} nohz_full={pinned} rcu_nocbs={pinned}; then update-grub and reboot"
            ),
        ),
    }
}

/// The cores that the kernel's command line gives for a key, where `all` has a name; `None` if it has a list that makes no sense.
fn parameter(line: &str, key: &str, all: &Cores) -> Option<Cores> {
    let mut values = line
        .split_whitespace()
        .filter_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    // The last one counts.
    match values.next_back() {
        None => Some(Cores::default()),
        Some("all") => Some(all.clone()),
        Some(list) => Cores::parse(list),
    }
}

fn siblings(host: &Host, plan: &Plan, pinned: &Cores, findings: &mut Findings) {
    let mut alone = Cores::default();
    for core in &pinned.0 {
        let Some(threads) = host.cores(&format!("{CPU}/cpu{core}/topology/thread_siblings_list")) else {
            findings.unknown(
                "cores.siblings",
                format!("this kernel does not say what core {core} shares"),
            );
            continue;
        };
        let others = threads.without(&Cores([*core].into()));
        if others.is_empty() {
            alone.0.insert(*core);
            continue;
        }
        let first = others.0.first().copied().unwrap_or_default();
        findings.warn(
            "cores.siblings",
            format!(
                "core {core} ({}) shares its physical core with {others}",
                plan.keys(*core)
            ),
            format!("echo 0 > {CPU}/cpu{first}/online, or for the whole host: echo off > {CPU}/smt/control"),
        );
    }
    if !alone.is_empty() {
        findings.ok(
            "cores.siblings",
            format!("cores {alone} share their physical core with no other"),
        );
    }
}
