//! Logs go to stderr, one line an event; WARN and ERROR are facts that an operator must act on.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// The level is none that `tracing` knows.
#[derive(Debug, thiserror::Error)]
#[error("log.level `{level}`: {reason}; use error, warn, info, debug, trace or a `target=level` list")]
pub struct LevelError {
    level: String,
    reason: String,
}

/// Installs the subscriber of this process. `RUST_LOG` overrides the configured level.
///
/// # Errors
/// [`LevelError`] if the level is not understood.
pub fn init(log: &Log) -> Result<(), LevelError> {
    let level = std::env::var("RUST_LOG").unwrap_or_else(|_| log.level.clone());
    let filter = EnvFilter::try_new(&level).map_err(|error| LevelError {
        level,
        reason: error.to_string(),
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second call happens only in tests that share a process; the first subscriber stays.
    let installed = match log.format {
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if let Err(error) = installed {
        tracing::debug!("a log subscriber is installed already: {error}");
    }
    Ok(())
}
