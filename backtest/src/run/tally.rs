//! Takes what the core publishes: fills, counts, and a hash of all of it.

use std::collections::BTreeMap;

use tickpath_engine::Outbox;
use tickpath_protocol::trading::{Action, Liquidity, TradingDecoder, TradingEvent};
use tickpath_protocol::{Kind, Record, StatusCode, Venue};
use zerocopy::IntoBytes;

use crate::trips::{Fill, Overflow, Trips};

/// What the core published so far.
pub struct Tally {
    decoder: TradingDecoder,
    hasher: blake3::Hasher,
    /// Position of the input that the core is at.
    pub(super) position: u64,
    /// In order.
    pub fills: Vec<Fill>,
    /// Of the fills.
    pub trips: Trips,
    /// Trading events and changes of state, by name of their kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Rejections, cancellations and breaches, by reason.
    pub reasons: BTreeMap<&'static str, u64>,
    overflow: Option<Overflow>,
}

impl Tally {
    /// Of a core that publishes under `venue`.
    #[must_use]
    pub fn new(venue: Venue) -> Tally {
        Tally {
            decoder: TradingDecoder::new(venue),
            hasher: blake3::Hasher::new(),
            position: 0,
            fills: Vec::new(),
            trips: Trips::default(),
            events: BTreeMap::new(),
            reasons: BTreeMap::new(),
            overflow: None,
        }
    }

    /// Every record so far, as one number.
    #[must_use]
    pub fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// Whether every fill could be counted.
    ///
    /// # Errors
    /// [`Overflow`] of the first that could not.
    pub fn check(&self) -> Result<(), Overflow> {
        self.overflow.map_or(Ok(()), Err)
    }

    fn event(&mut self, event: &TradingEvent) {
        *self.events.entry(event.action.kind().name()).or_default() += 1;
        let is_reasoned = matches!(event.action, Action::Rejected | Action::Canceled | Action::RiskBreach);
        if let Some(reason) = event.detail.reason().filter(|_| is_reasoned) {
            *self.reasons.entry(reason.name()).or_default() += 1;
        }
        if let (Action::Fill { fee, .. }, Some(side)) = (event.action, event.side) {
            let fill = Fill {
                at_ns: event.ts_event,
                position: self.position,
                instrument: event.instrument,
                scale: event.scale,
                strategy: event.detail.strategy(),
                order: event.order.0,
                side,
                price: event.price,
                quantity: event.size,
                fee,
                is_maker: event.detail.liquidity() == Some(Liquidity::Maker),
            };
            if let Err(overflow) = self.trips.fill(&fill) {
                self.overflow.get_or_insert(overflow);
            }
            self.fills.push(fill);
        }
    }
}

impl Outbox for Tally {
    #[cold]
    fn publish(&mut self, record: &Record) {
        self.hasher.update(record.as_bytes());
        if record.kind() == Some(Kind::Status) {
            let name = StatusCode::of(record).map_or("status", StatusCode::name);
            *self.events.entry(name).or_default() += 1;
        }
        if let Some(event) = self.decoder.push(record) {
            self.event(&event);
        }
    }
}
