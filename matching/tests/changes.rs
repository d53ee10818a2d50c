//! Stops and replacements by hand, one rule each.

mod support;

use support::text::{as_kind, book_of, buy, lines, sell, submit_all};
use tickpath_matching::{Book, OrderId, OrderKind, Replace};
use tickpath_protocol::Side;

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
fn stops_wait_for_a_trade_at_their_trigger_or_beyond() {
    let stop = as_kind(OrderKind::Stop { trigger: 100 }, sell(10, 4, 1));
    let limit = as_kind(OrderKind::StopLimit { trigger: 99, price: 98 }, sell(11, 4, 1));
    let mut book = book_of(&[buy(1, 1, 101), buy(2, 1, 100), buy(3, 5, 99), limit, stop]);
    assert_eq!((book.depth(Side::Ask), book.open_orders()), (0, 5));
    assert_eq!(
        submit_all(&mut book, &[sell(4, 1, 101)]),
        ["accepted 4", "trade 1<-4 1@101", "bid 101: 0"]
    );
    // The trade at 100 triggers the stop; the stop's own trade at 99 the other.
    assert_eq!(
        submit_all(&mut book, &[sell(5, 1, 100)]),
        [
            "accepted 5",
            "trade 2<-5 1@100",
            "bid 100: 0",
            "triggered 10",
            "trade 3<-10 4@99",
            "bid 99: 1",
            "triggered 11",
            "trade 3<-11 1@99",
            "bid 99: 0",
            "rested 11 3@98",
            "ask 98: 3"
        ]
    );
    let late = as_kind(OrderKind::Stop { trigger: 120 }, sell(12, 1, 1));
    assert_eq!(
        submit_all(&mut book, &[late]),
        ["accepted 12", "triggered 12", "canceled 12 1 Unfilled"]
    );
}

#[test]
fn every_price_of_a_sweep_triggers_and_buys_come_before_sells() {
    let up = as_kind(OrderKind::Stop { trigger: 105 }, buy(10, 1, 1));
    let down = as_kind(OrderKind::Stop { trigger: 95 }, sell(11, 1, 1));
    let mut book = book_of(&[
        down,
        up,
        buy(1, 9, 90),
        sell(2, 1, 95),
        sell(3, 1, 105),
        sell(4, 9, 110),
    ]);
    assert_eq!(
        submit_all(&mut book, &[buy(5, 2, 105)]),
        [
            "accepted 5",
            "trade 2<-5 1@95",
            "ask 95: 0",
            "trade 3<-5 1@105",
            "ask 105: 0",
            "triggered 10",
            "trade 4<-10 1@110",
            "ask 110: 8",
            "triggered 11",
            "trade 1<-11 1@90",
            "bid 90: 8"
        ]
    );
}

#[test]
fn a_stop_that_waits_can_be_changed_and_canceled() {
    let stop = as_kind(OrderKind::Stop { trigger: 105 }, buy(1, 1, 1));
    let mut book = book_of(&[stop]);
    assert_eq!(
        replace(&mut book, Replace { price: Some(3), ..KEEP }),
        ["rejected 1 NoSuchPrice"]
    );
    assert_eq!(
        replace(
            &mut book,
            Replace {
                trigger: Some(104),
                ..KEEP
            }
        ),
        ["replaced 1 1 false"]
    );
    let kind = book.order(OrderId(1)).map(|order| order.kind);
    assert_eq!(kind, Some(OrderKind::Stop { trigger: 104 }));
    assert_eq!(cancel(&mut book, 1), ["canceled 1 1 Requested"]);
    assert_eq!(book.open_orders(), 0);
}

#[test]
fn only_an_order_that_shrinks_keeps_its_place() {
    let queue = |book: &Book| book.queue(Side::Bid, 100).map(|order| order.id.0).collect::<Vec<_>>();
    let mut book = book_of(&[buy(1, 5, 100), buy(2, 5, 100)]);
    assert_eq!(
        replace(
            &mut book,
            Replace {
                quantity: Some(3),
                ..KEEP
            }
        ),
        ["replaced 1 3 true", "bid 100: 8"]
    );
    assert_eq!(queue(&book), [1, 2]);
    assert_eq!(
        replace(
            &mut book,
            Replace {
                quantity: Some(4),
                ..KEEP
            }
        ),
        ["replaced 1 4 false", "bid 100: 5", "rested 1 4@100", "bid 100: 9"]
    );
    assert_eq!(queue(&book), [2, 1]);
}

#[test]
fn a_replaced_quantity_counts_what_is_filled() {
    let mut book = book_of(&[buy(1, 10, 100), sell(2, 4, 100)]);
    assert_eq!(
        replace(
            &mut book,
            Replace {
                quantity: Some(7),
                ..KEEP
            }
        ),
        ["replaced 1 3 true", "bid 100: 3"]
    );
    assert_eq!(
        replace(
            &mut book,
            Replace {
                quantity: Some(4),
                ..KEEP
            }
        ),
        ["canceled 1 3 Replaced", "bid 100: 0"]
    );
}

#[test]
fn a_replacement_that_crosses_trades() {
    let mut book = book_of(&[buy(1, 5, 99), sell(2, 3, 100)]);
    assert_eq!(
        replace(
            &mut book,
            Replace {
                price: Some(100),
                ..KEEP
            }
        ),
        [
            "replaced 1 5 false",
            "bid 99: 0",
            "trade 2<-1 3@100",
            "ask 100: 0",
            "rested 1 2@100",
            "bid 100: 2"
        ]
    );
}
