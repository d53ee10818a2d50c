//! `tickpath-gateway`: see the library.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use tickpath_gateway::desk::{self, DeskError, DeskParts};
use tickpath_gateway::meters::Meters;
use tickpath_gateway::venue::VenueSettings;
use tickpath_gateway::{NAME, stream, teller};
use tickpath_protocol::Venue;
use tickpath_service::config::engine::ExecutionVenue;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Condition, Config, Notifier, Pulse, Shutdown, logging, room_for_runtime, run};
use tickpath_transport::{
    CounterPage, Latch, Publisher, PublisherConfig, Start, Subscription, SubscriptionConfig, Via,
};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// What the engine said and the desk has not heard yet; the reading thread waits then.
const HEARD_MAX: usize = 8_192;
/// Reports that wait for room in the ring; their orders wait then.
const REPORTS_MAX: usize = 8_192;
/// How often it is looked whether a relay has the ring.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Carries the engine's orders to the simulated venue, and its answers back.
#[derive(Debug, Parser)]
#[command(name = "tickpath-gateway", version)]
struct Arguments {
    /// Configuration file; without it ./tickpath.toml if it is there, else the defaults.
    #[arg(long, value_name = "FILE", env = "TICKPATH_CONFIG")]
    config: Option<PathBuf>,
}

fn main() -> std::process::ExitCode {
    run(|| serve(&Arguments::parse()))
}

fn serve(arguments: &Arguments) -> Result<(), ProcessError> {
    let config = Config::load(arguments.config.as_deref()).or_exit(ExitCode::BadInput, "configuration")?;
    logging::init(&config.log).or_exit(ExitCode::BadInput, "configuration")?;
    if config.engine.venue != ExecutionVenue::Simulated {
        let message = "`engine.venue` is \"paper\": there is no venue for a gateway to speak to";
        return Err(ProcessError::message(ExitCode::BadInput, message));
    }
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "signals")?;
    let latch = Latch::open(&config.kill_latch()).or_exit(ExitCode::BadInput, "latch")?;
    let page = CounterPage::create(NAME).or_exit(ExitCode::Failed, "counters")?;
    let publisher = PublisherConfig {
        socket: config.relay_socket(),
        venue: Venue::GATEWAY,
        name: NAME.to_owned(),
        capacity: config.engine.ring_capacity.0,
        via: Via::SharedMemory,
    };
    let publisher = Publisher::new(publisher, &page).or_exit(ExitCode::Unavailable, "publisher")?;
    let runtime = room_for_runtime().and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build());
    let runtime = runtime.or_exit(ExitCode::Failed, "starting the runtime")?;
    let (pulse, shown) = (Pulse::new(), page.clone());
    let notifier = Notifier::start(vec![pulse.clone()], &shutdown, move || condition(&shown));
    let _notifier = notifier.or_exit(ExitCode::Failed, "talking to the service manager")?;
    LocalSet::new().block_on(&runtime, trade(&config, publisher, latch, &page, pulse, shutdown))
}

/// Ready once the relay has its ring: orders may come then.
fn condition(page: &CounterPage) -> Condition {
    Condition {
        is_ready: page.total("tickpath_publisher_attached") > 0,
        status: format!(
            "{} orders open at the venue",
            page.total("tickpath_gateway_orders_open")
        ),
    }
}

async fn trade(
    config: &Config,
    publisher: Publisher,
    latch: Latch,
    page: &CounterPage,
    pulse: Pulse,
    shutdown: Shutdown,
) -> Result<(), ProcessError> {
    // A relay takes one producer of a code: with this ring in its hands no other gateway sends anything.
    while !publisher.is_attached() && !shutdown.is_requested() {
        if let Some(error) = publisher.fatal() {
            return Err(ProcessError::new(ExitCode::Failed, "publisher", &error));
        }
        pulse.beat();
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let subscription = SubscriptionConfig {
        socket: config.relay_socket(),
        name: NAME.to_owned(),
        start: Start::Oldest,
        via: Via::SharedMemory,
    };
    let subscription = Subscription::new(subscription, page);
    let (tell, heard) = mpsc::channel(HEARD_MAX);
    let (report, reports) = mpsc::channel(REPORTS_MAX);
    let reading = Shutdown::new();
    let until = reading.clone();
    let thread = std::thread::Builder::new().name("stream".into());
    let thread = thread
        .spawn(move || stream::read(subscription, &tell, &until))
        .or_exit(ExitCode::Failed, "thread")?;
    let teller = tokio::task::spawn_local(teller::run(publisher, reports));
    let parts = DeskParts {
        venue: VenueSettings::of(config),
        latch,
        meters: Meters::new(page),
        pulse,
        heard,
        reports: report,
        shutdown,
    };
    let result = desk::run(parts).await;
    reading.request();
    let broke = |what| ProcessError::message(ExitCode::Failed, format!("{what} panicked; its message is above"));
    thread.join().map_err(|_| broke("the stream's thread"))?;
    // What is still to be said is said, if there is somebody to take it.
    match tokio::time::timeout(Duration::from_secs(1), teller).await {
        Ok(ended) => ended.map_err(|_| broke("the teller"))?,
        Err(_) => tracing::warn!("nobody took the last reports; the next gateway asks for them"),
    }
    result.map_err(|error| failure(&error))
}

fn failure(error: &DeskError) -> ProcessError {
    let code = match error {
        DeskError::Venue(_) => ExitCode::BadInput,
        DeskError::Panicked(_) => ExitCode::Failed,
    };
    ProcessError::new(code, "gateway", error)
}
