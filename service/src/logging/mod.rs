//! Logs go to stderr, one line an event; WARN and ERROR are facts that an operator must act on. As JSON each line has the same fields whichever process it is from;
//! see [`json`].

pub mod json;

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Once, OnceLock};

use tickpath_protocol::Venue;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Whose lines they are. Set once, before the first line.
static IDENTITY: OnceLock<Identity> = OnceLock::new();
/// The run of the relay that this process belongs to; 0: none yet.
static RUN_ID: AtomicU64 = AtomicU64::new(0);
static HOOK: Once = Once::new();

/// The level is none that `tracing` knows.
#[derive(Debug, thiserror::Error)]
#[error("log.level `{level}`: {reason}; use error, warn, info, debug, trace or a `target=level` list")]
pub struct LevelError {
    level: String,
    reason: String,
}

/// What stands in each line of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name, as its counter page has it.
    pub process: String,
    /// The venue, of a process that serves one.
    pub venue: Option<Venue>,
}

impl Identity {
    /// A process that serves no venue, or many.
    #[must_use]
    pub fn named(process: &str) -> Identity {
        Identity {
            process: process.to_owned(),
            venue: None,
        }
    }

    /// Named after its program: `relay` for `tickpath-relay`.
    fn of_program() -> Identity {
        let path = std::env::args_os().next().unwrap_or_default();
        let name = std::path::Path::new(&path).file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        Identity::named(name.strip_prefix("tickpath-").unwrap_or(&name))
    }
}

/// Installs the subscriber of this process, which is named after its program. `RUST_LOG` overrides the configured level.
///
/// # Errors
/// [`LevelError`] if the level is not understood.
pub fn init(log: &Log) -> Result<(), LevelError> {
    init_as(log, Identity::of_program())
}

/// The same for a process whose name is not its program's.
///
/// # Errors
/// [`LevelError`] if the level is not understood.
pub fn init_as(log: &Log, identity: Identity) -> Result<(), LevelError> {
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
        LogFormat::Json => {
            let identity = IDENTITY.get_or_init(|| identity);
            HOOK.call_once(|| std::panic::set_hook(Box::new(log_panic)));
            builder.event_format(json::Lines::of(identity)).try_init()
        }
    };
    if let Err(error) = installed {
        tracing::debug!("a log subscriber is installed already: {error}");
    }
    Ok(())
}

/// From now on each JSON line says that it belongs to this run of the relay.
pub fn set_run_id(run_id: u64) {
    RUN_ID.store(run_id, Ordering::Relaxed);
}

/// Says why the process ends: a JSON line if its log is one, else text. No level hides it.
pub(crate) fn last_words(message: &str) {
    match IDENTITY.get() {
        Some(identity) => eprintln!("{}", json::Lines::of(identity).error(message, &[])),
        None => eprintln!("error: {message}"),
    }
}

/// What a panic prints, as a line like all others.
fn log_panic(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let what = info.payload_as_str().unwrap_or("a panic without words");
    let fields = [("thread", thread.name().unwrap_or_default()), ("location", &location)];
    if let Some(identity) = IDENTITY.get() {
        let line = json::Lines::of(identity).error(&format!("panicked: {what}"), &fields);
        eprintln!("{line}");
    }
}
