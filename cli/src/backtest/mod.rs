//! `tickpath backtest`: a strategy on recorded data, once, over a grid of parameters, or walking forward.

mod arguments;
mod failure;
mod progress;
mod table;

pub use arguments::BacktestArgs;
pub use failure::failure;
use serde_json::{Map, Value};
use tickpath_backtest::results::{self, Folder, json, summary};
use tickpath_backtest::run::{RunConfig, run};
use tickpath_backtest::source::{self, Block, Held, Reader, Request};
use tickpath_backtest::sweep::grid::{Grid, Params};
use tickpath_backtest::sweep::{self, HELD_RECORDS_MAX, forward, walk};
use tickpath_service::exit::{Context, ExitCode, ProcessError};

use progress::Progress;

/// Runs it, writes the results and prints them in short.
///
/// # Errors
/// If the input is wrong or the results cannot be written; nothing is left of them then.
pub fn backtest(args: &BacktestArgs) -> Result<(), ProcessError> {
    let grid = args.grid()?;
    let request = args.request();
    let base = args.config(&request)?;
    // What is there already is said before anything is computed.
    let folder = Folder::begin(&args.out).map_err(|error| failure(&error))?;
    let settings = args.settings(&base);
    match args.walk_forward {
        Some(count) => walk_forward(args, &grid, &request, &base, count, &folder, settings)?,
        None if grid.is_sweep() => sweep_all(args, &grid, &request, &base, &folder, settings)?,
        None => once(&grid, &request, &base, &folder, &settings)?,
    }
    folder.keep().map_err(|error| failure(&error))?;
    println!("results in {}", args.out.display());
    Ok(())
}

fn once(
    grid: &Grid,
    request: &Request,
    base: &RunConfig,
    folder: &Folder,
    settings: &Map<String, Value>,
) -> Result<(), ProcessError> {
    let config = RunConfig {
        params: grid.combinations().remove(0),
        ..base.clone()
    };
    config.check().map_err(|error| failure(&error))?;
    let mut reader = Reader::open(request).map_err(|error| failure(&error))?;
    let outcome = run(&mut reader, &config).map_err(|error| failure(&error))?;
    results::fill(folder, &outcome, settings).map_err(|error| failure(&error))?;
    print!("{}", summary::text(&outcome));
    Ok(())
}

fn sweep_all(
    args: &BacktestArgs,
    grid: &Grid,
    request: &Request,
    base: &RunConfig,
    folder: &Folder,
    settings: Map<String, Value>,
) -> Result<(), ProcessError> {
    let combinations = accepted(base, grid)?;
    let blocks = hold(request)?;
    let progress = Progress::begin(combinations.len());
    let tried = sweep::sweep(&blocks, base, combinations, args.jobs(), |done| progress.at(done));
    progress.finish();
    let tried = tried.map_err(|error| failure(&error))?;
    let ranked = sweep::ranked(&tried, &args.metric);
    print!("{}", table::sweep(&tried, &ranked, &grid.varied(), &args.metric));
    let document = sweep::document(&tried, &args.metric, &settings);
    folder
        .text("sweep.json", &json::text(&document))
        .map_err(|error| failure(&error))?;
    let best = ranked.into_iter().find(|at| tried[*at].figure(&args.metric).is_some());
    let Some(best) = best else {
        println!("{} is not defined for any of them", args.metric);
        return Ok(());
    };
    let config = RunConfig {
        params: tried[best].params.clone(),
        ..base.clone()
    };
    let outcome = run(&mut Held::new(&blocks), &config).map_err(|error| failure(&error))?;
    let within = folder.within("best").map_err(|error| failure(&error))?;
    results::fill(&within, &outcome, &settings).map_err(|error| failure(&error))?;
    within.keep().map_err(|error| failure(&error))
}

fn walk_forward(
    args: &BacktestArgs,
    grid: &Grid,
    request: &Request,
    base: &RunConfig,
    count: usize,
    folder: &Folder,
    settings: Map<String, Value>,
) -> Result<(), ProcessError> {
    let combinations = accepted(base, grid)?;
    let blocks = hold(request)?;
    let (first, last) = source::covered(&blocks).unwrap_or_default();
    let first = first.max(base.window.from_ns);
    let windows = forward::windows(first, last, count).or_exit(ExitCode::BadInput, "--walk-forward")?;
    let progress = Progress::begin(walk::runs(combinations.len(), windows.len()));
    let steps = walk::walk(
        &blocks,
        base,
        combinations,
        &windows,
        &args.metric,
        args.jobs(),
        |done| {
            progress.at(done);
        },
    );
    progress.finish();
    let steps = steps.map_err(|error| failure(&error))?;
    print!("{}", table::walk(&steps, &grid.varied(), &args.metric));
    let document = walk::document(&steps, &args.metric, &settings);
    folder
        .text("walk_forward.json", &json::text(&document))
        .map_err(|error| failure(&error))
}

/// Every combination, once it is known that the strategy takes one of them.
fn accepted(base: &RunConfig, grid: &Grid) -> Result<Vec<Params>, ProcessError> {
    let combinations = grid.combinations();
    sweep::accepted(base, combinations.clone()).map_err(|error| failure(&error))?;
    Ok(combinations)
}

fn hold(request: &Request) -> Result<Vec<Block>, ProcessError> {
    let reader = Reader::open(request).map_err(|error| failure(&error))?;
    reader.hold(HELD_RECORDS_MAX).map_err(|error| failure(&error))
}
