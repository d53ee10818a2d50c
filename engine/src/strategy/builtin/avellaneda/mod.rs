//! `avellaneda`: makes a market on both sides, leaning against its inventory.
//!
//! With each change of the best bid and offer the model ([`model`]) gives a bid and an ask around a *reservation price*, which lies below
//! the mid price while the strategy is long and above while it is short. They are rounded away from the mid to ticks, kept from crossing
//! the market, and quoted post-only with `quantity`. A resting quote is replaced only when its price should be `requote` ticks or more
//! elsewhere, for a replacement costs the place in the queue. A side whose fill would bring the position beyond `inventory` times
//! `quantity` is not quoted.
//!
//! **Gaps.** While the market is not trusted, does not trade, has an empty side, or has been silent for `age` milliseconds, both quotes are
//! canceled. The change of the mid price during that time is no sample of the variance. Nothing is quoted until the variance has `samples`.
//!
//! **After a restart** the position is what the engine found; the variance is estimated anew first.
//!
//! Source: M. Avellaneda, S. Stoikov, *High-frequency trading in a limit order book*, Quantitative Finance 8 (2008), 217–224. What differs:
//! the horizon does not run down, prices are in basis points, the inventory has a hard limit, and the variance is estimated.

pub mod model;

use tickpath_protocol::{Instrument, InstrumentId, Side};

use self::model::{Model, Variance};
use super::bars::{QUANTITY, quantity_of};
use super::patience::Patience;
use crate::market::{InstrumentView, MarketStatus, Quote};
use crate::order::{ClientOrderId, Fill, Order, OrderEvent, OrderRequest, OrderState, OrderUpdate};
use crate::strategy::parameter::{Parameter, ParameterError, ParameterKind, Values};
use crate::strategy::registry::{BuildError, Built};
use crate::strategy::{Context, Strategy};
use crate::units::{Price, Quantity, Rounding, Time};

const NAME: &str = "avellaneda";
const NS_PER_MS: i64 = 1_000_000;

/// All parameters.
pub const TABLE: [Parameter; 11] = [
    Parameter {
        about: "size of a quote, in base currency; whole lots of the instrument",
        ..QUANTITY
    },
    real(
        "risk_aversion",
        (1e-6, 100.0, 0.05),
        "γ, per basis point: how much it leans against its inventory",
    ),
    real(
        "intensity",
        (1e-6, 100.0, 0.3),
        "k, per basis point: how fast fills get rarer away from the mid price",
    ),
    real(
        "horizon",
        (0.001, 86_400.0, 10.0),
        "T − t, seconds: for how long it reckons to hold what it gets",
    ),
    real(
        "half_spread_min",
        (0.0, 1000.0, 0.0),
        "least distance of a quote from the reservation price, basis points",
    ),
    integer(
        "inventory",
        (1, 10_000, 5),
        "largest position, in multiples of `quantity`",
    ),
    Parameter {
        name: "short",
        kind: ParameterKind::Flag { default: true },
        about: "whether the position may fall below zero",
    },
    integer(
        "requote",
        (1, 10_000, 1),
        "ticks that a quote must be off before it is replaced",
    ),
    integer(
        "sample",
        (1, 3_600_000, 1000),
        "ms between two samples of the mid price",
    ),
    integer(
        "samples",
        (1, 10_000, 30),
        "samples in the average that estimates the variance",
    ),
    integer(
        "age",
        (1, 3_600_000, 5000),
        "ms of silence of the market after which quotes are canceled",
    ),
];

const fn real(name: &'static str, (min, max, default): (f64, f64, f64), about: &'static str) -> Parameter {
    let kind = ParameterKind::Real { min, max, default };
    Parameter { name, kind, about }
}

const fn integer(name: &'static str, (min, max, default): (i64, i64, i64), about: &'static str) -> Parameter {
    let kind = ParameterKind::Integer { min, max, default };
    Parameter { name, kind, about }
}

/// Every value of the table goes with every other.
pub(in crate::strategy) fn check(_values: &Values) -> Result<(), ParameterError> {
    Ok(())
}

pub(in crate::strategy) fn build(values: &Values, instruments: &[Instrument]) -> Built {
    let maker = |instrument| Maker::new(values, instrument);
    Ok(Box::new(Avellaneda {
        makers: instruments.iter().map(maker).collect::<Result<_, _>>()?,
        timer: Time(i64::MIN),
        age_ns: values.integer("age") * NS_PER_MS,
    }))
}

