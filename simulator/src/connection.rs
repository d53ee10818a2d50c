//! One WebSocket client: frames of its source through its faults to the socket, its messages back.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tickpath_protocol::Venue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::dialect::{Out, Outbox};
use crate::fault::{Effects, Fault, FaultLayer, Wire};
use crate::hub::{Hub, Seat};
use crate::source::{End, Source};

/// Largest message that a client may send.
const CLIENT_BYTES_MAX: usize = 1 << 20;
/// A client that takes nothing for so long is thrown out.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long a client may take to answer a close frame.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// What a connection waited for.
enum Happening {
    Stop,
    Fault(Fault),
    Incoming(Option<Result<Message, Error>>),
    Sent(Result<(), End>),
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
        self.source.ended();
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
