//! Binance: update ids and REST images.

use super::*;

#[test]
fn an_image_bridges_with_what_was_kept() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    bench.frame("b A U=10 u=11 b100=1");
    bench.frame("b A U=12 u=14 b101=2 a105=3");
    assert_eq!(
        bench.take(),
        [
            "A level b100=1 last untrusted",
            "A level b101=2 untrusted",
            "A level a105=3 last untrusted",
        ]
    );
    let actions = bench.pass(1);
    let [Action::RequestImage { symbol, request, .. }] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(symbol, "A");
    assert_eq!(bench.take(), ["A resyncing"]);
    bench.image("A", Some(*request), Some("u=11 b100=7 a104=1"));
    assert_eq!(
        bench.take(),
        [
            "A clear snapshot",
            "A level b100=7 snapshot",
            "A level a104=1 snapshot",
            "A level b101=2 snapshot",
            "A level a105=3 last snapshot",
            "A book_trusted",
        ]
    );
    bench.frame("b A U=15 u=15 b101=0");
    assert_eq!(bench.take(), ["A level b101=0 last"]);
    assert!(bench.is_trusted("A"));
    assert_eq!(bench.feed.counters().resyncs, 0);
}

#[test]
fn a_hole_costs_the_trust_and_an_image_gives_it_back() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    bench.frame("b A U=1 u=1 b100=1");
    bench.image("A", None, Some("u=1 b100=1"));
    bench.take();
    bench.frame("b A U=2 u=2");
    bench.frame("b A U=5 u=6 b99=1");
    assert_eq!(
        bench.take(),
        [
            "A gap venue_sequence 3..4",
            "A book_untrusted venue_sequence",
            "A level b99=1 last untrusted",
        ]
    );
    bench.frame("b A U=2 u=3 b1=1");
    assert_eq!(bench.take(), Vec::<String>::new(), "older than what was seen");
    assert_eq!(bench.feed.counters().duplicates, 1);
    let actions = bench.pass(1);
    let [Action::RequestImage { request, .. }] = actions[..] else {
        panic!("{actions:?}")
    };
    bench.take();
    bench.image("A", Some(request), Some("u=3 b98=1"));
    assert!(!bench.is_trusted("A"), "too old: updates 4 are missing");
    assert_eq!(bench.take(), Vec::<String>::new());
    let actions = bench.pass(2);
    let [Action::RequestImage { request, .. }] = actions[..] else {
        panic!("{actions:?}")
    };
    bench.image("A", Some(request), Some("u=5 b98=1"));
    assert!(bench.is_trusted("A"));
    assert_eq!(bench.feed.counters().resyncs, 1);
    assert!(!bench.is_trusted("B"), "each book for itself");
}

#[test]
fn an_image_that_is_ahead_waits_for_the_stream() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    let actions = bench.pass(3);
    assert_eq!(actions.len(), 2, "a quiet market is asked for as well: {actions:?}");
    bench.take();
    bench.image("A", Some(1), Some("u=20 b100=1"));
    assert_eq!(bench.take(), Vec::<String>::new());
    bench.frame("b A U=19 u=19 b99=1");
    assert!(!bench.is_trusted("A"));
    bench.frame("b A U=20 u=22 b101=1");
    assert!(bench.is_trusted("A"));
    assert_eq!(
        bench.take(),
        [
            "A level b99=1 last untrusted",
            "A level b101=1 last untrusted",
            "A clear snapshot",
            "A level b100=1 snapshot",
            "A level b101=1 last snapshot",
            "A book_trusted",
        ]
    );
}

#[test]
fn a_disconnect_begins_anew() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    bench.frame("b A U=100 u=100 b100=1; t A 50 100 1");
    bench.image("A", None, Some("u=100 b100=1"));
    bench.take();
    bench.disconnect(C1);
    assert_eq!(
        bench.take(),
        [
            "A gap disconnect ?..?",
            "A book_untrusted disconnect",
            "B gap disconnect ?..?",
            "B book_untrusted disconnect",
        ]
    );
    bench.connect(C2);
    // The venue counts from 1 again.
    bench
        .frame_on(C2, "b A U=1 u=1 b90=1; t A 1 90 1; q A 1 89 91")
        .unwrap();
    bench.image("A", None, Some("u=1 b90=1"));
    assert!(bench.is_trusted("A"));
    assert_eq!(bench.feed.counters().duplicates, 0);
}

#[test]
fn answers_of_an_earlier_connection_do_not_count() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    bench.frame("b A U=100 u=100 b100=1");
    let actions = bench.pass(1);
    let [Action::RequestImage { request, .. }] = actions[..] else {
        panic!("{actions:?}")
    };
    bench.disconnect(C1);
    bench.connect(C2);
    bench.frame_on(C2, "b A U=99 u=101 b90=1").unwrap();
    bench.image("A", Some(request), Some("u=100 b90=1"));
    assert!(!bench.is_trusted("A"));
}

#[test]
fn images_are_asked_for_at_the_pace_allowed() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    let mut asked = 0;
    for _ in 0..300 {
        for action in bench.pass(1) {
            let Action::RequestImage { symbol, request, .. } = action else {
                panic!("{action:?}")
            };
            asked += 1;
            bench.image(&symbol, Some(request), None);
        }
    }
    assert!(
        (10..=12).contains(&asked),
        "2 a minute for 5 minutes, and a burst of 2: {asked}"
    );
    bench.feed.hold_images(bench.now_ns + 600 * SECOND_NS);
    assert_eq!(bench.pass(599), []);
    assert!(!bench.pass(60).is_empty());
}

#[test]
fn too_many_updates_without_an_image_overflow() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    for id in 1..=super::super::chain::EVENTS_MAX + 1 {
        bench.frame(&format!("b A U={id} u={id} b100={id}"));
    }
    assert!(bench.take().contains(&"A gap overflow ?..?".to_owned()));
    let last = super::super::chain::EVENTS_MAX;
    bench.image("A", None, Some(&format!("u={last} b100=1")));
    assert!(bench.is_trusted("A"));
}

#[test]
fn a_crossed_book_is_not_trusted() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    bench.frame("b A U=1 u=1");
    bench.image("A", None, Some("u=1 b100=1 a101=1"));
    bench.take();
    bench.frame("b A U=2 u=2 b101=1");
    assert_eq!(
        bench.take(),
        [
            "A gap crossed ?..?",
            "A book_untrusted crossed",
            "A level b101=1 last untrusted",
        ]
    );
    assert_eq!(bench.feed.counters().crossed, 1);
    bench.frame("b A U=3 u=3 a101=0");
    bench.image("A", None, Some("u=2 b101=1 a101=1"));
    assert!(bench.is_trusted("A"), "the update after the image uncrosses it");
}
