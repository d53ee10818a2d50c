//! A strategy that panics is over, and nothing else is.

mod support;

use support::*;
use tickpath_engine::engine::{Engine, EngineConfig, Panic, Recovered, StrategyConfig, StrategyState};
use tickpath_engine::order::{Fill, OrderUpdate};
use tickpath_engine::paper::PaperVenue;
use tickpath_engine::units::{Money, Time};
use tickpath_engine::{Context, MarketStatus, Quote, Strategy, Trade};
use tickpath_protocol::trading::{Action, Reason, TradingDecoder, TradingEvent};
use tickpath_protocol::{Flags, InstrumentId, Kind, Record, StatusCode, Venue};

/// Where it panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Trade,
    Quote,
    Book,
    Fill,
    Order,
    Timer,
    Status,
}

/// Rests a bid, then takes an offer; panics with two orders on their way.
struct Fragile {
    at: At,
    quotes: u32,
}

impl Fragile {
    fn reach(&self, at: At) {
        assert!(at != self.at || self.quotes < 3, "the strategy fell over {at:?}");
    }
}

/// What it holds must not be dropped: it may be half changed.
impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(self.quotes < 3 || std::thread::panicking(), "dropped after its panic");
    }
}

impl Strategy for Fragile {
    fn name(&self) -> &'static str {
        "fragile"
    }

    fn on_trade(&mut self, _: &mut Context<'_>, _: &Trade) {
        self.reach(At::Trade);
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, _: &Quote) {
        self.quotes += 1;
        ctx.submit(limit(BUY, 9_800, ONE)).unwrap();
        ctx.submit(market(BUY, ONE)).unwrap();
        ctx.set_timer(ctx.now());
        self.reach(At::Quote);
    }

    fn on_book(&mut self, _: &mut Context<'_>, _: InstrumentId) {
        self.reach(At::Book);
    }

    fn on_fill(&mut self, _: &mut Context<'_>, _: &Fill) {
        self.reach(At::Fill);
    }

    fn on_order(&mut self, _: &mut Context<'_>, _: &OrderUpdate) {
        self.reach(At::Order);
    }

    fn on_timer(&mut self, _: &mut Context<'_>, _: Time) {
        self.reach(At::Timer);
    }

    fn on_status(&mut self, _: &mut Context<'_>, _: &MarketStatus) {
        self.reach(At::Status);
    }

    fn describe(&self, _: &mut dyn FnMut(&'static str, f64)) {
        assert!(self.quotes == 0, "it describes nothing");
    }
}

/// Quotes, trades, book levels and statuses.
fn stream() -> Vec<Record> {
    let one = |turn: i64| match turn % 5 {
        0 => record(turn, Kind::Quote, Flags::BID, 9_900 + turn, 100 * ONE),
        1 => record(
            turn,
            Kind::Quote,
            Flags::ASK.with(Flags::LAST),
            10_000 + turn,
            100 * ONE,
        ),
        2 => record(turn, Kind::Trade, Flags::BID.with(Flags::LAST), 9_950, 100 * ONE),
        3 => record(turn, Kind::BookLevel, Flags::ASK.with(Flags::LAST), 10_100, 100 * ONE),
        _ => StatusCode::Subscribed.record(Venue::KRAKEN, BTC, turn * MS, 0, 0),
    };
    (0..60).map(one).collect()
}

fn run(at: At) -> (Engine<PaperVenue>, Script, Vec<Record>) {
    let config = EngineConfig {
        session: 1,
        limits: loose(),
    };
    let mut engine = Engine::new(config, PaperVenue::new(plain()).unwrap()).unwrap();
    engine.add_instrument(&instrument(BTC, "BTC/USD"));
    let config = StrategyConfig {
        instruments: vec![BTC],
        limits: loose(),
        capital: Money(0),
    };
    let steady = Script::default();
    engine
        .add_strategy(Box::new(Fragile { at, quotes: 0 }), &config)
        .unwrap();
    engine.add_strategy(Box::new(steady.clone()), &config).unwrap();
    engine.keep_images(1);
    let mut out = Vec::new();
    engine.start(0, Time(0), &mut out);
    for (position, record) in stream().iter().enumerate() {
        if position == 50 {
            steady.told().todo.push_back(Do::Submit(market(BUY, ONE)));
        }
        engine.on_record(record, position as u64, &mut out);
    }
    (engine, steady, out)
}

#[test]
fn it_is_over_and_the_others_trade_on() {
    for at in [
        At::Trade,
        At::Quote,
        At::Book,
        At::Fill,
        At::Order,
        At::Timer,
        At::Status,
    ] {
        let (mut engine, steady, out) = run(at);
        assert_eq!(engine.strategy_state(0), Some(StrategyState::Error), "{at:?}");
        assert_eq!(engine.strategy_state(1), Some(StrategyState::Running));
        assert_eq!(engine.halted(), None);
        assert!(engine.orders().open().is_empty(), "{at:?}: its orders are canceled");
        assert_eq!(steady.told().fills.len(), 1, "{at:?} {:?}", steady.told().answers);
        let said = engine.take_panic().unwrap();
        let message = format!("the strategy fell over {at:?}");
        assert_eq!(
            said,
            Panic {
                strategy: 0,
                name: "fragile",
                message
            }
        );
        assert_eq!(engine.take_panic(), None, "it panics once");
        let errors = out
            .iter()
            .filter(|r| StatusCode::of(r) == Some(StatusCode::StrategyError));
        assert_eq!(errors.count(), 1);
        let mut decoder = TradingDecoder::new(Venue::PAPER);
        let events: Vec<_> = out.iter().filter_map(|record| decoder.push(record)).collect();
        let is_ended = |event: &&TradingEvent| {
            event.action == Action::CancelSubmitted && event.detail.reason() == Some(Reason::StrategyEnded)
        };
        assert!(events.iter().any(|event| is_ended(&event)), "{at:?}");
        // A replay meets the same panic, and a restart finds everything whole.
        assert_eq!(out, run(at).2, "{at:?}");
        let recovered = Recovered::fold(Venue::PAPER, out.iter().copied());
        assert!(recovered.is_whole() && recovered.open.is_empty(), "{at:?}");
        assert!(engine.snapshot().strategies[0].described.is_empty());
    }
}
