//! Orders against the market: arrival, taking, resting, triggers.

use tickpath_protocol::{Record, Side};

use super::liquidity::{available, fee, offers, queue_ahead, reaches, taker_price, top};
use super::{Held, PaperVenue};
use crate::market::{InstrumentIndex, InstrumentView, MarketView};
use crate::order::{Liquidity, Order, OrderType, Reason, Replacement, TimeInForce};
use crate::units::{Price, Quantity, Time};
use crate::venue::{Execution, Report};

impl PaperVenue {
    /// An order is there.
    pub(super) fn arrive(&mut self, view: &MarketView, at: Time, order: Order) {
        let market = view.at(order.index);
        let id = order.id;
        if self
            .held
            .get(order.index.get())
            .is_some_and(|held| held.iter().any(|held| held.order.id == id))
        {
            let reason = Reason::DuplicateId;
            return self.report(at, Report::Rejected { id, reason });
        }
        if market.is_halted() {
            let reason = Reason::MarketHalted;
            return self.report(at, Report::Rejected { id, reason });
        }
        if order.post_only && takes(market, &order) {
            let reason = Reason::WouldTake;
            return self.report(at, Report::Rejected { id, reason });
        }
        self.report(at, Report::Accepted { id });
        match order.kind.trigger() {
            Some(trigger) if !is_reached_by_best(market, order.side, trigger) => self.hold(Held {
                order,
                ahead: 0,
                waits: true,
            }),
            _ => self.activate(market, at, order),
        }
    }

    /// An order without a trigger, or whose trigger was reached: takes what it can, and rests, or goes.
    fn activate(&mut self, view: &InstrumentView, at: Time, mut order: Order) {
        let limit = order.kind.price();
        let rests = limit.is_some() && order.time_in_force == TimeInForce::Gtc;
        if order.time_in_force == TimeInForce::Fok && available(view, &order, limit) < order.unfilled() {
            return self.canceled(at, &order, Reason::NotFillable);
        }
        self.take(view, at, &mut order, limit);
        if order.unfilled().0 == 0 {
            return;
        }
        if order.reduce_only && self.reducible(&order) == 0 {
            return self.canceled(at, &order, Reason::NothingToReduce);
        }
        if !rests {
            let reason = match limit {
                Some(_) => Reason::Immediate,
                None => Reason::NoLiquidity,
            };
            return self.canceled(at, &order, reason);
        }
        let ahead = queue_ahead(view, &order, &self.config);
        self.hold(Held {
            order,
            ahead,
            waits: false,
        });
    }

    /// Walks the book as far as the order reaches.
    fn take(&mut self, view: &InstrumentView, at: Time, order: &mut Order, limit: Option<Price>) {
        let side = order.side;
        offers(view, side, |price, size| {
            if !reaches(limit, price, side) {
                return false;
            }
            let price = taker_price(view, price, side, limit, self.config.slippage_ppm);
            self.fill(view, at, order, price, size, Liquidity::Taker)
        });
    }

    /// What a reduce-only order may still fill.
    fn reducible(&mut self, order: &Order) -> i64 {
        let position = *self.position_mut(order.strategy, order.index);
        let against = match order.side {
            Side::Bid => position.saturating_neg(),
            Side::Ask => position,
        };
        against.max(0)
    }

    /// Fills a part of an order. `false` if nothing more of it may be filled.
    fn fill(
        &mut self,
        view: &InstrumentView,
        at: Time,
        order: &mut Order,
        price: Price,
        quantity: Quantity,
        liquidity: Liquidity,
    ) -> bool {
        let mut quantity = quantity.min(order.unfilled());
        if order.reduce_only {
            quantity = quantity.min(Quantity(self.reducible(order)));
        }
        let ppm = match liquidity {
            Liquidity::Maker => self.config.maker_fee_ppm,
            Liquidity::Taker => self.config.taker_fee_ppm,
        };
        let (true, Some(fee)) = (quantity.0 > 0, fee(view, price, quantity, ppm)) else {
            return false;
        };
        order.filled.0 += quantity.0;
        let position = self.position_mut(order.strategy, order.index);
        *position = match order.side {
            Side::Bid => position.saturating_add(quantity.0),
            Side::Ask => position.saturating_sub(quantity.0),
        };
        self.report(
            at,
            Report::Filled(Execution {
                id: order.id,
                price,
                quantity,
                cumulative: order.filled,
                fee,
                liquidity,
            }),
        );
        order.unfilled().0 > 0
    }

    /// New terms for an order: what gets smaller at its price keeps its place, anything else comes anew.
    pub(super) fn change(&mut self, view: &MarketView, at: Time, replacement: &Replacement) {
        let (id, terms) = (replacement.id, replacement.terms);
        let refused = Report::ReplaceRefused { id };
        let place = self.place(replacement.index);
        let Some(held) = place.iter_mut().find(|held| held.order.id == id) else {
            return self.report(at, refused);
        };
        let mut order = held.order;
        let keeps_place = terms.kind == order.kind && terms.quantity <= order.quantity;
        (order.kind, order.quantity) = (terms.kind, terms.quantity);
        let market = view.at(order.index);
        if order.unfilled().0 <= 0 || (order.post_only && takes(market, &order)) {
            return self.report(at, refused);
        }
        if keeps_place || held.waits {
            held.order = order;
            return self.report(at, Report::Replaced { id, terms });
        }
        self.remove(id, replacement.index);
        self.report(at, Report::Replaced { id, terms });
        self.activate(market, at, order);
    }

