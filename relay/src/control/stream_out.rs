//! A reader that takes the stream over its socket: the relay reads the ring for it, as any reader does, and sends what the socket takes. A
//! slow one is lapped like any other and told so; nothing waits for it but one batch.

use std::sync::atomic::Ordering;

use tickpath_protocol::{InstrumentRow, Record};
use tickpath_transport::broadcast::{BroadcastMemory, Next, Reader};
use tickpath_transport::error::AttachError;
use tickpath_transport::frame::encode;
use tickpath_transport::message::{Entry, Hello, RECORDS_PER_FRAME_MAX, Start, encode_numbers, encode_rows, kind};
use tickpath_transport::stream_ring::StreamRing;

/// The relay's end.
#[derive(Debug)]
pub struct StreamOut {
    reader: Reader<StreamRing>,
    rows_sent: usize,
    has_more: bool,
    entries: Vec<u8>,
}

impl StreamOut {
    /// Begins where the reader asks to.
    pub fn new(stream: StreamRing, hello: &Hello) -> StreamOut {
        let reader = match hello.start {
            _ if hello.run_id == stream.run_id() => Reader::at(stream, hello.next),
            Start::Oldest => Reader::oldest(stream),
            Start::Live => Reader::live(stream),
        };
        StreamOut {
            reader,
            rows_sent: 0,
            has_more: true,
            entries: Vec::new(),
        }
    }

    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// Whether the last batch was a full one.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// Tells the reader which producers attached before its position.
    pub fn encode_runs(&self, out: &mut Vec<u8>) {
        let runs = self.reader.memory().producers_before(self.reader.position());
        encode_numbers(
            out,
            kind::RUNS,
            runs.flat_map(|(venue, run_id)| [venue.0.into(), run_id]),
        );
    }

    /// Appends the next batch of frames; how many positions the reader was lapped by.
    pub fn fill(&mut self, out: &mut Vec<u8>) -> Result<u64, AttachError> {
        let (count, lapped) = self.read_entries();
        self.has_more = count == RECORDS_PER_FRAME_MAX || lapped > 0;
        // Read after the entries: the rows of all that they name are there.
        self.encode_new_rows(out)?;
        if count > 0 {
            let head = self.reader.memory().head().load(Ordering::Relaxed);
            encode(out, kind::ENTRIES, |out| {
                out.extend_from_slice(&head.to_le_bytes());
                out.extend_from_slice(&self.entries);
            });
        }
        if lapped > 0 {
            self.encode_runs(out);
            encode_numbers(out, kind::LAPPED, [lapped, self.reader.position()]);
        }
        Ok(lapped)
    }

    /// Copies up to a frame of entries, or up to a lap.
    fn read_entries(&mut self) -> (usize, u64) {
        self.entries.clear();
        for count in 0..RECORDS_PER_FRAME_MAX {
            let position = self.reader.position();
            match self.reader.next() {
                Next::Empty => return (count, 0),
                Next::Lapped(missed) => return (count, missed),
                Next::Record { words, published_ns } => Entry {
                    position,
                    record: Record::from_words(words),
                    published_ns,
                }
                .encode(&mut self.entries),
            }
        }
        (RECORDS_PER_FRAME_MAX, 0)
    }

    fn encode_new_rows(&mut self, out: &mut Vec<u8>) -> Result<(), AttachError> {
        let stream = self.reader.memory();
        let count = stream.row_count()?;
        if count > self.rows_sent {
            let rows: Vec<InstrumentRow> = (self.rows_sent..count).map(|index| stream.row(index)).collect();
            encode_rows(out, &rows);
            self.rows_sent = count;
        }
        Ok(())
    }
}
