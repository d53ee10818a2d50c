//! Cut, corrupted and foreign files: recovered to the longest valid prefix, or refused by name. Disks that fill up or fail.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use support::{Breaking, BrokenDisk, RUN, append, appender, read, records, settings, trade, trades};
use tickpath_protocol::GapCause;
use tickpath_storage::journal::header::{FIELDS, PAGE_BYTES};
use tickpath_storage::journal::{Appender, Batch, Journal, JournalError, Settings};

/// Sizes of the batches of the journal that is damaged.
const BATCHES: [u64; 6] = [5, 3, 1, 2, 1, 3];

/// A segment of [`BATCHES`], not sealed, whose writer is gone.
fn written(dir: &Path) -> PathBuf {
    let mut appender = appender(dir, settings(64));
    let mut from = 0;
    for count in BATCHES {
        append(&mut appender, from, from + count);
        from += count;
    }
    let path = appender.segment().unwrap().to_owned();
    drop(appender);
    // Without it nobody knows how far the journal was.
    fs::remove_file(dir.join("recorded")).unwrap();
    path
}

/// Records up to the end of a batch that lie wholly within `count` records.
fn whole_batches(count: u64) -> u64 {
    let ends = BATCHES.iter().scan(0, |end, count| {
        *end += count;
        Some(*end)
    });
    ends.take_while(|end| *end <= count).last().unwrap_or(0)
}

/// The journal holds the first `kept` records, and goes on behind them.
#[track_caller]
fn check_goes_on(dir: &Path, kept: u64, what: &str) {
    assert_eq!(
        records(&read(dir, 0)),
        (0..kept).map(trade).collect::<Vec<_>>(),
        "{what}"
    );
    let mut appender = appender(dir, settings(64));
    assert_eq!(
        (appender.next_index(), appender.next_position()),
        (kept, kept),
        "{what}"
    );
    append(&mut appender, kept, kept + 4);
    assert_eq!(
        records(&read(dir, 0)),
        (0..kept + 4).map(trade).collect::<Vec<_>>(),
        "{what}"
    );
}

fn header_bytes(path: &Path) -> u64 {
    let journal = Journal::open(path.parent().unwrap()).unwrap();
    journal.segments().unwrap()[0].header.header_bytes()
}

/// Copies a journal's segment to a directory of its own.
fn copied(path: &Path) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join(path.file_name().unwrap());
    fs::copy(path, &to).unwrap();
    fs::copy(path.with_extension("batches"), to.with_extension("batches")).unwrap();
    (dir, to)
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_segment_cut_anywhere_in_its_last_three_batches_keeps_the_whole_ones() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    let start = header_bytes(&path);
    let total: u64 = BATCHES.iter().sum();
    let last_three: u64 = BATCHES[3..].iter().sum();
    for cut in start + 48 * (total - last_three)..=start + 48 * total {
        let (dir, path) = copied(&path);
        edit(&path, |bytes| bytes.truncate(cut as usize));
        check_goes_on(
            dir.path(),
            whole_batches((cut - start) / 48),
            &format!("records cut at {cut}"),
        );
    }
    let entries = fs::metadata(path.with_extension("batches")).unwrap().len();
    let entry = |batch: usize| 64 + 4 * BATCHES[batch];
    let first = entries - (3..6).map(entry).sum::<u64>();
    for cut in first..=entries {
        let whole = 3
            + (3..6)
                .take_while(|batch| first + (3..=*batch).map(entry).sum::<u64>() <= cut)
                .count();
        let (dir, path) = copied(&path);
        edit(&path.with_extension("batches"), |bytes| bytes.truncate(cut as usize));
        check_goes_on(
            dir.path(),
            BATCHES[..whole].iter().sum(),
            &format!("entries cut at {cut}"),
        );
    }
}