    /// A trade of the market: what rests at its price or was traded through, then stops.
    pub(super) fn on_trade(&mut self, view: &MarketView, index: InstrumentIndex, now: Time) {
        let market = view.at(index);
        let Some(trade) = market.last_trade().copied() else {
            return;
        };
        let mut volume = trade.quantity.0;
        self.each_resting(market, index, now, |held| {
            let price = held.order.kind.price()?;
            if price == trade.price && trade.side != Some(held.order.side) {
                let over = trade.quantity.0.saturating_sub(held.ahead);
                held.ahead = held.ahead.saturating_sub(trade.quantity.0).max(0);
                let quantity = over.min(volume).min(held.order.unfilled().0).max(0);
                volume -= quantity;
                return Some(Quantity(quantity));
            }
            let through = price != trade.price && reaches(Some(price), trade.price, held.order.side);
            through.then(|| held.order.unfilled())
        });
        // After the resting ones: what this trade triggers did not rest when it happened.
        self.trigger(market, index, now, |side, trigger| {
            is_reached(trade.price, side, trigger)
        });
    }

    /// A level of the book is another: nobody can stand before us who is not there any more.
    pub(super) fn on_level(&mut self, index: InstrumentIndex, record: &Record) {
        for held in &mut self.held[index.get()] {
            let is_here = held.order.kind.price() == Some(Price(record.price));
            if is_here && record.flags().side() == Some(held.order.side) {
                held.ahead = held.ahead.min(record.size);
            }
        }
    }

    /// A whole image of the book is there, which names no level that is gone.
    pub(super) fn on_image(&mut self, view: &MarketView, index: InstrumentIndex) {
        let book = view.at(index).book();
        for held in &mut self.held[index.get()] {
            let shown = held
                .order
                .kind
                .price()
                .and_then(|price| book.size_at(held.order.side, price.0));
            held.ahead = held.ahead.min(shown.unwrap_or(0));
        }
    }

    /// Without a book the quote says who stands before us: its size at our price, nobody where our price is better.
    pub(super) fn on_quote(&mut self, view: &MarketView, index: InstrumentIndex) {
        let market = view.at(index);
        for held in &mut self.held[index.get()] {
            let (Some(price), Some(best)) = (held.order.kind.price(), market.best(held.order.side)) else {
                continue;
            };
            if best.price == price.0 && best.size > 0 {
                held.ahead = held.ahead.min(best.size);
            } else if best.price != price.0 && reaches(Some(price), Price(best.price), held.order.side) {
                held.ahead = 0;
            }
        }
    }

    /// The best prices are others: what the other side has come to, then stops.
    pub(super) fn on_best(&mut self, view: &MarketView, index: InstrumentIndex, now: Time) {
        let market = view.at(index);
        self.each_resting(market, index, now, |held| {
            let best = market.best(held.order.side.opposite())?;
            let crossed = reaches(held.order.kind.price(), Price(best.price), held.order.side);
            crossed.then(|| held.order.unfilled())
        });
        self.trigger(market, index, now, |side, trigger| {
            is_reached_by_best(market, side, trigger)
        });
    }

    /// Fills each resting order by what `filled` says of it, in order of arrival.
    fn each_resting(
        &mut self,
        view: &InstrumentView,
        index: InstrumentIndex,
        now: Time,
        mut filled: impl FnMut(&mut Held) -> Option<Quantity>,
    ) {
        let mut at = 0;
        while let Some(held) = self.held[index.get()].get_mut(at) {
            let quantity = if held.waits { None } else { filled(held) };
            let (Some(quantity), Some(price)) = (quantity.filter(|q| q.0 > 0), held.order.kind.price()) else {
                at += 1;
                continue;
            };
            let mut order = held.order;
            let goes_on = self.fill(view, now, &mut order, price, quantity, Liquidity::Maker);
            if goes_on {
                self.held[index.get()][at].order = order;
                at += 1;
                continue;
            }
            self.held[index.get()].remove(at);
            self.held_count -= 1;
            if order.unfilled().0 > 0 {
                self.canceled(now, &order, Reason::NothingToReduce);
            }
        }
    }

    /// Activates each stop whose trigger is reached, in order of arrival.
    fn trigger(
        &mut self,
        view: &InstrumentView,
        index: InstrumentIndex,
        now: Time,
        reached: impl Fn(Side, Price) -> bool,
    ) {
        let mut at = 0;
        while let Some(held) = self.held[index.get()].get(at) {
            let order = held.order;
            let due = held.waits && order.kind.trigger().is_some_and(|trigger| reached(order.side, trigger));
            if due {
                self.held[index.get()].remove(at);
                self.held_count -= 1;
                self.activate(view, now, order);
            } else {
                at += 1;
            }
        }
    }
}

/// Whether an order would trade at once.
fn takes(view: &InstrumentView, order: &Order) -> bool {
    let OrderType::Limit { price } = order.kind else {
        return order.kind.price().is_none();
    };
    top(view, order.side).is_some_and(|top| reaches(Some(price), top, order.side))
}

/// Whether the market at `price` has come to the trigger of an order of `side`.
fn is_reached(price: Price, side: Side, trigger: Price) -> bool {
    match side {
        Side::Bid => price >= trigger,
        Side::Ask => price <= trigger,
    }
}

fn is_reached_by_best(view: &InstrumentView, side: Side, trigger: Price) -> bool {
    top(view, side).is_some_and(|top| is_reached(top, side, trigger))
}
