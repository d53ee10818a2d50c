//! The engine: takes records and commands in, calls strategies, hands trading records out.
//!
//! The life of a record here: time moves on; the venue does what was due before it; the market view takes it; the venue sees what it means for
//! resting orders; positions are valued and the limits on them watched; strategies are called, then timers; what they asked for goes to
//! the venue, whose answers go to them, and so on until nothing is due any more.

mod adoption;
mod call;
mod commands;
mod desk;
mod fold;
mod images;
mod recovery;
mod reports;
mod snapshot;

pub use call::Panic;
pub use commands::{Command, CommandError};
pub use desk::Desk;
pub use recovery::{ImageFound, OpenOrder, Recovered, RecoveryProblem};
pub use snapshot::{Snapshot, StrategySnapshot};
use tickpath_protocol::trading::{ClientOrderId, Reason, StrategyKey};
use tickpath_protocol::{Instrument, InstrumentId, Record, StatusCode};

use call::call;
use images::Images;

use crate::market::{Change, InstrumentIndex, MarketStatus, What};
use crate::risk::{Gate, Limits, LimitsError, Permission};
use crate::strategy::Strategy;
use crate::units::{Money, Time};
use crate::venue::{ExecutionVenue, Report};

/// How often the engine goes round between strategies and venue within one record. A strategy that answers every fill with an order at a venue
/// without latency goes on at the next record.
const ROUNDS_MAX: usize = 16;

/// Takes the engine's records.
pub trait Outbox {
    /// The next record; its sequence rises by one.
    fn publish(&mut self, record: &Record);
}

impl Outbox for Vec<Record> {
    fn publish(&mut self, record: &Record) {
        self.push(*record);
    }
}

/// What an engine is made of, its venue, instruments and strategies aside.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Number of this session, one higher than the last: from [`Recovered::session`], or 1.
    pub session: u32,
    /// Limits of all strategies together.
    pub limits: Limits,
}

/// What a strategy gets.
#[derive(Clone, Debug)]
pub struct StrategyConfig {
    /// The instruments that it is told of and may trade.
    pub instruments: Vec<InstrumentId>,
    /// Its limits.
    pub limits: Limits,
    /// What its equity starts with, in each quote currency of its instruments.
    pub capital: Money,
}

/// Why an engine cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Limits that contradict each other.
    #[error("limits of {who}: {source}")]
    Limits {
        /// Whose.
        who: String,
        /// What.
        source: LimitsError,
    },
    /// The strategy names an instrument that was not added before.
    #[error("strategy `{strategy}` trades {instrument:?}, which no market data is known of: add the instrument first")]
    UnknownInstrument {
        /// Which strategy.
        strategy: &'static str,
        /// Which instrument.
        instrument: InstrumentId,
    },
    /// A strategy without instruments would never be called.
    #[error("strategy `{0}` names no instrument")]
    NoInstrument(&'static str),
    /// More strategies than an index can name.
    #[error("at most {} strategies fit", u16::MAX)]
    TooMany,
    /// The session's number does not fit an order id.
    #[error("session {0} is not between 1 and {max}", max = ClientOrderId::SESSION_MAX)]
    Session(u32),
}

/// Where a strategy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StrategyState {
    /// Not started.
    Idle,
    /// Trades.
    Running,
    /// Is told everything, and may only reduce.
    Paused,
    /// Over.
    Stopped,
    /// Gave up.
    Error,
}

impl StrategyState {
    /// The name in text and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StrategyState::Idle => "idle",
            StrategyState::Running => "running",
            StrategyState::Paused => "paused",
            StrategyState::Stopped => "stopped",
            StrategyState::Error => "error",
        }
    }

    fn listens(self) -> bool {
        matches!(self, StrategyState::Running | StrategyState::Paused)
    }
}

struct Runner {
    strategy: Box<dyn Strategy>,
    name: &'static str,
    state: StrategyState,
    key: StrategyKey,
    instruments: Vec<InstrumentIndex>,
}

/// The engine, over an execution venue.
pub struct Engine<V> {
    desk: Desk,
    runners: Vec<Runner>,
    venue: V,
    /// The venue's code, under which the engine publishes.
    own: u8,
    /// By instrument: the strategies that listen to it.
    listeners: Vec<Vec<u16>>,
    reports: Vec<Report>,
    /// Strategies wait until the venue has said what became of every order of earlier sessions.
    held_back: bool,
    images: Images,
    panics: Vec<Panic>,
}

