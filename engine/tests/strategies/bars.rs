use tickpath_engine::paper::PaperConfig;
use tickpath_engine::risk::{Amount, Limits};
use tickpath_protocol::{Flags, Side, StatusCode, Venue};

use super::desk::{Desk, PAPER, SECOND, instrument};

/// Every trade is a bar. Two decimals: a price of 100 is a mantissa of 10,000; a quantity of 1 is 100.
const EACH_TRADE: [(&str, &str); 2] = [("bar", "1t"), ("quantity", "1")];

fn desk(strategy: &str, own: &[(&str, &str)]) -> Desk {
    let given: Vec<_> = EACH_TRADE.iter().chain(own).copied().collect();
    Desk::new(strategy, &given, &[instrument(Venue::KRAKEN)])
}

/// For each price: a market one cent wide around it, then a trade there. The orders that came of each.
#[track_caller]
fn check(strategy: &str, own: &[(&str, &str)], prices: &[i64], expected: &[(usize, &str)]) {
    let mut desk = desk(strategy, own);
    let mut orders = Vec::new();
    for (n, price) in prices.iter().enumerate() {
        desk.now += SECOND;
        desk.quote(0, (price * 100 - 1, 500), (price * 100 + 1, 500));
        assert_eq!(
            desk.lines(),
            [] as [String; 0],
            "nothing happens before the bar is complete"
        );
        desk.trade(0, Side::Bid, price * 100, 10);
        orders.extend(desk.lines().into_iter().map(|line| (n, line)));
    }
    let expected: Vec<_> = expected.iter().map(|(n, line)| (*n, (*line).to_owned())).collect();
    assert_eq!(orders, expected);
}

/// Bought two ticks above the offer at most, filled at the offer, signal before; sold likewise.
fn bought(n: usize, price: i64) -> Vec<(usize, String)> {
    vec![
        (n, "signal buy 100".to_owned()),
        (n, format!("buy 100 @ {}", price * 100 + 3)),
        (n, format!("filled buy 100 @ {}", price * 100 + 1)),
    ]
}

fn sold(n: usize, price: i64) -> Vec<(usize, String)> {
    vec![
        (n, "signal 0".to_owned()),
        (n, format!("sell 100 @ {} reduce-only", price * 100 - 3)),
        (n, format!("filled sell 100 @ {} reduce-only", price * 100 - 1)),
    ]
}

#[track_caller]
fn check_trades(strategy: &str, own: &[(&str, &str)], prices: &[i64], trades: &[Vec<(usize, String)>]) {
    let expected: Vec<_> = trades.iter().flatten().map(|(n, line)| (*n, line.as_str())).collect();
    check(strategy, own, prices, &expected);
}

#[test]
fn sma_buys_the_cross_and_sells_the_next() {
    // fast 1, slow 2: 100, 99 (below 99.5: where it starts), 101 (above 100: long), 102, 98 (below 100: flat), 97.
    let own = [("fast", "1"), ("slow", "2")];
    check_trades(
        "sma",
        &own,
        &[100, 99, 101, 102, 98, 97],
        &[bought(2, 101), sold(4, 98)],
    );
}

#[test]
fn macd_buys_when_its_line_crosses_the_signal() {
    // As the unit test of the module computes: down at the fifth close, which changes nothing for one that is flat, up at the seventh.
    let own = [("fast", "1"), ("slow", "2"), ("signal", "2")];
    check_trades("macd", &own, &[8, 8, 8, 14, 14, 8, 8], &[bought(6, 8)]);
}

#[test]
fn rsi_buys_what_is_oversold_and_leaves_in_the_middle() {
    // Index: 0 at the third close, 66.7 at the fourth, above 70 without a short, 19.6 at the last.
    let prices = [100, 98, 96, 100, 101, 104, 95];
    check_trades(
        "rsi",
        &[("period", "2")],
        &prices,
        &[bought(2, 96), sold(3, 100), bought(6, 95)],
    );
}

#[test]
fn bollinger_buys_below_and_leaves_at_the_middle() {
    let own = [("period", "3"), ("width", "1")];
    let prices = [10, 10, 4, 7, 7, 13, 12, 11];
    check_trades("bollinger", &own, &prices, &[bought(2, 4), sold(3, 7), bought(7, 11)]);
}

#[test]
fn momentum_buys_the_breakout_and_leaves_with_the_shorter_channel() {
    let own = [("entry", "4"), ("exit", "2")];
    let prices = [10, 11, 12, 11, 13, 14, 12, 10, 13];
    check_trades("momentum", &own, &prices, &[bought(4, 13), sold(6, 12)]);
}

#[test]
fn a_short_turns_the_position_with_one_order() {
    let own = [("fast", "1"), ("slow", "2"), ("short", "true")];
    let long = bought(2, 101);
    let short = [
        (4, "signal sell 100".to_owned()),
        (4, "sell 200 @ 9797".to_owned()),
        (4, "filled sell 200 @ 9799".to_owned()),
    ];
    check_trades("sma", &own, &[100, 99, 101, 102, 98, 97], &[long, short.to_vec()]);
}

