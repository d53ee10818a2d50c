//! Images of the account: what a session goes on from, however much of the journal is left.

mod support;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use support::random::{Step, any_steps, play};
use support::*;
use tickpath_engine::engine::{Command, Recovered, RecoveryProblem};
use tickpath_engine::paper::PaperConfig;
use tickpath_engine::process::past::{self, Head, Past};
use tickpath_engine::units::Time;
use tickpath_journal::{Appender, Settings, segment_paths};
use tickpath_protocol::trading::ImageDecoder;
use tickpath_protocol::{InstrumentTable, Kind, Record, StatusCode, Venue};
use tickpath_service::Config;

/// So that a few steps lie between two images.
const STEP_NS: i64 = 400 * MS;

fn keeping(session: u32, paper: PaperConfig) -> Scene {
    let mut scene = Scene::unstarted(session, paper, loose());
    scene.engine.keep_images(1);
    scene
}

fn session(steps: &[Step], paper: PaperConfig) -> Scene {
    let mut scene = keeping(1, paper);
    scene.engine.start(0, Time(0), &mut scene.out);
    play(steps, scene, STEP_NS)
}

/// Where images begin and end.
fn images(records: &[Record]) -> Vec<(usize, usize)> {
    let (mut decoder, mut begun, mut found) = (ImageDecoder::new(Venue::PAPER), 0, Vec::new());
    for (at, record) in records.iter().enumerate() {
        if record.kind() == Some(Kind::ImageBegin) {
            begun = at;
        }
        if decoder.push(record).is_some() {
            found.push((begun, at));
        }
    }
    found
}

/// The same records without images.
fn plain_records(records: &[Record]) -> Vec<Record> {
    let kept = records
        .iter()
        .filter(|record| !record.kind().is_some_and(Kind::is_of_image));
    let numbered = kept.zip(1..).map(|(record, sequence)| Record { sequence, ..*record });
    numbered.collect()
}

fn fold(records: &[Record]) -> Recovered {
    Recovered::fold(Venue::PAPER, records.iter().copied())
}