#[test]
fn any_byte_of_the_last_batch_changed_costs_that_batch() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    let total: u64 = BATCHES.iter().sum();
    let kept = total - BATCHES[5];
    let records = header_bytes(&path) + 48 * kept..header_bytes(&path) + 48 * total;
    let entries = fs::metadata(path.with_extension("batches")).unwrap().len();
    let in_entry = entries - 64 - 4 * BATCHES[5]..entries;
    for (extension, bytes) in [("journal", records), ("batches", in_entry)] {
        for at in bytes {
            let (dir, path) = copied(&path);
            edit(&path.with_extension(extension), |bytes| bytes[at as usize] ^= 0x10);
            check_goes_on(dir.path(), kept, &format!("{extension} byte {at}"));
        }
    }
}

#[test]
fn what_was_cut_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    edit(&path.with_extension("batches"), |bytes| {
        bytes.pop();
    });
    let appender = Appender::open(dir.path(), settings(64)).unwrap();
    let last = BATCHES[5];
    assert_eq!(appender.recovered().cut_bytes, 48 * last + 64 + 4 * last - 1);
    assert!(!appender.recovered().header_repaired);
}

#[test]
fn each_header_field_is_repaired_from_the_copy_and_refused_if_both_are_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    let total: u64 = BATCHES.iter().sum();
    for (offset, _, field) in FIELDS {
        for value in [0x00, 0xff] {
            let damage = |bytes: &mut Vec<u8>| bytes[offset] = if bytes[offset] == value { !value } else { value };
            for extension in ["journal", "batches"] {
                let (dir, path) = copied(&path);
                edit(&path.with_extension(extension), damage);
                let opened = Appender::open(dir.path(), settings(64)).unwrap();
                assert!(opened.recovered().header_repaired, "{field} in {extension}");
                drop(opened);
                check_goes_on(dir.path(), total, field);
            }
            let (dir, path) = copied(&path);
            edit(&path, damage);
            edit(&path.with_extension("batches"), damage);
            let error = Appender::open(dir.path(), settings(64)).unwrap_err();
            assert!(matches!(error, JournalError::Foreign { .. }), "{field}: {error}");
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            let error = Journal::open(dir.path()).unwrap_err();
            assert!(matches!(error, JournalError::Foreign { .. }), "{field}: {error}");
        }
    }
}

#[test]
fn a_foreign_file_is_refused_by_name() {
    for bytes in [&b""[..], b"hello", &[0; 5000], &[0xff; 5000]] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir
            .path()
            .join("20261121T114153.123456789Z-00000000000000000000.journal");
        fs::write(&path, bytes).unwrap();
        fs::write(path.with_extension("batches"), bytes).unwrap();
        let error = Appender::open(dir.path(), settings(64)).unwrap_err();
        assert!(error.to_string().contains("magic"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "it is left as it was");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    let other = tempfile::tempdir().unwrap();
    let other_path = written(other.path());
    fs::copy(other_path.with_extension("batches"), path.with_extension("batches")).unwrap();
    let error = Appender::open(dir.path(), settings(64)).unwrap_err();
    assert!(error.to_string().contains("belongs to another segment"), "{error}");
    assert!(Journal::open(Path::new("/nonexistent")).is_err());
}

#[test]
fn a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    for extension in ["journal", "batches"] {
        edit(&path.with_extension(extension), |bytes| {
            bytes[8] = 2;
            let crc = crc32c::crc32c(&bytes[..PAGE_BYTES - 4]);
            bytes[PAGE_BYTES - 4..PAGE_BYTES].copy_from_slice(&crc.to_le_bytes());
        });
    }
    let error = Journal::open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("version is 2, expected 1"), "{error}");
}

