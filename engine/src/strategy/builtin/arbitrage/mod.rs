//! `arbitrage`: the same BASE/QUOTE on two venues: buys where it is cheap and sells where it is dear.
//!
//! With each change of either market, and no order of its own open, in this order:
//!
//! 1. **Even out.** If what is held on the two venues does not cancel out (one leg was filled and the other was not), the larger leg is
//!    reduced by the difference.
//! 2. **Enter.** If the bid of one venue exceeds the offer of the other by more than the fees of both and `edge`, it buys there and sells
//!    here, as much as both best levels show, at most `quantity`, and `position` in all.
//! 3. **Leave.** If a pair is held and the mid prices have met (within `exit`), both legs are reduced, at most by `quantity`.
//!
//! Orders are limit, immediate-or-cancel, at the best price of the other side; leaving and evening out are reduce-only. All sums are
//! integers at the finer of the two scales.
//!
//! **Gaps.** It stands aside unless both markets are trusted, trade, show both sides with sizes, and spoke within the last `age`
//! milliseconds: half of a comparison is none.
//!
//! **State.** None but the positions, which the engine keeps; after a restart it goes on with what it finds.
//!
//! Source: the law of one price; for size and persistence of such differences I. Makarov, A. Schoar, *Trading and arbitrage in
//! cryptocurrency markets*, Journal of Financial Economics 135 (2020), 293–319. Limits: the legs are not atomic; selling what is not held
//! on the dear venue needs stock or margin there; nothing is moved between venues.

pub mod spread;

use tickpath_protocol::{Instrument, InstrumentId, Side};

use self::spread::{CommonScale, Top};
use super::bars::{QUANTITY, quantity_of};
use super::patience::Patience;
use crate::market::{MarketStatus, Quote};
use crate::order::{Fill, OrderEvent, OrderRequest, OrderType, OrderUpdate, TimeInForce};
use crate::strategy::parameter::{EXACT_DECIMALS, Parameter, ParameterError, ParameterKind, Values};
use crate::strategy::registry::{BuildError, Built};
use crate::strategy::{Context, Strategy};
use crate::units::{Price, Quantity};

const NAME: &str = "arbitrage";
const NS_PER_MS: i64 = 1_000_000;
const EXACT: i64 = 10i64.pow(EXACT_DECIMALS as u32);

/// All parameters.
pub const TABLE: [Parameter; 7] = [
    Parameter {
        about: "largest order, in base currency; whole lots of both instruments",
        ..QUANTITY
    },
    Parameter {
        name: "position",
        kind: ParameterKind::Exact {
            min: 1,
            max: 1_000_000_000 * EXACT,
            default: 50_000_000,
        },
        about: "largest position on each venue, in base currency; at least `quantity`",
    },
    basis_points(
        "fee_first",
        10 * EXACT,
        "taker's fee of the first instrument's venue, basis points",
    ),
    basis_points(
        "fee_second",
        10 * EXACT,
        "taker's fee of the second instrument's venue, basis points",
    ),
    basis_points(
        "edge",
        2 * EXACT,
        "what must remain beyond the fees to enter, basis points",
    ),
    basis_points(
        "exit",
        0,
        "difference of the mid prices at which to leave, basis points",
    ),
    Parameter {
        name: "age",
        kind: ParameterKind::Integer {
            min: 1,
            max: 3_600_000,
            default: 2000,
        },
        about: "ms of silence of a market after which it is not compared",
    },
];

const fn basis_points(name: &'static str, default: i64, about: &'static str) -> Parameter {
    let (min, max) = (0, 1000 * EXACT);
    Parameter {
        name,
        kind: ParameterKind::Exact { min, max, default },
        about,
    }
}

pub(in crate::strategy) fn check(values: &Values) -> Result<(), ParameterError> {
    if values.integer("position") < values.integer("quantity") {
        return Err(values.contradiction("position must be at least quantity"));
    }
    Ok(())
}

pub(in crate::strategy) fn build(values: &Values, instruments: &[Instrument]) -> Built {
    let [first, second] = instruments else {
        unreachable!("the registry gives it two instruments");
    };
    if first.name != second.name || first.venue() == second.venue() {
        let what = format!(
            "the other leg is {} on {}: it needs the same BASE/QUOTE on two venues",
            second.name,
            second.venue()
        );
        return Err(BuildError::instrument(NAME, first, what));
    }
    let scale = CommonScale::new([first, second]);
    let quantity = scale.widen(0, quantity_of(NAME, values, first)?.0);
    quantity_of(NAME, values, second)?;
    let position = quantity * i128::from(values.integer("position")) / i128::from(values.integer("quantity"));
    Ok(Box::new(Arbitrage {
        legs: [first.id, second.id],
        scale,
        quantity,
        position_max: scale.whole_lots(position),
        fees: [values.integer("fee_first"), values.integer("fee_second")],
        edge: values.integer("edge"),
        exit: values.integer("exit"),
        age_ns: values.integer("age") * NS_PER_MS,
        patience: Patience::new(),
    }))
}

/// One pair of markets. Sizes are at the common scale.
#[derive(Debug)]
struct Arbitrage {
    legs: [InstrumentId; 2],
    scale: CommonScale,
    quantity: i128,
    position_max: i128,
    fees: [i64; 2],
    edge: i64,
    exit: i64,
    age_ns: i64,
    patience: Patience,
}

