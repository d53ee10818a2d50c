//! The requests that the engines get, the same for all.
//!
//! Of a hundred, about 46 are limit orders, 46 cancels and 8 market orders, with some 10,000 orders open throughout. A limit order's distance from a reference price is
//! drawn so that most fall on the first few levels; the reference walks a tick now and then, so that some limit orders trade at once. Seven of ten cancels are of one of
//! the newest 256 orders, as in real feeds, where most orders are canceled soon; the others of any.

use tickpath_matching::{Book, Event, NewOrder, OrderId, Rules};
use tickpath_protocol::Side;

/// One request.
#[derive(Clone, Copy)]
pub enum Request {
    /// A limit order.
    Limit {
        id: u64,
        side: Side,
        price: i64,
        quantity: i64,
    },
    /// To cancel one.
    Cancel { id: u64 },
    /// A market order.
    Market { id: u64, side: Side, quantity: i64 },
}

const MIDDLE: i64 = 100_000;
/// Ticks that the reference may walk from the middle.
const WALK_MAX: i64 = 100;
/// Ticks from the reference within which orders fall.
const REACH: u64 = 256;
const NEWEST: u64 = 256;

/// What the engines get before they are timed, and then.
pub struct Tape {
    /// Fills the book.
    pub image: Vec<Request>,
    /// The flow.
    pub requests: Vec<Request>,
}

impl Tape {
    /// `orders` open orders, then `len` requests.
    pub fn new(orders: usize, len: usize) -> Tape {
        let mut flow = Flow::new(orders);
        let image = (0..orders).map(|_| flow.limit()).collect();
        let requests = (0..len).map(|_| flow.next()).collect();
        Tape { image, requests }
    }
}

/// Draws requests; a book of its own tells it what is open.
struct Flow {
    random: u64,
    book: Book,
    events: Vec<Event>,
    /// Orders that rest, oldest first, some of them gone.
    open: Vec<u64>,
    orders: usize,
    next_id: u64,
    reference: i64,
}

impl Flow {
    fn new(orders: usize) -> Flow {
        Flow {
            random: 0x9e37_79b9_7f4a_7c15,
            book: Book::new(Rules::default()),
            events: Vec::new(),
            open: Vec::new(),
            orders,
            next_id: 1,
            reference: MIDDLE,
        }
    }

    fn next(&mut self) -> Request {
        if self.below(64) == 0 {
            let step = self.below(3) as i64 - 1;
            self.reference = (self.reference + step).clamp(MIDDLE - WALK_MAX, MIDDLE + WALK_MAX);
        }
        let limits = if self.book.open_orders() < self.orders { 56 } else { 36 };
        match self.below(100) {
            0..8 => self.market(),
            n if n < 8 + limits => self.limit(),
            _ => self.cancel(),
        }
    }

    fn limit(&mut self) -> Request {
        let (id, side, quantity) = self.order();
        // Half of all within four ticks, a quarter within the next four, …
        let distance = 1 + (u64::from(self.draw().leading_zeros()) * 4 + self.below(4)).min(REACH) as i64;
        let price = match side {
            Side::Bid => self.reference - distance,
            Side::Ask => self.reference + distance,
        };
        self.book
            .submit(&NewOrder::limit(id, side, price, quantity), &mut self.events);
        self.open.push(id);
        self.events.clear();
        Request::Limit {
            id,
            side,
            price,
            quantity,
        }
    }

    fn market(&mut self) -> Request {
        let (id, side, quantity) = self.order();
        self.book
            .submit(&NewOrder::market(id, side, quantity), &mut self.events);
        self.events.clear();
        Request::Market { id, side, quantity }
    }

    fn cancel(&mut self) -> Request {
        while !self.open.is_empty() {
            let len = self.open.len() as u64;
            let from = if self.below(10) < 7 {
                len.saturating_sub(NEWEST)
            } else {
                0
            };
            let at = (from + self.below(len - from)) as usize;
            // The order of the list is kept near its end, where the newest are.
            let id = self.open.remove(at);
            if self.book.order(OrderId(id)).is_some() {
                self.book.cancel(OrderId(id), &mut self.events);
                self.events.clear();
                return Request::Cancel { id };
            }
        }
        self.limit()
    }

    fn order(&mut self) -> (u64, Side, i64) {
        let id = self.next_id;
        self.next_id += 1;
        let side = if self.below(2) == 0 { Side::Bid } else { Side::Ask };
        (id, side, 1 + self.below(100) as i64)
    }

    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.draw() >> 16) % end
    }
}
