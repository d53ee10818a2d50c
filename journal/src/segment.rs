//! Reads one segment, batch after batch, trusting nothing: what it returns passed every check, and it stops at the first batch that does not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tickpath_protocol::{InstrumentRow, InstrumentTable, Record};
use zerocopy::{FromBytes, IntoBytes};

use super::batch::{Batch, ENTRY_BYTES, Entry, stamps};
use super::error::JournalError;
use super::footer::{FOOTER_BYTES, Footer};
use super::header::{MAGIC_BATCHES, MAGIC_RECORDS, PAGE_BYTES, SegmentHeader};
use super::name::{BATCHES_EXTENSION, first_index};

/// Bytes of the `.batches` file that are read at once.
const WINDOW_BYTES: usize = 256 << 10;

/// Why a reader stops at a batch that it is not to return yet.
const LIMIT_REACHED: &str = "the limit is reached";

/// A reader of one segment.
#[derive(Debug)]
pub struct SegmentReader {
    path: PathBuf,
    header: SegmentHeader,
    repaired: bool,
    records: File,
    batches: Window,
    /// Where the next entry begins.
    at: u64,
    next_index: u64,
    next_position: u64,
    batches_read: u64,
    rows: u32,
    rows_crc32c: u32,
    instruments: InstrumentTable,
    stop: &'static str,
}

/// What [`SegmentReader::next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A valid batch.
    Batch,
    /// Nothing, for now or for ever; [`SegmentReader::stop`] says why.
    End,
}

impl SegmentReader {
    /// Opens the segment at `path`.
    ///
    /// # Errors
    /// If its files cannot be read, or neither copy of its header makes sense.
    pub fn open(path: &Path) -> Result<SegmentReader, JournalError> {
        let batches_path = path.with_extension(BATCHES_EXTENSION);
        let records = File::open(path).map_err(JournalError::io("cannot open", path))?;
        let batches = File::open(&batches_path).map_err(JournalError::io("cannot open", &batches_path))?;
        let first = read_header(&records, MAGIC_RECORDS, path)?;
        let copy = read_header(&batches, MAGIC_BATCHES, &batches_path)?;
        let (header, repaired) = match (first, copy) {
            (Ok(first), Ok(copy)) if first == copy => (first, false),
            (Ok(first), Ok(_)) => {
                return Err(JournalError::Damaged {
                    path: path.to_owned(),
                    index: first.first_index,
                    goes_on: None,
                    reason: "its .batches file belongs to another segment".into(),
                });
            }
            (Ok(header), Err(_)) | (Err(_), Ok(header)) => (header, true),
            (Err(error), Err(_)) => return Err(error),
        };
        if first_index(path) != Some(header.first_index) {
            return Err(JournalError::Foreign {
                path: path.to_owned(),
                field: "first_index of the name",
                found: first_index(path).unwrap_or(u64::MAX),
                expected: header.first_index,
            });
        }
        Ok(SegmentReader {
            path: path.to_owned(),
            next_index: header.first_index,
            next_position: header.first_position,
            header,
            repaired,
            records,
            batches: Window::new(batches),
            at: PAGE_BYTES as u64,
            batches_read: 0,
            rows: 0,
            rows_crc32c: 0,
            instruments: InstrumentTable::new(),
            stop: "",
        })
    }

