//! Journal and database: how far each is behind what it is made of.

use crate::sample::{ProcessSample, Window};
use crate::table::{Cell, Table, Tone, bytes, duration};

/// A journal whose last sync is older has stopped syncing, ms.
const SYNC_AGE_BAD_MS: i64 = 5_000;
/// A database this far behind is worth a look, ms.
const BEHIND_WARNING_MS: i64 = 10_000;

/// Both tables.
pub fn tables(window: Window<'_>) -> Vec<Table> {
    let published = window
        .now
        .processes
        .iter()
        .find_map(|process| process.sum("tickpath_relay_records_out_total", &[]));
    let with = |prefix: &'static str| {
        let processes = window.now.processes.iter();
        processes.filter(move |process| process.metrics.iter().any(|metric| metric.name.starts_with(prefix)))
    };
    let journal = Table {
        title: "journal".into(),
        columns: &[
            "recorder", "state", "behind", "synced", "size", "limit", "free", "segments", "lost", "laps", "errors",
            "records",
        ],
        rows: with("tickpath_recorder_")
            .map(|process| journal(window, process, published))
            .collect(),
        if_empty: "no recorder is attached: nothing is kept",
    };
    let database = Table {
        title: "database".into(),
        columns: &[
            "recorder",
            "state",
            "behind",
            "age",
            "rows/s",
            "transactions/s",
            "failures",
            "gaps",
        ],
        rows: with("tickpath_database_")
            .map(|process| database(window, process))
            .collect(),
        if_empty: "no database is configured",
    };
    vec![journal, database]
}

fn journal(window: Window<'_>, process: &ProcessSample, published: Option<i64>) -> Vec<Cell> {
    let get = |name: &str| process.sum(&format!("tickpath_recorder_{name}"), &[]);
    let size = |name: &str| match get(name) {
        Some(value) => Cell::plain(bytes(u64::try_from(value).unwrap_or(0))),
        None => Cell::absent(),
    };
    let state = match get("stopped") {
        Some(0) => Cell::new("writes", Tone::Good),
        Some(_) => Cell::new("stopped", Tone::Bad),
        None => Cell::absent(),
    };
    // The position counts the records of the relay's run, as the relay's own counter does.
    let behind = published
        .zip(get("recorded_position"))
        .map(|(published, recorded)| published.saturating_sub(recorded).max(0));
    let errors = ["write_errors_total", "sync_errors_total", "seal_errors_total"]
        .iter()
        .filter_map(|name| get(name));
    vec![
        Cell::plain(process.name.clone()),
        state,
        Cell::count(behind),
        Cell::age(
            get("synced_timestamp_ns"),
            window.now.now_ns,
            SYNC_AGE_BAD_MS,
            Tone::Bad,
        ),
        size("journal_bytes"),
        match get("journal_bytes_max") {
            Some(0) => Cell::plain("none"),
            _ => size("journal_bytes_max"),
        },
        size("free_bytes"),
        Cell::count(get("segments")),
        Cell::bad_count(get("lost_total")),
        Cell::bad_count(get("laps_total")),
        Cell::bad_count(errors.reduce(i64::saturating_add)),
        Cell::count(get("recorded_index")),
    ]
}

fn database(window: Window<'_>, process: &ProcessSample) -> Vec<Cell> {
    let get = |name: &str| process.sum(&format!("tickpath_database_{name}"), &[]);
    let rate = |name: &str| Cell::rate(window.rate(process, &format!("tickpath_database_{name}"), &[]));
    let state = match get("connected") {
        Some(0) => Cell::new("away", Tone::Bad),
        Some(_) => Cell::new("takes rows", Tone::Good),
        None => Cell::absent(),
    };
    let age = get("behind_ms").map_or_else(Cell::absent, |ms| {
        let tone = if ms >= BEHIND_WARNING_MS {
            Tone::Warning
        } else {
            Tone::Plain
        };
        Cell::new(duration(u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000)), tone)
    });
    vec![
        Cell::plain(process.name.clone()),
        state,
        Cell::count(get("behind_records")),
        age,
        rate("rows_total"),
        rate("transactions_total"),
        Cell::warning_count(get("failures_total")),
        Cell::bad_count(get("gaps_total")),
    ]
}
