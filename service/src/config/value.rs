//! Values that a type alone does not check: each refuses what makes no sense, so that the error names its line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl ValueError {
    pub(super) fn new(message: String) -> ValueError {
        ValueError(message)
    }
}

/// A ring's capacity: a power of two from 2^10 to 2^26.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Capacity(pub usize);

impl TryFrom<u64> for Capacity {
    type Error = ValueError;

    fn try_from(value: u64) -> Result<Self, Self::Error> {
        if value.is_power_of_two() && (1 << 10..=1 << 26).contains(&value) {
            return Ok(Capacity(value as usize));
        }
        Err(ValueError(format!(
            "capacity {value} is not a power of two from 1024 to 67108864"
        )))
    }
}

impl From<Capacity> for u64 {
    fn from(capacity: Capacity) -> u64 {
        capacity.0 as u64
    }
}

/// How a thread waits for work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// Never gives up the core: for pinned, isolated cores.
    Spin,
    /// Gives up the core between looks.
    Yield,
    /// Spins, then yields, then sleeps for short times: for a laptop.
    #[default]
    Sleep,
}

impl Wait {
    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Wait::Spin => "spin",
            Wait::Yield => "yield",
            Wait::Sleep => "sleep",
        }
    }
}

/// An absolute `ws`, `wss`, `http` or `https` address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Url(String);

impl Url {
    /// The address as text, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Url {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let host = ["ws://", "wss://", "http://", "https://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        match host {
            Some(host) if !host.is_empty() && !host.starts_with('/') && !text.contains(char::is_whitespace) => {
                Ok(Url(text.trim_end_matches('/').to_owned()))
            }
            _ => Err(ValueError(format!(
                "`{text}` is no ws://, wss://, http:// or https:// address"
            ))),
        }
    }
}

