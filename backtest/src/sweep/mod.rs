//! Many runs over the same data: every combination of parameters, in parallel, and walks forward in time.

pub mod forward;
pub mod grid;
pub mod jobs;
pub mod walk;

use serde_json::{Value, json};

use crate::metrics::Metrics;
use crate::money;
use crate::outcome::Outcome;
use crate::results::json::metrics as metrics_json;
use crate::run::{RunConfig, RunError, run};
use crate::source::{Block, Held};
use grid::Params;

/// Records that are kept in memory for all runs of a sweep: about 1.9 GB.
pub const HELD_RECORDS_MAX: usize = 1 << 25;

/// One run of many, in short.
#[derive(Clone, Debug, PartialEq)]
pub struct Short {
    /// The currency that was traded most.
    pub currency: String,
    /// What was earned or lost of it.
    pub profit: i128,
    /// The figures in it.
    pub metrics: Metrics,
    /// Fills of all currencies.
    pub fills: usize,
    /// Round trips of all currencies.
    pub trips: usize,
    /// [`Outcome::decisions`].
    pub decisions: String,
}

impl Short {
    fn of(outcome: &Outcome) -> Short {
        let main = outcome.main_currency();
        let last = main.and_then(|currency| currency.curve.last());
        Short {
            currency: main.map_or_else(String::new, |currency| currency.currency.clone()),
            profit: main
                .zip(last)
                .map_or(0, |(currency, point)| point.equity - currency.capital),
            metrics: main.map(|currency| currency.metrics).unwrap_or_default(),
            fills: outcome.fills.len(),
            trips: outcome.trips.len(),
            decisions: outcome.decisions.clone(),
        }
    }

    fn json(&self) -> Value {
        json!({
            "currency": self.currency,
            "profit": money::text(self.profit),
            "metrics": metrics_json(&self.metrics),
            "fills": self.fills,
            "trips": self.trips,
            "decisions_blake3": self.decisions,
        })
    }
}

/// A combination and what came of it, or why the strategy does not take it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The combination.
    pub params: Params,
    /// The run, or the refusal.
    pub result: Result<Short, String>,
}

impl Tried {
    /// A figure of the run, if there was one and it is defined.
    #[must_use]
    pub fn figure(&self, metric: &str) -> Option<f64> {
        self.result.as_ref().ok()?.metrics.get(metric)
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        match &self.result {
            Ok(short) => json!({ "params": self.params, "result": short.json() }),
            Err(refused) => json!({ "params": self.params, "refused": refused }),
        }
    }
}

/// The base with a combination in place of its parameters.
fn with(base: &RunConfig, params: &Params) -> RunConfig {
    RunConfig {
        params: params.clone(),
        ..base.clone()
    }
}

/// The combinations that the strategy takes, and for each other one why not.
///
/// # Errors
/// If it takes none: why it does not take the first.
pub fn accepted(base: &RunConfig, combinations: Vec<Params>) -> Result<Vec<Result<Params, Tried>>, RunError> {
    let mut first_error = None;
    let mut all = Vec::with_capacity(combinations.len());
    for params in combinations {
        match with(base, &params).check() {
            Ok(()) => all.push(Ok(params)),
            // Values that contradict each other are one combination's affair, all else is everybody's.
            Err(error) => {
                let result = Err(error.to_string());
                first_error.get_or_insert(error);
                all.push(Err(Tried { params, result }));
            }
        }
    }
    match first_error {
        Some(error) if all.iter().all(Result::is_err) => Err(error),
        _ => Ok(all),
    }
}

/// Runs every combination over the same data; results in the order of the combinations. `done` is told how many are.
///
/// # Errors
/// If the strategy takes none of them, or the data refuses a run.
pub fn sweep(
    blocks: &[Block],
    base: &RunConfig,
    combinations: Vec<Params>,
    threads: usize,
    done: impl Fn(usize) + Sync,
) -> Result<Vec<Tried>, RunError> {
    let all = accepted(base, combinations)?;
    let work = |combination: &Result<Params, Tried>| match combination {
        Err(refused) => Ok(refused.clone()),
        Ok(params) => {
            let outcome = run(&mut Held::new(blocks), &with(base, params))?;
            Ok(Tried {
                params: params.clone(),
                result: Ok(Short::of(&outcome)),
            })
        }
    };
    jobs::run(threads, &all, work, done)
}

/// Places in `tried`, the best by a figure first; equal ones as they were tried, undefined ones last.
#[must_use]
pub fn ranked(tried: &[Tried], metric: &str) -> Vec<usize> {
    let mut places: Vec<usize> = (0..tried.len()).collect();
    let sign = if Metrics::is_lower_better(metric) { 1.0 } else { -1.0 };
    let key = |at: &usize| tried[*at].figure(metric).map_or(f64::INFINITY, |value| sign * value);
    places.sort_by(|a, b| key(a).total_cmp(&key(b)));
    places
}

/// A sweep as JSON: what was tried, in order, and the place of the best.
#[must_use]
pub fn document(tried: &[Tried], metric: &str, settings: &serde_json::Map<String, Value>) -> Value {
    let best = ranked(tried, metric)
        .into_iter()
        .find(|at| tried[*at].figure(metric).is_some());
    json!({
        "version": crate::results::json::VERSION,
        "settings": settings,
        "metric": metric,
        "best": best,
        "tried": tried.iter().map(Tried::json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(sharpe: Option<f64>, max_drawdown: f64) -> Tried {
        let metrics = Metrics {
            sharpe,
            max_drawdown: Some(max_drawdown),
            ..Metrics::default()
        };
        Tried {
            params: Params::new(),
            result: Ok(Short {
                currency: "USD".into(),
                profit: 0,
                metrics,
                fills: 0,
                trips: 0,
                decisions: String::new(),
            }),
        }
    }

    #[test]
    fn the_best_is_first_and_the_undefined_last() {
        let refused = Tried {
            params: Params::new(),
            result: Err("no".into()),
        };
        let all = [
            tried(None, 0.3),
            tried(Some(1.0), 0.2),
            refused,
            tried(Some(2.0), 0.1),
            tried(Some(1.0), 0.4),
        ];
        assert_eq!(ranked(&all, "sharpe"), [3, 1, 4, 0, 2]);
        assert_eq!(ranked(&all, "max_drawdown"), [3, 1, 0, 4, 2]);
        let document = document(&all, "sharpe", &serde_json::Map::new());
        assert_eq!(document["best"], 3);
        assert_eq!(document["tried"][2]["refused"], "no");
    }
}
