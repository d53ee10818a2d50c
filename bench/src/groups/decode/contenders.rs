//! Ours, the floor and the peers, each as a pass over a set of frames.

use std::hint::black_box;

use tickpath_collectors::decode::{Decoded, SymbolTable};
use tickpath_collectors::dialect::Dialect;
use tickpath_peers::decode::Symbols;
use tickpath_peers::decode::barter::Instruments;
use tickpath_protocol::Record;

use super::cases::{BarterDecode, Case, PeerDecode};
use super::frames::FrameSet;
use super::sink::Sink;
use crate::context::{BenchError, Result};

/// Names of the contenders.
pub const OURS: &str = "tickpath";
/// See [`OURS`].
pub const FLOOR: &str = "floor";
/// See [`OURS`].
pub const SERDE_JSON: &str = "serde_json";
/// See [`OURS`].
pub const SONIC_RS: &str = "sonic-rs";
/// See [`OURS`].
pub const BARTER_DATA: &str = "barter-data";

/// Someone who can make a pass.
pub struct Contender<'a> {
    /// One of the names above.
    pub name: &'static str,
    frames: &'a FrameSet,
    job: Job,
}

enum Job {
    Ours(Ours, Box<Sink>),
    Peer(PeerDecode, Symbols, Box<Sink>),
    Barter(BarterDecode, Instruments, FrameSet),
    Floor,
}

struct Ours {
    dialect: Box<dyn Dialect>,
    symbols: SymbolTable,
    decoded: Decoded,
}

/// Everyone who takes part in a case.
///
/// # Errors
/// If there is no memory for a ring.
pub fn all<'a>(case: &Case, frames: &'a FrameSet) -> Result<Vec<Contender<'a>>> {
    let mut names = vec![OURS, FLOOR, SERDE_JSON, SONIC_RS];
    names.extend(case.barter.as_ref().map(|_| BARTER_DATA));
    names
        .into_iter()
        .map(|name| Contender::new(case, name, frames))
        .collect()
}

/// Records that a pass writes.
///
/// # Errors
/// If a frame is refused.
pub fn records(case: &Case, frames: &FrameSet) -> Result<usize> {
    let mut count = 0;
    for frame in frames.iter() {
        count += decoded(case, OURS, frame)?.len();
    }
    Ok(count)
}

/// What a contender that writes records makes of one frame.
///
/// # Errors
/// If it refuses the frame.
pub fn decoded(case: &Case, name: &'static str, frame: &str) -> Result<Vec<Record>> {
    let set = FrameSet::from_iter([frame]);
    let mut contender = Contender::new(case, name, &set)?;
    contender.pass();
    match &mut contender.job {
        Job::Ours(_, sink) | Job::Peer(_, _, sink) => Ok(sink.take()),
        Job::Barter(..) | Job::Floor => Ok(Vec::new()),
    }
}

impl<'a> Contender<'a> {
    /// One of a name.
    ///
    /// # Errors
    /// If the case does not have it.
    pub fn new(case: &Case, name: &'static str, frames: &'a FrameSet) -> Result<Contender<'a>> {
        let sink = || Sink::new(case.venue).map(Box::new);
        let job = match name {
            OURS => Job::Ours(Ours::new(case), sink()?),
            SERDE_JSON => Job::Peer(case.serde_json, case.peer_symbols(), sink()?),
            SONIC_RS => Job::Peer(case.sonic_rs, case.peer_symbols(), sink()?),
            FLOOR => Job::Floor,
            _ => match &case.barter {
                Some(barter) => Job::Barter(barter.decode, case.barter_instruments(barter), frames.map(barter.frame)),
                None => return Err(BenchError::new(format!("decode.{}", case.name), format!("no {name}"))),
            },
        };
        Ok(Contender { name, frames, job })
    }

    /// Decodes every frame once.
    ///
    /// # Panics
    /// If a frame of the set is refused.
    pub fn pass(&mut self) {
        match &mut self.job {
            Job::Ours(ours, sink) => self.frames.iter().for_each(|frame| ours.decode(frame, sink)),
            Job::Peer(decode, symbols, sink) => {
                for frame in self.frames.iter() {
                    decode(frame, symbols, sink).expect("every frame of the set is sound");
                    sink.flush();
                }
            }
            Job::Barter(decode, instruments, frames) => {
                for frame in frames.iter() {
                    decode(frame, instruments).expect("every frame of the set is sound");
                }
            }
            Job::Floor => self.frames.iter().for_each(|frame| read(frame.as_bytes())),
        }
    }
}

impl Ours {
    fn new(case: &Case) -> Ours {
        Ours {
            dialect: case.dialect(),
            symbols: case.symbol_table(),
            decoded: Decoded::default(),
        }
    }

    fn decode(&mut self, frame: &str, sink: &mut Sink) {
        self.dialect
            .decode(frame.as_bytes(), &self.symbols, &mut self.decoded)
            .expect("every frame of the set is sound");
        for record in &self.decoded.records {
            sink.put(record);
        }
        sink.flush();
    }
}

/// Reads every byte, eight at a time.
fn read(frame: &[u8]) {
    let (words, rest) = frame.as_chunks::<8>();
    let sum = words
        .iter()
        .fold(0u64, |sum, word| sum.wrapping_add(u64::from_ne_bytes(*word)));
    black_box(rest.iter().fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte))));
}
