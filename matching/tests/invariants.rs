//! What holds after any orders: the book is never crossed, quantity is neither made nor lost, the oldest order at the best price trades, and
//! whoever follows the level events has the book.

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use support::flow::{Flow, RULES, Step};
use tickpath_matching::{Book, Event, OrderId};
use tickpath_protocol::{OrderBook, Side};

/// What a reader of the events knows.
#[derive(Default)]
struct Reader {
    levels: OrderBook,
    /// Ids in the order in which they came to rest.
    queues: BTreeMap<(bool, i64), Vec<OrderId>>,
    places: BTreeMap<OrderId, (bool, i64)>,
    /// What is open of each order, by events alone.
    leaves: BTreeMap<OrderId, i64>,
    sides: BTreeMap<OrderId, Side>,
}

impl Reader {
    fn read(&mut self, event: &Event) {
        match *event {
            Event::Accepted { id, quantity, .. } => assert_eq!(self.leaves.insert(id, quantity), None),
            Event::Rested { id, price, leaves, .. } => {
                assert_eq!(self.leaves[&id], leaves);
                let place = (self.sides[&id] == Side::Bid, price);
                self.queues.entry(place).or_default().push(id);
                self.places.insert(id, place);
            }
            Event::Trade {
                maker,
                taker,
                price,
                quantity,
                maker_leaves,
                taker_leaves,
                ..
            } => {
                let place = self.places[&maker];
                assert_eq!(
                    (place.1, self.queues[&place][0]),
                    (price, maker),
                    "not the oldest of its level"
                );
                assert_eq!(self.best(place.0), Some(price), "not the best price");
                self.take(maker, quantity, maker_leaves);
                self.take(taker, quantity, taker_leaves);
            }
            Event::Canceled { id, leaves, .. } => self.take(id, leaves, 0),
            Event::Reduced { id, by, leaves, .. } => self.take(id, by, leaves),
            Event::Replaced {
                id, leaves, kept_place, ..
            } => {
                *self.leaves.get_mut(&id).expect("open") = leaves;
                if !kept_place {
                    self.leave_queue(id);
                }
            }
            Event::Level { side, price, quantity } => self.levels.apply(side, price, quantity).expect("room"),
            Event::Rejected { .. } | Event::Triggered { .. } => {}
        }
    }

    fn take(&mut self, id: OrderId, quantity: i64, left: i64) {
        let leaves = self.leaves.get_mut(&id).expect("an open order");
        *leaves -= quantity;
        assert!(
            quantity > 0 && *leaves == left && left >= 0,
            "{id:?}: {quantity} taken, {left} left"
        );
        if left == 0 {
            self.leaves.remove(&id);
            self.leave_queue(id);
        }
    }

    fn leave_queue(&mut self, id: OrderId) {
        let Some(place) = self.places.remove(&id) else { return };
        let queue = self.queues.get_mut(&place).expect("its queue");
        queue.retain(|other| *other != id);
        if queue.is_empty() {
            self.queues.remove(&place);
        }
    }

    fn best(&self, is_bid: bool) -> Option<i64> {
        let mut prices = self
            .queues
            .keys()
            .filter(|(bid, _)| *bid == is_bid)
            .map(|(_, price)| *price);
        if is_bid { prices.next_back() } else { prices.next() }
    }

    fn check(&self, book: &Book) {
        assert!(!self.levels.is_crossed());
        for side in [Side::Bid, Side::Ask] {
            assert!(book.levels(side).eq(self.levels.levels(side)));
        }
        assert_eq!(book.open_orders(), self.leaves.len());
        for (id, leaves) in &self.leaves {
            assert_eq!(book.order(*id).map(|order| order.leaves), Some(*leaves));
        }
        for ((is_bid, price), queue) in &self.queues {
            let side = if *is_bid { Side::Bid } else { Side::Ask };
            assert!(book.queue(side, *price).map(|order| order.id).eq(queue.iter().copied()));
        }
    }
}

/// Owners trade with each other and with nobody in particular, never with themselves.
fn is_self_trade(event: &Event) -> bool {
    matches!(event, Event::Trade { maker_owner, taker_owner, .. } if maker_owner == taker_owner && maker_owner.0 != 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn hold_after_any_orders(seed in any::<u64>()) {
        let mut flow = Flow::new(seed);
        let mut book = Book::new(RULES);
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for _ in 0..3_000 {
            let open: Vec<OrderId> = reader.leaves.keys().copied().collect();
            let step = flow.step(open.len(), |nth| open[nth]);
            if let Step::Submit(order) = &step && !reader.leaves.contains_key(&order.id) {
                reader.sides.insert(order.id, order.side);
            }
            events.clear();
            step.apply(&mut book, &mut events);
            events.iter().for_each(|event| reader.read(event));
            reader.check(&book);
            prop_assert!(!events.iter().any(is_self_trade));
        }
    }
}
