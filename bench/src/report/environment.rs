//! The machine and the code that a run speaks of.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::context::Context;

/// Stands where something cannot be found out.
const UNKNOWN: &str = "unknown";

/// Where and when a run took place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Model of the processor.
    pub cpu: String,
    /// Cores that the process may use.
    pub cores: usize,
    /// Memory of the machine, bytes.
    pub memory_bytes: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// Frequency governor of the first core; `none` where the machine has none, as virtual ones have.
    pub governor: String,
    /// Cores that the parties of a measurement are pinned to.
    pub pinning: String,
    /// What the kernel takes its time from.
    pub clock: String,
    /// Of the source, with `-dirty` if it was changed since; `unknown` outside of git.
    pub commit: String,
    /// Start of the run, UTC.
    pub date: String,
    /// The compiler.
    pub rustc: String,
    /// `release` or `debug`.
    pub profile: String,
    /// Load average of the last minute at the start: what else ran.
    pub load_average: f64,
    /// A smoke run, whose figures mean nothing.
    pub quick: bool,
    /// `recorded` feeds or the project's `own` small ones.
    pub captures: String,
}

impl Environment {
    /// As it is now.
    #[must_use]
    pub fn now(context: &Context) -> Environment {
        Environment {
            cpu: line_of("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: core_affinity::get_core_ids().map_or(1, |cores| cores.len()),
            memory_bytes: line_of("/proc/meminfo", "MemTotal").map_or(0, |text| kibibytes(&text)),
            kernel: word("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            governor: word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").unwrap_or_else(|| "none".into()),
            pinning: format!("cores {} and {}", context.near(), context.far()),
            clock: word("/sys/devices/system/clocksource/clocksource0/current_clocksource").unwrap_or_else(unknown),
            commit: commit().unwrap_or_else(unknown),
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            rustc: output("rustc", &["--version"]).unwrap_or_else(unknown),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" }.into(),
            load_average: load_average(),
            quick: context.quick,
            captures: if context.captures.is_some() { "recorded" } else { "own" }.into(),
        }
    }

    /// Every fact with its name, for people.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CPU", format!("{}, {} cores", self.cpu, self.cores)),
            ("memory", super::units::bytes(self.memory_bytes as f64)),
            ("kernel", self.kernel.clone()),
            ("governor", self.governor.clone()),
            ("pinning", self.pinning.clone()),
            ("clock", self.clock.clone()),
            ("commit", self.commit.clone()),
            ("date", self.date.clone()),
            ("compiler", format!("{}, {}", self.rustc, self.profile)),
            ("load at start", format!("{:.2}", self.load_average)),
            ("captures", self.captures.clone()),
        ]
    }
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}

/// The value behind `key :` in a file of such lines.
fn line_of(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kibibytes(text: &str) -> u64 {
    let digits = text.trim_end_matches("kB").trim();
    digits.parse::<u64>().map_or(0, |kibibytes| kibibytes << 10)
}

fn word(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What a command prints, if it ends well.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(program)
        .args(arguments)
        .current_dir(source)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn commit() -> Option<String> {
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"])?;
    // README.md is where the section of figures is written; it changes no figure.
    let changed = output("git", &["status", "--porcelain", "--", "..", ":(exclude)../README.md"])?;
    Some(if changed.is_empty() { commit } else { commit + "-dirty" })
}

fn load_average() -> f64 {
    let text = word("/proc/loadavg").unwrap_or_default();
    let first = text.split(' ').next().unwrap_or_default();
    first.parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(kibibytes("16384 kB"), 16 << 20);
        assert_eq!(kibibytes("none"), 0);
    }
}
