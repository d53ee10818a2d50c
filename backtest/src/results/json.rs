//! `result.json`: the run, its settings and its figures, exact amounts as decimal text.

use serde_json::{Map, Value, json};
use tickpath_protocol::DecimalText;

use crate::metrics::{MONEY_DECIMALS, Metrics};
use crate::money;
use crate::outcome::{CurrencyOutcome, Outcome};

/// The version of `result.json` and of the tables' columns.
pub const VERSION: u32 = 1;

/// The whole document; keys are in order of name, so that it repeats.
#[must_use]
pub fn document(outcome: &Outcome, settings: &Map<String, Value>) -> Value {
    json!({
        "version": VERSION,
        "settings": settings,
        "strategies": outcome.strategies.iter().map(|strategy| json!({
            "name": strategy.name,
            "params": strategy.params.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        })).collect::<Vec<_>>(),
        "records": outcome.records,
        "first_ns": outcome.first_ns,
        "last_ns": outcome.last_ns,
        "period_ns": outcome.period_ns,
        "money_decimals": MONEY_DECIMALS,
        "instruments": outcome.instruments.iter().map(|instrument| json!({
            "venue": instrument.venue().to_string(),
            "symbol": instrument.symbol,
            "name": instrument.name,
            "price_decimals": instrument.scale.price_decimals(),
            "size_decimals": instrument.scale.size_decimals(),
        })).collect::<Vec<_>>(),
        "currencies": outcome.currencies.iter().map(currency).collect::<Vec<_>>(),
        "events": outcome.events,
        "reasons": outcome.reasons,
        "fills": outcome.fills.len(),
        "trips": outcome.trips.len(),
        "open_positions": outcome.open.iter().map(|open| {
            let (venue, symbol) = outcome.label(open.instrument);
            let decimals = outcome.instrument(open.instrument).map_or(0, |instrument| instrument.scale.size_decimals());
            json!({ "venue": venue, "symbol": symbol, "quantity": DecimalText::new(open.quantity, decimals).to_string() })
        }).collect::<Vec<_>>(),
        "decisions_blake3": outcome.decisions,
    })
}

fn currency(outcome: &CurrencyOutcome) -> Value {
    let last = outcome.curve.last().map_or(outcome.capital, |point| point.equity);
    json!({
        "currency": outcome.currency,
        "capital": money::text(outcome.capital),
        "equity": money::text(last),
        "profit": money::text(last - outcome.capital),
        "traded": money::text(outcome.traded),
        "fees": money::text(outcome.fees),
        "points": outcome.curve.len(),
        "metrics": metrics(&outcome.metrics),
    })
}

/// Every figure by name; what is not defined is null.
#[must_use]
pub fn metrics(metrics: &Metrics) -> Value {
    let pairs = Metrics::NAMES.iter().zip(metrics.values());
    Value::Object(pairs.map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
}

/// The document as text, a line a value.
#[must_use]
pub fn text(document: &Value) -> String {
    let mut text =
        serde_json::to_string_pretty(document).unwrap_or_else(|_| unreachable!("a document of plain values is JSON"));
    text.push('\n');
    text
}
