use proptest::prelude::*;

use super::*;
use crate::instrument::{InstrumentId, Scale};
use crate::record::{Kind, Record, Side};
use crate::venue::Venue;

fn records(image: &Image, first: u64) -> Vec<Record> {
    let writer = ImageWriter::new(Venue::PAPER, image.last_order, image.ts_event);
    let mut records = vec![writer.begin()];
    for item in &image.items {
        writer.item(item, |record| records.push(record));
    }
    records.push(writer.end());
    for (record, sequence) in records.iter_mut().zip(first..) {
        record.sequence = sequence;
    }
    records
}

fn any_item() -> impl Strategy<Value = ImageItem> {
    let latch = (0..Reason::NAMED.len(), any::<Option<u16>>(), any::<i64>());
    let position = (any::<(u16, u32, u8, i64, i64)>(), any::<([i128; 5], u64)>());
    let order = (
        any::<(u64, u64, u32, u8)>(),
        0..3usize,
        any::<(i64, i64, i64, Option<i64>, Option<i64>)>(),
    );
    prop_oneof![
        any::<i64>().prop_map(|key| ImageItem::Strategy(StrategyKey(key))),
        latch.prop_map(|(reason, strategy, day)| ImageItem::Latch {
            reason: Reason::NAMED[reason].0,
            strategy,
            day
        }),
        position.prop_map(
            |((strategy, id, scale, quantity, average_price), ([cost, cash, fees, bought, sold], fills))| {
                ImageItem::Position(PositionImage {
                    strategy,
                    instrument: InstrumentId(id),
                    scale: Scale::from_byte(scale),
                    quantity,
                    average_price,
                    cost,
                    cash,
                    fees,
                    bought,
                    sold,
                    fills,
                })
            }
        ),
        order.prop_map(
            |((id, detail, instrument, scale), side, (price, quantity, filled, replacing, trigger))| {
                ImageItem::Order(OrderImage {
                    id: ClientOrderId(id),
                    detail: OrderDetail(detail),
                    instrument: InstrumentId(instrument),
                    scale: Scale::from_byte(scale),
                    side: [None, Some(Side::Bid), Some(Side::Ask)][side],
                    price,
                    trigger,
                    quantity,
                    filled,
                    replacing,
                })
            }
        ),
    ]
}

fn any_image() -> impl Strategy<Value = Image> {
    let parts = (any::<u64>(), any::<i64>(), prop::collection::vec(any_item(), 0..8));
    parts.prop_map(|(last_order, ts_event, items)| Image {
        last_order: ClientOrderId(last_order),
        ts_event,
        items,
    })
}

proptest! {
    /// Between records of others it reads back; without any one of its records there is no image, and the next one is read as if nothing had been.
    #[test]
    fn images_read_back_whole_or_not_at_all(image in any_image(), lost in any::<prop::sample::Index>()) {
        let all = records(&image, 7);
        let other = Record { kind: Kind::Trade as u8, venue: Venue::KRAKEN.0, sequence: 8, ..Record::default() };
        let mut decoder = ImageDecoder::new(Venue::PAPER);
        let mut found = Vec::new();
        for record in &all {
            prop_assert_eq!(decoder.push(&other), None);
            found.extend(decoder.push(record));
        }
        prop_assert_eq!(&found, std::slice::from_ref(&image));
        prop_assert!(!decoder.is_within());
        let lost = lost.index(all.len());
        for (at, record) in all.iter().enumerate() {
            if at != lost {
                prop_assert_eq!(decoder.push(record), None, "without {}", lost);
            }
        }
        let again: Vec<Image> = records(&image, 700).iter().filter_map(|record| decoder.push(record)).collect();
        prop_assert_eq!(again, [image.clone()]);
        // Nobody takes it for trading events, or for damage of such.
        let mut events = TradingDecoder::new(Venue::PAPER);
        prop_assert!(all.iter().all(|record| events.push(record).is_none()));
        prop_assert_eq!(events.broken(), 0);
    }

    #[test]
    fn any_records_end_in_an_answer(words in prop::collection::vec(any::<[u64; 6]>(), 0..60), kinds in prop::collection::vec(39..48u8, 60)) {
        let mut decoder = ImageDecoder::new(Venue::PAPER);
        for (sequence, (words, kind)) in words.into_iter().zip(kinds).enumerate() {
            let mut record = Record::from_words(words);
            (record.venue, record.kind, record.sequence, record.ts_event) = (Venue::PAPER.0, kind, sequence as u64, 1);
            decoder.push(&record);
        }
    }
}
