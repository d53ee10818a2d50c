use proptest::prelude::*;
use zerocopy::IntoBytes;

use super::*;
use crate::instrument::{InstrumentId, Scale};
use crate::record::{Kind, Record, Side};
use crate::venue::Venue;

const BTC: InstrumentId = InstrumentId::new(Venue::KRAKEN, 1);

fn fill() -> TradingEvent {
    TradingEvent {
        action: Action::Fill {
            fee: 2_600_000,
            leaves: 7,
        },
        venue: Venue::PAPER,
        instrument: BTC,
        scale: Scale::new(1, 8).unwrap(),
        side: Some(Side::Bid),
        price: 1_000_000,
        size: 10_000_000,
        order: ClientOrderId::new(3, 17),
        detail: OrderDetail::of_strategy(2)
            .with_terms(OrderKind::Limit, TimeInForce::Gtc, true, false)
            .with_liquidity(Liquidity::Maker),
        ts_event: 5,
        ts_recv: 6,
    }
}

fn records(event: &TradingEvent, first: u64) -> Vec<Record> {
    let mut records = Vec::new();
    event.encode(|record| {
        records.push(Record {
            sequence: first + records.len() as u64,
            ..record
        });
    });
    records
}

/// A fill, byte by byte, with sequence 1 to 3.
#[test]
fn golden_bytes() {
    let bytes: Vec<u8> = records(&fill(), 1).iter().flat_map(|r| r.as_bytes().to_vec()).collect();
    #[rustfmt::skip]
    let expected: [u8; 144] = [
        21, 5, 1, 0x18, 1, 0, 0, 3,   1, 0, 0, 0, 0, 0, 0, 0,   5, 0, 0, 0, 0, 0, 0, 0,   6, 0, 0, 0, 0, 0, 0, 0,
        0x40, 0x42, 0x0f, 0, 0, 0, 0, 0,   0x80, 0x96, 0x98, 0, 0, 0, 0, 0,
        25, 5, 1, 0x88, 1, 0, 0, 3,   2, 0, 0, 0, 0, 0, 0, 0,   5, 0, 0, 0, 0, 0, 0, 0,   6, 0, 0, 0, 0, 0, 0, 0,
        0x40, 0xac, 0x27, 0, 0, 0, 0, 0,   7, 0, 0, 0, 0, 0, 0, 0,
        23, 5, 5, 0, 1, 0, 0, 3,   3, 0, 0, 0, 0, 0, 0, 0,   5, 0, 0, 0, 0, 0, 0, 0,   6, 0, 0, 0, 0, 0, 0, 0,
        17, 0, 0, 0, 3, 0, 0, 0,   2, 0, 2, 0x11, 0, 1, 0, 0,
    ];
    assert_eq!(bytes, expected);
}

#[test]
fn details_read_back_and_reasons_are_in_order() {
    let detail = fill().detail;
    assert_eq!(detail.strategy(), 2);
    assert_eq!(detail.kind(), Some(OrderKind::Limit));
    assert_eq!(detail.time_in_force(), Some(TimeInForce::Gtc));
    assert!(detail.is_post_only() && !detail.is_reduce_only());
    assert_eq!(detail.liquidity(), Some(Liquidity::Maker));
    assert_eq!(detail.reason(), None);
    assert!(Reason::NAMED.is_sorted_by_key(|(reason, _)| *reason as u8));
    for (reason, name) in Reason::NAMED {
        assert_eq!(detail.with_reason(reason).reason(), Some(reason));
        assert_eq!(reason.name(), name);
    }
    assert_eq!(Reason::from_code(255), None);
    assert_eq!(ClientOrderId::new(3, 17).to_string(), "3-17");
    assert_ne!(StrategyKey::new(1, "sma"), StrategyKey::new(1, "macd"));
    assert_eq!(StrategyKey::new(9, "sma").index(), 9);
}

#[test]
fn half_events_are_counted_and_not_guessed() {
    let all = records(&fill(), 1);
    for missing in 0..3 {
        let mut decoder = TradingDecoder::new(Venue::PAPER);
        for (index, record) in all.iter().enumerate() {
            if index != missing {
                assert_eq!(decoder.push(record), None, "without {missing}");
            }
        }
        let next: Vec<_> = records(&fill(), 4).iter().filter_map(|r| decoder.push(r)).collect();
        assert_eq!(next, [fill()], "without {missing}");
        assert_eq!(decoder.broken(), 1, "without {missing}");
    }
}

fn any_event() -> impl Strategy<Value = TradingEvent> {
    let action = prop_oneof![
        Just(Action::Signal),
        any::<Option<i64>>().prop_map(|trigger| Action::Submitted { trigger }),
        any::<Option<i64>>().prop_map(|trigger| Action::ReplaceSubmitted { trigger }),
        Just(Action::Accepted),
        Just(Action::Rejected),
        Just(Action::Canceled),
        any::<(i64, i64)>().prop_map(|(fee, leaves)| Action::Fill { fee, leaves }),
        Just(Action::RiskBreach),
        Just(Action::Replaced),
        Just(Action::CancelSubmitted),
    ];
    let numbers = any::<(i64, i64, u64, u64, i64, i64, u8, u32)>();
    (action, 0..3u8, numbers).prop_map(
        |(action, side, (price, size, order, detail, ts_event, ts_recv, scale, id))| TradingEvent {
            action,
            venue: Venue::PAPER,
            instrument: InstrumentId(id),
            scale: Scale::from_byte(scale),
            side: [None, Some(Side::Bid), Some(Side::Ask)][usize::from(side)],
            price,
            size,
            order: ClientOrderId(order),
            detail: OrderDetail(detail),
            ts_event,
            ts_recv,
        },
    )
}

proptest! {
    /// With other venues' records between, and with records lost: what comes out is what went in, less the events that lost a record.
    #[test]
    fn events_read_back(events in prop::collection::vec(any_event(), 1..20), lost in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
        let mut stream = Vec::new();
        for (index, event) in events.iter().enumerate() {
            let first = stream.len() as u64 + 1;
            stream.extend(records(event, first).into_iter().map(|record| (index, record)));
        }
        let lost: Vec<usize> = lost.iter().map(|index| index.index(stream.len())).collect();
        let hurt: Vec<usize> = lost.iter().map(|at| stream[*at].0).collect();
        let mut decoder = TradingDecoder::new(Venue::PAPER);
        let mut found = Vec::new();
        let other = Record { kind: Kind::Trade as u8, venue: Venue::KRAKEN.0, sequence: 2, ..Record::default() };
        for (at, (_, record)) in stream.iter().enumerate() {
            prop_assert_eq!(decoder.push(&other), None);
            if !lost.contains(&at) {
                found.extend(decoder.push(record));
            }
        }
        let kept: Vec<TradingEvent> = events.iter().enumerate().filter(|(index, _)| !hurt.contains(index)).map(|(_, event)| *event).collect();
        prop_assert_eq!(found, kept);
    }

    #[test]
    fn any_records_end_in_an_answer(words in prop::collection::vec(any::<[u64; 6]>(), 0..60), kinds in prop::collection::vec(15..30u8, 60)) {
        let mut decoder = TradingDecoder::new(Venue::PAPER);
        for (sequence, (words, kind)) in words.into_iter().zip(kinds).enumerate() {
            let mut record = Record::from_words(words);
            (record.venue, record.kind, record.sequence) = (Venue::PAPER.0, kind, sequence as u64);
            decoder.push(&record);
        }
    }
}
