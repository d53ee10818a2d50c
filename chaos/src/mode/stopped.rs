//! `tickpath-chaos stopped-reader`: what a reader that is stopped costs the others.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use rustix::process::Signal;
use serde_json::json;
use tickpath_service::exit::ProcessError;

use super::{RELAY_AND_BRIDGE, Rounds, Stage, refuse, ring, time, write_json};
use crate::place::Wanted;
use crate::proc;

/// Arguments of the mode.
#[derive(Debug, Args)]
pub struct StoppedArgs {
    /// Records a second.
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// Rounds of each kind.
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// Seconds of a round.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Writes the rounds as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Measures it.
///
/// # Errors
/// If the pipeline cannot be run, or a record is lost in silence.
pub fn run(arguments: &StoppedArgs) -> Result<(), ProcessError> {
    let wanted = Wanted {
        disk_mib: 16,
        relay: "capacity = 65536".to_owned(),
        bridge: String::new(),
        simulator: String::new(),
        recorder: "enabled = false".to_owned(),
        more: RELAY_AND_BRIDGE.to_owned(),
    };
    let (mut readers, stage) = Stage::start(&wanted, arguments.rate, |place| {
        Ok(vec![ring(place, "measured")?, ring(place, "stopped")?])
    })?;
    let length = Duration::from_secs(arguments.seconds);
    let mut rounds = Rounds {
        what: "a stopped reader",
        without: Vec::new(),
        with: Vec::new(),
    };
    // The first warms up.
    time(&mut readers[0], Duration::from_secs(1))?;
    for _ in 0..arguments.rounds {
        rounds.without.push(time(&mut readers[0], length)?);
        proc::signal(readers[1].pid(), Signal::STOP);
        let latency = time(&mut readers[0], length);
        proc::signal(readers[1].pid(), Signal::CONT);
        rounds.with.push(latency?);
    }
    let (published, problems) = stage.finish(&mut readers)?;
    let ratio = rounds.print(|latency| latency.p999_ns);
    println!(
        "{published} published; p99.9 of the other reader with one stopped ÷ without: {ratio:.3} (promised: below 1.05)"
    );
    let report = json!({ "ratio_p999": ratio, "without": rounds.without, "with": rounds.with });
    write_json(arguments.json.as_deref(), &report)?;
    refuse(&problems)
}
