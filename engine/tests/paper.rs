//! The paper venue, by hand: what fills, at which price, for which fee.

mod support;

use support::*;
use tickpath_engine::order::{OrderRequest, OrderType, TimeInForce};
use tickpath_engine::paper::PaperConfig;
use tickpath_engine::units::Price;
use tickpath_protocol::trading::{Action, Reason};

const FEES: PaperConfig = PaperConfig {
    order_latency_ns: 0,
    report_latency_ns: 0,
    maker_fee_ppm: -100,
    taker_fee_ppm: 1_000,
    slippage_ppm: 0,
    queue_ahead_ppm: 1_000_000,
};

fn scene(paper: PaperConfig) -> Scene {
    let mut scene = Scene::new(paper, loose());
    scene.book(
        &[(9_900, 5 * ONE), (9_800, 5 * ONE)],
        &[(10_000, ONE), (10_100, 2 * ONE)],
    );
    scene
}

/// 1 at 100.00 and 1.5 at 101.00 cost 251.50; 0.1 % of it is 0.2515; at a bid of 99.00 it is worth 247.50.
#[test]
fn a_market_order_walks_the_book() {
    let mut scene = scene(FEES);
    scene.submit(market(BUY, 25_000));
    assert_eq!(scene.fills(), [(10_000, ONE, 10_000_000), (10_100, 15_000, 15_150_000)]);
    assert_eq!(scene.held(), 25_000);
    let position = scene.engine.portfolio().total().positions()[0];
    assert_eq!(position.cash(), -251_500_000, "at 6 decimals");
    assert_eq!(position.average_price(), Some(Price(10_060)));
    assert_eq!(scene.equity(), -425_150_000, "247.50 - 251.50 - 0.2515");
}

#[test]
fn what_the_book_does_not_have_is_canceled() {
    let mut scene = scene(FEES);
    scene.submit(market(BUY, 4 * ONE));
    assert_eq!(scene.held(), 3 * ONE);
    assert_eq!(scene.last(), (Action::Canceled, Some(Reason::NoLiquidity), ONE));
    let ioc = OrderRequest {
        time_in_force: TimeInForce::Ioc,
        ..limit(SELL, 9_850, 9 * ONE)
    };
    scene.submit(ioc);
    assert_eq!(scene.held(), -2 * ONE, "5 at 99.00, none at 98.00");
    assert_eq!(scene.last(), (Action::Canceled, Some(Reason::Immediate), 4 * ONE));
}

#[test]
fn fill_or_kill_is_whole_or_nothing() {
    let mut scene = scene(FEES);
    let fok = |size| OrderRequest {
        time_in_force: TimeInForce::Fok,
        ..limit(BUY, 10_100, size)
    };
    scene.submit(fok(3 * ONE + 1));
    assert_eq!(scene.last(), (Action::Canceled, Some(Reason::NotFillable), 3 * ONE + 1));
    assert_eq!(scene.held(), 0);
    scene.submit(fok(3 * ONE));
    assert_eq!(scene.held(), 3 * ONE);
}

#[test]
fn post_only_never_takes() {
    let mut scene = scene(FEES);
    let post = |price| OrderRequest {
        post_only: true,
        ..limit(BUY, price, ONE)
    };
    scene.submit(post(10_000));
    assert_eq!(scene.last().1, Some(Reason::WouldTake));
    scene.submit(post(9_950));
    assert_eq!(scene.last().0, Action::Accepted);
    assert_eq!(scene.engine.orders().open().len(), 1);
}

/// 0.1 % worse than 100.00 is 100.10, but never beyond the limit; of 99.00 it is 98.901, and the tick makes it 98.90.
#[test]
fn slippage_is_against_us_and_within_the_limit() {
    let mut scene = scene(PaperConfig {
        slippage_ppm: 1_000,
        ..plain()
    });
    scene.submit(market(BUY, ONE));
    scene.limit(BUY, 10_005, ONE);
    scene.submit(market(SELL, 2 * ONE));
    assert_eq!(scene.fills(), [(10_010, ONE, 0), (10_005, ONE, 0), (9_890, 2 * ONE, 0)]);
}

