//! What the engine's process counts and shows on its counter page. Money is in 1e-8 of the currency that the label names, positions are mantissas at the decimals
//! that theirs names.

use tickpath_protocol::{Instrument, Kind, Record};
use tickpath_service::{Config, Pulse};
use tickpath_transport::{Counter, CounterPage, Gauge, LatencyHistogram};

use super::execution::SessionEngine;
use crate::engine::StrategyState;
use crate::market::InstrumentIndex;
use crate::portfolio::Currency;
use crate::risk::Permission;

/// Between two looks at the engine, ns.
const REFRESH_NS: i64 = 100_000_000;

/// How far the process is, as `tickpath_engine_phase` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Looks for the relay and for its instruments.
    Waiting = 1,
    /// Reads the journal.
    Recovering = 2,
    /// Reads the stream.
    Running = 3,
    /// Cancels what rests.
    Stopping = 4,
}

/// Counters and gauges; see each help text.
#[derive(Debug)]
pub struct Meters {
    page: CounterPage,
    phase: Gauge,
    heartbeat: Gauge,
    /// Records of the stream that the engine took.
    pub records: Counter,
    /// Laps, and losses that no Gap record stood in for.
    pub gaps: Counter,
    /// Records that were missed so.
    pub missed: Counter,
    by_kind: Vec<(u8, Counter)>,
    /// From a record's publication to the engine's read.
    pub publish_to_engine: LatencyHistogram,
    /// From a record's publication to the publication of the order that answers it.
    pub tick_to_order: LatencyHistogram,
    session: Gauge,
    killed: Gauge,
    halted: Gauge,
    orders_open: Gauge,
    strategies: Vec<StrategyMeters>,
    total: Vec<MoneyMeter>,
    next_ns: i64,
    pulse: Pulse,
}

#[derive(Debug)]
struct StrategyMeters {
    state: Gauge,
    permission: Gauge,
    positions: Vec<(InstrumentIndex, Gauge)>,
    money: Vec<MoneyMeter>,
}

/// Gain or loss since the capital.
#[derive(Debug)]
struct MoneyMeter {
    currency: Currency,
    capital: i128,
    gauge: Gauge,
}

const KINDS: [(Kind, &str, &str); 6] = [
    (Kind::Signal, "tickpath_engine_signals_total", "Signals published."),
    (
        Kind::OrderSubmitted,
        "tickpath_engine_orders_submitted_total",
        "Orders sent.",
    ),
    (
        Kind::OrderRejected,
        "tickpath_engine_orders_rejected_total",
        "Orders and requests that the venue refused.",
    ),
    (
        Kind::OrderCanceled,
        "tickpath_engine_orders_canceled_total",
        "Orders canceled.",
    ),
    (Kind::Fill, "tickpath_engine_fills_total", "Fills."),
    (
        Kind::RiskBreach,
        "tickpath_engine_risk_breaches_total",
        "Orders that the risk gate held back.",
    ),
];

impl Meters {
    /// Everything that is known before there is an engine.
    #[must_use]
    pub fn new(page: &CounterPage) -> Meters {
        let counter = |name, help| page.counter(name, "", help);
        let gauge = |name, help| page.gauge(name, "", help);
        Meters {
            phase: gauge(
                "tickpath_engine_phase",
                "1 waits for the market, 2 recovers, 3 runs, 4 stops.",
            ),
            heartbeat: gauge(
                "tickpath_engine_heartbeat_ns",
                "When the hot thread last looked round, since the Unix epoch.",
            ),
            records: counter("tickpath_engine_records_total", "Records of the stream taken."),
            gaps: counter(
                "tickpath_engine_gaps_total",
                "Times that records of the stream were missed.",
            ),
            missed: counter("tickpath_engine_missed_total", "Records of the stream missed."),
            by_kind: KINDS
                .iter()
                .map(|(kind, name, help)| (*kind as u8, counter(name, help)))
                .collect(),
            publish_to_engine: page.latency(
                "tickpath_engine_publish_to_engine_ns",
                "",
                "From the relay's publish to the engine's read, of the first record of one look at the stream in sixteen.",
            ),
            tick_to_order: page.latency(
                "tickpath_engine_tick_to_order_ns",
                "",
                "From the relay's publication of a record to the publication of the order that answers it.",
            ),
            session: gauge("tickpath_engine_session", "Number of the session."),
            killed: gauge("tickpath_engine_killed", "1 while the kill switch is latched."),
            halted: gauge(
                "tickpath_engine_halted",
                "Reason for which all trading is halted, 0 if it is not.",
            ),
            orders_open: gauge("tickpath_engine_orders_open", "Orders that rest or are under way."),
            strategies: Vec::new(),
            total: Vec::new(),
            page: page.clone(),
            next_ns: 0,
            pulse: Pulse::new(),
        }
    }

