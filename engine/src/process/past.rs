//! What earlier sessions left, read from the recorder's journal before the engine acts.
//!
//! The engine's own last records may still be on their way to the disk. So it waits until the recorder has everything that the relay had when this process
//! attached; if that does not come in time, or the journal is damaged, what is known may be wrong, and the engine starts halted.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use tickpath_journal::{Batch, Cursor, ImagePlace, ImageSearch, Journal, JournalError, newest_image};
use tickpath_protocol::{Flags, InstrumentId, InstrumentTable, Kind, Record, StatusCode, Venue};
use tickpath_service::Config;

use crate::engine::Recovered;

/// Between two looks at how far the recorder is.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Where the relay's stream stood when this process attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The relay's run.
    pub run_id: u64,
    /// The position of its next record.
    pub position: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Past {
    /// What the records come to; what the problems say is counted in it as missing.
    pub recovered: Recovered,
    /// Whether there was a journal.
    pub has_journal: bool,
    /// What was found of images of the account, and what was read for it.
    pub search: ImageSearch,
    /// Index of the journal's record with which the account began.
    pub from_index: u64,
    /// Records read from there on.
    pub records: u64,
    /// What keeps it from being whole.
    pub problems: Vec<String>,
}

/// Reads the journal. `table` has the instruments of now, `go_on` is asked while it waits and reads: `false` ends both.
#[must_use]
pub fn read(config: &Config, table: &InstrumentTable, head: Head, go_on: &mut dyn FnMut() -> bool) -> Past {
    let mut past = Past::default();
    if !config.recorder.enabled {
        return past;
    }
    let dir = config.journal_dir();
    let patience = Duration::from_millis(config.engine.recovery_ms);
    match wait_until_recorded(&dir, head, patience, go_on) {
        Ok(Wait::Nothing) => return past,
        Ok(Wait::Recorded) => {}
        Ok(Wait::Late) => past.problems.push(format!(
            "the recorder did not bring the stream up to position {} to {} within {} ms: is it running?",
            head.position,
            dir.display(),
            config.engine.recovery_ms
        )),
        Err(error) => past.problems.push(error.to_string()),
    }
    past.has_journal = true;
    match Journal::open(&dir) {
        Ok(journal) => past.recover(&journal, table, go_on),
        Err(error) => past.problems.push(error.to_string()),
    }
    past.recovered.missing += past.problems.len() as u64;
    past
}

impl Past {
    /// Reads from the newest image of the account on, or from the journal's first record if there is none.
    fn recover(&mut self, journal: &Journal, table: &InstrumentTable, go_on: &mut dyn FnMut() -> bool) {
        let found = newest_image(journal, Venue::PAPER, go_on).and_then(|search| Ok((search, journal.first_index()?)));
        let (search, first) = match found {
            Ok((search, first)) => (search, first.unwrap_or(0)),
            Err(error) => return self.problems.push(error.to_string()),
        };
        self.search = search;
        self.from_index = search.found.map_or(first, |place| place.index);
        self.fold(journal, table, go_on);
        if search.found.is_none() && first > 0 {
            self.problems.push(format!(
                "the journal begins at index {first}, older segments were deleted, and what is left holds no whole image of the account: what was held then is not known"
            ));
        }
    }

    fn fold(&mut self, journal: &Journal, table: &InstrumentTable, go_on: &mut dyn FnMut() -> bool) {
        let mut reader = Reader {
            journal,
            table,
            cursor: None,
            batch: Batch::default(),
            at: 0,
            strangers: BTreeMap::new(),
            damage: Vec::new(),
            records: 0,
            go_on,
        };
        reader.open(self.from_index);
        let resumed = self.search.found.and_then(resumption);
        self.recovered = Recovered::fold(Venue::PAPER, resumed.into_iter().chain(reader.by_ref()));
        self.records = reader.records;
        self.problems.append(&mut reader.damage);
    }
}