    /// The next batch that holds records from index `from` on and none from index `limit` on. Batches that end before `from` are checked
    /// without their records.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn next(&mut self, batch: &mut Batch, from: u64, limit: u64) -> Result<Found, JournalError> {
        loop {
            let Some(entry) = self.entry(limit)? else {
                self.batches.forget();
                return Ok(Found::End);
            };
            let wanted = entry.first_index + u64::from(entry.count) > from;
            if !(self.take_rows(&entry)? && (!wanted || self.take_records(&entry, batch)?)) {
                self.batches.forget();
                return Ok(Found::End);
            }
            self.at += entry.len_bytes() as u64;
            self.next_index += u64::from(entry.count);
            self.next_position = entry.first_position.saturating_add(entry.span);
            self.batches_read += 1;
            if wanted {
                batch.cut_before(from);
                return Ok(Found::Batch);
            }
        }
    }

    /// The entry that comes next, if it is whole and continues the last one.
    fn entry(&mut self, limit: u64) -> Result<Option<Entry>, JournalError> {
        self.stop = "its batches end there";
        let Some(entry) = self
            .read(ENTRY_BYTES)?
            .and_then(|bytes| Entry::peek(bytes.first_chunk()?))
        else {
            return Ok(None);
        };
        self.stop = "the next batch is of another place or segment";
        let header = &self.header;
        let room = header.record_capacity - (self.next_index - header.first_index);
        let continues = entry.journal_id == header.journal_id
            && entry.first_index == self.next_index
            && entry.first_position >= self.next_position
            && (entry.span == u64::from(entry.count) || entry.count == 1)
            && u64::from(entry.count) <= room
            && (self.rows..=header.row_capacity).contains(&entry.rows);
        if !continues {
            return Ok(None);
        }
        if entry.first_index + u64::from(entry.count) > limit {
            self.stop = LIMIT_REACHED;
            return Ok(None);
        }
        self.stop = "the checksum of a batch entry does not hold";
        let len = entry.len_bytes();
        let holds = self.read(len)?.is_some_and(|bytes| entry.holds(bytes));
        Ok(holds.then_some(entry))
    }

    /// Takes the instrument rows that came before the entry.
    fn take_rows(&mut self, entry: &Entry) -> Result<bool, JournalError> {
        self.stop = "the checksum of the instrument rows does not hold";
        let mut rows = vec![0; (entry.rows - self.rows) as usize * InstrumentRow::SIZE_BYTES];
        let offset = PAGE_BYTES as u64 + u64::from(self.rows) * InstrumentRow::SIZE_BYTES as u64;
        if !self.read_records_file(&mut rows, offset)? {
            return Ok(false);
        }
        let crc = crc32c::crc32c_append(self.rows_crc32c, &rows);
        if crc != entry.rows_crc32c {
            return Ok(false);
        }
        for bytes in rows.chunks_exact(InstrumentRow::SIZE_BYTES) {
            let decoded = InstrumentRow::read_from_bytes(bytes).ok().map(|row| row.decode());
            let inserted = match decoded {
                Some(Ok(instrument)) => self.instruments.insert(instrument),
                _ => return Ok(false),
            };
            if inserted.is_err() {
                return Ok(false);
            }
        }
        self.rows = entry.rows;
        self.rows_crc32c = crc;
        Ok(true)
    }

    fn take_records(&mut self, entry: &Entry, batch: &mut Batch) -> Result<bool, JournalError> {
        self.stop = "the checksum of the records does not hold";
        batch.records.resize(entry.count as usize, Record::default());
        let offset = self.header.record_offset(entry.first_index - self.header.first_index);
        let whole = self.read_records_file(batch.records.as_mut_bytes(), offset)?;
        if !whole || crc32c::crc32c(batch.records.as_bytes()) != entry.records_crc32c {
            return Ok(false);
        }
        let len = entry.len_bytes();
        if let Some(bytes) = self.read(len)? {
            stamps(entry, bytes, &mut batch.published_ns);
        }
        batch.run_id = self.header.run_id;
        batch.first_index = entry.first_index;
        batch.first_position = entry.first_position;
        batch.span = entry.span;
        Ok(true)
    }

    /// `len` bytes of the `.batches` file from where the next entry begins, if there are so many.
    fn read(&mut self, len: usize) -> Result<Option<&[u8]>, JournalError> {
        self.batches.get(self.at, len).map_err(JournalError::io(
            "cannot read",
            &self.path.with_extension(BATCHES_EXTENSION),
        ))
    }

    /// Whether `bytes` could be filled.
    fn read_records_file(&self, bytes: &mut [u8], offset: u64) -> Result<bool, JournalError> {
        match self.records.read_exact_at(bytes, offset) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(JournalError::io("cannot read", &self.path)(error)),
        }
    }

    /// The footer, if the segment is sealed.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn footer(&self) -> Result<Option<Footer>, JournalError> {
        let error = || JournalError::io("cannot read", &self.path);
        let len = self.records.metadata().map_err(error())?.len();
        let Some(offset) = len.checked_sub(FOOTER_BYTES as u64) else {
            return Ok(None);
        };
        let mut bytes = [0; FOOTER_BYTES];
        if !self.read_records_file(&mut bytes, offset)? {
            return Ok(None);
        }
        Ok(Footer::decode(&bytes).filter(|footer| self.header.record_offset(footer.records) == offset))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its header.
    #[must_use]
    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Whether one of the two copies of the header is damaged.
    #[must_use]
    pub fn is_repaired(&self) -> bool {
        self.repaired
    }

    /// The instruments before the last batch.
    #[must_use]
    pub fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    /// Index after the last batch.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Stream position after the last batch.
    #[must_use]
    pub fn next_position(&self) -> u64 {
        self.next_position
    }

    /// Batches so far.
    #[must_use]
    pub fn batches_read(&self) -> u64 {
        self.batches_read
    }

    /// Why it stopped.
    #[must_use]
    pub fn stop(&self) -> &'static str {
        self.stop
    }

    /// Whether it stopped at a whole batch that holds the limit.
    pub(super) fn is_at_limit(&self) -> bool {
        self.stop == LIMIT_REACHED
    }

    /// Bytes that were written behind the valid prefix, in both files.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub(super) fn bytes_behind(&self) -> Result<u64, JournalError> {
        let offset = self.header.record_offset(self.next_index - self.header.first_index);
        let error = || JournalError::io("cannot read", &self.path);
        let in_records = nonzero_from(&self.records, offset).map_err(error())?;
        // This file has no room beyond what was written.
        let entries = self.batches.file.metadata().map_err(error())?.len();
        Ok(in_records + entries.saturating_sub(self.at))
    }

    /// Brings what was read to the disk: after a kill it may be in the page cache alone.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        self.records
            .sync_data()
            .and_then(|()| self.batches.file.sync_data())
            .map_err(JournalError::io("cannot sync", &self.path))
    }
}

