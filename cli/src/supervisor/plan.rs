//! Which processes run, with which configuration.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tickpath_engine::process::setup;
use tickpath_protocol::Venue;
use tickpath_service::config::engine::ExecutionVenue;
use tickpath_service::config::{Config, Venues};
use tickpath_service::exit::{Context, ExitCode, ProcessError};

use super::UpArgs;
use super::child::Child;

/// The configuration with the command line's wishes in it.
///
/// # Errors
/// If the replay directory holds no capture of any venue.
pub fn effective_config(mut config: Config, args: UpArgs) -> Result<Config, ProcessError> {
    if args.live {
        config.venues = Venues::Live;
    }
    if let Some(listen) = args.listen {
        config.bridge.listen = listen;
    }
    if let Some(url) = args.timescale {
        config.database.url = url.parse().or_exit(ExitCode::BadInput, "--timescale")?;
        config.database.url_file = PathBuf::new();
        config.recorder.enabled = true;
    }
    if let Some(dir) = args.replay {
        let dir = dir
            .canonicalize()
            .or_exit(ExitCode::BadInput, format!("replay {}", dir.display()))?;
        replay_only(&mut config, &dir)?;
        config.simulator.replay = dir;
        config.simulator.speed = args.speed.unwrap_or(config.simulator.speed);
        config.simulator.repeat |= args.repeat;
        if !config.simulator.repeat {
            // The end of the recording is no reason to stop trading for good.
            config.engine.watchdog.stale_ms = 0;
        }
    }
    // These directories are settled here, once: a child must not find others by its own environment. The journal's comes first: where it
    // is depends on whether a runtime directory was configured.
    config.recorder.dir = config.journal_dir();
    config.engine.state_dir = config.engine_state_dir();
    config.bridge.reports = config.reports_dir();
    config.runtime_dir = config.runtime_dir();
    // What the command line changed must still fit together.
    let path = Path::new("command line");
    let config = Config::parse(&config.to_toml(), path).or_exit(ExitCode::BadInput, "configuration")?;
    setup::check(&config, path).or_exit(ExitCode::BadInput, "configuration")?;
    Ok(config)
}

/// Only the venues that the directory has captures of, with every symbol of theirs.
fn replay_only(config: &mut Config, dir: &Path) -> Result<(), ProcessError> {
    config.venues = Venues::Simulated;
    let mut found = false;
    for venue in Venue::market_data() {
        let has_capture = dir.join(venue.to_string()).join("ws.tsv").is_file();
        if let Some(collector) = config.collectors.of_mut(venue) {
            collector.enabled = Some(has_capture && collector.enabled != Some(false));
            collector.symbols = "*".parse().ok().map(|pattern| vec![pattern]);
        }
        found |= has_capture;
    }
    if found {
        return Ok(());
    }
    Err(ProcessError::message(
        ExitCode::BadInput,
        format!(
            "{} has no capture: expected a folder a venue with ws.tsv, such as kraken/ws.tsv",
            dir.display()
        ),
    ))
}

/// The processes of the pipeline, in the order in which they are started.
///
/// # Errors
/// If the binaries do not stand beside this one.
pub fn children(config: &Config, config_path: &Path) -> Result<Vec<Child>, ProcessError> {
    let here = std::env::current_exe().or_exit(ExitCode::Failed, "finding the other binaries")?;
    let child = |name: String, binary: &str, first: &[String]| {
        let program = here.with_file_name(binary);
        if !program.is_file() {
            return Err(ProcessError::message(
                ExitCode::Failed,
                format!(
                    "{} is missing: build the whole workspace with `cargo build --release`",
                    program.display()
                ),
            ));
        }
        let config = ["--config".to_owned(), config_path.display().to_string()];
        Ok(Child::new(name, program, first.iter().cloned().chain(config).collect()))
    };
    let mut children = vec![child("relay".into(), "tickpath-relay", &[])?];
    if config.recorder.enabled {
        let recorder = child("recorder".into(), "tickpath-recorder", &[])?;
        // A database that refuses stops a pipeline that starts, but never the recording of one that runs.
        children.push(recorder.restarted_with("--keep-recording"));
    }
    if config.venues == Venues::Simulated {
        let simulator = child("simulator".into(), "tickpath-simulator", &[])?;
        children.push(simulator.listening_on(config.simulator.listen));
    }
    children.push(child("bridge".into(), "tickpath-bridge", &[])?);
    for (venue, _) in config.enabled_collectors() {
        children.push(child(
            format!("collector-{venue}"),
            "tickpath-collector",
            &[venue.to_string()],
        )?);
    }
    if config.engine.enabled {
        if config.engine.venue == ExecutionVenue::Simulated {
            children.push(child("gateway".into(), "tickpath-gateway", &[])?);
        }
        children.push(child("engine".into(), "tickpath-engine", &[])?);
        if config.engine.watchdog.enabled {
            children.push(child("kill-watchdog".into(), "tickpath-kill-watchdog", &[])?);
        }
    }
    Ok(children)
}

/// Whether the bridge answers that it is attached and serving; with TLS, which is not spoken here, whether it answers at all.
pub fn answers(bridge: SocketAddr, has_tls: bool) -> bool {
    let timeout = Duration::from_millis(200);
    let wanted: &[u8] = if has_tls { b"400" } else { b"200" };
    let probe = || -> std::io::Result<[u8; 12]> {
        let mut stream = TcpStream::connect_timeout(&bridge, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        write!(
            stream,
            "GET /healthz HTTP/1.1\r\nHost: {bridge}\r\nConnection: close\r\n\r\n"
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status)
    };
    probe().is_ok_and(|status| &status[9..] == wanted)
}
