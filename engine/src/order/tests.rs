use proptest::prelude::*;
use tickpath_protocol::Venue;

use super::*;

fn order(quantity: i64) -> Order {
    let instrument = InstrumentId::new(Venue::KRAKEN, 0);
    let request = OrderRequest::limit(instrument, Side::Bid, Price(100), Quantity(quantity));
    Order::new(ClientOrderId::new(1, 1), 0, InstrumentIndex(0), &request, Time(0))
}

fn terms(quantity: i64) -> Terms {
    Terms {
        kind: OrderType::Limit { price: Price(101) },
        quantity: Quantity(quantity),
    }
}

#[test]
fn a_fill_may_come_before_the_acknowledgement() {
    let mut order = order(10);
    assert_eq!(order.on_filled(Quantity(4), Quantity(4)), Ok(Transition::Changed));
    assert_eq!(order.state, OrderState::Open);
    assert_eq!(order.on_accepted(), Ok(Transition::Changed));
    assert_eq!(order.on_accepted(), Ok(Transition::Ignored), "once");
    assert_eq!((order.state, order.leaves()), (OrderState::Open, Quantity(6)));
}

#[test]
fn a_repeated_fill_counts_once_and_a_missed_one_is_noticed() {
    let mut order = order(10);
    order.on_accepted().unwrap();
    assert_eq!(order.on_filled(Quantity(4), Quantity(4)), Ok(Transition::Changed));
    assert_eq!(order.on_filled(Quantity(4), Quantity(4)), Ok(Transition::Ignored));
    assert!(order.on_filled(Quantity(2), Quantity(8)).is_err(), "2 are missing");
    assert!(
        order.on_filled(Quantity(7), Quantity(11)).is_err(),
        "more than the order"
    );
    assert_eq!(order.filled, Quantity(4));
}

#[test]
fn a_cancel_may_cross_a_fill() {
    let mut crossed = order(10);
    crossed.on_accepted().unwrap();
    assert!(crossed.ask_cancel(Reason::Requested));
    assert!(!crossed.ask_cancel(Reason::Requested), "one at a time");
    assert_eq!(crossed.on_filled(Quantity(10), Quantity(10)), Ok(Transition::Changed));
    assert_eq!(crossed.state, OrderState::Filled);
    assert_eq!(crossed.on_cancel_refused(), Transition::Ignored);

    let mut late = order(10);
    late.on_accepted().unwrap();
    late.ask_cancel(Reason::Requested);
    late.on_canceled(Quantity(0)).unwrap();
    assert_eq!(
        late.on_filled(Quantity(3), Quantity(3)),
        Ok(Transition::Changed),
        "it happened before"
    );
    assert_eq!(
        (late.state, late.filled, late.leaves()),
        (OrderState::Canceled, Quantity(3), Quantity(0))
    );
    assert_eq!(late.on_canceled(Quantity(3)), Ok(Transition::Ignored));

    let mut refused = order(10);
    refused.on_accepted().unwrap();
    refused.ask_cancel(Reason::Requested);
    assert_eq!(refused.on_cancel_refused(), Transition::Changed);
    assert_eq!(refused.state, OrderState::Open);
}

#[test]
fn what_was_missed_is_illegal_unless_the_whole_account_comes() {
    let mut missed = order(10);
    missed.on_accepted().unwrap();
    missed.ask_cancel(Reason::Requested);
    for result in [
        missed.on_filled(Quantity(2), Quantity(5)),
        missed.on_canceled(Quantity(3)),
    ] {
        assert!(result.is_err());
    }
    assert!(missed.ask_cancel(Reason::Inconsistent), "asked again, for all of it");
    for result in [
        missed.on_filled(Quantity(2), Quantity(5)),
        missed.on_canceled(Quantity(5)),
    ] {
        assert_eq!(result, Ok(Transition::Ignored), "the rest of an older account");
    }
    assert!(
        missed.on_filled(Quantity(2), Quantity(11)).is_err(),
        "more than the order in any account"
    );
    for (quantity, cumulative) in [(3, 3), (2, 5)] {
        let fill = missed.on_filled(Quantity(quantity), Quantity(cumulative));
        assert_eq!(fill, Ok(Transition::Changed));
    }
    assert_eq!(missed.on_canceled(Quantity(5)), Ok(Transition::Changed));
    assert_eq!((missed.state, missed.filled), (OrderState::Canceled, Quantity(5)));
    assert!(
        missed.on_filled(Quantity(1), Quantity(7)).is_err(),
        "the account is over"
    );
    assert!(missed.on_canceled(Quantity(7)).is_err());
}

