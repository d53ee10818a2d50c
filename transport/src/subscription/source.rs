//! Where a subscription's records come from: the relay's memory, or its socket.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use tickpath_protocol::{InstrumentRow, InstrumentTable, Record, Venue};
use tracing::debug;

use super::SubscriptionConfig;
use crate::broadcast::{Next, Reader};
use crate::connection::{Connection, Input};
use crate::counters::CounterPage;
use crate::error::TransportError;
use crate::frame::{FrameError, encode};
use crate::message::{Entry, Hello, Refusal, Role, Start, Via, Welcome, entries, kind, numbers, rows, runs};
use crate::stream_ring::{ROWS_MAX, StreamRing};

/// How long a relay may take to answer a hello.
const GREETING_LIMIT: Duration = Duration::from_secs(2);

/// A hello was said; the answer is awaited without blocking.
#[derive(Debug)]
pub struct Greeting {
    connection: Connection,
    via: Via,
    start: Start,
    resume: Option<(u64, u64)>,
    deadline: Instant,
}

/// What became of a greeting.
pub enum Greeted {
    /// No answer yet.
    Waiting(Greeting),
    /// Welcome.
    Attached(Source),
}

impl Greeting {
    /// Connects and says hello. `resume` is the relay that the reader knew and the position it wants next.
    pub fn start(
        config: &SubscriptionConfig,
        page: &CounterPage,
        resume: Option<(u64, u64)>,
        now: Instant,
    ) -> Result<Greeting, TransportError> {
        let mut connection = Connection::connect(&config.socket)?;
        // Whoever comes back wants all that another relay has; see the module above.
        let start = if resume.is_some() { Start::Oldest } else { config.start };
        let (run_id, next) = resume.unwrap_or((0, 0));
        let hello = Hello {
            role: match config.via {
                Via::SharedMemory => Role::Reader,
                Via::Socket => Role::ReaderStream,
            },
            venue: Venue::NONE,
            name: config.name.clone(),
            pid: std::process::id(),
            run_id,
            next,
            start,
        };
        hello.encode(connection.output());
        connection.flush_with(&[page.file().reader_fd()?.as_fd()])?;
        Ok(Greeting {
            connection,
            via: config.via,
            start,
            resume,
            deadline: now + GREETING_LIMIT,
        })
    }

    /// Looks for the answer.
    pub fn poll(mut self, now: Instant) -> Result<Greeted, TransportError> {
        let input = self.connection.receive()?;
        let welcome = match self.connection.next_frame()? {
            Some(frame) => match frame.kind {
                kind::WELCOME => Some(Welcome::decode(frame.payload)?),
                kind::REFUSAL => return Err(TransportError::Refused(Refusal::decode(frame.payload)?)),
                kind => return Err(unexpected(kind, "welcome")),
            },
            None => None,
        };
        match (welcome, input) {
            (Some(welcome), _) => self.open(welcome).map(Greeted::Attached),
            (None, Input::Closed) => Err(TransportError::Closed),
            (None, _) if now >= self.deadline => Err(TransportError::Timeout {
                what: "hello",
                limit_ms: GREETING_LIMIT.as_millis() as u64,
            }),
            (None, _) => Ok(Greeted::Waiting(self)),
        }
    }

    fn open(mut self, welcome: Welcome) -> Result<Source, TransportError> {
        let feed = match self.via {
            Via::SharedMemory => {
                let [stream] = self.connection.take_descriptors()?;
                let stream = StreamRing::open(stream)?;
                Feed::Memory(match (self.resume, self.start) {
                    (Some((run_id, position)), _) if run_id == stream.run_id() => Reader::at(stream, position),
                    (_, Start::Oldest) => Reader::oldest(stream),
                    (_, Start::Live) => Reader::live(stream),
                })
            }
            Via::Socket => Feed::Socket(Incoming {
                position: welcome.position,
                head: welcome.position,
                ..Incoming::default()
            }),
        };
        Ok(Source {
            run_id: match &feed {
                Feed::Memory(reader) => reader.memory().run_id(),
                Feed::Socket(_) => welcome.run_id,
            },
            connection: self.connection,
            feed,
            rows_taken: 0,
            closed: false,
        })
    }
}

/// A relay's stream.
#[derive(Debug)]
pub struct Source {
    connection: Connection,
    run_id: u64,
    feed: Feed,
    rows_taken: usize,
    /// The relay hung up; what it wrote can still be read.
    closed: bool,
}

#[derive(Debug)]
enum Feed {
    Memory(Reader<StreamRing>),
    Socket(Incoming),
}

/// What came over the socket and was not delivered: at most one frame of entries.
#[derive(Debug, Default)]
struct Incoming {
    position: u64,
    head: u64,
    entries: VecDeque<Entry>,
    rows: Vec<InstrumentRow>,
    runs: Vec<(Venue, u64)>,
}