/// 5 stand before us. 3 trade: 2 are left. 3 more: ours gets 1 of its 2, with a rebate of 0.01 % of 99.00.
#[test]
fn a_resting_order_waits_for_its_turn() {
    let mut scene = scene(FEES);
    scene.limit(BUY, 9_900, 2 * ONE);
    scene.trade(SELL, 9_900, 3 * ONE);
    assert_eq!(scene.fills(), []);
    scene.trade(BUY, 9_900, 3 * ONE);
    assert_eq!(scene.fills(), [], "nobody sold");
    scene.trade(SELL, 9_900, 3 * ONE);
    assert_eq!(scene.fills(), [(9_900, ONE, -990_000)]);
    scene.trade(SELL, 9_900, ONE / 2);
    scene.trade(SELL, 9_900, ONE);
    assert_eq!(scene.held(), 2 * ONE);
    assert_eq!(scene.engine.orders().open().len(), 0);
}

#[test]
fn the_queue_shrinks_with_its_level() {
    let mut scene = scene(plain());
    scene.limit(BUY, 9_900, ONE);
    scene.level(BUY, 9_900, 2 * ONE);
    scene.level(BUY, 9_900, 8 * ONE);
    scene.trade(SELL, 9_900, 2 * ONE);
    assert_eq!(scene.fills(), [], "2 stood before us, whatever came behind");
    scene.trade(SELL, 9_900, ONE / 2);
    assert_eq!(scene.held(), ONE / 2);
    scene.book(&[(9_800, ONE)], &[(10_000, ONE)]);
    scene.trade(SELL, 9_900, ONE);
    assert_eq!(scene.held(), ONE);
}

#[test]
fn what_is_traded_through_is_filled_at_its_own_price() {
    let mut scene = scene(plain());
    scene.limit(BUY, 9_900, 2 * ONE);
    scene.trade(SELL, 9_899, 1);
    assert_eq!(scene.fills(), [(9_900, 2 * ONE, 0)]);
    scene.limit(SELL, 10_050, ONE);
    scene.level(SELL, 10_000, 0);
    scene.level(SELL, 10_100, 0);
    scene.level(SELL, 10_200, ONE);
    scene.level(BUY, 10_060, ONE);
    assert_eq!(scene.fills()[1..], [(10_050, ONE, 0)], "the best bid came to it");
}

/// Sent at 1 ms, there at 3 ms; the price changed at 2 ms. The next record tells, and the report needs 2 ms more.
#[test]
fn an_order_meets_the_market_of_its_arrival() {
    let mut scene = Scene::new(
        PaperConfig {
            order_latency_ns: 2 * MS,
            report_latency_ns: 2 * MS,
            ..PaperConfig::default()
        },
        loose(),
    );
    scene.at(0).quote((9_900, ONE), (10_000, ONE));
    scene.at(MS).submit(market(BUY, ONE));
    scene.at(2 * MS).quote((9_900, ONE), (10_500, ONE));
    scene.at(4 * MS).quote((9_900, ONE), (10_900, ONE));
    assert_eq!(scene.fills(), [], "it is filled, but we do not know yet");
    scene.at(5 * MS).tick();
    assert_eq!(scene.fills(), [(10_500, ONE, 0)]);
}

#[test]
fn a_cancel_may_come_too_late() {
    let mut scene = Scene::new(
        PaperConfig {
            order_latency_ns: MS,
            report_latency_ns: MS,
            ..PaperConfig::default()
        },
        loose(),
    );
    scene.at(0).quote((9_900, ONE), (10_000, ONE));
    let id = scene.limit(BUY, 10_000, ONE);
    scene.act(Do::Cancel(id)).unwrap();
    scene.at(10 * MS).tick();
    assert_eq!(scene.fills(), [(10_000, ONE, 0)]);
    let reasons: Vec<_> = scene
        .events()
        .iter()
        .filter_map(|event| event.detail.reason())
        .collect();
    assert_eq!(
        reasons,
        [Reason::Requested],
        "the refusal of the cancel is of no interest after the fill"
    );
    assert_eq!(scene.engine.orders().open().len(), 0);
}

#[test]
fn stops_wait_for_their_trigger() {
    let mut scene = scene(plain());
    let stop = |kind| OrderRequest {
        kind,
        ..limit(BUY, 10_100, ONE)
    };
    scene.submit(stop(OrderType::Stop { trigger: Price(10_050) }));
    let trigger = Price(10_080);
    scene.submit(stop(OrderType::StopLimit {
        trigger,
        price: Price(9_950),
    }));
    scene.trade(BUY, 10_049, ONE);
    assert_eq!(scene.fills(), []);
    scene.trade(BUY, 10_050, ONE);
    assert_eq!(scene.fills(), [(10_000, ONE, 0)], "at what the book has");
    scene.trade(BUY, 10_080, ONE);
    scene.trade(SELL, 9_950, ONE);
    assert_eq!(scene.fills()[1..], [(9_950, ONE, 0)], "it became a resting order");
}

