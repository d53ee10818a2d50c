//! A journal to Parquet and back: exact, once, whole or not at all.

#[path = "support/archive.rs"]
mod support;

use std::fs;

use proptest::prelude::*;
use support::{DAY_NS, Place, trade};
use tickpath_protocol::{GapCause, InstrumentId, Kind, Record, Venue};
use tickpath_storage::archive::collect::look;
use tickpath_storage::archive::export::Options;
use tickpath_storage::archive::{ArchiveError, Date, Manifest, Partition, Quiet, Table};

/// Long after every record of the tests.
const LATER_NS: i64 = 100 * DAY_NS;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    /// Any records at all, in any batches, with as little memory and as small files as can be: what is in the archive is what is in the journal, bit for bit.
    #[test]
    fn every_record_is_in_the_archive(words in prop::collection::vec(any::<[u64; 6]>(), 1..120), codes in any::<Vec<u8>>(), rows_max in 1usize..40) {
        let place = Place::new();
        let mut records = Vec::new();
        for (at, words) in words.into_iter().enumerate() {
            let mut record = Record::from_words(words);
            record.ts_recv = (record.ts_recv as u64 % (2 * DAY_NS as u64)) as i64;
            // Each partition is synced several times: a few venues, known and unknown, will do.
            record.venue = [0, 1, 3, 77, 192][usize::from(record.venue % 5)];
            // Half of them of known kinds, venues and instruments.
            if at % 2 == 0 {
                record.kind = Kind::ALL[usize::from(codes.get(at).copied().unwrap_or(0)) % Kind::ALL.len()] as u8;
                record.venue = 1 + record.venue % 5;
                record.instrument = InstrumentId::new(Venue(record.venue), record.instrument % 4).0;
            }
            if at % 3 == 0 {
                record.price = Record::ABSENT;
            }
            records.push(record);
        }
        place.append(7, &records);
        let options = Options { sort_rows_max: rows_max, part_bytes: 1, ..Options::at(LATER_NS) };
        let done = place.export(&options).unwrap();
        prop_assert_eq!(done.rows, records.len() as u64);
        let report = place.verify(true);
        prop_assert_eq!(&report.differences, &[]);
        prop_assert_eq!((report.rows, report.compared), (records.len() as u64, records.len() as u64));
        // What the archive holds, read back without the journal.
        prop_assert_eq!(place.records(), records);
    }
}

#[test]
fn twice_changes_nothing() {
    let place = Place::new();
    place.append(1, &(0..1_000).map(|n| trade(n, n as i64)).collect::<Vec<_>>());
    let first = place.export(&Options::at(LATER_NS)).unwrap();
    assert_eq!((first.written, first.unchanged), (1, 0));
    let before = place.files();
    let second = place.export(&Options::at(LATER_NS)).unwrap();
    assert_eq!((second.written, second.unchanged), (0, 1));
    assert_eq!(place.files(), before);
}

