//! A process at the other end of a socket, and what it may say now.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::PollFlags;
use tickpath_protocol::Venue;
use tickpath_transport::connection::Connection;
use tickpath_transport::listener::Knock;
use tickpath_transport::message::Role;
use tickpath_transport::producer_ring::ProducerRing;

use super::stream_in::StreamIn;
use super::stream_out::StreamOut;

/// One connection.
#[derive(Debug)]
pub struct Peer {
    pub id: u64,
    pub pid: u32,
    /// Its name for people, once it said it.
    pub name: String,
    pub connection: Connection,
    /// Its counter page, for observers.
    pub page: Option<Page>,
    pub state: State,
    /// More frames may wait in the connection's buffer, which `poll` does not see.
    pub has_more: bool,
}

/// A counter page that was handed over.
#[derive(Debug)]
pub struct Page {
    pub fd: OwnedFd,
    /// Tells pages apart: a process that is attached twice has one.
    pub number: u64,
}

/// What a peer is.
#[derive(Debug)]
pub enum State {
    /// It has not said hello.
    Greeting { deadline: Instant },
    /// A producer whose ring is good and whose venue may not be free yet.
    Parked { ring: ProducerRing, is_stream: bool },
    /// A producer in shared memory. The hot thread takes its records, this one tells it when readers want images.
    Producer { ring: ProducerRing },
    /// A producer over the socket.
    StreamProducer(Box<StreamIn>),
    /// A reader in shared memory: the relay knows nothing of it but its name.
    Reader,
    /// A reader over the socket.
    StreamReader(Box<StreamOut>),
    /// Sees counter pages; those with these numbers it has.
    Observer { known: BTreeSet<u64> },
}

/// Whether a peer stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Stays,
    Left,
}

impl Peer {
    pub fn new(id: u64, knock: Knock, deadline: Instant) -> Peer {
        Peer {
            id,
            pid: knock.pid,
            name: String::new(),
            connection: knock.connection,
            page: None,
            state: State::Greeting { deadline },
            has_more: false,
        }
    }

    pub fn role(&self) -> Option<Role> {
        match &self.state {
            State::Greeting { .. } => None,
            State::Parked { is_stream: false, .. } | State::Producer { .. } => Some(Role::Producer),
            State::Parked { is_stream: true, .. } | State::StreamProducer(_) => Some(Role::ProducerStream),
            State::Reader => Some(Role::Reader),
            State::StreamReader(_) => Some(Role::ReaderStream),
            State::Observer { .. } => Some(Role::Observer),
        }
    }

    /// The venue that it holds.
    pub fn venue(&self) -> Option<Venue> {
        match &self.state {
            State::Producer { ring } => Some(ring.owner().venue),
            State::StreamProducer(stream) => Some(stream.venue()),
            _ => None,
        }
    }

    pub fn is_parked(&self) -> bool {
        matches!(self.state, State::Parked { .. })
    }

    pub fn is_reader(&self) -> bool {
        matches!(self.state, State::Reader | State::StreamReader(_))
    }

    pub fn is_observer(&self) -> bool {
        matches!(self.state, State::Observer { .. })
    }

    /// What its socket is polled for.
    pub fn interest(&self) -> PollFlags {
        let mut interest = match &self.state {
            // What it sends stays in the socket until there is room for it: that is what makes it slow down.
            State::StreamProducer(stream) if !stream.has_room() => PollFlags::empty(),
            _ => PollFlags::IN,
        };
        if self.connection.unsent() > 0 {
            interest |= PollFlags::OUT;
        }
        interest
    }

    /// Whether it is to be looked at again at once.
    pub fn is_busy(&self) -> bool {
        match &self.state {
            State::StreamReader(stream) => stream.has_more() && self.connection.unsent() == 0,
            State::StreamProducer(stream) => self.has_more && stream.has_room(),
            _ => self.has_more,
        }
    }

    /// Whether it is to be looked at every millisecond: nothing rings when the stream grows or a ring empties.
    pub fn is_streaming(&self) -> bool {
        match &self.state {
            State::StreamReader(_) => true,
            State::StreamProducer(stream) => !stream.has_room(),
            _ => false,
        }
    }
}