/// A market maker in one or more instruments, each by itself.
#[derive(Debug)]
struct Avellaneda {
    makers: Box<[Maker]>,
    /// When it looks for silent markets next.
    timer: Time,
    age_ns: i64,
}

/// The market maker of one instrument. What it has at the venue it does not remember but looks up, so that it cannot be wrong about it.
#[derive(Debug)]
struct Maker {
    instrument: InstrumentId,
    model: Model,
    variance: Variance,
    quantity: i64,
    position_max: i64,
    position_min: i64,
    requote_ticks: i64,
    age_ns: i64,
    /// With new and moved quotes, and with cancels: these must not wait for those.
    patience: Patience,
    cancel_patience: Patience,
    reservation: Option<f64>,
}

impl Maker {
    fn new(values: &Values, instrument: &Instrument) -> Result<Maker, BuildError> {
        let quantity = quantity_of(NAME, values, instrument)?.0;
        let position_max = quantity.checked_mul(values.integer("inventory"));
        let position_max = position_max
            .ok_or_else(|| BuildError::instrument(NAME, instrument, "inventory × quantity does not fit 64 bits"))?;
        let [risk_aversion, intensity, horizon, half_spread_min] =
            ["risk_aversion", "intensity", "horizon", "half_spread_min"].map(|name| values.real(name));
        Ok(Maker {
            instrument: instrument.id,
            model: Model::new(risk_aversion, intensity, horizon, half_spread_min),
            variance: Variance::new(values.integer("sample") * NS_PER_MS, values.period("samples")),
            quantity,
            position_max,
            position_min: if values.flag("short") { -position_max } else { 0 },
            requote_ticks: values.integer("requote"),
            age_ns: values.integer("age") * NS_PER_MS,
            patience: Patience::new(),
            cancel_patience: Patience::new(),
            reservation: None,
        })
    }

    fn is_sound(&self, view: &InstrumentView, now: Time) -> bool {
        view.is_trusted() && !view.is_halted() && now.since_ns(view.updated()) < self.age_ns
    }

    /// Samples the mid price and moves the quotes to where they belong.
    fn quote(&mut self, ctx: &mut Context<'_>) {
        let prices = self.prices(ctx).unwrap_or_default();
        for (side, price) in [Side::Bid, Side::Ask].into_iter().zip(prices) {
            self.set(ctx, side, price);
        }
    }

    /// Where bid and ask belong; `None` for a side that is not to be quoted, or for both.
    fn prices(&mut self, ctx: &Context<'_>) -> Option<[Option<Price>; 2]> {
        let view = ctx.market().get(self.instrument)?;
        self.reservation = None;
        // The model measures in parts of the mid price, so it has no answer where that is 0 or below.
        let (Some(bid), Some(ask), true) = (
            view.best(Side::Bid).filter(|bid| bid.price > 0),
            view.best(Side::Ask).filter(|ask| ask.price > 0),
            self.is_sound(view, ctx.now()),
        ) else {
            self.variance.interrupt();
            return None;
        };
        let grid = view.grid();
        let mid = (grid.price_f64(Price(bid.price)) + grid.price_f64(Price(ask.price))) / 2.0;
        self.variance.update(ctx.now().0, mid);
        let held = ctx.position(self.instrument).quantity().0;
        let quotes = self
            .model
            .quotes(mid, held as f64 / self.quantity as f64, self.variance.value()?);
        self.reservation = Some(quotes.reservation);
        // Not through the market: a post-only order there would be refused.
        let highest = Price(ask.price.saturating_sub(grid.tick));
        let lowest = Price(bid.price.saturating_add(grid.tick));
        let bid = grid.price(quotes.bid, Rounding::Down).map(|price| price.min(highest));
        let ask = grid.price(quotes.ask, Rounding::Up).map(|price| price.max(lowest));
        let has_room = [
            held.checked_add(self.quantity)
                .is_some_and(|after| after <= self.position_max),
            held.checked_sub(self.quantity)
                .is_some_and(|after| after >= self.position_min),
        ];
        let is_quoted = |price: Option<Price>, has_room: bool| price.filter(|price| has_room && price.0 > 0);
        Some([is_quoted(bid, has_room[0]), is_quoted(ask, has_room[1])])
    }

