//! What can go wrong with the database: what, where, and what to do.

use std::error::Error;
use std::time::Duration;

use tickpath_service::config::DatabaseUrlError;
use tokio_postgres::error::{DbError, SqlState};

use crate::journal::JournalError;

/// The database cannot be written, for now or until someone changes something; see [`DatabaseError::is_configuration`].
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The address makes no sense.
    #[error("{0}")]
    Url(#[from] DatabaseUrlError),
    /// The address has the form of one and holds something that is none.
    #[error("the database's address: {0}")]
    Address(String),
    /// Nobody answers, or not in time.
    #[error("database {server}: {reason}; is it running, and does `database.url` name its host and port?")]
    Unreachable {
        /// Host and port.
        server: String,
        /// Why.
        reason: String,
    },
    /// The server answers and lets us not in.
    #[error("database {server} refuses: {reason}; check user, password and database name in `database.url`")]
    Refused {
        /// Host and port.
        server: String,
        /// The server's words.
        reason: String,
    },
    /// The connection would not be as safe as the address asks for.
    #[error("database {server}: no TLS: {reason}; check `sslmode` and `sslrootcert` in `database.url`")]
    Tls {
        /// Host and port.
        server: String,
        /// Why.
        reason: String,
    },
    /// The server is too old.
    #[error("database {server} is PostgreSQL {found}: 15 or newer is needed")]
    Version {
        /// Host and port.
        server: String,
        /// What it says that it is.
        found: String,
    },
    /// The extension is too old.
    #[error(
        "the database has TimescaleDB {0} and 2.20 or newer is needed: run ALTER EXTENSION timescaledb UPDATE, or use a database without it"
    )]
    Extension(String),
    /// A newer build has been here.
    #[error(
        "the database has schema version {found} and this build knows {known}: use the newer build, or another database or schema"
    )]
    Newer {
        /// Version of the schema.
        found: i32,
        /// Newest version of this build.
        known: i32,
    },
    /// What was applied is not what this build holds.
    #[error(
        "migration {version} was applied as `{applied}` and this build holds `{known}`, which differs: use the build that made the schema, or \
         another database"
    )]
    Migration {
        /// Its number.
        version: i32,
        /// Name and checksum that stand in the database.
        applied: String,
        /// Name and checksum of this build.
        known: String,
    },
    /// The schema was made with TimescaleDB, which is not there any more.
    #[error("the schema was made for TimescaleDB and the extension is missing: install it, or use another database")]
    ExtensionMissing,
    /// A table is not what the migrations made of it.
    #[error("table `{table}` was altered: {problem}; undo that, or move it away and use another database or schema")]
    Altered {
        /// The table.
        table: String,
        /// What is wrong with which column.
        problem: String,
    },
    /// A statement failed.
    #[error("{what}: {reason}")]
    Statement {
        /// What was tried.
        what: String,
        /// The server's words, or why there are none.
        reason: String,
        /// The server's code, if it answered.
        code: Option<SqlState>,
    },
    /// Somebody else takes the same journal over.
    #[error("another writer brings this journal to the same database: stop one of the two")]
    OtherWriter,
    /// The server took longer than it may.
    #[error("{what}: the database did not answer within {limit:?}, so the connection is given up")]
    Timeout {
        /// What was tried.
        what: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The journal cannot be read.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// A thread or runtime cannot be started.
    #[error("starting the database writer: {0}")]
    Start(#[from] std::io::Error),
    /// The reading thread ended without a word.
    #[error("the thread that reads the journal for the database ended unexpectedly")]
    FeedEnded,
}

impl DatabaseError {
    /// With what was tried; for `map_err`.
    pub(crate) fn statement(what: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> DatabaseError {
        let what = what.into();
        move |error| {
            let code = error.code().cloned();
            let mut reason = error.as_db_error().map_or_else(|| chain(&error), in_words);
            if code == Some(SqlState::INSUFFICIENT_PRIVILEGE) {
                reason += "; the user in `database.url` needs a database or schema of its own: CREATE DATABASE … OWNER, or GRANT ALL ON SCHEMA";
            }
            DatabaseError::Statement { what, reason, code }
        }
    }

    /// Of a connection that could not be opened.
    pub(super) fn connect(server: &str, error: &tokio_postgres::Error) -> DatabaseError {
        let server = server.to_owned();
        match (error.as_db_error(), error.code()) {
            (Some(db), Some(code)) if is_refusal(code) => DatabaseError::Refused {
                server,
                reason: in_words(db),
            },
            (Some(db), _) => DatabaseError::Unreachable {
                server,
                reason: in_words(db),
            },
            _ => {
                let reason = chain(error);
                match () {
                    () if is_of_credentials(error) => DatabaseError::Refused { server, reason },
                    () if is_of_tls(error) => DatabaseError::Tls { server, reason },
                    () => DatabaseError::Unreachable { server, reason },
                }
            }
        }
    }

    /// Whether trying again will not help before someone changes the configuration or the database.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            DatabaseError::Url(_)
            | DatabaseError::Address(_)
            | DatabaseError::Refused { .. }
            | DatabaseError::Tls { .. }
            | DatabaseError::Version { .. }
            | DatabaseError::Extension(_)
            | DatabaseError::Newer { .. }
            | DatabaseError::Migration { .. }
            | DatabaseError::ExtensionMissing
            | DatabaseError::Altered { .. } => true,
            DatabaseError::Statement { code, .. } => code.as_ref().is_some_and(is_of_schema),
            DatabaseError::Unreachable { .. }
            | DatabaseError::OtherWriter
            | DatabaseError::Timeout { .. }
            | DatabaseError::Journal(_)
            | DatabaseError::Start(_)
            | DatabaseError::FeedEnded => false,
        }
    }
}

/// Wrong user or password, no such database, no right to connect.
fn is_refusal(code: &SqlState) -> bool {
    code.code().starts_with("28")
        || *code == SqlState::INVALID_CATALOG_NAME
        || *code == SqlState::INSUFFICIENT_PRIVILEGE
}

/// What the client itself says of a password that it was not given or cannot use; its kinds of error are told apart by their words only.
fn is_of_credentials(error: &tokio_postgres::Error) -> bool {
    ["invalid configuration", "authentication error"].contains(&error.to_string().as_str())
}

/// The server offers no TLS, or shows a certificate that will not do. A connection that broke in the handshake is none of these.
fn is_of_tls(error: &tokio_postgres::Error) -> bool {
    let Some(cause) = error.source() else { return false };
    let is_certificate = |error: &std::io::Error| error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    cause.to_string() == "server does not support TLS" || cause.downcast_ref().is_some_and(is_certificate)
}

/// Class 42 (no such table or column, wrong type, no right), 3F (no such schema) and 23 (a constraint that somebody added: the migrations make
/// none that a row could break). A deadlock or a conflict is none of these.
fn is_of_schema(code: &SqlState) -> bool {
    ["42", "3F", "23"].iter().any(|class| code.code().starts_with(class))
}

/// What the server says, and its code.
fn in_words(error: &DbError) -> String {
    let detail = error.detail().map_or(String::new(), |detail| format!(" ({detail})"));
    format!("{}{detail} [{}]", error.message(), error.code().code())
}

/// An error with its causes, each told once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
