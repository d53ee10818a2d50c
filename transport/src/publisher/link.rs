//! The thread that keeps a publisher attached.
//!
//! ```text
//!        ┌──────── back off ◀───────────────┬──────────────┐
//!        ▼                                  │              │
//!   connect ──▶ hello + ring + page ──▶ welcome, rows ──▶ attached ──▶ hang-up
//!                     │                                    │
//!                     └────────▶ refused for good ◀────────┘
//! ```

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags};
use rustix::io::Errno;
use tickpath_protocol::{InstrumentRow, Record};
use tracing::{debug, info, warn};
use zerocopy::IntoBytes;

use crate::connection::{Connection, Input, timespec};
use crate::counters::{CounterPage, Gauge};
use crate::error::TransportError;
use crate::frame::{FrameError, encode};
use crate::message::{Hello, RECORDS_PER_FRAME_MAX, Refusal, Role, Start, Via, Welcome, encode_rows, kind, rows};
use crate::producer_ring::{ProducerRing, ROWS_MAX};
use crate::spsc::Consumer;
use crate::wait::{Idle, WaitStrategy};

/// How long a relay may take to answer a hello.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(2);
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_millis(250);
/// How long a publisher that ends may still send what is in its ring over a socket.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);
/// How often a stream looks for what the relay says: that it is gone, that it refuses, that readers want images.
const STREAM_CHECK_EVERY: Duration = Duration::from_millis(20);

/// What the publisher and its thread share.
#[derive(Debug)]
pub(super) struct LinkState {
    attached: AtomicBool,
    stopping: AtomicBool,
    /// Becomes readable when the thread is to stop.
    wake: OwnedFd,
    news: Mutex<News>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct News {
    /// The rows of the first welcome, until they are taken.
    rows: Option<Vec<InstrumentRow>>,
    fatal: Option<TransportError>,
}

impl LinkState {
    pub fn is_attached(&self) -> bool {
        self.attached.load(Ordering::Relaxed)
    }

    pub fn fatal(&self) -> Option<TransportError> {
        self.news().fatal.clone()
    }

    pub fn fail(&self, error: TransportError) {
        self.news().fatal.get_or_insert(error);
        self.changed.notify_all();
    }

