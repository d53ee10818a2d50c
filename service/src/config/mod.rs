//! `tickpath.toml`: one file for all processes. Every key has a default, so that no file is needed at all.
//!
//! An unknown key, a value of the wrong type or one that makes no sense is an error that names the file and the line. Values that
//! only make sense together are checked last, and all that is wrong with them is said at once.
//!
//! `tickpath.example.toml` in the repository lists every key with its meaning and its default; a test keeps the two equal.

mod bridge;
mod collector;
pub mod engine;
mod exact;
mod storage;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use bridge::Bridge;
pub use collector::{AlpacaFeed, Channel, CoinbaseFeed, Collector, Collectors, KRAKEN_DEPTHS, TimeUnit};
pub use engine::Engine;
pub use storage::{Database, DatabaseUrl, DatabaseUrlError, Recorder};
pub use value::{Capacity, Pattern, Secret, SecretError, Speed, Url, ValueError, Wait};

use tickpath_protocol::Venue;

/// Everything that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether collectors talk to the simulator or to the real venues.
    pub venues: Venues,
    /// Where sockets and the state of `tickpath up` live; empty: `$XDG_RUNTIME_DIR/tickpath`, else `/tmp/tickpath-UID`.
    pub runtime_dir: PathBuf,
    /// Logging of every process.
    pub log: Log,
    /// The relay.
    pub relay: Relay,
    /// The bridge.
    pub bridge: Bridge,
    /// The simulator.
    pub simulator: Simulator,
    /// The recorder of the journal.
    pub recorder: Recorder,
    /// The database that the journal is copied to.
    pub database: Database,
    /// The trading engine.
    pub engine: Engine,
    /// The collectors, one a venue.
    pub collectors: Collectors,
}

/// Which venues the collectors talk to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Venues {
    /// The simulator on loopback.
    #[default]
    Simulated,
    /// The real venues.
    Live,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a `target=level` list.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            level: "info".into(),
            format: LogFormat::Text,
        }
    }
}

/// `[relay]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Relay {
    /// The Unix socket on which processes attach; empty: `relay.sock` in the runtime directory.
    pub socket: PathBuf,
    /// Slots of the broadcast ring, a power of two; 64 bytes each.
    pub capacity: Capacity,
    /// How the hot thread waits for records.
    pub wait: Wait,
    /// Core of the hot thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<usize>,
}

impl Default for Relay {
    fn default() -> Self {
        Relay {
            socket: PathBuf::new(),
            capacity: Capacity(1 << 18),
            wait: Wait::Sleep,
            pin: None,
        }
    }
}

/// `[simulator]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Simulator {
    /// Address of all simulated venues; each has a path of its own.
    pub listen: SocketAddr,
    /// Seed of the synthetic markets: the same seed makes the same market.
    pub seed: u64,
    /// Market events a second and instrument.
    pub events_per_second: u32,
    /// Directory of captures, a folder a venue, to replay instead of a synthetic market; empty: none.
    pub replay: PathBuf,
    /// Speed of a replay: `1` as recorded, `10` ten times as fast, `max` without pauses.
    pub speed: Speed,
    /// Close the connection at the end of a replay, so that the next one starts it over.
    pub repeat: bool,
    /// File with a script of faults; empty: none.
    pub faults: PathBuf,
    /// What clients that order at the simulated Coinbase must show as `CB-ACCESS-KEY`; empty: nobody may order.
    pub api_key: String,
}

impl Default for Simulator {
    fn default() -> Self {
        Simulator {
            listen: SocketAddr::from(([127, 0, 0, 1], 8090)),
            seed: 1,
            events_per_second: 20,
            replay: PathBuf::new(),
            speed: Speed::Times(1.0),
            repeat: false,
            faults: PathBuf::new(),
            api_key: "simulated".to_owned(),
        }
    }
}

/// What is wrong with a configuration, and where.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not a configuration; the message shows the line.
    #[error("{path}:{line}: {message}", path = path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// Values that make no sense together.
    #[error("{path}: {problems}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong.
        problems: Problems,
    },
}

