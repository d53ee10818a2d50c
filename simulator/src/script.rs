//! A script of faults: JSON, one object a line; empty lines and lines that start with `#` do not count.
//!
//! Each line is a fault (see [`crate::fault`]) with its `venue` and exactly one of
//!
//! - `at_s`: once, so many seconds after the start;
//! - `every_s`: again and again, the first time after so many seconds;
//! - `after_frames`: once, after so many data frames of the venue;
//! - `every_frames`: after each so many data frames.
//!
//! ```json
//! {"venue":"kraken","fault":"bad_checksum","every_s":30}
//! {"venue":"binance","fault":"gap","n":2,"after_frames":1000,"match":"depthUpdate"}
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use tickpath_protocol::Venue;

use crate::fault::Fault;

/// Lines that a script may have.
pub const ENTRIES_MAX: usize = 10_000;

/// When a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long after the start, once.
    At(Duration),
    /// Each time so much time passed.
    Every(Duration),
    /// After so many data frames of the venue, once.
    AfterFrames(u64),
    /// Each time the venue sent so many data frames.
    EveryFrames(u64),
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose connections.
    pub venue: Venue,
    /// When.
    pub when: When,
    /// What.
    pub fault: Fault,
}

/// A script that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file cannot be read.
    #[error("cannot read the fault script {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is wrong.
    #[error("{path}:{line}: {message}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// Reads a script.
///
/// # Errors
/// [`ScriptError`] with file and line.
pub fn load(path: &Path) -> Result<Vec<Entry>, ScriptError> {
    let text = std::fs::read_to_string(path).map_err(|source| ScriptError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let entry = parse_entry(line).and_then(|entry| match entries.len() < ENTRIES_MAX {
            true => Ok(entry),
            false => Err(format!("a script has at most {ENTRIES_MAX} faults")),
        });
        entries.push(entry.map_err(|message| ScriptError::Line {
            path: path.to_owned(),
            line: index + 1,
            message,
        })?);
    }
    Ok(entries)
}

/// A fault with its venue: what `POST /control/fault` takes.
///
/// # Errors
/// What is wrong with it.
pub fn parse_command(text: &str) -> Result<(Venue, Fault), String> {
    let mut object: Map<String, Value> = serde_json::from_str(text).map_err(|e| format!("not a JSON object: {e}"))?;
    take_command(&mut object)
}

fn parse_entry(line: &str) -> Result<Entry, String> {
    let mut object: Map<String, Value> = serde_json::from_str(line).map_err(|e| format!("not a JSON object: {e}"))?;
    let when = take_when(&mut object)?;
    let (venue, fault) = take_command(&mut object)?;
    Ok(Entry { venue, when, fault })
}

fn take_command(object: &mut Map<String, Value>) -> Result<(Venue, Fault), String> {
    let venue = match object.remove("venue") {
        Some(Value::String(name)) => name.parse::<Venue>().map_err(|e| e.to_string())?,
        _ => return Err("`venue` is missing: binance, coinbase, kraken or alpaca".into()),
    };
    if !Venue::market_data().contains(&venue) {
        return Err(format!("the simulator has no venue {venue}"));
    }
    let fault: Fault = serde_json::from_value(Value::Object(std::mem::take(object))).map_err(|e| e.to_string())?;
    match fault.problem() {
        Some(problem) => Err(problem),
        None => Ok((venue, fault)),
    }
}

fn take_when(object: &mut Map<String, Value>) -> Result<When, String> {
    const KEYS: [&str; 4] = ["at_s", "every_s", "after_frames", "every_frames"];
    let given: Vec<_> = KEYS
        .iter()
        .filter_map(|key| object.remove(*key).map(|value| (*key, value)))
        .collect();
    let [(key, value)] = given.as_slice() else {
        return Err(format!("give exactly one of {KEYS:?}"));
    };
    let wrong = || format!("`{key}` {value} makes no sense");
    let seconds = || {
        let seconds = value.as_f64().ok_or_else(wrong)?;
        Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
    };
    let frames = || value.as_u64().filter(|n| *n > 0).ok_or_else(wrong);
    match *key {
        "at_s" => Ok(When::At(seconds()?)),
        "every_s" => match seconds()? {
            // A busy loop of faults serves nobody.
            period if period >= Duration::from_millis(10) => Ok(When::Every(period)),
            _ => Err(format!("{}: at least 0.01", wrong())),
        },
        "after_frames" => Ok(When::AfterFrames(frames()?)),
        _ => Ok(When::EveryFrames(frames()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_wrong_ones_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("faults.jsonl");
        let text = "# comment\n\n{\"venue\":\"kraken\",\"fault\":\"gap\",\"n\":2,\"every_s\":1.5}\n{\"venue\":\"binance\",\"fault\":\"disconnect\",\"after_frames\":10}\n";
        std::fs::write(&path, text).unwrap();
        let entries = load(&path).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].when, When::Every(Duration::from_millis(1_500)));
        assert_eq!(entries[1].when, When::AfterFrames(10));
        for (line, expected) in [
            ("{}", "exactly one of"),
            ("nonsense", "not a JSON object"),
            (r#"{"venue":"x","fault":"gap","at_s":1}"#, "unknown venue"),
            (
                r#"{"venue":"kraken","fault":"gap","at_s":1,"every_s":1}"#,
                "exactly one of",
            ),
            (r#"{"venue":"kraken","fault":"gap","at_s":-1}"#, "makes no sense"),
            (r#"{"venue":"kraken","fault":"gap","every_s":0}"#, "makes no sense"),
            (r#"{"venue":"kraken","fault":"gop","at_s":1}"#, "unknown variant"),
            (r#"{"venue":"paper","fault":"gap","at_s":1}"#, "no venue paper"),
        ] {
            std::fs::write(&path, format!("\n{line}\n")).unwrap();
            let error = load(&path).unwrap_err().to_string();
            assert!(error.contains("faults.jsonl:2:") && error.contains(expected), "{error}");
        }
    }
}
