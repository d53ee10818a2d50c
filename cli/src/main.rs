//! The `tickpath` command: starts and stops the pipeline, looks at it, and decodes recorded feeds.

mod backtest;
mod check;
mod decode;
mod doctor;
mod export;
mod export_progress;
mod gc;
mod kill;
mod latency;
mod parity;
mod record_json;
mod replay;
mod sample;
mod status;
mod supervisor;
mod table;
mod tail;
mod top;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tickpath_service::exit::{self, Context, ProcessError};
use tickpath_service::{Config, run};

/// Tickpath: every tick of several exchanges, from the venue to the browser, through shared memory.
#[derive(Parser)]
#[command(name = "tickpath", version, about)]
struct Cli {
    /// Configuration file; without it ./tickpath.toml if it is there, else the defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the pipeline, restart what dies, stop it cleanly on Ctrl-C.
    Up(supervisor::UpArgs),
    /// Stop the pipeline that `up` started.
    Down,
    /// Show processes, rates, lag and gaps.
    Status(status::StatusArgs),
    /// Watch the pipeline on the terminal: processes, venues, latency, storage, trading.
    Top(top::TopArgs),
    /// Print how long each hop of a record's way takes.
    Latency(latency::LatencyArgs),
    /// Print the records of the stream as they come.
    Tail(tail::TailArgs),
    /// Decode a recorded feed offline, one JSON object a record.
    Decode(decode::DecodeArgs),
    /// Write the journal's complete days to an archive of Parquet files.
    Export(export::ExportArgs),
    /// Derive every manifest of an archive again and compare.
    Verify(verify::VerifyArgs),
    /// Delete the journal's segments that an archive, and the database if there is one, hold.
    Gc(gc::GcArgs),
    /// Play a journal or an archive into a running relay.
    Replay(replay::ReplayArgs),
    /// Trade the past: a strategy on a journal, an archive or a capture.
    Backtest(Box<backtest::BacktestArgs>),
    /// Decide a paper session again from its journal, and compare.
    Parity(parity::ParityArgs),
    /// Press the kill switch: every order is canceled and none leaves any more, over restarts too.
    Kill(kill::KillArgs),
    /// Take the kill switch back, and every halt.
    Arm,
    /// Check the configuration.
    Check,
    /// Check the host: cores, interrupts, memory, clock, disk, secrets; exit code 4 with warnings, 5 with failures.
    Doctor(doctor::DoctorArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    run(|| dispatch(cli))
}

fn dispatch(cli: Cli) -> Result<(), ProcessError> {
    let config = || Config::load(cli.config.as_deref()).or_exit(exit::ExitCode::BadInput, "configuration");
    match cli.command {
        Command::Up(args) => supervisor::up(config()?, args),
        Command::Down => supervisor::down(&config()?),
        Command::Status(args) => status::status(&config()?, &args),
        Command::Top(args) => top::top(&config()?, &args),
        Command::Latency(args) => latency::latency(&config()?, &args),
        Command::Tail(args) => tail::tail(&config()?, &args),
        Command::Decode(args) => decode::decode(&args),
        Command::Export(args) => export::export(&config()?, &args),
        Command::Verify(args) => verify::verify(&args),
        Command::Gc(args) => gc::gc(&config()?, &args),
        Command::Replay(args) => replay::replay(&config()?, &args),
        Command::Backtest(args) => backtest::backtest(&args),
        Command::Parity(args) => parity::parity(&config()?, &args),
        Command::Kill(args) => kill::kill(&config()?, &args),
        Command::Arm => kill::arm(&config()?),
        Command::Doctor(args) => doctor::doctor(cli.config.as_deref(), &args),
        Command::Check => check::check(cli.config.as_deref()),
    }
}