impl Arbitrage {
    /// What the markets as they stand call for.
    fn act(&mut self, ctx: &mut Context<'_>) {
        if let Some((tops, held)) = self.ready(ctx)
            && !self.even_out(ctx, tops, held)
            && !self.enter(ctx, tops, held)
        {
            self.leave(ctx, tops, held);
        }
    }

    /// What an order that is done calls for: a leg alone is reduced at once, all else waits for another market than the one that it met.
    fn repair(&mut self, ctx: &mut Context<'_>) {
        if let Some((tops, held)) = self.ready(ctx) {
            self.even_out(ctx, tops, held);
        }
    }

    /// Both markets and what is held, unless there is something to wait for.
    fn ready(&self, ctx: &Context<'_>) -> Option<([Top; 2], [i128; 2])> {
        if self.patience.is_waiting(ctx.now()) || ctx.orders().any(|order| !order.state.is_closed()) {
            return None;
        }
        let held = [0, 1].map(|leg| self.scale.widen(leg, ctx.position(self.legs[leg]).quantity().0));
        Some((self.tops(ctx)?, held))
    }

    /// Best bid and offer of both, if both can be relied on.
    fn tops(&self, ctx: &Context<'_>) -> Option<[Top; 2]> {
        let top = |leg: usize| {
            let view = ctx.market().get(self.legs[leg])?;
            let is_sound = view.is_trusted() && !view.is_halted() && ctx.now().since_ns(view.updated()) < self.age_ns;
            let known = |side| view.best(side).filter(|level| is_sound && level.size > 0);
            let (bid, ask) = (known(Side::Bid)?, known(Side::Ask)?);
            Some(Top { bid, ask })
        };
        Some([top(0)?, top(1)?])
    }

    /// Reduces the larger leg by what it is larger. Whether there was anything to do.
    fn even_out(&mut self, ctx: &mut Context<'_>, tops: [Top; 2], held: [i128; 2]) -> bool {
        let open = held[0] + held[1];
        let leg = usize::from(held[1].abs() > held[0].abs());
        let side = if open > 0 { Side::Ask } else { Side::Bid };
        let size = self.scale.whole_lots(open.abs().min(held[leg].abs()));
        if size > 0 {
            self.send(ctx, tops, leg, side, size, true);
        }
        size > 0
    }

    /// Buys the cheap and sells the dear, if that is worth it.
    fn enter(&mut self, ctx: &mut Context<'_>, tops: [Top; 2], held: [i128; 2]) -> bool {
        let worth = |cheap: &usize| self.scale.is_worth(*cheap, tops, self.fees, self.edge);
        let Some(cheap) = [0, 1].into_iter().find(worth) else {
            return false;
        };
        let dear = 1 - cheap;
        let room = (self.position_max - held[cheap]).min(self.position_max + held[dear]);
        let size = self.shown(tops, cheap).min(room).min(self.quantity);
        self.send_pair(ctx, tops, cheap, size, false)
    }

    /// Reduces a pair whose reason is gone.
    fn leave(&mut self, ctx: &mut Context<'_>, tops: [Top; 2], held: [i128; 2]) {
        let long = usize::from(held[1] > 0);
        let short = 1 - long;
        let pair = held[long].min(-held[short]);
        if pair > 0 && self.scale.is_gone(short, tops, self.exit) {
            let size = self.shown(tops, short).min(pair).min(self.quantity);
            self.send_pair(ctx, tops, short, size, true);
        }
    }

    /// What can be bought on `buy` and sold on the other at the best prices.
    fn shown(&self, tops: [Top; 2], buy: usize) -> i128 {
        let offered = self.scale.widen(buy, tops[buy].ask.size);
        offered.min(self.scale.widen(1 - buy, tops[1 - buy].bid.size))
    }

    fn send_pair(&mut self, ctx: &mut Context<'_>, tops: [Top; 2], buy: usize, size: i128, reduce_only: bool) -> bool {
        let size = self.scale.whole_lots(size);
        // The second leg is only sent if the first was.
        size > 0
            && self.send(ctx, tops, buy, Side::Bid, size, reduce_only)
            && self.send(ctx, tops, 1 - buy, Side::Ask, size, reduce_only)
    }

    fn send(
        &mut self,
        ctx: &mut Context<'_>,
        tops: [Top; 2],
        leg: usize,
        side: Side,
        size: i128,
        reduce_only: bool,
    ) -> bool {
        let level = match side {
            Side::Bid => tops[leg].ask,
            Side::Ask => tops[leg].bid,
        };
        let price = Price(level.price);
        let sent = ctx.submit(OrderRequest {
            instrument: self.legs[leg],
            side,
            kind: OrderType::Limit { price },
            quantity: Quantity(self.scale.narrow(leg, size)),
            time_in_force: TimeInForce::Ioc,
            post_only: false,
            reduce_only,
        });
        if let Err(breach) = &sent {
            self.patience.refused(ctx.now(), breach);
        }
        sent.is_ok()
    }
}

impl Strategy for Arbitrage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, _quote: &Quote) {
        self.act(ctx);
    }

    fn on_fill(&mut self, ctx: &mut Context<'_>, _fill: &Fill) {
        self.repair(ctx);
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        match update.event {
            // A venue that refuses one would refuse the next.
            OrderEvent::Rejected(_) => self.patience.refused_by_venue(update.time),
            _ => self.repair(ctx),
        }
    }

    fn on_status(&mut self, ctx: &mut Context<'_>, _status: &MarketStatus) {
        self.act(ctx);
    }
}