    /// The rows that a relay knows of this venue; none if no relay answers in time.
    pub fn wait_for_rows(&self, limit: Duration) -> Result<Vec<InstrumentRow>, TransportError> {
        let waiting = |news: &mut News| news.rows.is_none() && news.fatal.is_none();
        let (mut news, _) = self
            .changed
            .wait_timeout_while(self.news(), limit, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        match news.fatal.clone() {
            Some(fatal) => Err(fatal),
            None => Ok(news.rows.replace(Vec::new()).unwrap_or_default()),
        }
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Err(errno) = rustix::io::write(&self.wake, &1_u64.to_ne_bytes()) {
            warn!(%errno, "cannot wake the publisher's link thread");
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's own.
pub(super) struct Link {
    socket: PathBuf,
    via: Via,
    ring: ProducerRing,
    page: CounterPage,
    attached: Gauge,
    state: Arc<LinkState>,
}

impl Link {
    /// Starts the thread.
    pub fn start(
        socket: PathBuf,
        via: Via,
        ring: ProducerRing,
        page: &CounterPage,
        labels: &str,
    ) -> Result<(Arc<LinkState>, JoinHandle<()>), TransportError> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let state = Arc::new(LinkState {
            attached: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            wake: rustix::event::eventfd(0, flags)?,
            news: Mutex::default(),
            changed: Condvar::new(),
        });
        let link = Link {
            socket,
            via,
            ring,
            page: page.clone(),
            attached: page.gauge("tickpath_publisher_attached", labels, "1 while a relay has the ring."),
            state: Arc::clone(&state),
        };
        let thread = std::thread::Builder::new()
            .name("publisher-link".into())
            .spawn(move || link.run())
            .map_err(|error| TransportError::Thread(error.to_string()))?;
        Ok((state, thread))
    }

    fn run(self) {
        let mut backoff = BACKOFF_MIN;
        while !self.state.is_stopping() && self.state.fatal().is_none() {
            let outcome = self.attach();
            if self.state.attached.swap(false, Ordering::Relaxed) {
                self.attached.set(0);
                backoff = BACKOFF_MIN;
            }
            match outcome {
                Ok(()) => {}
                Err(TransportError::Refused(refusal)) if !refusal.code.is_transient() => {
                    warn!(%refusal, socket = %self.socket.display(), "the relay refused this producer");
                    self.state.fail(TransportError::Refused(refusal));
                }
                Err(error) => debug!(%error, "not attached"),
            }
            self.sleep(backoff);
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Attaches and stays so until the relay is gone.
    fn attach(&self) -> Result<(), TransportError> {
        let mut connection = Connection::connect(&self.socket)?;
        let relay_run_id = self.greet(&mut connection)?;
        info!(relay_run_id, socket = %self.socket.display(), "attached to the relay");
        self.state.attached.store(true, Ordering::Relaxed);
        self.attached.set(1);
        let outcome = match self.via {
            Via::SharedMemory => self.watch(&mut connection),
            Via::Socket => self.stream(&mut connection),
        };
        if !self.state.is_stopping() {
            info!(relay_run_id, "the relay is gone; records wait in the ring");
        }
        outcome
    }

    fn greet(&self, connection: &mut Connection) -> Result<u64, TransportError> {
        let owner = self.ring.owner();
        let hello = Hello {
            role: match self.via {
                Via::SharedMemory => Role::Producer,
                Via::Socket => Role::ProducerStream,
            },
            venue: owner.venue,
            name: owner.name.clone(),
            pid: owner.pid,
            run_id: owner.run_id,
            next: self.ring.next_sequence(),
            start: Start::Live,
        };
        hello.encode(connection.output());
        let page = self.page.file().reader_fd()?;
        match self.via {
            Via::SharedMemory => connection.flush_with(&[self.ring.file().as_fd(), page.as_fd()])?,
            Via::Socket => connection.flush_with(&[page.as_fd()])?,
        };
        let welcome = match connection.wait_frame("hello", HANDSHAKE_LIMIT)? {
            (kind::WELCOME, payload) => Welcome::decode(&payload)?,
            (kind::REFUSAL, payload) => return Err(TransportError::Refused(Refusal::decode(&payload)?)),
            (kind, _) => return Err(unexpected(kind, "welcome")),
        };
        self.learn(connection, welcome)?;
        Ok(welcome.run_id)
    }

    /// Takes the rows that follow a welcome; the first time, the publisher waits for them.
    fn learn(&self, connection: &mut Connection, welcome: Welcome) -> Result<(), TransportError> {
        let wanted = (welcome.rows as usize).min(ROWS_MAX);
        let mut known = Vec::with_capacity(wanted);
        while known.len() < wanted {
            match connection.wait_frame("hello", HANDSHAKE_LIMIT)? {
                (kind::ROWS, payload) => known.extend(rows(&payload)?),
                (kind, _) => return Err(unexpected(kind, "rows")),
            }
        }
        self.state.news().rows.get_or_insert(known);
        self.state.changed.notify_all();
        Ok(())
    }

    /// Waits for the relay's death, its refusal, or our end. The records move by themselves.
    fn watch(&self, connection: &mut Connection) -> Result<(), TransportError> {
        while !self.state.is_stopping() {
            let mut fds = [
                PollFd::new(&*connection, PollFlags::IN),
                PollFd::new(&self.state.wake, PollFlags::IN),
            ];
            match rustix::event::poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            self.check(connection)?;
        }
        Ok(())
    }

    /// Sends the ring's rows and records as frames. A record leaves the ring when the socket has taken it, so what a broken connection
    /// did not take is sent again.
    fn stream(&self, connection: &mut Connection) -> Result<(), TransportError> {
        let mut ring: Consumer<&ProducerRing> = Consumer::new(&self.ring)?;
        let mut rows_sent = 0;
        let mut idle = Idle::new(WaitStrategy::Sleep);
        let mut checked = Instant::now();
        let mut farewell = None;
        loop {
            // In this order: the rows of every record that `available` counted are there already.
            let taken = ring.available()?.min(RECORDS_PER_FRAME_MAX as u64);
            rows_sent = self.queue_rows(connection, rows_sent)?;
            queue_records(connection, &ring, taken);
            while !connection.flush()? {
                connection.wait(Instant::now() + STREAM_CHECK_EVERY)?;
                self.check(connection)?;
                if is_over(&self.state, &mut farewell) {
                    return Ok(());
                }
            }
            if taken > 0 {
                ring.commit(taken);
                idle.reset();
            } else if self.state.is_stopping() {
                return Ok(());
            } else {
                idle.idle();
            }
            // Under load as well: that is when readers lose records and want images.
            if checked.elapsed() >= STREAM_CHECK_EVERY {
                self.check(connection)?;
                checked = Instant::now();
            }
        }
    }

    fn queue_rows(&self, connection: &mut Connection, sent: usize) -> Result<usize, TransportError> {
        let count = self.ring.row_count()?;
        if count > sent {
            let rows: Vec<InstrumentRow> = (sent..count).map(|index| self.ring.row(index)).collect();
            encode_rows(connection.output(), &rows);
        }
        Ok(count)
    }

    /// Looks at the socket. Silence is well; that readers want images, the relay says there only to those whose ring it does not have.
    fn check(&self, connection: &mut Connection) -> Result<(), TransportError> {
        let input = connection.receive()?;
        while let Some(frame) = connection.next_frame()? {
            match frame.kind {
                kind::IMAGES_WANTED if self.via == Via::Socket => self.ring.want_images(),
                kind::REFUSAL => return Err(TransportError::Refused(Refusal::decode(frame.payload)?)),
                kind => return Err(unexpected(kind, "silence")),
            }
        }
        match input {
            Input::Closed => Err(TransportError::Closed),
            Input::Some | Input::None => Ok(()),
        }
    }

    fn sleep(&self, duration: Duration) {
        let mut fds = [PollFd::new(&self.state.wake, PollFlags::IN)];
        if let Err(errno) = rustix::event::poll(&mut fds, Some(&timespec(duration))) {
            debug!(%errno, "poll");
        }
    }
}

/// Queues the next `count` records as a frame; they stay in the ring.
fn queue_records(connection: &mut Connection, ring: &Consumer<&ProducerRing>, count: u64) {
    if count > 0 {
        encode(connection.output(), kind::RECORDS, |out| {
            for offset in 0..count {
                out.extend_from_slice(Record::from_words(ring.peek(offset)).as_bytes());
            }
        });
    }
}

/// Whether a stream that is to stop has had its time to send the rest.
fn is_over(state: &LinkState, farewell: &mut Option<Instant>) -> bool {
    state.is_stopping() && farewell.get_or_insert_with(Instant::now).elapsed() >= FAREWELL_LIMIT
}

fn unexpected(kind: u32, expected: &'static str) -> TransportError {
    FrameError::Unexpected { kind, expected }.into()
}
