//! `tickpath kill` and `tickpath arm`: the kill switch. It is a word in a file that the engine looks at before every record, so it works
//! whatever state the engine is in, and whether there is one.

use clap::Args;
use serde::Serialize;
use tickpath_protocol::trading::Reason;
use tickpath_service::Config;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_transport::{Latch, LatchState, now_ns};

/// Arguments of `tickpath kill`.
#[derive(Args)]
pub struct KillArgs {
    /// Why, for those who read the log and `tickpath status`.
    #[arg(long, value_name = "TEXT", default_value = "pressed by hand")]
    reason: String,
}

/// Latches the kill switch: every order is canceled and none leaves any more, over restarts too.
///
/// # Errors
/// If the latch cannot be used.
pub fn kill(config: &Config, args: &KillArgs) -> Result<(), ProcessError> {
    let latch = open(config)?;
    if !latch.is_killed() {
        latch.write_note(&args.reason).or_exit(ExitCode::Failed, "")?;
    }
    let is_new = latch.kill(Reason::Kill as u8, now_ns()).or_exit(ExitCode::Failed, "")?;
    match is_new {
        true => println!("killed: no order leaves until `tickpath arm`"),
        false => println!("was killed already: {}", latch.note()),
    }
    Ok(())
}

/// Takes the kill switch, every halt and every limit that was reached back.
///
/// # Errors
/// If the latch cannot be used.
pub fn arm(config: &Config) -> Result<(), ProcessError> {
    let latch = open(config)?;
    match latch.arm(now_ns()).or_exit(ExitCode::Failed, "")? {
        true => println!("armed: strategies trade again"),
        false => println!("armed: it was not killed; halts and limits of a running engine are taken back"),
    }
    Ok(())
}

fn open(config: &Config) -> Result<Latch, ProcessError> {
    Latch::open(&config.kill_latch()).or_exit(ExitCode::BadInput, "")
}

/// The kill switch in `tickpath status`.
#[derive(Serialize)]
pub struct KillReport {
    killed: bool,
    reason: Option<&'static str>,
    note: Option<String>,
    since_ns: i64,
}

impl KillReport {
    /// The latch as it is; `None` if there is none yet, or it cannot be read.
    pub fn of(config: &Config) -> Option<KillReport> {
        let path = config.kill_latch();
        let latch = path.exists().then(|| Latch::open(&path).ok())??;
        Some(match latch.state() {
            LatchState::Armed { since_ns } => KillReport {
                killed: false,
                reason: None,
                note: None,
                since_ns,
            },
            LatchState::Killed { reason, since_ns } => KillReport {
                killed: true,
                reason: Some(Reason::from_code(reason).map_or("unknown", Reason::name)),
                note: Some(latch.note()),
                since_ns,
            },
        })
    }

    /// Whether it is latched.
    pub fn is_killed(&self) -> bool {
        self.killed
    }

    /// One line.
    pub fn text(&self) -> String {
        match (&self.note, self.reason) {
            (Some(note), Some(reason)) => format!("kill switch LATCHED ({reason}): {note}\n"),
            _ => "kill switch armed: strategies may trade\n".to_owned(),
        }
    }
}
