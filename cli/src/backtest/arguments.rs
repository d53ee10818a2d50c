//! What is typed, and the configuration that it comes to.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use tickpath_backtest::metrics::{MONEY_DECIMALS, Metrics};
use tickpath_backtest::run::{InstrumentName, LIMIT_NAMES, RunConfig, RunError, known_text, parse_limits};
use tickpath_backtest::sample::PERIODS_NS;
use tickpath_backtest::source::{self, Gaps, Range, Request, time_ns};
use tickpath_backtest::sweep::forward::Span;
use tickpath_backtest::sweep::grid::{Grid, Params};
use tickpath_engine::paper::PaperConfig;
use tickpath_engine::units::Money;
use tickpath_protocol::{Venue, decimal};
use tickpath_service::exit::{Context, ExitCode, ProcessError};

use super::failure;

/// Arguments of `tickpath backtest`.
#[derive(Args)]
pub struct BacktestArgs {
    /// Name of the strategy: sma, macd, rsi, bollinger, momentum, arbitrage or avellaneda.
    #[arg(long)]
    strategy: String,
    /// A journal's folder, an archive's, or a capture's (or one with a capture a venue); or synthetic:525600, a year of one-minute bars that never was.
    #[arg(long, value_name = "JOURNAL|PARQUET|CAPTURE")]
    data: PathBuf,
    /// A parameter of the strategy; several values, with commas between, make a sweep.
    #[arg(long = "param", value_name = "NAME=VALUE[,VALUE…]")]
    params: Vec<String>,
    /// Where the results go: a folder that is not there yet.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// What to trade, as the venue spells it; can be left out if the data has nothing else.
    #[arg(long = "instrument", value_name = "VENUE:SYMBOL")]
    instruments: Vec<InstrumentName>,
    /// This venue's records alone; of a capture: its venue, if the folder is not called after it.
    #[arg(long)]
    venue: Option<Venue>,
    /// Trades from here on: a day, a time in UTC (2026-11-21T09:30:00Z), or ns since the Unix epoch. What lies before brings the market up to date.
    #[arg(long = "from", value_name = "TIME", value_parser = time_ns)]
    from_ns: Option<i64>,
    /// Trades until here.
    #[arg(long = "to", value_name = "TIME", value_parser = time_ns)]
    to_ns: Option<i64>,
    /// What to do about missing data and crossed books: refuse the data, or let the core meet them as it would have live.
    #[arg(long, value_enum, default_value_t = OnGaps::Refuse)]
    gaps: OnGaps,
    /// What the strategy begins with, in each quote currency of its instruments.
    #[arg(long, default_value = "100000", value_parser = money)]
    capital: Money,
    /// A limit of the risk gate, as position_max=0.5; quantities in base currency, money in quote currency.
    #[arg(long = "limit", value_name = "NAME=NUMBER", help = format!("A limit of the risk gate: {}", LIMIT_NAMES.join(", ")))]
    limits: Vec<String>,
    /// From the engine to the venue, ms.
    #[arg(long, default_value = "1", value_parser = millis)]
    latency_ms: i64,
    /// From the venue to the engine, ms.
    #[arg(long, default_value = "1", value_parser = millis)]
    report_latency_ms: i64,
    /// Fee of a fill that rested, basis points; below 0: a rebate.
    #[arg(long, default_value = "0", value_parser = basis_points, allow_hyphen_values = true)]
    maker_fee_bps: i64,
    /// Fee of a fill that took, basis points.
    #[arg(long, default_value = "10", value_parser = basis_points, allow_hyphen_values = true)]
    taker_fee_bps: i64,
    /// How much worse than the book a taker's price is, basis points.
    #[arg(long, default_value = "0", value_parser = basis_points)]
    slippage_bps: i64,
    /// The least distance of the equity curve's points; it is larger for long data.
    #[arg(long, value_enum, default_value_t = Period::Second)]
    period: Period,
    /// What a sweep ranks by and a walk chooses by.
    #[arg(long, default_value = "sharpe", value_parser = clap::builder::PossibleValuesParser::new(Metrics::NAMES))]
    pub metric: String,
    /// Threads of a sweep; without it as many as there are cores.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Choose parameters on what came before and judge them on what came after, in so many windows.
    #[arg(long, value_name = "WINDOWS")]
    pub walk_forward: Option<usize>,
}

/// Of missing data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnGaps {
    /// The run ends with an error that says where.
    Refuse,
    /// The core stops trusting what is concerned until it is proven again.
    Carry,
}

/// Distances of points that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Period {
    #[value(name = "1s")]
    Second,
    #[value(name = "1m")]
    Minute,
    #[value(name = "1h")]
    Hour,
    #[value(name = "1d")]
    Day,
}