#[test]
fn a_stop_is_triggered_by_the_best_price_too() {
    let mut scene = scene(plain());
    scene.submit(market(BUY, ONE));
    let stop = OrderRequest {
        kind: OrderType::Stop { trigger: Price(9_850) },
        reduce_only: true,
        ..market(SELL, ONE)
    };
    scene.submit(stop);
    scene.level(BUY, 9_900, 0);
    assert_eq!(scene.fills()[1..], [(9_800, ONE, 0)]);
}

#[test]
fn reduce_only_is_cut_to_the_position_of_the_moment() {
    let mut scene = scene(plain());
    scene.submit(market(BUY, 2 * ONE));
    let reduce = OrderRequest {
        reduce_only: true,
        ..limit(SELL, 10_200, 2 * ONE)
    };
    scene.submit(reduce);
    scene.submit(market(SELL, ONE));
    assert_eq!(scene.held(), ONE);
    scene.trade(BUY, 10_201, ONE);
    assert_eq!(scene.held(), 0);
    scene.trade(BUY, 10_201, ONE);
    assert_eq!(scene.last(), (Action::Canceled, Some(Reason::NothingToReduce), ONE));
}

#[test]
fn cancel_and_replace() {
    let mut scene = scene(plain());
    let id = scene.limit(BUY, 9_900, 2 * ONE);
    scene.trade(SELL, 9_900, 5 * ONE);
    scene.act(Do::Replace(id, None, ONE)).unwrap();
    assert_eq!(scene.last(), (Action::Replaced, None, ONE));
    scene.trade(SELL, 9_900, ONE / 2);
    assert_eq!(scene.held(), ONE / 2, "smaller at the same price: it kept its place");
    scene.act(Do::Replace(id, None, 2 * ONE)).unwrap();
    scene.trade(SELL, 9_900, 5 * ONE);
    assert_eq!(scene.held(), ONE / 2, "larger: it went to the end of the queue");
    scene.act(Do::Replace(id, Some(10_000), 2 * ONE)).unwrap();
    assert_eq!(scene.held(), ONE / 2 + ONE, "it took what was there");
    scene.act(Do::Cancel(id)).unwrap();
    assert_eq!(scene.last(), (Action::Canceled, Some(Reason::Requested), ONE / 2));
    assert_eq!(scene.act(Do::Cancel(id)).unwrap_err().reason, Reason::UnknownOrder);
}

#[test]
fn quotes_alone_and_trades_alone_are_a_market() {
    let mut quotes = Scene::new(plain(), loose());
    quotes.quote((9_900, 3 * ONE), (10_000, ONE));
    quotes.submit(market(BUY, 2 * ONE));
    assert_eq!(quotes.last().1, Some(Reason::NoLiquidity));
    quotes.limit(BUY, 9_900, ONE);
    quotes.quote((9_900, ONE), (10_000, ONE));
    quotes.trade(SELL, 9_900, 2 * ONE);
    assert_eq!(quotes.held(), 2 * ONE, "1 stood before it");
    let mut trades = Scene::new(plain(), loose());
    trades.trade(BUY, 10_000, 1);
    trades.submit(market(SELL, 7 * ONE));
    assert_eq!(
        trades.fills(),
        [(10_000, 7 * ONE, 0)],
        "a size that nobody states is enough"
    );
}

#[test]
fn a_configuration_without_sense_is_refused() {
    let error = |config: PaperConfig| config.validate().unwrap_err().key;
    assert_eq!(
        error(PaperConfig {
            order_latency_ns: -1,
            ..plain()
        }),
        "order_latency_ns"
    );
    assert_eq!(
        error(PaperConfig {
            queue_ahead_ppm: 1_000_001,
            ..plain()
        }),
        "queue_ahead_ppm"
    );
    assert_eq!(
        error(PaperConfig {
            taker_fee_ppm: 200_000,
            ..plain()
        }),
        "taker_fee_ppm"
    );
}
