//! The journal's records as rows of PostgreSQL or TimescaleDB, each exactly once.
//!
//! ```text
//! journal ─▶ feed (thread) ─rows, ready to send─▶ session (thread) ─BEGIN, progress, COPY a table, COMMIT─▶ database
//! ```
//!
//! 1. It is fed from the journal, never from the ring, and only with what is recorded there. So it may be slow, or the database away for
//!    as long as the journal reaches back, and nobody else notices.
//! 2. How far the database is stands in the database and moves in the transaction that brings the rows. So rows come neither twice nor
//!    never, whoever is killed when, and the tables need no unique index, which would cost most of the speed.
//! 3. It never ends while it is wanted: what can be tried again is tried again, with growing pauses, for ever. What an operator must
//!    mend (a password, an altered table) is an error at the start, and logged once while it runs.
//!
//! Refuses: a schema that is newer than it, or not what its migrations made. The tables are in `docs/database.md`.

pub mod copy;
mod error;
pub mod feed;
mod keys;
mod metrics;
pub mod schema;
pub mod server;
mod session;
pub mod tables;
mod tls;
mod upkeep;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

use tickpath_service::Config;
use tickpath_service::config::DatabaseUrl;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_transport::CounterPage;
use tracing::{info, warn};

pub use error::DatabaseError;
use server::Server;
pub use writer::Writer;

/// What the writer is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database.
    pub url: DatabaseUrl,
    /// Directory of the journal.
    pub journal: PathBuf,
    /// Records of one transaction, about.
    pub batch_rows: usize,
    /// How long a record may wait for others of its transaction.
    pub flush: Duration,
    /// Days that rows are kept; 0: for ever.
    pub retention_days: u32,
}

impl Settings {
    /// As configured; `None` if no database is.
    ///
    /// # Errors
    /// If the database's address cannot be had.
    pub fn of(config: &Config) -> Result<Option<Settings>, DatabaseError> {
        let database = &config.database;
        Ok(database.url()?.map(|url| Settings {
            url,
            journal: config.journal_dir(),
            batch_rows: database.batch_rows,
            flush: Duration::from_millis(database.flush_ms),
            retention_days: database.retention_days,
        }))
    }
}

/// Starts the writer in a thread of its own, if a database is configured. Call it once the journal is open to be written.
///
/// A database that cannot be reached is no error: it is tried again. One that can be and must be mended first is.
///
/// # Errors
/// [`ExitCode::BadInput`] for an address, password or schema that will not do; the message says what to mend.
pub fn start(config: &Config, page: &CounterPage) -> Result<Option<Writer>, ProcessError> {
    let Some(settings) = Settings::of(config).or_exit(ExitCode::BadInput, "configuration")? else {
        return Ok(None);
    };
    if Server::at(&settings.url).is_ok_and(|server| server.is_exposed()) {
        warn!(
            "rows go to the database unencrypted over a network: add `?sslmode=require` to its address if it offers TLS"
        );
    }
    match writer::probe(&settings, true) {
        Ok(what) => info!("database: {what}"),
        Err(error) if error.is_configuration() => return Err(ProcessError::new(ExitCode::BadInput, "", &error)),
        Err(error) => warn!("{error}; recording goes on, and the database is tried again until it is there"),
    }
    let writer = Writer::start(settings, page).or_exit(ExitCode::Failed, "database")?;
    Ok(Some(writer))
}

/// For `--check-database`: connects and looks, changes nothing, and says what is there.
///
/// # Errors
/// [`ExitCode::BadInput`] if something must be mended or no database is configured, [`ExitCode::Unavailable`] if it cannot be reached.
pub fn check(config: &Config) -> Result<String, ProcessError> {
    let settings = Settings::of(config).or_exit(ExitCode::BadInput, "configuration")?;
    let Some(settings) = settings else {
        return Err(ProcessError::message(
            ExitCode::BadInput,
            "no database is configured: set `database.url`, `database.url_file` or TICKPATH_DATABASE_URL",
        ));
    };
    writer::probe(&settings, false).map_err(|error| {
        let code = if error.is_configuration() {
            ExitCode::BadInput
        } else {
            ExitCode::Unavailable
        };
        ProcessError::new(code, "", &error)
    })
}
