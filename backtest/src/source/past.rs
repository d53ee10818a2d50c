//! Journals and archives.

use tickpath_protocol::{Instrument, InstrumentId};
use tickpath_storage::archive::Row;
use tickpath_storage::replay::Past;

use super::names::Ids;
use super::{BLOCK_RECORDS, Block, Fill, Request, SourceError, exists};

/// Reads what `storage` reads, and names instruments alike over all runs.
pub(super) struct PastRows {
    request: Request,
    past: Past,
    ids: Ids,
    rows: Vec<Row>,
}

impl PastRows {
    pub fn open(request: &Request) -> Result<PastRows, SourceError> {
        exists(&request.path)?;
        Ok(PastRows {
            past: Past::open(&request.path, request.range, request.venue)?,
            request: request.clone(),
            ids: Ids::default(),
            rows: Vec::new(),
        })
    }

    fn row(&mut self, at: usize, block: &mut Block) -> Result<(), SourceError> {
        let Row {
            mut record,
            position,
            text,
            ..
        } = self.rows[at];
        let then = record.instrument();
        if then == InstrumentId::NONE {
            block.push(record, position);
        } else if let Some(id) = self.ids.get(then, text) {
            record.instrument = id.0;
            block.push(record, position);
        } else if let Some(instrument) = self.past.instrument(&self.rows[at]) {
            record.instrument = self.learn(instrument, text, position, block)?.0;
            block.push(record, position);
        }
        // Else it is of an instrument that nothing names, or of which an archive has no price yet to say the decimals: nobody can have a book of it.
        Ok(())
    }

    fn learn(
        &mut self,
        mut instrument: Instrument,
        text: u32,
        position: u64,
        block: &mut Block,
    ) -> Result<InstrumentId, SourceError> {
        let (venue, symbol) = (instrument.venue(), instrument.symbol.clone());
        let is_new = self
            .ids
            .learn(text, &mut instrument)
            .map_err(|_| SourceError::Decimals {
                path: self.request.path.clone(),
                venue,
                symbol,
                position,
            })?;
        let id = instrument.id;
        if is_new {
            block.instruments.push(instrument);
        }
        Ok(id)
    }
}

impl Fill for PastRows {
    fn fill(&mut self, block: &mut Block) -> Result<(), SourceError> {
        while block.records.len() < BLOCK_RECORDS {
            let rows = self.past.next_rows();
            self.rows.clear();
            self.rows.extend_from_slice(rows?);
            if self.rows.is_empty() {
                return Ok(());
            }
            for at in 0..self.rows.len() {
                self.row(at, block)?;
            }
        }
        Ok(())
    }
}
