//! A market of one or two instruments, an engine on it, and a strategy that does what the test says.
//!
//! Prices have 2 decimals and sizes 4: 10_000 is a price of 100.00 and a size of 1.0000.

#![allow(dead_code, reason = "each test uses a part")]

pub mod random;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tickpath_engine::engine::{Command, Engine, EngineConfig, StrategyConfig};
use tickpath_engine::order::{ClientOrderId, Fill, OrderRequest, OrderUpdate};
use tickpath_engine::paper::{PaperConfig, PaperVenue};
use tickpath_engine::risk::{Breach, Limits};
use tickpath_engine::strategy::{Context, Strategy};
use tickpath_engine::units::{Money, Price, Quantity, Time};
use tickpath_engine::{MarketStatus, Quote, Trade};
use tickpath_protocol::trading::{Action, Reason, TradingDecoder, TradingEvent};
use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, Record, Scale, Side, StatusCode, Venue};

pub const BTC: InstrumentId = InstrumentId::new(Venue::KRAKEN, 0);
pub const ETH: InstrumentId = InstrumentId::new(Venue::KRAKEN, 1);
pub const SCALE: Scale = Scale::new(2, 4).unwrap();
pub const BUY: Side = Side::Bid;
pub const SELL: Side = Side::Ask;
/// A size of 1.
pub const ONE: i64 = 10_000;
pub const MS: i64 = 1_000_000;

pub fn instrument(id: InstrumentId, name: &str) -> Instrument {
    Instrument {
        id,
        symbol: name.into(),
        name: name.into(),
        scale: SCALE,
        tick: 1,
        lot: 1,
    }
}

/// A record about Bitcoin, received in millisecond `turn`.
pub fn record(turn: i64, kind: Kind, flags: Flags, price: i64, size: i64) -> Record {
    Record {
        kind: kind as u8,
        venue: Venue::KRAKEN.0,
        flags: flags.0,
        scale: SCALE.to_byte(),
        instrument: BTC.0,
        sequence: turn as u64,
        ts_event: turn * MS,
        ts_recv: turn * MS,
        price,
        size,
    }
}

/// What the scripted strategy is to do at its next call.
#[derive(Clone, Copy, Debug)]
pub enum Do {
    Submit(OrderRequest),
    Cancel(ClientOrderId),
    Replace(ClientOrderId, Option<i64>, i64),
    Timer(i64),
    Fail,
}

/// What the scripted strategy was told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub todo: VecDeque<Do>,
    pub answers: Vec<Result<ClientOrderId, Breach>>,
    pub fills: Vec<Fill>,
    pub updates: Vec<OrderUpdate>,
    pub timers: Vec<Time>,
    pub quotes: Vec<Quote>,
    pub books: u64,
    pub trades: Vec<Trade>,
}

#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<Told>>);

impl Script {
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().expect("no test panics while it holds this")
    }

    fn act(&self, ctx: &mut Context<'_>) {
        let mut told = self.told();
        while let Some(next) = told.todo.pop_front() {
            let none = |()| ClientOrderId::NONE;
            let answer = match next {
                Do::Submit(request) => ctx.submit(request),
                Do::Cancel(id) => ctx.cancel(id).map(none),
                Do::Replace(id, price, quantity) => ctx.replace(id, price.map(Price), Quantity(quantity)).map(none),
                Do::Timer(at) => {
                    ctx.set_timer(Time(at));
                    continue;
                }
                Do::Fail => {
                    ctx.fail();
                    continue;
                }
            };
            told.answers.push(answer);
        }
    }
}

impl Strategy for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.told().trades.push(*trade);
        self.act(ctx);
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        self.told().quotes.push(*quote);
        self.act(ctx);
    }

    fn on_book(&mut self, ctx: &mut Context<'_>, _: InstrumentId) {
        self.told().books += 1;
        self.act(ctx);
    }

    fn on_fill(&mut self, ctx: &mut Context<'_>, fill: &Fill) {
        self.told().fills.push(*fill);
        self.act(ctx);
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        self.told().updates.push(*update);
        self.act(ctx);
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, now: Time) {
        self.told().timers.push(now);
        self.act(ctx);
    }

    fn on_status(&mut self, ctx: &mut Context<'_>, _: &MarketStatus) {
        self.act(ctx);
    }
}

/// No latency, no fees.
pub fn plain() -> PaperConfig {
    PaperConfig {
        order_latency_ns: 0,
        report_latency_ns: 0,
        ..PaperConfig::default()
    }
}

pub fn loose() -> Limits {
    Limits {
        data_age_ns_max: i64::MAX,
        price_collar_ppm: 500_000,
        open_orders_max: 1000,
        orders_per_second_max: 1000,
        ..Limits::default()
    }
}

pub struct Scene {
    pub engine: Engine<PaperVenue>,
    pub script: Script,
    pub out: Vec<Record>,
    pub position: u64,
    pub now: i64,
}

impl Scene {
    pub fn new(paper: PaperConfig, limits: Limits) -> Scene {
        let mut scene = Scene::unstarted(1, paper, limits);
        scene.engine.start(0, Time(0), &mut scene.out);
        scene
    }

