use tickpath_protocol::{Flags, Side, StatusCode, Venue};

use super::desk::{Desk, SECOND, instrument};

/// γ = 0.05 and k = 0.3: (1 / γ) ln(1 + γ / k) = 20 × 0.154150680 = 3.083013596 bp on each side. A variance of the last sample alone.
const GIVEN: [(&str, &str); 5] = [
    ("quantity", "1"),
    ("sample", "1000"),
    ("samples", "1"),
    ("inventory", "2"),
    ("horizon", "10"),
];

fn desk(own: &[(&str, &str)]) -> Desk {
    let given: Vec<_> = GIVEN.iter().chain(own).copied().collect();
    Desk::new("avellaneda", &given, &[instrument(Venue::KRAKEN)])
}

/// A mid price of 10,000.00 for a second: a variance of 0 is known, and both sides are quoted.
fn quoting(own: &[(&str, &str)]) -> Desk {
    let mut desk = desk(own);
    desk.quote(0, (999_990, 500), (1_000_010, 500));
    assert_eq!(desk.lines(), [] as [String; 0], "nothing is known of the variance");
    desk.now += SECOND;
    desk.quote(0, (999_990, 500), (1_000_010, 501));
    // 10,000 ∓ 3.083013596, away from the mid to cents.
    assert_eq!(desk.lines(), ["buy 100 @ 999691", "sell 100 @ 1000309"]);
    desk
}

#[test]
fn quotes_move_with_the_mid_and_the_variance() {
    let mut desk = quoting(&[]);
    desk.now += SECOND;
    // Mid 10,001: 1 bp in a second. γ σ² (T − t) = 0.5: half a spread of 3.333013596 bp, which is 3.333346897 of 10,001.
    desk.quote(0, (1_000_090, 500), (1_000_110, 500));
    assert_eq!(
        desk.lines(),
        [
            "replace buy 100 @ 999766",
            "replace sell 100 @ 1000434",
            "replaced buy 100 @ 999766",
            "replaced sell 100 @ 1000434"
        ]
    );
    // The same mid, other sizes: nothing moves.
    for size in 1..9 {
        desk.quote(0, (1_000_090, 500), (1_000_110, size));
    }
    assert_eq!(desk.lines(), [] as [String; 0]);
}

#[test]
fn inventory_leans_both_quotes_and_stops_one() {
    let mut desk = quoting(&[]);
    desk.now += SECOND;
    desk.quote(0, (1_000_090, 500), (1_000_110, 500));
    desk.lines();
    // Somebody sells through the bid: bought 1. r = −0.5 bp: the bid 3.833013596 bp below 10,001 (3.833396897), the ask 2.833013596 above (2.833296897).
    desk.trade(0, Side::Ask, 999_700, 1000);
    let lines = desk.lines();
    assert_eq!(desk.held(0), 100);
    assert_eq!(lines[0], "filled buy 100 @ 999766");
    assert!(lines.contains(&"buy 100 @ 999716".to_owned()), "{lines:?}");
    assert!(lines.contains(&"replace sell 100 @ 1000384".to_owned()), "{lines:?}");
    // And again: 2 is the limit, no bid any more. r = −1 bp: the ask 2.333013596 above (2.333246897).
    desk.trade(0, Side::Ask, 999_600, 1000);
    let lines = desk.lines();
    assert_eq!(desk.held(0), 200);
    assert!(!lines.iter().any(|line| line.starts_with("buy")), "{lines:?}");
    assert!(lines.contains(&"replace sell 100 @ 1000334".to_owned()), "{lines:?}");
}

#[test]
fn a_market_that_is_not_proven_or_silent_is_left() {
    let mut desk = quoting(&[]);
    desk.status(0, StatusCode::Disconnected);
    let canceled = ["cancel buy 100 @ 999691", "cancel sell 100 @ 1000309"];
    assert_eq!(desk.lines()[..2], canceled);
    desk.quote_flagged(0, (999_990, 500), (1_000_010, 502), Flags::UNTRUSTED);
    assert_eq!(desk.lines(), [] as [String; 0]);
    desk.quote(0, (999_990, 500), (1_000_010, 503));
    assert_eq!(desk.lines(), ["buy 100 @ 999691", "sell 100 @ 1000309"]);
    desk.quote(0, (1_000_020, 500), (1_000_010, 503));
    assert_eq!(desk.lines()[..2], canceled, "crossed");
}

#[test]
fn a_silent_market_is_left() {
    let instruments = [instrument(Venue::KRAKEN), instrument(Venue::COINBASE)];
    let mut desk = Desk::new("avellaneda", &GIVEN, &instruments);
    desk.quote(0, (999_990, 500), (1_000_010, 500));
    desk.now += SECOND;
    desk.quote(0, (999_990, 500), (1_000_010, 501));
    assert_eq!(desk.lines(), ["0: buy 100 @ 999691", "0: sell 100 @ 1000309"]);
    // The other market goes on, and the silence is noticed within twice the age.
    let mut lines = Vec::new();
    for size in 1..12 {
        desk.now += SECOND;
        desk.quote(1, (100, 500), (9_000_000, size));
        lines.extend(desk.lines());
    }
    assert!(lines.contains(&"0: cancel buy 100 @ 999691".to_owned()), "{lines:?}");
    assert!(lines.contains(&"0: cancel sell 100 @ 1000309".to_owned()), "{lines:?}");
}

#[test]
fn without_shorts_it_buys_first() {
    let mut desk = desk(&[("short", "false")]);
    desk.quote(0, (999_990, 500), (1_000_010, 500));
    desk.now += SECOND;
    desk.quote(0, (999_990, 500), (1_000_010, 501));
    assert_eq!(desk.lines(), ["buy 100 @ 999691"]);
}

#[test]
fn a_mid_price_of_nothing_is_not_quoted() {
    let mut desk = desk(&[]);
    for (bid, ask) in [(-1000, 1000), (-1000, 1000), (-2000, -1000), (-2000, 4000)] {
        desk.quote(0, (bid, 500), (ask, 500));
        desk.now += SECOND;
    }
    assert_eq!(desk.lines(), [] as [String; 0]);
}
