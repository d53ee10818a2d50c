//! Random orders that repeat: the same seed gives the same ones.

use tickpath_matching::{Book, NewOrder, OrderId, OrderKind, OwnerId, Replace, Rules, SelfTrade, Sink, TimeInForce};
use tickpath_protocol::Side;

use super::naive::NaiveBook;

/// Steps that make off-tick and off-lot possible.
pub const RULES: Rules = Rules {
    tick: 5,
    lot: 10,
    quantity_max: 1_000_000,
    orders_max: 150,
};

/// One thing that is asked of a book.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Submit(NewOrder),
    Cancel(OrderId),
    Replace(Replace),
    SetPosition(OwnerId, i128),
}

impl Step {
    pub fn apply(&self, book: &mut Book, sink: &mut impl Sink) {
        match self {
            Step::Submit(order) => book.submit(order, sink),
            Step::Cancel(id) => book.cancel(*id, sink),
            Step::Replace(replace) => book.replace(replace, sink),
            Step::SetPosition(owner, position) => book.set_position(*owner, *position).unwrap(),
        }
    }

    pub fn apply_naively(&self, book: &mut NaiveBook) {
        match self {
            Step::Submit(order) => book.submit(order),
            Step::Cancel(id) => book.cancel(*id),
            Step::Replace(replace) => book.replace(replace),
            Step::SetPosition(owner, position) => book.set_position(*owner, *position),
        }
    }
}

/// The generator.
pub struct Flow {
    state: u64,
    next_id: u64,
    middle: i64,
    /// Ids that were used lately, most of them done.
    ids: Vec<OrderId>,
}

impl Flow {
    pub fn new(seed: u64) -> Flow {
        Flow {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            next_id: 1,
            middle: 10_000,
            ids: Vec::new(),
        }
    }

    /// The next step, given the ids that are open.
    pub fn step(&mut self, open: usize, nth_open: impl Fn(usize) -> OrderId) -> Step {
        let chosen = match self.below(10) {
            0 => self.known(),
            _ if open == 0 => self.known(),
            _ => nth_open(self.below(open as u64) as usize),
        };
        if self.below(64) == 0 {
            self.middle = (self.middle + (self.below(9) as i64 - 4) * 5).clamp(1_000, 100_000);
        }
        // So many that the book neither empties nor stays full.
        let cancels = if open > 80 { 60 } else { 15 };
        match self.below(100) {
            n if n < cancels => Step::Cancel(chosen),
            n if n < cancels + 8 => Step::Replace(self.replacement(chosen)),
            99 if self.below(20) == 0 => {
                Step::SetPosition(OwnerId(1 + self.below(3) as u32), self.below(9) as i128 * 50 - 200)
            }
            _ => Step::Submit(self.order()),
        }
    }

    fn order(&mut self) -> NewOrder {
        let id = match self.below(100) {
            0 => self.known(),
            _ => OrderId(self.next_id),
        };
        self.next_id += 1;
        self.ids.push(id);
        if self.ids.len() > 300 {
            self.ids.drain(..150);
        }
        let side = if self.below(2) == 0 { Side::Bid } else { Side::Ask };
        let (price, trigger) = (self.price(side, 8), self.price(side.opposite(), 4));
        NewOrder {
            id,
            owner: OwnerId(self.below(4) as u32),
            side,
            kind: match self.below(20) {
                0..2 => OrderKind::Market,
                2 => OrderKind::Stop { trigger },
                3 => OrderKind::StopLimit { trigger, price },
                _ => OrderKind::Limit { price },
            },
            quantity: self.quantity(),
            time_in_force: match self.below(12) {
                0 => TimeInForce::Ioc,
                1 => TimeInForce::Fok,
                _ => TimeInForce::Gtc,
            },
            post_only: self.below(12) == 0,
            reduce_only: self.below(12) == 0,
            self_trade: self.mode(),
        }
    }

    fn replacement(&mut self, id: OrderId) -> Replace {
        let side = if self.below(2) == 0 { Side::Bid } else { Side::Ask };
        Replace {
            id,
            price: (self.below(2) == 0).then(|| self.price(side, 6)),
            trigger: (self.below(8) == 0).then(|| self.price(side, 4)),
            quantity: (self.below(2) == 0).then(|| self.quantity()),
        }
    }

    fn mode(&mut self) -> SelfTrade {
        match self.below(4) {
            0 => SelfTrade::Decrement,
            1 => SelfTrade::CancelNewest,
            2 => SelfTrade::CancelOldest,
            _ => SelfTrade::CancelBoth,
        }
    }

    /// Around the middle, mostly on the side's own half; seldom a price that is refused.
    fn price(&mut self, side: Side, depth: u64) -> i64 {
        let distance = (self.below(depth + 3) as i64 - 3) * 5;
        match (self.below(200), side) {
            (0, _) => self.below(3) as i64 - 2,
            (1, _) => self.middle + 1,
            (_, Side::Bid) => self.middle - distance,
            (_, Side::Ask) => self.middle + distance,
        }
    }

    fn quantity(&mut self) -> i64 {
        match self.below(100) {
            0 => 0,
            1 => -10,
            2 => 15,
            3 => 1_000_010,
            _ => (1 + self.below(12) as i64) * 10,
        }
    }

    fn known(&mut self) -> OrderId {
        let nth = self.below(self.ids.len().max(1) as u64);
        self.ids.get(nth as usize).copied().unwrap_or(OrderId(u64::MAX))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 20) % end
    }
}
