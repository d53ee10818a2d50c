//! What a run came to, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::ledger::{Account, SILENT};

/// Some durations in short, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Spread {
    /// Of durations in ns.
    #[must_use]
    pub fn of(mut ns: Vec<u64>) -> Spread {
        ns.sort_unstable();
        let at = |share: f64| {
            let rank = (share * ns.len() as f64).ceil() as usize;
            ns.get(rank.saturating_sub(1)).map_or(0.0, |ns| *ns as f64 / 1e6)
        };
        Spread {
            count: ns.len() as u64,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            max_ms: at(1.0),
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Report {
    /// What it can be repeated with, as far as processes can.
    pub seed: u64,
    /// How long it was to take.
    pub minutes: f64,
    /// The commit, and whether something was changed since.
    pub commit: String,
    /// `release` or `debug`.
    pub build: String,
    /// Kernel, cores, processor.
    pub host: String,
    /// When it began, UTC.
    pub date: String,
    /// Certified records a second.
    pub rate: u64,
    /// Certified records published.
    pub published: u64,
    /// Faults that were done, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Kinds that this host does not allow.
    pub left_out: Vec<String>,
    /// Processes that ended and were started again.
    pub restarts: u64,
    /// Phases of faults, each with its healing.
    pub phases: u64,
    /// Steps that a human had to take: those that were not healed in time.
    pub manual_steps: u64,
    /// What each reader got and what it was told it did not get.
    pub readers: BTreeMap<String, Account>,
    /// Rows of the certified stream in the database.
    pub rows_certified: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Records of the journal.
    pub records: u64,
    /// From a fault to the first correct record at a reader, by kind of fault; `all` of them together.
    pub recovery: BTreeMap<String, Spread>,
    /// From the end of the faults to the whole pipeline at work: books proven, recorder and database caught up.
    pub healing: Spread,
    /// From the kill of a producer or the relay until a reader knew.
    pub dead_peer: Spread,
    /// Lines of the log at WARN and ERROR that followed from faults.
    pub log_expected: BTreeMap<String, u64>,
    /// What is wrong; empty if the run passed.
    pub problems: Vec<String>,
}

impl Report {
    /// Faults of all kinds.
    #[must_use]
    pub fn faults_all(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Records of all readers that nobody told of.
    #[must_use]
    pub fn lost_silently(&self) -> u64 {
        let silent = |account: &Account| account.lost.get(SILENT).copied().unwrap_or(0) + account.others_silent;
        self.readers.values().map(silent).sum()
    }

    fn sum(&self, of: impl Fn(&Account) -> u64) -> u64 {
        self.readers.values().map(of).sum()
    }

    /// The report as a page of markdown: tables that read well in a terminal as well.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _written = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let verdict = if self.problems.is_empty() { "passed" } else { "FAILED" };
        writeln!(
            out,
            "Seed {}, {} minutes, {verdict}. {}, {} build of {}, {}.\n",
            self.seed, self.minutes, self.date, self.build, self.commit, self.host
        )?;
        writeln!(out, "| figure | value |\n|---|---|")?;
        for (figure, value) in self.figures() {
            writeln!(out, "| {figure} | {value} |")?;
        }
        writeln!(
            out,
            "\n| reader | delivered | counted as lost, by cause |\n|---|---|---|"
        )?;
        for (name, account) in &self.readers {
            let lost = account.lost.iter().map(|(cause, count)| format!("{cause} {count}"));
            writeln!(out, "| {name} | {} | {} |", account.delivered, or_none(lost))?;
        }
        writeln!(
            out,
            "\n| fault | times | recovery p50 ms | p99 ms | longest ms |\n|---|---|---|---|---|"
        )?;
        for (kind, count) in &self.faults {
            let Spread {
                p50_ms, p99_ms, max_ms, ..
            } = self.recovery.get(kind).copied().unwrap_or_default();
            writeln!(out, "| {kind} | {count} | {p50_ms:.1} | {p99_ms:.1} | {max_ms:.1} |")?;
        }
        for problem in &self.problems {
            writeln!(out, "\nPROBLEM: {problem}")?;
        }
        Ok(())
    }

    fn figures(&self) -> Vec<(&'static str, String)> {
        let spread = |spread: &Spread| {
            let Spread {
                count,
                p50_ms,
                p99_ms,
                max_ms,
            } = spread;
            format!("p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, longest {max_ms:.1} ms of {count}")
        };
        let recovery = self.recovery.get("all").copied().unwrap_or_default();
        vec![
            ("faults", self.faults_all().to_string()),
            ("faults left out on this host", or_none(self.left_out.iter().cloned())),
            ("phases of faults and healing", self.phases.to_string()),
            ("restarts", self.restarts.to_string()),
            ("manual steps", self.manual_steps.to_string()),
            (
                "certified records published",
                format!("{} at {}/s", self.published, self.rate),
            ),
            ("lost silently, all readers", self.lost_silently().to_string()),
            (
                "torn or foreign, all readers",
                self.sum(|account| account.torn).to_string(),
            ),
            (
                "repeated or reordered, all readers",
                self.sum(|account| account.repeated).to_string(),
            ),
            (
                "rows in the database, of records in the journal",
                format!("{} of {}", self.rows, self.records),
            ),
            ("fault to first correct record at a reader", spread(&recovery)),
            ("healing of everything", spread(&self.healing)),
            ("dead peer noticed by readers", spread(&self.dead_peer)),
            (
                "expected WARN and ERROR lines",
                self.log_expected.values().sum::<u64>().to_string(),
            ),
            (
                "unexpected WARN and ERROR lines, leftovers, other problems",
                self.problems.len().to_string(),
            ),
        ]
    }
}

fn or_none(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        "none".to_owned()
    } else {
        items.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_ranks() {
        let spread = Spread::of((1..=100).rev().map(|ms| ms * 1_000_000).collect());
        assert_eq!((spread.p50_ms, spread.p99_ms, spread.max_ms), (50.0, 99.0, 100.0));
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
