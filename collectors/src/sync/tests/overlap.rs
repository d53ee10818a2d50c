//! Two connections with the same instruments: nothing is lost or doubled.

use super::*;

#[test]
fn a_hand_over_neither_loses_nor_doubles() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    bench.frame("b A U=1 u=1; t A 10 100 1; q A 1 99 101");
    bench.image("A", None, Some("u=1 b100=1"));
    bench.connect(C2);
    bench.take();
    // The old connection is ahead, then behind.
    bench.frame("t A 11 100 1; b A U=2 u=2 b98=1; q A 2 98 101");
    bench
        .frame_on(C2, "t A 11 100 1; t A 12 100 2; b A U=2 u=2 b98=1; q A 2 98 101")
        .unwrap();
    bench.frame_on(C2, "b A U=3 u=3 b97=1; q A 3 97 101").unwrap();
    bench.frame("t A 12 100 2; b A U=3 u=3 b97=1; q A 3 97 101");
    bench.disconnect(C1);
    bench.frame_on(C2, "t A 13 100 3; b A U=4 u=4 b96=1").unwrap();
    let records = bench.take();
    let of = |kind: &str| records.iter().filter(|record| record.starts_with(kind)).count();
    assert_eq!(of("A trade"), 3);
    assert_eq!(of("A quote"), 4);
    assert_eq!(of("A level"), 3);
    assert_eq!(of("A gap") + of("A book_untrusted"), 0);
    assert!(bench.is_trusted("A"));
}

#[test]
fn the_venue_announces_its_end() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    bench.frame("shutdown");
    assert_eq!(bench.feed.next_action(), Some(Action::HandOver { connection: C1 }));
}

#[test]
fn a_subscription_that_brings_nothing_is_reported_once() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    bench.frame("t A 1 100 1");
    bench.pass(29);
    assert!(!bench.take().iter().any(|record| record.contains("never_started")));
    bench.pass(60);
    let alarms: Vec<_> = bench
        .take()
        .into_iter()
        .filter(|record| record.contains("never_started"))
        .collect();
    assert_eq!(alarms, ["B never_started"]);
}

#[test]
fn unselected_symbols_are_quiet_and_unknown_ones_are_not() {
    let mut bench = Bench::new(SyncRule::Images);
    bench.frame("t OTHER 1 1 1");
    assert_eq!(bench.feed.counters().ignored, 1);
    assert_eq!(bench.feed.counters().refused, 0);
    assert_eq!(
        bench.frame_on(C1, "t NOBODY 1 1 1"),
        Err(Refused::UnknownSymbol("NOBODY".into()))
    );
    let counters = bench.feed.counters();
    assert_eq!((counters.refused, counters.unknown_symbol), (1, 1));
}
