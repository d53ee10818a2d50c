//! The tables of each section, of the newest look. What a process does not count is `-`, never a guess.

use super::model::{Model, Section};
use super::{storage, trading};
use crate::latency;
use crate::sample::{ProcessSample, Window};
use crate::table::{Cell, Table, Tone, duration, grouped};

/// A venue that has said nothing for so long is worth a look, ms.
const AGE_WARNING_MS: i64 = 10_000;
/// A ring that is this full will drop records soon, percent.
const RING_WARNING_PERCENT: i64 = 50;

/// The tables of a section; none if nothing was seen yet.
pub fn tables(model: &Model, section: Section) -> Vec<Table> {
    let Some(window) = model.window() else {
        return Vec::new();
    };
    match section {
        Section::All => Section::ALL[1..]
            .iter()
            .flat_map(|section| tables(model, *section))
            .collect(),
        Section::Processes => vec![processes(model, window)],
        Section::Venues => vec![venues(window)],
        Section::Latency => vec![latency::table(window)],
        Section::Storage => storage::tables(window),
        Section::Trading => trading::tables(window),
    }
}

/// The line above all sections: how much passes, what was lost, whether the kill switch is latched.
pub fn summary(model: &Model) -> Vec<Cell> {
    let mut cells = Vec::new();
    if let Some(window) = model.window() {
        let everyone = &window.now.processes;
        let rate: Vec<f64> = everyone
            .iter()
            .filter_map(|process| window.rate(process, "tickpath_relay_records_out_total", &[]))
            .collect();
        let rate = rate.into_iter().reduce(|sum, rate| sum + rate);
        cells.push(Cell {
            tone: Tone::Heading,
            ..Cell::rate(rate)
        });
        cells.push(Cell::plain(" records/s   "));
        for (what, name) in [
            ("lapped ", "tickpath_subscription_lapped_total"),
            ("dropped ", "tickpath_publisher_dropped_total"),
            ("lost ", "tickpath_relay_records_lost_total"),
        ] {
            let counts = everyone.iter().filter_map(|process| process.sum(name, &[]));
            cells.push(Cell::plain(what));
            cells.push(Cell::bad_count(Some(counts.fold(0, i64::saturating_add))));
            cells.push(Cell::plain("   "));
        }
        if let Some(p99) = latency::worst_p99(window, "tickpath_relay_recv_to_publish_ns") {
            cells.push(Cell::plain(format!("receive to publish p99 {}   ", duration(p99))));
        }
    }
    match model.kill() {
        // What a narrow screen must not cut off stands first.
        Some((text, true)) => {
            cells.insert(0, Cell::plain("   "));
            cells.insert(0, Cell::new(text, Tone::Bad));
        }
        Some((text, false)) => cells.push(Cell::new(text, Tone::Good)),
        None => {}
    }
    cells
}

fn processes(model: &Model, window: Window<'_>) -> Table {
    let rows = window.now.processes.iter().enumerate().map(|(at, process)| {
        let [state, cpu, pins] = kernel_cells(model, at);
        let input = ["tickpath_relay_records_in_total", "tickpath_subscription_records_total"];
        let output = ["tickpath_relay_records_out_total", "tickpath_publisher_records_total"];
        let rate = |names: [&str; 2]| Cell::rate(names.iter().find_map(|name| window.rate(process, name, &[])));
        vec![
            Cell::plain(process.name.clone()),
            Cell::plain(process.pid.to_string()),
            state,
            pins,
            cpu,
            rate(input),
            rate(output),
            ring(process),
            Cell::count(process.sum("tickpath_subscription_lag_records", &[])),
            Cell::bad_count(process.sum("tickpath_subscription_lapped_total", &[])),
            Cell::bad_count(process.first_of(&[
                "tickpath_relay_records_lost_total",
                "tickpath_subscription_missing_total",
            ])),
            Cell::bad_count(process.sum("tickpath_publisher_dropped_total", &[])),
            Cell::warning_count(model.restarts(&process.name)),
        ]
    });
    Table {
        title: "processes".into(),
        columns: &[
            "process", "pid", "state", "pin", "cpu %", "in/s", "out/s", "ring", "lag", "lapped", "missed", "dropped",
            "restarts",
        ],
        rows: rows.collect(),
        if_empty: "no process is attached",
    }
}