/// The header page of a file; the outer error is the file system's.
fn read_header(file: &File, magic: [u8; 8], path: &Path) -> Result<Result<SegmentHeader, JournalError>, JournalError> {
    let mut page = [0; PAGE_BYTES];
    match file.read_exact_at(&mut page, 0) {
        Ok(()) => {}
        // Too short to be a segment: what is there is judged like any other page.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        Err(error) => return Err(JournalError::io("cannot read", path)(error)),
    }
    Ok(SegmentHeader::decode(&page, magic, path))
}

/// Bytes from `offset` to the last that is not zero before the first wholly empty block.
fn nonzero_from(file: &File, offset: u64) -> io::Result<u64> {
    let mut block = vec![0; WINDOW_BYTES];
    let (mut at, mut end) = (offset, offset);
    loop {
        let read = file.read_at(&mut block, at)?;
        let Some(last) = block[..read].iter().rposition(|byte| *byte != 0) else {
            return Ok(end - offset);
        };
        end = at + last as u64 + 1;
        at += read as u64;
    }
}

/// Part of a file that may grow, read ahead.
#[derive(Debug)]
struct Window {
    file: File,
    bytes: Vec<u8>,
    offset: u64,
}

impl Window {
    fn new(file: File) -> Window {
        Window {
            file,
            bytes: Vec::new(),
            offset: 0,
        }
    }

    /// `len` bytes from `offset` on, if the file has so many.
    fn get(&mut self, offset: u64, len: usize) -> io::Result<Option<&[u8]>> {
        let held = offset
            .checked_sub(self.offset)
            .is_some_and(|start| start + len as u64 <= self.bytes.len() as u64);
        if !held {
            self.bytes.resize(len.max(WINDOW_BYTES), 0);
            let read = read_up_to(&self.file, &mut self.bytes, offset)?;
            self.bytes.truncate(read);
            self.offset = offset;
        }
        let start = (offset - self.offset) as usize;
        Ok(self.bytes.get(start..start + len))
    }

    /// What was read may be out of date.
    fn forget(&mut self) {
        self.bytes.clear();
    }
}

fn read_up_to(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
