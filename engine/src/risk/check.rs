//! The rules, one function a subject. Each judges for the strategy and for all strategies together, and names the first rule that is broken.

use tickpath_protocol::trading::{MONEY_DECIMALS, Reason};
use tickpath_protocol::{Level, Side};

use super::Breach;
use super::gate::{Facts, Scope};
use crate::market::InstrumentView;
use crate::order::{Order, OrderType, TimeInForce};
use crate::portfolio::Overflow;
use crate::units::{Price, Time};

type Scopes<'a> = [&'a Scope; 2];

fn overflow(_: Overflow) -> Breach {
    Breach::of(Reason::Overflow)
}

/// The data must be there, young, proven, and the venue open.
pub(super) fn data(view: &InstrumentView, now: Time, scopes: Scopes<'_>) -> Result<(), Breach> {
    if view.is_halted() {
        return Err(Breach::of(Reason::MarketHalted));
    }
    if view.updated() == Time(i64::MIN) {
        return Err(Breach::of(Reason::NoMarket));
    }
    let age = now.since_ns(view.updated());
    for scope in scopes {
        if age > scope.limits.data_age_ns_max {
            return Err(Breach::at(Reason::StaleData, age, scope.limits.data_age_ns_max, 9));
        }
    }
    if !view.is_trusted() {
        return Err(Breach::of(Reason::UntrustedData));
    }
    Ok(())
}

/// The order must make sense by itself.
pub(super) fn form(order: &Order, view: &InstrumentView) -> Result<(), Breach> {
    let grid = view.grid();
    let scale = view.instrument().scale;
    if order.quantity.0 <= 0 || order.quantity.0 % grid.lot != 0 {
        return Err(Breach::at(
            Reason::Quantity,
            order.quantity.0,
            grid.lot,
            scale.size_decimals(),
        ));
    }
    for price in [order.kind.price(), order.kind.trigger()].into_iter().flatten() {
        if price.0 <= 0 || price.0 % grid.tick != 0 {
            return Err(Breach::at(Reason::OffTick, price.0, grid.tick, scale.price_decimals()));
        }
    }
    let rests = matches!(order.kind, OrderType::Limit { .. }) && order.time_in_force == TimeInForce::Gtc;
    if order.post_only && !rests {
        return Err(Breach::of(Reason::Contradiction));
    }
    Ok(())
}

/// The price that an order would be judged and paid by: its limit, its trigger, or what it would take from.
fn reference(order: &Order, market: Price) -> Price {
    order.kind.price().or(order.kind.trigger()).unwrap_or(market)
}

/// The top that the order would take from; without, the last trade.
fn market_price(order: &Order, view: &InstrumentView) -> Result<Price, Breach> {
    let top = view.best(order.side.opposite()).map(|level: Level| Price(level.price));
    let price = top.or(view.last_trade().map(|trade| trade.price));
    price.filter(|price| price.0 > 0).ok_or(Breach::of(Reason::NoMarket))
}

/// The price must be near the market's.
pub(super) fn price(order: &Order, view: &InstrumentView, scopes: Scopes<'_>) -> Result<(), Breach> {
    let market = market_price(order, view)?;
    let decimals = view.instrument().scale.price_decimals();
    for price in [order.kind.price(), order.kind.trigger()].into_iter().flatten() {
        let distance = i128::from(price.0).abs_diff(i128::from(market.0));
        for scope in scopes {
            let room = i128::from(market.0) * i128::from(scope.limits.price_collar_ppm) / 1_000_000;
            if distance > room.unsigned_abs() {
                return Err(Breach::at(Reason::PriceCollar, price.0, market.0, decimals));
            }
        }
    }
    Ok(())
}

/// Size, notional, position, exposure. What can only reduce a position is measured by that position alone.
pub(super) fn size(order: &Order, facts: &Facts<'_>, scopes: Scopes<'_>) -> Result<(), Breach> {
    let view = facts.market.at(order.index);
    let price = reference(order, market_price(order, view)?);
    let notional = facts
        .portfolio
        .notional(order.index, price, order.quantity)
        .map_err(overflow)?;
    if order.reduce_only {
        return reduces(order, facts);
    }
    let decimals = view.instrument().scale.size_decimals();
    for scope in scopes {
        let most = scope.sizes[order.index.get()].order_max;
        if order.quantity > most {
            return Err(Breach::at(Reason::OrderSize, order.quantity.0, most.0, decimals));
        }
        match scope.limits.order_notional_max {
            Some(most) if notional > most => {
                return Err(Breach::at(Reason::OrderNotional, notional.0, most.0, MONEY_DECIMALS));
            }
            _ => {}
        }
    }
    self_cross(order, facts, view)?;
    for (is_total, scope) in [(false, scopes[0]), (true, scopes[1])] {
        position(order, facts, scope, is_total)?;
        exposure(order, facts, scope, is_total, i128::from(notional.0))?;
    }
    Ok(())
}

/// Other open orders that count in a scope.
fn others<'a>(order: &Order, facts: &Facts<'a>, is_total: bool) -> impl Iterator<Item = &'a Order> {
    let (id, strategy) = (order.id, order.strategy);
    let open = facts.orders.open().iter();
    open.filter(move |other| other.id != id && (is_total || other.strategy == strategy))
}

