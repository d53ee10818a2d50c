use super::rate::RateWindow;
use super::*;
use crate::units::{Money, Quantity, Time};

fn amount(mantissa: i64, decimals: u8) -> Option<Amount> {
    Some(Amount { mantissa, decimals })
}

#[test]
fn limits_that_contradict_are_refused() {
    use LimitsError::*;
    let check = |change: fn(&mut Limits), expected: LimitsError| {
        let mut limits = Limits::default();
        change(&mut limits);
        assert_eq!(limits.validate(), Err(expected));
    };
    check(|l| l.open_orders_max = 0, NotPositive("open_orders_max"));
    check(
        |l| l.order_notional_max = Some(Money(0)),
        NotPositive("order_notional_max"),
    );
    check(|l| l.stop_loss_ppm = Some(-1), NotPositive("stop_loss_ppm"));
    check(
        |l| l.orders_per_second_max = 10_001,
        TooLarge {
            name: "orders_per_second_max",
            most: 10_000,
        },
    );
    check(
        |l| {
            l.order_quantity_max = amount(11, 1);
            l.position_max = amount(1, 0);
        },
        Contradiction {
            larger: "order_quantity_max",
            smaller: "position_max",
        },
    );
    check(
        |l| {
            l.order_notional_max = Some(Money(2));
            l.gross_exposure_max = Some(Money(1));
        },
        Contradiction {
            larger: "order_notional_max",
            smaller: "gross_exposure_max",
        },
    );
    check(
        |l| {
            l.daily_loss_max = Some(Money(2));
            l.drawdown_max = Some(Money(1));
        },
        Contradiction {
            larger: "daily_loss_max",
            smaller: "drawdown_max",
        },
    );
}

#[test]
fn a_strategy_is_not_allowed_more_than_all_together() {
    let total = Limits {
        position_max: amount(1, 0),
        ..Limits::default()
    };
    let mut gate = Gate::new(total).unwrap();
    let of = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        limits
    };
    let above = gate.add_strategy(of(|l| l.position_max = amount(101, 2)));
    assert_eq!(above, Err(LimitsError::AboveTotal("position_max")));
    let above = gate.add_strategy(of(|l| l.open_orders_max = 65));
    assert_eq!(above, Err(LimitsError::AboveTotal("open_orders_max")));
    assert_eq!(gate.add_strategy(of(|l| l.position_max = amount(100, 2))), Ok(()));
    let protecting = of(|l| l.take_profit_ppm = Some(1));
    assert_eq!(
        Gate::new(protecting).unwrap_err(),
        LimitsError::OfStrategyOnly("take_profit_ppm")
    );
}

#[test]
fn amounts_become_quantities() {
    assert_eq!(
        Amount {
            mantissa: 5,
            decimals: 1
        }
        .quantity(8),
        Quantity(50_000_000)
    );
    assert_eq!(
        Amount {
            mantissa: 19,
            decimals: 1
        }
        .quantity(0),
        Quantity(1),
        "rounded down"
    );
    assert_eq!(
        Amount {
            mantissa: i64::MAX,
            decimals: 0
        }
        .quantity(15),
        Quantity(i64::MAX)
    );
}

#[test]
fn a_rate_is_of_any_second() {
    let mut window = RateWindow::new(2);
    for now in [0, 999_999_999] {
        assert!(window.allows(Time(now)));
        window.count(Time(now));
    }
    assert!(!window.allows(Time(999_999_999)));
    assert!(window.allows(Time(1_000_000_000)), "the first is a second ago");
    window.count(Time(1_000_000_000));
    assert!(!window.allows(Time(1_900_000_000)));
}
