//! One WebSocket client: frames of its source through its faults to the socket, its messages back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tickpath_protocol::Venue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::dialect::{Out, Outbox, Session};
use crate::exchange::Exchange;
use crate::fault::{Effects, Fault, FaultLayer, Wire};
use crate::hub::{Hub, Seat};
use crate::replay::player::Player;
use crate::world::Publication;

/// Largest message that a client may send.
const CLIENT_BYTES_MAX: usize = 1 << 20;
/// A client that takes nothing for so long is thrown out.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long a client may take to answer a close frame.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
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

/// What a connection waited for.
enum Happening {
    Stop,
    Fault(Fault),
    Incoming(Option<Result<Message, Error>>),
    Sent(Result<(), End>),
}

/// The connection is over.
enum End {
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
    fn open(&mut self, out: &mut Outbox) {
        match self {
            Source::Live { session, exchange, .. } => session.open(exchange.now_ns(), out),
            Source::Replay { player, .. } => player.open(out),
        }
    }

    async fn message(&mut self, text: &str, out: &mut Outbox) -> Result<(), End> {
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

    fn pong(&mut self, out: &mut Outbox) {
        if let Source::Live { session, exchange, .. } = self {
            session.pong(exchange.now_ns(), out);
        }
    }

    fn shutdown_notice(&mut self, out: &mut Outbox) {
        match self {
            Source::Live { session, exchange, .. } => session.shutdown_notice(exchange.now_ns(), out),
            Source::Replay { player, exchange } => player.shutdown_notice(exchange.now_ns(), out),
        }
    }

    /// Waits until there is something to send. May be dropped while it waits.
    async fn next(&mut self, out: &mut Outbox) -> Result<(), End> {
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

/// A client, from its upgrade to its end.
pub struct Connection<'a, S> {
    socket: WebSocketStream<S>,
    venue: Venue,
    hub: &'a Hub,
    seat: Seat<'a>,
    source: Source,
    layer: FaultLayer,
    counted: Effects,
    stopping: watch::Receiver<bool>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Connection<'a, S> {
    /// A client on an upgraded socket.
    pub async fn new(io: S, venue: Venue, hub: &'a Hub, seat: Seat<'a>, source: Source) -> Connection<'a, S> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(CLIENT_BYTES_MAX))
            .max_frame_size(Some(CLIENT_BYTES_MAX));
        Connection {
            socket: WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await,
            venue,
            stopping: hub.stopping(),
            hub,
            seat,
            source,
            layer: FaultLayer::default(),
            counted: Effects::default(),
        }
    }

    /// Serves the client to its end.
    pub async fn run(mut self) {
        let (venue, id) = (self.venue, self.seat.id());
        tracing::debug!(%venue, connection = id, "client connected");
        let Err(end) = self.serve().await;
        match end {
            End::Gone => {}
            End::Slow => {
                if let Some(state) = self.hub.venue(venue) {
                    state.count_slow_client();
                }
                tracing::info!(%venue, connection = id, "client does not read; disconnected");
                self.close(1008, "slow consumer").await;
            }
            End::Failed(message) => tracing::info!(%venue, connection = id, "connection ended: {message}"),
        }
        tracing::debug!(%venue, connection = id, "client gone");
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        let mut out = Outbox::default();
        self.source.open(&mut out);
        loop {
            self.send(std::mem::take(&mut out)).await?;
            let happening = tokio::select! {
                biased;
                _ = self.stopping.wait_for(|stop| *stop) => Happening::Stop,
                Some(fault) = self.seat.faults.recv() => Happening::Fault(fault),
                incoming = self.socket.next() => Happening::Incoming(incoming),
                sent = self.source.next(&mut out) => Happening::Sent(sent),
            };
            match happening {
                Happening::Stop => {
                    self.close(1001, "going away").await;
                    return Err(End::Gone);
                }
                Happening::Fault(fault) => self.fault(&fault, &mut out).await?,
                Happening::Sent(sent) => sent?,
                Happening::Incoming(None) => return Err(End::Gone),
                Happening::Incoming(Some(message)) => self.incoming(message?, &mut out).await?,
            }
        }
    }

    async fn incoming(&mut self, message: Message, out: &mut Outbox) -> Result<(), End> {
        match message {
            Message::Text(text) => self.source.message(&text, out).await,
            Message::Pong(_) => {
                self.source.pong(out);
                Ok(())
            }
            Message::Close(_) => {
                // The answer was queued by the socket.
                self.flush().await?;
                Err(End::Gone)
            }
            // Pings are answered by the socket; no venue takes binary frames.
            Message::Ping(_) | Message::Binary(_) | Message::Frame(_) => Ok(()),
        }
    }

    async fn fault(&mut self, fault: &Fault, out: &mut Outbox) -> Result<(), End> {
        if let Some(state) = self.hub.venue(self.venue) {
            state.count_fault(fault);
        }
        if *fault == (Fault::ShutdownNotice {}) {
            self.source.shutdown_notice(out);
        }
        let mut wires = Vec::new();
        self.layer.command(fault, &mut wires);
        self.write(wires.into(), false).await
    }

    /// Sends in order; a fault that is ordered in between takes effect at the next frame.
    async fn send(&mut self, out: Outbox) -> Result<(), End> {
        if out.0.is_empty() {
            return Ok(());
        }
        let mut more = Outbox::default();
        for out in out.0 {
            while let Ok(fault) = self.seat.faults.try_recv() {
                self.fault(&fault, &mut more).await?;
            }
            let is_data = matches!(out, Out::Data(_));
            let mut wires = Vec::new();
            self.layer.pass(out, &mut wires);
            self.write(wires.into(), is_data).await?;
        }
        for out in more.0 {
            let mut wires = Vec::new();
            self.layer.pass(out, &mut wires);
            self.write(wires.into(), false).await?;
        }
        self.count_effects();
        self.flush().await
    }

    async fn write(&mut self, mut wires: VecDeque<Wire>, is_data: bool) -> Result<(), End> {
        while let Some(wire) = wires.pop_front() {
            let is_frame = !matches!(wire, Wire::Ping(_));
            let message = match wire {
                Wire::Text(text) => Message::Text(text.into()),
                Wire::RawText(bytes) => Message::Frame(Frame::message(bytes, OpCode::Data(Data::Text), true)),
                Wire::Binary(bytes) => Message::Binary(bytes.into()),
                Wire::Ping(payload) => Message::Ping(Bytes::from(payload)),
                Wire::Close { code, reason } => {
                    self.count_effects();
                    self.close(code, reason).await;
                    return Err(End::Gone);
                }
                Wire::Drop => {
                    self.count_effects();
                    return Err(End::Gone);
                }
                Wire::Pause(pause) => {
                    self.flush().await?;
                    self.pause(pause).await;
                    continue;
                }
            };
            match timeout(WRITE_WITHIN, self.socket.feed(message)).await {
                Ok(fed) => fed?,
                Err(_) => return Err(End::Slow),
            }
            if is_frame {
                self.hub.count_frame(self.venue, is_data);
            }
        }
        Ok(())
    }

    /// Neither sends nor reads, so that not even pings are answered.
    async fn pause(&mut self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            _ = self.stopping.wait_for(|stop| *stop) => {}
        }
    }

