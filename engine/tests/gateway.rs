//! The core at a venue behind a gateway: reports are records, unknown outcomes count, and a new session ends what the last one left before it acts.

mod support;

use support::*;
use tickpath_engine::engine::{Recovered, StrategyState};
use tickpath_engine::gateway::GatewayVenue;
use tickpath_engine::order::{ClientOrderId, OrderState};
use tickpath_engine::risk::{Limits, Permission};
use tickpath_engine::units::{Money, Time};
use tickpath_engine::{Engine, EngineConfig, StrategyConfig};
use tickpath_protocol::trading::{Action, Liquidity, News, Reason, TradingDecoder, VenueReport};
use tickpath_protocol::{Flags, GapCause, InstrumentId, Kind, Record, StatusCode, Venue};

const FIRST: ClientOrderId = ClientOrderId::new(1, 1);

/// An engine whose every input is kept.
struct Desk {
    engine: Engine<GatewayVenue>,
    script: Script,
    out: Vec<Record>,
    inputs: Vec<Record>,
    reported: u64,
}

impl Desk {
    fn unstarted(session: u32) -> Desk {
        let limits = Limits {
            open_orders_max: 3,
            ..loose()
        };
        let mut engine = Engine::new(EngineConfig { session, limits }, GatewayVenue::default()).unwrap();
        engine.add_instrument(&instrument(BTC, "BTC/USD"));
        let script = Script::default();
        let config = StrategyConfig {
            instruments: vec![BTC],
            limits,
            capital: Money(0),
        };
        engine.add_strategy(Box::new(script.clone()), &config).unwrap();
        Desk {
            engine,
            script,
            out: Vec::new(),
            inputs: Vec::new(),
            reported: 0,
        }
    }

    /// With one order of 10 that was sent.
    fn new() -> Desk {
        let mut desk = Desk::unstarted(1);
        desk.engine.start(0, Time(0), &mut desk.out);
        desk.act(Do::Submit(limit(BUY, 9_900, 10)));
        desk
    }

    fn feed(&mut self, record: Record) {
        let position = self.inputs.len() as u64;
        self.engine.on_record(&record, position, &mut self.out);
        self.inputs.push(record);
    }

    fn quote(&mut self) {
        let now = self.inputs.len() as i64 + 1;
        for (flags, price) in [(Flags::BID, 9_800 + now), (Flags::ASK.with(Flags::LAST), 10_000)] {
            self.feed(Record {
                kind: Kind::Quote as u8,
                venue: Venue::KRAKEN.0,
                flags: flags.0,
                scale: SCALE.to_byte(),
                instrument: BTC.0,
                ts_recv: now,
                price,
                size: ONE,
                ..Record::default()
            });
        }
    }

    fn act(&mut self, what: Do) {
        self.script.told().todo.push_back(what);
        self.quote();
    }

    fn says(&mut self, order: ClientOrderId, news: News) {
        let now = self.inputs.len() as i64 + 1;
        let report = VenueReport {
            order,
            side: Some(BUY),
            scale: SCALE,
            news,
            ts_event: now,
            ts_recv: now,
        };
        let mut records = Vec::new();
        report.encode(|record| records.push(record));
        for record in records {
            self.reported += 1;
            self.feed(Record {
                sequence: self.reported,
                ..record
            });
        }
    }

    fn state(&self, id: ClientOrderId) -> Option<OrderState> {
        self.engine.orders().get(id).map(|order| order.state)
    }

    fn held(&self) -> i64 {
        self.engine.portfolio().total().positions()[0].quantity().0
    }

    fn actions(&self) -> Vec<Action> {
        let mut decoder = TradingDecoder::new(Venue::PAPER);
        let events = self.out.iter().filter_map(|record| decoder.push(record));
        events.map(|event| event.action).collect()
    }

    fn is_halted(&self) -> bool {
        matches!(self.engine.permission(0), Permission::Nothing(Reason::Inconsistent))
    }
}

fn filled(quantity: i64, cumulative: i64) -> News {
    News::Filled {
        price: 9_900,
        quantity,
        cumulative,
        fee: 0,
        liquidity: Liquidity::Maker,
    }
}

fn canceled(filled: i64) -> News {
    let reason = Reason::Requested;
    News::Canceled { reason, filled }
}

#[test]
fn reports_are_records_and_come_as_often_as_they_like() {
    let mut desk = Desk::new();
    assert_eq!(desk.state(FIRST), Some(OrderState::Submitted));
    for _ in 0..2 {
        desk.says(FIRST, News::Accepted);
        desk.says(FIRST, filled(4, 4));
    }
    desk.says(FIRST, filled(6, 10));
    desk.says(FIRST, filled(4, 4));
    desk.says(FIRST, canceled(10));
    assert_eq!((desk.state(FIRST), desk.held()), (Some(OrderState::Filled), 10));
    let fill = |leaves| Action::Fill { fee: 0, leaves };
    assert_eq!(
        desk.actions(),
        [Action::Submitted { trigger: None }, Action::Accepted, fill(6), fill(0)]
    );
    assert_eq!(desk.script.told().fills.len(), 2);
    assert!(!desk.is_halted());
    // The same inputs decide the same again.
    let mut again = Desk::unstarted(1);
    again.engine.start(0, Time(0), &mut again.out);
    again.script.told().todo.push_back(Do::Submit(limit(BUY, 9_900, 10)));
    for record in desk.inputs.clone() {
        again.feed(record);
    }
    assert_eq!(again.out, desk.out);
}

