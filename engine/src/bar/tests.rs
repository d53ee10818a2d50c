use std::num::{NonZeroI64, NonZeroU32};

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000_000;

fn time(interval_ns: i64) -> BarRule {
    BarRule::Time {
        interval_ns: NonZeroI64::new(interval_ns).unwrap(),
    }
}

fn ticks(n: u32) -> BarRule {
    BarRule::Ticks(NonZeroU32::new(n).unwrap())
}

fn volume(n: i64) -> BarRule {
    BarRule::Volume(NonZeroI64::new(n).unwrap())
}

fn bars(rule: BarRule, ticks: &[(i64, i64, i64)]) -> (Vec<Bar>, BarBuilder) {
    let mut builder = BarBuilder::new(rule);
    let bars = ticks
        .iter()
        .filter_map(|&(now, price, size)| builder.on_tick(now, price, size))
        .collect();
    (bars, builder)
}

#[test]
fn time_bars_stand_on_multiples_of_their_interval() {
    let at = |tenths: i64| 100 * SECOND + tenths * SECOND / 10;
    let (complete, mut builder) = bars(
        time(SECOND),
        &[
            (at(3), 10, 1),
            (at(5), 14, 2),
            (at(9), 9, 3),
            (at(10), 11, 4),
            (at(45), 12, 5),
        ],
    );
    let first = Bar {
        start_ns: at(0),
        end_ns: at(10),
        open: 10,
        high: 14,
        low: 9,
        close: 9,
        volume: 6,
        ticks: 3,
        skipped: 0,
    };
    let second = Bar {
        start_ns: at(10),
        end_ns: at(20),
        open: 11,
        high: 11,
        low: 11,
        close: 11,
        volume: 4,
        ticks: 1,
        skipped: 0,
    };
    assert_eq!(complete, [first, second]);
    assert_eq!(
        builder.on_time(at(50) - 1),
        None,
        "the end is exclusive, and not reached"
    );
    let third = builder.on_time(at(50)).unwrap();
    assert_eq!((third.start_ns, third.open, third.volume), (at(40), 12, 5));
    assert_eq!(third.skipped, 2, "[102, 103) and [103, 104) had no tick");
    assert_eq!(builder.on_time(at(900)), None, "an empty interval makes no bar");
}

#[test]
fn tick_bars_end_with_their_last_tick() {
    let (complete, builder) = bars(ticks(2), &[(5, 10, 1), (7, 8, 1), (7, 9, 0), (9, 9, 1), (11, 1, 1)]);
    assert_eq!(complete.len(), 2);
    assert_eq!((complete[0].start_ns, complete[0].end_ns), (5, 7));
    assert_eq!(
        (complete[0].open, complete[0].high, complete[0].low, complete[0].close),
        (10, 10, 8, 8)
    );
    assert_eq!((complete[1].volume, complete[1].ticks), (1, 2));
    assert_eq!(builder.current().unwrap().ticks, 1);
}

#[test]
fn a_tick_is_not_split_between_volume_bars() {
    let (complete, builder) = bars(volume(10), &[(1, 100, 4), (2, 101, 5), (3, 99, 40), (4, 98, 10)]);
    assert_eq!(complete.iter().map(|bar| bar.volume).collect::<Vec<_>>(), [49, 10]);
    assert_eq!(complete[0].close, 99);
    assert_eq!(builder.current(), None);
}

#[test]
fn a_late_tick_is_counted_in_the_open_bar_and_a_reset_drops_it() {
    let (complete, mut builder) = bars(time(SECOND), &[(5 * SECOND, 10, 1), (SECOND, 20, 1)]);
    assert_eq!(complete, []);
    assert_eq!(
        builder.current().map(|bar| (bar.start_ns, bar.high)),
        Some((5 * SECOND, 20))
    );
    builder.reset();
    assert_eq!(builder.on_time(60 * SECOND), None);
    assert_eq!(builder.on_tick(90 * SECOND, 1, 1), None);
    assert_eq!(
        builder.current().map(|bar| bar.skipped),
        Some(0),
        "nothing is known of before"
    );
}

#[test]
fn extremes_do_not_overflow() {
    let ends = [(i64::MIN, i64::MIN, i64::MAX), (i64::MAX, i64::MAX, i64::MAX)];
    for rule in [time(86_400 * SECOND), ticks(3), volume(i64::MAX)] {
        bars(rule, &ends);
    }
}

fn any_rule() -> impl Strategy<Value = BarRule> {
    prop_oneof![
        (1i64..5000).prop_map(time),
        (1u32..40).prop_map(ticks),
        (1i64..3000).prop_map(volume),
    ]
}

proptest! {
    #[test]
    fn bars_hold_what_went_in(
        rule in any_rule(),
        steps in prop::collection::vec((0i64..2000, -50i64..50, 0i64..500), 1..300),
    ) {
        let mut now = 1_700_000_000_000_000_000;
        let ticks: Vec<_> = steps.into_iter().map(|(step, price, size)| { now += step; (now, price, size) }).collect();
        let (mut all, builder) = bars(rule, &ticks);
        all.extend(builder.current().copied());

        prop_assert_eq!(all.iter().map(|bar| bar.volume).sum::<i128>(), ticks.iter().map(|tick| i128::from(tick.2)).sum::<i128>());
        prop_assert_eq!(all.iter().map(|bar| bar.ticks).sum::<u64>(), ticks.len() as u64);
        let mut rest = &ticks[..];
        for bar in &all {
            let (own, behind) = rest.split_at(bar.ticks as usize);
            rest = behind;
            prop_assert_eq!(bar.open, own[0].1);
            prop_assert_eq!(bar.close, own[own.len() - 1].1);
            prop_assert_eq!(Some(bar.high), own.iter().map(|tick| tick.1).max());
            prop_assert_eq!(Some(bar.low), own.iter().map(|tick| tick.1).min());
            prop_assert!(bar.high >= bar.open.max(bar.close) && bar.low <= bar.open.min(bar.close));
            prop_assert!(own.iter().all(|tick| bar.start_ns <= tick.0 && tick.0 <= bar.end_ns));
        }
        if let BarRule::Time { interval_ns } = rule {
            for pair in all.windows(2) {
                let apart = (pair[1].start_ns - pair[0].end_ns) / interval_ns.get();
                prop_assert_eq!(pair[1].skipped, apart as u64);
                prop_assert_eq!(pair[1].start_ns % interval_ns.get(), 0);
            }
        }
    }
}