/// State, use of the processor, pinned cores.
fn kernel_cells(model: &Model, at: usize) -> [Cell; 3] {
    let Some((usage, percent)) = model.usage(at) else {
        return [Cell::new("gone", Tone::Bad), Cell::absent(), Cell::absent()];
    };
    let (state, tone) = match usage.state {
        'R' => ("run", Tone::Good),
        'S' | 'I' => ("sleep", Tone::Plain),
        'D' => ("disk", Tone::Plain),
        'T' | 't' => ("stopped", Tone::Bad),
        'Z' | 'X' => ("ended", Tone::Bad),
        _ => ("?", Tone::Faint),
    };
    let pins: Vec<String> = usage.pins.iter().map(usize::to_string).collect();
    [
        Cell::new(state, tone),
        percent.map_or_else(Cell::absent, |percent| Cell::plain(format!("{percent:.0}"))),
        if pins.is_empty() {
            Cell::absent()
        } else {
            Cell::plain(pins.join(","))
        },
    ]
}

/// How full the ring is that a producer writes, or the fullest of those that the relay reads.
fn ring(process: &ProcessSample) -> Cell {
    let names = [
        (
            "tickpath_publisher_ring_used_records",
            "tickpath_publisher_ring_capacity_records",
        ),
        (
            "tickpath_relay_ring_used_records",
            "tickpath_relay_ring_capacity_records",
        ),
    ];
    let rings = names.iter().flat_map(|(used, capacity)| {
        process.of(used, &[]).filter_map(|metric| {
            let whole = process.find(capacity, &metric.labels)?;
            Some((number(&metric.value)?, number(&whole.value)?))
        })
    });
    let fullness = |(used, capacity): &(i64, i64)| used.saturating_mul(100).checked_div(*capacity).unwrap_or(0);
    let Some(fullest) = rings.max_by_key(fullness) else {
        return Cell::absent();
    };
    let tone = if fullness(&fullest) >= RING_WARNING_PERCENT {
        Tone::Bad
    } else {
        Tone::Plain
    };
    Cell::new(grouped(fullest.0), tone)
}

fn number(value: &tickpath_transport::counters::Value) -> Option<i64> {
    match value {
        tickpath_transport::counters::Value::Gauge(value) => Some(*value),
        _ => None,
    }
}

fn venues(window: Window<'_>) -> Table {
    let rows = window.now.processes.iter().flat_map(|process| {
        let venues = process.label_values("tickpath_collector_", "venue").into_iter();
        venues.map(move |venue| venue_row(window, process, venue))
    });
    Table {
        title: "venues".into(),
        columns: &[
            "venue",
            "link",
            "frames/s",
            "records/s",
            "books",
            "last",
            "gaps",
            "resyncs",
            "bad sums",
            "refused",
            "reconnects",
        ],
        rows: rows.collect(),
        if_empty: "no collector is attached",
    }
}

fn venue_row(window: Window<'_>, process: &ProcessSample, venue: &str) -> Vec<Cell> {
    let labels = [("venue", venue)];
    let get = |name: &str| process.sum(&format!("tickpath_collector_{name}"), &labels);
    let rate = |name: &str| Cell::rate(window.rate(process, &format!("tickpath_collector_{name}"), &labels));
    let link = match get("connected") {
        Some(1..) => Cell::new("up", Tone::Good),
        Some(_) => Cell::new("down", Tone::Bad),
        None => Cell::absent(),
    };
    let books = match (get("books_trusted"), get("books")) {
        (Some(trusted), Some(all)) => {
            let tone = if trusted < all { Tone::Warning } else { Tone::Good };
            Cell::new(format!("{trusted}/{all}"), tone)
        }
        _ => Cell::absent(),
    };
    let last = Cell::age(get("last_recv_ns"), window.now.now_ns, AGE_WARNING_MS, Tone::Warning);
    vec![
        Cell::plain(venue),
        link,
        rate("frames_total"),
        rate("records_total"),
        books,
        last,
        Cell::warning_count(get("gaps_total")),
        Cell::warning_count(get("resyncs_total")),
        Cell::bad_count(get("checksums_bad_total")),
        Cell::bad_count(get("refused_total")),
        Cell::warning_count(get("reconnects_total")),
    ]
}