/// What a session takes over, less what only tells how it was read, and less what ended: an image knows nothing of that.
fn account(mut found: Recovered) -> Recovered {
    (found.image, found.events, found.duplicates) = (None, 0, 0);
    found.closed.clear();
    for order in found.open.values_mut() {
        // An image has the order as it is, and its time is the image's.
        (order.submitted.ts_event, order.submitted.ts_recv, order.submitted.size) = (0, 0, 0);
        order.submitted.action = tickpath_protocol::trading::Action::Accepted;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// From any image on, and from all records without images: the same account. What is torn off an image leaves the one before it.
    #[test]
    fn image_and_tail_are_everything(steps in any_steps(), latency in 0i64..3, fee in -200i64..2_000, cut in any::<prop::sample::Index>(), kill in any::<bool>()) {
        let ms = latency * STEP_NS / 2;
        let paper = PaperConfig { order_latency_ns: ms, report_latency_ns: ms, maker_fee_ppm: -fee / 10, taker_fee_ppm: fee, ..PaperConfig::default() };
        let mut scene = session(&steps, paper);
        if kill {
            scene.command(Command::Kill);
        }
        let all = &scene.out;
        let ended = |found: &Recovered| found.closed.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        let whole = fold(&plain_records(all));
        let ended_in_all = ended(&whole);
        let everything = account(whole);
        prop_assert!(everything.is_whole());
        let images = images(all);
        prop_assert!(!images.is_empty());
        prop_assert_eq!(account(fold(all)), everything.clone());
        for (begin, _) in &images {
            let found = fold(&all[*begin..]);
            prop_assert!(found.image.is_some());
            prop_assert!(ended_in_all.ends_with(&ended(&found)));
            prop_assert_eq!(account(found), everything.clone());
        }
        // Killed within an image: it is as if it had not begun.
        let (begin, end) = images[cut.index(images.len())];
        let torn = &all[..begin + 1 + cut.index(end - begin)];
        prop_assert_eq!(account(fold(torn)), account(fold(&plain_records(&all[..begin]))));
    }

    /// The same inputs give the same images, and the next session starts alike from an image and from everything.
    #[test]
    fn sessions_go_on_alike(steps in any_steps()) {
        let scene = session(&steps, plain());
        prop_assert_eq!(&scene.out, &session(&steps, plain()).out);
        let begin = images(&scene.out).last().unwrap().0;
        let [mut from_image, mut from_all] = [fold(&scene.out[begin..]), fold(&plain_records(&scene.out))].map(|found| {
            let mut next = keeping(2, plain());
            assert_eq!(next.engine.recover(&found, 0, Time(i64::MAX / 2), &mut next.out), []);
            next.engine.start(0, Time(i64::MAX / 2), &mut next.out);
            next
        });
        let said = |scene: &mut Scene| -> Vec<Record> {
            let own = scene.out.iter().filter(|record| StatusCode::of(record) != Some(StatusCode::ImageFound));
            own.map(|record| Record { sequence: 0, ..*record }).collect()
        };
        prop_assert_eq!(said(&mut from_image), said(&mut from_all));
        prop_assert!(from_image.statuses().contains(&StatusCode::ImageFound));
        let held = |scene: &Scene| scene.engine.portfolio().strategy(0).positions().to_vec();
        prop_assert_eq!(held(&from_image), held(&from_all));
        prop_assert_eq!(held(&from_image), held(&scene));
    }
}

#[test]
fn no_image_is_written_of_an_account_that_is_not_sure() {
    let mut first = session(&[], plain());
    first.at(MS).quote((9_900, 100 * ONE), (10_000, 100 * ONE));
    first.submit(market(BUY, 3 * ONE));
    let mut recovered = fold(&first.out);
    recovered.missing = 1;
    let mut second = keeping(2, plain());
    let problems = second.engine.recover(&recovered, 0, Time(MS), &mut second.out);
    assert!(matches!(problems[..], [RecoveryProblem::Damaged { .. }]));
    second.engine.start(0, Time(MS), &mut second.out);
    second.at(5_000 * MS).quote((9_900, 100 * ONE), (10_000, 100 * ONE));
    assert_eq!(images(&second.out), [], "halted");
    second.command(Command::Arm);
    second.at(7_000 * MS).quote((9_900, 100 * ONE), (10_000, 100 * ONE));
    assert_eq!(images(&second.out).len(), 1, "somebody has looked");
    assert_eq!(fold(&second.out).positions, recovered.positions);
    // A position that this session leaves aside is in no image of it, so there is none.
    recovered.missing = 0;
    let other = tickpath_protocol::trading::StrategyKey::new(0, "other");
    recovered.strategies.insert(0, other);
    let mut third = keeping(3, plain());
    let problems = third.engine.recover(&recovered, 0, Time(MS), &mut third.out);
    assert_eq!(problems, [RecoveryProblem::OtherStrategy { strategy: 0 }]);
    third.engine.start(0, Time(MS), &mut third.out);
    third.command(Command::Arm);
    third.at(9_000 * MS).quote((9_900, 100 * ONE), (10_000, 100 * ONE));
    assert_eq!(images(&third.out), []);
}

/// A journal of small segments.
struct Kept {
    dir: tempfile::TempDir,
}

impl Kept {
    fn of(records: &[Record]) -> Kept {
        let kept = Kept {
            dir: tempfile::tempdir().unwrap(),
        };
        let settings = Settings {
            segment_records: 64,
            ..Settings::default()
        };
        let mut appender = Appender::open(&kept.path(), settings).unwrap();
        appender.begin_run(7).unwrap();
        for id in [BTC, ETH] {
            appender.instrument(&instrument(id, &format!("{id:?}"))).unwrap();
        }
        for (at, chunk) in records.chunks(16).enumerate() {
            let published: Vec<i64> = chunk.iter().map(|record| record.ts_recv).collect();
            appender.append(16 * at as u64, chunk, &published).unwrap();
        }
        appender.sync().unwrap();
        kept
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    fn segments(&self) -> Vec<PathBuf> {
        segment_paths(&self.path()).unwrap()
    }

    fn delete(&self, paths: &[PathBuf]) {
        for path in paths {
            tickpath_journal::remove_segment(path).unwrap();
        }
    }

    fn read(&self) -> Past {
        let mut config = Config::default();
        config.recorder.dir = self.path();
        let mut table = InstrumentTable::new();
        for id in [BTC, ETH] {
            table.insert(instrument(id, &format!("{id:?}"))).unwrap();
        }
        let head = Head { run_id: 7, position: 0 };
        past::read(&config, &table, head, &mut || true)
    }
}

/// A session that holds 2 of what it bought in its first step, and then only sees images, some 40 of them.
fn long_session() -> Scene {
    let mut scene = session(&[], plain());
    scene.at(MS).quote((9_900, 100 * ONE), (10_000, 100 * ONE));
    scene.submit(market(BUY, 3 * ONE));
    scene.submit(market(SELL, ONE));
    for second in 1..40 {
        scene
            .at(second * 1_001 * MS)
            .quote((9_900, 100 * ONE), (10_000, 100 * ONE));
    }
    scene
}

fn number(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn deleted_segments_are_not_missed_and_more_journal_is_not_read() {
    let scene = long_session();
    let kept = Kept::of(&scene.out);
    let whole = kept.read();
    assert_eq!(whole.problems, Vec::<String>::new());
    assert_eq!(whole.recovered.positions[&(0, BTC)].quantity().0, 2 * ONE);
    assert!(whole.search.found.is_some() && kept.segments().len() > 4);
    // A journal of a quarter of the length took as much reading.
    let quarter = Kept::of(&scene.out[..images(&scene.out)[10].1 + 1]);
    let short = quarter.read();
    assert!(
        short.search.segments <= 2 && whole.search.segments <= 2,
        "{:?}",
        whole.search
    );
    assert!(short.search.records <= 128 && whole.search.records <= 128);
    assert!(whole.records <= 64 && short.records <= 64, "{} records", whole.records);
    // All but what the newest image needs may go.
    let segments = kept.segments();
    let place = whole.search.found.unwrap();
    let needed = segments.partition_point(|path| tickpath_journal::name::first_index(path).unwrap() <= place.index);
    kept.delete(&segments[..needed - 1]);
    let rest = kept.read();
    assert_eq!(rest.problems, Vec::<String>::new(), "{}", number(&segments[needed - 1]));
    assert_eq!(rest.recovered.image, whole.recovered.image);
    assert_eq!(account(rest.recovered), account(whole.recovered));
}

#[test]
fn without_an_image_a_journal_that_lost_its_beginning_halts() {
    let scene = long_session();
    let images = images(&scene.out);
    // One image, which goes with its segment; what follows is as long as segments are.
    let (begin, end) = images[0];
    let mut records = scene.out[..=end].to_vec();
    let tick = StatusCode::Subscribed.record(Venue::KRAKEN, BTC, 5, 0, 0);
    records.extend((1..200).map(|sequence| Record { sequence, ..tick }));
    let kept = Kept::of(&records);
    assert_eq!(kept.read().problems, Vec::<String>::new());
    assert!(begin < 64);
    kept.delete(&kept.segments()[..1]);
    let past = kept.read();
    assert!(
        past.problems[0].contains("older segments were deleted"),
        "{:?}",
        past.problems
    );
    assert!(!past.recovered.is_whole() && past.search.found.is_none());
    let mut next = keeping(2, plain());
    assert!(
        !next
            .engine
            .recover(&past.recovered, 0, Time(0), &mut next.out)
            .is_empty()
    );
    next.engine.start(0, Time(0), &mut next.out);
    assert!(next.engine.halted().is_some());
    assert!(next.statuses().contains(&StatusCode::TradingHalted));
}

/// An image over the end of a segment is found, and one that a kill tore is passed over for the one before.
#[test]
fn torn_images_and_images_over_a_border_are_read_right() {
    let scene = long_session();
    let images = images(&scene.out);
    for (at, (begin, end)) in images.iter().enumerate().skip(1) {
        let kept = Kept::of(&scene.out[..=*end]);
        let past = kept.read();
        assert_eq!(past.search.found.unwrap().index, *begin as u64, "image {at}");
        assert!(past.recovered.is_whole() && past.problems.is_empty());
        let torn = Kept::of(&scene.out[..*end]);
        let past = torn.read();
        assert_eq!(
            past.search.found.unwrap().index,
            images[at - 1].0 as u64,
            "image {at}, torn"
        );
        assert!(past.recovered.is_whole() && past.problems.is_empty());
        assert_eq!(past.recovered.positions, fold(&scene.out[..*end]).positions);
    }
    let over_border = |(begin, end): &&(usize, usize)| begin / 64 != end / 64;
    assert!(images.iter().filter(over_border).count() > 2);
}
