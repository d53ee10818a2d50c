//! The fold of an engine's own records into what they come to.

use std::collections::{BTreeMap, VecDeque};

use tickpath_protocol::trading::{
    Action, ClientOrderId, Image, ImageDecoder, ImageItem, OrderImage, Reason, StrategyKey, TradingDecoder,
    TradingEvent,
};
use tickpath_protocol::{GapCause, Observation, Record, SequenceTracker, Side, StatusCode, Venue};

use super::recovery::{ImageFound, OpenOrder, Recovered};
use crate::order::ORDERS_CLOSED_MAX;
use crate::portfolio::Position;
use crate::units::{Money, Price, Quantity, Time};

/// Orders remembered after their end, to tell a late fill from one that makes no sense.
const CLOSED_MAX: usize = 65_536;

impl Recovered {
    /// Folds the journal of earlier sessions, oldest record first; it may begin with an image of the account, and of what stands before the newest one nothing but
    /// counts is kept. Only records that were published under `venue` matter, and those about loss and about producers; others may be left out. Instrument ids
    /// must be those of the new session: the reader translates them by venue and symbol.
    #[must_use]
    pub fn fold(venue: Venue, records: impl IntoIterator<Item = Record>) -> Recovered {
        let mut fold = Fold::default();
        let mut decoder = TradingDecoder::new(venue);
        let mut images = ImageDecoder::new(venue);
        let mut sequences = SequenceTracker::new();
        for record in records {
            match sequences.observe(&record) {
                Observation::Duplicate => {
                    fold.recovered.duplicates += u64::from(record.venue() == venue);
                    continue;
                }
                Observation::Missing(count) if concerns(&record, venue) => fold.recovered.missing += count,
                _ => {}
            }
            if record.venue() == venue {
                fold.status(&record, decoder.broken());
                if let Some(event) = decoder.push(&record) {
                    fold.event(&event);
                }
                if let Some(image) = images.push(&record) {
                    fold.image(venue, &image, decoder.broken());
                }
            }
        }
        fold.recovered.broken += decoder.broken() - fold.broken_before;
        fold.recovered.closed = fold.ended();
        fold.recovered
    }
}

impl OpenOrder {
    /// The order of an image, as if it had been submitted then.
    fn of_image(order: &OrderImage, venue: Venue, ts_event: i64) -> OpenOrder {
        OpenOrder {
            submitted: TradingEvent {
                action: Action::Submitted { trigger: order.trigger },
                venue,
                instrument: order.instrument,
                scale: order.scale,
                side: order.side,
                price: order.price,
                size: order.quantity,
                order: order.id,
                detail: order.detail,
                ts_event,
                ts_recv: ts_event,
            },
            quantity: order.quantity,
            filled: order.filled,
            replacing: order.replacing,
        }
    }
}

/// Whether a loss before this record may be one of ours.
fn concerns(record: &Record, venue: Venue) -> bool {
    record.venue() == venue || GapCause::of(record) == Some(GapCause::NotRecorded)
}

#[derive(Default)]
struct Fold {
    recovered: Recovered,
    /// Up to here ids were given out before the image that it began with: of an order among them that is not open nothing is known but that it was closed.
    closed_before: ClientOrderId,
    closed: BTreeMap<ClientOrderId, OpenOrder>,
    closed_order: VecDeque<ClientOrderId>,
    /// Events that made no sense before the switch was armed last.
    broken_before: u64,
}

impl Fold {
    fn status(&mut self, record: &Record, broken_until_now: u64) {
        let found = &mut self.recovered;
        let who = (record.size != Record::ABSENT).then_some(record.size as u16);
        let reason = u8::try_from(record.price).ok().and_then(Reason::from_code);
        match StatusCode::of(record) {
            Some(StatusCode::EngineStarted) => {
                found.session = found.session.max(u32::try_from(record.price).unwrap_or(0));
                found.strategies.clear();
            }
            Some(StatusCode::StrategyRunning) => {
                let key = StrategyKey(record.price);
                found.strategies.insert(key.index(), key);
            }
            Some(StatusCode::KillLatched) => found.killed = true,
            Some(StatusCode::KillArmed) => {
                // Someone has looked at whatever was missing or made no sense until now.
                (found.missing, found.broken) = (0, 0);
                self.broken_before = broken_until_now;
                found.killed = false;
                found.halted = None;
                found.reduce_only.clear();
            }
            Some(StatusCode::TradingHalted) => found.halted = Some(reason.unwrap_or(Reason::Inconsistent)),
            Some(StatusCode::ReduceOnly) => {
                let reason = reason.unwrap_or(Reason::Drawdown);
                found.reduce_only.insert(who, (reason, Time(record.ts_event).day()));
            }
            _ => {}
        }
    }

