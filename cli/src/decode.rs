//! `tickpath decode`: a recorded feed through the collector's own decoders and rules, without a network.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use tickpath_collectors::offline::{self, Summary};
use tickpath_protocol::Venue;
use tickpath_service::exit::{Context, ExitCode, ProcessError};

use crate::record_json;

/// Arguments of `tickpath decode`.
#[derive(Args)]
pub struct DecodeArgs {
    /// binance, coinbase, kraken or alpaca.
    venue: Venue,
    /// Folder with `ws.tsv` and, where the venue has REST answers, `rest.tsv`.
    #[arg(value_name = "CAPTURE_DIR")]
    capture: PathBuf,
}

/// Prints each record as a JSON object and a summary as the last line.
///
/// # Errors
/// If the capture is none, or standard output is closed.
pub fn decode(args: &DecodeArgs) -> Result<(), ProcessError> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut line = String::with_capacity(512);
    let mut written: io::Result<()> = Ok(());
    let summary = offline::decode_capture(args.venue, &args.capture, |record, instruments| {
        if written.is_err() {
            return;
        }
        line.clear();
        record_json::write_json(&mut line, record, instruments.get(record.instrument()));
        line.push('\n');
        written = out.write_all(line.as_bytes());
    })
    .or_exit(ExitCode::BadInput, format!("decoding {}", args.capture.display()))?;
    let finished = written
        .and_then(|()| writeln!(out, "{}", summary_json(&summary)))
        .and_then(|()| out.flush());
    match finished {
        // `tickpath decode … | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.or_exit(ExitCode::Failed, "writing to standard output"),
    }
}

fn summary_json(summary: &Summary) -> String {
    let Summary {
        frames,
        records,
        refused,
        trades,
        quotes,
        levels,
        checksums_ok,
        checksums_bad,
        resyncs,
    } = summary;
    serde_json::json!({"summary": {
        "frames": frames, "records": records, "refused": refused, "trades": trades, "quotes": quotes, "levels": levels,
        "checksums_ok": checksums_ok, "checksums_bad": checksums_bad, "resyncs": resyncs,
    }})
    .to_string()
}