    async fn flush(&mut self) -> Result<(), End> {
        match timeout(WRITE_WITHIN, self.socket.flush()).await {
            Ok(flushed) => Ok(flushed?),
            Err(_) => Err(End::Slow),
        }
    }

    /// Says goodbye and waits a little for the answer, lest the kernel's reset overtakes the close frame.
    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: Utf8Bytes::from_static(reason),
        };
        let goodbye = async {
            self.socket.close(Some(frame)).await?;
            while let Some(message) = self.socket.next().await {
                message?;
            }
            Ok::<(), Error>(())
        };
        match timeout(CLOSE_WITHIN, goodbye).await {
            // The client is gone or does not answer; there is nothing more to say to it.
            Ok(Ok(())) | Ok(Err(_)) | Err(_) => {}
        }
    }

    fn count_effects(&mut self) {
        let (now, before) = (self.layer.effects, self.counted);
        if now == before {
            return;
        }
        self.counted = now;
        if let Some(state) = self.hub.venue(self.venue) {
            state.count_effects(Effects {
                dropped: now.dropped - before.dropped,
                duplicated: now.duplicated - before.duplicated,
                reordered: now.reordered - before.reordered,
                corrupted: now.corrupted - before.corrupted,
                injected: now.injected - before.injected,
            });
        }
    }
}
