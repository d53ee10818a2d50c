//! What there is to trade with, at which price, and what it costs.

use tickpath_protocol::Side;
use tickpath_protocol::trading::MONEY_DECIMALS;

use super::PaperConfig;
use crate::market::InstrumentView;
use crate::order::Order;
use crate::units::{Money, Price, Quantity};

/// Hands out, best first, what a taker of `side` finds, until `take` returns false.
///
/// The book's levels; none of them better than the venue's own quote, should that be worse. Without a book the quote alone, and without that the last trade's price: a
/// size that nobody states is taken to be enough.
pub(super) fn offers(view: &InstrumentView, side: Side, mut take: impl FnMut(Price, Quantity) -> bool) {
    let opposite = side.opposite();
    let best = view.best(opposite);
    if view.has_book() {
        let Some(best) = best else { return };
        for level in view.book().levels(opposite) {
            let is_gone = is_better(level.price, best.price, side);
            if !is_gone && !take(Price(level.price), Quantity(level.size)) {
                return;
            }
        }
    } else if let Some(level) = best {
        let size = if level.size == 0 { i64::MAX } else { level.size };
        take(Price(level.price), Quantity(size));
    } else if view.best(side).is_none()
        && let Some(trade) = view.last_trade()
    {
        take(trade.price, Quantity(i64::MAX));
    }
}

/// Whether a price is better for a taker of `side` than another.
fn is_better(price: i64, than: i64, side: Side) -> bool {
    match side {
        Side::Bid => price < than,
        Side::Ask => price > than,
    }
}

/// Whether an order of `side` with this limit would trade at `price`.
pub(super) fn reaches(limit: Option<Price>, price: Price, side: Side) -> bool {
    limit.is_none_or(|limit| !is_better(limit.0, price.0, side))
}

/// The best price that a taker of `side` finds.
pub(super) fn top(view: &InstrumentView, side: Side) -> Option<Price> {
    let mut found = None;
    offers(view, side, |price, _| {
        found = Some(price);
        false
    });
    found
}

/// How much an order could take now, at most what it wants.
pub(super) fn available(view: &InstrumentView, order: &Order, limit: Option<Price>) -> Quantity {
    let (wanted, mut found) = (order.unfilled().0, 0i64);
    offers(view, order.side, |price, size| {
        if !reaches(limit, price, order.side) {
            return false;
        }
        found = found.saturating_add(size.0).min(wanted);
        found < wanted
    });
    Quantity(found)
}

/// A taker's price: worse than the book's by the slippage, on the grid, and never beyond the order's limit.
pub(super) fn taker_price(
    view: &InstrumentView,
    price: Price,
    side: Side,
    limit: Option<Price>,
    slippage_ppm: i64,
) -> Price {
    let tick = i128::from(view.grid().tick);
    let exact = i128::from(price.0) * i128::from(slippage_ppm);
    let ticks = (exact + 1_000_000 * tick - 1).div_euclid(1_000_000 * tick);
    let worse = i64::try_from(ticks * tick).unwrap_or(i64::MAX);
    match side {
        Side::Bid => Price(price.0.saturating_add(worse)).min(limit.unwrap_or(Price(i64::MAX))),
        Side::Ask => Price(price.0.saturating_sub(worse).max(view.grid().tick)).max(limit.unwrap_or(Price(i64::MIN))),
    }
}

/// The fee of a fill, rounded up to 1e-8: against us, a rebate too. `None` if it does not fit.
pub(super) fn fee(view: &InstrumentView, price: Price, quantity: Quantity, ppm: i64) -> Option<Money> {
    let scale = view.instrument().scale;
    let decimals = u32::from(scale.price_decimals() + scale.size_decimals()) + 6;
    let exact = (i128::from(price.0) * i128::from(quantity.0)).checked_mul(i128::from(ppm))?;
    let exact = exact.checked_mul(10i128.pow(u32::from(MONEY_DECIMALS)))?;
    let up = -(-exact).div_euclid(10i128.pow(decimals));
    i64::try_from(up).ok().map(Money)
}

/// How much stands before an order that joins its price now.
pub(super) fn queue_ahead(view: &InstrumentView, order: &Order, config: &PaperConfig) -> i64 {
    let Some(price) = order.kind.price() else { return 0 };
    let shown = match view.best(order.side) {
        _ if view.has_book() => view.book().size_at(order.side, price.0).unwrap_or(0),
        Some(level) if level.price == price.0 => level.size,
        _ => 0,
    };
    let ahead = i128::from(shown) * i128::from(config.queue_ahead_ppm) / 1_000_000;
    i64::try_from(ahead).unwrap_or(i64::MAX)
}
