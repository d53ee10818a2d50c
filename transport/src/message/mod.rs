//! What frames say.
//!
//! | kind | name | from → to | payload | descriptors |
//! |---|---|---|---|---|
//! | 1 | [`Hello`] | peer → relay | 120 bytes | its counter page; a producer's ring before it |
//! | 2 | [`Welcome`] | relay → peer | 24 bytes | the stream, to a reader |
//! | 3 | [`Refusal`] | relay → peer | code, layout version, text; the relay closes | |
//! | 4 | rows | both | instrument rows, 128 bytes each | |
//! | 5 | records | stream producer → relay | records, 48 bytes each | |
//! | 6 | [`Entry`] | relay → stream reader | head, then entries of 64 bytes | |
//! | 7 | lapped | relay → stream reader | records missed, next position | |
//! | 8 | runs | relay → stream reader | producers that attached before its position: venue, run id, … | |
//! | 9 | pages wanted | observer → relay | empty | |
//! | 10 | page | relay → observer | peer number | its counter page |
//! | 11 | pages | relay → observer | numbers of all peers attached | |
//! | 12 | images wanted | reader → relay → stream producer | empty | |
//!
//! A conversation: the peer says Hello; the relay answers Welcome, to a producer followed by the rows that it holds of its venue
//! (`Welcome::rows` of them), or a Refusal and closes. Then the socket is silent but for streams, observers and
//! readers that want images, and its closing means death.

use tickpath_protocol::{InstrumentRow, Record, Venue};
use zerocopy::{FromBytes, IntoBytes};

use crate::RECORD_WORDS;
use crate::frame::{Frame, FrameError, encode};

mod hello;
mod refusal;

pub use hello::{Hello, HelloError};
pub use refusal::{Refusal, RefusalCode};

/// Kinds of frames.
#[allow(missing_docs, reason = "the table above says what they are")]
pub mod kind {
    pub const HELLO: u32 = 1;
    pub const WELCOME: u32 = 2;
    pub const REFUSAL: u32 = 3;
    pub const ROWS: u32 = 4;
    pub const RECORDS: u32 = 5;
    pub const ENTRIES: u32 = 6;
    pub const LAPPED: u32 = 7;
    pub const RUNS: u32 = 8;
    pub const PAGES_WANTED: u32 = 9;
    pub const PAGE: u32 = 10;
    pub const PAGES: u32 = 11;
    pub const IMAGES_WANTED: u32 = 12;
}

/// Rows in one frame at most.
pub const ROWS_PER_FRAME_MAX: usize = 256;
/// Records or entries in one frame at most.
pub const RECORDS_PER_FRAME_MAX: usize = 512;

/// How records move between a process and the relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Via {
    /// Through memory that both map.
    #[default]
    SharedMemory,
    /// Through the Unix socket, for those that cannot map memory.
    Socket,
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Start {
    /// With the next record to come.
    #[default]
    Live,
    /// With the oldest record that the relay still has.
    Oldest,
}

/// What a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// Brings a ring.
    Producer = 1,
    /// Takes the stream's memory.
    Reader = 2,
    /// Sends records over the socket.
    ProducerStream = 3,
    /// Takes records over the socket.
    ReaderStream = 4,
    /// Takes everyone's counter pages.
    Observer = 5,
}

impl Role {
    /// Every role, in order of code.
    pub const ALL: [Role; 5] = [
        Role::Producer,
        Role::Reader,
        Role::ProducerStream,
        Role::ReaderStream,
        Role::Observer,
    ];

    /// Descriptors that come with this role's Hello.
    #[must_use]
    pub fn descriptors(self) -> usize {
        match self {
            Role::Producer => 2,
            Role::Reader | Role::ProducerStream | Role::ReaderStream => 1,
            Role::Observer => 0,
        }
    }

    /// Whether it brings records.
    #[must_use]
    pub fn produces(self) -> bool {
        matches!(self, Role::Producer | Role::ProducerStream)
    }

    /// The name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Producer => "producer",
            Role::Reader => "reader",
            Role::ProducerStream => "producer_stream",
            Role::ReaderStream => "reader_stream",
            Role::Observer => "observer",
        }
    }
}

/// The relay's yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Differs for each life of the relay.
    pub run_id: u64,
    /// Instrument rows of the producer's venue that follow.
    pub rows: u32,
    /// The relay's process.
    pub pid: u32,
    /// The position that a stream reader begins at.
    pub position: u64,
}

impl Welcome {
    /// Appends the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode(out, kind::WELCOME, |out| {
            out.extend_from_slice(&self.run_id.to_le_bytes());
            out.extend_from_slice(&self.rows.to_le_bytes());
            out.extend_from_slice(&self.pid.to_le_bytes());
            out.extend_from_slice(&self.position.to_le_bytes());
        });
    }

    /// The Welcome in a payload.
    ///
    /// # Errors
    /// If the length is wrong.
    pub fn decode(payload: &[u8]) -> Result<Welcome, FrameError> {
        let mut fields = Fields(payload);
        let welcome = (|| {
            Some(Welcome {
                run_id: fields.u64()?,
                rows: fields.u32()?,
                pid: fields.u32()?,
                position: fields.u64()?,
            })
        })();
        welcome.ok_or_else(|| malformed("welcome", payload, "too short"))
    }
}

/// A slot of the stream, as a stream reader gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position.
    pub position: u64,
    /// The record.
    pub record: Record,
    /// When the relay published it, ns since the Unix epoch.
    pub published_ns: i64,
}