#[test]
fn a_replacement_holds_once_the_venue_says_so() {
    let mut order = order(10);
    assert!(!order.ask_replace(terms(12)), "not before it is there");
    order.on_accepted().unwrap();
    assert!(order.ask_replace(terms(12)));
    assert_eq!(order.leaves_max(), Quantity(12), "either may be filled");
    assert_eq!(order.on_filled(Quantity(10), Quantity(10)), Ok(Transition::Changed));
    assert_eq!(order.state, OrderState::PendingReplace, "two more may follow");
    assert_eq!(order.on_replaced(terms(12)), Ok(Transition::Changed));
    assert_eq!((order.state, order.leaves()), (OrderState::Open, Quantity(2)));
    assert_eq!(order.on_replaced(terms(12)), Ok(Transition::Ignored), "a repetition");
    assert!(order.on_replaced(terms(13)).is_err(), "nobody asked");
    assert!(order.ask_replace(terms(14)));
    assert!(order.ask_cancel(Reason::Requested), "a cancel overtakes");
    assert_eq!(order.on_replace_refused(), Transition::Changed);
    assert_eq!(order.state, OrderState::PendingCancel);
    assert_eq!(order.on_canceled(Quantity(10)), Ok(Transition::Changed));
}

#[test]
fn a_refused_replacement_of_a_filled_order_is_the_end() {
    let mut order = order(10);
    order.on_accepted().unwrap();
    order.ask_replace(terms(12));
    order.on_filled(Quantity(10), Quantity(10)).unwrap();
    assert_eq!(order.on_replace_refused(), Transition::Changed);
    assert_eq!(order.state, OrderState::Filled);
}

#[test]
fn what_cannot_be_is_illegal() {
    let mut rejected = order(10);
    rejected.on_rejected().unwrap();
    assert_eq!(rejected.on_rejected(), Ok(Transition::Ignored));
    assert!(rejected.on_accepted().is_err());
    assert!(rejected.on_filled(Quantity(1), Quantity(1)).is_err());
    assert_eq!(
        rejected.on_canceled(Quantity(0)),
        Ok(Transition::Ignored),
        "an end is an end"
    );
    assert!(rejected.on_canceled(Quantity(1)).is_err());
    assert!(rejected.on_replaced(terms(1)).is_err());
    let mut accepted = order(10);
    accepted.on_accepted().unwrap();
    assert!(accepted.on_rejected().is_err());
    assert!(accepted.on_filled(Quantity(0), Quantity(0)).is_err());
}

#[test]
fn the_table_finds_open_and_closed_orders() {
    let mut table = OrderTable::default();
    for counter in 1..=5 {
        assert!(table.insert(Order {
            id: ClientOrderId::new(1, counter),
            ..order(10)
        }));
    }
    assert!(!table.insert(order(10)), "an id is used once");
    let third = ClientOrderId::new(1, 3);
    table.get_mut(third).unwrap().on_rejected().unwrap();
    table.settle(third);
    assert_eq!(table.open().len(), 4);
    assert_eq!(table.get(third).unwrap().state, OrderState::Rejected);
    assert_eq!(table.get(ClientOrderId::new(1, 9)), None);
}

/// What a venue may say, in the order in which it happened there.
#[derive(Clone, Copy, Debug)]
enum Said {
    Accepted,
    Filled(i64, i64),
    Canceled(i64),
}

/// The life of an order at a venue: fills of these sizes, then canceled or not.
fn life(quantity: i64, fills: &[i64], canceled: bool) -> (Vec<Said>, i64) {
    let mut said = vec![Said::Accepted];
    let mut filled = 0;
    for fill in fills {
        let fill = (*fill).min(quantity - filled);
        if fill > 0 {
            filled += fill;
            said.push(Said::Filled(fill, filled));
        }
    }
    if canceled && filled < quantity {
        said.push(Said::Canceled(filled));
    }
    (said, filled)
}

