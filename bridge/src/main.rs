//! `tickpath-bridge`: the stream as JSON over WebSocket, and the dashboard.

use std::path::PathBuf;
use std::process;

use clap::Parser;
use tickpath_bridge::metrics::Health;
use tickpath_bridge::traces::Traces;
use tickpath_bridge::{Bridge, Timing};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Condition, Config, Notifier, Shutdown, logging, memory, run};

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
    let _traces = start_log(&config)?;
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "installing signal handlers")?;
    let bridge = Bridge::start(&config, Timing::default(), shutdown.clone())?;
    let health = bridge.health();
    let notifier = Notifier::start(vec![health.pulse()], &shutdown, move || condition(&health));
    let _notifier = notifier.or_exit(ExitCode::Failed, "talking to the service manager")?;
    bridge.wait()
}

/// Starts the log, and traces if they are wanted: for as long as what it returns is there.
fn start_log(config: &Config) -> Result<Option<Traces>, ProcessError> {
    let Some(url) = &config.bridge.traces_url else {
        logging::init(&config.log).or_exit(ExitCode::BadInput, "")?;
        return Ok(None);
    };
    let (traces, spans) = Traces::to(url).or_exit(ExitCode::BadInput, "")?;
    logging::init_with_spans(&config.log, spans).or_exit(ExitCode::BadInput, "")?;
    Ok(Some(traces))
}

/// Ready once it listens and reads the stream.
fn condition(health: &Health) -> Condition {
    let stream = if health.is_attached() {
        "attached"
    } else {
        "waits for the relay"
    };
    Condition {
        is_ready: health.is_attached(),
        status: format!(
            "{stream}; {} instruments, {} clients",
            health.instruments(),
            health.clients()
        ),
    }
}
