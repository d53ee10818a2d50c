//! Who may come in: the pace of accepting, what a Hello must bring, what a producer must be.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use tickpath_protocol::{InstrumentRow, Venue};
use tickpath_transport::connection::Input;
use tickpath_transport::error::AttachError;
use tickpath_transport::frame::{Frame, FrameError};
use tickpath_transport::message::{
    Hello, HelloError, Refusal, RefusalCode, Role, Welcome, encode_numbers, encode_rows, kind,
};
use tickpath_transport::producer_ring::ProducerRing;
use tickpath_transport::{CounterView, LAYOUT_VERSION, TransportError};
use tracing::info;

use super::Control;
use super::peer::{Outcome, Page, Peer, State};
use super::stream_in::{StreamIn, ring_for};
use super::stream_out::StreamOut;
use crate::RelayError;
use crate::hot::Command;
use crate::intake::Intake;
use crate::metrics::IntakeMetrics;

/// Frames taken from one peer before the next one's turn.
const FRAMES_PER_TURN_MAX: usize = 16;

/// How fast peers may come: a bucket of tokens, so that a storm of connections costs the others nothing.
#[derive(Debug)]
pub struct Door {
    tokens: f64,
    filled_at: Instant,
    closed_until: Option<Instant>,
}

impl Door {
    const TOKENS_MAX: f64 = 64.0;
    const TOKENS_PER_S: f64 = 200.0;
    const PAUSE: Duration = Duration::from_millis(100);

    pub fn new(now: Instant) -> Door {
        Door {
            tokens: Door::TOKENS_MAX,
            filled_at: now,
            closed_until: None,
        }
    }

    /// Whether one more may come in now.
    pub fn is_open(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + since * Door::TOKENS_PER_S).min(Door::TOKENS_MAX);
        self.filled_at = now;
        self.tokens >= 1.0 && self.closed_until.is_none_or(|until| now >= until)
    }

    /// One came in.
    pub fn enter(&mut self) {
        self.tokens -= 1.0;
    }

    /// Nobody for a while: there are no descriptors left.
    pub fn pause(&mut self, now: Instant) {
        self.closed_until = Some(now + Door::PAUSE);
    }
}

impl Control {
    /// Takes what a peer sent and sends what it is due.
    pub(super) fn read(&mut self, peer: &mut Peer) -> Result<Outcome, TransportError> {
        peer.has_more = false;
        let mut outcome = Outcome::Stays;
        for turn in 1.. {
            if turn > FRAMES_PER_TURN_MAX {
                peer.has_more = true;
                break;
            }
            if let State::StreamProducer(stream) = &mut peer.state {
                stream.push()?;
                if !stream.has_room() {
                    break;
                }
            }
            if let Some(frame) = peer.connection.next_frame()? {
                let (kind, payload) = (frame.kind, frame.payload.to_vec());
                self.take_frame(peer, kind, &payload)?;
                continue;
            }
            match peer.connection.receive()? {
                Input::Some => {}
                Input::None => break,
                Input::Closed => {
                    outcome = Outcome::Left;
                    break;
                }
            }
        }
        if outcome == Outcome::Stays {
            self.feed(peer)?;
        }
        Ok(outcome)
    }

    fn take_frame(&mut self, peer: &mut Peer, kind: u32, payload: &[u8]) -> Result<(), TransportError> {
        match (&mut peer.state, kind) {
            (State::Greeting { .. }, kind::HELLO) => self.greet(peer, payload),
            (State::StreamProducer(stream), _) => stream.take(Frame { kind, payload }),
            (State::Observer { .. }, kind::PAGES_WANTED) => self.show_pages(peer),
            (State::Reader | State::StreamReader(_), kind::IMAGES_WANTED) => self.take_image_request(payload),
            (State::Greeting { .. }, kind) => Err(unexpected(kind, "hello")),
            (_, kind) => Err(unexpected(kind, "silence")),
        }
    }

