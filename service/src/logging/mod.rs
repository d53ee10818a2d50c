//! Logs go to stderr, one line an event; WARN and ERROR are facts that an operator must act on. As JSON each line has the same fields whichever process it is from;
//! see [`json`].

pub mod json;

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Once, OnceLock};

use tickpath_protocol::Venue;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

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
    install(log, identity, None)
}

/// As [`init`], with a layer that gets the spans of this process. Without one there are no spans: log lines are made of events alone.
///
/// # Errors
/// [`LevelError`] if the level is not understood.
pub fn init_with_spans(log: &Log, spans: Spans) -> Result<(), LevelError> {
    install(log, Identity::of_program(), Some(spans))
}

/// What becomes of spans.
pub type Spans = Box<dyn Layer<Registry> + Send + Sync>;

fn install(log: &Log, identity: Identity, spans: Option<Spans>) -> Result<(), LevelError> {
    let level = std::env::var("RUST_LOG").unwrap_or_else(|_| log.level.clone());
    let filter = EnvFilter::try_new(&level).map_err(|error| LevelError {
        level,
        reason: error.to_string(),
    })?;
    let filter = filter.and(filter_fn(|metadata| metadata.is_event()));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => {
            let identity = IDENTITY.get_or_init(|| identity);
            HOOK.call_once(|| std::panic::set_hook(Box::new(log_panic)));
            lines
                .event_format(json::Lines::of(identity))
                .with_filter(filter)
                .boxed()
        }
    };
    let layers: Vec<Spans> = spans.into_iter().chain([lines]).collect();
    // A second call happens only in tests that share a process; the first subscriber stays.
    if let Err(error) = tracing_subscriber::registry().with(layers).try_init() {
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
