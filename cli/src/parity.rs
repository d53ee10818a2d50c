//! `tickpath parity`: a session decided again from its journal.

use std::path::PathBuf;

use clap::Args;
use tickpath_backtest::parity::{Parity, ParityError, parity as compare};
use tickpath_backtest::source::{Gaps, Range, Request};
use tickpath_engine::process::execution::SessionEngine;
use tickpath_engine::process::setup;
use tickpath_protocol::Instrument;
use tickpath_service::Config;
use tickpath_service::exit::{ExitCode, ProcessError};

use crate::backtest::failure;

/// Arguments of `tickpath parity`. Strategies, limits and fees are those of the configuration.
#[derive(Args)]
pub struct ParityArgs {
    /// The journal's folder; without it the configured one.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// The session's number; without it the last one.
    #[arg(long)]
    session: Option<u32>,
}

/// Replays the session and says whether it decided the same.
///
/// # Errors
/// If it did not, or cannot be replayed.
pub fn parity(config: &Config, args: &ParityArgs) -> Result<(), ProcessError> {
    let request = Request {
        path: args.journal.clone().unwrap_or_else(|| config.journal_dir()),
        venue: None,
        range: Range::default(),
        gaps: Gaps::Carry,
    };
    let found = compare(&request, args.session, |session, known| engine(config, session, known));
    let found = found.map_err(|error| match &error {
        ParityError::Source(error) => failure(error),
        ParityError::Build(_) | ParityError::NoSession { .. } => {
            ProcessError::message(ExitCode::BadInput, error.to_string())
        }
    })?;
    print(&found);
    match found.difference {
        None => Ok(()),
        Some(difference) => Err(ProcessError::message(
            ExitCode::Failed,
            format!(
                "session {} differs, if it ran with this configuration, at {difference}",
                found.session
            ),
        )),
    }
}

fn engine(config: &Config, session: u32, known: &[Instrument]) -> Result<SessionEngine, String> {
    let markets = setup::instruments(config, known.iter()).map_err(|missing| {
        let missing: Vec<String> = missing.into_iter().map(String::from).collect();
        format!("the journal has no {}, which strategies name", missing.join(", "))
    })?;
    setup::build(config, session, &markets).map_err(|error| error.to_string())
}

fn print(found: &Parity) {
    println!(
        "session {} from position {}: {} inputs; {} of {} records equal, {} fills among them",
        found.session, found.first_position, found.inputs, found.equal, found.recorded, found.fills
    );
    if found.beyond > 0 {
        println!("{} records more that the session did not live to publish", found.beyond);
    }
}
