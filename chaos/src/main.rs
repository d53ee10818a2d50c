//! `tickpath-chaos`: breaks a running pipeline on purpose, at random but by a seed, and proves that nothing was lost in silence.
//!
//! It starts what `tickpath up` starts, against simulated venues and a PostgreSQL of its own, in namespaces of its own. A certified producer publishes records
//! that anybody can verify alone; readers of every kind account for each of them. `docs/reliability.md` says what is promised and what came out.

mod canary;
mod certified;
mod cores;
mod dice;
mod ending;
mod fault;
mod host;
mod ledger;
mod mode;
mod namespace;
mod pipeline;
mod place;
mod proc;
mod report;
mod role;
mod run;
mod section;
mod watch;

#[path = "../../storage/tests/postgres/mod.rs"]
mod postgres;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tickpath_service::exit::{self, Context, ExitCode, ProcessError};
use tickpath_transport::{Via, urgency};

use canary::Canary;
use fault::Kind;
use role::ring::Spoil;

/// Breaks a running pipeline on purpose and proves that nothing was lost in silence.
#[derive(Debug, Parser)]
#[command(name = "tickpath-chaos", version)]
struct Arguments {
    /// Seed of the faults, the markets and the certified stream.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long to go on with faults and healing.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Faults in that time, about; left out: 40 a minute.
    #[arg(long)]
    faults: Option<u64>,
    /// Only faults of these kinds, separated by commas; left out: each phase takes a random part of all.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    only: Vec<Kind>,
    /// Certified records a second.
    #[arg(long, default_value_t = 2000)]
    rate: u64,
    /// Events a second of each of the eight simulated instruments.
    #[arg(long, default_value_t = 50)]
    events: u64,
    /// Seconds that a healing may take.
    #[arg(long, default_value_t = 60)]
    heal_within: u64,
    /// Writes the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Plants something that must be caught: the run must fail, and does not if it was.
    #[arg(long, value_name = "NAME")]
    canary: Option<Canary>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What a stopped reader costs the other readers.
    StoppedReader(mode::stopped::StoppedArgs),
    /// A steady load for long: slopes of memory, descriptors and latency.
    Soak(mode::soak::SoakArgs),
    /// What hostile clients cost an honest one.
    Hostile(mode::hostile::HostileArgs),
    /// Puts the report of an earlier run into a document, between its marks.
    Section {
        /// What `--json` wrote.
        json: PathBuf,
        /// The document.
        document: PathBuf,
    },
    /// Another process of a run.
    #[command(hide = true, subcommand)]
    Role(RoleName),
}

#[derive(Debug, Subcommand)]
enum RoleName {
    Producer {
        socket: PathBuf,
        seed: u64,
        rate: u64,
        capacity: usize,
    },
    Ring {
        socket: PathBuf,
        seed: u64,
        name: String,
        via: String,
        spoil: Option<String>,
    },
    Websocket {
        bridge: SocketAddr,
        seed: u64,
    },
    Hostile {
        bridge: SocketAddr,
        clients: usize,
        #[arg(long)]
        core: Option<usize>,
        #[arg(long, value_delimiter = ',')]
        harm: Vec<role::hostile::Harm>,
    },
}

fn main() -> process::ExitCode {
    let arguments = Arguments::parse();
    exit::run(|| match arguments.command {
        Some(Command::Role(role)) => run_role(role),
        Some(Command::Section { json, document }) => section::write(&json, &document),
        Some(_) if !namespace::is_inside() => Err(namespace::enter()),
        Some(Command::StoppedReader(arguments)) => mode::stopped::run(&arguments),
        Some(Command::Soak(arguments)) => mode::soak::run(&arguments),
        Some(Command::Hostile(arguments)) => mode::hostile::run(&arguments),
        None => chaos(&arguments),
    })
}

fn run_role(role: RoleName) -> Result<(), ProcessError> {
    // Who takes the time is not to wait for its core while others compute.
    if !matches!(role, RoleName::Hostile { .. }) {
        urgency::prompt();
    }
    match role {
        RoleName::Producer {
            socket,
            seed,
            rate,
            capacity,
        } => role::producer::run(socket, seed, rate, capacity),
        RoleName::Hostile {
            bridge,
            clients,
            core,
            harm,
        } => role::hostile::run(bridge, clients, core, &harm),
        RoleName::Websocket { bridge, seed } => role::websocket::run(bridge, seed),
        RoleName::Ring {
            socket,
            seed,
            name,
            via,
            spoil,
        } => {
            let via = if via == "socket" {
                Via::Socket
            } else {
                Via::SharedMemory
            };
            let spoil = spoil.map(|spoil| match spoil.as_str() {
                "drop" => Spoil::Drop,
                "tear" => Spoil::Tear,
                _ => Spoil::Repeat,
            });
            role::ring::run(socket, &name, via, seed, spoil)
        }
    }
}

fn chaos(arguments: &Arguments) -> Result<(), ProcessError> {
    let minutes = arguments.minutes;
    if !(minutes > 0.0 && minutes <= 1440.0) {
        let message = format!("--minutes {minutes}: more than 0, and a day at most");
        return Err(ProcessError::message(ExitCode::BadInput, message));
    }
    if !namespace::is_inside() {
        return Err(namespace::enter());
    }
    let report = run::run(&run::Options {
        seed: arguments.seed,
        minutes,
        faults: arguments.faults.unwrap_or((minutes * 40.0).ceil() as u64),
        only: arguments.only.clone(),
        rate: arguments.rate.clamp(1, 100_000),
        events_per_second: arguments.events,
        heal_within: Duration::from_secs(arguments.heal_within),
        canary: arguments.canary,
    })?;
    if let Some(path) = &arguments.json {
        let text = serde_json::to_vec_pretty(&report).or_exit(ExitCode::Failed, "report")?;
        std::fs::write(path, text).or_exit(ExitCode::Failed, path.display().to_string())?;
    }
    println!("{}", report.to_markdown());
    let failed = |message: String| Err(ProcessError::message(ExitCode::Failed, message));
    match arguments.canary {
        None if report.problems.is_empty() => Ok(()),
        None => failed(format!(
            "{} problems; repeat with --seed {}",
            report.problems.len(),
            report.seed
        )),
        Some(canary) => {
            let caught = report
                .problems
                .iter()
                .any(|problem| problem.contains(canary.caught_by()));
            let others = report
                .problems
                .iter()
                .filter(|problem| !problem.contains(canary.caught_by()));
            let word = if caught { "caught" } else { "NOT caught" };
            failed(format!("canary {word}; {} other problems", others.count()))
        }
    }
}
