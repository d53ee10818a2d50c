//! A venue that says too much, too late, twice, or what cannot be.

mod support;

use std::sync::{Arc, Mutex};

use support::*;
use tickpath_engine::engine::{Engine, EngineConfig, StrategyConfig};
use tickpath_engine::market::{Change, InstrumentIndex, MarketView};
use tickpath_engine::order::{Liquidity, Order, OrderState, Replacement};
use tickpath_engine::risk::{Approved, Permission};
use tickpath_engine::units::{Money, Price, Quantity, Time};
use tickpath_engine::venue::{Execution, ExecutionVenue, Report};
use tickpath_protocol::trading::{Action, ClientOrderId, Reason, TradingDecoder};
use tickpath_protocol::{Flags, Kind, Record, StatusCode, Venue};

/// Says what the test puts into it, at the next record, and counts what it is asked.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Asked>>);

#[derive(Default)]
struct Asked {
    says: Vec<Report>,
    orders: Vec<Order>,
    cancels: Vec<ClientOrderId>,
}

impl ExecutionVenue for Scripted {
    fn code(&self) -> Venue {
        Venue::PAPER
    }

    fn submit(&mut self, order: Approved<Order>, _: Time) {
        self.0.lock().unwrap().orders.push(order.into_inner());
    }

    fn cancel(&mut self, id: ClientOrderId, _: InstrumentIndex, _: Time) {
        self.0.lock().unwrap().cancels.push(id);
    }

    fn replace(&mut self, _: Approved<Replacement>, _: Time) {}

    fn on_market(&mut self, _: &MarketView, _: &Change, _: &Record, _: Time) {}

    fn next_due(&self) -> Time {
        if self.0.lock().unwrap().says.is_empty() {
            Time::NEVER
        } else {
            Time(0)
        }
    }

    fn poll(&mut self, _: &MarketView, _: Time, reports: &mut Vec<Report>) {
        reports.append(&mut self.0.lock().unwrap().says);
    }

    fn seed_position(&mut self, _: u16, _: InstrumentIndex, _: Quantity) {}
}

struct Faulty {
    engine: Engine<Scripted>,
    venue: Scripted,
    script: Script,
    out: Vec<Record>,
    now: i64,
}

const FIRST: ClientOrderId = ClientOrderId::new(1, 1);

impl Faulty {
    /// With one order of 10 that was sent.
    fn new() -> Faulty {
        let venue = Scripted::default();
        let config = EngineConfig {
            session: 1,
            limits: loose(),
        };
        let mut engine = Engine::new(config, venue.clone()).unwrap();
        engine.add_instrument(&instrument(BTC, "BTC/USD"));
        let script = Script::default();
        let config = StrategyConfig {
            instruments: vec![BTC],
            limits: loose(),
            capital: Money(0),
        };
        engine.add_strategy(Box::new(script.clone()), &config).unwrap();
        let mut faulty = Faulty {
            engine,
            venue,
            script,
            out: Vec::new(),
            now: 0,
        };
        faulty.engine.start(0, Time(0), &mut faulty.out);
        faulty.script.told().todo.push_back(Do::Submit(limit(BUY, 9_900, 10)));
        faulty.record();
        faulty
    }

    fn record(&mut self) {
        self.now += 1;
        for (flags, price) in [(Flags::BID, 9_800 + self.now), (Flags::ASK.with(Flags::LAST), 10_000)] {
            let record = Record {
                kind: Kind::Quote as u8,
                venue: Venue::KRAKEN.0,
                flags: flags.0,
                scale: SCALE.to_byte(),
                instrument: BTC.0,
                ts_recv: self.now,
                price,
                size: ONE,
                ..Record::default()
            };
            self.engine.on_record(&record, self.now as u64, &mut self.out);
        }
    }

    fn says(&mut self, reports: &[Report]) {
        self.venue.0.lock().unwrap().says.extend_from_slice(reports);
        self.record();
    }

    fn state(&self) -> Option<OrderState> {
        self.engine.orders().get(FIRST).map(|order| order.state)
    }

