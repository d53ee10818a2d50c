//! Writes a journal: no thread, no clock but for names, and every error leaves whole batches behind.
//!
//! What cannot be written is not forgotten: it is *owed*, and a Gap record that names it is written before anything else ([`debts`]). A
//! segment that cannot be synced is given up, and what it held beyond the last sync written again ([`rescue`]).

mod debts;
mod rescue;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;

use tickpath_protocol::{Instrument, InstrumentTable, Record};

use debts::Owed;

use super::batch::BATCH_RECORDS_MAX;
use super::directory::{DirectoryLock, Recorded, RecordedFile, remove_leftovers};
use super::error::JournalError;
use super::file::{Disk, Medium, SegmentFiles};
use super::header::SegmentHeader;
use super::open_segment::OpenSegment;
use super::producers::Producers;
use super::recovery::Recovered;
use super::seal::SealJob;

/// How a journal is written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Records that a segment has room for.
    pub segment_records: u64,
    /// Instrument rows that a segment has room for beyond those that it begins with.
    pub row_reserve: u32,
    /// Where files are made.
    pub medium: Arc<dyn Medium>,
    /// Who seals finished segments; `None`, or if the channel is full: the appender itself, at once.
    pub sealer: Option<mpsc::SyncSender<SealJob>>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            segment_records: 1 << 22,
            row_reserve: 1 << 10,
            medium: Arc::new(Disk),
            sealer: None,
        }
    }
}

/// The one writer of a journal.
#[derive(Debug)]
pub struct Appender {
    dir: PathBuf,
    _lock: DirectoryLock,
    settings: Settings,
    journal_id: u64,
    run_id: u64,
    instruments: InstrumentTable,
    producers: Producers,
    recovered: Recovered,
    recorded: Arc<RecordedFile>,
    segment: Option<OpenSegment>,
    created_ns: i64,
    next_index: u64,
    next_position: u64,
    owed: Vec<Owed>,
    /// Indexes of the Gap records that may not be synced yet.
    gaps: Vec<u64>,
    lost: u64,
}

/// What was written and is to be synced; see [`Pending::sync`].
#[derive(Clone, Debug)]
pub struct Pending {
    files: Option<Arc<SegmentFiles>>,
    recorded_file: Arc<RecordedFile>,
    written: Recorded,
}

impl Pending {
    /// Brings it to the disk, on any thread, and says up to where the journal is recorded then.
    ///
    /// # Errors
    /// If the disk refuses: the segment is given up, and the appender writes what was not synced again, to a new one.
    pub fn sync(&self) -> Result<Recorded, JournalError> {
        if let Some(files) = &self.files {
            files.sync()?;
        }
        let recorded = Recorded {
            synced_ns: tickpath_transport::now_ns(),
            ..self.written
        };
        self.recorded_file.advance(recorded)?;
        Ok(recorded)
    }

    /// Index after the last record of it.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.written.next_index
    }
}

impl Appender {
    /// Opens the journal in `dir` to write, making the directory if it is not there. What an earlier writer left is validated, see
    /// [`Appender::recovered`]; records go to a new segment behind it.
    ///
    /// # Errors
    /// If the directory cannot be had, is locked by another writer, or its newest segment is none of ours.
    pub fn open(dir: &Path, settings: Settings) -> Result<Appender, JournalError> {
        fs::create_dir_all(dir).map_err(JournalError::io("cannot make", dir))?;
        let lock = DirectoryLock::acquire(dir)?;
        let leftovers = remove_leftovers(dir)?;
        let mut recovered = Recovered::look(dir)?;
        recovered.leftovers = leftovers;
        if recovered.recorded.journal_id == 0 {
            recovered.recorded.journal_id = rand::random::<u64>().max(1);
        }
        let recorded = recovered.recorded;
        Ok(Appender {
            dir: dir.to_owned(),
            _lock: lock,
            settings,
            journal_id: recorded.journal_id,
            run_id: recorded.run_id,
            instruments: InstrumentTable::new(),
            producers: recovered.producers.clone(),
            created_ns: recovered.created_ns,
            recovered,
            recorded: Arc::new(RecordedFile::create(dir, recorded)?),
            segment: None,
            next_index: recorded.next_index,
            next_position: recorded.next_position,
            owed: Vec::new(),
            gaps: Vec::new(),
            lost: 0,
        })
    }

    /// What was found when the journal was opened.
    #[must_use]
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// The journal's id.
    #[must_use]
    pub fn journal_id(&self) -> u64 {
        self.journal_id
    }

    /// Index of the next record.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Stream position after the last record written.
    #[must_use]
    pub fn next_position(&self) -> u64 {
        self.next_position
    }

    /// The segment that is being written.
    #[must_use]
    pub fn segment(&self) -> Option<&Path> {
        self.segment.as_ref().map(OpenSegment::path)
    }

    /// What comes now is of the relay's run `run_id`; if that is another than before, of another instrument table and in a new segment.
    ///
    /// # Errors
    /// If the segment before cannot be brought to the disk.
    pub fn begin_run(&mut self, run_id: u64) -> Result<(), JournalError> {
        if self.run_id == run_id {
            return Ok(());
        }
        let finished = self.finish();
        // A segment is of one run: what it holds beyond the last sync is lost if it cannot be finished now.
        self.abandon();
        self.run_id = run_id;
        self.instruments = InstrumentTable::new();
        self.next_position = 0;
        finished
    }

