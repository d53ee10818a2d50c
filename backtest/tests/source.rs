//! The same records come back from a capture, whole, in order and named; what is missing or damaged is refused with its place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tickpath_backtest::source::{Block, Blocks, Gaps, Range, Reader, Request, SourceError};
use tickpath_collectors::offline;
use tickpath_protocol::{GapCause, Instrument, InstrumentId, Kind, Record, Venue};
use tickpath_service::Shutdown;
use tickpath_storage::archive::{Quiet, export};
use tickpath_storage::journal::{Appender, Journal, Settings};

/// Captures that the project carries.
fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../collectors/tests/captures")
}

fn request(path: &Path) -> Request {
    Request {
        path: path.to_owned(),
        venue: None,
        range: Range::default(),
        gaps: Gaps::Carry,
    }
}

fn read(request: &Request) -> Result<Vec<Block>, SourceError> {
    let mut reader = Reader::open(request)?;
    let mut blocks = Vec::new();
    while let Some(block) = reader.next()? {
        blocks.push(block.clone());
    }
    Ok(blocks)
}

fn records(blocks: &[Block]) -> Vec<Record> {
    blocks.iter().flat_map(|block| block.records.iter().copied()).collect()
}

#[test]
fn a_capture_is_what_its_collector_would_have_published() {
    let folder = captures().join("kraken");
    let mut expected = Vec::new();
    offline::decode_capture(Venue::KRAKEN, &folder, |record, _| expected.push(*record)).unwrap();
    let blocks = read(&request(&folder)).unwrap();
    assert_eq!(records(&blocks), expected);
    let positions: Vec<u64> = blocks
        .iter()
        .flat_map(|block| block.positions.iter().copied())
        .collect();
    assert_eq!(positions, (0..expected.len() as u64).collect::<Vec<_>>());
    assert!(
        blocks[0]
            .instruments
            .iter()
            .all(|instrument| instrument.venue() == Venue::KRAKEN)
    );
    let held = Reader::open(&request(&folder)).unwrap().hold(expected.len()).unwrap();
    assert_eq!(held, blocks);
    let refused = Reader::open(&request(&folder)).unwrap().hold(10).unwrap_err();
    assert!(refused.to_string().contains("holds more than 10 records"), "{refused}");
}

/// Venues side by side come in order of receive time, each in its own order, and every record is named before it comes.
#[test]
fn captures_of_several_venues_are_merged() {
    let blocks = read(&request(&captures())).unwrap();
    let mut named: BTreeMap<InstrumentId, Instrument> = BTreeMap::new();
    let mut sequences: BTreeMap<Venue, u64> = BTreeMap::new();
    for block in &blocks {
        named.extend(
            block
                .instruments
                .iter()
                .map(|instrument| (instrument.id, instrument.clone())),
        );
        for record in &block.records {
            let before = sequences.insert(record.venue(), record.sequence).unwrap_or(0);
            assert_eq!(record.sequence, before + 1);
            assert!(record.instrument() == InstrumentId::NONE || named.contains_key(&record.instrument()));
        }
    }
    assert!(sequences.len() > 1, "{sequences:?}");
}

/// A journal of a capture, positions from 100 on, with the time of its records moved into a day that is over.
fn journal_of(capture: &Path, dir: &Path) -> Vec<Record> {
    let mut appender = Appender::open(dir, Settings::default()).unwrap();
    appender.begin_run(7).unwrap();
    let mut records = Vec::new();
    let mut known = 0;
    offline::decode_capture(Venue::KRAKEN, capture, |record, table| {
        for instrument in table.iter().skip(known) {
            appender.instrument(instrument).unwrap();
        }
        known = table.len();
        records.push(*record);
    })
    .unwrap();
    for (at, chunk) in records.chunks(500).enumerate() {
        let published: Vec<i64> = chunk.iter().map(|record| record.ts_recv).collect();
        appender.append(100 + 500 * at as u64, chunk, &published).unwrap();
    }
    appender.sync().unwrap();
    appender.seal().unwrap();
    records
}

