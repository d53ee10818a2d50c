//! Where a connection's frames come from: a dialect's session on the synthetic markets, or a capture that is played.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::dialect::{Outbox, Session};
use crate::exchange::Exchange;
use crate::replay::player::Player;
use crate::world::Publication;

/// Publications that are turned into frames before they are sent together.
const TOGETHER_MAX: usize = 64;
/// Longest sleep towards a deadline that is hours away.
const SLEEP_MAX: Duration = Duration::from_secs(3_600);

/// Where the frames of a connection come from.
pub enum Source {
    /// A session on the synthetic markets.
    Live {
        /// The dialect.
        session: Box<dyn Session>,
        /// The markets.
        exchange: Arc<Exchange>,
        /// What they publish.
        publications: broadcast::Receiver<Arc<Publication>>,
    },
    /// A capture.
    Replay {
        /// Its playing.
        player: Box<Player>,
        /// The clock.
        exchange: Arc<Exchange>,
    },
}

/// The connection is over.
pub enum End {
    /// Nothing went wrong, or the client is not there any more.
    Gone,
    /// The client does not read.
    Slow,
    /// The capture cannot be read any more, or the peer broke the protocol.
    Failed(String),
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        match error {
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_)
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
            other => End::Failed(other.to_string()),
        }
    }
}

impl Source {
    /// The connection is open.
    pub fn open(&mut self, out: &mut Outbox) {
        match self {
            Source::Live { session, exchange, .. } => session.open(exchange.now_ns(), out),
            Source::Replay { player, .. } => player.open(out),
        }
    }

    /// The client sent a text frame.
    pub async fn message(&mut self, text: &str, out: &mut Outbox) -> Result<(), End> {
        match self {
            Source::Live { session, exchange, .. } => {
                let now_ns = exchange.now_ns();
                session.message(text, &exchange.world(), now_ns, out);
                Ok(())
            }
            Source::Replay { player, exchange } => {
                let played = player.message(text, exchange.now_ns(), out).await;
                played.map_err(|error| End::Failed(error.to_string()))
            }
        }
    }

    /// The client sent a pong.
    pub fn pong(&mut self, out: &mut Outbox) {
        if let Source::Live { session, exchange, .. } = self {
            session.pong(exchange.now_ns(), out);
        }
    }

    /// The connection has ended.
    pub fn ended(&self) {
        if let Source::Live { session, exchange, .. } = self
            && session.cancels_on_disconnect()
        {
            let canceled = exchange.cancel_all(None).len();
            tracing::info!(canceled, "orders canceled on disconnect");
        }
    }

    /// The venue announces that it goes down.
    pub fn shutdown_notice(&mut self, out: &mut Outbox) {
        match self {
            Source::Live { session, exchange, .. } => session.shutdown_notice(exchange.now_ns(), out),
            Source::Replay { player, exchange } => player.shutdown_notice(exchange.now_ns(), out),
        }
    }

    /// Waits until there is something to send. May be dropped while it waits.
    pub async fn next(&mut self, out: &mut Outbox) -> Result<(), End> {
        match self {
            Source::Live {
                session,
                exchange,
                publications,
            } => next_live(session.as_mut(), exchange, publications, out).await,
            Source::Replay { player, .. } => {
                let played = player.next(out).await;
                played.map_err(|error| End::Failed(error.to_string()))
            }
        }
    }
}

async fn next_live(
    session: &mut dyn Session,
    exchange: &Exchange,
    publications: &mut broadcast::Receiver<Arc<Publication>>,
    out: &mut Outbox,
) -> Result<(), End> {
    while out.0.is_empty() {
        let wait_ns = session.deadline_ns().saturating_sub(exchange.now_ns());
        let wait = Duration::from_nanos(u64::try_from(wait_ns).unwrap_or(0)).min(SLEEP_MAX);
        // Publications first: what happened before a heartbeat is told before it.
        tokio::select! {
            biased;
            received = publications.recv() => {
                let received = received.map_err(|error| match error {
                    RecvError::Lagged(_) => End::Slow,
                    RecvError::Closed => End::Gone,
                })?;
                session.publication(&received, out);
                take_waiting(session, publications, out)?;
            }
            () = sleep(wait) => {
                let now_ns = exchange.now_ns();
                if now_ns >= session.deadline_ns() {
                    session.timer(&exchange.world(), now_ns, out);
                }
            }
        }
    }
    Ok(())
}

/// Takes what waits already, up to a limit, so that it is sent together.
fn take_waiting(
    session: &mut dyn Session,
    publications: &mut broadcast::Receiver<Arc<Publication>>,
    out: &mut Outbox,
) -> Result<(), End> {
    for _ in 1..TOGETHER_MAX {
        match publications.try_recv() {
            Ok(publication) => session.publication(&publication, out),
            Err(TryRecvError::Lagged(_)) => return Err(End::Slow),
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    Ok(())
}
