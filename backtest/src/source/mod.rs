//! Where the records of a run come from: a journal, an archive, or captured frames, always in the order in which they were received.
//!
//! - A [`Reader`] hands over [`Block`]s; a thread of its own reads ahead, up to [`AHEAD_BLOCKS`], so that a run waits for the core and not for a disk.
//! - Every record has a position: the relay's in a journal and an archive, a running number from 0 in captures.
//! - Damage is refused as `storage` refuses it: a segment, a Parquet file or a frame is whole or the read ends with an error that names it.
//! - Gaps are refused or carried, as [`Gaps`] says. Carried, a Gap record reaches the core like any other, which trusts nothing until it is proven again.
//! - Instruments keep their ids; where two runs of a relay gave the same id to different symbols, the later one gets a new id.

mod capture;
mod error;
mod names;
mod past;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tickpath_protocol::{GapCause, Instrument, Record, Venue};
pub use tickpath_storage::replay::{Range, time_ns};

pub use error::SourceError;

use crate::synthetic;

/// Blocks that are read before they are asked for.
pub const AHEAD_BLOCKS: usize = 8;
/// Records of a block, about; a batch of a journal is never split.
pub const BLOCK_RECORDS: usize = 1 << 14;

/// Records in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Instruments that the records may name from here on, new or for the first time.
    pub instruments: Vec<Instrument>,
    /// The records.
    pub records: Vec<Record>,
    /// The position of each.
    pub positions: Vec<u64>,
}

impl Block {
    fn clear(&mut self) {
        self.instruments.clear();
        self.records.clear();
        self.positions.clear();
    }

    pub(crate) fn push(&mut self, record: Record, position: u64) {
        self.records.push(record);
        self.positions.push(position);
    }
}

/// What to do about Gap records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gaps {
    /// The read ends with [`SourceError::Gap`].
    #[default]
    Refuse,
    /// They are records like others.
    Carry,
}

/// What to read.
#[derive(Clone, Debug)]
pub struct Request {
    /// A journal's folder, an archive's, or a capture's; of captures also a folder that holds one a venue. Or a market that never was:
    /// [`synthetic::PREFIX`] and a number of bars.
    pub path: PathBuf,
    /// This venue alone. Of a capture: its venue, if the folder is not called after it.
    pub venue: Option<Venue>,
    /// From when to when, by receive time.
    pub range: Range,
    /// What to do about gaps.
    pub gaps: Gaps,
}

/// Whatever hands over blocks in order.
pub trait Blocks {
    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// If it cannot be read.
    fn next(&mut self) -> Result<Option<&Block>, SourceError>;
}

/// Blocks that a thread reads ahead.
pub struct Reader {
    path: PathBuf,
    full: Option<Receiver<Result<Block, SourceError>>>,
    empty: SyncSender<Block>,
    thread: Option<JoinHandle<()>>,
    current: Block,
    gaps: Gaps,
}

/// Reads on its own thread: fills the block, or leaves it empty at the end.
pub(crate) trait Fill: Send {
    fn fill(&mut self, block: &mut Block) -> Result<(), SourceError>;
}

/// Whatever the path holds, or asks for.
fn opened(request: &Request) -> Result<Box<dyn Fill>, SourceError> {
    if let Some(bars) = synthetic::asked_for(&request.path) {
        return Ok(Box::new(synthetic::Bars::new(bars, request.range)));
    }
    Ok(match capture::folders(&request.path, request.venue)? {
        folders if folders.is_empty() => Box::new(past::PastRows::open(request)?),
        folders => Box::new(capture::Captures::open(folders, request)),
    })
}

impl Reader {
    /// Opens the data and begins to read.
    ///
    /// # Errors
    /// If the path holds nothing that can be read.
    pub fn open(request: &Request) -> Result<Reader, SourceError> {
        let mut from = opened(request)?;
        let (full, filled) = sync_channel(AHEAD_BLOCKS);
        let (empty, emptied) = sync_channel::<Block>(AHEAD_BLOCKS + 2);
        let thread = std::thread::Builder::new().name("read-ahead".into()).spawn(move || {
            loop {
                let mut block = emptied.try_recv().unwrap_or_default();
                block.clear();
                let result = from.fill(&mut block).map(|()| block);
                let is_over = result.as_ref().map_or(true, |block| block.records.is_empty());
                // A reader that went away wants no more.
                if full.send(result).is_err() || is_over {
                    return;
                }
            }
        });
        Ok(Reader {
            path: request.path.clone(),
            full: Some(filled),
            empty,
            thread: Some(thread.map_err(SourceError::Thread)?),
            current: Block::default(),
            gaps: request.gaps,
        })
    }