#[test]
fn a_journal_and_its_archive_are_the_same_records() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, archive) = (dir.path().join("journal"), dir.path().join("archive"));
    let expected = journal_of(&captures().join("kraken"), &journal);
    let of_journal = read(&request(&journal)).unwrap();
    assert_eq!(records(&of_journal), expected);
    let positions: Vec<u64> = of_journal
        .iter()
        .flat_map(|block| block.positions.iter().copied())
        .collect();
    assert_eq!(positions, (100..100 + expected.len() as u64).collect::<Vec<_>>());
    let options = export::Options::at(i64::MAX);
    let opened = Journal::open(&journal).unwrap();
    export::export(&opened, &archive, &options, &Quiet, &Shutdown::default()).unwrap();
    let of_archive = read(&request(&archive)).unwrap();
    // Status records of an instrument that has had no price yet are left out: nothing in an archive says its decimals.
    let priced = records(&of_archive);
    let mut rest = expected.iter();
    assert!(
        priced.iter().all(|record| rest.any(|other| other == record)),
        "the same, in order"
    );
    let missing = expected.len() - priced.len();
    let silent = expected
        .iter()
        .filter(|record| record.kind() == Some(Kind::Status))
        .count();
    assert!(missing <= silent, "{missing} are missing of {}", expected.len());
    let names = |blocks: &[Block]| -> Vec<String> {
        let all = blocks.iter().flat_map(|block| block.instruments.iter());
        let mut names: Vec<String> = all.map(|instrument| instrument.symbol.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&of_archive), names(&of_journal));
}

#[test]
fn damage_and_gaps_are_refused_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let expected = journal_of(&captures().join("kraken"), &journal);
    let mut appender = Appender::open(&journal, Settings::default()).unwrap();
    appender.begin_run(7).unwrap();
    let gap = GapCause::RingFull.record(Venue::KRAKEN, InstrumentId::NONE, 5, 6, 7, 8);
    appender.append(100_000, &[gap], &[6]).unwrap();
    appender.sync().unwrap();
    appender.seal().unwrap();
    assert!(read(&request(&journal)).is_ok(), "carried");
    let strict = Request {
        gaps: Gaps::Refuse,
        ..request(&journal)
    };
    let refused = read(&strict).unwrap_err().to_string();
    assert!(
        refused.contains("position 100000") && refused.contains("ring_full"),
        "{refused}"
    );
    let segments = tickpath_storage::journal::segment_paths(&journal).unwrap();
    let mut bytes = std::fs::read(&segments[0]).unwrap();
    let needle = expected[20].ts_recv.to_le_bytes();
    let at = bytes.windows(8).position(|window| window == needle).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&segments[0], bytes).unwrap();
    let damaged = read(&request(&journal)).unwrap_err().to_string();
    assert!(damaged.contains("checksum"), "{damaged}");
}

#[test]
fn what_cannot_be_read_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let said = |request: &Request| read(request).unwrap_err().to_string();
    assert!(said(&request(&dir.path().join("none"))).contains("is no folder"));
    assert!(said(&request(dir.path())).contains("neither a journal"));
    std::fs::write(dir.path().join("ws.tsv"), "1\t{}\n").unwrap();
    assert!(said(&request(dir.path())).contains("say which with --venue"));
    let nothing = Request {
        range: Range {
            from_ns: Some(5),
            to_ns: Some(6),
        },
        ..request(&captures().join("kraken"))
    };
    assert!(said(&nothing).contains("has no record received from 5 to before 6"));
}

#[test]
fn a_reader_that_is_dropped_ends() {
    let mut reader = Reader::open(&request(&captures().join("kraken"))).unwrap();
    assert!(reader.next().unwrap().is_some());
    drop(reader);
}
