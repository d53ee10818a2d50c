//! Grouping of records into events, images, trust, and what is ignored.

mod support;

use support::{BTC, ETH, Notes, Producer, instrument, table};
use tickpath_bridge::market::{Input, Market};
use tickpath_protocol::{Flags, InstrumentId, InstrumentTable, Kind, Record, Side, StatusCode, Venue};

struct Stream {
    market: Market,
    table: InstrumentTable,
    notes: Notes,
}

impl Stream {
    fn new() -> Stream {
        let mut stream = Stream {
            market: Market::new(),
            table: table(),
            notes: Notes::default(),
        };
        stream.market.sync(&stream.table, &mut stream.notes);
        stream.notes.take();
        stream
    }

    fn send(&mut self, records: impl IntoIterator<Item = Record>) -> Vec<String> {
        for record in records {
            self.input(Input::Record(record));
        }
        self.notes.take()
    }

    fn input(&mut self, input: Input) {
        self.market.apply(&input, &self.table, 9_000, &mut self.notes);
    }

    fn depth(&self, side: Side) -> usize {
        self.market.find(Venue::KRAKEN, "BTC/USD").unwrap().book().depth(side)
    }
}

fn record_with(record: Record, flags: Flags) -> Record {
    Record {
        flags: record.flags().with(flags).0,
        ..record
    }
}

const IMAGE: [(Side, i64, i64); 3] = [(Side::Bid, 100, 5), (Side::Bid, 99, 5), (Side::Ask, 101, 5)];

#[test]
fn an_event_shows_when_its_last_record_came() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    assert_eq!(
        stream.send(kraken.image(BTC, &IMAGE)),
        ["BTC/USD image 3 trusted", "BTC/USD status book_trusted"]
    );
    let event = kraken.levels(BTC, Flags::NONE, &[(Side::Bid, 98, 1), (Side::Ask, 102, 1)]);
    assert_eq!(stream.send([event[0]]), Vec::<String>::new());
    assert_eq!(stream.depth(Side::Bid), 2, "half an event is not shown");
    assert_eq!(stream.send([event[1]]), ["BTC/USD levels 2 trusted"]);
    assert_eq!(stream.depth(Side::Bid), 3);
}

#[test]
fn events_of_several_instruments_may_interleave() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    let btc = kraken.levels(BTC, Flags::NONE, &[(Side::Bid, 98, 1), (Side::Ask, 102, 1)]);
    let eth = kraken.levels(ETH, Flags::NONE, &[(Side::Bid, 7, 1)]);
    assert_eq!(
        stream.send([btc[0], eth[0], btc[1]]),
        ["ETH/USD levels 1 untrusted", "BTC/USD levels 2 untrusted"]
    );
}

#[test]
fn an_image_replaces_the_book_as_a_whole() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    stream.send(kraken.image(BTC, &IMAGE));
    let next = kraken.image(BTC, &[(Side::Bid, 50, 1), (Side::Ask, 51, 1)]);
    stream.send(next[..2].iter().copied());
    assert_eq!(
        stream.depth(Side::Bid),
        2,
        "the old book stands until the image is whole"
    );
    assert_eq!(stream.send([next[2]]), ["BTC/USD image 2 trusted"]);
    assert_eq!(stream.send(kraken.image(BTC, &[])), ["BTC/USD image 0 trusted"]);
}

#[test]
fn an_image_without_its_end_is_shown_and_not_trusted() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    let image = kraken.image(BTC, &IMAGE);
    stream.send(image[..3].iter().copied());
    let delta = kraken.levels(BTC, Flags::NONE, &[(Side::Ask, 103, 1)]);
    assert_eq!(
        stream.send(delta),
        ["BTC/USD image 2 untrusted", "BTC/USD levels 1 untrusted"]
    );
}

