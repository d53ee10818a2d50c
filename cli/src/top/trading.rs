//! The engine: its state, its strategies with gains and losses, their positions. All of it stands in the engine's counters, which its hot
//! thread renews ten times a second.

use tickpath_protocol::DecimalText;
use tickpath_protocol::trading::Reason;
use tickpath_transport::counters::{Metric, Value};

use crate::sample::{ProcessSample, Window, label};
use crate::table::{Cell, Table, Tone};

/// Gains and losses are counted in 1e-8 of a currency, and shown in 1e-2.
const MONEY_DECIMALS: u8 = 2;
const MONEY_STEP: i64 = 1_000_000;
/// An engine that is silent for longer hangs, ms.
const SILENCE_BAD_MS: i64 = 2_000;

/// Engine, strategies, positions.
pub fn tables(window: Window<'_>) -> Vec<Table> {
    let engines: Vec<&ProcessSample> = window
        .now
        .processes
        .iter()
        .filter(|process| process.find("tickpath_engine_phase", "").is_some())
        .collect();
    let engine = Table {
        title: "engine".into(),
        columns: &[
            "engine",
            "phase",
            "trading",
            "heartbeat",
            "open",
            "sent",
            "fills",
            "rejected",
            "breaches",
            "missed",
            "session",
        ],
        rows: engines.iter().map(|engine| engine_row(window, engine)).collect(),
        if_empty: "no engine is attached",
    };
    if engines.is_empty() {
        return vec![engine];
    }
    let strategies = Table {
        title: "strategies".into(),
        columns: &["strategy", "state", "may", "gains and losses"],
        rows: engines.iter().flat_map(|engine| strategy_rows(engine)).collect(),
        if_empty: "no strategy is ready yet",
    };
    let positions = Table {
        title: "positions".into(),
        columns: &["strategy", "instrument", "position"],
        rows: engines.iter().flat_map(|engine| position_rows(engine)).collect(),
        if_empty: "no strategy is ready yet",
    };
    vec![engine, strategies, positions]
}

fn engine_row(window: Window<'_>, engine: &ProcessSample) -> Vec<Cell> {
    let get = |name: &str| engine.sum(&format!("tickpath_engine_{name}"), &[]);
    let phase = match get("phase") {
        Some(1) => Cell::new("waits", Tone::Warning),
        Some(2) => Cell::new("recovers", Tone::Warning),
        Some(3) => Cell::new("runs", Tone::Good),
        Some(4) => Cell::new("stops", Tone::Warning),
        _ => Cell::absent(),
    };
    let trading = match (get("killed"), get("halted")) {
        (Some(1..), _) => Cell::new("KILLED", Tone::Bad),
        (_, Some(reason)) if reason != 0 => {
            let known = u8::try_from(reason).ok().and_then(Reason::from_code);
            Cell::new(format!("halted: {}", known.map_or("unknown", Reason::name)), Tone::Bad)
        }
        (Some(_), Some(_)) => Cell::new("allowed", Tone::Good),
        _ => Cell::absent(),
    };
    let heartbeat = Cell::age(get("heartbeat_ns"), window.now.now_ns, SILENCE_BAD_MS, Tone::Bad);
    vec![
        Cell::plain(engine.name.clone()),
        phase,
        trading,
        heartbeat,
        Cell::count(get("orders_open")),
        Cell::count(get("orders_submitted_total")),
        Cell::count(get("fills_total")),
        Cell::warning_count(get("orders_rejected_total")),
        Cell::warning_count(get("risk_breaches_total")),
        Cell::bad_count(get("missed_total")),
        Cell::count(get("session")),
    ]
}

/// A row a strategy, and one for all together.
fn strategy_rows(engine: &ProcessSample) -> Vec<Vec<Cell>> {
    let names = engine.label_values("tickpath_engine_pnl_e8", "strategy");
    names.iter().map(|name| strategy_row(engine, name)).collect()
}

fn strategy_row(engine: &ProcessSample, name: &str) -> Vec<Cell> {
    let labels = [("strategy", name)];
    let state = match engine.sum("tickpath_engine_strategy_state", &labels) {
        Some(0) => Cell::plain("idle"),
        Some(1) => Cell::new("running", Tone::Good),
        Some(2) => Cell::new("paused", Tone::Warning),
        Some(3) => Cell::new("stopped", Tone::Warning),
        Some(4) => Cell::new("error", Tone::Bad),
        _ => Cell::absent(),
    };
    let may = match engine.sum("tickpath_engine_strategy_permission", &labels) {
        Some(0) => Cell::plain("trade"),
        Some(1) => Cell::new("reduce", Tone::Warning),
        Some(2) => Cell::new("nothing", Tone::Bad),
        _ => Cell::absent(),
    };
    let gains: Vec<(i64, String)> = engine.of("tickpath_engine_pnl_e8", &labels).filter_map(gain).collect();
    let tone = match gains.as_slice() {
        gains if gains.iter().any(|(value, _)| *value < 0) => Tone::Warning,
        gains if gains.iter().any(|(value, _)| *value > 0) => Tone::Good,
        _ => Tone::Plain,
    };
    let texts: Vec<&str> = gains.iter().map(|(_, text)| text.as_str()).collect();
    vec![Cell::plain(name), state, may, Cell::new(texts.join("  "), tone)]
}

fn gain(metric: &Metric) -> Option<(i64, String)> {
    let Value::Gauge(value) = metric.value else { return None };
    let money = DecimalText::new(value / MONEY_STEP, MONEY_DECIMALS);
    Some((value, format!("{money} {}", label(&metric.labels, "currency")?)))
}

fn position_rows(engine: &ProcessSample) -> Vec<Vec<Cell>> {
    let positions = engine.of("tickpath_engine_position", &[]).filter_map(|metric| {
        let Value::Gauge(mantissa) = metric.value else {
            return None;
        };
        let decimals = label(&metric.labels, "decimals")?.parse().ok()?;
        let tone = if mantissa == 0 { Tone::Faint } else { Tone::Plain };
        Some(vec![
            Cell::plain(label(&metric.labels, "strategy")?),
            Cell::plain(label(&metric.labels, "instrument")?),
            Cell::new(DecimalText::new(mantissa, decimals).to_string(), tone),
        ])
    });
    positions.collect()
}