/// What a look at the stream brought.
pub enum Step {
    /// A record.
    Entry(Entry),
    /// The writer overtook this reader by so many.
    Lapped(u64),
    /// The run ids of the producers came.
    Runs,
    /// Nothing now.
    Idle,
}

impl Source {
    /// The next step.
    pub fn next(&mut self) -> Result<Step, TransportError> {
        match &mut self.feed {
            Feed::Memory(reader) => Ok(read_memory(reader)),
            Feed::Socket(_) => self.read_socket(),
        }
    }

    pub fn run_id(&self) -> u64 {
        self.run_id
    }

    pub fn position(&self) -> u64 {
        match &self.feed {
            Feed::Memory(reader) => reader.position(),
            Feed::Socket(incoming) => incoming.position,
        }
    }

    pub fn lag(&self) -> u64 {
        match &self.feed {
            Feed::Memory(reader) => reader.lag(),
            Feed::Socket(incoming) => incoming.head.saturating_sub(incoming.position),
        }
    }

    /// Whether the relay hung up. Asked after a look that found nothing: then all is read.
    pub fn is_over(&self) -> bool {
        self.closed
    }

    /// Looks whether the relay is still there. A stream sees that by reading.
    pub fn check(&mut self) {
        if matches!(self.feed, Feed::Memory(_)) && !matches!(self.connection.receive(), Ok(Input::None)) {
            // Nothing is due on this socket: bytes mean that the relay wants us gone as much as its hang-up does.
            self.closed = true;
        }
    }

    /// Asks for images of all books.
    pub fn request_images(&mut self) {
        // What the socket did not take of the last request is this one: at most one frame ever waits.
        if self.connection.unsent() == 0 {
            encode(self.connection.output(), kind::IMAGES_WANTED, |_| {});
        }
        if let Err(error) = self.connection.flush() {
            // The relay is gone, which the next look at the stream finds out and acts on.
            debug!(%error, "cannot ask for images");
        }
    }

    /// The producers that attached before this reader's position: venue and run id.
    pub fn runs(&self) -> Vec<(Venue, u64)> {
        match &self.feed {
            Feed::Memory(reader) => reader.memory().producers_before(reader.position()).collect(),
            Feed::Socket(incoming) => incoming.runs.clone(),
        }
    }

    /// Adds the rows that are new since the last call.
    pub fn new_instruments(&mut self, table: &mut InstrumentTable) -> Result<(), TransportError> {
        match &mut self.feed {
            Feed::Memory(reader) => {
                let count = reader.memory().row_count()?;
                while self.rows_taken < count {
                    let row = reader.memory().row(self.rows_taken);
                    // Taken even if it is refused: once is enough to say so.
                    self.rows_taken += 1;
                    table.insert(row.decode()?)?;
                }
            }
            Feed::Socket(incoming) => {
                for row in incoming.rows.drain(..) {
                    table.insert(row.decode()?)?;
                }
            }
        }
        Ok(())
    }

    fn read_socket(&mut self) -> Result<Step, TransportError> {
        let Feed::Socket(incoming) = &mut self.feed else {
            return Ok(Step::Idle);
        };
        loop {
            if let Some(entry) = incoming.entries.pop_front() {
                incoming.position = entry.position.saturating_add(1);
                return Ok(Step::Entry(entry));
            }
            while let Some(frame) = self.connection.next_frame()? {
                match frame.kind {
                    kind::ENTRIES => {
                        let (head, entries) = entries(frame.payload)?;
                        incoming.head = head;
                        incoming.entries.extend(entries);
                        break;
                    }
                    kind::ROWS if incoming.rows.len() >= ROWS_MAX => {
                        return Err(TransportError::TableFull(ROWS_MAX));
                    }
                    kind::ROWS => incoming.rows.extend(rows(frame.payload)?),
                    kind::RUNS => {
                        incoming.runs = runs(frame)?.collect();
                        return Ok(Step::Runs);
                    }
                    kind::LAPPED => {
                        let mut numbers = numbers(frame)?;
                        let missed = numbers.next().unwrap_or(0);
                        incoming.position = numbers.next().unwrap_or(incoming.position);
                        return Ok(Step::Lapped(missed));
                    }
                    kind => return Err(unexpected(kind, "entries")),
                }
            }
            if !incoming.entries.is_empty() {
                continue;
            }
            match self.connection.receive()? {
                Input::Some => {}
                Input::None => return Ok(Step::Idle),
                Input::Closed => {
                    self.closed = true;
                    return Ok(Step::Idle);
                }
            }
        }
    }
}

fn read_memory(reader: &mut Reader<StreamRing>) -> Step {
    let position = reader.position();
    match reader.next() {
        Next::Empty => Step::Idle,
        Next::Lapped(missed) => Step::Lapped(missed),
        Next::Record { words, published_ns } => Step::Entry(Entry {
            position,
            record: Record::from_words(words),
            published_ns,
        }),
    }
}

fn unexpected(kind: u32, expected: &'static str) -> TransportError {
    FrameError::Unexpected { kind, expected }.into()
}