#[test]
fn trust_follows_flags_status_and_the_producer() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    stream.send(kraken.image(BTC, &IMAGE));
    let level = [(Side::Bid, 98, 1)];
    assert_eq!(
        stream.send(kraken.levels(BTC, Flags::UNTRUSTED, &level)),
        ["BTC/USD levels 1 untrusted", "BTC/USD status book_untrusted"]
    );
    assert_eq!(
        stream.send([kraken.status(StatusCode::BookTrusted, BTC, 0, 0)]),
        ["BTC/USD status book_trusted", "BTC/USD levels 0 trusted"]
    );
    assert_eq!(
        stream.send([kraken.status(StatusCode::BookUntrusted, BTC, 4, 0)]),
        ["BTC/USD status book_untrusted", "BTC/USD levels 0 untrusted"]
    );
    let again = stream.send([kraken.status(StatusCode::BookUntrusted, BTC, 4, 0)]);
    assert_eq!(again, ["BTC/USD status book_untrusted"], "another cause");
    stream.send([kraken.status(StatusCode::BookTrusted, BTC, 0, 0)]);
    let again = stream.send([kraken.status(StatusCode::BookTrusted, BTC, 0, 0)]);
    assert_eq!(again, Vec::<String>::new(), "clients know");
    stream.input(Input::Detached);
    assert_eq!(
        stream.notes.take(),
        ["BTC/USD status book_untrusted", "BTC/USD levels 0 untrusted"]
    );
    let back = stream.send([kraken.status(StatusCode::Connected, InstrumentId::NONE, 0, 0)]);
    assert_eq!(
        back,
        [
            "BTC/USD status book_trusted",
            "BTC/USD levels 0 trusted",
            "kraken status connected None"
        ]
    );
}

#[test]
fn what_is_missing_costs_the_trust_until_the_next_image() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    stream.send(kraken.image(BTC, &IMAGE));
    let event = kraken.levels(BTC, Flags::NONE, &[(Side::Bid, 98, 1), (Side::Ask, 102, 1)]);
    stream.send([event[0]]);
    stream.input(Input::Missing {
        venue: Venue::KRAKEN,
        count: 1,
    });
    assert_eq!(
        stream.notes.take(),
        [
            "kraken status gap Some(\"missing\")",
            "BTC/USD levels 1 trusted",
            "BTC/USD status book_untrusted",
            "BTC/USD levels 0 untrusted"
        ],
        "what came is passed on"
    );
    assert_eq!(
        stream.send([kraken.status(StatusCode::BookTrusted, BTC, 0, 0)]),
        Vec::<String>::new(),
        "the producer cannot know what we missed"
    );
    assert_eq!(
        stream.send(kraken.image(BTC, &IMAGE)),
        ["BTC/USD image 3 trusted", "BTC/USD status book_trusted"]
    );
    stream.input(Input::Lapped { missed: 7 });
    assert!(stream.notes.take().contains(&"BTC/USD levels 0 untrusted".to_owned()));
}

#[test]
fn an_image_of_what_is_known_is_not_passed_on() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    stream.send(kraken.image(BTC, &IMAGE));
    let stamp = |stream: &Stream| stream.market.find(Venue::KRAKEN, "BTC/USD").unwrap().book_stamp();
    let before = stamp(&stream);
    assert_eq!(stream.send(kraken.image(BTC, &IMAGE)), Vec::<String>::new());
    assert_eq!(stamp(&stream), before, "the book did not change");

    // Trust that changes is told without the levels.
    stream.input(Input::Lapped { missed: 1 });
    stream.notes.take();
    assert_eq!(
        stream.send(kraken.image(BTC, &IMAGE)),
        ["BTC/USD status book_trusted", "BTC/USD levels 0 trusted"]
    );
    let unproven = kraken
        .image(BTC, &IMAGE)
        .into_iter()
        .map(|record| record_with(record, Flags::UNTRUSTED));
    assert_eq!(
        stream.send(unproven),
        ["BTC/USD status book_untrusted", "BTC/USD levels 0 untrusted"]
    );
    let other = [(Side::Bid, 100, 5), (Side::Bid, 99, 6), (Side::Ask, 101, 5)];
    assert_eq!(
        stream.send(kraken.image(BTC, &other)),
        ["BTC/USD image 3 trusted", "BTC/USD status book_trusted"]
    );
}

#[test]
fn books_wait_for_an_image_when_only_this_process_missed_records() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    let waits = |stream: &Stream| stream.market.waits_for_image();
    stream.send(kraken.quote(BTC, 100, 101));
    assert!(!waits(&stream), "no book records, perhaps no book");

    let level = [(Side::Bid, 98, 1)];
    stream.send(kraken.levels(BTC, Flags::NONE, &level));
    assert!(waits(&stream), "joined late");
    stream.send(kraken.image(BTC, &IMAGE));
    assert!(!waits(&stream));

    stream.input(Input::Missing {
        venue: Venue::KRAKEN,
        count: 1,
    });
    assert!(waits(&stream));
    stream.send(kraken.levels(BTC, Flags::UNTRUSTED, &level));
    assert!(!waits(&stream), "the producer's own image will come");
    stream.send([kraken.status(StatusCode::BookTrusted, BTC, 0, 0)]);
    assert!(waits(&stream));
    stream.input(Input::Detached);
    assert!(!waits(&stream), "nobody to ask");
    stream.send(kraken.image(BTC, &IMAGE));
    assert!(!waits(&stream));
}