    /// Sends a stream reader its next batch, once it took the last one.
    fn feed(&mut self, peer: &mut Peer) -> Result<(), TransportError> {
        if peer.connection.flush()?
            && let State::StreamReader(stream) = &mut peer.state
        {
            let lapped = stream.fill(peer.connection.output())?;
            self.metrics.stream_readers_lapped.add(lapped);
            peer.connection.flush()?;
        }
        Ok(())
    }

    fn greet(&mut self, peer: &mut Peer, payload: &[u8]) -> Result<(), TransportError> {
        let hello = Hello::decode(payload).map_err(refusal_of)?;
        peer.name.clone_from(&hello.name);
        let stream = self.stream.clone();
        match hello.role {
            Role::Producer => {
                let [ring, page] = peer.connection.take_descriptors().map_err(malformed)?;
                peer.page = Some(check_page(page)?);
                let ring = ProducerRing::open(ring).map_err(malformed)?;
                let owner = ring.owner();
                if (owner.venue, owner.run_id, owner.pid, owner.name.as_str())
                    != (hello.venue, hello.run_id, hello.pid, hello.name.as_str())
                {
                    return Err(refused(
                        RefusalCode::Malformed,
                        "the ring is not the one that the hello speaks of",
                    ));
                }
                peer.state = State::Parked { ring, is_stream: false };
            }
            Role::ProducerStream => {
                let [page] = peer.connection.take_descriptors().map_err(malformed)?;
                peer.page = Some(check_page(page)?);
                peer.state = State::Parked {
                    ring: ring_for(&hello)?,
                    is_stream: true,
                };
            }
            Role::Reader => {
                let [page] = peer.connection.take_descriptors().map_err(malformed)?;
                peer.page = Some(check_page(page)?);
                self.welcome(0, 0).encode(peer.connection.output());
                let descriptor = stream.file().reader_fd()?;
                peer.connection.flush_with(&[descriptor.as_fd()])?;
                peer.state = State::Reader;
            }
            Role::ReaderStream => {
                let [page] = peer.connection.take_descriptors().map_err(malformed)?;
                peer.page = Some(check_page(page)?);
                let stream = StreamOut::new(stream, &hello);
                self.welcome(0, stream.position()).encode(peer.connection.output());
                stream.encode_runs(peer.connection.output());
                peer.state = State::StreamReader(Box::new(stream));
            }
            Role::Observer => {
                let [] = peer.connection.take_descriptors().map_err(malformed)?;
                self.welcome(0, 0).encode(peer.connection.output());
                peer.connection.flush()?;
                peer.state = State::Observer { known: BTreeSet::new() };
            }
        }
        if !hello.role.produces() {
            info!(
                peer = peer.name,
                peer_pid = peer.pid,
                role = hello.role.name(),
                "attached a peer"
            );
        }
        Ok(())
    }

    fn welcome(&self, rows: usize, position: u64) -> Welcome {
        Welcome {
            run_id: self.stream.run_id(),
            rows: rows as u32,
            pid: std::process::id(),
            position,
        }
    }

    /// Lets a parked producer in if its venue is free. If the one that holds it is dying, it stays parked.
    pub(super) fn admit_producer(&mut self, peer: &mut Peer) -> Result<(), RelayError> {
        let State::Parked { ring, is_stream } = &peer.state else {
            return Ok(());
        };
        let (ring, is_stream) = (ring.clone(), *is_stream);
        let venue = ring.owner().venue;
        if self.leaving.values().any(|leaving| *leaving == venue) {
            return Ok(());
        }
        if let Some(id) = self.holder_of(venue) {
            return self.displace_dead(id, venue);
        }
        let known = self.rows_of(venue)?;
        check_rows(&ring, &known)?;
        self.welcome(known.len(), 0).encode(peer.connection.output());
        encode_rows(peer.connection.output(), &known);
        peer.connection.flush()?;
        let metrics = IntakeMetrics::new(&self.page, venue);
        let intake = Intake::new(peer.id, ring.clone(), metrics)?;
        peer.state = if is_stream {
            State::StreamProducer(Box::new(StreamIn::new(ring)?))
        } else {
            State::Producer { ring }
        };
        info!(%venue, peer = peer.name, peer_pid = peer.pid, "attached a producer");
        self.command(Command::Attach(Box::new(intake)))
    }

