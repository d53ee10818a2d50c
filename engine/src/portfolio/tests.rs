use proptest::prelude::*;
use tickpath_protocol::{InstrumentId, Scale, Venue};

use super::*;

const BTC: InstrumentIndex = InstrumentIndex(0);

fn instrument(index: u32, name: &str) -> Instrument {
    Instrument {
        id: InstrumentId::new(Venue::KRAKEN, index),
        symbol: name.into(),
        name: name.into(),
        scale: Scale::new(1, 8).unwrap(),
        tick: 1,
        lot: 1,
    }
}

/// Prices have 1 decimal, sizes 8: money within the instrument has 9.
fn portfolio() -> Portfolio {
    let mut portfolio = Portfolio::new();
    portfolio.add_instrument(&instrument(0, "BTC/USD"));
    portfolio.add_instrument(&instrument(1, "ETH/USDT"));
    portfolio.add_strategy(Money::whole(1000), &[Currency(0)]);
    portfolio.add_strategy(Money(0), &[]);
    portfolio
}

const ONE: i64 = 100_000_000;

/// By hand: buy 1 at 100.0, buy 1 at 110.0, sell 1 at 120.0: average 105, realised 15, 1 left that cost 105.
#[test]
fn average_cost_by_hand() {
    let mut portfolio = portfolio();
    let mut book = |side, price, size| {
        portfolio
            .book(0, BTC, side, Price(price), Quantity(size), Money(ONE / 10))
            .unwrap()
    };
    book(Side::Bid, 1000, ONE);
    book(Side::Bid, 1100, ONE);
    book(Side::Ask, 1200, ONE);
    let position = *portfolio.strategy(0).position(BTC);
    assert_eq!(position.quantity(), Quantity(ONE));
    assert_eq!(position.average_price(), Some(Price(1050)));
    assert_eq!(position.realised(), 15_000_000_000, "15 at 9 decimals");
    assert_eq!(position.unrealised(Price(1000)), -5_000_000_000, "1 at 105, worth 100");
    assert_eq!(position.cash(), -90_000_000_000, "-100 -110 +120");
    assert_eq!(position.fees(), 30_000_000, "3 × 0.1 at 8 decimals");
    assert_eq!(position.fills(), 3);
}

/// By hand: sell 2 short at 100.0, buy 3 at 90.0: realised 20, 1 long at 90.
#[test]
fn a_fill_may_turn_a_position_round() {
    let mut portfolio = portfolio();
    portfolio
        .book(0, BTC, Side::Ask, Price(1000), Quantity(2 * ONE), Money(0))
        .unwrap();
    assert_eq!(portfolio.strategy(0).position(BTC).average_price(), Some(Price(1000)));
    portfolio
        .book(0, BTC, Side::Bid, Price(900), Quantity(3 * ONE), Money(0))
        .unwrap();
    let position = portfolio.strategy(0).position(BTC);
    assert_eq!(position.quantity(), Quantity(ONE));
    assert_eq!(position.realised(), 20_000_000_000);
    assert_eq!(position.average_price(), Some(Price(900)));
}

#[test]
fn what_does_not_fit_is_not_booked() {
    let mut portfolio = portfolio();
    let most = Quantity(i64::MAX);
    portfolio.book(0, BTC, Side::Bid, Price(1), most, Money(0)).unwrap();
    let before = *portfolio.strategy(0).position(BTC);
    assert_eq!(
        portfolio.book(0, BTC, Side::Bid, Price(1), Quantity(1), Money(0)),
        Err(Overflow)
    );
    assert_eq!(*portfolio.strategy(0).position(BTC), before);
    assert_eq!(portfolio.notional(BTC, Price(i64::MAX), most), Err(Overflow));
    assert_eq!(
        portfolio.notional(BTC, Price(1000), Quantity(1)),
        Ok(Money(100)),
        "0.000001 is 100 at 1e-8"
    );
    assert_eq!(
        portfolio.notional(BTC, Price(1001), Quantity(1)),
        Ok(Money(101)),
        "rounded up"
    );
}

#[test]
fn currencies_are_kept_apart() {
    let portfolio = portfolio();
    assert_eq!(portfolio.currencies(), ["USD", "USDT"]);
    assert_eq!(portfolio.currency(InstrumentIndex(1)), Currency(1));
    assert_eq!(
        portfolio.strategy(0).equity(Currency(0)),
        i128::from(Money::whole(1000).0)
    );
    assert_eq!(portfolio.total().equity(Currency(1)), 0);
}

proptest! {
    /// Cash, positions and fees are conserved: over any fills of two strategies, each account and the total equal the plain sums, closing everything leaves
    /// realised = cash exactly, and what was gained is what was gained at any mark.
    #[test]
    fn nothing_is_lost(fills in prop::collection::vec((0u16..2, any::<bool>(), 1i64..100_000, 1i64..1_000_000, -500i64..500), 1..60), mark in 1i64..100_000) {
        let mut portfolio = portfolio();
        let (mut cash, mut held, mut fees) = ([0i128; 2], [0i128; 2], [0i128; 2]);
        for (strategy, buy, price, size, fee) in &fills {
            let side = if *buy { Side::Bid } else { Side::Ask };
            portfolio.book(*strategy, BTC, side, Price(*price), Quantity(*size), Money(*fee)).unwrap();
            let at = usize::from(*strategy);
            let signed = if *buy { *size } else { -*size };
            cash[at] -= i128::from(*price) * i128::from(signed);
            held[at] += i128::from(signed);
            fees[at] += i128::from(*fee);
        }
        let total = *portfolio.total().position(BTC);
        prop_assert_eq!(total.cash(), cash[0] + cash[1]);
        prop_assert_eq!(i128::from(total.quantity().0), held[0] + held[1]);
        prop_assert_eq!(total.fees(), fees[0] + fees[1]);
        for at in 0..2u16 {
            let position = *portfolio.strategy(at).position(BTC);
            let index = usize::from(at);
            prop_assert_eq!(position.cash(), cash[index]);
            prop_assert_eq!(i128::from(position.quantity().0), held[index]);
            prop_assert_eq!(position.fees(), fees[index]);
            prop_assert_eq!(position.bought() - position.sold(), held[index]);
            prop_assert_eq!(position.realised() + position.unrealised(Price(mark)), cash[index] + held[index] * i128::from(mark));
            prop_assert!(held[index] != 0 || position.cost() == 0, "what is closed has no cost left");
            prop_assert!(position.cost().signum() * held[index].signum() >= 0);
            let side = if held[index] > 0 { Side::Ask } else { Side::Bid };
            let rest = Quantity(held[index].abs() as i64);
            if rest.0 > 0 {
                let closed = position.after(side, Price(mark), rest, Money(0)).unwrap();
                prop_assert_eq!(closed.realised(), closed.cash());
                prop_assert_eq!(closed.realised(), position.realised() + position.unrealised(Price(mark)));
            }
        }
    }

    #[test]
    fn any_numbers_end_in_an_answer(fills in prop::collection::vec((any::<bool>(), any::<i64>(), any::<i64>(), any::<i64>()), 0..20)) {
        let mut position = Position::EMPTY;
        for (buy, price, size, fee) in fills {
            let side = if buy { Side::Bid } else { Side::Ask };
            if let Ok(next) = position.after(side, Price(price), Quantity(size), Money(fee)) {
                position = next;
            }
            let _: i128 = position.realised();
        }
    }
}
