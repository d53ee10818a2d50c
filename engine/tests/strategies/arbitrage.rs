use tickpath_engine::paper::PaperConfig;
use tickpath_engine::risk::Limits;
use tickpath_protocol::{Instrument, Scale, Venue};

use super::desk::{Desk, PAPER, SECOND, instrument};

/// Kraken with one decimal of price and lots of 0.05, Coinbase with two and lots of 0.01. Fees of 10 bp each, edge of 2.
fn legs() -> [Instrument; 2] {
    let kraken = Instrument {
        scale: Scale::new(1, 3).unwrap(),
        lot: 50,
        ..instrument(Venue::KRAKEN)
    };
    [kraken, instrument(Venue::COINBASE)]
}

const GIVEN: [(&str, &str); 2] = [("quantity", "1"), ("position", "2")];

fn desk() -> Desk {
    Desk::new("arbitrage", &GIVEN, &legs())
}

#[test]
fn a_difference_above_the_fees_is_bought_and_sold() {
    let mut desk = desk();
    desk.quote(0, (9999, 900), (10_000, 900));
    // 100.219 would be 22 bp above the 1000.0 that it costs: fees of both, and the edge, need more.
    desk.quote(1, (100_210, 500), (100_230, 500));
    assert_eq!(
        desk.lines(),
        [] as [String; 0],
        "21 bp against 20.02 of fees and 2 of edge"
    );
    desk.quote(1, (100_230, 73), (100_250, 500));
    // As much as both show: 0.9 there, 0.73 here; whole lots of both: 0.7.
    assert_eq!(
        desk.lines(),
        [
            "0: buy 700 @ 10000",
            "1: sell 70 @ 100230",
            "0: filled buy 700 @ 10000",
            "1: filled sell 70 @ 100230"
        ]
    );
    assert_eq!((desk.held(0), desk.held(1)), (700, -70));
}

#[test]
fn positions_have_a_limit_and_are_reduced_when_the_difference_is_gone() {
    let mut desk = desk();
    desk.quote(0, (9999, 5000), (10_000, 5000));
    for size in [500, 501, 502, 503] {
        desk.quote(1, (100_300, size), (100_400, 500));
    }
    assert_eq!((desk.held(0), desk.held(1)), (2000, -200), "2 of 1 each, and no more");
    desk.lines();
    // Mids of 999.95 and 1000.05: not met.
    desk.quote(1, (100_000, 500), (100_010, 500));
    assert_eq!(desk.lines(), [] as [String; 0]);
    // 999.95 both.
    desk.quote(1, (99_990, 500), (100_000, 500));
    assert_eq!(
        desk.lines(),
        [
            "1: buy 100 @ 100000 reduce-only",
            "0: sell 1000 @ 9999 reduce-only",
            "1: filled buy 100 @ 100000 reduce-only",
            "0: filled sell 1000 @ 9999 reduce-only"
        ]
    );
    desk.quote(1, (99_990, 500), (100_000, 501));
    assert_eq!((desk.held(0), desk.held(1)), (0, 0));
}

#[test]
fn a_leg_that_was_missed_is_evened_out() {
    let paper = PaperConfig {
        order_latency_ns: SECOND / 100,
        ..PAPER
    };
    let mut desk = Desk::with("arbitrage", &GIVEN, &legs(), paper, Limits::default());
    desk.quote(0, (9999, 5000), (10_000, 5000));
    desk.quote(1, (100_300, 500), (100_400, 500));
    assert_eq!(desk.lines(), ["0: buy 1000 @ 10000", "1: sell 100 @ 100300"]);
    // Before the orders arrive, the bid that was to be hit is gone.
    desk.quote(1, (100_000, 500), (100_400, 500));
    desk.now += SECOND / 100;
    desk.quote(1, (100_000, 500), (100_400, 501));
    let lines = desk.lines();
    assert!(lines.contains(&"0: filled buy 1000 @ 10000".to_owned()), "{lines:?}");
    assert!(lines.contains(&"1: canceled sell 100 @ 100300".to_owned()), "{lines:?}");
    assert!(
        lines.contains(&"0: sell 1000 @ 9999 reduce-only".to_owned()),
        "{lines:?}"
    );
    desk.now += SECOND / 100;
    desk.quote(0, (9999, 5000), (10_000, 5001));
    assert_eq!((desk.held(0), desk.held(1)), (0, 0));
}

#[test]
fn half_of_a_comparison_is_none() {
    let mut desk = desk();
    desk.quote(0, (9999, 5000), (10_000, 5000));
    desk.now += 3 * SECOND;
    desk.quote(1, (100_300, 500), (100_400, 500));
    assert_eq!(desk.lines(), [] as [String; 0], "Kraken was silent for longer than 2 s");
    desk.quote(0, (9999, 5000), (10_000, 5001));
    assert_eq!(desk.lines().len(), 4);
}
