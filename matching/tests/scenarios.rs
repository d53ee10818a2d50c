//! Small cases by hand, one rule each.

mod support;

use support::text::{after, as_kind, book_of, buy, lines, of, sell, submit_all};
use tickpath_matching::{Book, NewOrder, OrderId, OrderKind, OwnerId, Reject, Replace, Rules, SelfTrade, TimeInForce};
use tickpath_protocol::{Level, Side};

const KEEP: Replace = Replace {
    id: OrderId(1),
    price: None,
    trigger: None,
    quantity: None,
};

fn replace(book: &mut Book, replace: Replace) -> Vec<String> {
    let mut events = Vec::new();
    book.replace(&replace, &mut events);
    lines(&events)
}

fn cancel(book: &mut Book, id: u64) -> Vec<String> {
    let mut events = Vec::new();
    book.cancel(OrderId(id), &mut events);
    lines(&events)
}

#[test]
fn the_better_price_then_the_older_order_trades_first() {
    let resting = [sell(1, 5, 101), sell(2, 5, 100), sell(3, 5, 100)];
    assert_eq!(
        after(&resting, buy(4, 12, 101)),
        [
            "accepted 4",
            "trade 2<-4 5@100",
            "trade 3<-4 5@100",
            "ask 100: 0",
            "trade 1<-4 2@101",
            "ask 101: 3"
        ]
    );
}

#[test]
fn what_is_left_of_a_limit_order_rests() {
    assert_eq!(
        after(&[sell(1, 5, 100), sell(2, 5, 102)], buy(3, 8, 101)),
        [
            "accepted 3",
            "trade 1<-3 5@100",
            "ask 100: 0",
            "rested 3 3@101",
            "bid 101: 3"
        ]
    );
}

#[test]
fn a_market_order_takes_what_there_is() {
    let market = NewOrder::market(3, Side::Bid, 20);
    assert_eq!(
        after(&[sell(1, 5, 100), sell(2, 5, 900)], market),
        [
            "accepted 3",
            "trade 1<-3 5@100",
            "ask 100: 0",
            "trade 2<-3 5@900",
            "ask 900: 0",
            "canceled 3 10 Unfilled"
        ]
    );
    assert_eq!(after(&[], market), ["accepted 3", "canceled 3 20 Unfilled"]);
}

#[test]
fn immediate_or_cancel_and_fill_or_kill() {
    let resting = [sell(1, 5, 100), sell(2, 5, 101)];
    let with = |time_in_force, order| NewOrder { time_in_force, ..order };
    assert_eq!(
        after(&resting, with(TimeInForce::Ioc, buy(3, 7, 100))),
        ["accepted 3", "trade 1<-3 5@100", "ask 100: 0", "canceled 3 2 Unfilled"]
    );
    assert_eq!(
        after(&resting, with(TimeInForce::Fok, buy(3, 11, 101))),
        ["accepted 3", "canceled 3 11 Unfilled"]
    );
    assert_eq!(
        after(&resting, with(TimeInForce::Fok, buy(3, 6, 101))),
        [
            "accepted 3",
            "trade 1<-3 5@100",
            "ask 100: 0",
            "trade 2<-3 1@101",
            "ask 101: 4"
        ]
    );
}

#[test]
fn a_post_only_order_never_takes() {
    let post = |order| NewOrder {
        post_only: true,
        ..order
    };
    let resting = [sell(1, 5, 100)];
    assert_eq!(after(&resting, post(buy(2, 5, 100))), ["rejected 2 PostOnlyWouldTrade"]);
    assert_eq!(
        after(&resting, post(buy(2, 5, 99))),
        ["accepted 2", "rested 2 5@99", "bid 99: 5"]
    );
    let market = NewOrder {
        post_only: true,
        ..NewOrder::market(2, Side::Bid, 5)
    };
    assert_eq!(after(&resting, market), ["rejected 2 PostOnlyNeverRests"]);
    let mut book = book_of(&[sell(1, 5, 100), post(buy(2, 5, 99))]);
    let closer = Replace {
        id: OrderId(2),
        price: Some(100),
        ..KEEP
    };
    assert_eq!(replace(&mut book, closer), ["rejected 2 PostOnlyWouldTrade"]);
    assert_eq!(book.size_at(Side::Bid, 99), Some(5));
}

#[test]
fn self_trades_are_prevented_four_ways() {
    let resting = [of(7, sell(1, 5, 100)), sell(2, 5, 100)];
    let incoming = |self_trade| NewOrder {
        self_trade,
        ..of(7, buy(3, 8, 100))
    };
    assert_eq!(
        after(&resting, incoming(SelfTrade::CancelNewest)),
        ["accepted 3", "canceled 3 8 SelfTrade"]
    );
    assert_eq!(
        after(&resting, incoming(SelfTrade::CancelOldest)),
        [
            "accepted 3",
            "canceled 1 5 SelfTrade",
            "trade 2<-3 5@100",
            "ask 100: 0",
            "rested 3 3@100",
            "bid 100: 3"
        ]
    );
    assert_eq!(
        after(&resting, incoming(SelfTrade::CancelBoth)),
        [
            "accepted 3",
            "canceled 1 5 SelfTrade",
            "canceled 3 8 SelfTrade",
            "ask 100: 5"
        ]
    );
    assert_eq!(
        after(&resting, incoming(SelfTrade::Decrement)),
        [
            "accepted 3",
            "canceled 1 5 SelfTrade",
            "reduced 3 -5 3 SelfTrade",
            "trade 2<-3 3@100",
            "ask 100: 2"
        ]
    );
    let small = NewOrder {
        quantity: 2,
        ..incoming(SelfTrade::Decrement)
    };
    assert_eq!(
        after(&resting, small),
        [
            "accepted 3",
            "reduced 1 -2 3 SelfTrade",
            "canceled 3 2 SelfTrade",
            "ask 100: 8"
        ]
    );
}

