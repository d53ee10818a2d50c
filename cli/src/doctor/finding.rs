//! What a check found, and what all of them come to.

use serde::Serialize;
use tickpath_service::exit::ExitCode;

use super::catalog;

/// How bad a finding is. Ordered: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It could not be looked at. That counts for nothing in the exit code.
    Unknown,
    /// Works, with longer tails, less headroom, or times that are not to be trusted.
    Warning,
    /// A process will not start, loses data, or gives a secret away.
    Failure,
}

impl Level {
    /// As text.
    pub fn name(self) -> &'static str {
        ["ok", "unknown", "warning", "failure"][self as usize]
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's name; stable.
    pub id: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it: a command or a file.
    pub fix: Option<String>,
}

/// All findings, in the order in which checks ran.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// As it should be.
    pub fn ok(&mut self, id: &'static str, found: impl Into<String>) {
        self.add(id, Level::Ok, found.into(), None);
    }

    /// It could not be looked at.
    pub fn unknown(&mut self, id: &'static str, found: impl Into<String>) {
        self.add(id, Level::Unknown, found.into(), None);
    }

    /// Works, but not as well as it could.
    pub fn warn(&mut self, id: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.add(id, Level::Warning, found.into(), Some(fix.into()));
    }

    /// Does not work.
    pub fn fail(&mut self, id: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.add(id, Level::Failure, found.into(), Some(fix.into()));
    }

    fn add(&mut self, id: &'static str, level: Level, found: String, fix: Option<String>) {
        let why = catalog::CHECKS
            .iter()
            .find(|check| check.id == id)
            .map_or("", |check| check.why);
        self.0.push(Finding {
            id,
            level,
            found,
            why,
            fix,
        });
    }

    /// The findings.
    #[cfg(test)]
    pub fn all(&self) -> &[Finding] {
        &self.0
    }

    /// How many there are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    /// What the command exits with.
    pub fn exit_code(&self) -> ExitCode {
        if self.count(Level::Failure) > 0 {
            ExitCode::Failures
        } else if self.count(Level::Warning) > 0 {
            ExitCode::Warnings
        } else {
            ExitCode::Ok
        }
    }

    /// The report for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let width = self.0.iter().map(|finding| finding.id.len()).max().unwrap_or(0);
        for finding in &self.0 {
            let (level, id, found) = (finding.level.name(), finding.id, printable(&finding.found));
            text.push_str(&format!("{level:<8} {id:<width$}  {found}\n"));
            if finding.level >= Level::Warning {
                let indent = 9 + width + 2;
                text.push_str(&format!("{:indent$}why: {}\n", "", finding.why));
                for line in finding.fix.as_deref().unwrap_or_default().lines() {
                    text.push_str(&format!("{:indent$}fix: {}\n", "", printable(line)));
                }
            }
        }
        text.push_str(&format!(
            "{} ok, {} unknown, {} warnings, {} failures\n",
            self.count(Level::Ok),
            self.count(Level::Unknown),
            self.count(Level::Warning),
            self.count(Level::Failure)
        ));
        text
    }

    /// The report for programs.
    pub fn report(&self) -> Report<'_> {
        Report {
            exit_code: self.exit_code() as u8,
            ok: self.count(Level::Ok),
            unknown: self.count(Level::Unknown),
            warnings: self.count(Level::Warning),
            failures: self.count(Level::Failure),
            findings: &self.0,
        }
    }
}

/// `tickpath doctor --json`
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    exit_code: u8,
    ok: usize,
    unknown: usize,
    warnings: usize,
    failures: usize,
    findings: &'a [Finding],
}

/// Names of files and devices come from elsewhere; what could steer a terminal is replaced.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_is_the_exit_code() {
        let mut findings = Findings::default();
        assert_eq!(findings.exit_code(), ExitCode::Ok);
        findings.ok("config.valid", "valid");
        findings.unknown("clock.offset", "nobody knows");
        assert_eq!(findings.exit_code(), ExitCode::Ok, "what is not known is no fault");
        findings.warn(
            "power.governor",
            "powersave\u{1b}[2J",
            "cpupower frequency-set -g performance",
        );
        assert_eq!(findings.exit_code(), ExitCode::Warnings);
        findings.fail("cores.online", "core 9 is not there", "change `relay.pin`");
        assert_eq!(findings.exit_code(), ExitCode::Failures);
        let text = findings.text();
        assert!(
            text.contains("fix: change `relay.pin`") && text.contains("why: "),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.ends_with("1 ok, 1 unknown, 1 warnings, 1 failures\n"), "{text}");
        let json = serde_json::to_value(findings.report()).unwrap();
        assert_eq!(json["exit_code"], 5);
        assert_eq!(json["findings"][3]["level"], "failure");
        assert!(json["findings"][0]["fix"].is_null());
    }
}
