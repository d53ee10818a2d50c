//! The report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::bars::{Bar, Met};
use super::document::{Document, Line};
use super::table::{bar_value, limit};
use super::units::{digits, human, ratio, suffix};
use crate::measurement::Better;

const STYLE: &str = include_str!("page.css");

/// The plot of a measurement: its name, and the SVG.
pub type Plot = (String, String);

/// The whole page.
#[must_use]
pub fn text(document: &Document, plots: &[Plot]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Tickpath, measured" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { "Tickpath, measured" }
                    p.lead {
                        "Each figure beside the least that the machine allows for the job (its floor) and beside what a user would pick instead \
                         (its peers), in turns, in one run. Ratios are of medians, ours over theirs."
                    }
                    @if document.environment.quick {
                        p.warning { "A smoke run: every part ran, and no figure means anything." }
                    }
                    (failures(document))
                    (environment(document))
                    (bars(&document.bars))
                    @for group in groups(&document.measurements) {
                        (section(document, group, plots))
                    }
                }
            }
        }
    };
    page.into_string()
}

fn failures(document: &Document) -> Markup {
    html! {
        @for failure in &document.failures {
            p.warning { b { (failure.group) } " could not be measured: " (failure.error) }
        }
    }
}

fn environment(document: &Document) -> Markup {
    html! {
        section {
            h2 { "Machine" }
            dl {
                @for (name, value) in document.environment.facts() {
                    div { dt { (name) } dd { (value) } }
                }
            }
        }
    }
}

fn bars(bars: &[Bar]) -> Markup {
    let met = bars.iter().filter(|bar| bar.met == Met::Yes).count();
    html! {
        section {
            h2 { "Bars: " (met) " of " (bars.len()) " met" }
            div.wide {
                table.bars {
                    thead { tr { th { "bar" } th.number { "value" } th.number { "limit" } th { "" } } }
                    tbody {
                        @for bar in bars {
                            tr {
                                th scope="row" { (bar.name) small { (bar.formula) } }
                                td.number { @if let Some(value) = bar.value { (bar_value(value, &bar.unit)) } }
                                td.number { (limit(bar)) }
                                td { span class={ "mark " (class(bar.met)) } { (bar.met.text()) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn class(met: Met) -> &'static str {
    match met {
        Met::Yes => "met",
        Met::No => "missed",
        Met::NotMeasured => "unknown",
    }
}

/// The names of the groups, in order.
fn groups(lines: &[Line]) -> Vec<&str> {
    let mut groups: Vec<&str> = lines.iter().map(Line::group).collect();
    groups.dedup();
    groups
}

fn section(document: &Document, group: &str, plots: &[Plot]) -> Markup {
    let lines = || document.measurements.iter().filter(|line| line.group() == group);
    html! {
        section {
            h2 { (group) }
            div.wide {
                table {
                    thead {
                        tr {
                            th { "measurement" }
                            @for name in ["p50", "p90", "p99", "p99.9", "max", "n"] { th.number { (name) } }
                            th.number { "to floor" }
                            th.number { "to best peer" }
                        }
                    }
                    @for line in lines() { (rows(line)) }
                }
            }
            @for (name, svg) in plots.iter().filter(|(name, _)| lines().any(|line| line.name == *name)) {
                figure { figcaption { (name) } (PreEscaped(svg)) }
            }
        }
    }
}

/// Ours, then the floor and the peers below it, then what one must know.
fn rows(line: &Line) -> Markup {
    let rival = |name: &str, summary: &crate::samples::Summary| {
        html! { tr.rival { th scope="row" { (name) } (values(summary, &line.unit)) td {} td {} } }
    };
    html! {
        tbody {
            tr {
                th scope="row" {
                    (line.name)
                    small { (reading(line)) }
                }
                (values(&line.ours, &line.unit))
                td.number { @if let Some(value) = line.ratio_to_floor { (ratio(value)) } }
                td.number { @if let Some(value) = line.ratio_to_best_peer { (ratio(value)) } }
            }
            @if let (Some(name), Some(floor)) = (&line.floor_name, &line.floor) {
                (rival(&format!("floor: {name}"), floor))
            }
            @for (name, peer) in &line.peers { (rival(name, peer)) }
            @if !line.note.is_empty() || !line.details.is_empty() {
                tr.rival {
                    td.note colspan="9" {
                        div {
                            (line.note)
                            @for (name, value) in &line.details { " " span.detail { (name) " " (digits(*value)) } }
                        }
                    }
                }
            }
        }
    }
}

/// `messages/s, higher is better`
fn reading(line: &Line) -> String {
    let way = match line.better {
        Better::Lower => "lower is better",
        Better::Higher => "higher is better",
    };
    match suffix(&line.unit) {
        "" => way.to_owned(),
        unit => format!("{unit}, {way}"),
    }
}

fn values(summary: &crate::samples::Summary, unit: &str) -> Markup {
    html! {
        @for value in [summary.p50, summary.p90, summary.p99, summary.p99_9, summary.max] {
            td.number { (human(value, unit)) }
        }
        td.number { (human(summary.n as f64, "")) }
    }
}
