//! What earlier sessions left, read back from their own records, and how a new session takes it over.
//!
//! The journal is the only memory. Whatever of it is missing or makes no sense is counted, and then the engine starts halted: a position that may be wrong is not
//! traded on until someone has looked and armed the switch.

use std::collections::{BTreeMap, VecDeque};

use tickpath_protocol::trading::{Action, ClientOrderId, Reason, StrategyKey, TradingDecoder, TradingEvent};
use tickpath_protocol::{GapCause, InstrumentId, Observation, Record, SequenceTracker, Side, StatusCode, Venue};

use super::{Engine, Outbox};
use crate::portfolio::Position;
use crate::risk::Permission;
use crate::units::{Money, Price, Quantity, Time};
use crate::venue::ExecutionVenue;

/// Orders remembered after their end, to tell a late fill from one that makes no sense.
const CLOSED_MAX: usize = 65_536;

/// An order of an earlier session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its submission.
    pub submitted: TradingEvent,
    /// Its quantity, after replacements.
    pub quantity: i64,
    /// How much of it was filled.
    pub filled: i64,
    /// The quantity that a replacement asked for, while there was no answer to it.
    pub replacing: Option<i64>,
}

impl OpenOrder {
    /// Whether nothing of it can be filled any more.
    fn is_done(&self) -> bool {
        self.filled >= self.replacing.unwrap_or(0).max(self.quantity)
    }
}

/// What earlier sessions left.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// The last session's number; 0 if there was none.
    pub session: u32,
    /// The strategies that the last session had, by index.
    pub strategies: BTreeMap<u16, StrategyKey>,
    /// Positions, by strategy and instrument; empty ones only if something was gained or lost.
    pub positions: BTreeMap<(u16, InstrumentId), Position>,
    /// Orders without an end.
    pub open: BTreeMap<ClientOrderId, OpenOrder>,
    /// The kill switch is latched.
    pub killed: bool,
    /// All trading was halted, and why.
    pub halted: Option<Reason>,
    /// Limits that were reached and not taken back: whose (`None`: all), which, and on which day.
    pub reduce_only: BTreeMap<Option<u16>, (Reason, i64)>,
    /// Trading events read.
    pub events: u64,
    /// Records that came twice.
    pub duplicates: u64,
    /// Records of the engine, or of the whole stream, that the journal does not have.
    pub missing: u64,
    /// Events that lost a record, or contradict what was before them.
    pub broken: u64,
}

impl Recovered {
    /// Whether everything was there and made sense.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing == 0 && self.broken == 0
    }

    /// Positions that hold something.
    #[must_use]
    pub fn positions_held(&self) -> usize {
        let held = |position: &&Position| position.quantity() != Quantity(0);
        self.positions.values().filter(held).count()
    }

    /// Folds the journal of earlier sessions, oldest record first. Only records that were published under `venue` matter, and those about loss and about
    /// producers; others may be left out. Instrument ids must be those of the new session: the reader translates them by venue and symbol.
    #[must_use]
    pub fn fold(venue: Venue, records: impl IntoIterator<Item = Record>) -> Recovered {
        let mut fold = Fold {
            recovered: Recovered::default(),
            closed: BTreeMap::new(),
            closed_order: VecDeque::new(),
            broken_before: 0,
        };
        let mut decoder = TradingDecoder::new(venue);
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
            }
        }
        fold.recovered.broken += decoder.broken() - fold.broken_before;
        fold.recovered
    }
}

/// Whether a loss before this record may be one of ours.
fn concerns(record: &Record, venue: Venue) -> bool {
    record.venue() == venue || GapCause::of(record) == Some(GapCause::NotRecorded)
}

