//! `tickpath-bridge`: the stream as JSON over WebSocket, and the dashboard.

use std::path::PathBuf;
use std::process;

use clap::Parser;
use tickpath_bridge::{Bridge, Timing};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Config, Shutdown, logging, memory, run};

/// Serves the stream as JSON over WebSocket, and the dashboard.
#[derive(Debug, Parser)]
#[command(name = "tickpath-bridge", version)]
struct Arguments {
    /// Configuration; without it ./tickpath.toml if there is one, else the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn main() -> process::ExitCode {
    let arguments = Arguments::parse();
    run(|| serve(&arguments))
}

fn serve(arguments: &Arguments) -> Result<(), ProcessError> {
    memory::keep_private().or_exit(ExitCode::Failed, "keeping the memory private")?;
    let config = Config::load(arguments.config.as_deref()).or_exit(ExitCode::BadInput, "")?;
    logging::init(&config.log).or_exit(ExitCode::BadInput, "")?;
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "installing signal handlers")?;
    Bridge::start(&config, Timing::default(), shutdown)?.wait()
}
