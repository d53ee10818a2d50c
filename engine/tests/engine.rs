//! The engine as a whole: states, commands, timers, restarts, and the same records for the same inputs.

mod support;

use proptest::prelude::*;
use support::random::{any_steps, play};
use support::*;
use tickpath_engine::engine::{Command, CommandError, Recovered, RecoveryProblem, SetupError, StrategyState};
use tickpath_engine::order::{OrderEvent, OrderRequest};
use tickpath_engine::paper::PaperConfig;
use tickpath_engine::risk::{Limits, Permission};
use tickpath_engine::units::{Money, Time};
use tickpath_engine::{Engine, EngineConfig, StrategyConfig};
use tickpath_protocol::trading::{Action, ClientOrderId, Reason};
use tickpath_protocol::{GapCause, InstrumentId, Record, Side, StatusCode, Venue};

fn scene() -> Scene {
    let mut scene = Scene::new(plain(), loose());
    scene.quote((9_900, 100 * ONE), (10_000, 100 * ONE));
    scene
}

#[test]
fn a_session_says_how_it_begins() {
    let scene = scene();
    assert_eq!(
        scene.statuses(),
        [StatusCode::EngineStarted, StatusCode::StrategyRunning]
    );
    assert_eq!(scene.out[0].price, 1);
    assert_eq!(scene.engine.strategy_state(0), Some(StrategyState::Running));
}

#[test]
fn a_strategy_hears_of_its_orders_in_order() {
    let mut scene = scene();
    let id = scene.limit(BUY, 10_000, ONE);
    assert_eq!(id, ClientOrderId::new(1, 1));
    {
        let told = scene.script.told();
        assert_eq!(told.updates.len(), 1);
        assert_eq!(told.updates[0].event, OrderEvent::Accepted);
        assert_eq!((told.fills[0].order, told.fills[0].leaves.0), (id, 0));
        assert_eq!(told.quotes.len(), 1);
    }
    let actions: Vec<Action> = scene.events().iter().map(|event| event.action).collect();
    let fill = Action::Fill { fee: 0, leaves: 0 };
    assert_eq!(actions, [Action::Submitted { trigger: None }, Action::Accepted, fill]);
}

#[test]
fn states_and_what_they_allow() {
    let mut scene = scene();
    scene.submit(market(BUY, ONE));
    scene.limit(BUY, 9_800, ONE);
    scene.command(Command::Pause(0));
    assert_eq!(scene.engine.orders().open().len(), 0);
    assert_eq!(scene.refused(limit(BUY, 9_800, ONE)), Reason::NotRunning);
    let reduce = OrderRequest {
        reduce_only: true,
        ..limit(SELL, 10_100, ONE)
    };
    scene.submit(reduce);
    scene.command(Command::Resume(0));
    scene.limit(BUY, 9_800, ONE);
    assert_eq!(scene.engine.orders().open().len(), 2);
    scene.command(Command::Stop(0));
    assert_eq!(scene.engine.orders().open().len(), 0);
    let answers = scene.script.told().answers.len();
    scene.script.told().todo.push_back(Do::Submit(limit(BUY, 9_800, ONE)));
    scene.tick();
    assert_eq!(scene.script.told().answers.len(), answers, "it is not called any more");
    let again = scene.engine.command(Command::Resume(0), &mut scene.out);
    assert!(matches!(again, Err(CommandError::Over { .. })));
    let nobody = scene.engine.command(Command::Resume(7), &mut scene.out);
    assert_eq!(nobody, Err(CommandError::UnknownStrategy(7)));
    use StatusCode::{StrategyPaused, StrategyRunning, StrategyStopped};
    assert_eq!(
        scene.statuses()[2..],
        [StrategyPaused, StrategyRunning, StrategyStopped]
    );
}

#[test]
fn a_strategy_may_give_up() {
    let mut scene = scene();
    scene.limit(BUY, 9_800, ONE);
    scene.act(Do::Fail).ok();
    assert_eq!(scene.engine.strategy_state(0), Some(StrategyState::Error));
    assert_eq!(scene.engine.orders().open().len(), 0);
    assert_eq!(scene.statuses().last(), Some(&StatusCode::StrategyError));
    assert_eq!(scene.last().1, Some(Reason::StrategyEnded));
}

#[test]
fn the_kill_switch_latches_until_armed() {
    let mut scene = scene();
    scene.submit(market(BUY, ONE));
    scene.limit(BUY, 9_800, ONE);
    scene.command(Command::Kill);
    assert_eq!(scene.last(), (Action::Canceled, Some(Reason::Kill), ONE));
    scene.command(Command::Kill);
    let latched = scene
        .statuses()
        .iter()
        .filter(|code| **code == StatusCode::KillLatched)
        .count();
    assert_eq!(latched, 1);
    let out = OrderRequest {
        reduce_only: true,
        ..market(SELL, ONE)
    };
    assert_eq!(scene.refused(out), Reason::Killed, "nothing at all");
    scene.command(Command::Arm);
    scene.submit(out);
    assert_eq!(scene.held(), 0);
}