    fn holder_of(&self, venue: Venue) -> Option<u64> {
        self.peers
            .values()
            .find(|peer| peer.venue() == Some(venue))
            .map(|peer| peer.id)
    }

    /// Two producers want a venue: the one that holds it keeps it, unless it is dead and its hang-up has not been seen yet.
    fn displace_dead(&mut self, holder: u64, venue: Venue) -> Result<(), RelayError> {
        self.serve(holder)?;
        match self.peers.get(&holder) {
            None => Ok(()),
            Some(holder) => Err(refused(
                RefusalCode::VenueTaken,
                format!(
                    "venue {venue} has a live producer, `{}` (process {}); stop it, or use another venue",
                    holder.name, holder.pid
                ),
            )
            .into()),
        }
    }

    /// The rows of a venue that the stream's table holds.
    fn rows_of(&self, venue: Venue) -> Result<Vec<InstrumentRow>, TransportError> {
        let count = self.stream.row_count()?;
        let rows = (0..count).map(|index| self.stream.row(index));
        Ok(rows
            .filter(|row| row.decode().is_ok_and(|instrument| instrument.venue() == venue))
            .collect())
    }

    /// Sends an observer the pages that it does not have, and the numbers of all that there are.
    fn show_pages(&mut self, peer: &mut Peer) -> Result<(), TransportError> {
        let own = Page {
            fd: self.page.file().reader_fd()?,
            number: 0,
        };
        let pages: Vec<&Page> = std::iter::once(&own)
            .chain(self.peers.values().filter_map(|peer| peer.page.as_ref()))
            .collect();
        let State::Observer { known } = &mut peer.state else {
            return Ok(());
        };
        known.retain(|number| pages.iter().any(|page| page.number == *number));
        for page in &pages {
            if known.insert(page.number) {
                encode_numbers(peer.connection.output(), kind::PAGE, [page.number]);
                peer.connection.flush_with(&[page.fd.as_fd()])?;
            }
        }
        encode_numbers(peer.connection.output(), kind::PAGES, known.iter().copied());
        peer.connection.flush()?;
        Ok(())
    }
}

/// A counter page that observers can use, told apart by its inode.
fn check_page(fd: OwnedFd) -> Result<Page, TransportError> {
    let duplicate = rustix::io::fcntl_dupfd_cloexec(fd.as_fd(), 0)?;
    CounterView::open(duplicate).map_err(malformed)?;
    let number = rustix::fs::fstat(&fd)?.st_ino;
    Ok(Page { fd, number })
}

/// The rows in a producer's ring must be those that the table of the run holds of its venue, as far as both go.
fn check_rows(ring: &ProducerRing, known: &[InstrumentRow]) -> Result<(), TransportError> {
    let count = ring.row_count().map_err(malformed)?;
    for (index, known) in known.iter().enumerate().take(count) {
        let row = ring.row(index);
        if row != *known {
            let symbol = |row: &InstrumentRow| row.decode().map_or_else(|error| error.to_string(), |row| row.symbol);
            return Err(refused(
                RefusalCode::InstrumentConflict,
                format!(
                    "instrument {index} of the ring is `{}`, in the table of this run `{}`; start the producer again, it then takes over the table",
                    symbol(&row),
                    symbol(known)
                ),
            ));
        }
    }
    Ok(())
}

fn refusal_of(error: HelloError) -> TransportError {
    match error {
        HelloError::Version(version) => refused(
            RefusalCode::Version,
            format!(
                "the peer has layout version {version}, the relay {LAYOUT_VERSION}; install the same build of both"
            ),
        ),
        HelloError::Malformed(reason) => refused(RefusalCode::Malformed, format!("malformed hello: {reason}")),
    }
}

fn malformed(error: AttachError) -> TransportError {
    refused(RefusalCode::Malformed, error.to_string())
}

fn refused(code: RefusalCode, message: impl Into<String>) -> TransportError {
    TransportError::Refused(Refusal::new(code, message))
}

fn unexpected(kind: u32, expected: &'static str) -> TransportError {
    FrameError::Unexpected { kind, expected }.into()
}
