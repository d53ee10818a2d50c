//! What was appended is read back, over segments and restarts, while it is written, and nothing else ever.

mod support;

use std::fs;

use proptest::prelude::*;
use support::{RUN, START_NS, append, appender, instrument, read, records, settings, trade, trades};
use tickpath_protocol::{GapCause, InstrumentId, Kind, Venue};
use tickpath_storage::journal::{Appender, Batch, Journal, JournalError, content_hash};

#[test]
fn what_was_appended_is_read_back_with_its_times_and_instruments() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = appender(dir.path(), settings(1000));
    append(&mut appender, 0, 10);
    append(&mut appender, 10, 11);
    append(&mut appender, 40, 45);
    let batches = read(dir.path(), 0);
    let firsts: Vec<_> = batches
        .iter()
        .map(|batch| (batch.first_index, batch.first_position))
        .collect();
    assert_eq!(firsts, [(0, 0), (10, 10), (11, 40)]);
    let numbers = (0..11).chain(40..45);
    assert_eq!(records(&batches), numbers.clone().map(trade).collect::<Vec<_>>());
    let times: Vec<i64> = batches.iter().flat_map(|batch| batch.published_ns.clone()).collect();
    assert_eq!(times, numbers.map(|n| START_NS + 1000 * n as i64).collect::<Vec<_>>());
    assert!(
        batches
            .iter()
            .all(|batch| batch.run_id == RUN && batch.span == batch.records.len() as u64)
    );
    let mut cursor = Journal::open(dir.path()).unwrap().cursor(0).unwrap();
    cursor.next(&mut Batch::default()).unwrap();
    assert_eq!(
        cursor.instruments().iter().cloned().collect::<Vec<_>>(),
        (0..3).map(instrument).collect::<Vec<_>>()
    );
}

#[test]
fn a_cursor_begins_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = appender(dir.path(), settings(7));
    for from in (0..50).step_by(5) {
        append(&mut appender, from, from + 5);
    }
    for from in 0..=50 {
        assert_eq!(
            records(&read(dir.path(), from)),
            (from..50).map(trade).collect::<Vec<_>>(),
            "from {from}"
        );
    }
    let error = Journal::open(dir.path()).unwrap().cursor(51).unwrap_err();
    assert!(
        matches!(
            error,
            JournalError::NotWritten {
                index: 51,
                next: 50,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_cursor_follows_a_writer_and_keeps_to_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = appender(dir.path(), settings(8));
    let mut cursor = Journal::open(dir.path()).unwrap().cursor(0).unwrap();
    let mut batch = Batch::default();
    assert!(!cursor.next(&mut batch).unwrap());
    for n in 0..100 {
        append(&mut appender, n, n + 1);
        if n == 50 {
            appender.seal().unwrap();
        }
        cursor.set_limit(n);
        assert!(!cursor.next(&mut batch).unwrap(), "{n}");
        cursor.set_limit(n + 1);
        assert!(cursor.next(&mut batch).unwrap(), "{n}");
        assert_eq!(
            (batch.first_index, batch.records.as_slice()),
            (n, [trade(n)].as_slice())
        );
        assert!(!cursor.next(&mut batch).unwrap());
        assert_eq!(cursor.position(), n + 1);
    }
}

#[test]
fn a_limit_within_a_batch_holds_all_of_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = appender(dir.path(), settings(8));
    append(&mut appender, 0, 6);
    append(&mut appender, 6, 12);
    appender.seal().unwrap();
    let mut cursor = Journal::open(dir.path()).unwrap().cursor(0).unwrap();
    let mut batch = Batch::default();
    for (limit, position) in [(5, 0), (7, 6), (8, 8), (11, 8), (12, 12)] {
        cursor.set_limit(limit);
        while cursor.next(&mut batch).unwrap() {}
        assert_eq!(cursor.position(), position, "limit {limit}");
    }
}

#[test]
fn a_writer_that_died_is_gone_on_behind() {
    let dir = tempfile::tempdir().unwrap();
    for life in 0..5_u64 {
        let mut appender = appender(dir.path(), settings(1000));
        assert_eq!(appender.next_index(), life * 20);
        assert_eq!(appender.recovered().cut_bytes, 0);
        assert_eq!(appender.recovered().producers.states().len(), usize::from(life > 0));
        append(&mut appender, life * 20, life * 20 + 20);
    }
    assert_eq!(records(&read(dir.path(), 0)), (0..100).map(trade).collect::<Vec<_>>());
    assert_eq!(Journal::open(dir.path()).unwrap().segments().unwrap().len(), 5);
}

#[test]
fn a_second_writer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = appender(dir.path(), settings(1000));
    let error = Appender::open(dir.path(), settings(1000)).unwrap_err();
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    drop(first);
    Appender::open(dir.path(), settings(1000)).unwrap();
}

