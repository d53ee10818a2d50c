//! Trading events out of a stream of records that may have holes.

use super::{Action, ClientOrderId, MONEY_DECIMALS, OrderDetail, TradingEvent};
use crate::record::{Flags, Kind, Record};
use crate::venue::Venue;

/// Puts the records of one execution venue together to events.
///
/// Records of other venues may stand between those of an event. An event of which a record is missing, repeated or contradicts the others is left out
/// and counted; the next event is read as if nothing had been. It never guesses.
#[derive(Clone, Debug)]
pub struct TradingDecoder {
    venue: Venue,
    open: Option<Open>,
    broken: u64,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    event: TradingEvent,
    /// The sequence of the event's next record.
    next: u64,
    /// Its second record, of a fill or a stop, was there.
    has_second: bool,
}

impl TradingDecoder {
    /// A decoder of what the engine publishes under `venue`.
    #[must_use]
    pub fn new(venue: Venue) -> TradingDecoder {
        TradingDecoder {
            venue,
            open: None,
            broken: 0,
        }
    }

    /// Events left out so far, because records of them were missing or made no sense together.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// Takes the next record of the stream and returns the event that it closes, if it does.
    pub fn push(&mut self, record: &Record) -> Option<TradingEvent> {
        if record.venue != self.venue.0 || record.flags().contains(Flags::FROM_RELAY) {
            return None;
        }
        let kind = record.kind();
        let open = self.open.take();
        if let Some(open) = open {
            if open.next == record.sequence && open.belongs(record) {
                return self.continues(open, record);
            }
            self.broken += 1;
        }
        match kind.and_then(Action::opened_by) {
            Some(action) => self.open = Some(Open::new(action, record)),
            // The rest of an event whose beginning is missing: counted at its end, once.
            None if kind == Some(Kind::OrderRef) && open.is_none() => self.broken += 1,
            None => {}
        }
        None
    }

    fn continues(&mut self, mut open: Open, record: &Record) -> Option<TradingEvent> {
        match (record.kind(), &mut open.event.action) {
            (Some(Kind::OrderRef), action) => {
                if matches!(action, Action::Fill { .. }) && !open.has_second {
                    self.broken += 1;
                    return None;
                }
                open.event.order = ClientOrderId(record.price as u64);
                open.event.detail = OrderDetail(record.size as u64);
                return Some(open.event);
            }
            (Some(Kind::Fee), Action::Fill { fee, leaves })
                if !open.has_second && record.scale().price_decimals() == MONEY_DECIMALS =>
            {
                (*fee, *leaves) = (record.price, record.size);
            }
            (Some(Kind::TriggerPrice), Action::Submitted { trigger } | Action::ReplaceSubmitted { trigger })
                if !open.has_second =>
            {
                *trigger = Some(record.price);
            }
            _ => {
                self.broken += 1;
                return None;
            }
        }
        open.has_second = true;
        open.next = record.sequence.wrapping_add(1);
        self.open = Some(open);
        None
    }
}

impl Open {
    fn new(action: Action, record: &Record) -> Open {
        Open {
            event: TradingEvent {
                action,
                venue: record.venue(),
                instrument: record.instrument(),
                scale: record.scale(),
                side: record.flags().side(),
                price: record.price,
                size: record.size,
                order: ClientOrderId::NONE,
                detail: OrderDetail::default(),
                ts_event: record.ts_event,
                ts_recv: record.ts_recv,
            },
            next: record.sequence.wrapping_add(1),
            has_second: false,
        }
    }

    /// Whether a record speaks of the same instrument and time, and does not open an event of its own.
    fn belongs(&self, record: &Record) -> bool {
        record.instrument() == self.event.instrument
            && record.ts_event == self.event.ts_event
            && matches!(record.kind(), Some(Kind::OrderRef | Kind::Fee | Kind::TriggerPrice))
    }
}
