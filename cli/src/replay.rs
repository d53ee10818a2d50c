//! `tickpath replay`: the past into a running relay.

use std::path::PathBuf;

use clap::Args;
use tickpath_protocol::Venue;
use tickpath_service::config::Speed;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::logging::{self, Identity};
use tickpath_service::{Config, Shutdown};
use tickpath_storage::replay::{Feed, FeedOptions, Past, Range, ReplayError, time_ns};
use tickpath_transport::CounterPage;

/// Records that a publisher's ring holds.
const RING_RECORDS: usize = 1 << 14;

/// Arguments of `tickpath replay`.
#[derive(Args)]
pub struct ReplayArgs {
    /// A journal's folder, or an archive's.
    #[arg(value_name = "JOURNAL|PARQUET")]
    from: PathBuf,
    /// 1 as recorded, 10 ten times as fast, max without pauses.
    #[arg(long, default_value = "1")]
    speed: Speed,
    /// Received from here on: a day, a time in UTC (2026-11-21T09:30:00Z), or ns since the Unix epoch.
    #[arg(long = "from", value_name = "TIME", value_parser = time_ns)]
    from_ns: Option<i64>,
    /// Received before this.
    #[arg(long = "to", value_name = "TIME", value_parser = time_ns)]
    to_ns: Option<i64>,
    /// This venue alone.
    #[arg(long)]
    venue: Option<Venue>,
    /// The relay's socket; without it the configured one.
    #[arg(long, value_name = "SOCKET")]
    relay: Option<PathBuf>,
}

/// Plays it and says what was played.
///
/// # Errors
/// If there is nothing in the range, no relay, or another producer of the same venue at it.
pub fn replay(config: &Config, args: &ReplayArgs) -> Result<(), ProcessError> {
    logging::init_as(&config.log, Identity::named("replay")).or_exit(ExitCode::BadInput, "log")?;
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "signals")?;
    let page = CounterPage::create("replay").or_exit(ExitCode::Failed, "counters")?;
    let range = Range {
        from_ns: args.from_ns,
        to_ns: args.to_ns,
    };
    let options = FeedOptions {
        socket: args.relay.clone().unwrap_or_else(|| config.relay_socket()),
        speed: args.speed,
        capacity: RING_RECORDS,
    };
    let context = || format!("replaying {}", args.from.display());
    let mut past = Past::open(&args.from, range, args.venue).map_err(|error| failure(&error, context()))?;
    let mut feed = Feed::new(options, &page, &shutdown);
    let played = feed.play(&mut past).map_err(|error| failure(&error, context()))?;
    println!(
        "{} records played; left out: {} that the relay wrote itself, {} that no producer may publish",
        played.records, played.from_relay, played.unplayable
    );
    Ok(())
}

fn failure(error: &ReplayError, context: String) -> ProcessError {
    let code = match error {
        ReplayError::Archive(error) => return crate::export::failure(error, context),
        ReplayError::NoRelay(_) | ReplayError::Refused { .. } => ExitCode::Unavailable,
        ReplayError::Stalled(_) | ReplayError::Stopped | ReplayError::Publish { .. } => ExitCode::Failed,
        ReplayError::Neither(_) | ReplayError::NotWhole(_) | ReplayError::Damaged(_) | ReplayError::Empty { .. } => {
            ExitCode::BadInput
        }
    };
    ProcessError::new(code, context, error)
}