impl<V: ExecutionVenue> Engine<V> {
    /// An engine without instruments and strategies.
    ///
    /// # Errors
    /// If the limits contradict each other, or the session's number does not fit.
    pub fn new(config: EngineConfig, venue: V) -> Result<Engine<V>, SetupError> {
        if config.session == 0 || config.session > ClientOrderId::SESSION_MAX {
            return Err(SetupError::Session(config.session));
        }
        let gate = Gate::new(config.limits).map_err(|source| SetupError::Limits {
            who: "all strategies".to_owned(),
            source,
        })?;
        Ok(Engine {
            desk: Desk::new(venue.code(), config.session, gate),
            runners: Vec::new(),
            own: venue.code().0,
            venue,
            listeners: Vec::new(),
            reports: Vec::with_capacity(64),
            held_back: false,
            images: Images::none(),
            panics: Vec::new(),
        })
    }

    /// Follows an instrument; one that is followed already stays as it is.
    pub fn add_instrument(&mut self, instrument: &Instrument) {
        if self.desk.add_instrument(instrument) {
            self.listeners.push(Vec::new());
        }
    }

    /// Adds a strategy, which is idle until [`Engine::start`] or [`Command::Resume`]. Returns its index.
    ///
    /// # Errors
    /// If its limits contradict each other or the total's, or an instrument is not known.
    pub fn add_strategy(&mut self, strategy: Box<dyn Strategy>, config: &StrategyConfig) -> Result<u16, SetupError> {
        let name = strategy.name();
        let index = u16::try_from(self.runners.len()).ok().filter(|index| *index < u16::MAX);
        let index = index.ok_or(SetupError::TooMany)?;
        if config.instruments.is_empty() {
            return Err(SetupError::NoInstrument(name));
        }
        let mut instruments = Vec::new();
        for id in &config.instruments {
            let unknown = SetupError::UnknownInstrument {
                strategy: name,
                instrument: *id,
            };
            instruments.push(self.desk.market().index(*id).ok_or(unknown)?);
        }
        let limits = |source| SetupError::Limits {
            who: format!("strategy `{name}`"),
            source,
        };
        self.desk.add_strategy(&instruments, config).map_err(limits)?;
        self.runners.push(Runner {
            strategy,
            name,
            state: StrategyState::Idle,
            key: StrategyKey::new(index, name),
            instruments,
        });
        Ok(index)
    }

    /// Begins the session: says so, and sets every idle strategy running, as soon as no order of an earlier session is open any more. `position` is the stream's
    /// next position, `now` the time until the first record says another.
    pub fn start(&mut self, position: u64, now: Time, out: &mut impl Outbox) {
        self.desk.advance(now, position);
        let session = self.desk.session();
        self.desk
            .status(StatusCode::EngineStarted, session.into(), position as i64);
        self.held_back = true;
        self.release();
        self.keep_image();
        self.finish(out);
    }

    /// Sets the idle strategies running, if nothing of earlier sessions is open any more.
    fn release(&mut self) {
        if !self.held_back || !self.desk.orders().open().is_empty() {
            return;
        }
        self.held_back = false;
        for index in 0..self.runners.len() {
            if self.runners[index].state == StrategyState::Idle {
                self.set_state(index as u16, StrategyState::Running);
            }
        }
    }

    /// Takes the next record of the stream, which stands at `position` there. Records of the engine itself, which come round with the others, are
    /// passed over: what they say is known, and their time is the clock's.
    #[inline]
    pub fn on_record(&mut self, record: &Record, position: u64, out: &mut impl Outbox) {
        if record.venue == self.own {
            return;
        }
        let now = self.desk.advance(Time(record.ts_recv), position.wrapping_add(1));
        self.venue.on_record(record);
        if self.venue.next_due() <= now {
            self.settle();
        }
        let change = self.desk.market_mut().apply(record, now);
        if change.index != InstrumentIndex::NONE {
            self.venue.on_market(self.desk.market(), &change, record, now);
            if change.best_changed && self.desk.portfolio().is_held(change.index) {
                self.desk.watch(change.index);
            }
        }
        if self.desk.next_guard() <= now || matches!(change.what, What::Status(_)) {
            self.desk.guard();
            self.keep_image();
        }
        self.dispatch(&change);
        if self.desk.next_timer() <= now {
            self.run_timers(now);
        }
        self.finish(out);
    }

    #[inline]
    fn dispatch(&mut self, change: &Change) {
        match change.what {
            What::Trade => self.on_trade(change.index),
            What::Book => {
                self.on_book(change.index);
                if change.best_changed {
                    self.on_quote(change.index);
                }
            }
            What::Quote if change.best_changed => self.on_quote(change.index),
            What::Status(status) => self.on_status(change.index, &status),
            What::Quote | What::Part | What::Nothing => {}
        }
    }

