//! `tickpath up` and `tickpath down`: the pipeline on one machine without systemd.
//!
//! `up` stays in the foreground. It starts one process a line of the [`plan`], restarts what dies with a growing pause, and on Ctrl-C or
//! SIGTERM stops all of them. What it runs stands in `up.json` of the runtime directory, which `down` and `status` read.

mod child;
mod plan;
mod state;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tickpath_service::config::{Config, DatabaseUrl, Speed};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::logging::{self, Identity};
use tickpath_service::{Shutdown, memory};
use tracing::{info, warn};

use child::{Child, Ended};
pub use state::State;
use state::{RunLock, is_ours};

/// How often children are looked at.
const TICK: Duration = Duration::from_millis(20);
/// How long a child that others connect to has to listen, before they are started all the same: they try again by themselves.
const START_TIMEOUT: Duration = Duration::from_secs(3);
/// How long all children together have to stop after SIGTERM, before SIGKILL.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Environment variable that stands for `--timescale`.
const TIMESCALE_VARIABLE: &str = "TICKPATH_TIMESCALE";

/// Arguments of `tickpath up`.
#[derive(Args)]
pub struct UpArgs {
    /// Play captures, a folder a venue, instead of simulated markets.
    #[arg(long, value_name = "DIR", conflicts_with = "live")]
    replay: Option<PathBuf>,
    /// Speed of the replay: 1 as recorded, 10 ten times as fast, max without pauses.
    #[arg(long, requires = "replay")]
    speed: Option<Speed>,
    /// Start the replay over at its end.
    #[arg(long, requires = "replay")]
    repeat: bool,
    /// Use the real venues.
    #[arg(long)]
    live: bool,
    /// Address of the dashboard.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Also keep the record in this TimescaleDB or PostgreSQL database, postgres://user:password@host:port/database. Other users see a command
    /// line: give an address with a password in the environment or in `database.url_file` instead.
    // A text until later: what the parser of arguments refuses it repeats, password and all.
    #[arg(long, value_name = "URL", env = TIMESCALE_VARIABLE, hide_env_values = true)]
    timescale: Option<String>,
}

/// Runs the pipeline until it is told to stop.
///
/// # Errors
/// If the configuration does not fit, another `up` runs in the same directory, or a process cannot be started at all.
pub fn up(config: Config, args: UpArgs) -> Result<(), ProcessError> {
    memory::keep_private().or_exit(ExitCode::Failed, "keeping the memory private")?;
    let mut config = plan::effective_config(config, args)?;
    logging::init_as(&config.log, Identity::named("up")).or_exit(ExitCode::BadInput, "log")?;
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "signals")?;
    let dir = config.runtime_dir();
    let lock = RunLock::acquire(&dir)?;
    stop_orphans(&dir);
    let secret_path = keep_secret_apart(&mut config, &dir)?;
    let config_path = dir.join("effective.toml");
    write_private(&config_path, &config.to_toml())
        .or_exit(ExitCode::Failed, format!("writing {}", config_path.display()))?;

    let mut supervisor = Supervisor {
        children: plan::children(&config, &config_path)?,
        url: config.bridge.url(),
        has_tls: config.bridge.has_tls(),
        dir,
        announced: false,
    };
    let result = supervisor.supervise(&shutdown, config.bridge.listen);
    supervisor.stop_all();
    State::remove(&supervisor.dir);
    if let Some(path) = secret_path
        && let Err(error) = std::fs::remove_file(&path)
    {
        warn!("cannot remove {}: {error}", path.display());
    }
    drop(lock);
    result
}

/// Puts the database's address, which may hold a password, into a file of its own that the configuration names: what configures every child holds no
/// secret, and no child's environment does. `None`: it comes from a file or credential already, or there is none.
fn keep_secret_apart(config: &mut Config, dir: &Path) -> Result<Option<PathBuf>, ProcessError> {
    let database = &mut config.database;
    if database.url.is_empty() && !database.url_file.as_os_str().is_empty() {
        return Ok(None);
    }
    let Some(url) = database.url().or_exit(ExitCode::BadInput, "configuration")? else {
        return Ok(None);
    };
    let path = dir.join("database-url");
    write_private(&path, url.expose()).or_exit(ExitCode::Failed, format!("writing {}", path.display()))?;
    database.url = DatabaseUrl::default();
    database.url_file = path.clone();
    Ok(Some(path))
}

/// Writes a file that its owner alone may read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // One of an earlier version may be there, and be readable.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}

