//! Once its tables have grown, a book allocates nothing, whatever is asked of it.

mod support;

use support::flow::{Flow, RULES, Step};
use support::naive::NaiveBook;
use tickpath_matching::{Book, Event};

const WARM_UP: usize = 60_000;
const COUNTED: usize = 20_000;

/// A tape of steps: the naive engine, which allocates, says beforehand which ids are open.
fn tape() -> Vec<Step> {
    let mut flow = Flow::new(5);
    let mut naive = NaiveBook::new(RULES);
    let mut tape = Vec::new();
    while tape.len() < WARM_UP + COUNTED {
        let step = flow.step(naive.open_orders(), |nth| naive.nth_open(nth));
        step.apply_naively(&mut naive);
        naive.events.clear();
        tape.push(step);
    }
    tape
}

fn allocations(book: &mut Book, tape: &[Step]) -> u64 {
    let mut events: Vec<Event> = Vec::with_capacity(4_096);
    let counted = allocation_counter::measure(|| {
        for step in tape {
            events.clear();
            step.apply(book, &mut events);
        }
    });
    counted.count_total
}

#[test]
fn nothing_is_allocated_once_warm() {
    let tape = tape();
    let mut book = Book::new(RULES);
    assert!(allocations(&mut book, &tape[..WARM_UP]) > 0, "the counter counts");
    assert_eq!(allocations(&mut book, &tape[WARM_UP..]), 0);
}
