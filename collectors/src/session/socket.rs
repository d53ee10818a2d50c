//! One life of a WebSocket: connect, login, subscriptions, frames, watchdogs.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tickpath_protocol::GapCause;
use tickpath_transport::now_ns;
use tokio::net::TcpStream;
use tokio::task::JoinError;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::UrlError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::handle::Handle;
use super::hub::Hub;
use super::rest::retry_after;
use super::wire::Wire;
use super::{Outlet, SessionError};
use crate::decode::Control;
use crate::dialect::Connection;
use crate::sync::{ConnectionId, TokenBucket};

/// From the first packet to the end of the WebSocket handshake.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// From there to the login that is taken.
const LOGIN_LIMIT: Duration = Duration::from_secs(15);
/// A venue that takes a frame no faster than this is not reading.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// For the closing frame, if the venue still takes it.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);
/// How often watchdogs and queues are looked at.
const HOUSEKEEPING: Duration = Duration::from_millis(50);
/// Frames in a row that no decoder accepts, after which a new connection is tried.
const REFUSED_MAX: u32 = 100;
/// Data must come in for this time before a connection can replace another, as not all streams start at once.
const SETTLING: Duration = Duration::from_secs(2);
/// Pauses where the venue says that it is not the moment.
pub(super) const MAINTENANCE_PAUSE: Duration = Duration::from_secs(5);
const LIMITED_PAUSE: Duration = Duration::from_secs(60);
/// Bytes read from the socket at a time. The WebSocket library zeroes so many before every read, so more is not faster: 64 KiB cost 2 µs.
const READ_BUFFER_BYTES: usize = 8 << 10;
/// Frames in a row before other connections and the timers get their turn.
const FRAMES_PER_TURN: usize = 64;

/// How a connection ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub cause: GapCause,
    /// For the log.
    pub reason: String,
    /// Not to be tried again before this time.
    pub at_least: Duration,
    pub lasted: Duration,
    pub brought_data: bool,
}

impl Ended {
    fn new(cause: GapCause, reason: impl Into<String>) -> Ended {
        Ended {
            cause,
            reason: reason.into(),
            at_least: Duration::ZERO,
            lasted: Duration::ZERO,
            brought_data: false,
        }
    }

    fn after(self, at_least: Duration) -> Ended {
        Ended { at_least, ..self }
    }

    /// The task that ran it panicked or was stopped.
    pub fn of_task(error: &JoinError) -> Ended {
        Ended::new(GapCause::Disconnect, error.to_string())
    }

    /// The venue said that it will end.
    pub fn by_venue(lasted: Duration, brought_data: bool) -> Ended {
        Ended {
            lasted,
            brought_data,
            ..Ended::new(GapCause::VenueShutdown, "the venue announced its end")
        }
    }

    fn of_error(error: &Error) -> Ended {
        match error {
            Error::Capacity(_) => Ended::new(GapCause::Overflow, format!("frame too large: {error}")),
            Error::Utf8(_) => Ended::new(GapCause::Refused, "a text frame is not UTF-8"),
            Error::Http(response) => {
                let status = response.status();
                let told = retry_after(response.headers().get("retry-after").map(|value| value.as_bytes()));
                let at_least = match status.as_u16() {
                    429 | 418 => told.unwrap_or(LIMITED_PAUSE),
                    _ => told.unwrap_or_default(),
                };
                Ended::new(GapCause::Disconnect, format!("HTTP {status}")).after(at_least)
            }
            _ => Ended::new(GapCause::Disconnect, error.to_string()),
        }
    }
}

/// Guards the feed against a connection that ends with its task: whatever ends it, the feed learns of it.
struct Registered<O: Outlet + 'static> {
    hub: Rc<Hub<O>>,
    id: ConnectionId,
    cause: GapCause,
}

impl<O: Outlet + 'static> Drop for Registered<O> {
    fn drop(&mut self) {
        self.hub.disconnected(self.id, self.cause);
    }
}

/// Runs the connection until it ends.
pub(super) async fn live<O: Outlet + 'static>(
    hub: Rc<Hub<O>>,
    line: usize,
    connection: Rc<Connection>,
    id: ConnectionId,
    handle: Rc<Handle>,
) -> Ended {
    let started = Instant::now();
    let mut registered = Registered {
        hub: hub.clone(),
        id,
        cause: GapCause::Disconnect,
    };
    let mut ended = match connect(&hub, &connection).await {
        Ok(stream) => {
            Socket::new(hub, line, connection, id, handle.clone(), stream)
                .run()
                .await
        }
        Err(ended) => ended,
    };
    registered.cause = ended.cause;
    ended.lasted = started.elapsed();
    ended.brought_data = handle.brought_data();
    ended
}