    pub fn unstarted(session: u32, paper: PaperConfig, limits: Limits) -> Scene {
        let total = Limits {
            stop_loss_ppm: None,
            take_profit_ppm: None,
            ..limits
        };
        let venue = PaperVenue::new(paper).unwrap();
        let mut engine = Engine::new(EngineConfig { session, limits: total }, venue).unwrap();
        engine.add_instrument(&instrument(BTC, "BTC/USD"));
        engine.add_instrument(&instrument(ETH, "ETH/USD"));
        let script = Script::default();
        let config = StrategyConfig {
            instruments: vec![BTC, ETH],
            limits,
            capital: Money(0),
        };
        engine.add_strategy(Box::new(script.clone()), &config).unwrap();
        Scene {
            engine,
            script,
            out: Vec::new(),
            position: 0,
            now: 0,
        }
    }

    pub fn feed(&mut self, record: Record) {
        self.engine.on_record(&record, self.position, &mut self.out);
        self.position += 1;
    }

    fn market(&mut self, kind: Kind, flags: Flags, price: i64, size: i64) {
        let record = Record {
            kind: kind as u8,
            venue: Venue::KRAKEN.0,
            flags: flags.0,
            scale: SCALE.to_byte(),
            instrument: BTC.0,
            sequence: self.position,
            ts_event: self.now,
            ts_recv: self.now,
            price,
            size,
        };
        self.feed(record);
    }

    pub fn at(&mut self, now: i64) -> &mut Scene {
        self.now = now;
        self
    }

    pub fn quote(&mut self, bid: (i64, i64), ask: (i64, i64)) -> &mut Scene {
        self.market(Kind::Quote, Flags::BID, bid.0, bid.1);
        self.market(Kind::Quote, Flags::ASK.with(Flags::LAST), ask.0, ask.1);
        self
    }

    pub fn book(&mut self, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> &mut Scene {
        self.market(Kind::BookClear, Flags::SNAPSHOT, Record::ABSENT, Record::ABSENT);
        let sides = [(Flags::BID, bids), (Flags::ASK, asks)];
        let levels: Vec<_> = sides
            .iter()
            .flat_map(|(side, levels)| levels.iter().map(|level| (*side, *level)))
            .collect();
        for (index, (side, (price, size))) in levels.iter().enumerate() {
            let last = if index + 1 == levels.len() {
                Flags::LAST
            } else {
                Flags::NONE
            };
            self.market(Kind::BookLevel, side.with(Flags::SNAPSHOT).with(last), *price, *size);
        }
        self
    }

    pub fn level(&mut self, side: Side, price: i64, size: i64) -> &mut Scene {
        self.market(Kind::BookLevel, Flags::from(side).with(Flags::LAST), price, size);
        self
    }

    pub fn trade(&mut self, side: Side, price: i64, size: i64) -> &mut Scene {
        self.market(Kind::Trade, Flags::from(side).with(Flags::LAST), price, size);
        self
    }

    /// A record that changes nothing and calls the strategy.
    pub fn tick(&mut self) -> &mut Scene {
        let record = StatusCode::Subscribed.record(Venue::KRAKEN, BTC, self.now, 0, 0);
        self.feed(record);
        self
    }

    /// Has the strategy do something now; returns its answer.
    pub fn act(&mut self, what: Do) -> Result<ClientOrderId, Breach> {
        self.script.told().todo.push_back(what);
        self.tick();
        let answer = self.script.told().answers.last().copied();
        answer.unwrap_or(Ok(ClientOrderId::NONE))
    }

    pub fn submit(&mut self, request: OrderRequest) -> ClientOrderId {
        self.act(Do::Submit(request)).expect("the gate lets it pass")
    }

    pub fn refused(&mut self, request: OrderRequest) -> Reason {
        self.act(Do::Submit(request))
            .expect_err("the gate holds it back")
            .reason
    }

    pub fn limit(&mut self, side: Side, price: i64, size: i64) -> ClientOrderId {
        self.submit(limit(side, price, size))
    }

    pub fn command(&mut self, command: Command) {
        self.engine.command(command, &mut self.out).unwrap();
    }

    pub fn events(&self) -> Vec<TradingEvent> {
        let mut decoder = TradingDecoder::new(Venue::PAPER);
        let events = self.out.iter().filter_map(|record| decoder.push(record)).collect();
        assert_eq!(decoder.broken(), 0, "what the engine writes is whole");
        events
    }

    /// The fills: price, size, fee.
    pub fn fills(&self) -> Vec<(i64, i64, i64)> {
        let fill = |event: TradingEvent| match event.action {
            Action::Fill { fee, .. } => Some((event.price, event.size, fee)),
            _ => None,
        };
        self.events().into_iter().filter_map(fill).collect()
    }

    /// The last event, if it is of this order: what, why, and its size.
    pub fn last(&self) -> (Action, Option<Reason>, i64) {
        let event = *self.events().last().expect("an event");
        (event.action, event.detail.reason(), event.size)
    }

    pub fn held(&self) -> i64 {
        self.engine.portfolio().total().positions()[0].quantity().0
    }

    pub fn statuses(&self) -> Vec<StatusCode> {
        self.out.iter().filter_map(StatusCode::of).collect()
    }

    pub fn equity(&self) -> i64 {
        let snapshot = self.engine.snapshot();
        snapshot.strategies[0].equity[0].1.0
    }
}

pub fn limit(side: Side, price: i64, size: i64) -> OrderRequest {
    OrderRequest::limit(BTC, side, Price(price), Quantity(size))
}

pub fn market(side: Side, size: i64) -> OrderRequest {
    OrderRequest::market(BTC, side, Quantity(size))
}
