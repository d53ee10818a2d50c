//! Random orders through the book and through a naive one: the same events, in the same order.
//!
//! `TICKPATH_TEST_ORDERS=10000000 cargo test --release -p tickpath-matching --test reference` for the long run.

mod support;

use std::collections::BTreeMap;

use support::flow::{Flow, RULES, Step};
use support::naive::NaiveBook;
use tickpath_matching::{Book, Event, Reject};

/// Orders of a run unless the environment says otherwise.
const ORDERS: u64 = 200_000;

fn orders() -> u64 {
    match std::env::var("TICKPATH_TEST_ORDERS") {
        Ok(text) => text.parse().expect("TICKPATH_TEST_ORDERS is a number of orders"),
        Err(_) => ORDERS,
    }
}

/// What a run has seen, so that a flow that tests nothing is noticed.
#[derive(Default, Debug)]
struct Seen(BTreeMap<String, u64>);

impl Seen {
    fn count(&mut self, event: &Event) {
        let name = match event {
            Event::Rejected { request, reason, .. } => format!("{request:?} {reason:?}"),
            Event::Canceled { reason, .. } => format!("Canceled {reason:?}"),
            Event::Reduced { reason, .. } => format!("Reduced {reason:?}"),
            Event::Replaced { kept_place, .. } => format!("Replaced {kept_place}"),
            other => format!("{other:?}").split(' ').next().unwrap_or_default().to_owned(),
        };
        *self.0.entry(name).or_default() += 1;
    }
}

#[test]
fn events_equal_those_of_a_naive_engine() {
    let mut flow = Flow::new(1);
    let (mut book, mut naive) = (Book::new(RULES), NaiveBook::new(RULES));
    let mut events = Vec::new();
    let (mut seen, mut trades, mut steps, mut submitted) = (Seen::default(), 0u64, 0u64, 0u64);
    while submitted < orders() {
        let step: Step = flow.step(naive.open_orders(), |nth| naive.nth_open(nth));
        events.clear();
        naive.events.clear();
        step.apply(&mut book, &mut events);
        step.apply_naively(&mut naive);
        assert_eq!(events, naive.events, "step {steps}: {step:?}");
        assert_eq!(book.open_orders(), naive.open_orders(), "step {steps}: {step:?}");
        steps += 1;
        submitted += u64::from(matches!(step, Step::Submit(_)));
        trades += events
            .iter()
            .filter(|event| matches!(event, Event::Trade { .. }))
            .count() as u64;
        if submitted < ORDERS {
            events.iter().for_each(|event| seen.count(event));
        }
    }
    let others = steps - submitted;
    println!("{submitted} orders, {others} cancels and replacements, {trades} trades: all events alike");
    println!("of the first {ORDERS}: {:#?}", seen.0);
    assert!(trades * 5 > submitted, "the flow hardly trades");
    for name in [
        "Triggered",
        "Canceled SelfTrade",
        "Canceled ReduceOnly",
        "Canceled PostOnly",
        "Reduced SelfTrade",
        "Reduced ReduceOnly",
        "Replaced true",
        "Replaced false",
    ] {
        assert!(
            seen.0.get(name).is_some_and(|count| *count > 20),
            "{name} hardly happens: {seen:?}"
        );
    }
    for reason in [
        Reject::DuplicateId,
        Reject::UnknownId,
        Reject::OffTick,
        Reject::OffLot,
        Reject::PostOnlyWouldTrade,
        Reject::NothingToReduce,
    ] {
        let is_this = |(name, _): (&String, &u64)| name.ends_with(&format!("{reason:?}"));
        assert!(seen.0.iter().any(is_this), "{reason:?} never happens: {seen:?}");
    }
}