    /// All of it, in memory.
    ///
    /// # Errors
    /// If it cannot be read, or holds more than `records_max` records.
    pub fn hold(mut self, records_max: usize) -> Result<Vec<Block>, SourceError> {
        let mut blocks = Vec::new();
        let mut records = 0;
        while self.advance()? {
            records += self.current.records.len();
            if records > records_max {
                return Err(SourceError::TooMuch {
                    path: self.path.clone(),
                    records_max,
                });
            }
            blocks.push(std::mem::take(&mut self.current));
        }
        Ok(blocks)
    }

    fn advance(&mut self) -> Result<bool, SourceError> {
        let Some(full) = &self.full else { return Ok(false) };
        let used = std::mem::take(&mut self.current);
        if used.records.capacity() > 0 {
            // With enough of them on the way, or nobody to take it, a used block is let go.
            let _let_go = self.empty.try_send(used);
        }
        let Ok(next) = full.recv() else {
            return Err(SourceError::ReaderDied(self.path.clone()));
        };
        self.current = next?;
        if self.current.records.is_empty() {
            self.full = None;
            return Ok(false);
        }
        self.refuse_gaps()?;
        Ok(true)
    }

    fn refuse_gaps(&self) -> Result<(), SourceError> {
        if self.gaps == Gaps::Carry {
            return Ok(());
        }
        let block = &self.current;
        let mut stamped = block.records.iter().zip(&block.positions);
        match stamped.find(|(record, _)| is_loss(record)) {
            Some((record, position)) => Err(SourceError::Gap {
                path: self.path.clone(),
                position: *position,
                venue: record.venue(),
                cause: GapCause::of(record).map_or("unknown", GapCause::name),
                since_ns: record.ts_event,
                until_ns: record.ts_recv,
            }),
            None => Ok(()),
        }
    }
}

/// Every instrument that records of the data name, in order of their first; reads all of it.
///
/// # Errors
/// If it cannot be read.
pub fn instruments(request: &Request) -> Result<Vec<Instrument>, SourceError> {
    let mut reader = Reader::open(request)?;
    let mut found = Vec::new();
    while let Some(block) = reader.next()? {
        found.extend_from_slice(&block.instruments);
    }
    Ok(found)
}

/// First and last receive time of blocks in memory; `None` of none.
#[must_use]
pub fn covered(blocks: &[Block]) -> Option<(i64, i64)> {
    let times = || {
        blocks
            .iter()
            .flat_map(|block| block.records.iter().map(|record| record.ts_recv))
    };
    Some((times().min()?, times().max()?))
}

/// Whether something is missing of what there was: a book of which no image has come yet is not.
fn is_loss(record: &Record) -> bool {
    GapCause::of(record).is_some_and(|cause| cause != GapCause::NoSnapshot)
}

impl Blocks for Reader {
    fn next(&mut self) -> Result<Option<&Block>, SourceError> {
        Ok(self.advance()?.then_some(&self.current))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The thread ends when nobody receives.
        self.full = None;
        if let Some(thread) = self.thread.take() {
            // It said so itself if it panicked.
            let _ended = thread.join();
        }
    }
}

/// Blocks that are in memory.
#[derive(Clone, Debug)]
pub struct Held<'a> {
    blocks: std::slice::Iter<'a, Block>,
}

impl<'a> Held<'a> {
    /// From the first of them on.
    #[must_use]
    pub fn new(blocks: &'a [Block]) -> Held<'a> {
        Held { blocks: blocks.iter() }
    }
}

impl Blocks for Held<'_> {
    fn next(&mut self) -> Result<Option<&Block>, SourceError> {
        Ok(self.blocks.next())
    }
}

/// Whether the path is there at all, which is said before anything of its kind.
fn exists(path: &Path) -> Result<(), SourceError> {
    match path.is_dir() {
        true => Ok(()),
        false => Err(SourceError::NoFolder(path.to_owned())),
    }
}
