//! Coinbase, Coinbase Advanced Trade, Kraken and Alpaca: images on the WebSocket.

use tickpath_protocol::checksum::book_crc32;

use super::*;

#[test]
fn coinbase_trusts_an_image_until_a_trade_is_missing() {
    let mut bench = Bench::new(SyncRule::TradeIds);
    bench.frame("b A image b100=1 a102=1");
    assert_eq!(
        bench.take(),
        [
            "A clear snapshot",
            "A level b100=1 snapshot",
            "A level a102=1 last snapshot",
            "A book_trusted",
            "A quote b100=1 derived",
            "A quote a102=1 last derived",
        ]
    );
    bench.frame("b A b99=4");
    assert_eq!(bench.take(), ["A level b99=4 last"], "best bid and offer are as before");
    bench.frame("b A b101=2");
    assert_eq!(
        bench.take(),
        [
            "A level b101=2 last",
            "A quote b101=2 derived",
            "A quote a102=1 last derived"
        ]
    );
    bench.frame("t A 7 102 1");
    bench.frame("h A 7");
    bench.frame("t A 8 102 1");
    bench.frame("t A 8 102 1");
    assert_eq!(bench.take().len(), 2, "a repeated trade is no trade");
    bench.frame("t A 11 102 1");
    assert_eq!(
        bench.take(),
        [
            "A gap venue_sequence 9..10",
            "A book_untrusted venue_sequence",
            "A trade b102=1 last",
        ]
    );
    let resubscribe = Action::Send {
        connection: C1,
        frames: vec!["resubscribe A".into()],
    };
    assert_eq!(bench.pass(1), [resubscribe]);
    bench.take();
    bench.frame("b A b103=2");
    assert_eq!(
        bench.take(),
        ["A level b103=2 last untrusted"],
        "no quotes of a book in doubt"
    );
    bench.frame("t A 10 102 1");
    assert_eq!(bench.take(), ["A trade b102=1 last"], "late, not lost");
    bench.frame("b A image b100=1 a102=1");
    assert!(bench.is_trusted("A"));
    bench.frame("h A 13");
    assert!(!bench.is_trusted("A"), "trades 12 and 13 never came");
    assert_eq!(bench.feed.counters().resyncs, 2);
}

#[test]
fn an_image_that_does_not_come_is_asked_for_again() {
    let mut bench = Bench::new(SyncRule::TradeIds);
    bench.frame("b B image b1=1");
    let actions = bench.pass(120);
    let asked: Vec<_> = actions
        .iter()
        .filter(|action| matches!(action, Action::Send { .. }))
        .collect();
    assert!((4..=8).contains(&asked.len()), "{}", asked.len());
}

#[test]
fn a_connection_on_which_nothing_can_be_proven_is_given_up() {
    let reconnects = |frame: &str| {
        let mut bench = Bench::new(SyncRule::TradeIds);
        bench.frame(frame);
        let actions = bench.pass(200);
        actions
            .iter()
            .filter(|action| matches!(action, Action::Reconnect { .. }))
            .count()
    };
    assert!(reconnects("t A 1 1 1") > 0);
    assert_eq!(reconnects("b B image b1=1"), 0, "the trouble is A's alone");
}

#[test]
fn a_refused_frame_puts_in_doubt_what_it_may_have_changed() {
    for (rule, frame, trusted) in [
        (SyncRule::TradeIds, "bad \"A\"", [false, true]),
        (SyncRule::TradeIds, "bad", [false, false]),
        (SyncRule::Images, "bad \"B\"", [true, false]),
        (SyncRule::ConnectionSequence, "bad \"A\"", [true, true]),
    ] {
        let mut bench = Bench::new(rule);
        bench.frame("b A image b1=1; b B image b1=1");
        assert!(bench.frame_on(C1, frame).is_err());
        assert_eq!(
            [bench.is_trusted("A"), bench.is_trusted("B")],
            trusted,
            "{rule:?} {frame}"
        );
    }
}

#[test]
fn advanced_trade_numbers_its_frames() {
    let mut bench = Bench::new(SyncRule::ConnectionSequence);
    bench.frame("n 0; b A image b100=1 a102=1");
    bench.frame("n 1; b B image b1=1");
    bench.frame("n 1; b B b2=1");
    assert!(bench.is_trusted("A") && bench.is_trusted("B"));
    assert_eq!(bench.feed.counters().duplicates, 1);
    bench.take();
    bench.frame("n 4; b A b99=1");
    assert_eq!(
        bench.take(),
        [
            "A gap venue_sequence 2..3",
            "A book_untrusted venue_sequence",
            "B gap venue_sequence 2..3",
            "B book_untrusted venue_sequence",
            "A level b99=1 last untrusted",
        ]
    );
    assert_eq!(bench.pass(1).len(), 2);
    bench.take();
    bench.frame("n 3; t A 1 5 5; b A b98=1");
    assert_eq!(
        bench.take(),
        ["A trade b5=5 last"],
        "its levels are older than the book"
    );
    bench.frame("n 5; b A image b1=1");
    assert!(bench.is_trusted("A") && !bench.is_trusted("B"));
}

