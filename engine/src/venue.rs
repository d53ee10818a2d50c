//! What the engine asks of an execution venue, and what it hears from it.

use tickpath_protocol::{Record, Venue};

use crate::market::{Change, InstrumentIndex, MarketView};
use crate::order::{ClientOrderId, Liquidity, Order, Reason, Replacement, Terms};
use crate::risk::Approved;
use crate::units::{Money, Price, Quantity, Time};

/// Where orders go. It takes only what the risk gate approved.
pub trait ExecutionVenue {
    /// The code under which the engine publishes what happens here.
    fn code(&self) -> Venue;

    /// Takes an order.
    fn submit(&mut self, order: Approved<Order>, now: Time);

    /// Takes a cancel; always allowed.
    fn cancel(&mut self, id: ClientOrderId, index: InstrumentIndex, now: Time);

    /// Takes a change of an order.
    fn replace(&mut self, replacement: Approved<Replacement>, now: Time);

    /// The next record of the stream, before anything else is done with it: one that the engine does not run itself hears its reports here.
    #[inline]
    fn on_record(&mut self, _record: &Record) {}

    /// Whether what rests there outlives the engine's process. Then a new session takes the orders of the last one over and cancels them, and its strategies
    /// wait until the venue has said what became of each; else they are gone.
    fn remembers(&self) -> bool {
        false
    }

    /// The view has just taken this record.
    fn on_market(&mut self, view: &MarketView, change: &Change, record: &Record, now: Time);

    /// When it has something to do or to say next; [`Time::NEVER`] for nothing.
    fn next_due(&self) -> Time;

    /// Does what is due by `now` and says what it has to say, in order.
    fn poll(&mut self, view: &MarketView, now: Time, reports: &mut Vec<Report>);

    /// A position that earlier sessions left: what a reduce-only order of this strategy may reduce.
    fn seed_position(&mut self, strategy: u16, index: InstrumentIndex, quantity: Quantity);
}

/// What a venue says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The order is there.
    Accepted {
        /// Which.
        id: ClientOrderId,
    },
    /// The order was refused.
    Rejected {
        /// Which.
        id: ClientOrderId,
        /// Why.
        reason: Reason,
    },
    /// The order rests no more.
    Canceled {
        /// Which.
        id: ClientOrderId,
        /// Why.
        reason: Reason,
        /// How much of it was filled until then.
        filled: Quantity,
    },
    /// The cancel was refused.
    CancelRefused {
        /// Of which order.
        id: ClientOrderId,
    },
    /// The order has new terms.
    Replaced {
        /// Which.
        id: ClientOrderId,
        /// The terms.
        terms: Terms,
    },
    /// The replacement was refused.
    ReplaceRefused {
        /// Of which order.
        id: ClientOrderId,
    },
    /// The order was filled.
    Filled(Execution),
    /// Reports were lost on the way: which, and of which orders, nobody knows.
    Lost,
}

/// One fill as a venue reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Of which order.
    pub id: ClientOrderId,
    /// At which price.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// How much of the order is filled after it: tells a repeated report from a new one.
    pub cumulative: Quantity,
    /// What it cost; negative: a rebate.
    pub fee: Money,
    /// Which side of the trade we were.
    pub liquidity: Liquidity,
}

impl Report {
    /// Of which order; of none if reports were lost.
    #[must_use]
    pub fn id(&self) -> ClientOrderId {
        match *self {
            Report::Accepted { id }
            | Report::Rejected { id, .. }
            | Report::Canceled { id, .. }
            | Report::CancelRefused { id }
            | Report::Replaced { id, .. }
            | Report::ReplaceRefused { id } => id,
            Report::Filled(execution) => execution.id,
            Report::Lost => ClientOrderId::NONE,
        }
    }
}
