//! The section of README.md: the figures of the last full run between two marks.

use std::fmt::Write;
use std::path::Path;

use super::bars::Met;
use super::document::{Document, Line};
use super::units::{human, ratio, suffix};
use crate::context::{BenchError, Result, Tried};

/// Begins the section.
pub const BEGIN: &str = "<!-- bench:begin -->";
/// Ends it.
pub const END: &str = "<!-- bench:end -->";
/// The heading of the table.
pub const HEADING: &str =
    "| measurement | p50 | p99 | floor | to floor | best peer | to peer |\n|---|--:|--:|--:|--:|--:|--:|\n";

/// The text between the marks.
#[must_use]
pub fn text(document: &Document) -> String {
    let environment = &document.environment;
    let mut text = String::from(HEADING);
    for line in &document.measurements {
        text.push_str(&row(line));
    }
    let met = document.bars.iter().filter(|bar| bar.met == Met::Yes).count();
    let missed: Vec<&str> = document
        .bars
        .iter()
        .filter(|bar| bar.met != Met::Yes)
        .map(|bar| bar.name.as_str())
        .collect();
    write(&mut text, format_args!("\n{met} of {} bars met", document.bars.len()));
    match missed.as_slice() {
        [] => text.push_str(".\n"),
        missed => write(&mut text, format_args!("; not met: {}.\n", missed.join("; "))),
    }
    write(
        &mut text,
        format_args!(
            "\nMeasured on {}, {} cores, kernel {}, governor {}, clock {}, commit {}, {}. Ours, floor and peers took turns in one run, pinned alike; \
             ratios are of medians, ours over theirs. A floor is the least that the machine allows for the job. Latencies: lower is better; rates: higher.\n",
            environment.cpu,
            environment.cores,
            environment.kernel,
            environment.governor,
            environment.clock,
            environment.commit,
            environment.date.get(..10).unwrap_or(&environment.date),
        ),
    );
    text
}

fn row(line: &Line) -> String {
    let value = |value: f64| {
        let text = format!("{} {}", human(value, &line.unit), suffix(&line.unit));
        text.trim_end().to_owned()
    };
    let floor = line
        .floor
        .map_or_else(String::new, |floor| human(floor.p50, &line.unit));
    let peer = line.best_peer().map_or_else(String::new, |(name, peer)| {
        format!("{name} {}", human(peer.p50, &line.unit))
    });
    format!(
        "| `{}` | {} | {} | {floor} | {} | {peer} | {} |\n",
        line.name,
        value(line.ours.p50),
        human(line.ours.p99, &line.unit),
        line.ratio_to_floor.map_or_else(String::new, ratio),
        line.ratio_to_best_peer.map_or_else(String::new, ratio),
    )
}

fn write(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a String cannot fail");
}

/// What stands between the marks of `readme`.
///
/// # Errors
/// If the marks are not there once each, in order.
pub fn find(readme: &str) -> std::result::Result<&str, String> {
    let missing = || format!("expected `{BEGIN}` and after it `{END}`, once each");
    let (before, rest) = readme.split_once(BEGIN).ok_or_else(missing)?;
    let (section, after) = rest.split_once(END).ok_or_else(missing)?;
    match [before, section, after]
        .iter()
        .any(|part| part.contains(BEGIN) || part.contains(END))
    {
        true => Err(missing()),
        false => Ok(section.strip_prefix('\n').unwrap_or(section)),
    }
}

/// `readme` with `section` between its marks.
///
/// # Errors
/// As [`find`].
pub fn replaced(readme: &str, section: &str) -> std::result::Result<String, String> {
    find(readme)?;
    let begin = readme.find(BEGIN).map_or(0, |at| at + BEGIN.len());
    let end = readme.find(END).unwrap_or(readme.len());
    Ok(format!("{}\n{section}{}", &readme[..begin], &readme[end..]))
}

/// Whether a file has a place for the section; for a look before a long run.
///
/// # Errors
/// If it cannot be read, or has no marks.
pub fn check(path: &Path) -> Result<()> {
    let readme = std::fs::read_to_string(path).tried(format!("reading {}", path.display()))?;
    find(&readme).tried(path.display().to_string())?;
    Ok(())
}

/// Writes the section into a file.
///
/// # Errors
/// If the run was a smoke run or measured in part, or the file cannot be changed.
pub fn write_into(path: &Path, document: &Document) -> Result<()> {
    if document.environment.quick || document.environment.profile != "release" {
        let why = "a smoke run's figures mean nothing; run without --quick";
        return Err(BenchError::new(path.display().to_string(), why));
    }
    let readme = std::fs::read_to_string(path).tried(format!("reading {}", path.display()))?;
    let readme = replaced(&readme, &text(document)).tried(path.display().to_string())?;
    std::fs::write(path, readme).tried(format!("writing {}", path.display()))
}
