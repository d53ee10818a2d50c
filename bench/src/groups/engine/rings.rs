//! Two threads and two rings: the market's thread writes events and empties answers, the engine's reads events and writes answers.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use quanta::Clock;
use tickpath_engine::engine::Outbox;
use tickpath_protocol::{Kind, Record, Venue};
use tickpath_transport::broadcast::{Next, Reader, Writer};
use tickpath_transport::producer_ring::{ProducerRing, RingOwner};
use tickpath_transport::spsc::{Consumer, Producer};
use tickpath_transport::stream_ring::{StreamOwner, StreamRing};

use crate::context::{BenchError, Context, Result, Tried};
use crate::groups::ring::pin;
use crate::samples::Samples;

const CAPACITY: usize = 1 << 14;
/// Between two events.
const PACE_NS: u64 = 20_000;

/// Records, and where the events in them end.
#[derive(Debug, Default)]
pub struct Tape {
    records: Vec<Record>,
    ends: Vec<usize>,
}

impl Tape {
    /// Adds an event.
    pub fn push(&mut self, event: impl IntoIterator<Item = Record>) {
        self.records.extend(event);
        self.ends.push(self.records.len());
    }
}

/// The work between the rings.
pub trait Answer: Send {
    /// Takes a record and publishes what it calls for.
    fn on_record(&mut self, record: &Record, position: u64, out: &mut Answers);
}

/// The ring of answers.
pub struct Answers {
    ring: Producer<ProducerRing>,
    written: usize,
    /// An order, or a replacement of one, is among what was written.
    has_order: bool,
    is_full: bool,
}

impl Outbox for Answers {
    #[inline]
    fn publish(&mut self, record: &Record) {
        if self.ring.free(1).unwrap_or(0) == 0 {
            self.is_full = true;
            return;
        }
        self.ring.push(record.to_words());
        self.written += 1;
        self.has_order |= record.kind == Kind::OrderSubmitted as u8 || record.kind == Kind::ReplaceSubmitted as u8;
    }
}

/// What a round gave.
pub struct Round {
    /// From an event to its answer, ns.
    pub latency: Samples,
    /// The part of it between the rings, ns.
    pub inside: Samples,
    /// Most records of an answer.
    pub records_max: usize,
    /// Records of the answer in the middle.
    pub records_typical: usize,
}

/// Plays the tape once.
///
/// # Errors
/// If there is no memory, a thread cannot be pinned, or a ring is full.
pub fn round(context: &Context, tape: &Tape, warm: usize, answer: impl Answer) -> Result<Round> {
    let stream = StreamOwner::create(1, CAPACITY).tried("a stream")?;
    let descriptor = stream.ring().file().reader_fd().tried("a descriptor of the stream")?;
    let reader = Reader::at(StreamRing::open(descriptor).tried("the stream")?, 0);
    let owner = RingOwner {
        venue: Venue::PAPER,
        name: "bench".into(),
        run_id: 1,
        pid: std::process::id(),
        first_sequence: 1,
    };
    let ring = ProducerRing::create(owner, CAPACITY).tried("a ring")?;
    let theirs = ring
        .file()
        .as_fd()
        .try_clone_to_owned()
        .tried("a descriptor of the ring")?;
    let consumer = Consumer::new(ProducerRing::open(theirs).tried("the ring")?).tried("the ring")?;
    let out = Answers {
        ring: Producer::new(ring).tried("the ring")?,
        written: 0,
        has_order: false,
        is_full: false,
    };
    let (clock, is_over) = (Clock::new(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let engine = scope.spawn(|| {
            pin(context.far())?;
            respond(&clock, reader, out, answer, warm, &is_over)
        });
        let market = scope.spawn(|| {
            let outcome = pin(context.near()).and_then(|()| play(&clock, Writer::new(stream), consumer, tape));
            is_over.store(true, Ordering::Release);
            outcome
        });
        let panicked = |_| BenchError::new("a thread of the measurement", "it panicked");
        market.join().map_err(panicked)??;
        engine.join().map_err(panicked)?
    })
}

/// The market's thread: each event at its time, whether or not the last one was answered. If the kernel took the core away from it, the
/// times that follow begin anew: what it had missed would come as a burst that no market made.
fn play(
    clock: &Clock,
    mut writer: Writer<StreamOwner>,
    mut answers: Consumer<ProducerRing>,
    tape: &Tape,
) -> Result<()> {
    let (mut last, mut begin) = (clock.raw(), 0);
    for end in &tape.ends {
        while clock.delta_as_nanos(last, clock.raw()) < PACE_NS {
            let waiting = answers.available().tried("the ring of answers")?;
            answers.commit(waiting);
        }
        last = clock.raw();
        for record in &tape.records[begin..*end] {
            writer.write(record.to_words(), clock.raw() as i64);
        }
        writer.publish_head();
        begin = *end;
    }
    Ok(())
}

/// The engine's thread.
fn respond(
    clock: &Clock,
    mut reader: Reader<StreamRing>,
    mut out: Answers,
    mut answer: impl Answer,
    warm: usize,
    is_over: &AtomicBool,
) -> Result<Round> {
    let (mut latency, mut inside) = (Samples::new(1.0), Samples::new(1.0));
    let (mut answered, mut position) = (0, 0);
    let mut sizes = Vec::with_capacity(1 << 17);
    loop {
        // Looked at before the ring: what was written before the end is then still read.
        let was_over = is_over.load(Ordering::Acquire);
        let (words, published) = match reader.next() {
            Next::Record { words, published_ns } => (words, published_ns as u64),
            Next::Empty if was_over => break,
            Next::Empty => continue,
            Next::Lapped(missed) => {
                return Err(BenchError::new(
                    "the engine's thread",
                    format!("it missed {missed} records"),
                ));
            }
        };
        let before = clock.raw();
        answer.on_record(&Record::from_words(words), position, &mut out);
        position += 1;
        if out.written == 0 {
            continue;
        }
        let middle = clock.raw();
        out.ring.flush();
        let after = clock.raw();
        answered += usize::from(out.has_order);
        if out.has_order && answered > warm {
            latency.add(clock.delta_as_nanos(published, after));
            inside.add(clock.delta_as_nanos(before, middle));
            sizes.push(out.written);
        }
        (out.written, out.has_order) = (0, false);
    }
    if out.is_full || sizes.is_empty() {
        let why = if out.is_full {
            "its ring was full"
        } else {
            "it answered nothing"
        };
        return Err(BenchError::new("the engine's thread", why));
    }
    sizes.sort_unstable();
    Ok(Round {
        latency,
        inside,
        records_max: sizes[sizes.len() - 1],
        records_typical: sizes[sizes.len() / 2],
    })
}
