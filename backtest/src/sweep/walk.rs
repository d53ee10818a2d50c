//! A walk forward: in each window the best combination of what came before, run on what came after.

use serde_json::{Map, Value, json};

use super::forward::{Span, Window};
use super::grid::Params;
use super::{Short, Tried, accepted, jobs, ranked, with};
use crate::money;
use crate::run::{RunConfig, RunError, run};
use crate::source::{Block, Held};

/// What one window came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where.
    pub window: Window,
    /// What was chosen, and how it did where it was chosen; `None` if the figure was defined for none.
    pub chosen: Option<Tried>,
    /// How it did afterwards.
    pub out_of_sample: Option<Short>,
}

/// Walks. `done` is told how many runs are; there are [`runs`] of them.
///
/// # Errors
/// If the strategy takes none of the combinations, or the data refuses a run.
pub fn walk(
    blocks: &[Block],
    base: &RunConfig,
    combinations: Vec<Params>,
    windows: &[Window],
    metric: &str,
    threads: usize,
    done: impl Fn(usize) + Sync,
) -> Result<Vec<Step>, RunError> {
    let combinations: Vec<Params> = accepted(base, combinations)?.into_iter().flatten().collect();
    let jobs: Vec<(Span, &Params)> = windows
        .iter()
        .flat_map(|window| combinations.iter().map(|params| (window.in_sample, params)))
        .collect();
    let play = |span: Span, params: &Params| {
        let config = RunConfig {
            window: span,
            ..with(base, params)
        };
        run(&mut Held::new(blocks), &config).map(|outcome| Short::of(&outcome))
    };
    let before = jobs::run(threads, &jobs, |(span, params)| play(*span, params), &done)?;
    let mut steps: Vec<Step> = windows
        .iter()
        .zip(before.chunks(combinations.len()))
        .map(|(window, shorts)| Step {
            window: *window,
            chosen: choose(&combinations, shorts, metric),
            out_of_sample: None,
        })
        .collect();
    let told = jobs.len();
    let after = |step: &Step| {
        let chosen = step.chosen.as_ref().map(|chosen| &chosen.params);
        chosen.map(|params| play(step.window.out_of_sample, params)).transpose()
    };
    let after = jobs::run(threads, &steps, after, |count| done(told + count))?;
    for (step, short) in steps.iter_mut().zip(after) {
        step.out_of_sample = short;
    }
    Ok(steps)
}

/// How many runs a walk takes.
#[must_use]
pub fn runs(combinations: usize, windows: usize) -> usize {
    (combinations + 1) * windows
}

fn choose(combinations: &[Params], shorts: &[Short], metric: &str) -> Option<Tried> {
    let tried = combinations.iter().zip(shorts).map(|(params, short)| Tried {
        params: params.clone(),
        result: Ok(short.clone()),
    });
    let tried: Vec<Tried> = tried.collect();
    let best = *ranked(&tried, metric).first()?;
    tried[best].figure(metric)?;
    Some(tried[best].clone())
}

/// Returns of all judged windows one after the other; `None` if one of them is not defined.
#[must_use]
pub fn compounded(steps: &[Step]) -> Option<f64> {
    let returns = steps.iter().filter_map(|step| step.out_of_sample.as_ref());
    returns
        .map(|short| short.metrics.total_return)
        .try_fold(1.0, |growth, part| Some(growth * (1.0 + part?)))
        .map(|growth| growth - 1.0)
}

/// A walk as JSON.
#[must_use]
pub fn document(steps: &[Step], metric: &str, settings: &Map<String, Value>) -> Value {
    let profit: i128 = steps
        .iter()
        .filter_map(|step| step.out_of_sample.as_ref())
        .map(|short| short.profit)
        .sum();
    let span = |span: Span| json!({ "from_ns": span.from_ns, "to_ns": span.to_ns });
    json!({
        "version": crate::results::json::VERSION,
        "settings": settings,
        "metric": metric,
        "out_of_sample_return": compounded(steps),
        "out_of_sample_profit": money::text(profit),
        "windows": steps.iter().map(|step| json!({
            "in_sample": span(step.window.in_sample),
            "out_of_sample": span(step.window.out_of_sample),
            "chosen": step.chosen.as_ref().map(Tried::json),
            "result": step.out_of_sample.as_ref().map(Short::json),
        })).collect::<Vec<_>>(),
    })
}