impl TryFrom<String> for Url {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Url> for String {
    fn from(url: Url) -> String {
        url.0
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A symbol as the venue or we spell it, where `*` stands for any text: `BTC/USD`, `*-USD`, `*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

impl Pattern {
    /// Longest pattern, in bytes.
    pub const LEN_MAX: usize = 64;

    /// Whether `text` fits.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// Whether it names one symbol alone.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// The text of the pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Pattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > Pattern::LEN_MAX || text.contains(char::is_whitespace) {
            return Err(ValueError(format!(
                "`{text}` is no symbol pattern: 1 to {} bytes without white space",
                Pattern::LEN_MAX
            )));
        }
        Ok(Pattern(text.to_owned()))
    }
}

impl TryFrom<String> for Pattern {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.0
    }
}

/// How fast a replay runs.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Speed {
    /// So many times as fast as recorded.
    Times(f64),
    /// Without pauses.
    Max,
}

impl FromStr for Speed {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Speed::Max),
            Ok(times) if times.is_finite() && (0.01..=10_000.0).contains(&times) => Ok(Speed::Times(times)),
            _ => Err(ValueError(format!(
                "speed `{text}` is neither `max` nor a number from 0.01 to 10000"
            ))),
        }
    }
}

impl TryFrom<String> for Speed {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Speed> for String {
    fn from(speed: Speed) -> String {
        match speed {
            Speed::Times(times) => times.to_string(),
            Speed::Max => "max".into(),
        }
    }
}

/// A key or token: never printed, not even by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Largest file that is read as a secret.
    const FILE_BYTES_MAX: u64 = 16 << 10;

    /// The text, for the one place that sends or compares it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `given` is the secret, in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, given: &str) -> bool {
        // Of different lengths they differ at once: how long it is may be known.
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// The secret in an environment variable, if that is set and not empty.
    #[must_use]
    pub fn from_env(name: &str) -> Option<Secret> {
        std::env::var(name)
            .ok()
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .map(Secret)
    }

    /// The secret in a file: its text without white space at the ends. A bare name means the credential of that name that the service manager
    /// passed, if it did.
    ///
    /// # Errors
    /// If the file cannot be read, is empty or far too large, or if others than its owner and group may read it.
    pub fn from_file(path: &Path) -> Result<Secret, SecretError> {
        use std::os::unix::fs::PermissionsExt;
        let path = &credential(path, std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from));
        let error = |reason: String| SecretError {
            path: path.to_owned(),
            reason,
        };
        let metadata = std::fs::metadata(path).map_err(|e| error(e.to_string()))?;
        if metadata.permissions().mode() & 0o007 != 0 {
            return Err(error(
                "other users may use it: chmod 600 it, and make a new one if others could read it".into(),
            ));
        }
        if metadata.len() > Secret::FILE_BYTES_MAX {
            return Err(error(format!("it has {} bytes, which is no key", metadata.len())));
        }
        let text = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
        match text.trim() {
            "" => Err(error("it is empty".into())),
            text => Ok(Secret(text.to_owned())),
        }
    }
}

/// Where a secret's file is: `LoadCredential=` of a unit puts its credentials, by name, into a directory that the service alone can read.
fn credential(path: &Path, credentials: Option<PathBuf>) -> PathBuf {
    let is_name = path.components().count() == 1 && path.is_relative();
    let passed = credentials.filter(|_| is_name).map(|directory| directory.join(path));
    passed
        .filter(|passed| passed.is_file())
        .unwrap_or_else(|| path.to_owned())
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a file is no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("secret file {}: {reason}", self.shown())]
pub struct SecretError {
    path: PathBuf,
    reason: String,
}

impl SecretError {
    /// The path, unless it may be the secret itself, written where its file belongs.
    fn shown(&self) -> String {
        let path = self.path.to_string_lossy();
        let is_bare = !path.contains('/') && path.len() >= 16;
        if (is_bare || path.contains("://")) && !self.path.exists() {
            return "(not repeated: it looks like the secret itself; the key names the file that holds it)".to_owned();
        }
        path.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "BTC/USD", true),
            ("BTC/USD", "BTC/USD", true),
            ("BTC/USD", "BTC/USDT", false),
            ("BTC/*", "BTC/USD", true),
            ("*/USD", "BTC/USD", true),
            ("*/USD", "BTC/USDT", false),
            ("B*C*D", "BTC/USD", true),
            ("A*A", "A", false),
            ("*USD*", "BTC/USDT", true),
        ] {
            assert_eq!(
                pattern.parse::<Pattern>().unwrap().matches(text),
                expected,
                "{pattern} {text}"
            );
        }
        assert!("".parse::<Pattern>().is_err());
        assert!("a b".parse::<Pattern>().is_err());
    }

    #[test]
    fn addresses_and_speeds() {
        assert_eq!(
            "wss://ws.kraken.com/v2/".parse::<Url>().unwrap().as_str(),
            "wss://ws.kraken.com/v2"
        );
        for text in ["", "ws.kraken.com", "ftp://x", "ws://", "ws:///x", "ws://a b"] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("2.5".parse(), Ok(Speed::Times(2.5)));
        for text in ["0", "-1", "nan", "inf", "fast"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_bare_name_is_a_credential_that_was_passed() {
        let directory = tempfile::tempdir().unwrap();
        let passed = Some(directory.path().to_owned());
        let name = Path::new("tickpath.token");
        assert_eq!(credential(name, passed.clone()), name);
        std::fs::write(directory.path().join(name), "x").unwrap();
        assert_eq!(credential(name, passed.clone()), directory.path().join(name));
        assert_eq!(credential(name, None), name);
        let inside = directory.path().join(name);
        for other in [
            Path::new("./sub/tickpath.token"),
            Path::new("/etc/tickpath.token"),
            &inside,
        ] {
            assert_eq!(credential(other, passed.clone()), other);
        }
    }

    #[test]
    fn secrets_stay_secret() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " s3cret\n").unwrap();
        let secret = Secret::from_file(file.path()).unwrap();
        assert_eq!(secret.expose(), "s3cret");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert!(secret.matches("s3cret"));
        for wrong in ["", "s3cre", "s3cret0", "S3cret", "s3crets3cret"] {
            assert!(!secret.matches(wrong), "{wrong}");
        }
        for (mistaken, is_told) in [
            ("/run/no/such/file", true),
            ("token.txt", true),
            ("s3cret-s3cret-s3cret", false),
            ("postgres://me:s3cret@localhost/ticks", false),
        ] {
            let error = Secret::from_file(Path::new(mistaken)).unwrap_err().to_string();
            assert_eq!(error.contains(mistaken), is_told, "{error}");
        }
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            Secret::from_file(file.path())
                .unwrap_err()
                .to_string()
                .contains("chmod 600")
        );
    }
}