    fn set(&mut self, ctx: &mut Context<'_>, side: Side, price: Option<Price>) {
        let is_resting =
            |order: &&Order| order.instrument == self.instrument && order.side == side && !order.state.is_closed();
        let resting = ctx.orders().find(is_resting).copied();
        let now = ctx.now();
        let outcome = match (resting, price) {
            (None, None) => Ok(()),
            (Some(order), None) => {
                if order.state != OrderState::PendingCancel && !self.cancel_patience.is_waiting(now) {
                    self.cancel(ctx, order.id);
                }
                Ok(())
            }
            (_, Some(_)) if self.patience.is_waiting(now) => Ok(()),
            (None, Some(price)) => {
                let mut request = OrderRequest::limit(self.instrument, side, price, Quantity(self.quantity));
                request.post_only = true;
                ctx.submit(request).map(drop)
            }
            (Some(order), Some(price)) if self.is_off(ctx, &order, price) => {
                let whole = Quantity(order.filled.0.saturating_add(self.quantity));
                ctx.replace(order.id, Some(price), whole)
            }
            (Some(_), Some(_)) => Ok(()),
        };
        if let Err(breach) = &outcome {
            self.patience.refused(now, breach);
        }
    }

    fn cancel(&mut self, ctx: &mut Context<'_>, id: ClientOrderId) {
        if let Err(breach) = ctx.cancel(id) {
            self.cancel_patience.refused(ctx.now(), &breach);
        }
    }

    /// An order is news. What the venue refused it would refuse again; and of a quote that it would not take, the market has to change first.
    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        match update.event {
            OrderEvent::Rejected(_) => {}
            OrderEvent::CancelRefused => self.cancel_patience.refused_by_venue(update.time),
            // A venue that replaces nothing takes a cancel, and then a new quote.
            OrderEvent::ReplaceRefused if update.order.state == OrderState::Open => self.cancel(ctx, update.order.id),
            OrderEvent::ReplaceRefused => self.patience.refused_by_venue(update.time),
            OrderEvent::Accepted | OrderEvent::Canceled(_) | OrderEvent::Replaced => self.quote(ctx),
        }
    }

    /// Whether a resting quote is far enough from where it belongs, with nothing under way.
    fn is_off(&self, ctx: &Context<'_>, order: &Order, price: Price) -> bool {
        let tick = ctx.market().get(self.instrument).map_or(1, |view| view.grid().tick);
        let distance = order.kind.price().map_or(0, |at| at.0.abs_diff(price.0));
        order.state == OrderState::Open
            && distance >= self.requote_ticks.unsigned_abs().saturating_mul(tick.unsigned_abs())
    }
}

impl Avellaneda {
    fn maker(&mut self, instrument: InstrumentId) -> Option<&mut Maker> {
        self.makers.iter_mut().find(|maker| maker.instrument == instrument)
    }

    fn requote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId) {
        if let Some(maker) = self.maker(instrument) {
            maker.quote(ctx);
        }
    }
}

impl Strategy for Avellaneda {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        self.requote(ctx, quote.instrument);
        if self.timer == Time(i64::MIN) {
            self.on_timer(ctx, ctx.now());
        }
    }

    fn on_book(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId) {
        // A book can lose its proof and keep its best levels.
        if ctx.market().get(instrument).is_some_and(|view| !view.is_trusted()) {
            self.requote(ctx, instrument);
        }
    }

    fn on_fill(&mut self, ctx: &mut Context<'_>, fill: &Fill) {
        self.requote(ctx, fill.instrument);
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        if let Some(maker) = self.maker(update.order.instrument) {
            maker.on_order(ctx, update);
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, now: Time) {
        for maker in &mut self.makers {
            let view = ctx.market().get(maker.instrument);
            if view.is_some_and(|view| !maker.is_sound(view, now)) {
                maker.quote(ctx);
            }
        }
        let next = now.plus_ns(self.age_ns);
        self.timer = next;
        ctx.set_timer(next);
    }

    fn on_status(&mut self, ctx: &mut Context<'_>, _status: &MarketStatus) {
        for maker in &mut self.makers {
            maker.quote(ctx);
        }
    }

    /// For each instrument in order: `variance` (bp² / s) and `reservation` (price), if there are any.
    fn describe(&self, out: &mut dyn FnMut(&'static str, f64)) {
        for maker in &self.makers {
            if let Some(variance) = maker.variance.value() {
                out("variance", variance);
            }
            if let Some(reservation) = maker.reservation {
                out("reservation", reservation);
            }
        }
    }
}
