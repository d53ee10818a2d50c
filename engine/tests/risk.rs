//! Every rule of the gate, by an order that breaks it and one that just does not.

mod support;

use support::*;
use tickpath_engine::engine::Command;
use tickpath_engine::order::{OrderRequest, OrderType};
use tickpath_engine::risk::{Amount, Limits, Permission};
use tickpath_engine::units::{Money, Price, Quantity};
use tickpath_protocol::trading::{Action, Reason};
use tickpath_protocol::{Flags, GapCause, InstrumentId, Record, StatusCode, Venue};

fn scene(change: impl FnOnce(&mut Limits)) -> Scene {
    let mut limits = loose();
    change(&mut limits);
    let mut scene = Scene::new(plain(), limits);
    scene.quote((9_900, 100 * ONE), (10_000, 100 * ONE));
    scene
}

fn size(whole: i64) -> Option<Amount> {
    Some(Amount {
        mantissa: whole,
        decimals: 0,
    })
}

#[test]
fn the_form_of_an_order() {
    let mut scene = scene(|_| {});
    for size in [0, -1, i64::MIN, i64::MIN + 1] {
        assert_eq!(scene.refused(limit(BUY, 9_900, size)), Reason::Quantity);
    }
    for price in [0, -9_900] {
        assert_eq!(scene.refused(limit(BUY, price, ONE)), Reason::OffTick);
    }
    let post_market = OrderRequest {
        post_only: true,
        ..market(BUY, ONE)
    };
    assert_eq!(scene.refused(post_market), Reason::Contradiction);
    let elsewhere = OrderRequest {
        instrument: InstrumentId::new(Venue::BINANCE, 7),
        ..market(BUY, ONE)
    };
    assert_eq!(scene.refused(elsewhere), Reason::UnknownInstrument);
    let of_nothing = OrderRequest {
        instrument: ETH,
        ..market(BUY, ONE)
    };
    assert_eq!(
        scene.refused(of_nothing),
        Reason::NoMarket,
        "an instrument without data"
    );
    assert!(scene.events().iter().all(|event| event.action == Action::RiskBreach));
    assert_eq!(scene.engine.snapshot().strategies[0].breaches, 9);
}

#[test]
fn steps_of_price_and_size() {
    let mut scene = Scene::unstarted(1, plain(), loose());
    let coarse = tickpath_protocol::Instrument {
        tick: 50,
        lot: 100,
        ..instrument(InstrumentId::new(Venue::KRAKEN, 2), "XRP/USD")
    };
    scene.engine.add_instrument(&coarse);
    let config = tickpath_engine::StrategyConfig {
        instruments: vec![coarse.id],
        limits: loose(),
        capital: Money(0),
    };
    let script = Script::default();
    scene.engine.add_strategy(Box::new(script.clone()), &config).unwrap();
    scene.engine.start(0, tickpath_engine::Time(0), &mut scene.out);
    let trade = Record {
        kind: tickpath_protocol::Kind::Trade as u8,
        venue: Venue::KRAKEN.0,
        flags: Flags::LAST.0,
        scale: SCALE.to_byte(),
        instrument: coarse.id.0,
        price: 10_000,
        size: 1,
        ..Record::default()
    };
    for (price, size, expected) in [(10_025, 100, Reason::OffTick), (10_050, 150, Reason::Quantity)] {
        let request = OrderRequest::limit(coarse.id, BUY, Price(price), Quantity(size));
        script.told().todo.push_back(Do::Submit(request));
        scene.feed(trade);
        let answer = *script.told().answers.last().unwrap();
        assert_eq!(answer.unwrap_err().reason, expected);
    }
}

#[test]
fn size_and_notional_of_an_order() {
    let mut scene = scene(|limits| {
        limits.order_quantity_max = size(3);
        limits.order_notional_max = Some(Money::whole(200));
    });
    assert_eq!(scene.refused(limit(BUY, 5_001, 3 * ONE + 1)), Reason::OrderSize);
    assert_eq!(scene.refused(limit(BUY, 9_901, 20_201)), Reason::OrderNotional);
    assert_eq!(
        scene.refused(market(BUY, 2 * ONE + 1)),
        Reason::OrderNotional,
        "at the price it would pay"
    );
    scene.submit(market(BUY, 2 * ONE));
}

