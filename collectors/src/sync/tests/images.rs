//! Images of the books held, for readers that ask.

use super::*;

impl Bench {
    fn publish_image(&mut self, symbol: &str) -> Vec<Record> {
        let id = InstrumentId::new(VENUE, u32::from(symbol == "B"));
        let expected = self.feed.image_records(id);
        self.records.clear();
        self.call(|feed, now_ns, out| feed.publish_image(id, now_ns, &mut |record| out.push(record)));
        assert_eq!(self.records.len(), expected);
        self.records.clone()
    }
}

#[test]
fn an_image_makes_the_book_anew() {
    let mut bench = Bench::new(SyncRule::Images);
    bench.frame("b A image b100=1 b99=2 a101=3");
    bench.frame("b A b98=4 a101=0 a102=5");
    bench.now_ns += SECOND_NS;
    let records = bench.publish_image("A");
    assert_eq!(
        bench.take(),
        [
            "A clear snapshot",
            "A level b98=4 snapshot",
            "A level b99=2 snapshot",
            "A level b100=1 snapshot",
            "A level a102=5 last snapshot",
        ]
    );
    assert!(
        records
            .iter()
            .all(|record| (record.ts_event, record.ts_recv) == (START_NS, bench.now_ns))
    );
    let mut late = BTreeMap::new();
    records.iter().for_each(|record| note(&mut late, record));
    let held = bench.feed.book(records[0].instrument()).unwrap().0;
    assert_eq!(&late[&records[0].instrument].0, held);
    assert!(bench.is_trusted("A"));
    assert_eq!(bench.feed.counters().images, 1);
}

#[test]
fn the_image_of_a_book_that_is_not_proven_says_so() {
    let mut bench = Bench::new(SyncRule::UpdateIds);
    bench.frame("b A U=1 u=1 b100=1");
    bench.publish_image("A");
    assert_eq!(
        bench.take(),
        ["A clear snapshot untrusted", "A level b100=1 last snapshot untrusted"]
    );
    assert!(!bench.is_trusted("A"));
}

#[test]
fn an_empty_book_has_an_image_only_if_it_ever_had_one() {
    let mut bench = Bench::new(SyncRule::Images);
    let waiting = |bench: &Bench| bench.feed.instruments_with_image().count();
    assert_eq!((waiting(&bench), bench.publish_image("A").len()), (0, 0));
    bench.frame("b A image");
    assert_eq!(waiting(&bench), 1);
    bench.publish_image("A");
    assert_eq!(bench.take(), ["A clear last snapshot no_event_time"]);
    bench.disconnect(C1);
    bench.take();
    bench.publish_image("A");
    assert_eq!(bench.take(), ["A clear last snapshot untrusted no_event_time"]);
    assert_eq!(bench.feed.image_records(InstrumentId::new(VENUE, 77)), 0);
    assert_eq!(bench.feed.counters().images, 2);
}
