//! Orders and fills of the client.

use std::collections::{BTreeMap, VecDeque};

use tickpath_matching::Event as Told;

use super::{ClientOrder, Fill, Notice, OrderKey, OrderUpdate, State, Ticket, What};

/// Orders that may be open at one time, all markets together.
pub const OPEN_MAX: usize = 500;
/// Orders that are remembered; the oldest that is done is forgotten first.
pub const ORDERS_KEPT_MAX: usize = 10_000;
/// Fills that are remembered.
pub const FILLS_MAX: usize = 10_000;

/// Why the desk takes no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The client's name for it was used before.
    #[error("client_oid was used before")]
    ClientIdUsed,
    /// [`OPEN_MAX`] are open.
    #[error("too many open orders: at most {OPEN_MAX}")]
    TooManyOpen,
    /// A price of it is far from the market; mantissas of the lowest and highest that are taken.
    #[error("the price is too far from the market")]
    FarFromMarket {
        /// Lowest price that is taken.
        lowest: i64,
        /// Highest price that is taken.
        highest: i64,
    },
    /// The market refuses it.
    #[error(transparent)]
    Market(#[from] tickpath_matching::Reject),
}

/// Everything that the client ordered.
#[derive(Debug, Default)]
pub struct Desk {
    orders: BTreeMap<OrderKey, ClientOrder>,
    /// Orders by the client's names for them.
    names: BTreeMap<String, OrderKey>,
    /// Done, the oldest first.
    done: VecDeque<OrderKey>,
    fills: VecDeque<Fill>,
    open: usize,
}

impl Desk {
    /// An order by where it stands.
    #[must_use]
    pub fn order(&self, key: OrderKey) -> Option<&ClientOrder> {
        self.orders.get(&key)
    }

    /// An order by the client's name for it.
    #[must_use]
    pub fn named(&self, client_id: &str) -> Option<&ClientOrder> {
        self.names.get(client_id).and_then(|key| self.orders.get(key))
    }

    /// Every order that is remembered, those of a market together, the newest last.
    pub fn orders(&self) -> impl DoubleEndedIterator<Item = &ClientOrder> {
        self.orders.values()
    }

    /// The fills that are remembered, the newest last.
    pub fn fills(&self) -> impl DoubleEndedIterator<Item = &Fill> {
        self.fills.iter()
    }

    /// Whether an order may come in.
    ///
    /// # Errors
    /// As [`Refusal`] says.
    pub fn check(&self, ticket: &Ticket) -> Result<(), Refusal> {
        if self.names.contains_key(&ticket.client_id) {
            return Err(Refusal::ClientIdUsed);
        }
        if self.open >= OPEN_MAX {
            return Err(Refusal::TooManyOpen);
        }
        Ok(())
    }

    /// An order goes to its market under this number.
    pub fn enter(&mut self, ticket: Ticket, number: u64, now_ns: i64) {
        let order = ClientOrder {
            number,
            state: match ticket.kind.trigger() {
                Some(_) => State::Waiting,
                None => State::Open,
            },
            leaves: ticket.quantity,
            filled: 0,
            value: 0,
            created_ns: now_ns,
            done_ns: None,
            ticket,
        };
        if !order.ticket.client_id.is_empty() {
            self.names.insert(order.ticket.client_id.clone(), order.key());
        }
        self.open += 1;
        self.orders.insert(order.key(), order);
    }

    /// Reads what a market told, and says what the client is to be told.
    pub fn note(&mut self, market: usize, notices: &[Notice], now_ns: i64) -> Vec<OrderUpdate> {
        let mut updates = Vec::new();
        for notice in notices {
            for number in numbers(&notice.told).into_iter().flatten() {
                self.note_one((market, number), notice, now_ns, &mut updates);
            }
        }
        updates
    }

    fn note_one(&mut self, key: OrderKey, notice: &Notice, now_ns: i64, updates: &mut Vec<OrderUpdate>) {
        let Some(order) = self.orders.get_mut(&key) else { return };
        let what = match notice.told {
            Told::Accepted { .. } => What::Received,
            Told::Rested { .. } => What::Open,
            Told::Triggered { .. } => {
                order.state = State::Open;
                What::Activated
            }
            Told::Reduced { by, leaves, .. } => {
                order.leaves = leaves;
                order.ticket.quantity -= by;
                What::Changed { before: leaves + by }
            }
            Told::Canceled { leaves, reason, .. } => {
                order.state = State::Canceled(reason);
                What::Done { remaining: leaves }
            }
            Told::Trade { .. } => matched(order, notice, now_ns),
            Told::Rejected { .. } => return self.forget(key),
            Told::Replaced { .. } | Told::Level { .. } => return,
        };
        let update = notice.update;
        let mut tell = |what, order: &ClientOrder| {
            updates.push(OrderUpdate {
                what,
                order: order.clone(),
                update,
            });
        };
        if let What::Matched { fill, .. } = what {
            tell(what, order);
            keep(&mut self.fills, fill, FILLS_MAX);
            if order.leaves > 0 {
                return;
            }
            order.state = State::Filled;
        }
        if order.state.is_done() {
            order.leaves = 0;
            order.done_ns = Some(now_ns);
            let remaining = if let What::Done { remaining } = what {
                remaining
            } else {
                0
            };
            tell(What::Done { remaining }, order);
            self.file(key);
        } else {
            tell(what, order);
        }
    }

    /// An order is done: it is remembered for a while.
    fn file(&mut self, key: OrderKey) {
        self.open -= 1;
        self.done.push_back(key);
        while self.orders.len() > ORDERS_KEPT_MAX {
            let Some(oldest) = self.done.pop_front() else { break };
            if let Some(order) = self.orders.remove(&oldest) {
                self.names.remove(&order.ticket.client_id);
            }
        }
    }

    /// The market refused an order: it never was.
    fn forget(&mut self, key: OrderKey) {
        if let Some(order) = self.orders.remove(&key) {
            self.open -= 1;
            self.names.remove(&order.ticket.client_id);
        }
    }
}

/// Takes a trade into account.
fn matched(order: &mut ClientOrder, notice: &Notice, now_ns: i64) -> What {
    let Told::Trade {
        maker,
        taker,
        price,
        quantity,
        ..
    } = notice.told
    else {
        return What::Received;
    };
    let is_maker = maker.0 == order.number;
    order.filled += quantity;
    order.leaves -= quantity;
    order.value += i128::from(price) * i128::from(quantity);
    let fill = Fill {
        trade_id: notice.trade_id,
        order: order.key(),
        side: order.ticket.side,
        price,
        size: quantity,
        is_maker,
        ts_ns: now_ns,
    };
    let other = if is_maker { taker.0 } else { maker.0 };
    What::Matched { fill, other }
}

/// The numbers of the orders that something was told of.
fn numbers(told: &Told) -> [Option<u64>; 2] {
    match *told {
        Told::Trade { maker, taker, .. } => [Some(maker.0), Some(taker.0)],
        Told::Accepted { id, .. }
        | Told::Rejected { id, .. }
        | Told::Rested { id, .. }
        | Told::Canceled { id, .. }
        | Told::Reduced { id, .. }
        | Told::Replaced { id, .. }
        | Told::Triggered { id, .. } => [Some(id.0), None],
        Told::Level { .. } => [None, None],
    }
}

fn keep<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}