#[test]
fn overflow_of_price_times_size() {
    let mut scene = scene(|limits| limits.price_collar_ppm = 1_000_000);
    assert_eq!(scene.refused(market(BUY, i64::MAX)), Reason::Overflow);
    assert_eq!(scene.refused(limit(BUY, 19_999, i64::MAX / 2)), Reason::Overflow);
    assert_eq!(scene.refused(limit(BUY, i64::MAX, 1)), Reason::PriceCollar);
}

#[test]
fn position_counts_what_is_open() {
    let mut scene = scene(|limits| limits.position_max = size(3));
    scene.submit(market(BUY, ONE));
    scene.limit(BUY, 9_800, ONE);
    assert_eq!(scene.refused(limit(BUY, 9_700, ONE + 1)), Reason::Position);
    let id = scene.limit(BUY, 9_700, ONE);
    assert_eq!(
        scene.act(Do::Replace(id, None, ONE + 1)).unwrap_err().reason,
        Reason::Position
    );
    scene.limit(SELL, 10_100, 4 * ONE);
    assert_eq!(
        scene.refused(limit(SELL, 10_200, 1)),
        Reason::Position,
        "long 1, 4 to sell: short 3"
    );
}

#[test]
fn gross_exposure_adds_up_positions_and_orders() {
    let mut scene = scene(|limits| limits.gross_exposure_max = Some(Money::whole(298)));
    scene.submit(market(BUY, ONE));
    scene.limit(BUY, 9_900, ONE);
    assert_eq!(
        scene.refused(limit(BUY, 9_900, ONE + 200)),
        Reason::GrossExposure,
        "99 + 99 + 100.98"
    );
    scene.limit(BUY, 9_900, ONE);
}

#[test]
fn open_orders_and_their_rate() {
    let mut scene = scene(|limits| {
        limits.open_orders_max = 2;
        limits.orders_per_second_max = 3;
    });
    scene.limit(BUY, 9_900, ONE);
    let second = scene.limit(BUY, 9_890, ONE);
    assert_eq!(scene.refused(limit(BUY, 9_880, ONE)), Reason::OpenOrders);
    scene.act(Do::Cancel(second)).unwrap();
    scene.limit(BUY, 9_880, ONE);
    scene.act(Do::Cancel(second)).unwrap_err();
    let third = scene.events().last().unwrap().order;
    scene.act(Do::Cancel(third)).unwrap();
    assert_eq!(scene.refused(limit(BUY, 9_870, ONE)), Reason::OrderRate);
    scene.at(1_000 * MS).limit(BUY, 9_870, ONE);
}

#[test]
fn the_collar_is_around_the_market() {
    let mut scene = scene(|limits| limits.price_collar_ppm = 10_000);
    assert_eq!(scene.refused(limit(BUY, 10_101, ONE)), Reason::PriceCollar);
    assert_eq!(scene.refused(limit(BUY, 9_899, ONE)), Reason::PriceCollar);
    assert_eq!(scene.refused(limit(SELL, 9_800, ONE)), Reason::PriceCollar);
    let stop = OrderRequest {
        kind: OrderType::Stop { trigger: Price(10_200) },
        ..market(BUY, ONE)
    };
    assert_eq!(scene.refused(stop), Reason::PriceCollar);
    scene.limit(BUY, 10_100, ONE);
}

