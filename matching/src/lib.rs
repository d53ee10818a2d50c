//! Price-time matching of one instrument's orders: a [`Book`] takes orders and tells a [`Sink`] what became of them.
//!
//! Promises: sans-IO and deterministic (no clock, randomness, float or hash order takes part: the same orders give the same events); the best price trades
//! first, and at a price the order that came first; the book is never crossed; quantity is neither made nor lost, every unit of an accepted order is traded,
//! named in a [`Event::Canceled`] or [`Event::Reduced`], or rests. Once its tables have grown to the market's size nothing is allocated.
//!
//! Refuses, with a [`Reject`]: sizes that are zero, negative, off the lot or too large, prices off the tick, ids that are known already or not at all,
//! settings that contradict each other, more open orders than [`Rules::orders_max`].
//!
//! What it keeps: orders in a slab, 64 bytes each, linked into a queue a price by indices; the prices of a side in one sorted array whose back is the top,
//! as in [`tickpath_protocol::book`]; a table from order id to place. An order knows its level, so a cancel searches nothing.
//!
//! ```
//! use tickpath_matching::{Book, Event, NewOrder, Rules};
//! use tickpath_protocol::Side;
//!
//! let mut book = Book::new(Rules::default());
//! let mut events = Vec::new();
//! book.submit(&NewOrder::limit(1, Side::Ask, 101, 5), &mut events);
//! book.submit(&NewOrder::market(2, Side::Bid, 3), &mut events);
//! assert!(events.iter().any(|event| matches!(event, Event::Trade { price: 101, quantity: 3, maker_leaves: 2, .. })));
//! assert_eq!(book.size_at(Side::Ask, 101), Some(2));
//! ```
//!
//! What it does not do: accounts, fees, circuit breakers, auctions, hidden quantity. One instrument a book; ids are unique within it and come from the venue,
//! never from a client, for the table does not defend itself against ids that are chosen to collide.

mod book;
mod cross;
mod event;
mod index;
mod ladder;
mod order;
mod position;
mod replace;
mod rules;
mod slab;
mod stops;

pub use book::Book;
pub use event::{CancelReason, Event, ReduceReason, Reject, Request, Sink};
pub use order::{NewOrder, OpenOrder, OrderId, OrderKind, OwnerId, Replace, SelfTrade, TimeInForce};
pub use rules::{OWNERS_MAX, Rules};