#[test]
fn timers_fire_at_the_first_record_after_them() {
    let mut scene = scene();
    for at in [30, 10, 20, 5_000] {
        scene.script.told().todo.push_back(Do::Timer(at));
    }
    scene.tick();
    scene.at(9).tick();
    assert_eq!(scene.script.told().timers, []);
    scene.at(25).tick();
    assert_eq!(scene.script.told().timers, [Time(25), Time(25)]);
    scene.at(30).tick();
    assert_eq!(scene.script.told().timers.len(), 3);
    scene.at(7).tick();
    assert_eq!(scene.engine.snapshot().now, Time(30), "time does not go back");
}

#[test]
fn what_cannot_be_set_up_is_refused() {
    let venue = || tickpath_engine::paper::PaperVenue::new(plain()).unwrap();
    let config = |session| EngineConfig {
        session,
        limits: loose(),
    };
    assert_eq!(Engine::new(config(0), venue()).err(), Some(SetupError::Session(0)));
    let mut engine = Engine::new(config(1), venue()).unwrap();
    let add = |instruments: &[InstrumentId], limits| StrategyConfig {
        instruments: instruments.to_vec(),
        limits,
        capital: Money(0),
    };
    let result = engine.add_strategy(Box::new(Script::default()), &add(&[BTC], loose()));
    assert!(matches!(result, Err(SetupError::UnknownInstrument { .. })));
    engine.add_instrument(&instrument(BTC, "BTC/USD"));
    let result = engine.add_strategy(Box::new(Script::default()), &add(&[], loose()));
    assert_eq!(result, Err(SetupError::NoInstrument("script")));
    let zero = Limits {
        open_orders_max: 0,
        ..loose()
    };
    let error = engine
        .add_strategy(Box::new(Script::default()), &add(&[BTC], zero))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "limits of strategy `script`: open_orders_max must be above zero"
    );
}

/// Everything of the first session is in its records: the second finds positions, open orders, the latch, and does not repeat an id.
#[test]
fn a_restart_finds_what_was_left() {
    let latency = PaperConfig {
        report_latency_ns: MS,
        ..plain()
    };
    let mut first = Scene::new(latency, loose());
    first.at(MS).quote((9_900, 100 * ONE), (10_000, 100 * ONE));
    first.submit(market(BUY, 3 * ONE));
    first.at(3 * MS).submit(market(SELL, ONE));
    first.at(5 * MS).limit(BUY, 9_800, 2 * ONE);
    let moved = first.limit(BUY, 9_700, 2 * ONE);
    first.at(6 * MS).tick();
    first.at(7 * MS).act(Do::Replace(moved, Some(9_750), ONE)).unwrap();
    first.at(9 * MS).tick().command(Command::Kill);
    // The process dies here: the cancels were sent and their answers never came.
    let recovered = Recovered::fold(Venue::PAPER, first.out.iter().copied());
    assert!(recovered.is_whole());
    assert_eq!((recovered.session, recovered.killed), (1, true));
    assert_eq!(recovered.open.len(), 2);
    assert_eq!(recovered.open[&moved].quantity, ONE);
    let position = recovered.positions[&(0, BTC)];
    assert_eq!(position, first.engine.portfolio().strategy(0).positions()[0]);

    let mut second = Scene::unstarted(recovered.session + 1, latency, loose());
    let problems = second.engine.recover(&recovered, 9, Time(10 * MS), &mut second.out);
    assert_eq!(problems, []);
    second.engine.start(9, Time(10 * MS), &mut second.out);
    second.at(10 * MS).quote((9_900, 100 * ONE), (10_000, 100 * ONE));
    use StatusCode::{EngineRecovered, EngineStarted, KillLatched, StrategyRunning};
    assert_eq!(
        second.statuses(),
        [EngineRecovered, KillLatched, EngineStarted, StrategyRunning]
    );
    assert_eq!(
        (second.out[0].price, second.out[0].size),
        (2, 1),
        "two orders, one position"
    );
    let reasons: Vec<_> = second
        .events()
        .iter()
        .map(|event| (event.action, event.detail.reason()))
        .collect();
    assert_eq!(reasons, [(Action::Canceled, Some(Reason::Restart)); 2]);
    assert_eq!(second.held(), 2 * ONE);
    assert_eq!(second.refused(limit(BUY, 9_800, ONE)), Reason::Killed);
    second.command(Command::Arm);
    let reduce = OrderRequest {
        reduce_only: true,
        ..market(SELL, 2 * ONE)
    };
    assert_eq!(second.submit(reduce), ClientOrderId::new(2, 1));
    second.at(20 * MS).tick();
    assert_eq!(second.held(), 0);

    let mut journal = first.out.clone();
    let attached = StatusCode::ProducerAttached.record(Venue::PAPER, InstrumentId::NONE, 0, 2, 1);
    journal.push(Record {
        flags: attached.flags | tickpath_protocol::Flags::FROM_RELAY.0,
        ..attached
    });
    journal.extend(&second.out);
    let both = Recovered::fold(Venue::PAPER, journal);
    assert!(both.is_whole(), "{both:?}");
    assert_eq!(
        (both.session, both.killed, both.open.len(), both.positions_held()),
        (2, false, 0, 0)
    );
}

