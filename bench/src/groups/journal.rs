//! The journal: records a second that one core appends, and that a cursor reads back.
//!
//! | name | ours | floor |
//! |---|---|---|
//! | `journal.append.4096`, `.256` | `Appender::append` in batches of so many: checksums, stamps and entries included | `write(2)` of as many bytes in the same batches to two plain files in the same directory: records to one, what the entries take to the other |
//! | `journal.read` | `Cursor::next` over all of it: every checksum, every publish time | `read(2)` of the same records |
//!
//! The detail `records_alone` is the floor without the bytes of the entries: what keeping checksums and publish times costs shows against it.
//! A value is the rate of one round. Ours and the floor take turns; neither is synced within the time, both are synced and deleted after
//! it, so that no round pays for the one before. Making a segment (allocation, two syncs) is not in the rate: it is the detail
//! `segment_made_us`, once for every `segment_records`. Limits: one file system, and a page cache with room.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, Record, Scale, Venue};
use tickpath_storage::journal::batch::ENTRY_BYTES;
use tickpath_storage::journal::{Appender, Batch, Journal, Settings};
use zerocopy::IntoBytes;

use crate::context::{BenchError, Context, Result};
use crate::groups::ring::on_core;
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

const BATCHES: [usize; 2] = [4096, 256];
/// Where batches are cut from, so that records differ.
const TAPE: usize = 1 << 16;

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let tape = tape();
    let mut measurements = Vec::new();
    let mut read = Rates::default();
    for batch in BATCHES {
        let mut append = Rates::default();
        on_core(context.near(), || {
            for round in 0..context.pick(12, 2) {
                one_round(context, &tape, batch, round > 0, &mut append, &mut read)?;
            }
            Ok(())
        })?;
        let records = round_records(context);
        measurements.push(
            Measurement::new(
                format!("journal.append.{batch}"),
                "records/s",
                Better::Higher,
                append.ours,
            )
            .floor("write(2) of the same bytes", append.floor)
            .detail("records_alone", append.alone.summary().p50)
            .detail("segment_made_us", append.made_us.summary().p50)
            .note(format!(
                "{records} records a round into the page cache, in batches of {batch}"
            )),
        );
    }
    measurements.push(
        Measurement::new("journal.read", "records/s", Better::Higher, read.ours)
            .floor("read(2) of the same records", read.floor)
            .note("from the page cache, every checksum computed; batches of both sizes"),
    );
    Ok(measurements)
}

/// Rates of all rounds.
struct Rates {
    ours: Samples,
    floor: Samples,
    alone: Samples,
    made_us: Samples,
}

impl Default for Rates {
    fn default() -> Self {
        let [ours, floor, alone, made_us] = [(); 4].map(|()| Samples::new(1.0));
        Rates {
            ours,
            floor,
            alone,
            made_us,
        }
    }
}

fn round_records(context: &Context) -> usize {
    context.pick(2 << 20, 1 << 16)
}

/// The first round warms up and is not counted.
fn one_round(
    context: &Context,
    tape: &[Record],
    batch: usize,
    counts: bool,
    append: &mut Rates,
    read: &mut Rates,
) -> Result<()> {
    let count = round_records(context);
    let dir = context.scratch.join("journal-bench");
    let plain = context.scratch.join("journal-bench-floor");
    let (appended, made_us) = append_all(&dir, tape, batch, count)?;
    let written = write_all(&plain, tape, batch, count, ENTRY_BYTES + 4 * batch)?;
    let alone = write_all(&plain, tape, batch, count, 0)?;
    let scanned = read_all(&dir, count)?;
    let plainly = read_plain(&plain, batch, count)?;
    if counts {
        append.ours.add(appended);
        append.floor.add(written);
        append.alone.add(alone);
        append.made_us.add(made_us);
        read.ours.add(scanned);
        read.floor.add(plainly);
    }
    fs::remove_dir_all(&dir).map_err(failed(&dir))?;
    fs::remove_file(&plain).map_err(failed(&plain))
}

