//! `tickpath-kill-watchdog`: see the library's `process::watchdog`.

use std::path::{Path, PathBuf};
use std::process;

use clap::Parser;
use tickpath_engine::process::setup;
use tickpath_engine::process::watchdog::{NAME, Watchdog};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Config, Shutdown, logging, run};
use tickpath_transport::CounterPage;

/// Presses the kill switch when data is stale, too much is lost, or the engine is silent.
#[derive(Debug, Parser)]
#[command(name = "tickpath-kill-watchdog", version)]
struct Arguments {
    /// Configuration file; without it ./tickpath.toml if it is there, else the defaults.
    #[arg(long, value_name = "FILE", env = "TICKPATH_CONFIG")]
    config: Option<PathBuf>,
}

fn main() -> process::ExitCode {
    run(|| serve(&Arguments::parse()))
}

fn serve(arguments: &Arguments) -> Result<(), ProcessError> {
    let config = Config::load(arguments.config.as_deref()).or_exit(ExitCode::BadInput, "configuration")?;
    let path = arguments.config.as_deref().unwrap_or(Path::new("tickpath.toml"));
    setup::check(&config, path).or_exit(ExitCode::BadInput, "configuration")?;
    logging::init(&config.log).or_exit(ExitCode::BadInput, "configuration")?;
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "signals")?;
    let page = CounterPage::create(NAME).or_exit(ExitCode::Failed, "counters")?;
    let watchdog = Watchdog::new(&config, &page).or_exit(ExitCode::BadInput, "")?;
    watchdog.run(&shutdown);
    Ok(())
}