fn held(order: &Order, facts: &Facts<'_>, is_total: bool) -> i128 {
    let account = if is_total {
        facts.portfolio.total()
    } else {
        facts.portfolio.strategy(order.strategy)
    };
    account.position(order.index).quantity().0.into()
}

/// Towards `side` as positive.
fn signed(side: Side, quantity: i128) -> i128 {
    if side == Side::Bid { quantity } else { -quantity }
}

fn reduces(order: &Order, facts: &Facts<'_>) -> Result<(), Breach> {
    let held = held(order, facts, false);
    let against = signed(order.side.opposite(), held).max(0);
    let pending: i128 = others(order, facts, false)
        .filter(|other| other.reduce_only && other.index == order.index && other.side == order.side)
        .map(|other| i128::from(other.leaves_max().0))
        .sum();
    let room = (against - pending).max(0);
    if i128::from(order.unfilled().0) > room {
        let decimals = facts.market.at(order.index).instrument().scale.size_decimals();
        return Err(Breach::at(Reason::ReduceOnly, order.quantity.0, room as i64, decimals));
    }
    Ok(())
}

/// The worst that the position can become if all open orders of this side are filled and none of the other.
fn position(order: &Order, facts: &Facts<'_>, scope: &Scope, is_total: bool) -> Result<(), Breach> {
    let open: i128 = others(order, facts, is_total)
        .filter(|other| other.index == order.index && other.side == order.side)
        .map(|other| i128::from(other.leaves_max().0))
        .sum();
    let worst = signed(order.side, held(order, facts, is_total)) + open + i128::from(order.unfilled().0);
    let most = scope.sizes[order.index.get()].position_max;
    // Beyond 62 bits a position is nobody's intention; below, no later fill can overflow it.
    if worst > i128::from(i64::MAX / 2) {
        return Err(Breach::of(Reason::Overflow));
    }
    if worst > i128::from(most.0) {
        let decimals = facts.market.at(order.index).instrument().scale.size_decimals();
        return Err(Breach::at(Reason::Position, worst as i64, most.0, decimals));
    }
    Ok(())
}

fn exposure(order: &Order, facts: &Facts<'_>, scope: &Scope, is_total: bool, notional: i128) -> Result<(), Breach> {
    let Some(most) = scope.limits.gross_exposure_max else {
        return Ok(());
    };
    let portfolio = facts.portfolio;
    let currency = portfolio.currency(order.index);
    let account = if is_total {
        portfolio.total()
    } else {
        portfolio.strategy(order.strategy)
    };
    let mut gross = portfolio
        .gross(account, currency, facts.market.instruments())
        .map_err(overflow)?;
    for other in others(order, facts, is_total) {
        if other.reduce_only || portfolio.currency(other.index) != currency {
            continue;
        }
        let price = match other.kind.price().or(other.kind.trigger()) {
            Some(price) => price,
            None => market_price(other, facts.market.at(other.index)).unwrap_or_default(),
        };
        let open = portfolio
            .notional(other.index, price, other.leaves_max())
            .map_err(overflow)?;
        gross = gross.checked_add(open.0.into()).ok_or(Breach::of(Reason::Overflow))?;
    }
    gross += notional;
    if gross > i128::from(most.0) {
        let observed = i64::try_from(gross).unwrap_or(i64::MAX);
        return Err(Breach::at(Reason::GrossExposure, observed, most.0, MONEY_DECIMALS));
    }
    Ok(())
}

/// Two orders of ours must not trade with each other.
fn self_cross(order: &Order, facts: &Facts<'_>, view: &InstrumentView) -> Result<(), Breach> {
    let OrderType::Limit { price } = order.kind else {
        return Ok(());
    };
    for other in others(order, facts, true) {
        let OrderType::Limit { price: resting } = other.kind else {
            continue;
        };
        let crosses = match order.side {
            Side::Bid => price >= resting,
            Side::Ask => price <= resting,
        };
        if other.index == order.index && other.side != order.side && crosses {
            let decimals = view.instrument().scale.price_decimals();
            return Err(Breach::at(Reason::SelfCross, price.0, resting.0, decimals));
        }
    }
    Ok(())
}

/// Open orders and their rate.
pub(super) fn count(order: &Order, facts: &Facts<'_>, scopes: Scopes<'_>) -> Result<(), Breach> {
    for (is_total, scope) in [(false, scopes[0]), (true, scopes[1])] {
        let open = others(order, facts, is_total).count() as i64 + 1;
        let most = scope.limits.open_orders_max.into();
        if open > most {
            return Err(Breach::count(Reason::OpenOrders, open, most));
        }
    }
    rate(facts.now, scopes)
}

/// The rate of orders and replacements.
pub(super) fn rate(now: Time, scopes: Scopes<'_>) -> Result<(), Breach> {
    for scope in scopes {
        if !scope.rate.allows(now) {
            let most = scope.limits.orders_per_second_max.into();
            return Err(Breach::count(Reason::OrderRate, most + 1, most));
        }
    }
    Ok(())
}
