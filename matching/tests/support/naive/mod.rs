//! A matching engine as one would write it on a slate: one list of orders, searched from end to end each time. It shares the types with the
//! real one, and no code.

mod matching;
mod requests;

use tickpath_matching::{
    CancelReason, Event, NewOrder, OWNERS_MAX, OrderId, OrderKind, OwnerId, ReduceReason, Reject, Replace, Request,
    Rules, SelfTrade, TimeInForce,
};
use tickpath_protocol::Side;

#[derive(Clone, Copy)]
struct Resting {
    order: NewOrder,
    /// `None` once it does not wait.
    trigger: Option<i64>,
    price: Option<i64>,
    leaves: i64,
    filled: i64,
    /// Who came first.
    arrival: u64,
}

pub struct NaiveBook {
    rules: Rules,
    orders: Vec<Resting>,
    positions: Vec<i128>,
    last_price: Option<i64>,
    prices: Vec<i64>,
    arrivals: u64,
    pub events: Vec<Event>,
}

impl NaiveBook {
    pub fn new(rules: Rules) -> NaiveBook {
        NaiveBook {
            rules,
            orders: Vec::new(),
            positions: vec![0; OWNERS_MAX as usize],
            last_price: None,
            prices: Vec::new(),
            arrivals: 0,
            events: Vec::new(),
        }
    }

    pub fn open_orders(&self) -> usize {
        self.orders.len()
    }

    /// The id of any open order, by its number.
    pub fn nth_open(&self, nth: usize) -> OrderId {
        self.orders[nth].order.id
    }

    pub fn set_position(&mut self, owner: OwnerId, position: i128) {
        self.positions[owner.0 as usize] = position;
    }

    /// Best price first, then who came first.
    fn first_to_trade(&self, order: &Resting) -> Option<usize> {
        let makers = (0..self.orders.len()).filter(|at| meets(order, &self.orders[*at]));
        makers.min_by_key(|at| self.rank(&self.orders[*at]))
    }

    fn rank(&self, maker: &Resting) -> (i64, u64) {
        let price = maker.price.unwrap();
        (
            if maker.order.side == Side::Ask { price } else { -price },
            maker.arrival,
        )
    }

    fn find(&self, id: OrderId) -> Option<usize> {
        self.orders.iter().position(|order| order.order.id == id)
    }

    fn quantity_at(&self, side: Side, price: i64) -> i64 {
        let at = |order: &&Resting| order.trigger.is_none() && order.order.side == side && order.price == Some(price);
        self.orders.iter().filter(at).map(|order| order.leaves).sum()
    }

    fn tell_level(&mut self, side: Side, price: i64) {
        let quantity = self.quantity_at(side, price);
        self.events.push(Event::Level { side, price, quantity });
    }

    fn canceled(&mut self, order: &Resting, reason: CancelReason) {
        self.events.push(Event::Canceled {
            id: order.order.id,
            owner: order.order.owner,
            leaves: order.leaves,
            reason,
        });
    }

    fn reduced(&mut self, order: &Resting, by: i64, reason: ReduceReason) {
        self.events.push(Event::Reduced {
            id: order.order.id,
            owner: order.order.owner,
            by,
            leaves: order.leaves,
            reason,
        });
    }
}

/// Whether a resting order is one that an incoming one could trade with.
fn meets(order: &Resting, maker: &Resting) -> bool {
    let is_on_other_side = maker.trigger.is_none() && maker.order.side != order.order.side;
    is_on_other_side
        && match (order.price, order.order.side) {
            (None, _) => true,
            (Some(limit), Side::Bid) => maker.price.unwrap() <= limit,
            (Some(limit), Side::Ask) => maker.price.unwrap() >= limit,
        }
}

fn beyond(side: Side, price: i64, trigger: i64) -> bool {
    match side {
        Side::Bid => price >= trigger,
        Side::Ask => price <= trigger,
    }
}
