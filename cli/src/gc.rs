//! `tickpath gc`: deletes the segments of a journal that are safe elsewhere.

use std::path::PathBuf;

use clap::Args;
use tickpath_service::Config;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_storage::archive::collect::{Verdict, database_next_index, delete, look};
use tickpath_storage::journal::Journal;
use tickpath_transport::now_ns;

use crate::export::{failure, open};
use crate::export_progress::Reporter;

/// Arguments of `tickpath gc`.
#[derive(Args)]
pub struct GcArgs {
    /// The archive that must hold what is deleted; it is verified first.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// The journal's folder; without it the configured one.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Say what would be deleted, and delete nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Verifies the archive, then deletes each segment of which it, and the database if one is configured, holds every record.
///
/// # Errors
/// If the archive does not verify (what does is still used), or a database that is configured cannot be asked.
pub fn gc(config: &Config, args: &GcArgs) -> Result<(), ProcessError> {
    let dir = args.journal.clone().unwrap_or_else(|| config.journal_dir());
    let journal = open(&dir)?;
    let database = database(config, &journal)?;
    let reporter = Reporter::new();
    let findings = look(&journal, &args.archive, database, now_ns(), &reporter);
    reporter.finish();
    let findings = findings.map_err(|error| failure(&error, format!("looking through {}", dir.display())))?;
    for difference in findings.report.differences.iter().take(20) {
        println!("{difference}");
    }
    let (mut deleted, mut bytes) = (0, 0);
    for Verdict { segment, kept_because } in &findings.verdicts {
        let name = segment.path.file_name().unwrap_or_default().display();
        match kept_because {
            Some(reason) => println!("kept {name}: {reason}"),
            None => {
                if !args.dry_run {
                    delete(segment).map_err(|error| failure(&error, "deleting a segment"))?;
                }
                println!("{} {name}", if args.dry_run { "would delete" } else { "deleted" });
                deleted += 1;
                bytes += segment.bytes;
            }
        }
    }
    let verb = if args.dry_run { "would be deleted" } else { "deleted" };
    println!(
        "{deleted} of {} segments {verb}, {bytes} bytes",
        findings.verdicts.len()
    );
    Ok(())
}

fn database(config: &Config, journal: &Journal) -> Result<Option<u64>, ProcessError> {
    let url = config.database.url().or_exit(ExitCode::BadInput, "configuration")?;
    url.map(|url| database_next_index(&url, journal)).transpose().or_exit(
        ExitCode::Unavailable,
        "asking the database how far it is; nothing is deleted",
    )
}
