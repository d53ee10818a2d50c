//! Nothing is allocated for a record once the engine is warm: not for market data, orders, fills, replacements, timers or images of the account.

mod support;

use support::{BTC, MS, ONE, instrument, loose, record};
use tickpath_engine::engine::Outbox;
use tickpath_engine::order::{ClientOrderId, Fill, OrderRequest, OrderUpdate, TimeInForce};
use tickpath_engine::paper::{PaperConfig, PaperVenue};
use tickpath_engine::risk::Limits;
use tickpath_engine::units::{Money, Price, Quantity, Time};
use tickpath_engine::{Context, Engine, EngineConfig, Quote, Strategy, StrategyConfig, Trade};
use tickpath_protocol::{Flags, Kind, Record, Side};

/// Quotes both sides, moves its quotes, takes now and then, and is held back now and then.
#[derive(Default)]
struct Busy {
    turn: u64,
    fills: u64,
}

impl Strategy for Busy {
    fn name(&self) -> &'static str {
        "busy"
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.turn += 1;
        let now = ctx.now();
        ctx.signal(trade.instrument, trade.side, trade.quantity);
        ctx.set_timer(now.plus_ns(3 * MS));
        let side = if self.turn.is_multiple_of(2) {
            Side::Bid
        } else {
            Side::Ask
        };
        let request = OrderRequest {
            time_in_force: TimeInForce::Ioc,
            ..OrderRequest::market(BTC, side, Quantity(if self.turn.is_multiple_of(7) { 0 } else { ONE }))
        };
        ctx.submit(request).ok();
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        let [Some(bid), Some(ask)] = [quote.bid, quote.ask] else {
            return;
        };
        let first: Option<ClientOrderId> = ctx.orders().next().map(|order| order.id);
        match first {
            Some(id) if self.turn.is_multiple_of(3) => {
                ctx.cancel(id).ok();
            }
            Some(id) => {
                ctx.replace(id, None, Quantity(3 * ONE)).ok();
            }
            None => {
                ctx.submit(OrderRequest::limit(BTC, Side::Bid, Price(bid.price), Quantity(2 * ONE)))
                    .ok();
                ctx.submit(OrderRequest::limit(BTC, Side::Ask, Price(ask.price), Quantity(2 * ONE)))
                    .ok();
            }
        }
    }

    fn on_fill(&mut self, _: &mut Context<'_>, _: &Fill) {
        self.fills += 1;
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        if self.turn.is_multiple_of(5) {
            ctx.cancel(update.order.id).ok();
        }
    }
}

struct Count(u64);

impl Outbox for Count {
    fn publish(&mut self, _: &Record) {
        self.0 += 1;
    }
}

fn next(turn: i64) -> Record {
    let price = 10_000 + turn * 7 % 40;
    let (kind, flags, price) = match turn % 5 {
        0 => (Kind::Trade, Flags::ASK.with(Flags::LAST), price),
        1 => (Kind::Trade, Flags::BID.with(Flags::LAST), price + 20),
        2 => (Kind::Quote, Flags::BID, price),
        3 => (Kind::Quote, Flags::ASK.with(Flags::LAST), price + 20),
        _ => (Kind::BookLevel, Flags::BID.with(Flags::LAST), price - turn % 13),
    };
    record(turn, kind, flags, price, ONE + turn % 3 * ONE)
}

#[test]
fn steady_state() {
    let limits = Limits {
        orders_per_second_max: 10_000,
        ..loose()
    };
    let venue = PaperVenue::new(PaperConfig::default()).unwrap();
    let mut engine = Engine::new(EngineConfig { session: 1, limits }, venue).unwrap();
    engine.add_instrument(&instrument(BTC, "BTC/USD"));
    let config = StrategyConfig {
        instruments: vec![BTC],
        limits,
        capital: Money::whole(1),
    };
    for _ in 0..3 {
        engine.add_strategy(Box::new(Busy::default()), &config).unwrap();
    }
    engine.keep_images(1);
    let mut out = Count(0);
    engine.start(0, Time(0), &mut out);
    for turn in 0..20_000 {
        engine.on_record(&next(turn), turn as u64, &mut out);
    }
    let before = out.0;
    let measured = allocation_counter::measure(|| {
        for turn in 20_000..40_000 {
            engine.on_record(&next(turn), turn as u64, &mut out);
        }
    });
    assert_eq!(measured.count_total, 0);
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(vec![1u8])));
    assert_eq!(counted.count_total, 1, "the counter counts");
    assert!(out.0 - before > 20_000, "it was busy: {} records", out.0 - before);
    assert!(engine.portfolio().strategy(0).positions()[0].fills() > 1_000);
}