#[test]
fn data_must_be_young_and_proven() {
    let mut scene = scene(|limits| limits.data_age_ns_max = 5 * MS);
    scene.at(5 * MS).limit(BUY, 9_900, ONE);
    assert_eq!(scene.at(5 * MS + 1).refused(limit(BUY, 9_800, ONE)), Reason::StaleData);
    scene.quote((9_900, ONE), (9_900, ONE));
    assert_eq!(scene.refused(limit(BUY, 9_800, ONE)), Reason::UntrustedData, "crossed");
    scene.quote((9_900, ONE), (10_000, ONE));
    let gone = StatusCode::Disconnected.record(Venue::KRAKEN, InstrumentId::NONE, scene.now, 0, 0);
    scene.feed(gone);
    assert_eq!(scene.refused(limit(BUY, 9_800, ONE)), Reason::UntrustedData);
    scene.quote((9_900, ONE), (10_000, ONE));
    let halted = StatusCode::Halted.record(Venue::KRAKEN, BTC, scene.now, 0, 0);
    scene.feed(halted);
    assert_eq!(scene.refused(limit(BUY, 9_800, ONE)), Reason::MarketHalted);
    let gap = GapCause::Silence.record(Venue::KRAKEN, BTC, 0, scene.now, Record::ABSENT, Record::ABSENT);
    scene.feed(gap);
    let open = StatusCode::Trading.record(Venue::KRAKEN, BTC, scene.now, 0, 0);
    scene.feed(open);
    assert_eq!(scene.refused(limit(BUY, 9_800, ONE)), Reason::UntrustedData);
}

#[test]
fn what_rests_in_a_market_that_is_gone_is_canceled() {
    let mut scene = scene(|limits| limits.data_age_ns_max = 2_000 * MS);
    scene.submit(market(BUY, ONE));
    let reduce = OrderRequest {
        reduce_only: true,
        ..limit(SELL, 10_100, ONE)
    };
    scene.submit(reduce);
    scene.limit(BUY, 9_800, ONE);
    scene.at(1_500 * MS).tick();
    assert_eq!(scene.engine.orders().open().len(), 2);
    scene.at(3_000 * MS).tick();
    assert_eq!(scene.last(), (Action::Canceled, Some(Reason::StaleData), ONE));
    scene.quote((9_900, ONE), (10_000, ONE));
    scene.limit(BUY, 9_800, ONE);
    let gone = StatusCode::Disconnected.record(Venue::KRAKEN, InstrumentId::NONE, scene.now, 0, 0);
    scene.feed(gone);
    assert_eq!(scene.last(), (Action::Canceled, Some(Reason::UntrustedData), ONE));
    assert_eq!(
        scene.engine.orders().open().len(),
        1,
        "what protects the position stays"
    );
}

#[test]
fn our_orders_do_not_meet_each_other() {
    let mut scene = scene(|_| {});
    scene.limit(BUY, 9_950, ONE);
    assert_eq!(scene.refused(limit(SELL, 9_950, ONE)), Reason::SelfCross);
    scene.limit(SELL, 9_951, ONE);
}

#[test]
fn reduce_only_reduces() {
    let mut scene = scene(|_| {});
    let reduce = |side, size| OrderRequest {
        reduce_only: true,
        ..limit(side, if side == BUY { 9_900 } else { 10_050 }, size)
    };
    assert_eq!(scene.refused(reduce(SELL, 1)), Reason::ReduceOnly);
    scene.submit(market(BUY, 2 * ONE));
    assert_eq!(scene.refused(reduce(BUY, 1)), Reason::ReduceOnly);
    assert_eq!(scene.refused(reduce(SELL, 2 * ONE + 1)), Reason::ReduceOnly);
    scene.submit(reduce(SELL, ONE));
    assert_eq!(
        scene.refused(reduce(SELL, ONE + 1)),
        Reason::ReduceOnly,
        "half of it is spoken for"
    );
}

