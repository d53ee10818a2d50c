//! Captured frames, decoded as a collector would have; several venues side by side are merged by receive time.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tickpath_collectors::offline::{self, Summary};
use tickpath_protocol::{Instrument, InstrumentTable, Record, Venue};

use super::{BLOCK_RECORDS, Block, Fill, Gaps, Range, Request, SourceError, exists};

/// Chunks of one venue on their way.
const CHUNKS_AHEAD: usize = 4;

/// The file that makes a folder a capture.
const FRAMES: &str = "ws.tsv";

/// A capture and whose it is.
type Folder = (Venue, PathBuf);

/// The captures at a path; none if it is none, nor a folder of some.
pub(super) fn folders(path: &Path, venue: Option<Venue>) -> Result<Vec<Folder>, SourceError> {
    exists(path)?;
    if path.join(FRAMES).is_file() {
        let of_name = || path.canonicalize().ok()?.file_name()?.to_str()?.parse().ok();
        let venue = venue
            .or_else(of_name)
            .ok_or_else(|| SourceError::WhichVenue(path.to_owned()))?;
        return Ok(vec![(venue, path.to_owned())]);
    }
    let all = Venue::market_data().map(|venue| (venue, path.join(venue.to_string())));
    let is_wanted = |folder: &Folder| folder.1.join(FRAMES).is_file() && venue.is_none_or(|venue| venue == folder.0);
    Ok(all.into_iter().filter(is_wanted).collect())
}

/// Some thousand records, and the instruments that are new in them.
#[derive(Default)]
struct Chunk {
    instruments: Vec<Instrument>,
    records: Vec<Record>,
}

/// One venue's records as they are decoded.
struct Line {
    folder: PathBuf,
    chunks: Receiver<Chunk>,
    chunk: Chunk,
    at: usize,
    thread: Option<JoinHandle<Result<Summary, SourceError>>>,
}

/// All venues of a path.
pub(super) struct Captures {
    request: Request,
    lines: Vec<Line>,
    position: u64,
    found: bool,
}

impl Captures {
    pub fn open(folders: Vec<Folder>, request: &Request) -> Captures {
        Captures {
            request: request.clone(),
            lines: folders
                .into_iter()
                .map(|(venue, path)| Line::open(venue, path))
                .collect(),
            position: 0,
            found: false,
        }
    }
}

impl Fill for Captures {
    fn fill(&mut self, block: &mut Block) -> Result<(), SourceError> {
        while block.records.len() < BLOCK_RECORDS {
            let mut next: Option<(i64, usize)> = None;
            for (at, line) in self.lines.iter_mut().enumerate() {
                if let Some(ts_recv) = line.peek(&mut block.instruments, self.request.gaps)?
                    && next.is_none_or(|(earliest, _)| ts_recv < earliest)
                {
                    next = Some((ts_recv, at));
                }
            }
            let Some((_, at)) = next else {
                return self.judge_end(block);
            };
            let record = self.lines[at].take();
            if self.request.range.holds(record.ts_recv) {
                block.push(record, self.position);
                self.found = true;
            }
            self.position += 1;
        }
        Ok(())
    }
}

impl Captures {
    fn judge_end(&self, block: &Block) -> Result<(), SourceError> {
        if self.found || !block.records.is_empty() {
            return Ok(());
        }
        let range: &Range = &self.request.range;
        Err(SourceError::Empty {
            path: self.request.path.clone(),
            range: range.to_string(),
        })
    }
}

impl Line {
    fn open(venue: Venue, folder: PathBuf) -> Line {
        let (sender, chunks) = sync_channel(CHUNKS_AHEAD);
        let path = folder.clone();
        let thread = std::thread::spawn(move || decode(venue, &path, &sender));
        Line {
            folder,
            chunks,
            chunk: Chunk::default(),
            at: 0,
            thread: Some(thread),
        }
    }

    /// When the next record was received; `None` at the end. Instruments that it may name go to `instruments` first.
    fn peek(&mut self, instruments: &mut Vec<Instrument>, gaps: Gaps) -> Result<Option<i64>, SourceError> {
        if self.at == self.chunk.records.len() && !self.refill(instruments, gaps)? {
            return Ok(None);
        }
        Ok(self.chunk.records.get(self.at).map(|record| record.ts_recv))
    }

    fn refill(&mut self, instruments: &mut Vec<Instrument>, gaps: Gaps) -> Result<bool, SourceError> {
        match self.chunks.recv() {
            Ok(chunk) => {
                self.chunk = chunk;
                self.at = 0;
                instruments.append(&mut self.chunk.instruments);
                Ok(true)
            }
            Err(_) => {
                let Some(thread) = self.thread.take() else {
                    return Ok(false);
                };
                let summary = thread
                    .join()
                    .map_err(|_| SourceError::ReaderDied(self.folder.clone()))??;
                match summary.refused {
                    refused if refused > 0 && gaps == Gaps::Refuse => Err(SourceError::Refused {
                        path: self.folder.clone(),
                        refused,
                    }),
                    _ => Ok(false),
                }
            }
        }
    }

    fn take(&mut self) -> Record {
        self.at += 1;
        self.chunk.records[self.at - 1]
    }
}

/// Decodes a capture into chunks. Whoever listens no more is not told more; what is left is decoded in vain, which takes no longer than reading it did.
fn decode(venue: Venue, folder: &Path, chunks: &SyncSender<Chunk>) -> Result<Summary, SourceError> {
    let mut chunk = Chunk::default();
    let mut known = 0;
    let mut is_heard = true;
    let summary = offline::decode_capture(venue, folder, |record, table| {
        if table.len() > known {
            chunk.instruments.extend(news(table, known));
            known = table.len();
        }
        chunk.records.push(*record);
        if chunk.records.len() >= BLOCK_RECORDS {
            is_heard = is_heard && chunks.send(std::mem::take(&mut chunk)).is_ok();
            chunk.records.clear();
        }
    });
    let summary = summary.map_err(|source| SourceError::Capture {
        path: folder.to_owned(),
        source,
    })?;
    if is_heard && !chunk.records.is_empty() && chunks.send(chunk).is_err() {
        // Nobody is left to hear it.
    }
    Ok(summary)
}

/// The instruments of a capture are of one venue, so the new ones are at the end.
fn news(table: &InstrumentTable, known: usize) -> impl Iterator<Item = Instrument> + '_ {
    table.iter().skip(known).cloned()
}
