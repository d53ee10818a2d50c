//! What every contender of the ring measurements does: it carries six words, a record's, to another party, and back.
//!
//! Two contenders stand here, both for threads of one process: [`rtrb`] and [`crossbeam_channel`].

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError};
use rtrb::{Consumer, Producer, PushError, RingBuffer};

/// A record as shared memory holds it.
pub type Words = [u64; 6];

/// The other party is gone, or what lies between broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other party of a ring measurement is gone: {0}")]
pub struct Broken(pub String);

impl Broken {
    /// With the reason of another error.
    #[cold]
    #[inline(never)]
    pub fn new(why: impl ToString) -> Broken {
        Broken(why.to_string())
    }
}

/// One of two ends that carry records both ways.
pub trait End {
    /// Sends a record; waits while there is no room.
    ///
    /// # Errors
    /// If it can never arrive.
    fn send(&mut self, words: &Words) -> Result<(), Broken>;

    /// Puts the next record into `words` if it is there: whether it was. A contender that blocks waits for it instead.
    ///
    /// # Errors
    /// If none can come any more.
    fn receive(&mut self, words: &mut Words) -> Result<bool, Broken>;
}

/// How many records move at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One: the consumer may see each at once.
    Single,
    /// Up to so many, shown together.
    Batch(usize),
}

/// One end of a pair of [`rtrb`] rings.
#[derive(Debug)]
pub struct RtrbEnd {
    producer: Producer<Words>,
    consumer: Consumer<Words>,
}

/// Two ends over rings of so many records.
#[must_use]
pub fn rtrb_pair(capacity: usize) -> (RtrbEnd, RtrbEnd) {
    let (there, from_here) = RingBuffer::new(capacity);
    let (back, from_there) = RingBuffer::new(capacity);
    let near = RtrbEnd {
        producer: there,
        consumer: from_there,
    };
    let far = RtrbEnd {
        producer: back,
        consumer: from_here,
    };
    (near, far)
}

impl End for RtrbEnd {
    #[inline(always)]
    fn send(&mut self, words: &Words) -> Result<(), Broken> {
        while let Err(PushError::Full(_)) = self.producer.push(*words) {
            std::hint::spin_loop();
        }
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, words: &mut Words) -> Result<bool, Broken> {
        match self.consumer.pop() {
            Ok(found) => {
                *words = found;
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }
}

impl RtrbEnd {
    /// Sends records numbered `0..count` as fast as it can.
    pub fn send_all(&mut self, count: u64, step: Step) {
        let mut next = 0;
        while next < count {
            next += match step {
                Step::Single => u64::from(self.producer.push(numbered(next)).is_ok()),
                Step::Batch(size) => self.send_chunk(next, size.min((count - next) as usize)),
            };
        }
    }

    fn send_chunk(&mut self, first: u64, size: usize) -> u64 {
        match self.producer.write_chunk_uninit(size) {
            Ok(chunk) => chunk.fill_from_iter((first..).map(numbered)) as u64,
            Err(_) => 0,
        }
    }

    /// Takes `count` records and adds up a word of each.
    pub fn receive_all(&mut self, count: u64, step: Step) -> u64 {
        let (mut taken, mut sum) = (0, 0_u64);
        while taken < count {
            taken += match step {
                Step::Single => self.consumer.pop().map_or(0, |words| {
                    sum = sum.wrapping_add(checked(&words));
                    1
                }),
                Step::Batch(_) => self.receive_chunk(&mut sum),
            };
        }
        sum
    }

    fn receive_chunk(&mut self, sum: &mut u64) -> u64 {
        match self.consumer.read_chunk(self.consumer.slots()) {
            Ok(chunk) => chunk
                .into_iter()
                .map(|words| *sum = sum.wrapping_add(checked(&words)))
                .count() as u64,
            Err(_) => 0,
        }
    }
}

/// Record number `n` of a throughput measurement.
#[must_use]
pub fn numbered(n: u64) -> Words {
    [n, n ^ 1, n ^ 2, n ^ 3, n ^ 4, n ^ 5]
}

/// What a consumer does with a record: it looks at every word.
#[must_use]
pub fn checked(words: &Words) -> u64 {
    words.iter().fold(0, |sum, word| sum ^ word)
}

/// One end of a pair of [`crossbeam_channel`]s: bounded, any number of producers and consumers, used by one each.
#[derive(Debug)]
pub struct CrossbeamEnd {
    sender: Sender<Words>,
    receiver: Receiver<Words>,
}

/// Two ends over channels of so many records.
#[must_use]
pub fn crossbeam_pair(capacity: usize) -> (CrossbeamEnd, CrossbeamEnd) {
    let (there, from_here) = crossbeam_channel::bounded(capacity);
    let (back, from_there) = crossbeam_channel::bounded(capacity);
    let near = CrossbeamEnd {
        sender: there,
        receiver: from_there,
    };
    let far = CrossbeamEnd {
        sender: back,
        receiver: from_here,
    };
    (near, far)
}

impl End for CrossbeamEnd {
    #[inline(always)]
    fn send(&mut self, words: &Words) -> Result<(), Broken> {
        loop {
            match self.sender.try_send(*words) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => std::hint::spin_loop(),
                Err(error @ TrySendError::Disconnected(_)) => return Err(Broken::new(error)),
            }
        }
    }

    #[inline(always)]
    fn receive(&mut self, words: &mut Words) -> Result<bool, Broken> {
        match self.receiver.try_recv() {
            Ok(found) => {
                *words = found;
                Ok(true)
            }
            Err(TryRecvError::Empty) => Ok(false),
            Err(error @ TryRecvError::Disconnected) => Err(Broken::new(error)),
        }
    }
}
