//! The three tables of a run.

use std::path::Path;

use parquet::errors::ParquetError;
use tickpath_protocol::Side;

use super::table::{Cells, Column, write};
use crate::metrics::drawdowns;
use crate::outcome::Outcome;

fn side(side: Side, names: [&str; 2]) -> String {
    names[usize::from(side == Side::Ask)].to_owned()
}

fn float(mantissa: i64, decimals: u8) -> f64 {
    mantissa as f64 / libm::pow(10.0, decimals.into())
}

fn column<T, R>(rows: &[T], name: &'static str, cells: fn(Vec<R>) -> Cells, of: impl FnMut(&T) -> R) -> Column {
    Column::new(name, cells(rows.iter().map(of).collect()))
}

/// `fills.parquet`: every fill, in order.
///
/// # Errors
/// If it cannot be written.
pub fn fills(path: &Path, outcome: &Outcome) -> Result<(), ParquetError> {
    let rows = &outcome.fills;
    let columns = [
        column(rows, "ts", Cells::Time, |fill| fill.at_ns),
        column(rows, "position", Cells::Long, |fill| fill.position as i64),
        column(rows, "strategy", Cells::Small, |fill| fill.strategy.into()),
        column(rows, "order_id", Cells::Long, |fill| fill.order as i64),
        column(rows, "venue", Cells::Text, |fill| outcome.label(fill.instrument).0),
        column(rows, "symbol", Cells::Text, |fill| outcome.label(fill.instrument).1),
        column(rows, "side", Cells::Text, |fill| side(fill.side, ["buy", "sell"])),
        column(rows, "price", Cells::Double, |fill| {
            float(fill.price, fill.scale.price_decimals())
        }),
        column(rows, "quantity", Cells::Double, |fill| {
            float(fill.quantity, fill.scale.size_decimals())
        }),
        column(rows, "price_mantissa", Cells::Long, |fill| fill.price),
        column(rows, "quantity_mantissa", Cells::Long, |fill| fill.quantity),
        column(rows, "price_decimals", Cells::Small, |fill| {
            fill.scale.price_decimals().into()
        }),
        column(rows, "quantity_decimals", Cells::Small, |fill| {
            fill.scale.size_decimals().into()
        }),
        column(rows, "fee", Cells::Money, |fill| fill.fee.into()),
        column(rows, "liquidity", Cells::Text, |fill| {
            if fill.is_maker { "maker" } else { "taker" }.to_owned()
        }),
        column(rows, "currency", Cells::Text, |fill| currency(outcome, fill.instrument)),
    ];
    write(path, "fills", &columns)
}

fn currency(outcome: &Outcome, id: tickpath_protocol::InstrumentId) -> String {
    outcome.instrument(id).map_or_else(String::new, |instrument| {
        crate::outcome::quote_currency(instrument).to_owned()
    })
}

/// `trades.parquet`: every round trip, in order of its end.
///
/// # Errors
/// If it cannot be written.
pub fn trades(path: &Path, outcome: &Outcome) -> Result<(), ParquetError> {
    let rows = &outcome.trips;
    let columns = [
        column(rows, "strategy", Cells::Small, |trip| trip.strategy.into()),
        column(rows, "venue", Cells::Text, |trip| outcome.label(trip.instrument).0),
        column(rows, "symbol", Cells::Text, |trip| outcome.label(trip.instrument).1),
        column(rows, "side", Cells::Text, |trip| side(trip.side, ["long", "short"])),
        column(rows, "opened", Cells::Time, |trip| trip.opened_ns),
        column(rows, "closed", Cells::Time, |trip| trip.closed_ns),
        column(rows, "quantity", Cells::Double, |trip| {
            trip.quantity as f64 / libm::pow(10.0, trip.scale.size_decimals().into())
        }),
        column(rows, "entry_price", Cells::Double, |trip| trip.entry_price),
        column(rows, "exit_price", Cells::Double, |trip| trip.exit_price),
        column(rows, "fills", Cells::Small, |trip| trip.fills as i32),
        column(rows, "gross", Cells::Money, |trip| trip.gross),
        column(rows, "fees", Cells::Money, |trip| trip.fees),
        column(rows, "net", Cells::Money, |trip| trip.net),
        column(rows, "currency", Cells::Text, |trip| currency(outcome, trip.instrument)),
    ];
    write(path, "trades", &columns)
}

/// `equity.parquet`: the curve of each currency, one after the other.
///
/// # Errors
/// If it cannot be written.
pub fn equity(path: &Path, outcome: &Outcome) -> Result<(), ParquetError> {
    let mut rows = Vec::new();
    for currency in &outcome.currencies {
        let falls = drawdowns(&currency.curve);
        for (at, point) in currency.curve.iter().enumerate() {
            rows.push((
                currency.currency.as_str(),
                *point,
                falls.get(at).copied().unwrap_or(0.0),
            ));
        }
    }
    let columns = [
        column(&rows, "ts", Cells::Time, |(_, point, _)| point.at_ns),
        column(&rows, "currency", Cells::Text, |(currency, _, _)| {
            (*currency).to_owned()
        }),
        column(&rows, "equity", Cells::Money, |(_, point, _)| point.equity),
        column(&rows, "drawdown", Cells::Double, |(_, _, fall)| *fall),
    ];
    write(path, "equity", &columns)
}
