use tickpath_protocol::{Flags, Scale};

use super::*;

const BTC: InstrumentId = InstrumentId::new(Venue::KRAKEN, 0);

fn view() -> MarketView {
    let mut view = MarketView::new();
    view.add(&Instrument {
        id: BTC,
        symbol: "BTC/USD".into(),
        name: "BTC/USD".into(),
        scale: Scale::new(1, 8).unwrap(),
        tick: 1,
        lot: 1,
    });
    view
}

fn record(kind: Kind, flags: Flags, price: i64, size: i64) -> Record {
    Record {
        kind: kind as u8,
        venue: Venue::KRAKEN.0,
        flags: flags.0,
        scale: 0x18,
        instrument: BTC.0,
        price,
        size,
        ..Record::default()
    }
}

fn image(view: &mut MarketView) {
    let snapshot = Flags::SNAPSHOT;
    for record in [
        record(Kind::BookClear, snapshot, 0, 0),
        record(Kind::BookLevel, snapshot.with(Flags::BID), 99, 5),
        record(Kind::BookLevel, snapshot.with(Flags::ASK).with(Flags::LAST), 101, 5),
    ] {
        view.apply(&record, Time(1));
    }
}

#[test]
fn the_best_is_the_books_until_there_are_quotes() {
    let mut view = view();
    image(&mut view);
    assert_eq!(view.best(BTC, Side::Bid), Some(Level { price: 99, size: 5 }));
    let last = Flags::BID.with(Flags::LAST);
    let change = view.apply(&record(Kind::BookLevel, last, 98, 5), Time(2));
    assert_eq!((change.what, change.best_changed), (What::Book, false));
    view.apply(&record(Kind::Quote, Flags::BID, 100, 1), Time(3));
    assert_eq!(
        view.best(BTC, Side::Bid).map(|l| l.price),
        Some(99),
        "half a quote is none"
    );
    let change = view.apply(&record(Kind::Quote, Flags::ASK.with(Flags::LAST), 102, 1), Time(3));
    assert_eq!((change.what, change.best_changed), (What::Quote, true));
    assert_eq!(view.best(BTC, Side::Bid).map(|l| l.price), Some(100));
    let change = view.apply(&record(Kind::BookLevel, last, 101, 5), Time(4));
    assert!(!change.best_changed, "quotes go before the book");
}

#[test]
fn a_loss_on_the_way_needs_an_image() {
    let mut view = view();
    image(&mut view);
    assert!(view.get(BTC).unwrap().is_trusted());
    let gap = GapCause::RingFull.record(Venue::KRAKEN, InstrumentId::NONE, 1, 2, 3, 4);
    view.apply(&gap, Time(2));
    assert!(!view.get(BTC).unwrap().is_trusted());
    view.apply(&record(Kind::BookLevel, Flags::BID.with(Flags::LAST), 98, 5), Time(3));
    assert!(!view.get(BTC).unwrap().is_trusted(), "a change heals nothing");
    view.apply(&record(Kind::BookClear, Flags::SNAPSHOT, 0, 0), Time(4));
    view.apply(&gap, Time(4));
    view.apply(
        &record(
            Kind::BookLevel,
            Flags::SNAPSHOT.with(Flags::BID).with(Flags::LAST),
            98,
            5,
        ),
        Time(5),
    );
    assert!(!view.get(BTC).unwrap().is_trusted(), "the image itself is torn");
    image(&mut view);
    assert!(view.get(BTC).unwrap().is_trusted());
}

#[test]
fn other_venues_crossed_books_and_halts() {
    let mut view = view();
    image(&mut view);
    let other = StatusCode::Disconnected.record(Venue::BINANCE, InstrumentId::NONE, 1, 0, 0);
    view.apply(&other, Time(2));
    assert!(view.get(BTC).unwrap().is_trusted());
    view.apply(&record(Kind::BookLevel, Flags::BID.with(Flags::LAST), 101, 5), Time(3));
    assert!(!view.get(BTC).unwrap().is_trusted(), "crossed");
    image(&mut view);
    view.apply(&StatusCode::Halted.record(Venue::KRAKEN, BTC, 1, 0, 0), Time(4));
    assert!(view.get(BTC).unwrap().is_halted());
    let mut alien = record(Kind::BookLevel, Flags::BID.with(Flags::LAST), 98, 5);
    alien.scale = 0x28;
    view.apply(&alien, Time(5));
    assert_eq!(view.refused(), 1);
    assert!(!view.get(BTC).unwrap().is_trusted());
}