/// fast 1, slow 2: two prices down, and the next one up is a cross.
fn about_to_buy(own: &[(&str, &str)]) -> Desk {
    let mut desk = desk("sma", &[&[("fast", "1"), ("slow", "2")], own].concat());
    desk.quote(0, (9999, 500), (10_001, 500));
    desk.trade(0, Side::Bid, 10_000, 10);
    desk.trade(0, Side::Ask, 9900, 10);
    assert_eq!(desk.lines(), [] as [String; 0]);
    desk
}

#[test]
fn what_an_order_could_not_get_waits_for_the_next_quote() {
    let mut desk = about_to_buy(&[]);
    desk.quote(0, (9999, 500), (10_001, 40));
    desk.trade(0, Side::Bid, 10_001, 10);
    assert_eq!(
        desk.lines(),
        [
            "signal buy 100",
            "buy 100 @ 10003",
            "filled buy 40 @ 10001",
            "canceled buy 60 @ 10003"
        ]
    );
    assert_eq!(desk.held(0), 40);
    desk.quote(0, (9999, 500), (10_004, 500));
    assert_eq!(desk.lines(), ["buy 60 @ 10006", "filled buy 60 @ 10004"]);
    assert_eq!(desk.held(0), 100);
}

#[test]
fn nothing_is_sent_while_the_market_is_not_proven() {
    let mut desk = about_to_buy(&[]);
    desk.quote_flagged(0, (9999, 500), (10_001, 500), Flags::UNTRUSTED);
    desk.trade(0, Side::Bid, 20_000, 10);
    assert_eq!(
        desk.lines(),
        [] as [String; 0],
        "a trade of a market that is not proven makes no bar"
    );
    desk.quote(0, (9999, 500), (10_002, 500));
    desk.trade(0, Side::Bid, 10_001, 10);
    assert_eq!(desk.lines()[..2], ["signal buy 100", "buy 100 @ 10004"]);
}

#[test]
fn a_crossed_market_is_waited_out() {
    let mut desk = about_to_buy(&[]);
    desk.quote(0, (9999, 500), (10_001, 500));
    desk.trade(0, Side::Bid, 10_001, 10);
    assert_eq!(desk.held(0), 100);
    desk.lines();
    desk.quote(0, (10_005, 500), (10_001, 500));
    desk.trade(0, Side::Ask, 9000, 10);
    assert_eq!(desk.lines(), [] as [String; 0]);
}

#[test]
fn a_refusal_of_the_gate_is_not_repeated_before_the_next_bar() {
    let limits = Limits {
        order_quantity_max: Some(Amount {
            mantissa: 5,
            decimals: 1,
        }),
        ..Limits::default()
    };
    let given = [("bar", "1t"), ("quantity", "1"), ("fast", "1"), ("slow", "2")];
    let instruments = [instrument(Venue::KRAKEN)];
    let mut desk = Desk::with("sma", &given, &instruments, PAPER, limits);
    desk.quote(0, (9999, 500), (10_001, 500));
    for price in [10_000, 9900, 10_001] {
        desk.trade(0, Side::Bid, price, 10);
    }
    assert_eq!(desk.lines(), ["signal buy 100", "breach order_size"]);
    for size in 1..50 {
        desk.quote(0, (9999, 500), (10_001, size));
    }
    assert_eq!(desk.lines(), [] as [String; 0]);
    desk.trade(0, Side::Bid, 10_002, 10);
    assert_eq!(desk.lines(), ["breach order_size"]);
}

#[test]
fn a_time_bar_ends_on_time_whoever_speaks_first() {
    let given = [("bar", "1s"), ("quantity", "1"), ("fast", "1"), ("slow", "2")];
    let mut other = instrument(Venue::COINBASE);
    other.name = "ETH/USD".into();
    let mut desk = Desk::new("sma", &given, &[instrument(Venue::KRAKEN), other]);
    let mut lines = Vec::new();
    for price in [10_000, 9900, 10_001] {
        desk.quote(0, (9999, 500), (10_001, 500));
        desk.trade(0, Side::Bid, price, 10);
        assert_eq!(desk.lines(), [] as [String; 0]);
        desk.now += SECOND;
        // The other instrument's record is the first one after the end.
        desk.quote(1, (500, 500), (501, 500));
        lines.extend(desk.lines());
        desk.now += SECOND / 2;
        desk.quote(1, (500, 500), (502, 500));
        desk.now += SECOND / 2;
    }
    assert_eq!(
        lines,
        ["0: signal buy 100", "0: buy 100 @ 10003", "0: filled buy 100 @ 10001"]
    );
}

#[test]
fn bars_of_mid_prices_need_no_trades() {
    let mut desk = desk("sma", &[("fast", "1"), ("slow", "2"), ("source", "mid")]);
    desk.quote(0, (9999, 500), (10_001, 500));
    desk.quote(0, (9899, 500), (9901, 500));
    desk.trade(0, Side::Bid, 99_999, 10);
    assert_eq!(desk.lines(), [] as [String; 0]);
    desk.quote(0, (9999, 500), (10_001, 500));
    assert_eq!(desk.lines()[..2], ["signal buy 100", "buy 100 @ 10003"]);
}

