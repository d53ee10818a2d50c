//! Where the newest image of the engine's account stands, so that whoever needs the account reads from there on, and nobody deletes it.
//!
//! Segments are read from the newest back, and none beyond the one in which the image begins. An image may go over the end of its segment.

use std::path::Path;

use tickpath_protocol::trading::ImageDecoder;
use tickpath_protocol::{Flags, Kind, Record, StatusCode, Venue};

use super::batch::Batch;
use super::directory::{Journal, segment_paths};
use super::error::JournalError;
use super::name::first_index;
use super::segment::SegmentReader;

/// The place of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImagePlace {
    /// Index of its first record.
    pub index: u64,
    /// That record's sequence.
    pub sequence: u64,
    /// The run of the producer that wrote it; 0 if the journal does not say.
    pub producer_run_id: i64,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageSearch {
    /// The newest whole image.
    pub found: Option<ImagePlace>,
    /// Segments that were read for it.
    pub segments: u64,
    /// Records that were read for it.
    pub records: u64,
    /// Whether what was read holds any record of the engine.
    pub has_engine: bool,
}

/// Looks for the newest whole image that was published under `venue`. What is damaged is passed over: whoever reads from the image on meets it. `go_on` is asked
/// now and then, and `false` ends the search.
///
/// # Errors
/// If the directory cannot be read.
pub fn newest_image(
    journal: &Journal,
    venue: Venue,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<ImageSearch, JournalError> {
    let mut search = ImageSearch::default();
    let mut until = u64::MAX;
    for path in segment_paths(journal.dir())?.iter().rev() {
        let Some(from) = first_index(path).filter(|from| *from < until) else {
            continue;
        };
        search.segments += 1;
        let mut look = Look::new(venue, run_id_of(path, venue));
        look.segment(journal, from, until, &mut search, go_on);
        search.found = look.newest;
        if search.found.is_some() || !go_on() {
            break;
        }
        until = from;
    }
    Ok(search)
}

/// The run of a producer when a segment began, if its header can be read and says so.
fn run_id_of(path: &Path, venue: Venue) -> i64 {
    let reader = SegmentReader::open(path).ok();
    let producers = reader.map(|reader| reader.header().producers.clone());
    let of_venue = producers.unwrap_or_default().into_iter();
    let mut of_venue = of_venue.filter(|producer| producer.venue == venue.0);
    of_venue.next_back().map_or(0, |producer| producer.run_id)
}

/// A look through one segment.
struct Look {
    venue: Venue,
    decoder: ImageDecoder,
    run_id: i64,
    /// Where the image begins that the decoder is in.
    begun: ImagePlace,
    newest: Option<ImagePlace>,
}

impl Look {
    fn new(venue: Venue, run_id: i64) -> Look {
        Look {
            venue,
            decoder: ImageDecoder::new(venue),
            run_id,
            begun: ImagePlace {
                index: 0,
                sequence: 0,
                producer_run_id: run_id,
            },
            newest: None,
        }
    }

    /// Reads from `from` until `until`, and on while an image goes on there.
    fn segment(
        &mut self,
        journal: &Journal,
        mut from: u64,
        until: u64,
        search: &mut ImageSearch,
        go_on: &mut dyn FnMut() -> bool,
    ) {
        let mut batch = Batch::default();
        while let Err(error) = self.stretch(journal, (from, until), &mut batch, search, go_on) {
            let JournalError::Damaged {
                goes_on: Some(behind), ..
            } = error
            else {
                return;
            };
            if behind <= from || behind >= until {
                return;
            }
            self.decoder = ImageDecoder::new(self.venue);
            from = behind;
        }
    }

    fn stretch(
        &mut self,
        journal: &Journal,
        (from, until): (u64, u64),
        batch: &mut Batch,
        search: &mut ImageSearch,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<(), JournalError> {
        let mut cursor = journal.cursor(from)?;
        while (cursor.position() < until || self.decoder.is_within()) && go_on() && cursor.next(batch)? {
            search.records += batch.records.len() as u64;
            for (record, index) in batch.records.iter().zip(batch.first_index..) {
                if index >= until && !self.decoder.is_within() {
                    return Ok(());
                }
                if record.venue == self.venue.0 {
                    search.has_engine |= self.record(record, index);
                }
            }
        }
        Ok(())
    }

    /// Whether the record is the engine's own.
    fn record(&mut self, record: &Record, index: u64) -> bool {
        if record.flags().contains(Flags::FROM_RELAY) {
            if StatusCode::of(record) == Some(StatusCode::ProducerAttached) {
                self.run_id = record.price;
            }
            return false;
        }
        if record.kind() == Some(Kind::ImageBegin) {
            self.begun = ImagePlace {
                index,
                sequence: record.sequence,
                producer_run_id: self.run_id,
            };
        }
        if self.decoder.push(record).is_some() {
            self.newest = Some(self.begun);
        }
        true
    }
}
