//! `tickpath-recorder`: see the library.

use std::path::PathBuf;
use std::process;
use std::time::Duration;

use clap::Parser;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Condition, Config, Notifier, Shutdown, logging, memory, run};
use tickpath_storage::database::{self, Settings, Writer};
use tickpath_storage::journal::JournalError;
use tickpath_storage::recorder::{Recorder, RecorderConfig, RecorderError};
use tickpath_transport::CounterPage;
use tracing::{error, info};

/// How often the main thread looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the database may take to catch up at the end. What it does not have then it gets after the next start.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);

/// Appends every record of the relay's stream to the journal, and copies the journal to a database if one is configured.
#[derive(Debug, Parser)]
#[command(name = "tickpath-recorder", version)]
struct Arguments {
    /// Configuration file; without it ./tickpath.toml if it is there, else the defaults.
    #[arg(long, value_name = "FILE", env = "TICKPATH_CONFIG")]
    config: Option<PathBuf>,
    /// Connect to the database, say what is there or wrong, change nothing, and end.
    #[arg(long)]
    check_database: bool,
    /// Go on recording, and try again, where a wrong password or an altered table would end the process at its start.
    #[arg(long)]
    keep_recording: bool,
}

fn main() -> process::ExitCode {
    run(|| serve(&Arguments::parse()))
}

fn serve(arguments: &Arguments) -> Result<(), ProcessError> {
    memory::keep_private().or_exit(ExitCode::Failed, "keeping the memory private")?;
    let config = Config::load(arguments.config.as_deref()).or_exit(ExitCode::BadInput, "configuration")?;
    logging::init(&config.log).or_exit(ExitCode::BadInput, "configuration")?;
    if arguments.check_database {
        println!("{}", database::check(&config)?);
        return Ok(());
    }
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "signals")?;
    let recorder = Recorder::start(&RecorderConfig::of(&config)).map_err(|error| failure(&error))?;
    let page = recorder.page().clone();
    let notifier = Notifier::start(recorder.pulses().to_vec(), &shutdown, move || condition(&page));
    let _notifier = notifier.or_exit(ExitCode::Failed, "talking to the service manager")?;
    let writer = match start_database(&config, &recorder, arguments.keep_recording) {
        Ok(writer) => writer,
        Err(refusal) => {
            recorder.stop().map_err(|error| failure(&error))?;
            return Err(refusal);
        }
    };
    while !shutdown.is_requested() && !recorder.is_broken() {
        std::thread::sleep(LOOK_EVERY);
    }
    let outcome = recorder.stop();
    if let Some(writer) = writer {
        writer.finish(DATABASE_PATIENCE);
    }
    info!("the recorder is down");
    outcome.map_err(|error| failure(&error))
}

/// Ready once the journal is open and the ring is read.
fn condition(page: &CounterPage) -> Condition {
    let is_attached = page.total("tickpath_subscription_attached") > 0;
    let recorded = page.total("tickpath_recorder_recorded_index");
    let status = match (page.total("tickpath_recorder_stopped"), is_attached) {
        (0, true) => format!("{recorded} records on disk"),
        (0, false) => format!("waits for the relay; {recorded} records on disk"),
        _ => format!("the disk refuses; {recorded} records on disk"),
    };
    Condition {
        is_ready: is_attached,
        status,
    }
}

/// The database's writer, if there is to be one.
fn start_database(config: &Config, recorder: &Recorder, keep_recording: bool) -> Result<Option<Writer>, ProcessError> {
    match database::start(config, recorder.page()) {
        Err(refusal) if keep_recording => {
            error!("{refusal}; recording goes on, and the database is tried again until this is mended");
            let settings = Settings::of(config).or_exit(ExitCode::BadInput, "configuration")?;
            settings
                .map(|settings| Writer::start(settings, recorder.page()))
                .transpose()
                .or_exit(ExitCode::Failed, "database")
        }
        outcome => outcome,
    }
}

fn failure(error: &RecorderError) -> ProcessError {
    let code = match error {
        RecorderError::Journal(JournalError::Locked { .. }) => ExitCode::Unavailable,
        RecorderError::Journal(_) | RecorderError::Pin(_) => ExitCode::BadInput,
        RecorderError::Transport(_) | RecorderError::Thread(..) => ExitCode::Failed,
    };
    ProcessError::new(code, "", error)
}