    /// Adds an instrument that records from now on may name.
    ///
    /// # Errors
    /// If it contradicts the table, or cannot be written: then it goes to the next segment.
    pub fn instrument(&mut self, instrument: &Instrument) -> Result<(), JournalError> {
        let known = self.instruments.len();
        self.instruments.insert(instrument.clone())?;
        if self.instruments.len() == known {
            return Ok(());
        }
        match &mut self.segment {
            Some(segment) if segment.has_row() => {
                if let Err(error) = segment.push_row(instrument) {
                    self.finish()?;
                    return Err(error);
                }
                Ok(())
            }
            Some(_) => self.finish(),
            None => Ok(()),
        }
    }

    /// Appends records of positions `first_position`, `first_position` + 1, …, published at `published_ns`.
    ///
    /// # Errors
    /// If they cannot all be written. Those that are not are owed, see [`Appender::skip`]; [`Appender::next_index`] says how many were.
    pub fn append(
        &mut self,
        first_position: u64,
        records: &[Record],
        published_ns: &[i64],
    ) -> Result<(), JournalError> {
        if records.len() != published_ns.len() {
            return Err(JournalError::Misuse("as many publish times as records are needed"));
        }
        if records.is_empty() {
            return Ok(());
        }
        let mut position = first_position;
        let (mut records, mut published_ns) = (records, published_ns);
        let mut result = Ok(());
        while result.is_ok() && !records.is_empty() {
            result = self
                .pay()
                .and_then(|()| self.append_some(position, records, published_ns))
                .map(|taken| {
                    (records, published_ns) = (&records[taken..], &published_ns[taken..]);
                    position += taken as u64;
                });
        }
        if result.is_err() {
            self.skip(position, records.len() as u64);
        }
        result
    }

    /// Appends as many of the records as fit one batch.
    fn append_some(&mut self, position: u64, records: &[Record], published_ns: &[i64]) -> Result<usize, JournalError> {
        let room = self
            .segment
            .as_ref()
            .map_or(self.settings.segment_records, OpenSegment::room);
        let most = records.len().min(BATCH_RECORDS_MAX).min(room as usize);
        let count = stamped_together(&published_ns[..most]);
        self.write(position, count as u64, &records[..count], &published_ns[..count])?;
        Ok(count)
    }

    fn write(
        &mut self,
        position: u64,
        span: u64,
        records: &[Record],
        published_ns: &[i64],
    ) -> Result<(), JournalError> {
        if position < self.next_position {
            return Err(JournalError::Misuse("positions of a run must rise"));
        }
        if self.segment.is_none() {
            self.segment = Some(self.create_segment(position)?);
        }
        let Some(segment) = &mut self.segment else {
            return Err(JournalError::Misuse("there is no segment"));
        };
        if let Err(error) = segment.write(position, span, records, published_ns) {
            // The segment ends at its last whole batch.
            self.finish()?;
            return Err(error);
        }
        self.producers.note(records);
        self.next_index += records.len() as u64;
        self.next_position = position.saturating_add(span);
        Ok(())
    }

    fn create_segment(&mut self, first_position: u64) -> Result<OpenSegment, JournalError> {
        // Names order segments of the same index, whatever the clock does.
        let created_ns = tickpath_transport::now_ns().max(self.created_ns + 1);
        let header = SegmentHeader {
            journal_id: self.journal_id,
            run_id: self.run_id,
            first_index: self.next_index,
            first_position,
            created_ns,
            record_capacity: self.settings.segment_records,
            row_capacity: self.instruments.len() as u32 + self.settings.row_reserve,
            producers: self.producers.states(),
        };
        let segment = OpenSegment::create(&self.dir, header, &self.instruments, &*self.settings.medium)?;
        self.created_ns = created_ns;
        Ok(segment)
    }

    /// What was written so far, for another thread to sync.
    #[must_use]
    pub fn pending(&self) -> Pending {
        Pending {
            files: self.segment.as_ref().map(|segment| segment.files().clone()),
            recorded_file: self.recorded.clone(),
            written: Recorded {
                journal_id: self.journal_id,
                next_index: self.next_index,
                run_id: self.run_id,
                next_position: self.next_position,
                synced_ns: 0,
            },
        }
    }

    /// Brings everything to the disk; says up to where the journal is recorded.
    ///
    /// # Errors
    /// If that fails even in a new segment.
    pub fn sync(&mut self) -> Result<Recorded, JournalError> {
        if let Err(error) = self.pending().sync() {
            if !self.is_poisoned() {
                return Err(error);
            }
            self.rescue()?;
            return self.pending().sync();
        }
        Ok(self.recorded.newest())
    }

    /// Up to where the journal is recorded.
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        self.recorded.newest()
    }

    /// Ends the segment: synced here, sealed here or by the sealer. The next record begins a new one.
    ///
    /// # Errors
    /// As [`Appender::sync`].
    pub fn seal(&mut self) -> Result<(), JournalError> {
        self.finish()
    }
}

/// How many of the publish times fit the stamps of one batch; at least one.
fn stamped_together(published_ns: &[i64]) -> usize {
    let fits = |times: &[i64]| {
        let (mut min, mut max) = (i64::MAX, i64::MIN);
        for ns in times {
            min = min.min(*ns);
            max = max.max(*ns);
        }
        max.checked_sub(min).is_some_and(|range| range <= u32::MAX.into())
    };
    let mut count = published_ns.len();
    while count > 1 && !fits(&published_ns[..count]) {
        count /= 2;
    }
    count
}