/// Bought 1 at 100.00: at a bid of 98.00 the loss is 2.00.
#[test]
fn a_daily_loss_ends_with_its_day() {
    let mut scene = scene(|limits| limits.daily_loss_max = Some(Money::whole(2)));
    scene.submit(market(BUY, ONE));
    scene.limit(BUY, 9_700, ONE);
    scene.quote((9_801, ONE), (10_000, ONE));
    assert_eq!(scene.engine.permission(0), Permission::All);
    scene.quote((9_800, ONE), (10_000, ONE));
    assert_eq!(scene.engine.permission(0), Permission::ReduceOnly(Reason::DailyLoss));
    let reduce_only = |code: &&StatusCode| **code == StatusCode::ReduceOnly;
    assert_eq!(
        scene.statuses().iter().filter(reduce_only).count(),
        2,
        "of the strategy and of all"
    );
    assert_eq!(
        scene.engine.orders().open().len(),
        0,
        "what would add to it is canceled"
    );
    assert_eq!(scene.refused(limit(BUY, 9_700, ONE)), Reason::DailyLoss);
    let day_ns = 86_400_000 * MS;
    scene.at(day_ns).quote((9_700, ONE), (10_000, ONE));
    assert_eq!(scene.engine.permission(0), Permission::All);
    scene.quote((9_600, ONE), (10_000, ONE));
    assert_eq!(scene.engine.permission(0), Permission::All, "1.00 of a new day");
    scene.quote((9_500, ONE), (10_000, ONE));
    assert_eq!(scene.engine.permission(0), Permission::ReduceOnly(Reason::DailyLoss));
    let out = OrderRequest {
        reduce_only: true,
        ..market(SELL, ONE)
    };
    scene.submit(out);
    assert_eq!(scene.held(), 0);
}

#[test]
fn a_drawdown_stays_until_it_is_armed() {
    let mut scene = scene(|limits| limits.drawdown_max = Some(Money::whole(3)));
    scene.submit(market(BUY, ONE));
    scene.quote((10_500, ONE), (10_600, ONE));
    scene.quote((10_201, ONE), (10_600, ONE));
    assert_eq!(scene.engine.permission(0), Permission::All);
    scene.quote((10_200, ONE), (10_600, ONE));
    assert_eq!(scene.engine.permission(0), Permission::ReduceOnly(Reason::Drawdown));
    scene.at(90_000_000 * MS).quote((10_400, ONE), (10_600, ONE));
    assert_eq!(scene.engine.permission(0), Permission::ReduceOnly(Reason::Drawdown));
    scene.command(Command::Arm);
    assert_eq!(scene.engine.permission(0), Permission::All);
}

/// A breach is two records; the first names what was observed and the limit at their own decimals.
#[test]
fn a_breach_is_on_record() {
    let mut scene = scene(|limits| limits.order_notional_max = Some(Money::whole(100)));
    scene.refused(market(BUY, 15_000));
    let breach = *scene.events().last().unwrap();
    assert_eq!(breach.action, Action::RiskBreach);
    assert_eq!((breach.price, breach.size), (Money::whole(150).0, Money::whole(100).0));
    assert_eq!(breach.scale.price_decimals(), 8);
    assert_eq!(breach.detail.reason(), Some(Reason::OrderNotional));
    for _ in 0..100 {
        scene.refused(market(BUY, 15_000));
    }
    assert_eq!(
        scene.events().len(),
        16,
        "a strategy that insists does not flood the stream"
    );
    assert_eq!(scene.engine.snapshot().strategies[0].breaches, 101);
}

#[test]
fn stop_loss_and_take_profit_close_the_position() {
    for (bid, reason) in [(9_800, Reason::StopLoss), (10_400, Reason::TakeProfit)] {
        let mut scene = scene(|limits| {
            limits.stop_loss_ppm = Some(20_000);
            limits.take_profit_ppm = Some(40_000);
        });
        scene.submit(market(BUY, 2 * ONE));
        scene.limit(SELL, 12_000, ONE);
        scene.quote((9_801, 9 * ONE), (10_500, ONE));
        assert_eq!(scene.held(), 2 * ONE);
        scene.quote((bid, 9 * ONE), (10_500, ONE));
        assert_eq!(scene.held(), 0, "{}", reason.name());
        assert_eq!(scene.engine.orders().open().len(), 0);
        assert!(scene.events().iter().any(|event| event.detail.reason() == Some(reason)));
        assert_eq!(scene.engine.permission(0), Permission::All);
    }
}
