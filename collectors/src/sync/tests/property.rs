//! Whatever a venue and a network do to the updates: a book that is trusted is right.

use proptest::prelude::*;

use super::super::refresh::Refresh;
use super::*;

/// A market of one instrument: every change has the next update id.
#[derive(Clone, Debug)]
struct Change {
    bid: bool,
    price: i64,
    size: i64,
}

fn change() -> impl Strategy<Value = Change> {
    (any::<bool>(), 0i64..20, 0i64..4).prop_map(|(bid, price, size)| Change {
        bid,
        price: if bid { price } else { price + 100 },
        size,
    })
}

/// What happens to a diff on its way.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    IsLost,
    ComesTwice,
    ComesLate,
    /// An image is taken now and comes after so many more diffs.
    ImageAfter(usize),
    /// An image of a moment after it comes before it.
    ImageAhead,
    /// Time passes, so that images are asked for, and one that is a little old comes after so many more diffs.
    Refresh {
        age: usize,
        diffs: usize,
    },
    Reconnect,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Arrives),
        1 => Just(Fate::IsLost),
        1 => Just(Fate::ComesTwice),
        1 => Just(Fate::ComesLate),
        2 => (0usize..6).prop_map(Fate::ImageAfter),
        2 => Just(Fate::ImageAhead),
        2 => (0usize..6, 0usize..6).prop_map(|(age, diffs)| Fate::Refresh { age, diffs }),
        1 => Just(Fate::Reconnect),
    ]
}

fn book_after(changes: &[Change]) -> OrderBook {
    let mut book = OrderBook::new();
    for change in changes {
        let side = if change.bid { Side::Bid } else { Side::Ask };
        book.apply(side, change.price, change.size).unwrap();
    }
    book
}

fn image_of(changes: &[Change]) -> String {
    let book = book_after(changes);
    let mut text = format!("u={}", changes.len());
    for (side, letter) in [(Side::Bid, 'b'), (Side::Ask, 'a')] {
        for level in book.levels(side) {
            text += &format!(" {letter}{}={}", level.price, level.size);
        }
    }
    text
}

fn diff_of(changes: &[Change], from: usize, to: usize) -> String {
    let mut text = format!("b A U={} u={to}", from + 1);
    for change in &changes[from..to] {
        text += &format!(
            " {}{}={}",
            if change.bid { 'b' } else { 'a' },
            change.price,
            change.size
        );
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn never_trusted_and_wrong(
        changes in prop::collection::vec(change(), 1..120),
        steps in prop::collection::vec((1usize..4, fate()), 1..80),
    ) {
        let mut bench = Bench::new(SyncRule::UpdateIds);
        let mut sent = 0;
        let mut newest = 0;
        let mut late: Vec<String> = Vec::new();
        let mut images: Vec<(usize, Option<u64>, String)> = Vec::new();
        let mut connection = 1;
        for (width, fate) in steps {
            let to = (sent + width).min(changes.len());
            if to == sent {
                break;
            }
            let diff = diff_of(&changes, sent, to);
            sent = to;
            let arrives = match fate {
                Fate::Arrives => vec![diff],
                Fate::IsLost => vec![],
                Fate::ComesTwice => vec![diff.clone(), diff],
                Fate::ComesLate => {
                    late.push(diff);
                    vec![]
                }
                Fate::ImageAfter(diffs) => {
                    images.push((diffs, None, image_of(&changes[..sent])));
                    vec![diff]
                }
                Fate::ImageAhead => {
                    let ahead = (sent + 2).min(changes.len());
                    bench.image("A", None, Some(&image_of(&changes[..ahead])));
                    vec![diff]
                }
                Fate::Refresh { age, diffs } => {
                    bench.now_ns += Refresh::EVERY_NS;
                    for action in bench.pass(1) {
                        if let Action::RequestImage { symbol, request, .. } = action && symbol == "A" {
                            let taken = sent.saturating_sub(age);
                            images.push((diffs, Some(request), image_of(&changes[..taken])));
                        }
                    }
                    vec![diff]
                }
                Fate::Reconnect => {
                    bench.disconnect(ConnectionId(connection));
                    connection += 1;
                    bench.connect(ConnectionId(connection));
                    images.clear();
                    newest = 0;
                    vec![diff]
                }
            };
            let arrived = !arrives.is_empty();
            for diff in arrives {
                bench.frame_on(ConnectionId(connection), &diff).unwrap();
                newest = sent;
            }
            if arrived && let Some(diff) = late.pop() {
                bench.frame_on(ConnectionId(connection), &diff).unwrap();
            }
            images.retain_mut(|(diffs, request, image)| {
                if *diffs == 0 {
                    bench.image("A", *request, Some(image));
                    return false;
                }
                *diffs -= 1;
                true
            });
            let (book, trusted) = bench.feed.book(InstrumentId::new(VENUE, 0)).unwrap();
            if trusted {
                prop_assert_eq!(book, &book_after(&changes[..newest]));
            }
        }
    }

    #[test]
    fn a_clean_stream_is_trusted_after_one_image(
        changes in prop::collection::vec(change(), 2..80),
        widths in prop::collection::vec(1usize..5, 40),
        image_at in 0usize..80,
    ) {
        let mut bench = Bench::new(SyncRule::UpdateIds);
        let image_at = image_at.min(changes.len() - 1);
        let mut sent = 0;
        let mut image = Some(image_of(&changes[..image_at]));
        for width in widths {
            let to = (sent + width).min(changes.len());
            if to > sent {
                bench.frame(&diff_of(&changes, sent, to));
            }
            sent = to;
            if sent >= image_at && let Some(image) = image.take() {
                bench.image("A", None, Some(&image));
            }
        }
        if sent == changes.len() {
            prop_assert!(bench.is_trusted("A"));
            let held = bench.feed.book(InstrumentId::new(VENUE, 0)).unwrap().0;
            prop_assert_eq!(held, &book_after(&changes));
            prop_assert_eq!(bench.feed.counters().gaps, 0);
        }
    }
}
