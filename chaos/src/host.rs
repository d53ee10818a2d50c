//! Which machine and which build a figure is of.

use std::fs;
use std::process::Command;

/// Kernel, cores and processor.
#[must_use]
pub fn describe() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    // Not what this process may use: a measurement may have taken a core from it.
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    format!("Linux {}, {cores} cores, {model}", kernel.trim())
}

/// The commit that this was built of as far as git knows, with `-dirty` if something was changed since.
#[must_use]
pub fn commit() -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "safe.directory=*",
            "-C",
            env!("CARGO_MANIFEST_DIR"),
            "describe",
            "--always",
            "--dirty",
            "--abbrev=12",
        ])
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok()
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// How this was built.
#[must_use]
pub fn build() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

/// The day, UTC.
#[must_use]
pub fn date() -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
