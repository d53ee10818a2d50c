//! `report.html`: one file that needs nothing else: no script, no font, no picture from elsewhere.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Map, Value};
use tickpath_protocol::Side;
use tickpath_storage::archive::Date;

use super::chart::{At, Look, MARKS_MAX, Mark, svg};
use super::summary::{figure, span};
use crate::metrics::{Metrics, drawdowns};
use crate::money;
use crate::outcome::{CurrencyOutcome, Outcome, PriceLine};
use crate::trips::Trip;

const STYLE: &str = include_str!("report.css");
/// Round trips that the page lists; all of them are in `trades.parquet`.
const TRIPS_LISTED: usize = 200;

type Drawn<T> = Result<T, Box<dyn std::error::Error>>;

/// The whole page.
///
/// # Errors
/// If a chart cannot be drawn.
pub(super) fn page(outcome: &Outcome, settings: &Map<String, Value>) -> Drawn<String> {
    let names: Vec<&str> = outcome
        .strategies
        .iter()
        .map(|strategy| strategy.name.as_str())
        .collect();
    let title = format!("Backtest: {}", names.join(", "));
    let mut sections = Vec::new();
    for currency in &outcome.currencies {
        sections.push(currency_section(currency, outcome.period_ns)?);
    }
    for line in &outcome.prices {
        sections.push(price_section(line, outcome)?);
    }
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main {
                h1 { (title) }
                p.lead { (outcome.records) " records, " (span((outcome.last_ns - outcome.first_ns) as f64 / 1e9)) " from " (time(outcome.first_ns)) " UTC." }
                @for section in &sections { (section) }
                (trips_section(outcome))
                (counts_section(outcome))
                (settings_section(outcome, settings))
            } }
        }
    };
    Ok(page.into_string())
}

fn currency_section(outcome: &CurrencyOutcome, period_ns: i64) -> Drawn<Markup> {
    let last = outcome.curve.last().map_or(outcome.capital, |point| point.equity);
    let profit = money::float(last - outcome.capital);
    let equity: Vec<At> = outcome
        .curve
        .iter()
        .map(|point| (point.at_ns, money::float(point.equity)))
        .collect();
    let times = outcome.curve.iter().map(|point| point.at_ns);
    let falls: Vec<At> = times
        .zip(drawdowns(&outcome.curve))
        .map(|(at, fall)| (at, 0.0 - fall))
        .collect();
    let figures = Metrics::NAMES.iter().zip(outcome.metrics.values());
    Ok(html! {
        section {
            h2 { (outcome.currency) }
            dl {
                div { dt { "profit" } dd class=(tone(profit)) { (format!("{profit:.2}")) } }
                div { dt { "equity at the end" } dd { (format!("{:.2}", money::float(last))) } }
                div { dt { "fees" } dd { (format!("{:.2}", money::float(outcome.fees))) } }
                @for (name, value) in figures {
                    div { dt { (name.replace('_', " ")) } dd { (figure(name, value)) } }
                }
            }
            (chart(&format!("Equity in {}, every {}", outcome.currency, span(period_ns as f64 / 1e9)), "", svg(&equity, Look::Equity, &[])?))
            (chart("Below its highest", "", svg(&falls, Look::Drawdown, &[])?))
        }
    })
}

fn price_section(line: &PriceLine, outcome: &Outcome) -> Drawn<Markup> {
    let points: Vec<At> = line
        .points
        .iter()
        .filter_map(|(at, price)| Some((*at, (*price)?)))
        .collect();
    let fills = outcome.fills.iter().filter(|fill| fill.instrument == line.instrument);
    let marks: Vec<Mark> = fills
        .map(|fill| Mark {
            at: (
                fill.at_ns,
                fill.price as f64 / libm::pow(10.0, fill.scale.price_decimals().into()),
            ),
            is_bought: fill.side == Side::Bid,
        })
        .collect();
    let (venue, symbol) = outcome.label(line.instrument);
    let shown = marks.len().div_ceil(marks.len().div_ceil(MARKS_MAX).max(1));
    let note = match shown == marks.len() {
        true => format!(" — {} fills; triangle: bought, cross: sold", marks.len()),
        false => format!(" — {shown} of {} fills; triangle: bought, cross: sold", marks.len()),
    };
    Ok(html! { section { (chart(&format!("{venue} {symbol}"), &note, svg(&points, Look::Price, &marks)?)) } })
}

