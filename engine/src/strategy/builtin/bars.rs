//! The frame of the strategies that decide once a bar: ticks into bars, bars into a stance, a stance into a position.
//!
//! Each instrument has bars, rules and a position of its own; the parameters are the same for all. A tick is a trade, or with `source =
//! "mid"` a change of the mid price (rounded down to a mantissa; of no size). A time bar ends on time, at the first record of whatever
//! instrument after its end.
//!
//! **Gaps.** While an instrument's market is not trusted its ticks are not taken and nothing is sent; the bar under construction is
//! dropped, for its high and low may be missing. The indicators keep what they had: to them the gap is a bar that did not come. The
//! position is left as it is, for a stop is the risk gate's to make.
//!
//! **A position that the risk gate closed** (stop-loss, take-profit) is not opened again before the rules have been of another opinion in between.
//!
//! **After a restart** the indicators warm up again, and until the rules have an opinion the position is left as it is.

use tickpath_protocol::{DecimalText, Instrument, InstrumentId, Side, decimal};

use super::stance::{BarRules, Stance};
use super::target::Target;
use crate::bar::{Bar, BarBuilder, BarRule};
use crate::market::{MarketStatus, Quote, Trade};
use crate::order::Fill;
use crate::strategy::parameter::{Parameter, ParameterError, ParameterKind, Values, exact_text};
use crate::strategy::registry::{BuildError, Built};
use crate::strategy::{Context, Strategy};
use crate::units::{Quantity, Time};

/// How many parameters all bar strategies have.
pub const COMMON_COUNT: usize = 5;

/// The parameters of all bar strategies.
pub const COMMON: [Parameter; COMMON_COUNT] = [
    Parameter {
        name: "bar",
        kind: ParameterKind::Bar { default: "1m" },
        about: "kind of bar",
    },
    Parameter {
        name: "source",
        kind: ParameterKind::Choice {
            of: &["trade", "mid"],
            default: "trade",
        },
        about: "what bars are made of: trades, or changes of the mid price",
    },
    QUANTITY,
    Parameter {
        name: "short",
        kind: ParameterKind::Flag { default: false },
        about: "whether it sells short; else it is flat instead",
    },
    Parameter {
        name: "slippage",
        kind: ParameterKind::Integer {
            min: 0,
            max: 10_000,
            default: 2,
        },
        about: "ticks beyond the best price that an order may go",
    },
];

/// How much to hold or to quote.
pub(super) const QUANTITY: Parameter = Parameter {
    name: "quantity",
    kind: ParameterKind::Exact {
        min: 1,
        max: 1_000_000_000 * 1_000_000_000,
        default: 10_000_000,
    },
    about: "size of the position, in base currency; whole lots of the instrument",
};

/// The table of a strategy: what all bar strategies have, and its own.
#[must_use]
pub const fn table<const OWN: usize, const ALL: usize>(own: [Parameter; OWN]) -> [Parameter; ALL] {
    assert!(ALL == COMMON_COUNT + OWN);
    let mut all = [COMMON[0]; ALL];
    let mut at = 0;
    while at < ALL {
        all[at] = if at < COMMON_COUNT {
            COMMON[at]
        } else {
            own[at - COMMON_COUNT]
        };
        at += 1;
    }
    all
}

/// The `quantity` parameter as a quantity of the instrument.
pub(super) fn quantity_of(
    strategy: &'static str,
    values: &Values,
    instrument: &Instrument,
) -> Result<Quantity, BuildError> {
    let text = exact_text(values.integer("quantity"));
    let mantissa = decimal::parse(text.as_bytes(), instrument.scale.size_decimals());
    let mantissa =
        mantissa.map_err(|error| BuildError::instrument(strategy, instrument, format!("quantity {text}: {error}")))?;
    let lot = instrument.lot.max(1);
    if mantissa % lot != 0 {
        let lot = DecimalText::new(lot, instrument.scale.size_decimals());
        return Err(BuildError::instrument(
            strategy,
            instrument,
            format!("quantity {text} is no whole number of lots of {lot}"),
        ));
    }
    Ok(Quantity(mantissa))
}

/// Whether the rules take these values.
pub(in crate::strategy) fn check<R: BarRules>(values: &Values) -> Result<(), ParameterError> {
    let of_mids = values.text("source") == "mid";
    if of_mids && values.text("bar").ends_with('v') {
        return Err(values.contradiction("changes of the mid price have no volume: `bar` must be a time or ticks"));
    }
    R::new(values).map(drop)
}

/// The strategy for these instruments.
pub(in crate::strategy) fn build<R: BarRules + 'static>(values: &Values, instruments: &[Instrument]) -> Built {
    let lane = |instrument| Lane::<R>::new(values, instrument);
    Ok(Box::new(BarStrategy {
        lanes: instruments.iter().map(lane).collect::<Result<_, _>>()?,
        of_mids: values.text("source") == "mid",
        timer: Time::NEVER,
    }))
}

/// A strategy that decides once a bar.
#[derive(Debug)]
struct BarStrategy<R> {
    lanes: Box<[Lane<R>]>,
    of_mids: bool,
    /// When it is called next.
    timer: Time,
}

