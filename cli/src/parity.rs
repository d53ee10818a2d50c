//! `tickpath parity`: a paper session decided again from its journal.

use std::path::PathBuf;

use clap::Args;
use tickpath_backtest::parity::{Parity, ParityError, SessionSetup, StrategySetup, parity as compare};
use tickpath_backtest::run::{InstrumentName, RunError, parse_limits};
use tickpath_backtest::source::{Gaps, Range, Request};
use tickpath_backtest::sweep::grid::Grid;
use tickpath_engine::paper::PaperConfig;
use tickpath_engine::risk::Limits;
use tickpath_engine::units::Money;
use tickpath_service::exit::{Context, ExitCode, ProcessError};

use crate::backtest::{basis_points, failure, millis, money};

/// Arguments of `tickpath parity`.
#[derive(Args)]
pub struct ParityArgs {
    /// The journal's folder.
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    /// The session's number; without it the last one.
    #[arg(long)]
    session: Option<u32>,
    /// The strategy that it ran.
    #[arg(long)]
    strategy: String,
    /// A parameter that it ran with.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// What it traded.
    #[arg(long = "instrument", value_name = "VENUE:SYMBOL", required = true)]
    instruments: Vec<InstrumentName>,
    /// What it began with, in each quote currency.
    #[arg(long, default_value = "100000", value_parser = money)]
    capital: Money,
    /// A limit of the risk gate that it ran with.
    #[arg(long = "limit", value_name = "NAME=NUMBER")]
    limits: Vec<String>,
    /// From the engine to the venue, ms.
    #[arg(long, default_value = "1", value_parser = millis)]
    latency_ms: i64,
    /// From the venue to the engine, ms.
    #[arg(long, default_value = "1", value_parser = millis)]
    report_latency_ms: i64,
    /// Fee of a fill that rested, basis points.
    #[arg(long, default_value = "0", value_parser = basis_points, allow_hyphen_values = true)]
    maker_fee_bps: i64,
    /// Fee of a fill that took, basis points.
    #[arg(long, default_value = "10", value_parser = basis_points, allow_hyphen_values = true)]
    taker_fee_bps: i64,
    /// How much worse than the book a taker's price is, basis points.
    #[arg(long, default_value = "0", value_parser = basis_points)]
    slippage_bps: i64,
}

/// Replays the session and says whether it decided the same.
///
/// # Errors
/// If it did not, or cannot be replayed.
pub fn parity(args: &ParityArgs) -> Result<(), ProcessError> {
    let request = Request {
        path: args.journal.clone(),
        venue: None,
        range: Range::default(),
        gaps: Gaps::Carry,
    };
    let found = compare(&request, args.session, &args.setup()?);
    let found = found.map_err(|error| match &error {
        ParityError::Source(error) => failure(error),
        ParityError::Run(error) => failure(error),
        ParityError::NoSession { .. } => failure(&error),
    })?;
    print(&found);
    match found.difference {
        None => Ok(()),
        Some(difference) => Err(ProcessError::message(
            ExitCode::Failed,
            format!("session {} differs at {difference}", found.session),
        )),
    }
}

impl ParityArgs {
    fn setup(&self) -> Result<SessionSetup, ProcessError> {
        let grid = Grid::parse(&self.params).or_exit(ExitCode::BadInput, "--param")?;
        if grid.is_sweep() {
            return Err(ProcessError::message(
                ExitCode::BadInput,
                "--param: a session ran with one value of each",
            ));
        }
        let limits = parse_limits(&self.limits).map_err(|error: RunError| failure(&error))?;
        let strategy = StrategySetup {
            name: self.strategy.clone(),
            params: grid.combinations().remove(0),
            instruments: self.instruments.clone(),
            limits,
            capital: self.capital,
        };
        Ok(SessionSetup {
            strategies: vec![strategy],
            limits: Limits {
                stop_loss_ppm: None,
                take_profit_ppm: None,
                ..limits
            },
            paper: PaperConfig {
                order_latency_ns: self.latency_ms,
                report_latency_ns: self.report_latency_ms,
                maker_fee_ppm: self.maker_fee_bps,
                taker_fee_ppm: self.taker_fee_bps,
                slippage_ppm: self.slippage_bps,
                ..PaperConfig::default()
            },
        })
    }
}

fn print(found: &Parity) {
    println!(
        "session {} from position {}: {} inputs; {} of {} records equal, {} fills among them",
        found.session, found.first_position, found.inputs, found.equal, found.recorded, found.fills
    );
    if found.beyond > 0 {
        println!("{} records more that the session did not live to publish", found.beyond);
    }
}
