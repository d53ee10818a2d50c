//! The way out: the stream, its instrument table, and the time that a batch is published at.

use tickpath_protocol::instrument::InstrumentError;
use tickpath_protocol::{Instrument, InstrumentId, InstrumentRow, Record, Venue};
use tickpath_transport::broadcast::Writer;
use tickpath_transport::stream_ring::{StreamOwner, StreamRing};
use tickpath_transport::{TransportError, now_ns};

/// The writing end of the stream.
#[derive(Debug)]
pub struct Outlet {
    writer: Writer<StreamOwner>,
    /// Every instrument of the run by venue code and index, as the stream's table holds it.
    venues: Vec<Vec<InstrumentRow>>,
    /// The scale byte of each.
    scales: Vec<Vec<u8>>,
    published_ns: i64,
    instruments: usize,
}

impl Outlet {
    pub fn new(stream: StreamOwner) -> Outlet {
        Outlet {
            writer: Writer::new(stream),
            venues: vec![Vec::new(); 256],
            scales: vec![Vec::new(); 256],
            published_ns: 0,
            instruments: 0,
        }
    }

    /// Reads the clock once for the records that follow.
    pub fn begin_batch(&mut self) {
        self.published_ns = now_ns();
    }

    /// Writes a record; readers may see it at once.
    pub fn write(&mut self, record: &Record) {
        self.writer.write(record.to_words(), self.published_ns);
    }

    /// Shows readers how far the stream has come.
    pub fn end_batch(&mut self) {
        self.writer.publish_head();
    }

    pub fn published_ns(&self) -> i64 {
        self.published_ns
    }

    pub fn position(&self) -> u64 {
        self.writer.position()
    }

    pub fn stream(&self) -> &StreamRing {
        self.writer.memory().ring()
    }

    /// Notes which life of a producer the stream carries from the next record on.
    pub fn set_producer_run(&self, venue: Venue, run_id: u64) {
        self.writer
            .memory()
            .set_producer_run(venue, run_id, self.writer.position());
    }

    /// Rows in the table.
    pub fn instruments(&self) -> usize {
        self.instruments
    }

    /// The scale byte of an instrument that the table holds.
    pub fn scale_of(&self, id: InstrumentId) -> Option<u8> {
        self.scales[usize::from(id.venue().0)].get(id.index()).copied()
    }

    /// Adds an instrument of a venue as its number `index`; one that stands there already, equal in all, changes nothing.
    pub fn add_instrument(&mut self, index: usize, instrument: &Instrument) -> Result<(), TransportError> {
        let venue = usize::from(instrument.venue().0);
        let known = &mut self.venues[venue];
        if instrument.id.index() != index || index > known.len() {
            let (id, next) = (instrument.id, known.len());
            return Err(InstrumentError::Hole { id, next }.into());
        }
        let row = InstrumentRow::encode(instrument)?;
        match known.get(index) {
            Some(same) if *same == row => Ok(()),
            Some(other) => Err(InstrumentError::Conflict {
                id: instrument.id,
                known: other.decode().map(|other| other.symbol).unwrap_or_default(),
                new: instrument.symbol.clone(),
            }
            .into()),
            None => {
                self.writer.memory().push_row(row)?;
                known.push(row);
                self.scales[venue].push(instrument.scale.to_byte());
                self.instruments += 1;
                Ok(())
            }
        }
    }
}