impl Period {
    fn ns(self) -> i64 {
        PERIODS_NS[match self {
            Period::Second => 0,
            Period::Minute => 3,
            Period::Hour => 6,
            Period::Day => 9,
        }]
    }
}

fn exact(text: &str, decimals: u8) -> Result<i64, String> {
    decimal::parse(text.as_bytes(), decimals).map_err(|error| error.to_string())
}

/// An amount of quote currency.
fn money(text: &str) -> Result<Money, String> {
    exact(text, MONEY_DECIMALS).map(Money)
}

/// Milliseconds as nanoseconds.
fn millis(text: &str) -> Result<i64, String> {
    exact(text, 6)
}

/// Basis points as millionths.
fn basis_points(text: &str) -> Result<i64, String> {
    exact(text, 2)
}

impl BacktestArgs {
    /// The parameters.
    pub fn grid(&self) -> Result<Grid, ProcessError> {
        Grid::parse(&self.params).or_exit(ExitCode::BadInput, "--param")
    }

    /// The data: everything up to the end, as what lies before the begin brings the market up to date.
    pub fn request(&self) -> Request {
        Request {
            path: self.data.clone(),
            venue: self.venue,
            range: Range {
                from_ns: None,
                to_ns: self.to_ns,
            },
            gaps: match self.gaps {
                OnGaps::Refuse => Gaps::Refuse,
                OnGaps::Carry => Gaps::Carry,
            },
        }
    }

    /// The run without its parameters.
    pub fn config(&self, request: &Request) -> Result<RunConfig, ProcessError> {
        let mut config = RunConfig {
            strategy: self.strategy.clone(),
            params: Params::new(),
            instruments: self.instruments.clone(),
            capital: self.capital,
            limits: parse_limits(&self.limits).map_err(|error| failure(&error))?,
            paper: PaperConfig {
                order_latency_ns: self.latency_ms,
                report_latency_ns: self.report_latency_ms,
                maker_fee_ppm: self.maker_fee_bps,
                taker_fee_ppm: self.taker_fee_bps,
                slippage_ppm: self.slippage_bps,
                ..PaperConfig::default()
            },
            period_ns: self.period.ns(),
            window: Span {
                from_ns: self.from_ns.unwrap_or(i64::MIN),
                to_ns: self.to_ns.unwrap_or(i64::MAX),
            },
            carries_crossed: self.gaps == OnGaps::Carry,
        };
        if config.window.from_ns >= config.window.to_ns {
            return Err(ProcessError::message(ExitCode::BadInput, "--from is not before --to"));
        }
        config.strategy_run().map_err(|error| failure(&error))?;
        if config.instruments.is_empty() {
            config.instruments = only_instruments(&config, request)?;
        }
        Ok(config)
    }

    /// What results say of how they came about: no path, no time of day, so that they repeat.
    pub fn settings(&self, config: &RunConfig) -> Map<String, Value> {
        let names: Vec<String> = config.instruments.iter().map(InstrumentName::to_string).collect();
        let mut settings = Map::from_iter([
            ("instruments".to_owned(), json!(names.join(", "))),
            ("capital".to_owned(), json!(config.capital.to_string())),
            ("order_latency_ns".to_owned(), json!(config.paper.order_latency_ns)),
            ("report_latency_ns".to_owned(), json!(config.paper.report_latency_ns)),
            ("maker_fee_ppm".to_owned(), json!(config.paper.maker_fee_ppm)),
            ("taker_fee_ppm".to_owned(), json!(config.paper.taker_fee_ppm)),
            ("slippage_ppm".to_owned(), json!(config.paper.slippage_ppm)),
            ("queue_ahead_ppm".to_owned(), json!(config.paper.queue_ahead_ppm)),
            ("limits".to_owned(), json!(self.limits.join(", "))),
            (
                "gaps".to_owned(),
                json!(if config.carries_crossed { "carry" } else { "refuse" }),
            ),
        ]);
        for (name, ns) in [("from_ns", self.from_ns), ("to_ns", self.to_ns)] {
            if let Some(ns) = ns {
                settings.insert(name.to_owned(), json!(ns));
            }
        }
        settings
    }

    /// Threads of a sweep.
    pub fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(cores, usize::from)
    }
}

/// All that the data has, if the strategy trades as many as that and there is no choice.
fn only_instruments(config: &RunConfig, request: &Request) -> Result<Vec<InstrumentName>, ProcessError> {
    let found = source::instruments(request).map_err(|error| failure(&error))?;
    let names: Vec<InstrumentName> = found.iter().map(InstrumentName::of).collect();
    let is_pair = config.strategy == "arbitrage";
    match names.len() {
        1 if !is_pair => Ok(names),
        2 if is_pair => Ok(names),
        _ => Err(failure(&RunError::WhichInstrument {
            known: known_text(&found),
        })),
    }
}
