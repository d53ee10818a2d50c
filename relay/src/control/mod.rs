//! The control thread: who is attached, and everything that is not a record in shared memory.
//!
//! One `poll` over the listening socket, all peers and a bell ([`Wake`]) that the hot thread rings. A peer is first `Greeting`, with a
//! deadline; then what its Hello says; its socket's end is its death. A producer's venue is free again only when the hot thread has
//! passed on all that it flushed: a successor that knocks earlier waits ([`Parked`](peer::State::Parked)).

mod admission;
mod images;
mod peer;
mod stream_in;
mod stream_out;
mod wake;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use tickpath_protocol::Venue;
use tickpath_service::Pulse;
use tickpath_transport::connection::timespec;
use tickpath_transport::listener::{Knock, Listener};
use tickpath_transport::message::{Refusal, RefusalCode};
use tickpath_transport::stream_ring::StreamRing;
use tickpath_transport::{AttachError, CounterPage, TransportError};
use tracing::{debug, info, warn};

use self::admission::Door;
use self::images::ImageRequests;
use self::peer::{Outcome, Peer, State};
pub use self::wake::Wake;
use crate::hot::{Command, Report};
use crate::metrics::ControlMetrics;
use crate::{GREETING_MAX, PEERS_MAX, RelayError};

/// How long a peer may take to say hello.
const HELLO_LIMIT: Duration = Duration::from_secs(1);
/// How long the thread sleeps when nothing happens.
const QUIET: Duration = Duration::from_millis(100);
/// How long it sleeps while records travel over sockets.
const STREAMING: Duration = Duration::from_millis(1);

/// The thread's own.
#[derive(Debug)]
pub struct Control {
    listener: Listener,
    stream: StreamRing,
    page: CounterPage,
    wake: Arc<Wake>,
    pulse: Pulse,
    commands: SyncSender<Command>,
    reports: Receiver<Report>,
    peers: BTreeMap<u64, Peer>,
    /// Producers that are gone and whose rings the hot thread still reads: peer number and venue.
    leaving: BTreeMap<u64, Venue>,
    next_id: u64,
    door: Door,
    images: ImageRequests,
    metrics: ControlMetrics,
}

impl Control {
    pub fn new(
        listener: Listener,
        stream: StreamRing,
        page: CounterPage,
        wake: Arc<Wake>,
        pulse: Pulse,
        commands: SyncSender<Command>,
        reports: Receiver<Report>,
    ) -> Control {
        Control {
            listener,
            stream,
            wake,
            pulse,
            commands,
            reports,
            peers: BTreeMap::new(),
            leaving: BTreeMap::new(),
            next_id: 1,
            door: Door::new(Instant::now()),
            images: ImageRequests::default(),
            metrics: ControlMetrics::new(&page),
            page,
        }
    }

    /// Runs until it is told to stop.
    pub fn run(mut self) -> Result<(), RelayError> {
        while !self.wake.is_stopping() {
            self.pulse.beat();
            let ready = self.wait()?;
            self.take_reports();
            self.accept();
            for id in ready {
                self.serve(id)?;
            }
            self.unpark()?;
            self.pass_image_requests();
            self.expire();
            self.metrics_now();
        }
        Ok(())
    }

    /// Sleeps until something happens; the peers to look at.
    fn wait(&mut self) -> Result<Vec<u64>, TransportError> {
        let now = Instant::now();
        let mut timeout = self.images.due_in(now).map_or(QUIET, |due| due.min(QUIET));
        let mut fds = vec![PollFd::new(&*self.wake, PollFlags::IN)];
        if self.door.is_open(now) && self.greeting() < GREETING_MAX {
            fds.push(PollFd::new(&self.listener, PollFlags::IN));
        } else {
            timeout = timeout.min(STREAMING * 5);
        }
        let first_peer = fds.len();
        for peer in self.peers.values() {
            fds.push(PollFd::new(&peer.connection, peer.interest()));
            if peer.is_busy() {
                timeout = Duration::ZERO;
            } else if peer.is_streaming() {
                timeout = timeout.min(STREAMING);
            }
        }
        match rustix::event::poll(&mut fds, Some(&timespec(timeout))) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let answers = self.peers.iter().zip(&fds[first_peer..]);
        let ready = answers
            .filter(|((_, peer), fd)| !fd.revents().is_empty() || peer.is_busy() || peer.is_streaming())
            .map(|((id, _), _)| *id)
            .collect();
        self.wake.hush();
        Ok(ready)
    }