/// What tells a reader that begins with an image which life of the producer it was written in, as the relay said it when that began.
fn resumption(place: ImagePlace) -> Option<Record> {
    let next = i64::try_from(place.sequence)
        .ok()
        .filter(|_| place.producer_run_id != 0)?;
    let mut record =
        StatusCode::ProducerAttached.record(Venue::PAPER, InstrumentId::NONE, 0, place.producer_run_id, next);
    record.flags = Flags::LAST.with(Flags::FROM_RELAY).0;
    Some(record)
}

enum Wait {
    /// There is no journal, and the recorder makes none.
    Nothing,
    Recorded,
    Late,
}

fn wait_until_recorded(
    dir: &Path,
    head: Head,
    patience: Duration,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Wait, JournalError> {
    let deadline = Instant::now() + patience;
    loop {
        let is_there = dir.is_dir() && !tickpath_journal::segment_paths(dir)?.is_empty();
        if is_there && let Some(recorded) = Journal::open(dir)?.recorded()? {
            let has_all = recorded.run_id == head.run_id && recorded.next_position >= head.position;
            if has_all || head.position == 0 {
                return Ok(Wait::Recorded);
            }
        }
        if Instant::now() >= deadline || !go_on() {
            return Ok(if is_there { Wait::Late } else { Wait::Nothing });
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The records of the journal that matter, under the instrument ids of now.
struct Reader<'a> {
    journal: &'a Journal,
    table: &'a InstrumentTable,
    cursor: Option<Cursor>,
    batch: Batch,
    at: usize,
    /// Instruments that are not known now, by venue and symbol, with the id that they get here.
    strangers: BTreeMap<(u8, String), InstrumentId>,
    damage: Vec<String>,
    records: u64,
    go_on: &'a mut dyn FnMut() -> bool,
}

impl Reader<'_> {
    fn open(&mut self, index: u64) {
        match self.journal.cursor(index) {
            Ok(cursor) => self.cursor = Some(cursor),
            Err(error) => self.fail(&error),
        }
    }

    /// Writes the damage down and goes on behind it, if the journal does.
    fn fail(&mut self, error: &JournalError) {
        self.damage.push(error.to_string());
        self.cursor = None;
        let behind = match error {
            JournalError::Damaged { index, goes_on, .. } => goes_on.filter(|behind| behind > index),
            _ => None,
        };
        if let Some(behind) = behind {
            self.open(behind);
        }
    }

    /// The next batch; `false` at the end.
    fn turn(&mut self) -> bool {
        self.at = 0;
        self.batch.records.clear();
        while let Some(cursor) = &mut self.cursor {
            match cursor.next(&mut self.batch) {
                Ok(true) => {
                    self.records += self.batch.records.len() as u64;
                    return (self.go_on)();
                }
                Ok(false) => return false,
                Err(error) => self.fail(&error),
            }
        }
        false
    }

    /// The same record under the id that its instrument has now.
    fn translated(&mut self, record: Record) -> Record {
        let id = record.instrument();
        if id == InstrumentId::NONE {
            return record;
        }
        let known = self.cursor.as_ref().and_then(|cursor| cursor.instruments().get(id));
        let Some(instrument) = known else { return record };
        let venue = instrument.venue();
        let now = match self.table.find(venue, &instrument.symbol) {
            Some(now) => now.id,
            None => {
                // Ids from the top of the venue's range, which no producer gives out.
                let next = InstrumentId::PER_VENUE_MAX - 2 - self.strangers.len() as u32;
                let key = (venue.0, instrument.symbol.clone());
                *self
                    .strangers
                    .entry(key)
                    .or_insert_with(|| InstrumentId::new(venue, next))
            }
        };
        Record {
            instrument: now.0,
            ..record
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            let Some(record) = self.batch.records.get(self.at).copied() else {
                if self.turn() {
                    continue;
                }
                return None;
            };
            self.at += 1;
            if record.venue() == Venue::PAPER {
                if StatusCode::of(&record) == Some(StatusCode::KillArmed) {
                    // Someone looked at what was damaged until then, and armed.
                    self.damage.clear();
                }
                return Some(self.translated(record));
            }
            if matches!(record.kind(), Some(Kind::Gap | Kind::Status)) {
                return Some(record);
            }
        }
    }
}
