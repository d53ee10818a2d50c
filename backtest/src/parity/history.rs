//! What an engine published into a journal, session by session.

use std::ops::Range;

use tickpath_engine::Command;
use tickpath_protocol::{Flags, GapCause, Instrument, Kind, Record, StatusCode};

use super::{engine_status, is_of_engine};
use crate::source::{Blocks, SourceError};

/// Everything that an engine published, and what else its recovery looks at.
pub(super) struct History {
    /// Every instrument that the journal names.
    pub instruments: Vec<Instrument>,
    records: Vec<Record>,
    sessions: Vec<Found>,
}

/// Where a session lies.
struct Found {
    session: u32,
    /// In [`History::records`]: the first of its records.
    begins: usize,
    /// In the journal: where inputs of it may begin, the same run's first record; and where it ends.
    inputs: Range<u64>,
    is_recovered: bool,
    started_ns: i64,
    first_position: u64,
}

/// One session.
pub(super) struct Told<'a> {
    pub session: u32,
    /// What it published.
    pub published: Vec<Record>,
    /// What was published before it.
    pub before: &'a [Record],
    pub is_recovered: bool,
    pub started_ns: i64,
    pub first_position: u64,
    /// Which records of the journal may be inputs.
    pub range: Range<u64>,
    /// Commands, each with the position of the first record after it.
    pub commands: Vec<(u64, Command)>,
}

/// What is known while reading.
#[derive(Default)]
struct Reading {
    index: u64,
    run_begins: u64,
    last_position: u64,
    /// Of a session that has begun with what it recovered: its place in `records`.
    recovering: Option<usize>,
}

impl History {
    pub fn read(blocks: &mut dyn Blocks) -> Result<History, SourceError> {
        let mut history = History {
            instruments: Vec::new(),
            records: Vec::new(),
            sessions: Vec::new(),
        };
        let mut reading = Reading::default();
        while let Some(block) = blocks.next()? {
            history.instruments.extend_from_slice(&block.instruments);
            for (record, position) in block.records.iter().zip(&block.positions) {
                if *position < reading.last_position {
                    reading.run_begins = reading.index;
                }
                reading.last_position = *position;
                history.take(record, &mut reading);
                reading.index += 1;
            }
        }
        Ok(history)
    }

    fn take(&mut self, record: &Record, reading: &mut Reading) {
        let is_loss = record.kind() == Some(Kind::Gap);
        if !is_of_engine(record) {
            if is_loss && GapCause::of(record) == Some(GapCause::NotRecorded) {
                self.records.push(*record);
            }
            return;
        }
        let is_of_relay = record.flags().contains(Flags::FROM_RELAY);
        match engine_status(record) {
            Some(StatusCode::ProducerDetached) if is_of_relay => self.end_last(reading.index),
            Some(StatusCode::EngineRecovered) => {
                self.end_last(reading.index);
                reading.recovering = Some(self.records.len());
            }
            Some(StatusCode::EngineStarted) => self.begin(record, reading),
            _ => {}
        }
        self.records.push(*record);
    }

    fn begin(&mut self, record: &Record, reading: &mut Reading) {
        self.end_last(reading.index);
        let recovering = reading.recovering.take();
        self.sessions.push(Found {
            session: u32::try_from(record.price).unwrap_or(0),
            begins: recovering.unwrap_or(self.records.len()),
            inputs: reading.run_begins..u64::MAX,
            is_recovered: recovering.is_some(),
            started_ns: record.ts_event,
            first_position: record.size as u64,
        });
    }

    fn end_last(&mut self, index: u64) {
        if let Some(last) = self.sessions.last_mut().filter(|last| last.inputs.end == u64::MAX) {
            last.inputs.end = index;
        }
    }

    /// The numbers of all sessions.
    pub fn known(&self) -> String {
        let numbers: Vec<String> = self.sessions.iter().map(|found| found.session.to_string()).collect();
        match numbers.is_empty() {
            true => "none".to_owned(),
            false => numbers.join(", "),
        }
    }

    /// A session, the last one if none is named.
    pub fn session(&self, wanted: Option<u32>) -> Option<Told<'_>> {
        let is_wanted = |found: &Found| wanted.is_none_or(|wanted| wanted == found.session);
        let at = self.sessions.iter().rposition(is_wanted)?;
        let found = &self.sessions[at];
        let end = self.sessions.get(at + 1).map_or(self.records.len(), |next| next.begins);
        let of_core = |record: &&Record| {
            is_of_engine(record) && !record.flags().contains(Flags::FROM_RELAY) && record.kind() != Some(Kind::Gap)
        };
        let own: Vec<Record> = self.records[found.begins..end]
            .iter()
            .filter(of_core)
            .copied()
            .collect();
        Some(Told {
            session: found.session,
            commands: commands(&own),
            published: own,
            before: &self.records[..found.begins],
            is_recovered: found.is_recovered,
            started_ns: found.started_ns,
            first_position: found.first_position,
            range: found.inputs.clone(),
        })
    }
}

/// What commands the session's records tell of. Those that its start gave by itself are among them: repeated, they change nothing.
fn commands(own: &[Record]) -> Vec<(u64, Command)> {
    let started = own
        .iter()
        .position(|record| StatusCode::of(record) == Some(StatusCode::EngineStarted));
    let behind = own.iter().skip(started.map_or(0, |at| at + 1));
    behind
        .filter_map(Command::of)
        .map(|(command, position)| (position, command))
        .collect()
}
