//! Both rings of ours as ends that carry records both ways between two processes, and how the memory gets across.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use tickpath_peers::ring::{Broken, End, Words};
use tickpath_protocol::Venue;
use tickpath_transport::broadcast::{Next, Reader, Writer};
use tickpath_transport::connection::Connection;
use tickpath_transport::frame::encode;
use tickpath_transport::listener::Listener;
use tickpath_transport::producer_ring::{ProducerRing, RingOwner};
use tickpath_transport::spsc::{Consumer, Producer};
use tickpath_transport::stream_ring::{StreamOwner, StreamRing};

use crate::context::{BenchError, Result};

/// How long the two may take to find each other.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits for the other process at the socket.
pub fn await_far(listener: &Listener) -> Result<Connection> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let knock = listener
            .accept()
            .map_err(|error| BenchError::new("accept the other process", error))?;
        match knock {
            Some(knock) => return Ok(knock.connection),
            None if Instant::now() > deadline => {
                return Err(BenchError::new("wait for the other process", "it does not come"));
            }
            None => std::thread::sleep(Duration::from_micros(200)),
        }
    }
}

/// Goes to the process that waits at the socket.
pub fn join_near(socket: &Path) -> Result<Connection> {
    Connection::connect(socket).map_err(|error| BenchError::new("connect to the first process", error))
}

/// Gives our memory file for theirs.
fn exchange(connection: &mut Connection, ours: impl AsFd) -> Result<OwnedFd> {
    let failed = |error: &dyn std::fmt::Display| BenchError::new("exchange memory files", error);
    encode(connection.output(), 1, |_| {});
    connection.flush_with(&[ours.as_fd()]).map_err(|error| failed(&error))?;
    connection.wait_frame("file", LIMIT).map_err(|error| failed(&error))?;
    let [theirs] = connection.take_descriptors().map_err(|error| failed(&error))?;
    Ok(theirs)
}

/// One end of two broadcast rings.
#[derive(Debug)]
pub struct BroadcastEnd {
    /// To the other.
    pub writer: Writer<StreamOwner>,
    /// From the other.
    pub reader: Reader<StreamRing>,
    _connection: Connection,
}

impl BroadcastEnd {
    /// Makes a ring and trades it for the other's.
    ///
    /// # Errors
    /// If there is no memory, or the other has none.
    pub fn meet(mut connection: Connection, capacity: usize) -> Result<BroadcastEnd> {
        let stream = StreamOwner::create(1, capacity).map_err(|error| BenchError::new("a stream", error))?;
        let file = stream
            .ring()
            .file()
            .reader_fd()
            .map_err(|error| BenchError::new("a descriptor of the stream", error))?;
        let theirs = exchange(&mut connection, &file)?;
        let theirs = StreamRing::open(theirs).map_err(|error| BenchError::new("the other's stream", error))?;
        Ok(BroadcastEnd {
            writer: Writer::new(stream),
            reader: Reader::at(theirs, 0),
            _connection: connection,
        })
    }
}

impl End for BroadcastEnd {
    /// As the relay publishes a batch of one: the record, then `head`.
    #[inline(always)]
    fn send(&mut self, words: &Words) -> std::result::Result<(), Broken> {
        self.writer.write(*words, words[1] as i64);
        self.writer.publish_head();
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, words: &mut Words) -> std::result::Result<bool, Broken> {
        match self.reader.next() {
            Next::Record { words: found, .. } => {
                *words = found;
                Ok(true)
            }
            Next::Empty => Ok(false),
            Next::Lapped(missed) => Err(Broken::new(format_args!("{missed} records were overwritten unread"))),
        }
    }
}

/// One end of two SPSC rings.
#[derive(Debug)]
pub struct SpscEnd {
    /// To the other.
    pub producer: Producer<ProducerRing>,
    /// From the other.
    pub consumer: Consumer<ProducerRing>,
    _connection: Connection,
}

impl SpscEnd {
    /// Makes a ring and trades it for the other's.
    ///
    /// # Errors
    /// If there is no memory, or the other has none.
    pub fn meet(mut connection: Connection, capacity: usize) -> Result<SpscEnd> {
        let owner = RingOwner {
            venue: Venue::test(0),
            name: "bench".into(),
            run_id: 1,
            pid: std::process::id(),
            first_sequence: 1,
        };
        let ours = ProducerRing::create(owner, capacity).map_err(|error| BenchError::new("a ring", error))?;
        let theirs = exchange(&mut connection, ours.file())?;
        let theirs = ProducerRing::open(theirs).map_err(|error| BenchError::new("the other's ring", error))?;
        Ok(SpscEnd {
            producer: Producer::new(ours).map_err(|error| BenchError::new("our ring", error))?,
            consumer: Consumer::new(theirs).map_err(|error| BenchError::new("the other's ring", error))?,
            _connection: connection,
        })
    }
}

impl End for SpscEnd {
    #[inline(always)]
    fn send(&mut self, words: &Words) -> std::result::Result<(), Broken> {
        while self.producer.free(1).map_err(Broken::new)? == 0 {
            std::hint::spin_loop();
        }
        self.producer.push(*words);
        self.producer.flush();
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, words: &mut Words) -> std::result::Result<bool, Broken> {
        if self.consumer.available().map_err(Broken::new)? == 0 {
            return Ok(false);
        }
        *words = self.consumer.peek(0);
        self.consumer.commit(1);
        Ok(true)
    }
}

/// An end that offers its core after each look that found nothing, for two parties on one core.
#[derive(Debug)]
pub struct Yielding<E>(pub E);

impl<E: End> End for Yielding<E> {
    #[inline(always)]
    fn send(&mut self, words: &Words) -> std::result::Result<(), Broken> {
        self.0.send(words)
    }

    #[inline(always)]
    fn receive(&mut self, words: &mut Words) -> std::result::Result<bool, Broken> {
        let found = self.0.receive(words)?;
        if !found {
            std::thread::yield_now();
        }
        Ok(found)
    }
}