fn append_all(dir: &Path, tape: &[Record], batch: usize, count: usize) -> Result<(u64, u64)> {
    let wrong = |error| BenchError::new("the journal", error);
    let settings = Settings {
        segment_records: (count + batch) as u64,
        ..Settings::default()
    };
    let mut appender = Appender::open(dir, settings).map_err(wrong)?;
    appender.begin_run(1).map_err(wrong)?;
    appender.instrument(&instrument()).map_err(wrong)?;
    let published: Vec<i64> = (0..batch as i64).map(|n| 1_000_000_000 + 700 * n).collect();
    let start = Instant::now();
    appender.append(0, &tape[..batch], &published).map_err(wrong)?;
    let made_us = start.elapsed().as_micros() as u64;
    let start = Instant::now();
    let mut position = batch as u64;
    for records in tape.chunks(batch).cycle().take(count / batch) {
        appender.append(position, records, &published).map_err(wrong)?;
        position += batch as u64;
    }
    let rate = rate(count, start);
    appender.sync().map_err(wrong)?;
    Ok((rate, made_us))
}

/// With so many bytes of an entry for each batch, to a file of their own, which is deleted.
fn write_all(path: &Path, tape: &[Record], batch: usize, count: usize, entry_bytes: usize) -> Result<u64> {
    let beside = path.with_extension("entries");
    let mut file = File::create(path).map_err(failed(path))?;
    let mut entries = File::create(&beside).map_err(failed(&beside))?;
    let entry = vec![7; entry_bytes];
    file.write_all(tape[..batch].as_bytes()).map_err(failed(path))?;
    let start = Instant::now();
    for records in tape.chunks(batch).cycle().take(count / batch) {
        file.write_all(records.as_bytes()).map_err(failed(path))?;
        entries.write_all(&entry).map_err(failed(&beside))?;
    }
    let rate = rate(count, start);
    file.sync_data().map_err(failed(path))?;
    entries.sync_data().map_err(failed(&beside))?;
    fs::remove_file(&beside).map_err(failed(&beside))?;
    Ok(rate)
}

fn read_all(dir: &Path, count: usize) -> Result<u64> {
    let wrong = |error| BenchError::new("the journal", error);
    let mut cursor = Journal::open(dir)
        .and_then(|journal| journal.cursor(0))
        .map_err(wrong)?;
    let mut batch = Batch::default();
    let start = Instant::now();
    while cursor.next(&mut batch).map_err(wrong)? {}
    let rate = rate(count, start);
    if cursor.position() < count as u64 {
        return Err(BenchError::new(
            "the journal",
            format!("{} records came back", cursor.position()),
        ));
    }
    Ok(rate)
}

fn read_plain(path: &Path, batch: usize, count: usize) -> Result<u64> {
    let mut file = File::open(path).map_err(failed(path))?;
    let mut bytes = vec![0; batch * Record::SIZE_BYTES];
    let start = Instant::now();
    while file.read(&mut bytes).map_err(failed(path))? > 0 {}
    Ok(rate(count, start))
}

fn rate(count: usize, start: Instant) -> u64 {
    (count as f64 / start.elapsed().as_secs_f64()) as u64
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> BenchError {
    let what = path.display().to_string();
    move |error| BenchError::new(what, error)
}

fn instrument() -> Instrument {
    Instrument {
        id: InstrumentId::new(Venue::KRAKEN, 0),
        symbol: "BTC/USD".into(),
        name: "BTC/USD".into(),
        scale: Scale::from_byte(0x28),
        tick: 1,
        lot: 1,
    }
}

fn tape() -> Vec<Record> {
    (0..TAPE as u64)
        .map(|n| Record {
            kind: Kind::Trade as u8,
            venue: Venue::KRAKEN.0,
            flags: Flags::BID.with(Flags::LAST).0,
            scale: 0x28,
            instrument: InstrumentId::new(Venue::KRAKEN, 0).0,
            sequence: n,
            ts_event: n as i64 * 1_000,
            ts_recv: n as i64 * 1_001,
            price: (n % 5_000) as i64,
            size: (n % 97) as i64,
        })
        .collect()
}