/// A list of problems, one a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl Config {
    /// Reads `path`; without one `./tickpath.toml` if it is there, else the defaults.
    ///
    /// # Errors
    /// As [`ConfigError`] says.
    pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
        let default = Path::new("tickpath.toml");
        let path = match path {
            Some(path) => path,
            None if default.is_file() => default,
            None => return Ok(Config::default()),
        };
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Config::parse(&text, path)
    }

    /// Parses and checks `text`, which came from `path`.
    ///
    /// # Errors
    /// [`ConfigError::Parse`] with the line or [`ConfigError::Invalid`] with all problems.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        let mut config: Config = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
            ConfigError::Parse {
                path: path.to_owned(),
                line,
                message: without_text(error.message()).trim().replace('\n', ", "),
            }
        })?;
        config.engine.locate(text);
        let problems = config.problems();
        if problems.is_empty() {
            return Ok(config);
        }
        Err(ConfigError::Invalid {
            path: path.to_owned(),
            problems: Problems(problems),
        })
    }

    /// The text that [`Config::parse`] reads back as this configuration.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every key of a configuration has a TOML form")
    }

    /// The directory for sockets and the state of `tickpath up`.
    #[must_use]
    pub fn runtime_dir(&self) -> PathBuf {
        if !self.runtime_dir.as_os_str().is_empty() {
            return self.runtime_dir.clone();
        }
        match std::env::var_os("XDG_RUNTIME_DIR") {
            Some(dir) if !dir.is_empty() => Path::new(&dir).join("tickpath"),
            _ => PathBuf::from(format!("/tmp/tickpath-{}", current_uid())),
        }
    }

    /// The relay's socket.
    #[must_use]
    pub fn relay_socket(&self) -> PathBuf {
        if self.relay.socket.as_os_str().is_empty() {
            return self.runtime_dir().join("relay.sock");
        }
        self.relay.socket.clone()
    }

    /// The journal's directory: as configured, else `journal` in the runtime directory if that is configured, else in the user's data
    /// directory: `$XDG_DATA_HOME/tickpath/journal`, `~/.local/share/tickpath/journal`.
    #[must_use]
    pub fn journal_dir(&self) -> PathBuf {
        self.kept_in(&self.recorder.dir, "journal")
    }

    /// The engine's state directory: as configured, else `engine` beside where the journal is by default.
    #[must_use]
    pub fn engine_state_dir(&self) -> PathBuf {
        self.kept_in(&self.engine.state_dir, "engine")
    }

    /// The folder of the backtests: as configured, else `backtests` beside where the journal is by default.
    #[must_use]
    pub fn reports_dir(&self) -> PathBuf {
        self.kept_in(&self.bridge.reports, "backtests")
    }

    /// The file of the kill latch.
    #[must_use]
    pub fn kill_latch(&self) -> PathBuf {
        self.engine_state_dir().join("kill")
    }

    /// What must outlive the machine's run.
    fn kept_in(&self, configured: &Path, name: &str) -> PathBuf {
        if !configured.as_os_str().is_empty() {
            return configured.to_owned();
        }
        let from_env = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let data = || from_env("XDG_DATA_HOME").or_else(|| Some(from_env("HOME")?.join(".local/share")));
        match data() {
            Some(data) if self.runtime_dir.as_os_str().is_empty() => data.join("tickpath").join(name),
            _ => self.runtime_dir().join(name),
        }
    }

    /// The collectors that are to run, with what the file leaves open filled in.
    #[must_use]
    pub fn enabled_collectors(&self) -> Vec<(Venue, Collector)> {
        Venue::market_data()
            .into_iter()
            .filter_map(|venue| {
                let collector = self.collectors.of(venue)?.resolved(venue, self);
                (collector.enabled == Some(true)).then_some((venue, collector))
            })
            .collect()
    }

    /// What is wrong with values that must fit together.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut pins: BTreeMap<usize, (&str, Wait)> = BTreeMap::new();
        let own = [
            ("relay.pin", self.relay.pin, self.relay.wait),
            ("bridge.pin", self.bridge.pin, self.bridge.wait),
            ("engine.pin", self.engine.pin, self.engine.wait),
        ];
        let collectors = self.collectors.iter().map(|(key, table)| (key, table.pin, table.wait));
        for (key, pin, wait) in own.into_iter().chain(collectors) {
            let Some(core) = pin else { continue };
            if let Some((other, other_wait)) = pins.insert(core, (key, wait))
                && [wait, other_wait].contains(&Wait::Spin)
            {
                problems.push(format!(
                    "`{key}` and `{other}` both pin to core {core}, and one of them spins: use `wait = \"yield\"` to share a core"
                ));
            }
        }
        self.bridge.problems(&mut problems);
        if !self.simulator.listen.ip().is_loopback() {
            problems.push(format!("`simulator.listen` {} is not loopback", self.simulator.listen));
        }
        if self.bridge.listen == self.simulator.listen && self.bridge.listen.port() != 0 {
            problems.push(format!(
                "`bridge.listen` and `simulator.listen` are both {}",
                self.bridge.listen
            ));
        }
        self.recorder.problems(&mut problems);
        self.database.problems(&mut problems);
        self.engine.problems(&mut problems);
        self.engine.venue_problems(self.venues, &self.simulator, &mut problems);
        for (key, collector) in self.collectors.iter() {
            collector.problems(key, &mut problems);
        }
        problems
    }
}

/// What the parser says, without the text that it found where it wanted something else: it may be a secret in the wrong line.
fn without_text(message: &str) -> String {
    let found = "invalid type: string \"";
    match (message.find(found), message.rfind("\", expected ")) {
        (Some(start), Some(end)) if start + found.len() <= end => {
            let start = start + found.len() - 2;
            format!("{}{}", &message[..start], &message[end + 1..])
        }
        _ => message.to_owned(),
    }
}

/// The user's id, as `/proc` states it: names the runtime directory of a machine without a login session.
fn current_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").map_or(0, |metadata| metadata.uid())
}

#[cfg(test)]
mod tests;
