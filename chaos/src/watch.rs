//! The log: WARN and ERROR are facts that an operator must act on, so each of them must follow from a fault that was done.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use tickpath_service::exit::{Context, ExitCode, ProcessError};

use crate::fault::Kind;

mod expected;

use expected::{EXPECTED, Expected};

/// Reads the log as it grows.
pub struct Watch {
    log: File,
    /// What came of a line that is not whole yet.
    rest: String,
    /// Lines that were expected, by what they say.
    pub expected: BTreeMap<&'static str, u64>,
    /// Lines that were not.
    pub unexpected: Vec<String>,
}

impl Watch {
    /// Of a log that may not be there yet.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn new(log: &Path) -> Result<Watch, ProcessError> {
        let log = File::options().read(true).append(true).create(true).open(log);
        Ok(Watch {
            log: log.or_exit(ExitCode::Failed, "log")?,
            rest: String::new(),
            expected: BTreeMap::new(),
            unexpected: Vec::new(),
        })
    }

    /// Judges what was added since the last time: `recent` are the faults that were done a short while before, `ever` those of the whole run.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn judge(&mut self, recent: &[Kind], ever: &[Kind]) -> Result<(), ProcessError> {
        self.log
            .read_to_string(&mut self.rest)
            .or_exit(ExitCode::Failed, "log")?;
        let whole = self.rest.rfind('\n').map_or(0, |at| at + 1);
        let text: String = self.rest.drain(..whole).collect();
        for line in text.lines().filter(|line| is_grave(line)) {
            match EXPECTED.iter().find(|expected| is_meant(expected, line, recent, ever)) {
                Some(expected) => *self.expected.entry(expected.text).or_default() += 1,
                None => self.unexpected.push(line.to_owned()),
            }
        }
        Ok(())
    }
}

/// Whether it is a warning, an error, or no line of a log at all: a panic, an error that ended a process.
fn is_grave(line: &str) -> bool {
    match serde_json::from_str::<Value>(line) {
        Ok(line) => matches!(line["level"].as_str(), Some("WARN" | "ERROR") | None),
        Err(_) => !line.trim().is_empty(),
    }
}

fn is_meant(expected: &Expected, line: &str, recent: &[Kind], ever: &[Kind]) -> bool {
    let done = if expected.lasts { ever } else { recent };
    let follows = expected.after.is_empty() || expected.after.iter().any(|kind| done.contains(kind));
    follows && line.contains(expected.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_needs_its_fault() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut watch = Watch::new(file.path()).unwrap();
        let line = r#"{"level":"WARN","message":"was killed by signal 9; it will be restarted","process":"relay"}"#;
        let lines = format!("{line}\n{{\"level\":\"INFO\",\"message\":\"fine\"}}\nthread panicked\n{line}");
        std::fs::write(file.path(), lines).unwrap();
        watch.judge(&[Kind::KillOne], &[]).unwrap();
        assert_eq!(watch.expected.values().sum::<u64>(), 1, "the last line is not whole");
        assert_eq!(watch.unexpected, ["thread panicked"]);
        std::io::Write::write_all(&mut File::options().append(true).open(file.path()).unwrap(), b"\n").unwrap();
        watch.judge(&[Kind::Venue], &[Kind::KillOne]).unwrap();
        assert_eq!(watch.unexpected.len(), 2, "nobody was killed");
    }
}