/// The levels as words, and the checksum of the book that they make on top of `book`.
fn kraken(book: &mut OrderBook, depth: usize, levels: &str) -> String {
    for word in levels.split_whitespace() {
        let (price, size) = word[1..].split_once('=').unwrap();
        let side = if word.starts_with('b') { Side::Bid } else { Side::Ask };
        book.apply(side, price.parse().unwrap(), size.parse().unwrap()).unwrap();
    }
    book.truncate(depth, |_, _| {});
    format!("crc={} {levels}", book_crc32(book))
}

#[test]
fn kraken_cuts_and_checks() {
    let mut bench = Bench::new(SyncRule::Checksum);
    let mut book = OrderBook::new();
    bench.frame("b A b1=1 crc=5");
    assert_eq!(
        bench.feed.counters().checksums_bad,
        0,
        "before an image nothing can be checked"
    );
    bench.frame("ack A 2");
    bench.take();
    let image = kraken(&mut book, 2, "b100=1 b99=1 a101=1 a102=1");
    bench.frame(&format!("b A image {image}"));
    let said = bench.take();
    let proof = [
        "A book_trusted",
        "A quote b100=1 derived",
        "A quote a101=1 last derived",
    ];
    assert!(said.ends_with(&proof.map(str::to_owned)), "{said:?}");
    let update = kraken(&mut book, 2, "b101=0 a100=0 b98=3 a103=5");
    bench.frame(&format!("b A {update}"));
    assert_eq!(
        bench.take(),
        [
            "A level b101=0",
            "A level a100=0",
            "A level b98=3",
            "A level a103=5",
            "A level b98=0 derived",
            "A level a103=0 last derived",
        ]
    );
    bench.frame("b A b99=0 crc=1");
    assert_eq!(
        bench.take(),
        [
            "A gap checksum ?..?",
            "A book_untrusted checksum",
            "A level b99=0 last untrusted",
        ]
    );
    bench.frame("b A b97=1 crc=1");
    assert_eq!(bench.take(), ["A level b97=1 last untrusted"], "said once");
    assert_eq!(bench.pass(1).len(), 1);
    bench.take();
    bench.frame("b A image b1=1 crc=1");
    assert_eq!(
        bench.take(),
        [
            "A gap checksum ?..?",
            "A clear snapshot untrusted",
            "A level b1=1 last snapshot untrusted",
        ]
    );
    let image = kraken(&mut OrderBook::new(), 2, "b1=1");
    bench.frame(&format!("b A image {image}"));
    assert!(bench.is_trusted("A"));
    let counters = bench.feed.counters();
    assert_eq!((counters.checksums_ok, counters.checksums_bad), (3, 3));
}

#[test]
fn quotes_are_derived_until_the_venue_sends_its_own() {
    let mut bench = Bench::new(SyncRule::Images);
    bench.frame("b A image b100=1 a101=1");
    assert_eq!(bench.take().iter().filter(|line| line.contains("quote")).count(), 2);
    bench.frame("b A b100=2");
    assert_eq!(bench.take().iter().filter(|line| line.contains("quote")).count(), 2);
    bench.frame("q A 1 100 101");
    assert_eq!(bench.take().iter().filter(|line| line.contains("quote")).count(), 2);
    bench.frame("b A b100=3");
    assert_eq!(bench.take(), ["A level b100=3 last"]);
}

#[test]
fn alpaca_has_books_where_the_venue_says_so() {
    let mut bench = Bench::new(SyncRule::Images);
    assert_eq!(bench.feed.books(), (0, 0));
    bench.frame("ack A");
    assert_eq!(bench.take(), ["A subscribed", "A book_untrusted no_snapshot"]);
    bench.frame("ack A");
    assert_eq!(bench.take(), Vec::<String>::new(), "said once a connection");
    assert_eq!(bench.feed.books(), (1, 0));
    bench.frame("b A image b100=1 a101=1");
    assert_eq!(bench.feed.books(), (1, 1));
    bench.take();
    bench.frame("b A a99=1");
    assert_eq!(
        bench.take(),
        [
            "A gap crossed ?..?",
            "A book_untrusted crossed",
            "A level a99=1 last untrusted",
        ]
    );
    bench.frame("b A image");
    assert_eq!(bench.take(), ["A clear last snapshot no_event_time", "A book_trusted"]);
}