type Stream = WebSocketStream<MaybeTlsStream<Wire>>;

async fn connect<O: Outlet + 'static>(hub: &Hub<O>, connection: &Connection) -> Result<Stream, Ended> {
    let base = hub.collector.ws_url.as_ref().map_or("", |url| url.as_str());
    let url = format!("{base}{}", connection.path);
    let limit = hub.policy.frame_bytes_max;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit));
    match timeout(CONNECT_LIMIT, open(hub, &url, config)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Ended::of_error(&error)),
        Err(_) => Err(Ended::new(GapCause::Disconnect, "no connection in time")),
    }
}

async fn open<O: Outlet + 'static>(hub: &Hub<O>, url: &str, config: WebSocketConfig) -> Result<Stream, Error> {
    let request = url.into_client_request()?;
    let uri = request.uri();
    let port = match (uri.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("wss")) => 443,
        (None, _) => 80,
    };
    let host = uri.host().ok_or(UrlError::NoHostName)?;
    // An IPv6 address stands in brackets in an address of the web, and without them here.
    let tcp = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    let wire = Wire::new(tcp, hub.collector.wait, &hub.turns)?;
    let (stream, _) = client_async_tls_with_config(request, wire, Some(config), None).await?;
    Ok(stream)
}

struct Socket<O: Outlet + 'static> {
    hub: Rc<Hub<O>>,
    line: usize,
    connection: Rc<Connection>,
    id: ConnectionId,
    handle: Rc<Handle>,
    stream: Stream,
    pace: TokenBucket,
    connected: Instant,
    /// Whether the login, if any, was taken and the subscriptions are on their way.
    ready: bool,
    /// As of the last housekeeping: no clock is read for a frame but the one that stamps it.
    heard: Instant,
    /// Something came since then.
    was_heard: bool,
    pinged: Instant,
    refused_in_row: u32,
    /// When data came in after everything was subscribed to.
    data_since: Option<Instant>,
}

