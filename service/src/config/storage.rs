//! `[recorder]` and `[database]`: where the stream is kept.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Wait;
use super::value::{Secret, SecretError};

/// `[recorder]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recorder {
    /// Whether `tickpath up` starts it.
    pub enabled: bool,
    /// The journal's directory; empty: see [`super::Config::journal_dir`].
    pub dir: PathBuf,
    /// Records that a segment has room for; 48 bytes each, allocated at once.
    pub segment_records: u64,
    /// Milliseconds between two syncs to the disk: what a power loss can cost at most.
    pub sync_ms: u64,
    /// Bytes that the journal may take; beyond it the oldest segments are deleted. 0: no limit.
    pub size_bytes_max: u64,
    /// How the reading thread waits for records.
    pub wait: Wait,
    /// Core of the reading thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<usize>,
}

impl Recorder {
    /// Fewest and most records of a segment.
    const SEGMENT_RECORDS: std::ops::RangeInclusive<u64> = 1 << 10..=1 << 28;
    /// Bytes of a record, to compare a segment with the limit of all.
    const RECORD_BYTES: u64 = 48;

    pub(super) fn problems(&self, problems: &mut Vec<String>) {
        if !Recorder::SEGMENT_RECORDS.contains(&self.segment_records) {
            problems.push(format!(
                "`recorder.segment_records` {} is not from {} to {}",
                self.segment_records,
                Recorder::SEGMENT_RECORDS.start(),
                Recorder::SEGMENT_RECORDS.end()
            ));
        } else if (1..2 * Recorder::RECORD_BYTES * self.segment_records).contains(&self.size_bytes_max) {
            problems.push(format!(
                "`recorder.size_bytes_max` {} is less than two segments of {} bytes",
                self.size_bytes_max,
                Recorder::RECORD_BYTES * self.segment_records
            ));
        }
        if !(1..=10_000).contains(&self.sync_ms) {
            problems.push(format!("`recorder.sync_ms` {} is not from 1 to 10000", self.sync_ms));
        }
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder {
            enabled: true,
            dir: PathBuf::new(),
            segment_records: 1 << 22,
            sync_ms: 50,
            size_bytes_max: 8 << 30,
            wait: Wait::Sleep,
            pin: None,
        }
    }
}

/// `[database]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// The database that the journal is copied to; empty: see [`Database::url`].
    pub url: DatabaseUrl,
    /// File that holds the address, so that its password stands in no configuration; empty: see [`Database::url`].
    pub url_file: PathBuf,
    /// Records of one transaction, about: what is behind is caught up with in batches of so many.
    pub batch_rows: usize,
    /// Milliseconds that a record may wait for others of its transaction.
    pub flush_ms: u64,
    /// Days that rows are kept; 0: for ever.
    pub retention_days: u32,
}

impl Default for Database {
    fn default() -> Self {
        Database {
            url: DatabaseUrl::default(),
            url_file: PathBuf::new(),
            batch_rows: 100_000,
            flush_ms: 200,
            retention_days: 7,
        }
    }
}

impl Database {
    /// Environment variable with the address, where the configuration has none.
    pub const URL_VARIABLE: &str = "TICKPATH_DATABASE_URL";

    /// The address: `url`, else the text of `url_file`, else [`Database::URL_VARIABLE`]; `None`: there is to be no database.
    ///
    /// # Errors
    /// If the file is no secret, or what it or the environment holds is no address.
    pub fn url(&self) -> Result<Option<DatabaseUrl>, DatabaseUrlError> {
        if !self.url.is_empty() {
            return Ok(Some(self.url.clone()));
        }
        if !self.url_file.as_os_str().is_empty() {
            let secret = Secret::from_file(&self.url_file)?;
            return Ok(Some(secret.expose().parse()?));
        }
        match Secret::from_env(Database::URL_VARIABLE) {
            Some(secret) => Ok(Some(secret.expose().parse()?)),
            None => Ok(None),
        }
    }

    pub(super) fn problems(&self, problems: &mut Vec<String>) {
        if !(1..=10_000_000).contains(&self.batch_rows) {
            problems.push(format!(
                "`database.batch_rows` {} is not from 1 to 10000000",
                self.batch_rows
            ));
        }
        if !(1..=60_000).contains(&self.flush_ms) {
            problems.push(format!("`database.flush_ms` {} is not from 1 to 60000", self.flush_ms));
        }
        if self.retention_days > 36_500 {
            problems.push(format!(
                "`database.retention_days` {} is more than a century",
                self.retention_days
            ));
        }
        if !self.url.is_empty() && !self.url_file.as_os_str().is_empty() {
            problems.push("`database.url` and `database.url_file` are both set".to_owned());
        }
    }
}

/// `postgres://user:password@host:port/database`; empty: none. Never printed, because there may be a password in it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatabaseUrl(String);

/// Why there is no address of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// The file is no secret.
    #[error("database.url_file: {0}")]
    File(#[from] SecretError),
    /// The text is no address. It is not repeated, because there may be a password in it.
    #[error("the database's address does not have the form postgres://user:password@host:port/database")]
    Form,
}

impl DatabaseUrl {
    /// The address as text, for the one place that connects.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_url = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        if is_url && !text.contains(char::is_whitespace) {
            return Ok(DatabaseUrl(text.to_owned()));
        }
        Err(DatabaseUrlError::Form)
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = DatabaseUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() {
            Ok(DatabaseUrl(text))
        } else {
            text.parse()
        }
    }
}

impl From<DatabaseUrl> for String {
    fn from(url: DatabaseUrl) -> String {
        url.0
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "DatabaseUrl(none)"
        } else {
            "DatabaseUrl(…)"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_s_address_is_checked_and_not_told() {
        let url: DatabaseUrl = "postgres://me:s3cret@localhost/ticks".parse().unwrap();
        assert_eq!(format!("{url:?}"), "DatabaseUrl(…)");
        for text in [
            "",
            "localhost",
            "http://me:s3cret@localhost",
            "postgres://me: s3cret@localhost",
        ] {
            let error = text.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(error.contains("postgres://") && !error.contains("s3cret"), "{error}");
        }
        let both = Database {
            url,
            url_file: "x".into(),
            batch_rows: 0,
            flush_ms: 0,
            retention_days: 40_000,
        };
        let mut problems = Vec::new();
        both.problems(&mut problems);
        assert_eq!(problems.len(), 4, "{problems:?}");
    }

    #[test]
    fn an_address_can_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "postgres://me@localhost/ticks\n").unwrap();
        let database = Database {
            url_file: file.path().into(),
            ..Database::default()
        };
        assert_eq!(
            database.url().unwrap().unwrap().expose(),
            "postgres://me@localhost/ticks"
        );
        std::fs::write(file.path(), "me@localhost").unwrap();
        assert_eq!(database.url(), Err(DatabaseUrlError::Form));
    }
}