#[test]
fn the_same_journal_makes_the_same_files() {
    let place = Place::new();
    place.append(1, &(0..1_000).map(|n| trade(n, n as i64)).collect::<Vec<_>>());
    place.export(&Options::at(LATER_NS)).unwrap();
    let before = place.files();
    fs::remove_dir_all(place.archive().join("trades")).unwrap();
    place
        .export(&Options {
            sort_rows_max: 10,
            ..Options::at(LATER_NS)
        })
        .unwrap();
    let contents = |files: Vec<(std::path::PathBuf, std::time::SystemTime, Vec<u8>)>| {
        files
            .into_iter()
            .map(|(path, _, bytes)| (path, bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(contents(place.files()), contents(before));
}

#[test]
fn a_day_that_is_not_over_is_left_for_later() {
    let place = Place::new();
    place.append(1, &[trade(1, 10), trade(2, DAY_NS + 10)]);
    let noon_of_second = DAY_NS + DAY_NS / 2;
    let done = place.export(&Options::at(noon_of_second)).unwrap();
    assert_eq!((done.written, done.open_days.clone()), (1, vec![Date::of_ns(DAY_NS)]));
    // Asked for by name it is exported, and said to be partial.
    let asked = Options {
        date: Some(Date::of_ns(DAY_NS)),
        ..Options::at(noon_of_second)
    };
    assert_eq!(place.export(&asked).unwrap().written, 1);
    assert!(place.manifest(Table::Trades, DAY_NS).partial);
    // Once it is over, what came since is in it.
    place.append(1, &[trade(3, DAY_NS + 20)]);
    assert_eq!(place.export(&Options::at(LATER_NS)).unwrap().written, 1);
    let manifest = place.manifest(Table::Trades, DAY_NS);
    assert_eq!((manifest.partial, manifest.contents.rows), (false, 2));
    assert!(place.verify(true).differences.is_empty());
}

/// Records that were published together are one batch of the journal, whatever day they belong to.
#[test]
fn midnight_falls_into_a_batch() {
    let place = Place::new();
    let records: Vec<_> = (0..40).map(|n| trade(n, DAY_NS - 20 + n as i64)).collect();
    place.append(1, &records[..18]);
    place.append(1, &records[18..]);
    place.export(&Options::at(LATER_NS)).unwrap();
    assert_eq!(place.manifest(Table::Trades, 0).contents.rows, 20);
    assert_eq!(place.manifest(Table::Trades, DAY_NS).contents.rows, 20);
    assert_eq!(place.verify(true).differences, []);
}

#[test]
fn a_day_without_data_is_refused_and_says_what_there_is() {
    let place = Place::new();
    place.append(1, &[trade(1, 10)]);
    let error = place
        .export(&Options {
            date: Some(Date::of_ns(5 * DAY_NS)),
            ..Options::at(LATER_NS)
        })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the journal holds no record of 1970-01-06; it holds 1970-01-01"
    );
}

#[test]
fn a_manifest_states_gaps_of_the_venue_and_of_the_whole_stream() {
    let place = Place::new();
    let gap = GapCause::Checksum.record(Venue::KRAKEN, InstrumentId::NONE, 5, 6, 3, 7);
    let lap = GapCause::NotRecorded.record(Venue::NONE, InstrumentId::NONE, 8, 9, 100, 199);
    place.append(1, &[trade(1, 10), gap, lap]);
    place.export(&Options::at(LATER_NS)).unwrap();
    let gaps = place.manifest(Table::Trades, 0).gaps;
    let causes: Vec<_> = gaps
        .causes
        .iter()
        .map(|(cause, total)| (cause.as_str(), total.count, total.length))
        .collect();
    assert_eq!(causes, [("checksum", 1, 5), ("not_recorded", 1, 100)]);
    assert_eq!(place.manifest(Table::Trades, 0).checksums.failed, 1);
    assert!(place.verify(false).differences.is_empty());
}

/// Each damage is told, and none of them is an error of the program.
#[test]
fn whatever_is_changed_in_an_archive_is_told() {
    /// What is done, how, and what is said of it.
    type Change = (&'static str, fn(&Place), &'static str);
    let changes: [Change; 7] = [
        (
            "a byte of a file",
            |place| flip(&place.part(Table::Trades), 200),
            "differs from its content hash",
        ),
        (
            "a file cut short",
            |place| cut(&place.part(Table::Trades)),
            "differs from its content hash",
        ),
        (
            "a file deleted",
            |place| fs::remove_file(place.part(Table::Trades)).unwrap(),
            "cannot open",
        ),
        (
            "a file added",
            |place| fs::write(place.part(Table::Trades).with_file_name("part-9.parquet"), "x").unwrap(),
            "is not in the manifest",
        ),
        (
            "no manifest",
            |place| fs::remove_file(place.folder(Table::Trades).join("manifest.json")).unwrap(),
            "has no manifest",
        ),
        (
            "no JSON",
            |place| fs::write(place.folder(Table::Trades).join("manifest.json"), "{").unwrap(),
            "no part of a Tickpath archive",
        ),
        (
            "a foreign folder",
            |place| fs::create_dir(place.archive().join("trades/venue=kraken/date=x")).unwrap(),
            "is no partition",
        ),
    ];
    for (name, change, expected) in changes {
        let place = Place::new();
        place.append(1, &(0..100).map(|n| trade(n, n as i64)).collect::<Vec<_>>());
        place.export(&Options::at(LATER_NS)).unwrap();
        change(&place);
        let differences = place.verify(true).differences;
        assert!(
            differences
                .iter()
                .any(|difference| difference.to_string().contains(expected)),
            "{name}: {differences:?}"
        );
    }
}

fn flip(path: &std::path::Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &std::path::Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
}

/// A manifest that was altered together with nothing else, field by field.
#[test]
fn an_altered_manifest_is_told() {
    let alter: [fn(&mut Manifest); 6] = [
        |manifest| manifest.contents.rows += 1,
        |manifest| manifest.contents.first.as_mut().unwrap().sequence += 1,
        |manifest| manifest.contents.ts_recv_max = Some(1),
        |manifest| manifest.gaps.count += 1,
        |manifest| manifest.files[0].rows += 1,
        |manifest| manifest.venue = "binance".into(),
    ];
    for alter in alter {
        let place = Place::new();
        place.append(1, &[trade(1, 10), trade(2, 20)]);
        place.export(&Options::at(LATER_NS)).unwrap();
        let mut manifest = place.manifest(Table::Trades, 0);
        alter(&mut manifest);
        fs::write(place.folder(Table::Trades).join("manifest.json"), manifest.encode()).unwrap();
        assert!(!place.verify(false).differences.is_empty());
    }
}

/// A file of another schema, hashed correctly into the manifest, is still refused.
#[test]
fn a_foreign_parquet_file_is_refused_by_name() {
    let place = Place::new();
    place.append(
        1,
        &[
            trade(1, 10),
            GapCause::Silence.record(Venue::KRAKEN, InstrumentId::NONE, 5, 6, 3, 7),
        ],
    );
    place.export(&Options::at(LATER_NS)).unwrap();
    let bytes = fs::read(place.part(Table::Status)).unwrap();
    fs::write(place.part(Table::Trades), &bytes).unwrap();
    let mut manifest = place.manifest(Table::Trades, 0);
    manifest.files[0].bytes = bytes.len() as u64;
    manifest.files[0].blake3 = blake3::hash(&bytes).to_hex().to_string();
    fs::write(place.folder(Table::Trades).join("manifest.json"), manifest.encode()).unwrap();
    let differences = place.verify(false).differences;
    assert!(
        differences
            .iter()
            .any(|d| d.to_string().contains("it has columns that the archive has not")),
        "{differences:?}"
    );
}

#[test]
fn another_journal_is_refused() {
    let (place, other) = (Place::new(), Place::new());
    place.append(1, &[trade(1, 10)]);
    other.append(1, &[trade(1, 10)]);
    place.export(&Options::at(LATER_NS)).unwrap();
    let error = other.export_to(&place.archive(), &Options::at(LATER_NS)).unwrap_err();
    assert!(matches!(error, ArchiveError::OtherJournal { .. }), "{error}");
}

/// Segments are deleted only when every record of theirs is exported, and what is exported then stays.
#[test]
fn collection_deletes_what_is_safe_and_export_keeps_it() {
    let place = Place::new();
    for day in 0..3 {
        place.append(1, &[trade(1, day * DAY_NS + 10), trade(2, day * DAY_NS + 20)]);
    }
    let two_days_over = 2 * DAY_NS + DAY_NS / 2;
    place.export(&Options::at(two_days_over)).unwrap();
    let deletable = |database| {
        let findings = look(&place.journal(), &place.archive(), database, two_days_over, &Quiet).unwrap();
        let verdicts = findings.verdicts.into_iter();
        verdicts
            .filter(|verdict| verdict.kept_because.is_none())
            .map(|verdict| verdict.segment)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        deletable(Some(3)).len(),
        1,
        "the database is in the middle of the second"
    );
    let segments = deletable(None);
    assert_eq!(segments.len(), 2);
    // What does not verify keeps its segment and all after it.
    flip(&place.part(Table::Trades), 100);
    assert_eq!(deletable(None).len(), 0);
    flip(&place.part(Table::Trades), 100);
    for segment in &segments {
        tickpath_storage::archive::collect::delete(segment).unwrap();
    }
    let before = place.files();
    let done = place.export(&Options::at(two_days_over)).unwrap();
    assert_eq!(done.written, 0);
    assert_eq!(place.files(), before);
    assert_eq!(place.verify_at(two_days_over).differences, []);
    // A record of an old day that comes late cannot be added any more, and is not dropped silently.
    place.append(1, &[trade(9, 30), trade(10, 2 * DAY_NS + 30)]);
    // The first day is no longer in the journal but for the late record.
    let error = place.export(&Options::at(LATER_NS)).unwrap_err();
    assert!(matches!(error, ArchiveError::Late { .. }), "{error}");
}

/// The engine's next session begins at the newest image of its account: it and all after it stay, whatever the archive holds.
#[test]
fn collection_leaves_the_engine_its_account() {
    let place = Place::new();
    let own = |kind: Kind, sequence: u64, ts_recv: i64| Record {
        kind: kind as u8,
        venue: Venue::PAPER.0,
        instrument: InstrumentId::NONE.0,
        sequence,
        ts_event: ts_recv,
        ts_recv,
        ..Record::default()
    };
    for day in 0..4u64 {
        let at = day as i64 * DAY_NS;
        let begin = own(Kind::ImageBegin, 2 * day + 1, at + 10);
        // That of the third day was torn.
        let end = own(Kind::ImageEnd, 2 * day + 2, at + if day == 2 { 11 } else { 10 });
        let image = if day == 3 || day == 0 { vec![] } else { vec![begin, end] };
        let records: Vec<Record> = [trade(1, at + 5)].into_iter().chain(image).collect();
        place.append(1, &records);
    }
    let days_over = 5 * DAY_NS;
    place.export(&Options::at(days_over)).unwrap();
    let look = || {
        look(&place.journal(), &place.archive(), None, days_over, &Quiet)
            .unwrap()
            .verdicts
    };
    let verdicts = look();
    assert!(verdicts[0].kept_because.is_none());
    for kept in &verdicts[1..] {
        assert!(kept.kept_because.is_some());
    }
    let reason = verdicts[1].kept_because.as_deref().unwrap();
    assert!(reason.contains("its account's image at index 2"), "{reason}");
    // Without any whole image its records are all that there is.
    tickpath_storage::archive::collect::delete(&verdicts[0].segment).unwrap();
    tickpath_storage::archive::collect::delete(&verdicts[1].segment).unwrap();
    let reason = look()[0].kept_because.clone().unwrap();
    assert!(reason.contains("there is no whole image"), "{reason}");
}

#[test]
fn two_exports_at_once_are_refused() {
    let place = Place::new();
    place.append(1, &[trade(1, 10)]);
    let lock = tickpath_storage::archive::place::ArchiveLock::acquire(&place.archive()).unwrap();
    let error = place.export(&Options::at(LATER_NS)).unwrap_err();
    assert!(matches!(error, ArchiveError::Locked { .. }), "{error}");
    drop(lock);
    place.export(&Options::at(LATER_NS)).unwrap();
}

#[test]
fn leftovers_of_an_export_that_was_killed_are_no_partition_and_are_deleted() {
    let place = Place::new();
    place.append(1, &[trade(1, 10)]);
    let partition = Partition::of(&trade(1, 10));
    let staging = tickpath_storage::archive::place::Staging::begin(&place.archive(), &partition).unwrap();
    fs::write(staging.path("part-0.parquet"), "half").unwrap();
    std::mem::forget(staging);
    assert!(
        place.verify(false).differences[0]
            .to_string()
            .contains("an export that did not end")
    );
    place.export(&Options::at(LATER_NS)).unwrap();
    assert!(place.verify(true).differences.is_empty());
}
