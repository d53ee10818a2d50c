//! A producer that sends its records over the socket: they go into a ring of the relay's own, from which the hot thread takes them as from
//! any other. A full ring leaves the records in the socket, the full socket leaves them in the producer's own ring, and that drops and
//! counts: nothing here grows.

use std::collections::VecDeque;

use tickpath_protocol::{Record, Venue};
use tickpath_transport::TransportError;
use tickpath_transport::frame::{Frame, FrameError};
use tickpath_transport::message::{Hello, RECORDS_PER_FRAME_MAX, kind, records, rows};
use tickpath_transport::producer_ring::{ProducerRing, RingOwner};
use tickpath_transport::spsc::Producer;

/// Records that fit the ring of one such producer.
const RING_CAPACITY: usize = 8192;

/// The relay's end of the ring.
#[derive(Debug)]
pub struct StreamIn {
    ring: Producer<ProducerRing>,
    /// What is left of the last frame; at most [`RECORDS_PER_FRAME_MAX`].
    pending: VecDeque<Record>,
}

/// The ring that stands in for the one that the producer could not share.
pub fn ring_for(hello: &Hello) -> Result<ProducerRing, TransportError> {
    let owner = RingOwner {
        venue: hello.venue,
        name: hello.name.clone(),
        run_id: hello.run_id,
        pid: hello.pid.max(1),
        first_sequence: hello.next,
    };
    ProducerRing::create(owner, RING_CAPACITY)
}

impl StreamIn {
    pub fn new(ring: ProducerRing) -> Result<StreamIn, TransportError> {
        Ok(StreamIn {
            ring: Producer::new(ring)?,
            pending: VecDeque::with_capacity(RECORDS_PER_FRAME_MAX),
        })
    }

    pub fn venue(&self) -> Venue {
        self.ring.memory().owner().venue
    }

    /// Whether the next frame can be taken.
    pub fn has_room(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes a frame of the producer.
    pub fn take(&mut self, frame: Frame<'_>) -> Result<(), TransportError> {
        match frame.kind {
            kind::ROWS => {
                for row in rows(frame.payload)? {
                    self.ring.memory().push_row(row)?;
                }
                Ok(())
            }
            kind::RECORDS => {
                self.pending.extend(records(frame.payload)?);
                self.push()
            }
            kind => Err(FrameError::Unexpected {
                kind,
                expected: "records",
            }
            .into()),
        }
    }

    /// Moves as many records as fit into the ring.
    pub fn push(&mut self) -> Result<(), TransportError> {
        let free = self.ring.free(self.pending.len() as u64)? as usize;
        for record in self.pending.drain(..free.min(self.pending.len())) {
            self.ring.push(record.to_words());
        }
        self.ring.flush();
        Ok(())
    }
}
