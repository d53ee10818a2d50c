//! What earlier sessions left, and how a new session takes it over.
//!
//! The journal is the only memory. Whatever of it is missing or makes no sense is counted, and then the engine starts halted: a position that may be wrong is not
//! traded on until someone has looked and armed the switch.

use std::collections::BTreeMap;

use tickpath_protocol::trading::{ClientOrderId, Reason, StrategyKey, TradingEvent};
use tickpath_protocol::{InstrumentId, Record, StatusCode};

use super::{Engine, Outbox};
use crate::portfolio::Position;
use crate::risk::Permission;
use crate::units::{Quantity, Time};
use crate::venue::ExecutionVenue;

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
    pub(super) fn is_done(&self) -> bool {
        self.filled >= self.replacing.unwrap_or(0).max(self.quantity)
    }
}

/// The image of the account that a recovery began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageFound {
    /// The session that wrote it.
    pub session: u32,
    /// The logical time of it, ns since the Unix epoch.
    pub ts_event: i64,
}

/// What earlier sessions left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last session's number; 0 if there was none.
    pub session: u32,
    /// The strategies that the last session had, by index.
    pub strategies: BTreeMap<u16, StrategyKey>,
    /// Positions, by strategy and instrument; empty ones only if something was gained or lost.
    pub positions: BTreeMap<(u16, InstrumentId), Position>,
    /// Orders without an end.
    pub open: BTreeMap<ClientOrderId, OpenOrder>,
    /// Orders that ended, the last ones, in the order of their ends: what a venue says again of them is no news. Those that ended before the image are not known.
    pub closed: Vec<(ClientOrderId, OpenOrder)>,
    /// The kill switch is latched.
    pub killed: bool,
    /// All trading was halted, and why.
    pub halted: Option<Reason>,
    /// Limits that were reached and not taken back: whose (`None`: all), which, and on which day.
    pub reduce_only: BTreeMap<Option<u16>, (Reason, i64)>,
    /// The newest image of the account that was read; what was before it does not matter.
    pub image: Option<ImageFound>,
    /// Trading events read, those before the image included.
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
        if let Some(image) = &recovered.image {
            self.desk.say_image(image);
        }
        for (id, order) in &recovered.open {
            if self.venue.remembers() {
                problems.extend(self.adopt(recovered, *id, order).err());
            } else {
                self.desk.write_canceled_at_restart(order);
            }
        }
        if self.venue.remembers() {
            self.remember_ended(recovered);
        }
        self.images.on_recovered(&problems);
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
