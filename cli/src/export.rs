//! `tickpath export`: journal or database to Parquet.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tickpath_protocol::Venue;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Config, Shutdown};
use tickpath_storage::archive::export::{Done, Options, export as run_export};
use tickpath_storage::archive::{ArchiveError, Date, from_database};
use tickpath_storage::database::DatabaseError;
use tickpath_storage::journal::{Journal, JournalError};
use tickpath_transport::now_ns;

use crate::export_progress::Reporter;

/// Arguments of `tickpath export`.
#[derive(Args)]
pub struct ExportArgs {
    /// Where the records are read: `timescale` is any database that the recorder writes to, configured as `database.url`. It keeps no time of
    /// publication.
    #[arg(long, value_enum, default_value_t = Source::Journal)]
    from: Source,
    /// The archive's folder; made if it is not there.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The journal's folder; without it the configured one. With a database it says which of several journals is meant.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// This UTC day of the receive time alone, as 2026-11-21, even if it is not over. Without it: every day that is over.
    #[arg(long)]
    date: Option<Date>,
    /// This venue alone.
    #[arg(long)]
    venue: Option<Venue>,
    /// For a timer: every complete day that was not exported yet; nothing to do is no failure.
    #[arg(long, conflicts_with = "date")]
    daily: bool,
}

/// Where records are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Source {
    /// The recorder's journal.
    Journal,
    /// The database that the journal is copied to.
    Timescale,
}

/// Exports what was not exported yet, and says what it did.
///
/// # Errors
/// If journal or database cannot be read or the archive cannot be written.
pub fn export(config: &Config, args: &ExportArgs) -> Result<(), ProcessError> {
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "signals")?;
    let mut options = Options::at(now_ns());
    (options.date, options.venue) = (args.date, args.venue);
    if let Some(date) = args.date.filter(|date| !options.is_complete(*date)) {
        eprintln!("{date} is not over: what is exported now is marked partial and written again by the next export");
    }
    let (done, what) = match args.from {
        Source::Journal => from_journal(config, args, &options, &shutdown)?,
        Source::Timescale => from_timescale(config, args, &options, &shutdown)?,
    };
    println!("{}", summary(&done, &what));
    if !args.daily && done == Done::default() {
        return Err(ProcessError::message(
            ExitCode::BadInput,
            format!("{what} holds no record"),
        ));
    }
    Ok(())
}

fn from_journal(
    config: &Config,
    args: &ExportArgs,
    options: &Options,
    stop: &Shutdown,
) -> Result<(Done, String), ProcessError> {
    let dir = args.journal.clone().unwrap_or_else(|| config.journal_dir());
    let journal = open(&dir)?;
    let reporter = Reporter::new();
    let done = run_export(&journal, &args.to, options, &reporter, stop);
    reporter.finish();
    let done = done.map_err(|error| failure(&error, format!("exporting {}", dir.display())))?;
    Ok((done, dir.display().to_string()))
}

fn from_timescale(
    config: &Config,
    args: &ExportArgs,
    options: &Options,
    stop: &Shutdown,
) -> Result<(Done, String), ProcessError> {
    let url = config.database.url().or_exit(ExitCode::BadInput, "configuration")?;
    let Some(url) = url else {
        let message = "no database is configured: set `database.url`, `database.url_file` or TICKPATH_DATABASE_URL";
        return Err(ProcessError::message(ExitCode::BadInput, message));
    };
    let journal = args.journal.as_deref().map(open).transpose()?;
    let id = journal.map(|journal| journal.id());
    let reporter = Reporter::new();
    let done = from_database::export(&url, id, &args.to, options, &reporter, stop);
    reporter.finish();
    let done = done.map_err(|error| failure(&error, "exporting the database"))?;
    Ok((done, "the database".to_owned()))
}

/// Opens a journal.
///
/// # Errors
/// If there is none.
pub fn open(dir: &std::path::Path) -> Result<Journal, ProcessError> {
    Journal::open(dir).or_exit(ExitCode::BadInput, format!("opening the journal {}", dir.display()))
}

/// The error with the exit code that a timer or a script goes by.
pub fn failure(error: &ArchiveError, context: impl Into<String>) -> ProcessError {
    let code = match error {
        ArchiveError::Locked { .. } => ExitCode::Unavailable,
        ArchiveError::Database(DatabaseError::Statement { .. }) => ExitCode::Failed,
        ArchiveError::Database(error) if !error.is_configuration() => ExitCode::Unavailable,
        ArchiveError::Io { .. } | ArchiveError::Stopped | ArchiveError::Journal(JournalError::Io { .. }) => {
            ExitCode::Failed
        }
        _ => ExitCode::BadInput,
    };
    ProcessError::new(code, context, error)
}

fn summary(done: &Done, what: &str) -> String {
    let mut text = format!(
        "{} partitions written ({} rows, {} bytes), {} unchanged",
        done.written, done.rows, done.bytes, done.unchanged
    );
    if done.kept > 0 {
        text.push_str(&format!(
            ", {} kept of which {what} holds no more than they do",
            done.kept
        ));
    }
    if let (Some(first), Some(last)) = (done.open_days.first(), done.open_days.last()) {
        let days = if first == last {
            first.to_string()
        } else {
            format!("{first} to {last}")
        };
        text.push_str(&format!(
            "; {days} not over yet (`--date {first}` exports it all the same)"
        ));
    }
    text
}