#[test]
fn a_sealed_segment_states_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = appender(dir.path(), settings(1000));
    append(&mut appender, 0, 30);
    append(&mut appender, 30, 50);
    appender.seal().unwrap();
    let [segment] = Journal::open(dir.path())
        .unwrap()
        .segments()
        .unwrap()
        .try_into()
        .unwrap();
    let footer = segment.footer.unwrap();
    assert_eq!(
        (footer.records, footer.batches, footer.next_position, footer.rows),
        (50, 2, 50, 3)
    );
    assert_eq!(segment.next_index, Some(50));
    assert_eq!(
        content_hash(&segment.path, &segment.header, footer.rows, footer.records).unwrap(),
        footer.content_blake3
    );
    // As `numpy.memmap` sees it: whole records, of which the footer's two are of no kind.
    let bytes = fs::read(&segment.path).unwrap();
    let area = &bytes[segment.header.header_bytes() as usize..];
    assert_eq!(area.len() % 48, 0);
    assert_eq!(area.chunks(48).filter(|record| record[0] != 0).count(), 50);
}

#[test]
fn a_new_run_and_new_instruments_begin_new_segments() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = appender(dir.path(), settings(1000));
    append(&mut appender, 0, 3);
    for index in 3..12 {
        appender.instrument(&instrument(index)).unwrap();
        append(&mut appender, index.into(), u64::from(index) + 1);
    }
    appender.begin_run(RUN + 1).unwrap();
    append(&mut appender, 0, 2);
    let mut cursor = Journal::open(dir.path()).unwrap().cursor(0).unwrap();
    let mut batch = Batch::default();
    let mut seen = Vec::new();
    while cursor.next(&mut batch).unwrap() {
        seen.push((batch.run_id - RUN, batch.first_position, cursor.instruments().len()));
    }
    let expected: Vec<_> = [(0, 0, 3)]
        .into_iter()
        .chain((3..12).map(|n| (0, n, n as usize + 1)))
        .chain([(1, 0, 0)])
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn what_is_skipped_is_covered_by_a_gap_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = appender(dir.path(), settings(1000));
    append(&mut appender, 0, 3);
    appender.skip(3, 4);
    appender.skip(7, 1);
    append(&mut appender, 8, 9);
    appender.skip(9, 10);
    appender.begin_run(RUN + 1).unwrap();
    appender.skip(0, 5);
    append(&mut appender, 5, 6);
    let batches = read(dir.path(), 0);
    let spans: Vec<_> = batches
        .iter()
        .map(|batch| (batch.run_id - RUN, batch.first_position, batch.span))
        .collect();
    assert_eq!(
        spans,
        [(0, 0, 3), (0, 3, 5), (0, 8, 1), (0, 9, 10), (1, 0, 5), (1, 5, 1)]
    );
    let gap = batches[1].records[0];
    assert_eq!(
        (gap.kind(), GapCause::of(&gap)),
        (Some(Kind::Gap), Some(GapCause::NotRecorded))
    );
    assert_eq!((gap.price, gap.size, gap.sequence), (3, 7, 7));
    assert_eq!((gap.venue(), gap.instrument()), (Venue::NONE, InstrumentId::NONE));
}

#[test]
fn deleted_segments_are_said_to_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = appender(dir.path(), settings(10));
    append(&mut appender, 0, 35);
    let journal = Journal::open(dir.path()).unwrap();
    let oldest = journal.segments().unwrap().remove(0);
    tickpath_storage::journal::remove_segment(&oldest.path).unwrap();
    assert_eq!(journal.first_index().unwrap(), Some(10));
    let error = journal.cursor(9).unwrap_err();
    assert!(
        matches!(
            error,
            JournalError::Deleted {
                index: 9,
                first: 10,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(records(&read(dir.path(), 10)).len(), 25);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_batches_read_back(
        sizes in proptest::collection::vec((1_usize..40, 0_u64..5, any::<bool>()), 1..30),
        times in proptest::collection::vec(any::<i64>(), 40),
        segment in 10_u64..200,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut appender = appender(dir.path(), settings(segment));
        let mut expected = Vec::new();
        let mut position = 0;
        for (count, hole, seals) in sizes {
            position += hole;
            let records = trades(position, position + count as u64).0;
            appender.append(position, &records, &times[..count]).unwrap();
            expected.extend(records.into_iter().zip(times[..count].iter().copied()).zip(position..).map(|((r, t), p)| (r, t, p)));
            position += count as u64;
            if seals {
                appender.seal().unwrap();
            }
        }
        let mut found = Vec::new();
        for batch in read(dir.path(), 0) {
            prop_assert_eq!(batch.first_index, found.len() as u64);
            found.extend(batch.records.iter().zip(&batch.published_ns).zip(batch.first_position..).map(|((r, t), p)| (*r, *t, p)));
        }
        prop_assert_eq!(found, expected);
    }
}
