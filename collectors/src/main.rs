//! `tickpath-collector VENUE`: one process a venue, from its WebSocket to the ring.

use std::path::{Path, PathBuf};

use clap::Parser;
use tickpath_collectors::capture::CaptureWriter;
use tickpath_collectors::select;
use tickpath_collectors::session::{self, Keys, Meters, SessionError, Settings};
use tickpath_protocol::Venue;
use tickpath_service::config::{Collector, Config};
use tickpath_service::exit::{Context, ProcessError};
use tickpath_service::logging::{self, Identity};
use tickpath_service::{Condition, ExitCode, Notifier, Shutdown, memory, pin_current_thread};
use tickpath_transport::{CounterPage, Publisher, PublisherConfig, Via, urgency};

/// Carries the market data of one venue to the relay.
#[derive(Parser)]
#[command(name = "tickpath-collector", version)]
struct Arguments {
    /// The venue: binance, coinbase, kraken or alpaca.
    venue: Venue,
    /// The configuration; left out: ./tickpath.toml if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory to write raw frames to, in a folder of the venue's name.
    #[arg(long, value_name = "DIR")]
    capture: Option<PathBuf>,
}

fn main() -> std::process::ExitCode {
    tickpath_service::run(|| collect(&Arguments::parse()))
}

fn collect(arguments: &Arguments) -> Result<(), ProcessError> {
    let venue = arguments.venue;
    let config = Config::load(arguments.config.as_deref()).or_exit(ExitCode::BadInput, "configuration")?;
    let name = format!("collector-{venue}");
    let identity = Identity {
        process: name.clone(),
        venue: Some(venue),
    };
    logging::init_as(&config.log, identity).or_exit(ExitCode::BadInput, "configuration")?;
    let collector = table_of(venue, &config)?;
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "signals")?;
    let dialect = select::dialect(venue, &collector).ok_or_else(|| no_collector(venue))?;
    if dialect.policy().login {
        memory::keep_private().or_exit(ExitCode::Failed, "keeping the memory private")?;
    }
    let keys = dialect.policy().login.then(|| Keys::find(&collector, config.venues));
    let keys = keys.transpose().map_err(process_error)?;
    let directory = arguments.capture.as_deref().unwrap_or(&collector.capture);
    let capture = capture(directory, venue).map_err(process_error)?;

    let page = CounterPage::create(&name).or_exit(ExitCode::Failed, "counters")?;
    let meters = Meters::new(&page, venue);
    // Before this thread is pinned, for a thread runs where the one that starts it does.
    let (pulses, shown) = (vec![meters.pulse()], page.clone());
    let notifier = Notifier::start(pulses, &shutdown, move || condition(&shown));
    let _notifier = notifier.or_exit(ExitCode::Failed, "talking to the service manager")?;
    pin_current_thread(collector.pin).or_exit(ExitCode::BadInput, format!("`collectors.{venue}.pin`"))?;
    urgency::prompt();
    let publisher = PublisherConfig {
        socket: config.relay_socket(),
        venue,
        name,
        capacity: collector.ring_capacity.0,
        via: Via::SharedMemory,
    };
    let publisher = Publisher::new(publisher, &page).or_exit(ExitCode::Unavailable, "publisher")?;
    let settings = Settings {
        venue,
        collector,
        keys,
        capture,
        shutdown,
    };
    session::run(settings, dialect, publisher, meters).map_err(process_error)
}

/// Ready once the relay has its ring: a venue may be down for hours, which is no reason to start a collector again.
fn condition(page: &CounterPage) -> Condition {
    let records = page.total("tickpath_publisher_records_total");
    let venue = match page.total("tickpath_collector_connected") {
        0 => "connects to the venue",
        _ => "connected",
    };
    Condition {
        is_ready: page.total("tickpath_publisher_attached") > 0,
        status: format!("{venue}; {records} records"),
    }
}

fn table_of(venue: Venue, config: &Config) -> Result<Collector, ProcessError> {
    let table = config.collectors.of(venue).ok_or_else(|| no_collector(venue))?;
    Ok(table.resolved(venue, config))
}

fn no_collector(venue: Venue) -> ProcessError {
    ProcessError::message(
        ExitCode::BadInput,
        format!("no collector exists for {venue}: use binance, coinbase, kraken or alpaca"),
    )
}

fn capture(directory: &Path, venue: Venue) -> Result<Option<CaptureWriter>, SessionError> {
    if directory.as_os_str().is_empty() {
        return Ok(None);
    }
    Ok(Some(CaptureWriter::create(directory, venue)?))
}

fn process_error(error: SessionError) -> ProcessError {
    ProcessError::new(error.exit_code(), "", &error)
}
