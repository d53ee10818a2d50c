//! `tickpath verify`: every manifest of an archive derived again.

use std::path::PathBuf;

use clap::Args;
use tickpath_service::exit::{ExitCode, ProcessError};
use tickpath_storage::archive::verify::{Report, verify as run_verify};
use tickpath_transport::now_ns;

use crate::export::{failure, open};
use crate::export_progress::Reporter;

/// Differences that are printed.
const PRINTED_MAX: usize = 100;

/// Arguments of `tickpath verify`.
#[derive(Args)]
pub struct VerifyArgs {
    /// The archive's folder.
    #[arg(value_name = "DIR")]
    archive: PathBuf,
    /// Compare every record with this journal too, as far back as it reaches.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
}

/// Prints what differs.
///
/// # Errors
/// If anything differs, or archive or journal cannot be read.
pub fn verify(args: &VerifyArgs) -> Result<(), ProcessError> {
    if !args.archive.is_dir() {
        return Err(ProcessError::message(
            ExitCode::BadInput,
            format!("{} is no folder", args.archive.display()),
        ));
    }
    let journal = args.journal.as_deref().map(open).transpose()?;
    let reporter = Reporter::new();
    let report = run_verify(&args.archive, journal.as_ref(), now_ns(), &reporter);
    reporter.finish();
    let report = report.map_err(|error| failure(&error, format!("verifying {}", args.archive.display())))?;
    print(&report);
    if report.differences.is_empty() && report.verified.is_empty() {
        let message = format!("{} holds no partition of an archive", args.archive.display());
        return Err(ProcessError::message(ExitCode::BadInput, message));
    }
    if !report.differences.is_empty() {
        let message = format!("{} differences in {}", report.differences.len(), args.archive.display());
        return Err(ProcessError::message(ExitCode::Failed, message));
    }
    Ok(())
}

/// Differences, then a line of totals.
pub fn print(report: &Report) {
    for difference in report.differences.iter().take(PRINTED_MAX) {
        println!("{difference}");
    }
    if report.differences.len() > PRINTED_MAX {
        println!("… and {} more", report.differences.len() - PRINTED_MAX);
    }
    println!(
        "{} partitions verified, {} rows, {} of them compared with the journal, {} differences",
        report.verified.len(),
        report.rows,
        report.compared,
        report.differences.len()
    );
}