    fn held(&self) -> i64 {
        self.engine.portfolio().total().positions()[0].quantity().0
    }

    fn fills_written(&self) -> usize {
        let mut decoder = TradingDecoder::new(Venue::PAPER);
        let events = self.out.iter().filter_map(|record| decoder.push(record));
        events
            .filter(|event| matches!(event.action, Action::Fill { .. }))
            .count()
    }

    fn is_halted(&self) -> bool {
        let says_so = self
            .out
            .iter()
            .any(|record| StatusCode::of(record) == Some(StatusCode::TradingHalted));
        assert_eq!(
            says_so,
            matches!(self.engine.permission(0), Permission::Nothing(Reason::Inconsistent))
        );
        says_so
    }
}

fn filled(quantity: i64, cumulative: i64) -> Report {
    Report::Filled(Execution {
        id: FIRST,
        price: Price(9_900),
        quantity: Quantity(quantity),
        cumulative: Quantity(cumulative),
        fee: Money(3),
        liquidity: Liquidity::Maker,
    })
}

const ACCEPTED: Report = Report::Accepted { id: FIRST };
const CANCELED: Report = Report::Canceled {
    id: FIRST,
    reason: Reason::Requested,
    filled: Quantity(4),
};

#[test]
fn fills_before_the_acknowledgement_twice_and_after_the_end() {
    let mut faulty = Faulty::new();
    faulty.says(&[filled(4, 4), filled(4, 4), ACCEPTED, ACCEPTED]);
    assert_eq!((faulty.held(), faulty.state()), (4, Some(OrderState::Open)));
    faulty.script.told().todo.push_back(Do::Cancel(FIRST));
    faulty.says(&[]);
    faulty.says(&[CANCELED, filled(3, 7), filled(4, 4), CANCELED]);
    assert_eq!((faulty.held(), faulty.state()), (7, Some(OrderState::Canceled)));
    assert_eq!(faulty.fills_written(), 2);
    assert!(!faulty.is_halted());
    assert_eq!(faulty.script.told().fills.len(), 2);
}

#[test]
fn what_cannot_be_halts_and_cancels() {
    let unknown = ClientOrderId::new(1, 99);
    let reason = Reason::Venue;
    for (name, reports) in [
        ("a fill was missed", vec![ACCEPTED, filled(2, 5)]),
        ("more than the order", vec![ACCEPTED, filled(11, 11)]),
        ("an order nobody sent", vec![Report::Accepted { id: unknown }]),
        (
            "refused after accepted",
            vec![ACCEPTED, Report::Rejected { id: FIRST, reason }],
        ),
        (
            "filled after refused",
            vec![Report::Rejected { id: FIRST, reason }, filled(1, 1)],
        ),
    ] {
        let mut faulty = Faulty::new();
        faulty.script.told().todo.push_back(Do::Submit(limit(BUY, 9_850, 10)));
        faulty.record();
        faulty.says(&reports);
        assert!(faulty.is_halted(), "{name}");
        assert_eq!(faulty.held(), 0, "{name}: no position is guessed");
        let second = ClientOrderId::new(1, 2);
        assert!(faulty.venue.0.lock().unwrap().cancels.contains(&second), "{name}");
        let sent = faulty.venue.0.lock().unwrap().orders.len();
        faulty.script.told().todo.push_back(Do::Submit(limit(BUY, 9_840, 10)));
        faulty.record();
        assert_eq!(
            faulty.venue.0.lock().unwrap().orders.len(),
            sent,
            "{name}: nothing more leaves"
        );
    }
}

#[test]
fn an_answer_that_never_comes_keeps_the_order_counted() {
    let mut faulty = Faulty::new();
    for _ in 0..1_000 {
        faulty.record();
    }
    assert_eq!(faulty.state(), Some(OrderState::Submitted));
    assert_eq!(faulty.venue.0.lock().unwrap().orders.len(), 1, "nothing is sent twice");
    assert_eq!(faulty.engine.orders().open().len(), 1, "and its risk is not released");
}
