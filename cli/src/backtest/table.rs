//! Sweeps and walks as tables of text.

use tickpath_backtest::results::summary::figure;
use tickpath_backtest::sweep::walk::{Step, compounded};
use tickpath_backtest::sweep::{Short, Tried};

/// Rows of a table that are printed; all of them are in the JSON.
const ROWS_MAX: usize = 40;
/// Figures beside the one that is ranked by.
const FIGURES: [&str; 4] = ["total_return", "sharpe", "max_drawdown", "win_rate"];

/// What was tried, the best first.
#[must_use]
pub fn sweep(tried: &[Tried], ranked: &[usize], varied: &[&str], metric: &str) -> String {
    let figures = figures(metric);
    let mut rows = vec![header(varied, &figures)];
    for at in ranked.iter().take(ROWS_MAX) {
        rows.push(row(&tried[*at], varied, &figures));
    }
    let mut text = aligned(&rows);
    if ranked.len() > ROWS_MAX {
        text.push_str(&format!("… and {} more, in sweep.json\n", ranked.len() - ROWS_MAX));
    }
    text
}

fn figures(metric: &str) -> Vec<&str> {
    let others = FIGURES.into_iter().filter(|name| *name != metric);
    std::iter::once(metric).chain(others).collect()
}

fn header(varied: &[&str], figures: &[&str]) -> Vec<String> {
    let names = varied.iter().chain(figures).map(|name| (*name).to_owned());
    names.chain(["profit".to_owned(), "trips".to_owned()]).collect()
}

fn row(tried: &Tried, varied: &[&str], figures: &[&str]) -> Vec<String> {
    let params = varied
        .iter()
        .map(|name| tried.params.get(*name).cloned().unwrap_or_default());
    let mut cells: Vec<String> = params.collect();
    match &tried.result {
        Ok(short) => {
            cells.extend(figures.iter().map(|name| figure(name, short.metrics.get(name))));
            cells.push(profit(short));
            cells.push(short.trips.to_string());
        }
        Err(refused) => cells.push(refused.clone()),
    }
    cells
}

fn profit(short: &Short) -> String {
    format!(
        "{:.2} {}",
        tickpath_backtest::money::float(short.profit),
        short.currency
    )
}

/// What was chosen in each window, and what came of it.
#[must_use]
pub fn walk(steps: &[Step], varied: &[&str], metric: &str) -> String {
    let mut head = vec!["window".to_owned()];
    head.extend(varied.iter().map(|name| (*name).to_owned()));
    head.extend([
        format!("{metric} before"),
        format!("{metric} after"),
        "return after".into(),
        "profit after".into(),
    ]);
    let mut rows = vec![head];
    for (at, step) in steps.iter().enumerate() {
        let mut cells = vec![(at + 1).to_string()];
        match (&step.chosen, &step.out_of_sample) {
            (Some(chosen), Some(after)) => {
                cells.extend(
                    varied
                        .iter()
                        .map(|name| chosen.params.get(*name).cloned().unwrap_or_default()),
                );
                cells.push(figure(metric, chosen.figure(metric)));
                cells.push(figure(metric, after.metrics.get(metric)));
                cells.push(figure("total_return", after.metrics.total_return));
                cells.push(profit(after));
            }
            _ => cells.push(format!("{metric} is not defined for any combination: none was chosen")),
        }
        rows.push(cells);
    }
    let all = figure("total_return", compounded(steps));
    format!("{}out of sample, one window after the other: {all}\n", aligned(&rows))
}

/// Columns as wide as their widest cell; the last cell of a short row, a sentence, counts for none.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let whole = rows.iter().filter(|row| row.len() == columns);
        whole.map(|row| row[column].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| match row.len() == columns {
            true => format!("{cell:>width$}", width = widths[column]),
            false if column + 1 == row.len() => cell.clone(),
            false => format!("{cell:>width$}", width = widths[column]),
        });
        text.push_str(&cells.collect::<Vec<_>>().join("  "));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_a_sentence_is_not() {
        let rows = [
            vec!["a", "long", "c"],
            vec!["12", "3", "4"],
            vec!["5", "a whole sentence"],
        ];
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
            .collect();
        assert_eq!(aligned(&rows), " a  long  c\n12     3  4\n 5  a whole sentence\n");
    }
}