struct Fold {
    recovered: Recovered,
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
        let Some(order) = order else {
            found.broken += 1;
            return;
        };
        order.filled = order.filled.saturating_add(event.size);
        found.broken += u64::from(order.quantity.saturating_sub(order.filled) != leaves);
        let done = order.is_done();
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

/// What kept a recovery from being whole; the engine starts halted then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryProblem {
    /// The journal has holes or contradictions.
    #[error("the journal lacks {missing} records and {broken} events make no sense: positions may be wrong")]
    Damaged {
        /// Records that are missing.
        missing: u64,
        /// Events that make no sense.
        broken: u64,
    },
    /// A position of a strategy that this session does not have at that place.
    #[error("strategy {strategy} held a position, and is not the same strategy in this session")]
    OtherStrategy {
        /// Its index then.
        strategy: u16,
    },
    /// A position in an instrument that this session does not follow.
    #[error("strategy {strategy} held a position in {instrument:?}, which this session does not follow")]
    UnknownInstrument {
        /// Whose.
        strategy: u16,
        /// In what.
        instrument: InstrumentId,
    },
}

impl<V: ExecutionVenue> Engine<V> {
    /// Takes over what earlier sessions left; call it once, after the strategies were added and before [`Engine::start`]. Orders that rested at a venue that forgets
    /// are canceled, as records; at one that remembers they are taken over, and canceled there. The problems that it returns, if any, have halted all trading until [`super::Command::Arm`].
    pub fn recover(
        &mut self,
        recovered: &Recovered,
        position: u64,
        now: Time,
        out: &mut impl Outbox,
    ) -> Vec<RecoveryProblem> {
        self.desk.advance(now, position);
        let mut problems = Vec::new();
        if !recovered.is_whole() {
            problems.push(RecoveryProblem::Damaged {
                missing: recovered.missing,
                broken: recovered.broken,
            });
        }
        for ((strategy, instrument), position) in &recovered.positions {
            problems.extend(self.take_over(recovered, *strategy, *instrument, position).err());
        }
        let (orders, positions) = (recovered.open.len() as i64, recovered.positions_held() as i64);
        self.desk.status(StatusCode::EngineRecovered, orders, positions);
        for (id, order) in &recovered.open {
            if self.venue.remembers() {
                problems.extend(self.adopt(recovered, *id, order).err());
            } else {
                self.desk.write_canceled_at_restart(order);
            }
        }
        self.latch(recovered, now);
        if !problems.is_empty() {
            self.desk.halt(Reason::Inconsistent, ClientOrderId::NONE);
        }
        self.finish(out);
        problems
    }

    fn take_over(
        &mut self,
        recovered: &Recovered,
        strategy: u16,
        instrument: InstrumentId,
        position: &Position,
    ) -> Result<(), RecoveryProblem> {
        let runner = self.runners.get(usize::from(strategy));
        let then = recovered.strategies.get(&strategy);
        if !runner.is_some_and(|runner| then.is_none_or(|key| *key == runner.key)) {
            return match position.quantity() {
                Quantity(0) => Ok(()),
                _ => Err(RecoveryProblem::OtherStrategy { strategy }),
            };
        }
        let unknown = RecoveryProblem::UnknownInstrument { strategy, instrument };
        let Some(index) = self.desk.market().index(instrument) else {
            return match position.quantity() {
                Quantity(0) => Ok(()),
                _ => Err(unknown),
            };
        };
        let seeded = self.desk.portfolio_mut().seed(strategy, index, *position);
        seeded.map_err(|_| unknown)?;
        self.venue.seed_position(strategy, index, position.quantity());
        self.desk.watch(index);
        Ok(())
    }

    fn latch(&mut self, recovered: &Recovered, now: Time) {
        if recovered.killed {
            self.desk.gate_mut().kill();
            self.desk
                .status(StatusCode::KillLatched, 0, self.desk.position() as i64);
        }
        for (who, (reason, day)) in &recovered.reduce_only {
            let is_over = *reason == Reason::DailyLoss && *day != now.day();
            let is_known = who.is_none_or(|strategy| usize::from(strategy) < self.runners.len());
            if !is_over && is_known {
                self.desk.gate_mut().stop(*who, Permission::ReduceOnly(*reason));
                let who = who.map_or(Record::ABSENT, i64::from);
                self.desk.status(StatusCode::ReduceOnly, *reason as i64, who);
            }
        }
        if let Some(reason) = recovered.halted {
            self.desk.halt(reason, ClientOrderId::NONE);
        }
    }
}