fn tell(order: &mut Order, said: Said) -> Result<Transition, Illegal> {
    match said {
        Said::Accepted => order.on_accepted(),
        Said::Filled(quantity, cumulative) => order.on_filled(Quantity(quantity), Quantity(cumulative)),
        Said::Canceled(filled) => order.on_canceled(Quantity(filled)),
    }
}

proptest! {
    /// Whatever is repeated, and however late the acknowledgement and however early the cancel come: nothing is illegal and every fill counts once.
    #[test]
    fn every_legal_sequence_ends_where_the_venue_is(
        fills in prop::collection::vec(1i64..6, 0..6),
        canceled: bool,
        repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ack_delay in 0usize..8,
        cancel_early in 0usize..3,
        asked in prop::option::of(0usize..8),
    ) {
        let (mut said, filled) = life(10, &fills, canceled);
        let ack = said.remove(0);
        said.insert(ack_delay.min(said.len()), ack);
        if matches!(said.last(), Some(Said::Canceled(_))) {
            said.pop();
            let at = said.len() - cancel_early.min(said.len());
            // A venue that cancels before it has counted its fills says so.
            let counted = said[..at].iter().map(|said| if let Said::Filled(_, all) = said { *all } else { 0 });
            let cancel = Said::Canceled(counted.max().unwrap_or(0));
            said.insert(at, cancel);
        }
        for repeat in repeats {
            let at = repeat.index(said.len());
            said.push(said[at]);
        }
        let mut order = order(10);
        let mut last = Quantity(0);
        for (step, report) in said.iter().enumerate() {
            if asked == Some(step) {
                order.ask_cancel(Reason::Requested);
            }
            let was_closed = order.state.is_closed();
            prop_assert!(tell(&mut order, *report).is_ok(), "{:?} after {:?}", report, order);
            prop_assert!(order.filled >= last, "what is filled never shrinks");
            prop_assert!(!was_closed || order.state.is_closed(), "an end is an end");
            last = order.filled;
        }
        prop_assert_eq!(order.filled, Quantity(filled));
        if filled == 10 {
            prop_assert_eq!(order.state, OrderState::Filled);
        } else if canceled {
            prop_assert_eq!(order.state, OrderState::Canceled);
        } else {
            prop_assert!(!order.state.is_closed());
        }
    }

    /// Nonsense is refused, and never breaks the order's own rules.
    #[test]
    fn any_reports_keep_the_order_whole(steps in prop::collection::vec((0u8..9, -2i64..14, -2i64..14), 0..40)) {
        let mut order = order(10);
        // Canceled while it was being replaced: it may have been larger at the venue than it is known to be here.
        let mut canceled_larger = false;
        for (what, a, b) in steps {
            let before = order;
            let result = match what {
                0 => order.on_accepted(),
                1 => order.on_rejected(),
                2 => order.on_filled(Quantity(a), Quantity(b)),
                3 => order.on_canceled(Quantity(a)),
                4 => order.on_replaced(terms(a)),
                5 => Ok(order.on_cancel_refused()),
                6 => Ok(order.on_replace_refused()),
                7 => { order.ask_cancel(Reason::Requested); Ok(Transition::Changed) }
                _ => { order.ask_replace(terms(a)); Ok(Transition::Changed) }
            };
            if result != Ok(Transition::Changed) {
                prop_assert_eq!(order, before, "what is refused or ignored changes nothing");
            }
            prop_assert!(order.filled >= before.filled);
            prop_assert!(order.leaves().0 >= 0 && order.leaves_max().0 >= order.leaves().0);
            prop_assert!(order.unfilled().0 >= 0);
            prop_assert!(!before.state.is_closed() || order.state.is_closed());
            canceled_larger |= before.replacing.is_some() && order.state == OrderState::Canceled;
            let is_full = order.filled >= order.quantity && order.replacing.is_none() && order.filled.0 > 0;
            prop_assert!((order.state == OrderState::Filled) == is_full || (canceled_larger && order.state == OrderState::Canceled), "{:?}", order);
        }
    }
}
