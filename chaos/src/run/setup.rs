//! What a run begins with.

use std::time::{Duration, Instant};

use tickpath_service::exit::{ExitCode, ProcessError};

use super::Options;
use crate::canary::Canary;
use crate::fault::injector::Targets;
use crate::pipeline::Pipeline;
use crate::place::{self, Place, Wanted};
use crate::postgres::{self, Postgres};
use crate::role::handle::Role;

const READY_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Name of the reader that spoils something in a run that is to fail.
pub const SPOILER: &str = "ring";
/// Records that the certified producer's ring holds: few, so that a relay that is away for seconds makes it overflow.
const PRODUCER_RING: &str = "4096";
/// MiB of journal that a minute may take, with room to spare.
const MIB_PER_MINUTE: f64 = 64.0;

/// Starts database, pipeline, readers and, once they all are there, the certified producer.
///
/// # Errors
/// If one of them cannot be started.
pub fn start(options: &Options) -> Result<Targets, ProcessError> {
    if let Some(missing) = postgres::missing() {
        return Err(ProcessError::message(ExitCode::Unavailable, missing));
    }
    place::hide_shared_memory()?;
    let postgres = Postgres::start();
    let place = Place::new(&wanted(options, &postgres.url("postgres")))?;
    let pipeline = Pipeline::start(&place)?;
    let socket = place.socket().display().to_string();
    let seed = options.seed.to_string();
    let ring = |name: &str, via: &str| {
        let mut arguments = vec!["ring", &socket, &seed, name, via];
        let spoil = options.canary.and_then(spoil_of).filter(|_| name == SPOILER);
        arguments.extend(spoil);
        Role::start(name, &arguments)
    };
    let bridge = place.bridge.to_string();
    let readers = vec![
        ring(SPOILER, "memory")?,
        ring("ring-2", "memory")?,
        ring("socket", "socket")?,
        Role::start("bridge", &["websocket", &bridge, &seed])?,
    ];
    for reader in &readers {
        wait_ready(reader)?;
    }
    let rate = options.rate.to_string();
    let producer = Role::start("producer", &["producer", &socket, &seed, &rate, PRODUCER_RING])?;
    wait_ready(&producer)?;
    Ok(Targets {
        pipeline,
        postgres,
        producer,
        readers,
        place,
    })
}

fn wanted(options: &Options, database: &str) -> Wanted {
    let Options {
        seed,
        events_per_second,
        minutes,
        ..
    } = options;
    Wanted {
        disk_mib: 128 + (minutes * MIB_PER_MINUTE) as u64,
        // Few slots, so that a reader that is stopped for seconds is overtaken.
        relay: "capacity = 16384".to_owned(),
        bridge: String::new(),
        simulator: format!("seed = {seed}\nevents_per_second = {events_per_second}"),
        recorder: "segment_records = 65536\nsize_bytes_max = 0".to_owned(),
        more: format!("[database]\nurl = {database:?}"),
    }
}

/// What the spoiler is started with.
fn spoil_of(canary: Canary) -> Option<&'static str> {
    match canary {
        Canary::ReaderDrops => Some("drop"),
        Canary::ReaderTears => Some("tear"),
        Canary::ReaderRepeats => Some("repeat"),
        _ => None,
    }
}

/// Waits until a role is at work.
///
/// # Errors
/// If it is not in time.
pub fn wait_ready(role: &Role) -> Result<(), ProcessError> {
    let deadline = Instant::now() + READY_WITHIN;
    while !role.heard().is_ready {
        if Instant::now() >= deadline {
            let message = format!("{} is not at work after {READY_WITHIN:?}", role.name());
            return Err(ProcessError::message(ExitCode::Failed, message));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