#[test]
fn damage_before_the_end_is_an_error_that_says_where_the_journal_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = appender(dir.path(), settings(10));
    for from in 0..25 {
        append(&mut appender, from, from + 1);
    }
    let first = Journal::open(dir.path()).unwrap().segments().unwrap().remove(0);
    edit(&first.path, |bytes| {
        bytes[first.header.header_bytes() as usize + 48 * 4] ^= 1
    });
    let mut cursor = Journal::open(dir.path()).unwrap().cursor(0).unwrap();
    let mut batch = Batch::default();
    for n in 0..4 {
        assert!(cursor.next(&mut batch).unwrap());
        assert_eq!(batch.records, [trade(n)]);
    }
    let error = cursor.next(&mut batch).unwrap_err();
    assert!(
        matches!(
            error,
            JournalError::Damaged {
                index: 4,
                goes_on: Some(10),
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(records(&read(dir.path(), 10)), (10..25).map(trade).collect::<Vec<_>>());
}

#[test]
fn an_index_that_was_recorded_is_not_given_out_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = appender(dir.path(), settings(64));
    append(&mut first, 0, 5);
    append(&mut first, 5, 9);
    first.sync().unwrap();
    let path = first.segment().unwrap().to_owned();
    drop(first);
    edit(&path.with_extension("batches"), |bytes| *bytes.last_mut().unwrap() ^= 1);
    let opened = Appender::open(dir.path(), settings(64)).unwrap();
    assert_eq!(
        (
            opened.next_index(),
            opened.next_position(),
            opened.recovered().damaged_records
        ),
        (9, 5, 4)
    );
}

fn broken(segment_records: u64) -> (Arc<BrokenDisk>, Settings) {
    let disk = Arc::new(BrokenDisk::default());
    let settings = Settings {
        medium: Arc::new(Breaking(disk.clone())),
        ..settings(segment_records)
    };
    (disk, settings)
}

/// Whatever byte the disk is full at: whole batches before it, a Gap record for what was lost, and the rest behind it.
#[test]
fn a_full_disk_stops_the_journal_at_a_whole_batch_and_it_goes_on_when_there_is_room() {
    for budget in (0..9_000).step_by(37) {
        let dir = tempfile::tempdir().unwrap();
        let (disk, settings) = broken(10);
        let mut appender = appender(dir.path(), settings);
        *disk.budget.lock().unwrap() = Some(budget);
        let mut failed = 0;
        for from in (0..30).step_by(3) {
            let (records, published) = trades(from, from + 3);
            match appender.append(from, &records, &published) {
                Ok(()) => assert_eq!(failed, 0, "what follows a failure waits for room"),
                Err(error) => {
                    assert!(error.is_full(), "{error}");
                    failed += 3;
                }
            }
        }
        assert_eq!(temporary_files(dir.path()), 0, "budget {budget}");
        *disk.budget.lock().unwrap() = None;
        append(&mut appender, 30, 33);
        appender.sync().unwrap();
        let batches = read(dir.path(), 0);
        let mut position = 0;
        let mut lost = 0;
        for batch in &batches {
            assert_eq!(batch.first_position, position, "budget {budget}");
            position = batch.next_position();
            match GapCause::of(&batch.records[0]) {
                Some(cause) => {
                    assert_eq!(cause, GapCause::NotRecorded);
                    lost += batch.span;
                }
                None => assert_eq!(batch.records[0], trade(batch.first_position)),
            }
        }
        assert_eq!((position, lost), (33, appender.lost()), "budget {budget}");
        assert!(
            lost <= failed && failed <= lost + 2,
            "{lost} of {failed} lost, budget {budget}"
        );
    }
}

fn temporary_files(dir: &Path) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    names
        .filter(|path| path.extension().is_some_and(|extension| extension == "tmp"))
        .count()
}

