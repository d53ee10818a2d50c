//! Binance: fresh images of books that are proven.

use super::super::refresh::Refresh;
use super::*;

/// A proven book of A at update 1.
fn proven() -> Bench {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    bench.frame("b A U=1 u=1 b100=1");
    bench.image("A", None, Some("u=1 b100=1 a105=1"));
    bench.take();
    bench
}

impl Bench {
    /// Lets time pass until fresh images are due, and takes the request for A.
    fn asked_for_a(&mut self) -> u64 {
        self.now_ns += Refresh::EVERY_NS;
        let of_a = |action| match action {
            Action::RequestImage { symbol, request, .. } if symbol == "A" => Some(request),
            _ => None,
        };
        let requests: Vec<u64> = self.pass(1).into_iter().filter_map(of_a).collect();
        let [request] = requests[..] else {
            panic!("{requests:?}")
        };
        self.take();
        request
    }
}

#[test]
fn a_fresh_image_replaces_the_book_which_stays_trusted() {
    let mut bench = proven();
    bench.now_ns += Refresh::EVERY_NS / 2 - 2 * SECOND_NS;
    let is_of_a = |action: &Action| matches!(action, Action::RequestImage { symbol, .. } if symbol == "A");
    assert!(!bench.pass(1).iter().any(is_of_a));
    let request = bench.asked_for_a();
    bench.frame("b A U=2 u=3 b101=2");
    bench.frame("b A U=4 u=4 b99=3");
    assert_eq!(bench.take(), ["A level b101=2 last", "A level b99=3 last"]);
    bench.image("A", Some(request), Some("u=3 b101=2 a105=1 a200=9"));
    assert_eq!(
        bench.take(),
        [
            "A clear snapshot",
            "A level b101=2 snapshot",
            "A level a105=1 snapshot",
            "A level a200=9 snapshot",
            "A level b99=3 last snapshot",
        ]
    );
    bench.frame("b A U=5 u=5 b99=0");
    assert_eq!(bench.take(), ["A level b99=0 last"]);
    assert!(bench.is_trusted("A"));
    let counters = bench.feed.counters();
    assert_eq!((counters.refreshes, counters.gaps, counters.resyncs), (1, 0, 0));
    bench.asked_for_a();
}

#[test]
fn an_image_that_is_of_no_use_is_asked_for_again_later() {
    for body in [None, Some("u=0 b1=1")] {
        let mut bench = proven();
        let request = bench.asked_for_a();
        bench.image("A", Some(request), body);
        bench.frame("b A U=2 u=2 b99=1");
        assert_eq!(bench.take(), ["A level b99=1 last"], "{body:?}");
        assert!(bench.is_trusted("A"));
        assert_eq!(bench.pass(60).len(), 0, "{body:?}: B is being asked for, and A not yet");
        bench.now_ns += Refresh::RETRY_NS;
        assert_eq!(bench.pass(1).len(), 1, "{body:?}");
        assert_eq!(bench.feed.counters().refreshes, 0);
    }
}

#[test]
fn a_hole_while_an_image_is_on_its_way_costs_the_trust() {
    let mut bench = proven();
    let request = bench.asked_for_a();
    bench.frame("b A U=3 u=3 b101=2");
    assert!(!bench.is_trusted("A"));
    bench.image("A", Some(request), Some("u=2 b1=1"));
    assert!(!bench.is_trusted("A"), "the answer is to a question that is void");
    bench.image("A", None, Some("u=2 b1=1"));
    assert!(bench.is_trusted("A"));
}

#[test]
fn a_book_that_is_not_proven_comes_first() {
    let mut bench = proven();
    bench.frame("b B U=1 u=1 b1=1");
    bench.now_ns += Refresh::EVERY_NS;
    let symbols: Vec<_> = bench
        .pass(1)
        .into_iter()
        .map(|action| match action {
            Action::RequestImage { symbol, .. } => symbol,
            action => panic!("{action:?}"),
        })
        .collect();
    assert_eq!(symbols, ["B", "A"]);
}
