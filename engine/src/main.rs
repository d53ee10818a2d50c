//! `tickpath-engine`: see the library.

use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use clap::Parser;
use tickpath_engine::process::hot::{Hot, HotError};
use tickpath_engine::process::{NAME, setup};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Condition, Config, Notifier, Shutdown, logging, run};
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
    let hot = Hot::new(&config, &page, shutdown.clone()).map_err(|error| failure(&error))?;
    let notifier = Notifier::start(vec![hot.pulse()], &shutdown, move || condition(&page));
    let _notifier = notifier.or_exit(ExitCode::Failed, "talking to the service manager")?;
    let hot = hot.spawn().map_err(|error| failure(&error))?;
    while !shutdown.is_requested() && !hot.is_finished() {
        std::thread::sleep(LOOK_EVERY);
    }
    let broke = |_| ProcessError::message(ExitCode::Failed, "the hot thread panicked; its message is above");
    hot.join().map_err(broke)?.map_err(|error| failure(&error))
}

/// Ready once the relay is there: a market that a strategy names may be closed for hours.
fn condition(page: &CounterPage) -> Condition {
    let is_halted = page.total("tickpath_engine_halted") != 0 || page.total("tickpath_engine_killed") != 0;
    let status = match page.total("tickpath_engine_phase") {
        3 if is_halted => "trades nothing: halted, or the kill switch is latched".to_owned(),
        3 => format!("runs; {} orders open", page.total("tickpath_engine_orders_open")),
        2 => "reads what earlier sessions left".to_owned(),
        4 => "cancels what rests".to_owned(),
        _ => "waits for the markets that strategies name".to_owned(),
    };
    Condition {
        is_ready: page.total("tickpath_subscription_attached") > 0 && page.total("tickpath_publisher_attached") > 0,
        status,
    }
}

fn failure(error: &HotError) -> ProcessError {
    let code = match error {
        HotError::Pin(_) | HotError::Latch(_) | HotError::Session(_) | HotError::Build(_) => ExitCode::BadInput,
        HotError::Transport(_) | HotError::InstrumentChanged(_) | HotError::Thread(_) => ExitCode::Failed,
    };
    ProcessError::new(code, "", error)
}