struct Supervisor {
    children: Vec<Child>,
    url: String,
    has_tls: bool,
    dir: PathBuf,
    announced: bool,
}

impl Supervisor {
    fn supervise(&mut self, shutdown: &Shutdown, bridge: SocketAddr) -> Result<(), ProcessError> {
        for child in &mut self.children {
            child.start()?;
            child.wait_until_it_listens(START_TIMEOUT)?;
        }
        self.save()?;
        let mut next_probe = Instant::now();
        while !shutdown.is_requested() {
            if self.tend()? {
                self.save()?;
            }
            if !self.announced && Instant::now() >= next_probe {
                next_probe = Instant::now() + 5 * TICK;
                self.announced = plan::answers(bridge, self.has_tls);
                if self.announced {
                    println!("Dashboard: {}", self.url);
                }
            }
            std::thread::sleep(TICK);
        }
        info!("stopping");
        Ok(())
    }

    /// Looks at every child and restarts what may be; says whether a process changed.
    fn tend(&mut self) -> Result<bool, ProcessError> {
        let mut changed = false;
        for child in &mut self.children {
            match child.poll()? {
                Ended::No => continue,
                Ended::Restarted => {}
                Ended::Died { how, pause } => {
                    warn!(
                        child = child.name(),
                        pause_ms = pause.as_millis() as u64,
                        "{how}; it will be restarted"
                    );
                }
                Ended::WillNotHelp { how } => {
                    return Err(ProcessError::message(
                        ExitCode::Failed,
                        format!(
                            "{} {how} at its first start, so the pipeline is stopped; its own message is above",
                            child.name()
                        ),
                    ));
                }
            }
            changed = true;
        }
        Ok(changed)
    }

    fn save(&self) -> Result<(), ProcessError> {
        let processes = self.children.iter().map(Child::entry).collect();
        State::new(self.url.clone(), processes)
            .write(&self.dir)
            .or_exit(ExitCode::Failed, "writing the state of `up`")
    }

    /// Stops the children, each before those that it depends on, so that none of them sees another go and says so.
    fn stop_all(&mut self) {
        let deadline = Instant::now() + STOP_TIMEOUT;
        for child in self.children.iter_mut().rev() {
            child.terminate();
            while !child.is_gone() && Instant::now() < deadline {
                std::thread::sleep(TICK);
            }
            if !child.is_gone() {
                warn!(
                    child = child.name(),
                    "still there {STOP_TIMEOUT:?} after the stop began; killing it"
                );
                child.kill();
            }
        }
    }
}

/// Stops what `up` started in the runtime directory of this configuration.
///
/// # Errors
/// If nothing runs there or it does not stop.
pub fn down(config: &Config) -> Result<(), ProcessError> {
    let dir = config.runtime_dir();
    let Some(state) = State::read(&dir) else {
        return Err(ProcessError::message(
            ExitCode::Unavailable,
            format!("nothing runs in {}", dir.display()),
        ));
    };
    if !is_ours(state.pid) {
        let stopped = stop_orphans(&dir);
        State::remove(&dir);
        println!("`tickpath up` was gone; {stopped} of its processes were stopped");
        return Ok(());
    }
    signal(state.pid, Signal::TERM);
    let deadline = Instant::now() + STOP_TIMEOUT + Duration::from_secs(2);
    while is_ours(state.pid) {
        if Instant::now() >= deadline {
            return Err(ProcessError::message(
                ExitCode::Failed,
                format!("process {} does not stop", state.pid),
            ));
        }
        std::thread::sleep(TICK);
    }
    println!("stopped");
    Ok(())
}

/// Ends the processes of an `up` that was killed, which nobody else would; says how many there were.
fn stop_orphans(dir: &Path) -> usize {
    let orphans = state::running_in(dir);
    for pid in &orphans {
        warn!(
            child_pid = pid,
            "stopping a process that an earlier `tickpath up` left behind"
        );
        signal(*pid, Signal::TERM);
    }
    let deadline = Instant::now() + STOP_TIMEOUT;
    while orphans.iter().any(|pid| is_ours(*pid)) && Instant::now() < deadline {
        std::thread::sleep(TICK);
    }
    for pid in orphans.iter().filter(|pid| is_ours(**pid)) {
        signal(*pid, Signal::KILL);
    }
    orphans.len()
}

fn signal(pid: u32, signal: Signal) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    if let Err(error) = kill_process(pid, signal) {
        warn!("cannot signal process {}: {error}", pid.as_raw_nonzero());
    }
}