    /// Of the hot thread.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Says how far the process is.
    pub fn enter(&self, phase: Phase) {
        self.pulse.beat();
        self.phase.set(phase as i64);
        self.heartbeat.set(tickpath_transport::now_ns());
    }

    /// Adds what an engine without a past has; `instruments` are those of each strategy.
    pub fn follow(&mut self, config: &Config, engine: &SessionEngine, session: u32, instruments: &[Vec<Instrument>]) {
        self.session.set(session.into());
        let page = self.page.clone();
        let portfolio = engine.portfolio();
        let money = |labels: &str, account: &crate::portfolio::Account, currency: Currency| {
            let name = &portfolio.currencies()[usize::from(currency.0)];
            MoneyMeter {
                currency,
                capital: account.equity(currency),
                gauge: page.gauge(
                    "tickpath_engine_pnl_e8",
                    &format!("{labels},currency=\"{name}\""),
                    "Gains and losses, realised or not, after fees, in the currency.",
                ),
            }
        };
        for (index, (keys, instruments)) in config.engine.strategy.iter().zip(instruments).enumerate() {
            let labels = format!("strategy=\"{}\"", keys.name);
            let account = portfolio.strategy(index as u16);
            let mut meters = StrategyMeters {
                state: page.gauge(
                    "tickpath_engine_strategy_state",
                    &labels,
                    "0 idle, 1 running, 2 paused, 3 stopped, 4 error.",
                ),
                permission: page.gauge(
                    "tickpath_engine_strategy_permission",
                    &labels,
                    "0 trades, 1 may only reduce, 2 may not trade.",
                ),
                positions: Vec::new(),
                money: Vec::new(),
            };
            for instrument in instruments {
                let Some(at) = engine.market().index(instrument.id) else {
                    continue;
                };
                let currency = portfolio.currency(at);
                if !meters.money.iter().any(|known| known.currency == currency) {
                    meters.money.push(money(&labels, account, currency));
                }
                let decimals = instrument.scale.size_decimals();
                let labels = format!(
                    "{labels},instrument=\"{}:{}\",decimals=\"{decimals}\"",
                    instrument.venue(),
                    instrument.name
                );
                let gauge = page.gauge(
                    "tickpath_engine_position",
                    &labels,
                    "Position, in units of what is traded.",
                );
                meters.positions.push((at, gauge));
            }
            self.strategies.push(meters);
        }
        let currencies = 0..portfolio.currencies().len() as u16;
        let total = currencies.map(|currency| money("strategy=\"all\"", portfolio.total(), Currency(currency)));
        self.total = total.collect();
    }

    /// Counts what is published.
    pub fn count(&self, records: &[Record]) {
        for record in records {
            if let Some((_, counter)) = self.by_kind.iter().find(|(kind, _)| *kind == record.kind) {
                counter.add(1);
            }
        }
    }

    /// Shows that the thread lives and, ten times a second, how the engine stands. Allocates nothing.
    pub fn refresh(&mut self, engine: &SessionEngine, now_ns: i64) {
        self.pulse.beat();
        if now_ns < self.next_ns {
            return;
        }
        self.next_ns = now_ns.saturating_add(REFRESH_NS);
        self.heartbeat.set(now_ns);
        self.show(engine);
    }

    /// Shows how the engine stands.
    pub fn show(&self, engine: &SessionEngine) {
        self.killed.set(engine.is_killed().into());
        self.halted.set(engine.halted().map_or(0, |reason| reason as i64));
        self.orders_open.set(engine.orders().open().len() as i64);
        let portfolio = engine.portfolio();
        for (index, meters) in self.strategies.iter().enumerate() {
            let index = index as u16;
            let account = portfolio.strategy(index);
            meters.state.set(state_code(engine.strategy_state(index)));
            meters.permission.set(match engine.permission(index) {
                Permission::All => 0,
                Permission::ReduceOnly(_) => 1,
                Permission::Nothing(_) => 2,
            });
            for (at, gauge) in &meters.positions {
                gauge.set(account.position(*at).quantity().0);
            }
            meters.money.iter().for_each(|money| money.set(account));
        }
        self.total.iter().for_each(|money| money.set(portfolio.total()));
    }
}

impl MoneyMeter {
    fn set(&self, account: &crate::portfolio::Account) {
        let gain = account.equity(self.currency) - self.capital;
        self.gauge
            .set(i64::try_from(gain).unwrap_or(if gain < 0 { i64::MIN } else { i64::MAX }));
    }
}

fn state_code(state: Option<StrategyState>) -> i64 {
    match state {
        None | Some(StrategyState::Idle) => 0,
        Some(StrategyState::Running) => 1,
        Some(StrategyState::Paused) => 2,
        Some(StrategyState::Stopped) => 3,
        Some(StrategyState::Error) => 4,
    }
}