#[test]
fn what_is_not_answered_counts_for_ever_and_a_refused_replacement_changes_nothing() {
    let mut desk = Desk::new();
    for _ in 0..3 {
        desk.act(Do::Submit(limit(BUY, 9_900, 10)));
    }
    let refused = desk.script.told().answers[3].unwrap_err();
    assert_eq!(refused.reason, Reason::OpenOrders);
    desk.says(FIRST, News::Accepted);
    desk.act(Do::Replace(FIRST, Some(9_901), 20));
    assert_eq!(desk.state(FIRST), Some(OrderState::PendingReplace));
    desk.says(FIRST, News::ReplaceRefused);
    let order = *desk.engine.orders().get(FIRST).unwrap();
    assert_eq!((order.state, order.quantity.0), (OrderState::Open, 10));
    desk.says(ClientOrderId::new(1, 2), News::Rejected(Reason::Venue));
    desk.act(Do::Submit(limit(BUY, 9_900, 10)));
    assert!(desk.script.told().answers.last().unwrap().is_ok());
}

#[test]
fn what_cannot_be_and_what_was_lost_halt() {
    for (says, halts) in [
        (filled(4, 8), true),
        (filled(11, 11), true),
        (canceled(0), false),
        (canceled(3), true),
    ] {
        let mut desk = Desk::new();
        desk.says(FIRST, says);
        assert_eq!(desk.is_halted(), halts, "{says:?}");
    }
    let gap = |venue| GapCause::NotRecorded.record(venue, InstrumentId::NONE, 9, 9, Record::ABSENT, Record::ABSENT);
    for (venue, halts) in [(Venue::GATEWAY, true), (Venue::NONE, true), (Venue::KRAKEN, false)] {
        let mut desk = Desk::new();
        desk.feed(gap(venue));
        assert_eq!(desk.is_halted(), halts, "{venue}");
        let cancels = desk
            .actions()
            .iter()
            .filter(|action| **action == Action::CancelSubmitted)
            .count();
        assert!(!halts || cancels == 1);
        // The venue says again what became of it, from the beginning.
        for news in [News::Accepted, filled(4, 4), canceled(4)] {
            desk.says(FIRST, news);
        }
        assert_eq!((desk.state(FIRST), desk.held()), (Some(OrderState::Canceled), 4));
    }
    // Half a report is a lost one.
    let mut desk = Desk::new();
    desk.says(FIRST, filled(4, 4));
    let mut half = desk.inputs.last().copied().unwrap();
    half.sequence += 7;
    desk.feed(half);
    assert!(desk.is_halted());
}

#[test]
fn a_new_session_ends_what_the_last_one_left_before_it_acts() {
    let mut first = Desk::new();
    first.says(FIRST, News::Accepted);
    first.says(FIRST, filled(4, 4));
    let recovered = Recovered::fold(Venue::PAPER, first.out.iter().copied());
    assert_eq!(recovered.open.len(), 1);

    let mut second = Desk::unstarted(2);
    assert_eq!(second.engine.recover(&recovered, 0, Time(0), &mut second.out), []);
    second.engine.start(0, Time(0), &mut second.out);
    second.script.told().todo.push_back(Do::Submit(limit(BUY, 9_900, 10)));
    second.quote();
    assert_eq!(
        second.actions(),
        [Action::CancelSubmitted],
        "nothing leaves but the cancel"
    );
    assert_eq!(second.engine.strategy_state(0), Some(StrategyState::Idle));
    // The rest of what the last session was told: what was before it is not known, and comes again.
    second.says(FIRST, filled(2, 7));
    second.says(FIRST, canceled(7));
    assert_eq!(second.held(), 4);
    // Reports that the last session did not live to hear, told from the beginning; and one of an order that was over long ago.
    second.says(FIRST, News::Accepted);
    second.says(FIRST, filled(4, 4));
    second.says(FIRST, filled(3, 7));
    second.says(ClientOrderId::new(0, 9), canceled(0));
    assert_eq!(second.engine.strategy_state(0), Some(StrategyState::Idle));
    second.says(FIRST, canceled(7));
    assert_eq!(second.engine.strategy_state(0), Some(StrategyState::Running));
    assert_eq!(second.held(), 7);
    second.quote();
    assert_eq!(second.engine.orders().open()[0].id, ClientOrderId::new(2, 1));
    let started = |record: &Record| StatusCode::of(record) == Some(StatusCode::StrategyRunning);
    assert_eq!(second.out.iter().filter(|record| started(record)).count(), 1);
    assert!(!second.is_halted());

    let mut journal = first.out.clone();
    let attached = StatusCode::ProducerAttached.record(Venue::PAPER, InstrumentId::NONE, 0, 2, 1);
    journal.push(Record {
        flags: attached.flags | Flags::FROM_RELAY.0,
        ..attached
    });
    journal.extend(&second.out);
    let both = Recovered::fold(Venue::PAPER, journal);
    assert!(both.is_whole(), "{both:?}");
    assert_eq!(both.positions[&(0, BTC)].quantity().0, 7);
    assert_eq!(both.open.keys().collect::<Vec<_>>(), [&ClientOrderId::new(2, 1)]);

    // An account that the second session had asked for comes to the third: it knows of the end, and nothing is new.
    let mut late = Desk::unstarted(3);
    assert_eq!(late.engine.recover(&both, 0, Time(0), &mut late.out), []);
    for news in [News::Accepted, filled(4, 4), filled(3, 7), canceled(7)] {
        late.says(FIRST, news);
    }
    assert!(!late.is_halted());
    assert_eq!(late.held(), 7);

    // A fill of an order that nobody remembers is a position that nobody knew.
    let mut third = Desk::unstarted(3);
    third.engine.start(0, Time(0), &mut third.out);
    third.quote();
    third.says(FIRST, filled(1, 1));
    assert!(third.is_halted());
}
