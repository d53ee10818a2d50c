//! What people do without Parquet: CSV, compressed with gzip.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tickpath_protocol::{Kind, Record};

use super::tape::Line;
use crate::context::{Result, Tried};

/// The first line.
const HEADER: &str =
    "venue,symbol,kind,flags,price,size,price_decimals,size_decimals,ts_event,ts_recv,published,sequence,position\n";

/// Writes a line a record and syncs the file; its length.
pub fn gzip<'a>(lines: impl Iterator<Item = Line<'a>>, path: &Path) -> Result<u64> {
    let what = || path.display().to_string();
    let file = File::create(path).tried(what())?;
    let mut out = BufWriter::with_capacity(1 << 16, GzEncoder::new(file, Compression::new(6)));
    out.write_all(HEADER.as_bytes()).tried(what())?;
    for line in lines {
        write_line(&mut out, &line).tried(what())?;
    }
    let encoder = out.into_inner().tried(what())?;
    let file = encoder.finish().tried(what())?;
    file.sync_all().tried(what())?;
    Ok(file.metadata().tried(what())?.len())
}

fn write_line(out: &mut impl Write, line: &Line<'_>) -> std::io::Result<()> {
    let record = &line.record;
    let kind = record.kind().map_or("", Kind::name);
    write!(out, "{},{},{kind},{},", record.venue(), line.symbol, record.flags)?;
    for number in [record.price, record.size] {
        if number != Record::ABSENT {
            write!(out, "{number}")?;
        }
        out.write_all(b",")?;
    }
    let scale = record.scale();
    writeln!(
        out,
        "{},{},{},{},{},{},{}",
        scale.price_decimals(),
        scale.size_decimals(),
        record.ts_event,
        record.ts_recv,
        line.published_ns,
        record.sequence,
        line.position
    )
}