    fn on_trade(&mut self, index: InstrumentIndex) {
        let Some(trade) = self.desk.market().at(index).last_trade().copied() else {
            return;
        };
        for &strategy in &self.listeners[index.get()] {
            let runner = &mut self.runners[usize::from(strategy)];
            call((runner, &mut self.desk, &mut self.panics), strategy, |to, ctx| {
                to.on_trade(ctx, &trade);
            });
        }
    }

    fn on_quote(&mut self, index: InstrumentIndex) {
        let quote = self.desk.market().at(index).quote_now();
        for &strategy in &self.listeners[index.get()] {
            let runner = &mut self.runners[usize::from(strategy)];
            call((runner, &mut self.desk, &mut self.panics), strategy, |to, ctx| {
                to.on_quote(ctx, &quote);
            });
        }
    }

    fn on_book(&mut self, index: InstrumentIndex) {
        let id = self.desk.market().at(index).instrument().id;
        for &strategy in &self.listeners[index.get()] {
            let runner = &mut self.runners[usize::from(strategy)];
            call((runner, &mut self.desk, &mut self.panics), strategy, |to, ctx| {
                to.on_book(ctx, id);
            });
        }
    }

    #[cold]
    fn on_status(&mut self, index: InstrumentIndex, status: &MarketStatus) {
        for (strategy, runner) in self.runners.iter_mut().enumerate() {
            let concerned = index == InstrumentIndex::NONE || runner.instruments.contains(&index);
            if concerned && runner.state.listens() {
                let at = (runner, &mut self.desk, &mut self.panics);
                call(at, strategy as u16, |to, ctx| to.on_status(ctx, status));
            }
        }
    }

    /// Timers that were set before this: one that is set in a call waits for the next record.
    #[cold]
    fn run_timers(&mut self, now: Time) {
        let before = self.desk.timers_set();
        while let Some(strategy) = self.desk.take_timer(now, before) {
            let runner = &mut self.runners[usize::from(strategy)];
            if runner.state.listens() {
                call((runner, &mut self.desk, &mut self.panics), strategy, |to, ctx| {
                    to.on_timer(ctx, now);
                });
            }
        }
    }

    #[inline]
    fn finish(&mut self, out: &mut impl Outbox) {
        if self.desk.has_work() || self.venue.next_due() <= self.desk.now() {
            self.settle();
        }
        if self.desk.has_records() {
            self.desk.hand_out(out);
        }
    }

    /// Goes between strategies and venue until nothing is due.
    #[inline(never)]
    fn settle(&mut self) {
        let now = self.desk.now();
        for _ in 0..ROUNDS_MAX {
            while let Some(strategy) = self.desk.take_failed() {
                if self.runners[usize::from(strategy)].state.listens() {
                    self.set_state(strategy, StrategyState::Error);
                }
            }
            self.desk.send(&mut self.venue);
            if self.venue.next_due() > now {
                return;
            }
            let mut reports = std::mem::take(&mut self.reports);
            self.venue.poll(self.desk.market(), now, &mut reports);
            for report in reports.drain(..) {
                self.on_report(&report);
            }
            self.reports = reports;
            self.release();
        }
    }

    /// The market view.
    #[must_use]
    pub fn market(&self) -> &crate::market::MarketView {
        self.desk.market()
    }

    /// Positions and money.
    #[must_use]
    pub fn portfolio(&self) -> &crate::portfolio::Portfolio {
        self.desk.portfolio()
    }

    /// Every open order.
    #[must_use]
    pub fn orders(&self) -> &crate::order::OrderTable {
        self.desk.orders()
    }

    /// A strategy's state.
    #[must_use]
    pub fn strategy_state(&self, strategy: u16) -> Option<StrategyState> {
        self.runners.get(usize::from(strategy)).map(|runner| runner.state)
    }

    /// How far a strategy may trade now.
    #[must_use]
    pub fn permission(&self, strategy: u16) -> Permission {
        self.desk.gate().permission(strategy)
    }
}

impl Permission {
    /// What a strategy in this state may do.
    fn of_state(state: StrategyState) -> Permission {
        match state {
            StrategyState::Running => Permission::All,
            StrategyState::Paused => Permission::ReduceOnly(Reason::NotRunning),
            StrategyState::Idle | StrategyState::Stopped | StrategyState::Error => {
                Permission::Nothing(Reason::NotRunning)
            }
        }
    }
}