fn chart(caption: &str, note: &str, svg: Option<String>) -> Markup {
    html! {
        figure {
            figcaption { (caption) span { (note) } }
            @match svg {
                Some(svg) => { (PreEscaped(svg)) }
                None => { p.lead { "Too few points to draw." } }
            }
        }
    }
}

fn trips_section(outcome: &Outcome) -> Markup {
    let left = outcome.trips.len().saturating_sub(TRIPS_LISTED);
    html! {
        section {
            h2 { (outcome.trips.len()) " round trips" }
            @if left > 0 { p.lead { "The first " (TRIPS_LISTED) "; the other " (left) " are in trades.parquet." } }
            div.wide { table {
                thead { tr {
                    th { "opened" } th { "instrument" } th { "" } th.number { "held" } th.number { "quantity" }
                    th.number { "entry" } th.number { "exit" } th.number { "fees" } th.number { "net" }
                } }
                tbody { @for trip in outcome.trips.iter().take(TRIPS_LISTED) { (trip_row(trip, outcome)) } }
            } }
        }
    }
}

fn trip_row(trip: &Trip, outcome: &Outcome) -> Markup {
    let (venue, symbol) = outcome.label(trip.instrument);
    let decimals = usize::from(trip.scale.price_decimals()).min(8);
    let quantity = trip.quantity as f64 / libm::pow(10.0, trip.scale.size_decimals().into());
    let net = money::float(trip.net);
    html! {
        tr {
            td { (time(trip.opened_ns)) }
            td { (venue) " " (symbol) }
            td { (if trip.side == Side::Bid { "long" } else { "short" }) }
            td.number { (span((trip.closed_ns - trip.opened_ns) as f64 / 1e9)) }
            td.number { (quantity) }
            td.number { (price(trip.entry_price, decimals)) }
            td.number { (price(trip.exit_price, decimals)) }
            td.number { (format!("{:.4}", money::float(trip.fees))) }
            td class={ "number " (tone(net)) } { (format!("{net:.4}")) }
        }
    }
}

/// Without the zeros behind which nothing comes: Binance prints 8 decimals of everything.
fn price(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn counts_section(outcome: &Outcome) -> Markup {
    let all = outcome.events.iter().chain(&outcome.reasons);
    html! {
        section {
            h2 { "What the engine did" }
            dl.small { @for (name, count) in all { div { dt { (name.replace('_', " ")) } dd { (count) } } } }
        }
    }
}

fn settings_section(outcome: &Outcome, settings: &Map<String, Value>) -> Markup {
    let params = outcome.strategies.iter().flat_map(|strategy| strategy.params.iter());
    html! {
        section {
            h2 { "Settings" }
            dl.small {
                @for (name, value) in params { div { dt { (name) } dd { (value) } } }
                @for (name, value) in settings { div { dt { (name.replace('_', " ")) } dd { (plain(value)) } } }
                div { dt { "decisions (BLAKE3)" } dd { (outcome.decisions) } }
            }
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn tone(amount: f64) -> &'static str {
    match amount {
        amount if amount > 0.0 => "earned",
        amount if amount < 0.0 => "lost",
        _ => "",
    }
}

/// A time to the millisecond, UTC.
fn time(at_ns: i64) -> String {
    let of_day = at_ns.rem_euclid(crate::metrics::DAY_NS) / 1_000_000;
    let (seconds, milliseconds) = (of_day / 1000, of_day % 1000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!(
        "{} {hours:02}:{minutes:02}:{:02}.{milliseconds:03}",
        Date::of_ns(at_ns),
        seconds % 60
    )
}
