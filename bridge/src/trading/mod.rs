//! What the engine does, put together of its records: orders, fills, signals, positions and what came of them, the state of strategies.
//!
//! Records in, [`Update`]s out; no clock, no socket. All of it is derived from the stream since this process began to read it, or since the newest image of its
//! account that the engine wrote: [`Trading::is_whole`] says whether that is everything. The engine's own account is the engine's.

mod equity;
mod image;
pub mod message;
pub mod order;
pub mod position;
mod strategy;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use equity::{Equity, Mark};
pub use order::{Order, OrderState};
pub use position::{Money, Position};
pub use strategy::Strategy;
use tickpath_protocol::trading::{
    Action, ClientOrderId, ImageDecoder, Reason, StrategyKey, TradingDecoder, TradingEvent,
};
use tickpath_protocol::{Flags, Kind, Record, Scale, Side, StatusCode, Venue};

use crate::event::Stamp;
use crate::state::InstrumentState;

/// Fills, and signals, that a snapshot shows.
pub const RECENT_KEPT: usize = 200;
/// Open orders that are followed; the oldest are given up for more.
pub const ORDERS_MAX: usize = 10_000;
/// Positions that are followed: strategies times instruments. Fills beyond are passed on and not counted up.
pub const POSITIONS_MAX: usize = 10_000;

/// A fill or a signal.
#[derive(Clone, Debug)]
pub struct Told {
    /// `"venue":…,"symbol":…` of the market.
    pub subject: Arc<str>,
    /// What happened.
    pub event: TradingEvent,
    /// When.
    pub stamp: Stamp,
}