    /// Whoever wrote it knew all that was before.
    fn image(&mut self, venue: Venue, image: &Image, broken_until_now: u64) {
        let session = image.last_order.session();
        let found = Recovered {
            session: self.recovered.session.max(session),
            image: Some(ImageFound {
                session,
                ts_event: image.ts_event,
            }),
            events: self.recovered.events,
            duplicates: self.recovered.duplicates,
            ..Recovered::default()
        };
        *self = Fold {
            recovered: found,
            closed_before: image.last_order,
            broken_before: broken_until_now,
            ..Fold::default()
        };
        for item in &image.items {
            self.item(venue, item, image.ts_event);
        }
    }

    fn item(&mut self, venue: Venue, item: &ImageItem, ts_event: i64) {
        let found = &mut self.recovered;
        match item {
            ImageItem::Strategy(key) => {
                found.strategies.insert(key.index(), *key);
            }
            ImageItem::Latch {
                reason: Reason::Killed, ..
            } => found.killed = true,
            ImageItem::Latch { reason, strategy, day } => {
                found.reduce_only.insert(*strategy, (*reason, *day));
            }
            ImageItem::Position(position) => match Position::of_image(position) {
                Some(known) => {
                    found.positions.insert((position.strategy, position.instrument), known);
                }
                None => found.broken += 1,
            },
            ImageItem::Order(order) => {
                found.open.insert(order.id, OpenOrder::of_image(order, venue, ts_event));
            }
        }
    }

    fn event(&mut self, event: &TradingEvent) {
        let found = &mut self.recovered;
        found.events += 1;
        found.session = found.session.max(event.order.session());
        match event.action {
            Action::Submitted { .. } => {
                let order = OpenOrder {
                    submitted: *event,
                    quantity: event.size,
                    filled: 0,
                    replacing: None,
                };
                if found.open.insert(event.order, order).is_some() || self.closed.contains_key(&event.order) {
                    found.broken += 1;
                }
            }
            Action::Canceled => self.close(event.order),
            Action::Rejected if event.detail.reason().is_none_or(|reason| !reason.is_of_request()) => {
                self.close(event.order);
            }
            Action::Rejected if event.detail.reason() == Some(Reason::ReplaceRefused) => {
                self.change(event.order, |order| order.replacing = None);
            }
            Action::ReplaceSubmitted { .. } => self.change(event.order, |order| order.replacing = Some(event.size)),
            Action::Replaced => self.change(event.order, |order| {
                order.quantity = event.size.saturating_add(order.filled);
                order.submitted.price = event.price;
                order.replacing = None;
            }),
            Action::Fill { fee, leaves } => self.fill(event, fee, leaves),
            _ => {}
        }
    }

    fn change(&mut self, id: ClientOrderId, change: impl FnOnce(&mut OpenOrder)) {
        let Some(order) = self.recovered.open.get_mut(&id) else {
            return;
        };
        change(order);
        if order.is_done() {
            self.close(id);
        }
    }

    fn fill(&mut self, event: &TradingEvent, fee: i64, leaves: i64) {
        let found = &mut self.recovered;
        let order = match found.open.get_mut(&event.order) {
            Some(order) => Some(order),
            None => self.closed.get_mut(&event.order),
        };
        let done = match order {
            Some(order) => {
                order.filled = order.filled.saturating_add(event.size);
                found.broken += u64::from(order.quantity.saturating_sub(order.filled).max(0) != leaves);
                order.is_done()
            }
            None if event.order <= self.closed_before => false,
            None => {
                found.broken += 1;
                return;
            }
        };
        let key = (event.detail.strategy(), event.instrument);
        let position = found.positions.entry(key).or_default();
        let side = event.side.unwrap_or(Side::Bid);
        found.broken += u64::from(event.side.is_none());
        match position.after(side, Price(event.price), Quantity(event.size), Money(fee)) {
            Ok(next) => *position = next,
            Err(_) => found.broken += 1,
        }
        if done {
            self.close(event.order);
        }
    }

    fn ended(&self) -> Vec<(ClientOrderId, OpenOrder)> {
        let from = self.closed_order.len().saturating_sub(ORDERS_CLOSED_MAX);
        let last = self.closed_order.iter().skip(from);
        last.filter_map(|id| Some((*id, *self.closed.get(id)?))).collect()
    }

    fn close(&mut self, id: ClientOrderId) {
        let Some(order) = self.recovered.open.remove(&id) else {
            return;
        };
        self.closed.insert(id, order);
        self.closed_order.push_back(id);
        if self.closed_order.len() > CLOSED_MAX
            && let Some(oldest) = self.closed_order.pop_front()
        {
            self.closed.remove(&oldest);
        }
    }
}
