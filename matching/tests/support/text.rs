//! Events as short lines, so that a scenario reads like one.

use tickpath_matching::{Book, Event, NewOrder, OrderKind, OwnerId, Rules};
use tickpath_protocol::Side;

pub fn line(event: &Event) -> String {
    match *event {
        Event::Accepted { id, .. } => format!("accepted {}", id.0),
        Event::Rejected { id, reason, .. } => format!("rejected {} {reason:?}", id.0),
        Event::Rested { id, price, leaves, .. } => format!("rested {} {leaves}@{price}", id.0),
        Event::Trade {
            maker,
            taker,
            price,
            quantity,
            ..
        } => format!("trade {}<-{} {quantity}@{price}", maker.0, taker.0),
        Event::Canceled { id, leaves, reason, .. } => format!("canceled {} {leaves} {reason:?}", id.0),
        Event::Reduced {
            id, by, leaves, reason, ..
        } => format!("reduced {} -{by} {leaves} {reason:?}", id.0),
        Event::Replaced {
            id, leaves, kept_place, ..
        } => format!("replaced {} {leaves} {kept_place}", id.0),
        Event::Triggered { id, .. } => format!("triggered {}", id.0),
        Event::Level { side, price, quantity } => format!("{side:?} {price}: {quantity}").to_lowercase(),
    }
}

pub fn lines(events: &[Event]) -> Vec<String> {
    events.iter().map(line).collect()
}

pub fn buy(id: u64, quantity: i64, price: i64) -> NewOrder {
    NewOrder::limit(id, Side::Bid, price, quantity)
}

pub fn sell(id: u64, quantity: i64, price: i64) -> NewOrder {
    NewOrder::limit(id, Side::Ask, price, quantity)
}

pub fn of(owner: u32, order: NewOrder) -> NewOrder {
    NewOrder {
        owner: OwnerId(owner),
        ..order
    }
}

pub fn as_kind(kind: OrderKind, order: NewOrder) -> NewOrder {
    NewOrder { kind, ..order }
}

/// A book into which orders went.
pub fn book_of(orders: &[NewOrder]) -> Book {
    let mut book = Book::new(Rules::default());
    submit_all(&mut book, orders);
    book
}

pub fn submit_all(book: &mut Book, orders: &[NewOrder]) -> Vec<String> {
    let mut events = Vec::new();
    for order in orders {
        book.submit(order, &mut events);
    }
    lines(&events)
}

/// What the order after some others does.
pub fn after(orders: &[NewOrder], last: NewOrder) -> Vec<String> {
    submit_all(&mut book_of(orders), &[last])
}
