//! The archive: records a second from a journal to Parquet, and what a record takes on the disk.
//!
//! | name | ours | floor | peer |
//! |---|---|---|---|
//! | `archive.export` | `tickpath export` as a library: looked through, sorted, encoded, compressed, hashed, synced, put in place | the same records read from the journal, every checksum computed, twice: so often an export must read it | the same records as CSV, gzip level 6 |
//! | `archive.bytes.<venue>` | Parquet bytes a record of a venue's capture, all four tables | | CSV+gzip; the journal, publish times and checksums included |
//!
//! A value of `archive.export` is the rate of one round; ours, floor and peer take turns. The export may use every core, the others are one
//! thread's. The records are those of the captures, one after the other and again and again with the times moved on, within one day. The CSV
//! holds what the journal holds and no more: times and mantissas as integers, symbols as text.

mod csv;
mod tape;

use std::fs;
use std::path::Path;
use std::time::Instant;

use tickpath_service::Shutdown;
use tickpath_storage::archive::Quiet;
use tickpath_storage::archive::export::{Done, Options, export};
use tickpath_storage::journal::{Batch, Journal, disk_bytes};

use self::tape::{Tape, VENUES};
use crate::context::{Context, Result, Tried};
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

/// Records of a round.
const RECORDS: (usize, usize) = (6_000_000, 20_000);
const ROUNDS: (usize, usize) = (5, 1);
/// Records that the CSV is made of in a round: a rate needs no more, and it is slow.
const CSV_RECORDS: usize = 300_000;
/// Bytes a record are kept in thousandths.
const THOUSANDTHS: f64 = 0.001;

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let mut measurements = vec![rate(context)?];
    for venue in VENUES {
        measurements.push(size(context, venue)?);
    }
    Ok(measurements)
}

fn rate(context: &Context) -> Result<Measurement> {
    let mut tape = Tape::default();
    for venue in VENUES {
        tape.add(context, venue)?;
    }
    let dir = context.scratch.join("archive-journal");
    let records = context.pick(RECORDS.0, RECORDS.1);
    tape.write(&dir, records)?;
    let [mut ours, mut floor, mut peer] = [(); 3].map(|()| Samples::new(1.0));
    let rounds = context.pick(ROUNDS.0, ROUNDS.1);
    // The first round warms up.
    for round in 0..=rounds {
        context.say(&format!("archive.export, round {round} of {rounds}"));
        let (exported, done) = timed(|| export_all(&dir, &context.scratch.join("archive-bench")))?;
        let (read, ()) = timed(|| read_all(&dir).and_then(|()| read_all(&dir)))?;
        let few = records.min(CSV_RECORDS);
        let (written, _) = timed(|| csv::gzip(tape.rows(few), &context.scratch.join("archive-bench.csv.gz")))?;
        if round > 0 {
            ours.add((done.rows as f64 / exported) as u64);
            floor.add((records as f64 / read) as u64);
            peer.add((few as f64 / written) as u64);
        }
    }
    fs::remove_dir_all(&dir).tried(dir.display().to_string())?;
    Ok(Measurement::new("archive.export", "records/s", Better::Higher, ours)
        .floor("the journal read and checked twice", floor)
        .peer("CSV+gzip", peer)
        .note(format!(
            "{records} records of the captures a round, from the page cache to synced files"
        )))
}

fn size(context: &Context, venue: &str) -> Result<Measurement> {
    let mut tape = Tape::default();
    tape.add(context, venue)?;
    let dir = context.scratch.join(format!("archive-journal-{venue}"));
    // Many times over the capture: what is stated once a file must not count as if it were stated once a minute.
    let records = context.pick(tape.len().max(2_000_000), tape.len());
    tape.write(&dir, records)?;
    let per_record = |bytes: u64| thousandths(bytes as f64 / records as f64);
    let parquet = export_all(&dir, &context.scratch.join("archive-bench"))?.bytes;
    let csv = csv::gzip(tape.rows(records), &context.scratch.join("archive-bench.csv.gz"))?;
    let journal = Journal::open(&dir)
        .and_then(|journal| journal.segments())
        .tried("the journal")?;
    let journal: u64 = journal.iter().map(|segment| disk_bytes(&segment.path)).sum();
    fs::remove_dir_all(&dir).tried(dir.display().to_string())?;
    Ok(Measurement::new(
        format!("archive.bytes.{venue}"),
        "bytes/record",
        Better::Lower,
        per_record(parquet),
    )
    .peer("CSV+gzip", per_record(csv))
    .peer("journal", per_record(journal))
    .detail("capture_records", tape.len() as f64)
    .note(format!(
        "{records} records of the capture, repeated with the times moved on"
    )))
}

/// Seconds that a job takes, and what it says.
fn timed<T>(job: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let start = Instant::now();
    let value = job()?;
    Ok((start.elapsed().as_secs_f64(), value))
}

fn export_all(journal: &Path, archive: &Path) -> Result<Done> {
    if archive.exists() {
        fs::remove_dir_all(archive).tried(archive.display().to_string())?;
    }
    let journal = Journal::open(journal).tried("the journal")?;
    export(&journal, archive, &Options::at(i64::MAX), &Quiet, &Shutdown::new()).tried("the export")
}

fn read_all(dir: &Path) -> Result<()> {
    let mut cursor = Journal::open(dir)
        .and_then(|journal| journal.cursor(0))
        .tried("the journal")?;
    let mut batch = Batch::default();
    while cursor.next(&mut batch).tried("the journal")? {}
    Ok(())
}

fn thousandths(value: f64) -> Samples {
    let mut samples = Samples::new(THOUSANDTHS);
    samples.add((value / THOUSANDTHS) as u64);
    samples
}