#[test]
fn a_producer_of_another_run_begins_anew() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    let attached = |run_id| {
        let record = StatusCode::ProducerAttached.record(Venue::KRAKEN, InstrumentId::NONE, 0, run_id, 1);
        Record {
            flags: record.flags | Flags::FROM_RELAY.0,
            ..record
        }
    };
    stream.send([attached(1)]);
    stream.send(kraken.image(BTC, &IMAGE));
    assert_eq!(stream.send([attached(1)]), ["kraken status producer_attached None"]);
    assert_eq!(
        stream.send([attached(2)]),
        [
            "BTC/USD status book_untrusted",
            "BTC/USD levels 0 untrusted",
            "kraken status producer_attached None"
        ]
    );
}

#[test]
fn an_id_that_means_another_symbol_is_another_instrument() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    stream.send(kraken.image(BTC, &IMAGE));
    stream.table = InstrumentTable::new();
    for (index, symbol) in [(0, "ETH/USD"), (1, "BTC/USD")] {
        stream
            .table
            .insert(instrument(Venue::KRAKEN, index, symbol, symbol))
            .unwrap();
    }
    assert_eq!(stream.send(kraken.quote(BTC, 7, 8)), ["ETH/USD quote 7 8"]);
    assert_eq!(stream.send(kraken.quote(ETH, 100, 101)), ["BTC/USD quote 100 101"]);
    assert_eq!(stream.depth(Side::Bid), 2);
}

#[test]
fn quotes_are_pairs() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    let [bid, ask] = kraken.quote(BTC, 100, 101);
    assert_eq!(stream.send([bid, ask]), ["BTC/USD quote 100 101"]);
    let [bid, _] = kraken.quote(BTC, 102, 103);
    let [_, ask] = kraken.quote(BTC, 104, 105);
    assert_eq!(stream.send([bid, ask]), Vec::<String>::new());
    assert_eq!(stream.market.ignored.torn_quotes, 1);
}

#[test]
fn trades_of_one_event_stay_together_and_fifty_are_kept() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    let first = kraken.record(Kind::Trade, BTC, Flags::BID, 100, 1);
    let second = kraken.trade(BTC, Side::Ask, 101, 1);
    assert_eq!(stream.send([first, second]), ["BTC/USD trades 2"]);
    for price in 0..60 {
        stream.send([kraken.trade(BTC, Side::Bid, price, 1)]);
    }
    let state = stream.market.find(Venue::KRAKEN, "BTC/USD").unwrap();
    let kept: Vec<_> = state.trades().map(|trade| trade.price).collect();
    assert_eq!(kept, (10..60).collect::<Vec<_>>());
}

#[test]
fn what_makes_no_sense_is_counted() {
    let (mut stream, mut kraken) = (Stream::new(), Producer::default());
    stream.send(kraken.image(BTC, &IMAGE));
    let unknown = Record {
        kind: 99,
        ..kraken.trade(BTC, Side::Bid, 1, 1)
    };
    let order = kraken.record(Kind::Fill, BTC, Flags::LAST, 1, 1);
    let nobody = kraken.trade(InstrumentId::new(Venue::KRAKEN, 77), Side::Bid, 1, 1);
    let heartbeat = kraken.record(Kind::Heartbeat, InstrumentId::NONE, Flags::LAST, 0, 0);
    let heartbeat = Record {
        venue: Venue::KRAKEN.0,
        ..heartbeat
    };
    assert_eq!(stream.send([unknown, order, nobody, heartbeat]), Vec::<String>::new());
    assert_eq!(
        (stream.market.ignored.unknown, stream.market.ignored.unknown_instrument),
        (1, 1)
    );
    let no_side = kraken.record(Kind::BookLevel, BTC, Flags::LAST, 1, 1);
    let negative = kraken.levels(BTC, Flags::NONE, &[(Side::Bid, 1, -1)]);
    let other_scale = Record {
        scale: 0,
        ..kraken.trade(BTC, Side::Bid, 1, 1)
    };
    assert_eq!(
        stream.send([no_side, other_scale]),
        ["BTC/USD status book_untrusted", "BTC/USD levels 0 untrusted"]
    );
    assert_eq!(stream.send(negative), Vec::<String>::new());
    assert_eq!(stream.market.ignored.malformed, 3);
    assert_eq!(stream.depth(Side::Bid), 2);
}
