//! `tickpath-simulator`: the venues' dialects on loopback.

use std::path::PathBuf;
use std::process;
use std::time::Duration;

use clap::Parser;
use tickpath_service::exit::{Context, ProcessError};
use tickpath_service::{Condition, Config, ExitCode, Notifier, Pulse, Shutdown, logging, room_for_runtime, run};
use tickpath_simulator::{Options, Server};

/// Speaks the dialects of Binance, Coinbase, Kraken and Alpaca on one loopback port: synthetic markets, replay of captures, faults.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Configuration; left out: ./tickpath.toml if it is there, else the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Seconds after which Binance closes a connection.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(1..))]
    binance_lifetime_s: u32,
}

fn main() -> process::ExitCode {
    run(simulate)
}

fn simulate() -> Result<(), ProcessError> {
    let arguments = Arguments::parse();
    let config = Config::load(arguments.config.as_deref()).or_exit(ExitCode::BadInput, "configuration")?;
    logging::init(&config.log).or_exit(ExitCode::BadInput, "logging")?;
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "installing signal handlers")?;
    let mut options = Options::default();
    options.binance.lifetime_ns = i64::from(arguments.binance_lifetime_s) * 1_000_000_000;
    room_for_runtime().or_exit(ExitCode::Failed, "starting the runtime")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .or_exit(ExitCode::Failed, "starting the runtime")?;
    runtime.block_on(serve(config, options, shutdown))
}

async fn serve(config: Config, options: Options, shutdown: Shutdown) -> Result<(), ProcessError> {
    let server = Server::start_with(config.simulator, options)
        .await
        .map_err(|error| ProcessError::new(error.exit_code(), "simulator", &error))?;
    let address = format!("simulated venues on http://{}", server.local_addr());
    tracing::info!("{address}");
    let pulse = Pulse::new();
    let notifier = Notifier::start(vec![pulse.clone()], &shutdown, move || listening(&address));
    let _notifier = notifier.or_exit(ExitCode::Failed, "talking to the service manager")?;
    while !shutdown.is_requested() {
        pulse.beat();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.stop().await;
    Ok(())
}

/// Ready as soon as it listens.
fn listening(address: &str) -> Condition {
    Condition {
        is_ready: true,
        status: address.to_owned(),
    }
}
