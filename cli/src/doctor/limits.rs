//! Limits of processes, as this one has them. A unit has its own, which `systemctl show -p LimitNOFILE -p LimitMEMLOCK` tells.

use std::fmt;

use super::finding::Findings;
use super::host::Host;
use super::plan::Plan;
use crate::table::bytes;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// There is none.
    None,
    /// So many bytes or things.
    Most(u64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::None => f.write_str("any amount"),
            Limit::Most(most) => f.write_str(&bytes(*most)),
        }
    }
}

/// The limit of this name that holds now; `None` if the kernel does not say.
pub fn limit(host: &Host, name: &str) -> Option<Limit> {
    let text = host.text("/proc/self/limits")?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    match rest.split_whitespace().next()? {
        "unlimited" => Some(Limit::None),
        most => most.parse().ok().map(Limit::Most),
    }
}

/// Checks the limit of open files.
pub fn check(host: &Host, plan: &Plan, findings: &mut Findings) {
    let need = plan.files;
    match limit(host, "Max open files") {
        None => findings.unknown("limits.files", "/proc/self/limits cannot be read"),
        Some(Limit::Most(most)) if most < need => findings.fail(
            "limits.files",
            format!("{most} files may be open, and {need} are needed for `bridge.clients_max` clients"),
            format!("LimitNOFILE={need} in the unit; for a shell: ulimit -n {need}"),
        ),
        Some(Limit::Most(most)) => findings.ok(
            "limits.files",
            format!("{most} files may be open, and {need} are needed"),
        ),
        Some(Limit::None) => findings.ok(
            "limits.files",
            format!("any number of files may be open, and {need} are needed"),
        ),
    }
}
