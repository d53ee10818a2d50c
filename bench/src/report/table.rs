//! The result for the terminal.

use super::bars::{Bar, Limit};
use super::document::{Document, Line};
use super::units::{human, ratio, suffix};

/// Rows of cells with a heading, each column as wide as its widest cell; the first is flush left.
struct Columns {
    rows: Vec<Vec<String>>,
}

impl Columns {
    fn new(heading: &[&str]) -> Columns {
        Columns {
            rows: vec![heading.iter().map(ToString::to_string).collect()],
        }
    }

    fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let gap = " ".repeat(widths[column] - cell.chars().count());
                match column {
                    0 => line.extend([cell.as_str(), &gap]),
                    _ => line.extend(["  ", &gap, cell]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The whole result: environment, figures, bars, failures.
#[must_use]
pub fn text(document: &Document) -> String {
    let mut text = String::new();
    for (name, value) in document.environment.facts() {
        text.push_str(&format!("{name:<14} {value}\n"));
    }
    text.push('\n');
    text.push_str(&figures(&document.measurements));
    text.push('\n');
    text.push_str(&bars(&document.bars));
    for failure in &document.failures {
        text.push_str(&format!(
            "\n{} could not be measured: {}\n",
            failure.group, failure.error
        ));
    }
    text
}

fn figures(lines: &[Line]) -> String {
    let mut columns = Columns::new(&[
        "measurement",
        "p50",
        "p99",
        "p99.9",
        "max",
        "unit",
        "floor",
        "to floor",
        "best peer",
        "",
        "to peer",
    ]);
    for line in lines {
        let value = |value: f64| human(value, &line.unit);
        let (peer_name, peer) = line.best_peer().map_or(("", None), |(name, peer)| (name, Some(peer)));
        columns.rows.push(vec![
            line.name.clone(),
            value(line.ours.p50),
            value(line.ours.p99),
            value(line.ours.p99_9),
            value(line.ours.max),
            suffix(&line.unit).to_owned(),
            line.floor.map_or_else(String::new, |floor| value(floor.p50)),
            line.ratio_to_floor.map_or_else(String::new, ratio),
            peer_name.to_owned(),
            peer.map_or_else(String::new, |peer| value(peer.p50)),
            line.ratio_to_best_peer.map_or_else(String::new, ratio),
        ]);
    }
    columns.text()
}

fn bars(bars: &[Bar]) -> String {
    let mut columns = Columns::new(&["bar", "value", "limit", ""]);
    for bar in bars {
        columns.rows.push(vec![
            bar.name.clone(),
            bar.value.map_or_else(String::new, |value| bar_value(value, &bar.unit)),
            limit(bar),
            bar.met.text().to_owned(),
        ]);
    }
    columns.text()
}

/// A bar's value with its unit.
#[must_use]
pub fn bar_value(value: f64, unit: &str) -> String {
    match unit {
        "" => super::units::digits(value),
        unit => format!("{} {}", human(value, unit), suffix(unit)).trim_end().to_owned(),
    }
}

/// A bar's limit: `≤ 2.00`, `≥ 20.0 M records/s`.
#[must_use]
pub fn limit(bar: &Bar) -> String {
    match bar.limit {
        Limit::AtMost(limit) => format!("≤ {}", bar_value(limit, &bar.unit)),
        Limit::AtLeast(limit) => format!("≥ {}", bar_value(limit, &bar.unit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_characters() {
        let mut columns = Columns::new(&["name", "value"]);
        columns.rows.push(vec!["a".into(), "1.64 µs".into()]);
        columns.rows.push(vec!["long name".into(), "48 ns".into()]);
        assert_eq!(
            columns.text(),
            "name         value\na          1.64 µs\nlong name    48 ns\n"
        );
    }
}