#[test]
fn reduce_only_never_makes_a_position_larger() {
    let close = |order| NewOrder {
        reduce_only: true,
        ..of(7, order)
    };
    assert_eq!(
        after(&[buy(1, 5, 100)], close(sell(2, 5, 100))),
        ["rejected 2 NothingToReduce"]
    );
    let anonymous = NewOrder {
        reduce_only: true,
        ..sell(2, 5, 100)
    };
    assert_eq!(after(&[], anonymous), ["rejected 2 ReduceOnlyNeedsOwner"]);
    let mut book = book_of(&[buy(1, 5, 100)]);
    book.set_position(OwnerId(7), 3).unwrap();
    assert_eq!(
        submit_all(&mut book, &[close(sell(2, 5, 100))]),
        [
            "accepted 2",
            "reduced 2 -2 3 ReduceOnly",
            "trade 1<-2 3@100",
            "bid 100: 2"
        ]
    );
    assert_eq!(book.position(OwnerId(7)), 0);
}

#[test]
fn a_resting_reduce_only_order_is_judged_when_it_trades() {
    let close = |order| NewOrder {
        reduce_only: true,
        ..of(7, order)
    };
    let mut book = book_of(&[]);
    book.set_position(OwnerId(7), 5).unwrap();
    submit_all(&mut book, &[close(sell(1, 5, 100)), of(7, sell(2, 4, 99))]);
    assert_eq!(
        submit_all(&mut book, &[buy(3, 9, 100)]),
        [
            "accepted 3",
            "trade 2<-3 4@99",
            "ask 99: 0",
            "reduced 1 -4 1 ReduceOnly",
            "trade 1<-3 1@100",
            "ask 100: 0",
            "rested 3 4@100",
            "bid 100: 4"
        ]
    );
    assert_eq!(book.position(OwnerId(7)), 0);
}

#[test]
fn what_does_not_fit_is_refused_with_a_reason() {
    let rules = Rules {
        tick: 5,
        lot: 10,
        quantity_max: 1_000,
        orders_max: 2,
    };
    let mut book = Book::new(rules);
    let mut first = |order: NewOrder| submit_all(&mut book, &[order]).remove(0);
    for (order, reason) in [
        (buy(1, 0, 100), "QuantityNotPositive"),
        (buy(1, -10, 100), "QuantityNotPositive"),
        (buy(1, i64::MIN, 100), "QuantityNotPositive"),
        (buy(1, 11, 100), "OffLot"),
        (buy(1, 1_010, 100), "QuantityTooLarge"),
        (buy(1, i64::MAX, 100), "QuantityTooLarge"),
        (buy(1, 10, 0), "PriceNotPositive"),
        (buy(1, 10, i64::MIN), "PriceNotPositive"),
        (buy(1, 10, 101), "OffTick"),
        (as_kind(OrderKind::Stop { trigger: 101 }, buy(1, 10, 1)), "OffTick"),
        (of(1 << 16, buy(1, 10, 100)), "UnknownOwner"),
    ] {
        assert_eq!(first(order), format!("rejected 1 {reason}"), "{order:?}");
    }
    assert_eq!(first(buy(1, 10, 100)), "accepted 1");
    assert_eq!(first(buy(1, 10, 100)), "rejected 1 DuplicateId");
    assert_eq!(first(buy(2, 10, 100)), "accepted 2");
    assert_eq!(first(buy(3, 10, 100)), "rejected 3 BookFull");
    assert_eq!(cancel(&mut book, 9), ["rejected 9 UnknownId"]);
    assert_eq!(
        replace(&mut book, Replace { id: OrderId(9), ..KEEP }),
        ["rejected 9 UnknownId"]
    );
    assert_eq!(book.set_position(OwnerId::NONE, 1), Err(Reject::UnknownOwner));
}

#[test]
fn extreme_numbers_do_not_overflow() {
    let most = i64::MAX / 4;
    let giants: Vec<_> = (1..=4).map(|id| buy(id, most, i64::MAX)).collect();
    let mut book = book_of(&giants);
    assert_eq!(
        submit_all(&mut book, &[buy(5, most, i64::MAX)])[1],
        format!("canceled 5 {most} Overflow")
    );
    assert_eq!(
        book.best(Side::Bid),
        Some(Level {
            price: i64::MAX,
            size: 4 * most
        })
    );
    let close = as_kind(OrderKind::Market, of(3, sell(6, most, 1)));
    submit_all(
        &mut book,
        &[
            close,
            NewOrder {
                id: OrderId(7),
                ..close
            },
            NewOrder {
                id: OrderId(8),
                ..close
            },
        ],
    );
    assert_eq!(book.position(OwnerId(3)), -3 * i128::from(most));
    assert_eq!(book.open_orders(), 1);
}

#[test]
fn an_id_can_be_used_again_when_its_order_is_done() {
    let mut book = book_of(&[buy(1, 5, 100), sell(2, 5, 100)]);
    assert_eq!(book.open_orders(), 0);
    assert_eq!(submit_all(&mut book, &[buy(1, 5, 100)])[0], "accepted 1");
    assert_eq!(cancel(&mut book, 1), ["canceled 1 5 Requested", "bid 100: 0"]);
    assert_eq!((book.best(Side::Bid), book.last_price()), (None, Some(100)));
}