/// The name of a segment follows from the clock, which may stand: what an attempt leaves would be in the way of all others.
#[test]
fn without_descriptors_no_half_segment_is_left() {
    for descriptors in 0..2 {
        let dir = tempfile::tempdir().unwrap();
        let (disk, settings) = broken(10);
        let mut appender = appender(dir.path(), settings);
        *disk.descriptors.lock().unwrap() = Some(descriptors);
        let (records, published) = trades(0, 3);
        appender.append(0, &records, &published).unwrap_err();
        assert_eq!(temporary_files(dir.path()), 0);
        *disk.descriptors.lock().unwrap() = None;
        append(&mut appender, 3, 6);
        appender.sync().unwrap();
        assert_eq!(
            support::records(&read(dir.path(), 0)).len(),
            4,
            "a gap and three trades"
        );
    }
}

/// Nothing that was written is lost by a sync that failed while the page cache still has it.
#[test]
fn a_failed_sync_gives_the_segment_up_and_writes_what_was_not_synced_again() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, settings) = broken(100);
    let mut appender = appender(dir.path(), settings);
    append(&mut appender, 0, 10);
    assert_eq!(appender.sync().unwrap().next_index, 10);
    append(&mut appender, 10, 20);
    append(&mut appender, 20, 25);
    let poisoned = appender.segment().unwrap().to_owned();
    disk.failing_syncs.store(1, Ordering::Relaxed);
    assert_eq!(appender.sync().unwrap().next_index, 25);
    assert_ne!(appender.segment().unwrap(), poisoned);
    append(&mut appender, 25, 30);
    appender.seal().unwrap();
    assert_eq!(records(&read(dir.path(), 0)), (0..30).map(trade).collect::<Vec<_>>());
    let firsts: Vec<u64> = Journal::open(dir.path())
        .unwrap()
        .segments()
        .unwrap()
        .iter()
        .map(|s| s.header.first_index)
        .collect();
    assert_eq!(firsts, [0, 10]);
    // The poisoned segment is gone up to its synced part, as after a power loss.
    edit(&poisoned.with_extension("batches"), |bytes| {
        bytes.truncate(PAGE_BYTES + 64 + 4 * 10)
    });
    assert_eq!(records(&read(dir.path(), 0)), (0..30).map(trade).collect::<Vec<_>>());
}

/// The end of a segment, be it full or its run over, is no hiding place for a failed sync.
#[test]
fn a_failed_sync_at_the_end_of_a_segment_or_run_mixes_and_loses_nothing() {
    for failing in 1..=4 {
        let dir = tempfile::tempdir().unwrap();
        let (disk, settings) = broken(10);
        let mut appender = appender(dir.path(), settings);
        append(&mut appender, 0, 8);
        disk.failing_syncs.store(failing, Ordering::Relaxed);
        let (records, published) = trades(8, 25);
        // What the disk does not take is owed, and paid with what comes next.
        let failed = appender.append(8, &records, &published).is_err();
        disk.failing_syncs.store(0, Ordering::Relaxed);
        append(&mut appender, 25, 28);
        disk.failing_syncs.store(failing, Ordering::Relaxed);
        let begun = appender.begin_run(RUN + 1);
        disk.failing_syncs.store(0, Ordering::Relaxed);
        append(&mut appender, 0, 5);
        appender.sync().unwrap();
        let mut next = (RUN, 0, 0);
        let mut lost = 0;
        for batch in read(dir.path(), 0) {
            assert_eq!(batch.first_index, next.2, "indexes are dense");
            if batch.run_id != next.0 {
                assert_eq!((next.0, next.1), (RUN, 28), "all of the run before is accounted for");
                next = (RUN + 1, 0, next.2);
            }
            assert_eq!(
                (batch.run_id, batch.first_position),
                (next.0, next.1),
                "{failing} failing"
            );
            match GapCause::of(&batch.records[0]) {
                Some(_) => lost += batch.span,
                None => assert_eq!(batch.records[0], trade(batch.first_position)),
            }
            next = (next.0, batch.next_position(), batch.next_index());
        }
        assert_eq!((next.0, next.1, lost), (RUN + 1, 5, appender.lost()));
        assert_eq!(lost > 0, failed || begun.is_err(), "{failing} failing: {lost} lost");
    }
}

