//! `tickpath-chaos hostile`: what clients that mean harm cost an honest one.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;
use tickpath_service::exit::ProcessError;

use super::{RELAY_AND_BRIDGE, Rounds, Stage, refuse, time, wait_for, write_json};
use crate::cores;
use crate::mode::SEED;
use crate::place::Wanted;
use crate::role::Order;
use crate::role::handle::Role;
use crate::role::hostile::{Company, Harm};
use crate::run::setup::wait_ready;

/// From the last of the clients to the measurement.
const ARRIVED: Duration = Duration::from_secs(1);

/// Arguments of the mode.
#[derive(Debug, Args)]
pub struct HostileArgs {
    /// Hostile clients.
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// What they do; they take turns in all of it if nothing is named.
    #[arg(long, value_delimiter = ',')]
    harm: Vec<Harm>,
    /// Records a second.
    #[arg(long, default_value_t = 1000)]
    rate: u64,
    /// Rounds of each kind.
    #[arg(long, default_value_t = 6)]
    rounds: u32,
    /// Seconds of a round.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Writes the rounds as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Measures it.
///
/// # Errors
/// If the pipeline cannot be run, or a record is lost in silence.
pub fn run(arguments: &HostileArgs) -> Result<(), ProcessError> {
    let wanted = Wanted {
        disk_mib: 16,
        relay: String::new(),
        bridge: format!("clients_max = {}", arguments.clients + 100),
        simulator: String::new(),
        recorder: "enabled = false".to_owned(),
        more: RELAY_AND_BRIDGE.to_owned(),
    };
    // As on a host of their own: what they do to the bridge is measured, not what they need of its cores.
    let core = cores::free_one()?.map(|core| format!("--core={core}"));
    let (mut readers, stage) = Stage::start(&wanted, arguments.rate, |place| {
        Ok(vec![Role::start(
            "honest",
            &["websocket", &place.bridge.to_string(), SEED],
        )?])
    })?;
    let (length, clients) = (Duration::from_secs(arguments.seconds), arguments.clients.to_string());
    let bridge = stage.place.bridge.to_string();
    let mut role = vec!["hostile", bridge.as_str(), clients.as_str()];
    role.extend(core.iter().map(String::as_str));
    let kinds = arguments.harm.iter().filter_map(Harm::to_possible_value);
    let kinds: Vec<String> = kinds.map(|kind| format!("--harm={}", kind.get_name())).collect();
    role.extend(kinds.iter().map(String::as_str));
    let mut rounds = Rounds {
        what: "hostile clients",
        without: Vec::new(),
        with: Vec::new(),
    };
    let mut company: Vec<Company> = Vec::new();
    // The first warms up.
    time(&mut readers[0], Duration::from_secs(1))?;
    for _ in 0..arguments.rounds {
        rounds.without.push(time(&mut readers[0], length)?);
        let mut hostile = Role::start("hostile", &role)?;
        wait_ready(&hostile)?;
        // All of them have come at once; now they do what they came for.
        std::thread::sleep(ARRIVED);
        hostile.tell(Order::Begin)?;
        rounds.with.push(time(&mut readers[0], length)?);
        hostile.tell(Order::End)?;
        company.push(wait_for("the hostile clients' count", || hostile.heard().company)?);
        hostile.end()?;
    }
    let (published, problems) = stage.finish(&mut readers)?;
    let ratio = rounds.print(|latency| latency.p99_ns);
    let present = company.iter().map(Company::present).min().unwrap_or(0);
    let came_again: u64 = company.iter().map(|company| company.came_again).sum();
    let came_a_second = came_again / (u64::from(arguments.rounds) * arguments.seconds).max(1);
    println!("{present} hostile clients on average in the emptiest round; {came_a_second} a second came again");
    println!(
        "{published} published; p99 of the honest client beside {clients} hostile ÷ alone: {ratio:.3} (promised: below 1.10)"
    );
    let report = json!({
        "ratio_p99": ratio,
        "clients": arguments.clients,
        "clients_present": present,
        "came_again_per_s": came_a_second,
        "without": rounds.without,
        "with": rounds.with,
    });
    write_json(arguments.json.as_deref(), &report)?;
    refuse(&problems)
}