/// Bytes of an entry.
pub const ENTRY_LEN: usize = 16 + Record::SIZE_BYTES;

impl Entry {
    /// Appends the entry to the payload of a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.position.to_le_bytes());
        out.extend_from_slice(self.record.as_bytes());
        out.extend_from_slice(&self.published_ns.to_le_bytes());
    }

    fn decode(mut fields: Fields<'_>) -> Option<Entry> {
        let position = fields.u64()?;
        let mut words = [0; RECORD_WORDS];
        for word in &mut words {
            *word = fields.u64()?;
        }
        Some(Entry {
            position,
            record: Record::from_words(words),
            published_ns: fields.u64()? as i64,
        })
    }
}

/// Head and entries of an entries frame.
///
/// # Errors
/// If the length is none of theirs.
pub fn entries(payload: &[u8]) -> Result<(u64, impl Iterator<Item = Entry> + '_), FrameError> {
    let mut fields = Fields(payload);
    match (fields.u64(), fields.0.len() % ENTRY_LEN) {
        (Some(head), 0) => Ok((
            head,
            fields
                .0
                .chunks_exact(ENTRY_LEN)
                .filter_map(|chunk| Entry::decode(Fields(chunk))),
        )),
        _ => Err(malformed("entries", payload, "not a head and whole entries")),
    }
}

/// The records of a records frame.
///
/// # Errors
/// If the length is none of theirs.
pub fn records(payload: &[u8]) -> Result<impl Iterator<Item = Record> + '_, FrameError> {
    if !payload.len().is_multiple_of(Record::SIZE_BYTES) {
        return Err(malformed("records", payload, "not whole records"));
    }
    Ok(payload
        .chunks_exact(Record::SIZE_BYTES)
        .filter_map(|chunk| Record::read_from_bytes(chunk).ok()))
}

/// The rows of a rows frame.
///
/// # Errors
/// If the length is none of theirs.
pub fn rows(payload: &[u8]) -> Result<impl Iterator<Item = InstrumentRow> + '_, FrameError> {
    if !payload.len().is_multiple_of(InstrumentRow::SIZE_BYTES) {
        return Err(malformed("rows", payload, "not whole rows"));
    }
    Ok(payload
        .chunks_exact(InstrumentRow::SIZE_BYTES)
        .filter_map(|chunk| InstrumentRow::read_from_bytes(chunk).ok()))
}

/// The numbers of a lapped, runs, page or pages frame.
///
/// # Errors
/// If the length is none of theirs.
pub fn numbers(frame: Frame<'_>) -> Result<impl Iterator<Item = u64> + '_, FrameError> {
    let (chunks, rest) = frame.payload.as_chunks::<8>();
    if rest.is_empty() {
        Ok(chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)))
    } else {
        Err(malformed("numbers", frame.payload, "not whole numbers"))
    }
}

/// The producers of a runs frame: venue and run id.
///
/// # Errors
/// If the length is none of theirs.
pub fn runs(frame: Frame<'_>) -> Result<impl Iterator<Item = (Venue, u64)> + '_, FrameError> {
    let (chunks, rest) = frame.payload.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(malformed("runs", frame.payload, "not whole pairs"));
    }
    Ok(chunks.iter().filter_map(|chunk| {
        let mut fields = Fields(chunk);
        Some((Venue(u8::try_from(fields.u64()?).ok()?), fields.u64()?))
    }))
}

/// Appends a frame of numbers.
pub fn encode_numbers(out: &mut Vec<u8>, kind: u32, numbers: impl IntoIterator<Item = u64>) {
    encode(out, kind, |out| {
        for number in numbers {
            out.extend_from_slice(&number.to_le_bytes());
        }
    });
}

/// Appends frames of rows.
pub fn encode_rows(out: &mut Vec<u8>, rows: &[InstrumentRow]) {
    for rows in rows.chunks(ROWS_PER_FRAME_MAX) {
        encode(out, kind::ROWS, |out| out.extend_from_slice(rows.as_bytes()));
    }
}

fn malformed(kind: &'static str, payload: &[u8], reason: &'static str) -> FrameError {
    FrameError::Malformed {
        kind,
        len: payload.len(),
        reason,
    }
}

/// Takes little-endian fields off the front of a payload.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::HEADER_LEN;

    #[test]
    fn a_welcome_reads_back() {
        let welcome = Welcome {
            run_id: 5,
            rows: 6,
            pid: 7,
            position: 8,
        };
        let mut bytes = Vec::new();
        welcome.encode(&mut bytes);
        assert_eq!(Welcome::decode(&bytes[HEADER_LEN..]), Ok(welcome));
    }

    proptest! {
        #[test]
        fn any_payload_is_a_message_or_an_error(payload in proptest::collection::vec(any::<u8>(), 0..400)) {
            let frame = Frame { kind: kind::RUNS, payload: &payload };
            let _welcome = Welcome::decode(&payload);
            let _refusal = Refusal::decode(&payload);
            prop_assert!(entries(&payload).map_or(0, |(_, entries)| entries.count()) <= payload.len());
            prop_assert!(records(&payload).map_or(0, Iterator::count) <= payload.len());
            prop_assert!(rows(&payload).map_or(0, Iterator::count) <= payload.len());
            prop_assert!(runs(frame).map_or(0, Iterator::count) <= payload.len());
            prop_assert!(numbers(frame).map_or(0, Iterator::count) <= payload.len());
        }

    }
}
