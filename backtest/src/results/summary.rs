//! A run in a few lines of text, for a terminal.

use std::fmt::Write;

use crate::metrics::Metrics;
use crate::money;
use crate::outcome::{CurrencyOutcome, Outcome};

/// The lines.
#[must_use]
pub fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    let names: Vec<&str> = outcome
        .strategies
        .iter()
        .map(|strategy| strategy.name.as_str())
        .collect();
    let seconds = (outcome.last_ns - outcome.first_ns) as f64 / 1e9;
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        // A String takes everything.
        let _written = text.write_fmt(arguments);
        text.push('\n');
    };
    line(format_args!(
        "{} on {} records of {}",
        names.join(", "),
        outcome.records,
        span(seconds)
    ));
    let counts = [
        "signal",
        "order_submitted",
        "order_rejected",
        "order_canceled",
        "fill",
        "risk_breach",
    ];
    let counts = counts.map(|kind| format!("{} {}", outcome.count(kind), kind.replace('_', " ")));
    line(format_args!(
        "{}; {} round trips",
        counts.join(", "),
        outcome.trips.len()
    ));
    for currency in &outcome.currencies {
        line(format_args!("{}", currency_text(currency)));
    }
    for (reason, count) in &outcome.reasons {
        line(format_args!("  {count} × {reason}"));
    }
    text
}

fn currency_text(outcome: &CurrencyOutcome) -> String {
    let last = outcome.curve.last().map_or(outcome.capital, |point| point.equity);
    let figures = Metrics::NAMES.iter().zip(outcome.metrics.values());
    let figures: Vec<String> = figures
        .map(|(name, value)| format!("{name} {}", figure(name, value)))
        .collect();
    format!(
        "{}: {:.2} → {:.2}, fees {:.2}, traded {:.2}\n  {}\n  {}",
        outcome.currency,
        money::float(outcome.capital),
        money::float(last),
        money::float(outcome.fees),
        money::float(outcome.traded),
        figures[..5].join(", "),
        figures[5..].join(", ")
    )
}

/// A figure as people read it: shares in percent, ratios as they are, `-` where it is not defined.
#[must_use]
pub fn figure(name: &str, value: Option<f64>) -> String {
    let is_share = matches!(
        name,
        "total_return" | "cagr" | "max_drawdown" | "win_rate" | "var_95" | "cvar_95"
    );
    match value {
        None => "-".to_owned(),
        Some(value) if is_share && value != 0.0 && value.abs() < 0.001 => format!("{:.5} %", value * 100.0),
        Some(value) if is_share => format!("{:.2} %", value * 100.0),
        Some(value) => format!("{value:.3}"),
    }
}

/// A length of time in the unit that fits.
#[must_use]
pub fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7_200.0 => format!("{:.1} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