#[test]
fn a_journal_with_a_hole_halts_the_engine() {
    let mut first = scene();
    first.submit(market(BUY, 3 * ONE));
    first.submit(market(SELL, ONE));
    for lost in 0..first.out.len() {
        let mut journal = first.out.clone();
        journal.remove(lost);
        let recovered = Recovered::fold(Venue::PAPER, journal);
        if lost == 0 || lost + 1 == first.out.len() {
            continue; // What is before the first and after the last record, nothing in the journal tells.
        }
        assert!(!recovered.is_whole(), "without {lost}");
        let mut second = Scene::unstarted(2, plain(), loose());
        let problems = second.engine.recover(&recovered, 0, Time(0), &mut second.out);
        assert!(matches!(problems[..], [RecoveryProblem::Damaged { .. }]));
        second.engine.start(0, Time(0), &mut second.out);
        assert_eq!(second.engine.permission(0), Permission::Nothing(Reason::Inconsistent));
        second.command(Command::Arm);
        assert_eq!(second.engine.permission(0), Permission::All);
    }
    let gap = GapCause::NotRecorded.record(Venue::NONE, InstrumentId::NONE, 0, 0, 5, 9);
    let journal = first.out.iter().copied().chain([gap]);
    assert_eq!(Recovered::fold(Venue::PAPER, journal).missing, 5);
    let twice = first.out.iter().chain(&first.out[3..]).copied();
    let recovered = Recovered::fold(Venue::PAPER, twice);
    assert!(
        recovered.is_whole() && recovered.duplicates > 0,
        "a relay that was killed repeats itself"
    );
    assert_eq!(recovered.positions[&(0, BTC)].quantity().0, 2 * ONE);
}

#[test]
fn another_strategy_does_not_inherit() {
    let mut first = scene();
    first.submit(market(BUY, ONE));
    let mut recovered = Recovered::fold(Venue::PAPER, first.out.iter().copied());
    recovered
        .strategies
        .insert(0, tickpath_protocol::trading::StrategyKey::new(0, "other"));
    let mut second = Scene::unstarted(2, plain(), loose());
    let problems = second.engine.recover(&recovered, 0, Time(0), &mut second.out);
    assert_eq!(problems, [RecoveryProblem::OtherStrategy { strategy: 0 }]);
    assert_eq!(second.held(), 0);
}

proptest! {
    /// The same inputs give the same bytes; what the records say comes to the engine's own positions; recovery agrees; no id is used twice; no order is filled
    /// beyond its quantity.
    #[test]
    fn records_are_the_whole_truth(steps in any_steps(), latency in 0i64..3, fee in -200i64..2_000) {
        let paper = PaperConfig { order_latency_ns: latency * MS, report_latency_ns: latency * MS / 2, maker_fee_ppm: -fee / 10, taker_fee_ppm: fee, ..PaperConfig::default() };
        let scene = play(&steps, Scene::new(paper, loose()), MS);
        prop_assert_eq!(&scene.out, &play(&steps, Scene::new(paper, loose()), MS).out);
        for (index, record) in scene.out.iter().enumerate() {
            prop_assert_eq!(record.sequence, index as u64 + 1);
        }
        let (mut held, mut fees, mut ids) = (0i64, 0i128, Vec::new());
        for event in scene.events() {
            match event.action {
                Action::Fill { fee, leaves } => {
                    held += if event.side == Some(Side::Bid) { event.size } else { -event.size };
                    fees += i128::from(fee);
                    prop_assert!(leaves >= 0 && event.size > 0);
                }
                Action::Submitted { .. } => ids.push(event.order),
                _ => {}
            }
        }
        prop_assert!(ids.is_sorted_by(|a, b| a < b));
        let total = scene.engine.portfolio().total().positions()[0];
        prop_assert_eq!((total.quantity().0, total.fees()), (held, fees));
        prop_assert_eq!(scene.engine.snapshot().halted, None);
        let recovered = Recovered::fold(Venue::PAPER, scene.out.iter().copied());
        prop_assert!(recovered.is_whole());
        prop_assert_eq!(recovered.positions.get(&(0, BTC)).copied().unwrap_or_default(), total);
        let open: Vec<_> = scene.engine.orders().open().iter().map(|order| order.id).collect();
        prop_assert_eq!(recovered.open.keys().copied().collect::<Vec<_>>(), open);
    }

    /// Records of any content: no panic, and no order passes a market that makes no sense.
    #[test]
    fn any_records_end_in_an_answer(words in prop::collection::vec((any::<[u64; 6]>(), 0u8..30, any::<bool>()), 0..200)) {
        let mut scene = Scene::new(plain(), loose());
        for (words, kind, ours) in words {
            let mut record = Record::from_words(words);
            record.kind = kind;
            if ours {
                (record.venue, record.instrument, record.scale) = (Venue::KRAKEN.0, BTC.0, SCALE.to_byte());
            }
            scene.script.told().todo.push_back(Do::Submit(market(BUY, ONE)));
            scene.feed(record);
        }
    }
}
