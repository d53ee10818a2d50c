//! `tickpath-engine`: see the library.

use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use clap::Parser;
use tickpath_engine::process::hot::{Hot, HotError};
use tickpath_engine::process::{NAME, setup};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Config, Shutdown, logging, run};
use tickpath_transport::CounterPage;

/// How often the main thread looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs the strategies of the configuration on the relay's stream, on paper or at the venue that the configuration names.
#[derive(Debug, Parser)]
#[command(name = "tickpath-engine", version)]
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
    let hot = Hot::new(&config, &page, shutdown.clone()).and_then(Hot::spawn);
    let hot = hot.map_err(|error| failure(&error))?;
    while !shutdown.is_requested() && !hot.is_finished() {
        std::thread::sleep(LOOK_EVERY);
    }
    let broke = |_| ProcessError::message(ExitCode::Failed, "the hot thread panicked; its message is above");
    hot.join().map_err(broke)?.map_err(|error| failure(&error))
}

fn failure(error: &HotError) -> ProcessError {
    let code = match error {
        HotError::Pin(_) | HotError::Latch(_) | HotError::Session(_) | HotError::Build(_) => ExitCode::BadInput,
        HotError::Transport(_) | HotError::InstrumentChanged(_) | HotError::Thread(_) => ExitCode::Failed,
    };
    ProcessError::new(code, "", error)
}
