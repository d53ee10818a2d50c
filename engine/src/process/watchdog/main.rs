//! `tickpath-kill-watchdog`: see the library's `process::watchdog`.

use std::path::{Path, PathBuf};
use std::process;

use clap::Parser;
use tickpath_engine::process::setup;
use tickpath_engine::process::watchdog::{NAME, Watchdog};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Condition, Config, Notifier, Shutdown, logging, run};
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
    let notifier = Notifier::start(vec![watchdog.pulse()], &shutdown, move || condition(&page));
    let _notifier = notifier.or_exit(ExitCode::Failed, "talking to the service manager")?;
    watchdog.run(&shutdown);
    Ok(())
}

/// Ready once it sees the stream; what it then waits for is its work.
fn condition(page: &CounterPage) -> Condition {
    let status = match page.total("tickpath_watchdog_killed") {
        0 => "watches",
        _ => "the kill switch is latched; `tickpath arm` takes it back",
    };
    Condition {
        is_ready: page.total("tickpath_subscription_attached") > 0,
        status: status.to_owned(),
    }
}