impl<O: Outlet + 'static> Socket<O> {
    fn new(
        hub: Rc<Hub<O>>,
        line: usize,
        connection: Rc<Connection>,
        id: ConnectionId,
        handle: Rc<Handle>,
        stream: Stream,
    ) -> Socket<O> {
        let now = Instant::now();
        Socket {
            // Evenly spaced: a burst would count against the venue's limit twice.
            pace: TokenBucket::new(1, 1_000_000_000 / i64::from(hub.policy.frames_per_second.max(1))),
            hub,
            line,
            connection,
            id,
            handle,
            stream,
            connected: now,
            ready: false,
            heard: now,
            was_heard: false,
            pinged: now,
            refused_in_row: 0,
            data_since: None,
        }
    }

    async fn run(mut self) -> Ended {
        if !self.hub.policy.login {
            self.set_ready();
        }
        let mut housekeeping = interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let handle = self.handle.clone();
        loop {
            let step = tokio::select! {
                message = self.stream.next() => self.on_messages(message).await,
                _ = housekeeping.tick() => self.keep_house().await,
                () = handle.wake.notified() => self.keep_house().await,
            };
            if let Err(ended) = step {
                self.say_goodbye().await;
                return ended;
            }
        }
    }

    /// Closes in form where that is still possible: Alpaca keeps a session that just went away for up to 90 s and refuses the next login.
    async fn say_goodbye(&mut self) {
        let closed = timeout(CLOSE_LIMIT, self.stream.close(None)).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::debug!("{} connection {}: closed without a word", self.hub.venue, self.line);
        }
    }

    fn set_ready(&mut self) {
        self.ready = true;
        self.hub.connected(self.line, self.id, &self.connection.symbols);
        self.handle.send(self.connection.subscribe.iter().cloned());
    }

    /// A message, and those that can be had right after it: nothing else is looked at in between.
    async fn on_messages(&mut self, first: Option<Result<Message, Error>>) -> Result<(), Ended> {
        self.on_message(first).await?;
        for _ in 1..FRAMES_PER_TURN {
            let next = poll_fn(|cx| Poll::Ready(self.stream.poll_next_unpin(cx))).await;
            let Poll::Ready(message) = next else { return Ok(()) };
            self.on_message(message).await?;
        }
        let_others_run().await;
        Ok(())
    }

    async fn on_message(&mut self, message: Option<Result<Message, Error>>) -> Result<(), Ended> {
        self.was_heard = true;
        match message {
            Some(Ok(Message::Text(text))) => self.on_frame(text.as_bytes()).await,
            Some(Ok(Message::Binary(bytes))) => self.on_frame(&bytes).await,
            // Pings were answered below us.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) = frame.map_or((CloseCode::Status, String::new()), |frame| {
                    (frame.code, frame.reason.chars().take(100).collect())
                });
                // 1013, "try again later", is Kraken's maintenance.
                let pause = if code == CloseCode::Again {
                    MAINTENANCE_PAUSE
                } else {
                    Duration::ZERO
                };
                Err(Ended::new(GapCause::Disconnect, format!("closed by the venue: {code} {reason}")).after(pause))
            }
            Some(Err(error)) => Err(Ended::of_error(&error)),
            None => Err(Ended::new(GapCause::Disconnect, "the connection ended")),
        }
    }

    async fn on_frame(&mut self, frame: &[u8]) -> Result<(), Ended> {
        match self.hub.frame(self.id, frame, now_ns()) {
            Some(activity) => {
                self.refused_in_row = 0;
                if activity.market {
                    self.handle.set_brought_data();
                    if self.ready && self.data_since.is_none() && !self.handle.has_frames() {
                        self.data_since = Some(Instant::now());
                    }
                }
            }
            None => {
                self.refused_in_row += 1;
                if self.refused_in_row >= REFUSED_MAX {
                    return Err(Ended::new(
                        GapCause::Refused,
                        format!("{REFUSED_MAX} frames in a row make no sense"),
                    ));
                }
            }
        }
        while let Some(control) = self.handle.next_control() {
            self.heed(control).await?;
        }
        Ok(())
    }

    /// What the venue says about the conversation.
    async fn heed(&mut self, control: Control) -> Result<(), Ended> {
        match control {
            Control::Welcome if !self.ready => match self.hub.keys.as_ref().map(super::Keys::login_frame) {
                Some(frame) => self.send(Message::text(frame)).await,
                None => Ok(()),
            },
            Control::Authenticated if !self.ready => {
                self.set_ready();
                Ok(())
            }
            Control::LoginRefused { reason, is_final } => {
                if is_final {
                    self.hub.fail(SessionError::Login {
                        venue: self.hub.venue,
                        reason: reason.clone(),
                    });
                }
                let ended = Ended::new(GapCause::Disconnect, format!("login refused: {reason}"));
                Err(ended.after(MAINTENANCE_PAUSE))
            }
            Control::Refused {
                symbol,
                reason,
                is_final,
            } => {
                let what = symbol.as_deref().unwrap_or("a request");
                tracing::warn!("{} refuses {what}: {reason}", self.hub.venue);
                if is_final {
                    return Ok(());
                }
                Err(Ended::new(GapCause::Disconnect, format!("{what} was refused for now")).after(MAINTENANCE_PAUSE))
            }
            _ => Ok(()),
        }
    }

    /// Watchdogs, pings, and the frames that wait.
    async fn keep_house(&mut self) -> Result<(), Ended> {
        let policy = self.hub.policy;
        if let Some(cause) = self.handle.stopped() {
            return Err(Ended::new(cause, format!("given up: {}", cause.name())));
        }
        if std::mem::take(&mut self.was_heard) {
            self.heard = Instant::now();
        }
        if self.heard.elapsed() >= policy.silence {
            let reason = format!("silent for {} s", policy.silence.as_secs_f64());
            return Err(Ended::new(GapCause::Silence, reason));
        }
        if !self.ready && self.connected.elapsed() >= LOGIN_LIMIT {
            return Err(Ended::new(GapCause::Silence, "no login in time"));
        }
        if policy.ping.is_some_and(|every| self.pinged.elapsed() >= every) {
            self.pinged = Instant::now();
            let ping = policy
                .ping_frame
                .map_or(Message::Ping(Default::default()), Message::text);
            self.send(ping).await?;
        }
        if self.data_since.is_some_and(|since| since.elapsed() >= SETTLING) {
            self.handle.set_live();
        }
        while self.handle.has_frames() && self.pace.take(self.hub.now()).is_ok() {
            if let Some(frame) = self.handle.next_frame() {
                self.send(Message::text(frame)).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        match timeout(SEND_LIMIT, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Ended::of_error(&error)),
            Err(_) => Err(Ended::new(GapCause::Disconnect, "the venue does not read")),
        }
    }
}

/// To the end of the run queue. Unlike `tokio::task::yield_now` it does not wait for a look at the reactor.
async fn let_others_run() {
    let mut was_polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut was_polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
