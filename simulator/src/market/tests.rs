use rand::SeedableRng;

use super::participants::{LEVELS_MAX, LEVELS_MIN, TAKEN_MAX};
use super::*;
use crate::listing::LISTINGS;

fn market(seed: u64) -> Market {
    Market::new(&LISTINGS[0], 6_280_700, 1_000, ChaCha8Rng::seed_from_u64(seed))
}

#[test]
fn a_seed_makes_one_market() {
    let run = |seed| {
        let mut market = market(seed);
        (0..500).map(|n| market.step(6_280_700, n)).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn the_book_is_what_the_events_say_and_never_crosses() {
    for row in &LISTINGS {
        let mut reference = 200_000;
        let mut market = Market::new(row, reference, 5, ChaCha8Rng::seed_from_u64(3));
        let mut copy = market.book().clone();
        let mut update = market.update();
        let mut trade_id = None;
        for n in 0..20_000 {
            reference += n % 3 - 1 + i64::from(n % 1_000 == 0) * 500;
            let event = market.step(reference, n);
            assert_eq!(event.first_update, update + 1);
            update = event.last_update;
            for change in &event.changes {
                copy.apply(change.side, change.price, change.size).unwrap();
                assert!(change.size % row.lot == 0 && change.size >= 0 && change.price > 0);
            }
            for trade in &event.trades {
                assert!(trade.size > 0 && trade.size % row.lot == 0);
                assert!(trade_id.is_none_or(|id| trade.id == id + 1));
                trade_id = Some(trade.id);
            }
            let numbered = event.changes.len() + event.trades.len();
            assert_eq!(event.last_update - event.first_update + 1, numbered as u64);
            assert!(!market.book().is_crossed());
            for side in [Side::Bid, Side::Ask] {
                let depth = market.book().depth(side);
                assert!((LEVELS_MIN - TAKEN_MAX..=LEVELS_MAX + 8).contains(&depth), "{depth}");
            }
        }
        assert_eq!(&copy, market.book());
    }
}

#[test]
fn a_client_that_sweeps_a_side_leaves_a_market() {
    let mut market = market(4);
    let most = largest_order(market.listing);
    let mut copy = market.book().clone();
    for (n, side) in [Side::Bid, Side::Ask, Side::Ask].into_iter().enumerate() {
        for order in [
            NewOrder::market(0, side, most),
            NewOrder::limit(0, side, 6_280_700, most),
        ] {
            let event = market.place(
                NewOrder {
                    owner: OwnerId(1),
                    ..order
                },
                n as i64,
            );
            assert!(!event.changes.is_empty() && !market.take_notices().is_empty());
            for change in &event.changes {
                copy.apply(change.side, change.price, change.size).unwrap();
            }
        }
        assert!(
            [Side::Bid, Side::Ask]
                .map(|side| market.book().depth(side))
                .iter()
                .all(|depth| *depth >= LEVELS_MIN)
        );
        assert!(!market.book().is_crossed());
    }
    assert_eq!(&copy, market.book());
}

#[test]
fn it_follows_the_reference() {
    let mut market = market(1);
    for n in 0..50_000 {
        market.step(6_380_700, n);
    }
    let bid = market.book().best(Side::Bid).unwrap().price;
    assert!((6_370_000..6_390_000).contains(&bid), "{bid}");
}