/// One instrument of it.
#[derive(Debug)]
struct Lane<R> {
    instrument: InstrumentId,
    bars: BarBuilder,
    rules: R,
    stance: Stance,
    /// The stance is the rules', not what was found after a restart.
    has_opinion: bool,
    quantity: i64,
    shorts: bool,
    target: Target,
}

impl<R: BarRules> Lane<R> {
    fn new(values: &Values, instrument: &Instrument) -> Result<Lane<R>, BuildError> {
        let rule = BarRule::parse(values.text("bar"), instrument.scale.size_decimals());
        Ok(Lane {
            instrument: instrument.id,
            bars: BarBuilder::new(rule.map_err(|error| BuildError::instrument(R::NAME, instrument, error))?),
            rules: R::new(values)?,
            stance: Stance::Flat,
            has_opinion: false,
            quantity: quantity_of(R::NAME, values, instrument)?.0,
            shorts: values.flag("short"),
            target: Target::new(instrument.id, values.integer("slippage")),
        })
    }

    fn is_trusted(&self, ctx: &Context<'_>) -> bool {
        ctx.market().get(self.instrument).is_some_and(|view| view.is_trusted())
    }

    fn on_tick(&mut self, ctx: &mut Context<'_>, price: i64, size: i64) {
        if !self.is_trusted(ctx) {
            self.bars.reset();
        } else if let Some(bar) = self.bars.on_tick(ctx.now().0, price, size) {
            self.on_bar(ctx, &bar);
        }
    }

    fn on_time(&mut self, ctx: &mut Context<'_>, now: Time) {
        if let Some(bar) = self.bars.on_time(now.0) {
            self.on_bar(ctx, &bar);
        }
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.target.retry();
        if !self.has_opinion {
            self.stance = Stance::of(ctx.position(self.instrument).quantity());
        }
        let stance = match self.rules.on_bar(bar, self.stance) {
            Some(Stance::Short) if !self.shorts => Some(Stance::Flat),
            stance => stance,
        };
        if let Some(stance) = stance.filter(|stance| *stance != self.stance) {
            self.take(ctx, stance);
        }
        self.target.pursue(ctx);
    }

    fn take(&mut self, ctx: &mut Context<'_>, stance: Stance) {
        (self.stance, self.has_opinion) = (stance, true);
        self.target.want(Quantity(stance.sign() * self.quantity));
        let (side, strength) = match stance {
            Stance::Long => (Some(Side::Bid), self.quantity),
            Stance::Flat => (None, 0),
            Stance::Short => (Some(Side::Ask), self.quantity),
        };
        ctx.signal(self.instrument, side, Quantity(strength));
    }
}

impl<R: BarRules> BarStrategy<R> {
    fn lane(&mut self, instrument: InstrumentId) -> Option<&mut Lane<R>> {
        self.lanes.iter_mut().find(|lane| lane.instrument == instrument)
    }

    /// Asks to be called when the next time bar ends, unless a call before that is asked for already.
    fn set_timer(&mut self, ctx: &mut Context<'_>) {
        let open = self.lanes.iter().filter_map(|lane| lane.bars.ends_ns());
        if let Some(end) = open.min().map(Time).filter(|end| *end < self.timer) {
            self.timer = end;
            ctx.set_timer(end);
        }
    }
}

impl<R: BarRules> Strategy for BarStrategy<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        if self.of_mids {
            return;
        }
        let Some(lane) = self.lane(trade.instrument) else {
            return;
        };
        lane.on_tick(ctx, trade.price.0, trade.quantity.0);
        self.set_timer(ctx);
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        let of_mids = self.of_mids;
        let Some(lane) = self.lane(quote.instrument) else {
            return;
        };
        lane.target.pursue(ctx);
        if let (true, Some(bid), Some(ask)) = (of_mids, quote.bid, quote.ask) {
            lane.on_tick(ctx, i64::midpoint(bid.price, ask.price), 0);
            self.set_timer(ctx);
        }
    }

    fn on_fill(&mut self, ctx: &mut Context<'_>, fill: &Fill) {
        if let Some(lane) = self.lane(fill.instrument) {
            lane.target.on_fill(fill);
            lane.target.pursue(ctx);
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, now: Time) {
        for lane in &mut self.lanes {
            lane.on_time(ctx, now);
        }
        if now >= self.timer {
            self.timer = Time::NEVER;
            self.set_timer(ctx);
        }
    }

    fn on_status(&mut self, ctx: &mut Context<'_>, _status: &MarketStatus) {
        for lane in &mut self.lanes {
            if !lane.is_trusted(ctx) {
                lane.bars.reset();
            }
        }
    }

    /// For each instrument in order: the rules' values, and `target`.
    fn describe(&self, out: &mut dyn FnMut(&'static str, f64)) {
        for lane in &self.lanes {
            lane.rules.describe(out);
            if let Some(wanted) = lane.target.wanted() {
                out("target", wanted.0 as f64);
            }
        }
    }
}