/// What changed.
#[derive(Debug)]
pub enum Update<'a> {
    /// An order is another.
    Order(&'a Order),
    /// A fill.
    Fill(&'a Told),
    /// A signal.
    Signal(&'a Told),
}

/// What a strategy holds of an instrument.
#[derive(Clone, Debug)]
pub struct Holding {
    /// `"venue":…,"symbol":…` of the market.
    pub subject: Arc<str>,
    /// The instrument's decimals.
    pub scale: Scale,
    /// The currency of cost, gains and fees.
    pub currency: Arc<str>,
    /// What is held.
    pub position: Position,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Trading {
    /// Name and kind of the strategies as configured, by index.
    configured: Vec<(Arc<str>, String)>,
    decoder: Option<TradingDecoder>,
    images: Option<ImageDecoder>,
    /// Events that lost a record before the image that positions go on from.
    broken_before: u64,
    venue: Option<Venue>,
    session: Option<i64>,
    is_whole: bool,
    is_there: bool,
    halted: Option<Option<Reason>>,
    killed: Option<bool>,
    strategies: BTreeMap<u16, Strategy>,
    orders: BTreeMap<ClientOrderId, Order>,
    holdings: BTreeMap<(u16, u32), Holding>,
    fills: VecDeque<Told>,
    signals: VecDeque<Told>,
    /// By currency, once a second.
    pub(crate) equity: Equity,
    /// Something changed since the state was last told.
    is_dirty: bool,
}

/// Whether the record is the engine's word on trading.
#[must_use]
pub fn is_trading(record: &Record) -> bool {
    record.kind().is_some_and(Kind::is_trading)
}

impl Trading {
    /// Nothing heard yet; `configured` is name and kind of each strategy, in the engine's order.
    #[must_use]
    pub fn new(configured: Vec<(Arc<str>, String)>) -> Trading {
        Trading {
            configured,
            ..Trading::default()
        }
    }

    /// The execution venue, once the engine was heard.
    #[must_use]
    pub fn venue(&self) -> Option<Venue> {
        self.venue
    }

    /// The engine's session, as far as it is known.
    #[must_use]
    pub fn session(&self) -> Option<i64> {
        self.session
    }

    /// Whether positions and gains are of everything since an engine began with nothing, by what was heard here or by the engine's own account.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole && self.broken() == 0
    }

    /// Whether the engine is attached to the relay.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.is_there
    }

    /// Events of which records were missing.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.decoder.as_ref().map_or(0, TradingDecoder::broken) - self.broken_before
    }

    /// Whether all trading is halted, and why.
    #[must_use]
    pub fn halted(&self) -> Option<Option<Reason>> {
        self.halted
    }

    /// Whether the engine said that its kill switch is latched; `None` if it said nothing of it.
    #[must_use]
    pub fn killed(&self) -> Option<bool> {
        self.killed
    }

    /// The strategies by index.
    pub fn strategies(&self) -> impl Iterator<Item = (u16, &Strategy)> {
        self.strategies.iter().map(|(index, strategy)| (*index, strategy))
    }

    /// The orders that are not closed, the oldest first.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    /// The positions by strategy and number of the instrument.
    pub fn holdings(&self) -> impl Iterator<Item = (u16, u32, &Holding)> {
        self.holdings
            .iter()
            .map(|((strategy, number), holding)| (*strategy, *number, holding))
    }

    /// The last fills, oldest first.
    pub fn fills(&self) -> impl Iterator<Item = &Told> {
        self.fills.iter()
    }

    /// The last signals, oldest first.
    pub fn signals(&self) -> impl Iterator<Item = &Told> {
        self.signals.iter()
    }

    /// Whether the state changed since this was last asked.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.is_dirty)
    }

    /// The engine came or went.
    pub fn producer_is_there(&mut self, venue: Venue, is_there: bool) {
        if self.venue == Some(venue) && self.is_there != is_there {
            self.is_there = is_there;
            self.is_dirty = true;
        }
    }

    /// Records of a producer, or of any, were missed.
    pub fn damage(&mut self, venue: Venue) {
        if self.venue == Some(venue) {
            self.is_whole = false;
            self.is_dirty = true;
        }
    }

    /// Takes a trading record. `instrument` is the one it names, where it names one that is known.
    pub fn record(&mut self, record: &Record, instrument: Option<&InstrumentState>, on: &mut dyn FnMut(Update<'_>)) {
        let venue = record.venue();
        let decoder = match &mut self.decoder {
            Some(decoder) if self.venue == Some(venue) => decoder,
            _ => {
                self.venue = Some(venue);
                (self.is_there, self.broken_before, self.images) = (true, 0, None);
                self.decoder.insert(TradingDecoder::new(venue))
            }
        };
        if let Some(event) = decoder.push(record) {
            self.is_dirty = true;
            self.event(&event, record.into(), instrument, on);
        }
    }

    /// Takes the engine's status; nothing of other producers' is.
    pub fn status(&mut self, record: &Record) {
        let Some(code) = StatusCode::of(record) else { return };
        if (code as u8) < StatusCode::EngineStarted as u8 || record.flags().contains(Flags::FROM_RELAY) {
            return;
        }
        if self.venue != Some(record.venue()) {
            self.venue = Some(record.venue());
            self.decoder = Some(TradingDecoder::new(record.venue()));
            (self.broken_before, self.images) = (0, None);
        }
        (self.is_there, self.is_dirty) = (true, true);
        let reason = u8::try_from(record.price).ok().and_then(Reason::from_code);
        match code {
            StatusCode::EngineStarted => self.started(record.price),
            StatusCode::EngineRecovered => self.recovered(record.size),
            StatusCode::StrategyRunning => self.strategy_is(record.price, "running"),
            StatusCode::StrategyPaused => self.strategy_is(record.price, "paused"),
            StatusCode::StrategyStopped => self.strategy_is(record.price, "stopped"),
            StatusCode::StrategyError => self.strategy_is(record.price, "error"),
            StatusCode::TradingHalted => self.restrict(record.size, "halted", reason),
            StatusCode::ReduceOnly => self.restrict(record.size, "reduce_only", reason),
            StatusCode::KillLatched => self.killed = Some(true),
            StatusCode::KillArmed => {
                // An armed engine begins anew: what was halted is no longer.
                (self.killed, self.halted) = (Some(false), None);
                self.strategies
                    .values_mut()
                    .for_each(|strategy| strategy.restriction = None);
            }
            _ => {}
        }
    }

    fn started(&mut self, session: i64) {
        // A first session begins with nothing; a later one with what the one before left, which is known if nothing was missed.
        if self.session.is_none() && self.fills.is_empty() {
            self.is_whole = true;
        }
        (self.session, self.killed, self.halted) = (Some(session), None, None);
        self.strategies.clear();
    }

    fn recovered(&mut self, positions: i64) {
        let held = self
            .holdings
            .values()
            .filter(|holding| holding.position.quantity() != 0);
        if held.count() as i64 != positions {
            self.is_whole = false;
        }
    }

    fn strategy_is(&mut self, key: i64, state: &'static str) {
        let key = StrategyKey(key);
        let strategy = self.strategies.entry(key.index()).or_default();
        strategy.state = state;
        strategy.name = strategy::name_of(key, &self.configured);
    }

    fn restrict(&mut self, strategy: i64, what: &'static str, reason: Option<Reason>) {
        match u16::try_from(strategy) {
            Ok(index) => self.strategies.entry(index).or_default().restriction = Some((what, reason)),
            Err(_) if what == "halted" => self.halted = Some(reason),
            Err(_) => self
                .strategies
                .values_mut()
                .for_each(|strategy| strategy.restriction = Some((what, reason))),
        }
    }

    fn event(
        &mut self,
        event: &TradingEvent,
        stamp: Stamp,
        instrument: Option<&InstrumentState>,
        on: &mut dyn FnMut(Update<'_>),
    ) {
        let subject: Arc<str> = match instrument {
            Some(state) => state.subject().into(),
            None => crate::message::subject(event.instrument.venue(), None).into(),
        };
        let strategy = self.strategies.entry(event.detail.strategy()).or_default();
        let told = Told {
            subject: Arc::clone(&subject),
            event: *event,
            stamp,
        };
        match event.action {
            Action::Signal => {
                strategy.signals += 1;
                keep(&mut self.signals, &told);
                return on(Update::Signal(&told));
            }
            Action::RiskBreach => {
                strategy.breaches += 1;
                strategy.breach = event.detail.reason();
                return;
            }
            Action::Submitted { .. } => strategy.orders += 1,
            Action::Fill { fee, .. } => {
                let is_whole = event.price != Record::ABSENT && event.size != Record::ABSENT;
                if let Some(state) = instrument.filter(|_| is_whole) {
                    self.book(event, fee, state, &subject);
                }
                keep(&mut self.fills, &told);
                on(Update::Fill(&told));
            }
            _ => {}
        }
        if event.order != ClientOrderId::NONE {
            self.order(event, stamp, subject, on);
        }
    }

    fn book(&mut self, event: &TradingEvent, fee: i64, state: &InstrumentState, subject: &Arc<str>) {
        let key = (event.detail.strategy(), state.index());
        if self.holdings.len() >= POSITIONS_MAX && !self.holdings.contains_key(&key) {
            self.is_whole = false;
            return;
        }
        let holding = self.holdings.entry(key).or_insert_with(|| Holding {
            subject: Arc::clone(subject),
            scale: event.scale,
            currency: quote_currency(&state.instrument().name).into(),
            position: Position::default(),
        });
        let change = match event.side {
            Some(Side::Ask) => -event.size,
            _ => event.size,
        };
        holding.position.fill(change, event.price, fee);
    }

    fn order(&mut self, event: &TradingEvent, stamp: Stamp, subject: Arc<str>, on: &mut dyn FnMut(Update<'_>)) {
        let order = match self.orders.get_mut(&event.order) {
            Some(order) => {
                order.apply(event, stamp);
                order
            }
            None => self
                .orders
                .entry(event.order)
                .or_insert_with(|| Order::new(subject, event, stamp)),
        };
        on(Update::Order(order));
        if order.state.is_closed() {
            self.orders.remove(&event.order);
        } else if self.orders.len() > ORDERS_MAX {
            self.orders.pop_first();
        }
    }
}

fn keep(recent: &mut VecDeque<Told>, told: &Told) {
    if recent.len() >= RECENT_KEPT {
        recent.pop_front();
    }
    recent.push_back(told.clone());
}

/// What follows the slash of a normalised name: in what the instrument is paid.
fn quote_currency(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, quote)| quote)
}