    fn take_reports(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            match report {
                Report::Detached(id) => {
                    if let Some(venue) = self.leaving.remove(&id) {
                        info!(%venue, peer = id, "the producer is gone; all that it flushed was passed on");
                    }
                }
                Report::Failed(id, error) => {
                    self.leaving.remove(&id);
                    if let Some(peer) = self.peers.remove(&id) {
                        warn!(peer = peer.name, peer_pid = peer.pid, %error, "detaching a producer");
                        self.refuse(peer, &refusal_for(error));
                    }
                }
            }
        }
    }

    fn accept(&mut self) {
        while self.greeting() < GREETING_MAX && self.door.is_open(Instant::now()) {
            match self.listener.accept() {
                Ok(None) => return,
                Ok(Some(knock)) => self.let_in(knock),
                Err(error) => {
                    self.metrics.accept_failures.add(1);
                    warn!(%error, "cannot accept; pausing");
                    self.door.pause(Instant::now());
                    return;
                }
            }
        }
    }

    fn let_in(&mut self, knock: Knock) {
        self.door.enter();
        self.metrics.accepts.add(1);
        let (is_trusted, uid) = (knock.is_trusted(), knock.uid);
        let peer = Peer::new(self.next_id, knock, Instant::now() + HELLO_LIMIT);
        self.next_id += 1;
        if !is_trusted {
            let message = format!("user {uid} may not attach: only the relay's own user and root may");
            self.refuse(peer, &Refusal::new(RefusalCode::Forbidden, message));
        } else if self.peers.len() - self.greeting() >= PEERS_MAX {
            let message = format!("{PEERS_MAX} peers are attached already; stop one, or wait");
            self.refuse(peer, &Refusal::new(RefusalCode::Busy, message));
        } else {
            self.peers.insert(peer.id, peer);
        }
    }

    /// Peers that have not said hello.
    fn greeting(&self) -> usize {
        let is_greeting = |peer: &&Peer| matches!(peer.state, State::Greeting { .. });
        self.peers.values().filter(is_greeting).count()
    }

    /// Looks at one peer.
    fn serve(&mut self, id: u64) -> Result<(), RelayError> {
        let Some(mut peer) = self.peers.remove(&id) else {
            return Ok(());
        };
        match self.read(&mut peer) {
            Ok(Outcome::Stays) => {
                self.peers.insert(id, peer);
            }
            Ok(Outcome::Left) => self.part(peer)?,
            Err(error @ (TransportError::Socket(_) | TransportError::Closed)) => {
                debug!(peer = peer.name, peer_pid = peer.pid, %error, "cut off a peer");
                self.part(peer)?;
            }
            Err(error) => {
                let refusal = refusal_for(error);
                info!(peer = peer.name, peer_pid = peer.pid, %refusal, "refused a peer");
                self.detach(&peer)?;
                self.refuse(peer, &refusal);
            }
        }
        Ok(())
    }

    /// A peer is gone.
    fn part(&mut self, peer: Peer) -> Result<(), RelayError> {
        self.metrics.disconnects.add(1);
        if let Some(role) = peer.role() {
            info!(peer = peer.name, peer_pid = peer.pid, role = role.name(), "a peer left");
        }
        self.detach(&peer)
    }

    /// Tells the hot thread that a producer is gone, if the peer was one.
    fn detach(&mut self, peer: &Peer) -> Result<(), RelayError> {
        let Some(venue) = peer.venue() else {
            return Ok(());
        };
        self.leaving.insert(peer.id, venue);
        self.command(Command::Detach(peer.id))
    }

    fn command(&self, command: Command) -> Result<(), RelayError> {
        self.commands.send(command).map_err(|_| RelayError::Ended("hot"))
    }

    /// Says no and hangs up.
    fn refuse(&mut self, mut peer: Peer, refusal: &Refusal) {
        self.metrics.refusals.add(1);
        refusal.encode(peer.connection.output());
        if let Err(error) = peer.connection.flush() {
            debug!(%error, "a refused peer did not wait for the reason");
        }
    }

    /// Lets in producers whose venue is free by now.
    fn unpark(&mut self) -> Result<(), RelayError> {
        let parked: Vec<u64> = self
            .peers
            .values()
            .filter(|peer| peer.is_parked())
            .map(|peer| peer.id)
            .collect();
        for id in parked {
            let Some(mut peer) = self.peers.remove(&id) else {
                continue;
            };
            match self.admit_producer(&mut peer) {
                Ok(()) => {
                    self.peers.insert(id, peer);
                }
                Err(RelayError::Transport(TransportError::Refused(refusal))) => {
                    info!(peer = peer.name, peer_pid = peer.pid, %refusal, "refused a producer");
                    self.refuse(peer, &refusal);
                }
                Err(RelayError::Transport(error)) => {
                    debug!(peer = peer.name, %error, "a producer left while it was let in");
                    self.part(peer)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Hangs up on those that do not say hello.
    fn expire(&mut self) {
        let now = Instant::now();
        let late = |peer: &Peer| matches!(peer.state, State::Greeting { deadline } if now >= deadline);
        let before = self.peers.len();
        self.peers.retain(|_, peer| !late(peer));
        self.metrics.disconnects.add((before - self.peers.len()) as u64);
    }

    fn metrics_now(&self) {
        let count = |matches: fn(&Peer) -> bool| self.peers.values().filter(|peer| matches(peer)).count() as i64;
        self.metrics.producers.set(count(|peer| peer.venue().is_some()));
        self.metrics.readers.set(count(Peer::is_reader));
        self.metrics.observers.set(count(Peer::is_observer));
    }
}

/// What to tell a peer that is at fault.
fn refusal_for(error: TransportError) -> Refusal {
    let code = match &error {
        TransportError::Refused(refusal) => return refusal.clone(),
        TransportError::Instrument(_) | TransportError::TableFull(_) => RefusalCode::InstrumentConflict,
        TransportError::RingCorrupt(_) => RefusalCode::RingCorrupt,
        // Our own want, not the peer's fault.
        TransportError::Attach(AttachError::NoDescriptors) => RefusalCode::Busy,
        _ => RefusalCode::Malformed,
    };
    Refusal::new(code, error.to_string())
}