#[test]
fn a_gap_drops_the_bar_that_it_fell_into() {
    let given = [("bar", "3t"), ("quantity", "1"), ("entry", "1"), ("exit", "1")];
    let mut desk = Desk::new("momentum", &given, &[instrument(Venue::KRAKEN)]);
    let one_bar = |desk: &mut Desk, price: i64| {
        for _ in 0..3 {
            desk.trade(0, Side::Bid, price, 10);
        }
    };
    desk.quote(0, (9999, 500), (10_001, 500));
    one_bar(&mut desk, 10_000);
    desk.trade(0, Side::Bid, 99_999, 10);
    desk.status(0, StatusCode::Disconnected);
    desk.quote(0, (9999, 500), (10_001, 500));
    // Had the trade before the gap counted, this bar would end with its second trade.
    desk.trade(0, Side::Bid, 10_001, 10);
    desk.trade(0, Side::Bid, 10_001, 10);
    assert_eq!(desk.lines(), [] as [String; 0]);
    desk.trade(0, Side::Bid, 10_001, 10);
    assert_eq!(desk.lines()[0], "signal buy 100");
}

#[test]
fn after_a_restart_the_position_is_left_until_there_is_an_opinion() {
    let given = [("bar", "1t"), ("quantity", "1"), ("fast", "1"), ("slow", "2")];
    let mut desk = about_to_buy(&[]);
    desk.quote(0, (9999, 500), (10_001, 500));
    desk.trade(0, Side::Bid, 10_001, 10);
    assert_eq!(desk.held(0), 100);
    let mut desk = desk.restart("sma", &given);
    assert_eq!(desk.held(0), 100);
    desk.quote(0, (9999, 500), (10_001, 500));
    for price in [10_000, 10_001, 10_002] {
        desk.trade(0, Side::Bid, price, 10);
    }
    assert_eq!(desk.lines(), [] as [String; 0], "warm, above, and no cross seen yet");
    desk.trade(0, Side::Ask, 9000, 10);
    assert_eq!(desk.lines()[..2], ["signal 0", "sell 100 @ 9997 reduce-only"]);
    assert_eq!(desk.held(0), 0);
}

#[test]
fn a_position_that_was_stopped_is_not_opened_again_at_once() {
    let limits = Limits {
        stop_loss_ppm: Some(20_000),
        ..Limits::default()
    };
    // Overdone: oversold from the second bar on, for as long as the price falls.
    let given = [("bar", "1t"), ("quantity", "1"), ("period", "1")];
    let mut desk = Desk::with("rsi", &given, &[instrument(Venue::KRAKEN)], PAPER, limits);
    let fall = |desk: &mut Desk, price: i64| {
        desk.quote(0, (price - 1, 500), (price + 1, 500));
        desk.trade(0, Side::Ask, price, 10);
        desk.lines()
    };
    fall(&mut desk, 10_000);
    let bought = fall(&mut desk, 9990);
    assert_eq!(bought[2], "filled buy 100 @ 9991");
    assert_eq!(fall(&mut desk, 9900), [] as [String; 0], "0.9 % lost");
    let stopped = fall(&mut desk, 9790);
    assert!(
        stopped.iter().any(|line| line.starts_with("filled sell 100")),
        "{stopped:?}"
    );
    assert_eq!(desk.held(0), 0);
    for price in [9700, 9600, 9500] {
        assert_eq!(fall(&mut desk, price), [] as [String; 0], "still oversold");
    }
    // Up: the rules are out of it. Down: in again.
    assert_eq!(fall(&mut desk, 9600)[0], "signal 0");
    assert_eq!(fall(&mut desk, 9500)[0], "signal buy 100");
    assert_eq!(desk.held(0), 100);
}

#[test]
fn an_order_that_is_overtaken_by_another_opinion_is_undone() {
    let paper = PaperConfig {
        order_latency_ns: SECOND,
        ..PAPER
    };
    let given = [("bar", "1t"), ("quantity", "1"), ("fast", "1"), ("slow", "2")];
    let mut desk = Desk::with("sma", &given, &[instrument(Venue::KRAKEN)], paper, Limits::default());
    desk.quote(0, (9999, 500), (10_001, 500));
    for price in [10_000, 9900, 10_001, 9900] {
        desk.trade(0, Side::Bid, price, 10);
    }
    assert_eq!(
        desk.lines(),
        ["signal buy 100", "buy 100 @ 10003", "signal 0"],
        "flat again, the order under way"
    );
    desk.now += SECOND;
    desk.quote(0, (9999, 500), (10_001, 501));
    assert_eq!(desk.lines(), ["filled buy 100 @ 10001", "sell 100 @ 9997 reduce-only"]);
    desk.now += SECOND;
    desk.quote(0, (9999, 500), (10_001, 502));
    assert_eq!(desk.held(0), 0);
}