#[test]
fn a_gap_record_that_cannot_be_written_yet_is_written_later_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, settings) = broken(10);
    let mut appender = appender(dir.path(), settings);
    append(&mut appender, 0, 8);
    disk.is_full.store(true, Ordering::Relaxed);
    let gap = GapCause::RelayLoss.record(trade(0).venue(), trade(0).instrument(), 1, 2, 3, 4);
    appender.insert(8, &gap);
    let (records, published) = trades(8, 9);
    assert!(appender.append(8, &records, &published).unwrap_err().is_full());
    disk.is_full.store(false, Ordering::Relaxed);
    append(&mut appender, 9, 10);
    let found: Vec<_> = read(dir.path(), 8)
        .iter()
        .map(|batch| (GapCause::of(&batch.records[0]), batch.first_position, batch.span))
        .collect();
    let expected = [
        (Some(GapCause::RelayLoss), 8, 0),
        (Some(GapCause::NotRecorded), 8, 1),
        (None, 9, 1),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_a_failed_sync_lost_for_good_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, settings) = broken(100);
    let mut appender = appender(dir.path(), settings);
    append(&mut appender, 0, 10);
    appender.sync().unwrap();
    append(&mut appender, 10, 20);
    append(&mut appender, 20, 25);
    let poisoned = appender.segment().unwrap().to_owned();
    disk.failing_syncs.store(1, Ordering::Relaxed);
    edit(&poisoned.with_extension("batches"), |bytes| {
        *bytes.last_mut().unwrap() ^= 1
    });
    appender.sync().unwrap();
    append(&mut appender, 25, 30);
    let spans: Vec<_> = read(dir.path(), 0)
        .iter()
        .map(|batch| (batch.first_index, batch.first_position, batch.span))
        .collect();
    assert_eq!(spans, [(0, 0, 10), (10, 10, 10), (20, 20, 5), (21, 25, 5)]);
    assert_eq!(appender.lost(), 5);
}

/// A reader that keeps to what is recorded has the old segment open, and never reads what was given up of it.
#[test]
fn a_reader_that_follows_never_sees_what_a_failed_sync_gave_up() {
    for synced in [0, 10] {
        let dir = tempfile::tempdir().unwrap();
        let (disk, settings) = broken(100);
        let mut appender = appender(dir.path(), settings);
        if synced > 0 {
            append(&mut appender, 0, synced);
            appender.sync().unwrap();
        }
        append(&mut appender, synced, 25);
        let mut cursor = Journal::open(dir.path()).unwrap().cursor(0).unwrap();
        cursor.set_limit(synced);
        let mut batch = Batch::default();
        let mut followed = Vec::new();
        while cursor.next(&mut batch).unwrap() {
            followed.push(batch.clone());
        }
        assert_eq!(cursor.position(), synced);
        disk.failing_syncs.store(u64::MAX, Ordering::Relaxed);
        appender.begin_run(RUN + 1).unwrap_err();
        disk.failing_syncs.store(0, Ordering::Relaxed);
        append(&mut appender, 0, 40);
        cursor.set_limit(appender.sync().unwrap().next_index);
        while cursor.next(&mut batch).unwrap() {
            followed.push(batch.clone());
        }
        assert_eq!(followed, read(dir.path(), 0), "{synced} synced");
    }
}

#[test]
fn half_made_files_are_deleted_and_others_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let stem = "20261121T114153.123456789Z-00000000000000000000";
    for name in [
        format!("{stem}.journal.tmp"),
        format!("{stem}.batches"),
        "notes.tmp".into(),
        "other.batches".into(),
    ] {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    let opened = Appender::open(dir.path(), settings(64)).unwrap();
    assert_eq!(opened.recovered().leftovers, 2);
    let mut left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["lock", "notes.tmp", "other.batches", "recorded"]);
}
