//! `tickpath-relay`: see the library.

use std::path::PathBuf;
use std::process;
use std::time::Duration;

use clap::Parser;
use tickpath_relay::{Relay, RelayConfig, RelayError};
use tickpath_service::config::Wait;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Condition, Config, Notifier, Shutdown, logging, run};
use tickpath_transport::{CounterPage, TransportError, WaitStrategy};
use tracing::info;

/// How often the main thread looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Carries the records of all producers to all readers, in one order, through shared memory.
#[derive(Debug, Parser)]
#[command(name = "tickpath-relay", version)]
struct Arguments {
    /// Configuration file; without it ./tickpath.toml if there is one, else the defaults.
    #[arg(long, value_name = "FILE", env = "TICKPATH_CONFIG")]
    config: Option<PathBuf>,
}

fn main() -> process::ExitCode {
    run(|| serve(&Arguments::parse()))
}

fn serve(arguments: &Arguments) -> Result<(), ProcessError> {
    let config = Config::load(arguments.config.as_deref()).or_exit(ExitCode::BadInput, "configuration")?;
    logging::init(&config.log).or_exit(ExitCode::BadInput, "configuration")?;
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "signals")?;
    let relay = start(&config)?;
    let page = relay.page().clone();
    let notifier = Notifier::start(relay.pulses().to_vec(), &shutdown, move || condition(&page));
    let _notifier = notifier.or_exit(ExitCode::Failed, "talking to the service manager")?;
    while !shutdown.is_requested() && !relay.is_broken() {
        std::thread::sleep(LOOK_EVERY);
    }
    let outcome = relay.stop();
    info!("the relay is down");
    outcome.or_exit(ExitCode::Failed, "")
}

/// Peers can attach as soon as there is a relay.
fn condition(page: &CounterPage) -> Condition {
    Condition {
        is_ready: true,
        status: format!(
            "{} producers, {} readers, {} records",
            page.total("tickpath_relay_producers_attached"),
            page.total("tickpath_relay_readers_attached"),
            page.total("tickpath_relay_records_out_total")
        ),
    }
}

fn start(config: &Config) -> Result<Relay, ProcessError> {
    let relay = RelayConfig {
        socket: config.relay_socket(),
        capacity: config.relay.capacity.0,
        wait: match config.relay.wait {
            Wait::Spin => WaitStrategy::Spin,
            Wait::Yield => WaitStrategy::Yield,
            Wait::Sleep => WaitStrategy::Sleep,
        },
        pin: config.relay.pin,
    };
    Relay::start(&relay).map_err(|error| {
        let code = match &error {
            RelayError::Transport(TransportError::Listen { .. }) => ExitCode::Unavailable,
            RelayError::Pin(_) | RelayError::Transport(TransportError::Capacity(_)) => ExitCode::BadInput,
            _ => ExitCode::Failed,
        };
        ProcessError::new(code, "", &error)
    })
}
