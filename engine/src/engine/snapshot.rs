//! The engine's state at a glance, for status commands and the dashboard. Allocates: not for the record path.

use tickpath_protocol::InstrumentId;
use tickpath_protocol::trading::Reason;

use super::call::describe;
use super::{Engine, StrategyState};
use crate::order::Order;
use crate::portfolio::Position;
use crate::risk::Permission;
use crate::units::{Money, Price, Time};
use crate::venue::ExecutionVenue;

/// The engine between two records.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The engine's time.
    pub now: Time,
    /// Position of the next record in the input.
    pub position: u64,
    /// The session's number.
    pub session: u32,
    /// The kill switch is latched.
    pub killed: bool,
    /// Why all trading is halted, if it is.
    pub halted: Option<Reason>,
    /// Equity of all strategies together, by currency.
    pub equity: Vec<(String, Money)>,
    /// Every open order, oldest first.
    pub orders: Vec<Order>,
    /// The strategies, by index.
    pub strategies: Vec<StrategySnapshot>,
}

/// A strategy between two records.
#[derive(Clone, Debug)]
pub struct StrategySnapshot {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub state: StrategyState,
    /// How far it may trade.
    pub permission: Permission,
    /// Its equity, by currency.
    pub equity: Vec<(String, Money)>,
    /// Its positions that are, or were, anything, each with its mark.
    pub positions: Vec<(InstrumentId, Position, Option<Price>)>,
    /// Orders that the gate held back.
    pub breaches: u64,
    /// What it says of itself.
    pub described: Vec<(&'static str, f64)>,
}

impl<V: ExecutionVenue> Engine<V> {
    /// Whether the kill switch is latched.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.desk.gate().is_killed()
    }

    /// Why all trading is halted, if it is.
    #[must_use]
    pub fn halted(&self) -> Option<Reason> {
        self.desk.gate().halted()
    }

    /// The state now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let desk = &self.desk;
        let equity = |account: &crate::portfolio::Account| {
            let currencies = desk.portfolio().currencies().iter().enumerate();
            let money = |at: usize| {
                let exact = account.equity(crate::portfolio::Currency(at as u16));
                Money(i64::try_from(exact).unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX }))
            };
            currencies.map(|(at, name)| (name.clone(), money(at))).collect()
        };
        let strategies = self.runners.iter().enumerate().map(|(index, runner)| {
            let account = desk.portfolio().strategy(index as u16);
            let positions = account.positions().iter().zip(desk.market().instruments());
            let traded = positions.filter(|(position, _)| **position != Position::EMPTY);
            StrategySnapshot {
                name: runner.name,
                state: runner.state,
                permission: desk.gate().permission(index as u16),
                equity: equity(account),
                positions: traded
                    .map(|(position, view)| (view.instrument().id, *position, view.mark(position.quantity())))
                    .collect(),
                breaches: desk.breaches(index as u16),
                described: describe(&*runner.strategy),
            }
        });
        Snapshot {
            now: desk.now(),
            position: desk.position(),
            session: desk.session(),
            killed: desk.gate().is_killed(),
            halted: desk.gate().halted(),
            equity: equity(desk.portfolio().total()),
            orders: desk.orders().open().to_vec(),
            strategies: strategies.collect(),
        }
    }
}
