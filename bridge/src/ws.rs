//! One WebSocket client: a task that reads its requests and writes what waits in its outbox.
//!
//! Reading and writing are two futures of one task, so that a client that does not read can still be heard, pinged and told why it is
//! closed. Whatever the client does, the task ends: by its close, by silence, by a write that takes too long, or by a rule that it broke.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval_at, sleep, sleep_until, timeout};
use tracing::Span;

use crate::context::Context;
use crate::credit::Credit;
use crate::message::{Body, Note, with_note};
use crate::outbox::{Closing, Outbox, Taken, close_code};
use crate::rate::{RateLimit, Verdict};
use crate::reader::{Command, STOPPING};
use crate::request::{self, ErrorCode, Id, Request, RequestError};
use crate::traces;

/// Buffer for what a client sends; requests are small, and a thousand clients have one each.
pub const READ_BUFFER_BYTES: usize = 4 << 10;
/// Bytes that gather before they are written to the socket.
pub const WRITE_BUFFER_BYTES: usize = 16 << 10;
/// A client that could have answered a mark for so long gets nothing put by until it does: a round trip over any ocean is shorter.
const STUCK_AFTER: Duration = Duration::from_millis(250);
/// From one batch to the next of a client that has not shown to read: who comes, is sent what there is, and goes, costs a few writes and not one a record.
const UNPROVEN_PAUSE: Duration = Duration::from_millis(20);
/// Pings without any answer before the client counts as gone.
const PINGS_UNANSWERED_MAX: u32 = 2;

/// Why a write ends the task.
enum Stop {
    /// The socket is gone.
    Gone,
    /// Tell the client, then end.
    Close(Closing),
}

/// Where a client goes from here.
enum Next {
    /// Nowhere: its connection has ended.
    End,
    /// To the threads of those that have shown to read.
    Lane,
}

/// Serves a client until its connection ends: where connections are accepted until it has shown to read, on the threads of those that have after that.
pub async fn serve(mut socket: WebSocket, id: u64, context: Arc<Context>, permit: OwnedSemaphorePermit, span: Span) {
    let outbox = Arc::new(Outbox::new(context.limits.queue_messages_max));
    let command = Command::Connect {
        client: id,
        outbox: Arc::clone(&outbox),
    };
    if context.commands.send(command).await.is_err() {
        if socket.send(close_frame(STOPPING)).await.is_err() {
            tracing::debug!(client = id, "the client went while the bridge stops");
        }
        return;
    }
    tracing::debug!(client = id, "a client came");
    let (sink, stream) = socket.split();
    let proven_at = Instant::now() + context.limits.proving;
    let mut ends = Ends {
        sink,
        stream,
        rate: RateLimit::new(context.limits.requests_per_second_max, Instant::now()),
    };
    let mut connection = Connection {
        id,
        context,
        outbox,
        credit: Credit::new(),
        proven_at: Some(proven_at),
        was_heard: AtomicBool::new(true),
        is_listening: AtomicBool::new(false),
        is_deaf: AtomicBool::new(false),
        is_over: AtomicBool::new(false),
        span,
        _permit: permit,
    };
    match connection.run(&mut ends).await {
        Next::End => connection.ended().await,
        Next::Lane => {
            connection.context.metrics.proven.add(1);
            let lane = connection.context.lane.clone();
            lane.spawn(async move {
                connection.proven_at = None;
                connection.run(&mut ends).await;
                connection.ended().await;
            });
        }
    }
}

/// The ends of the socket, and how often requests may come out of it.
struct Ends {
    sink: SplitSink<WebSocket, Message>,
    stream: SplitStream<WebSocket>,
    rate: RateLimit,
}

struct Connection {
    id: u64,
    context: Arc<Context>,
    outbox: Arc<Outbox>,
    credit: Credit,
    /// When it has been there for long enough to have shown that it reads; `None` once it has.
    proven_at: Option<Instant>,
    /// Something came since the last ping.
    was_heard: AtomicBool,
    /// [`Connection::read`] waits for a frame and has nothing else under way.
    is_listening: AtomicBool,
    /// Nothing more is read, so no answer to a close will be seen.
    is_deaf: AtomicBool,
    /// The hub has closed the outbox.
    is_over: AtomicBool,
    /// Of its whole time.
    span: Span,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(&self, ends: &mut Ends) -> Next {
        tokio::select! {
            () = self.read(&mut ends.stream, &mut ends.rate) => Next::End,
            next = self.write(&mut ends.sink) => next,
        }
    }

    async fn ended(&self) {
        // The reading thread sweeps clients that are gone, should it be too busy for the command.
        self.outbox.set_gone();
        let command = Command::Disconnect { client: self.id };
        if self.context.commands.send(command).await.is_err() {
            tracing::debug!(
                client = self.id,
                "the reading thread has stopped before the client went"
            );
        }
    }

    /// Reads requests until the client closes. After a broken rule it waits for [`Connection::write`] to say so and end.
    async fn read(&self, stream: &mut SplitStream<WebSocket>, rate: &mut RateLimit) {
        loop {
            self.is_listening.store(true, Ordering::Relaxed);
            let Some(frame) = stream.next().await else { return };
            self.is_listening.store(false, Ordering::Relaxed);
            self.was_heard.store(true, Ordering::Relaxed);
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    let Some(closing) = self.violation(&error) else { return };
                    return self.break_off(closing).await;
                }
            };
            if matches!(&frame, Message::Pong(content) if self.credit.answered(content)) {
                continue;
            }
            let now = Instant::now();
            let verdict = match &frame {
                Message::Ping(_) => rate.judge_ping(now),
                _ => rate.judge(now),
            };
            match verdict {
                Verdict::Allow => self.frame(frame).await,
                Verdict::Refuse => self.refuse(RequestError::new(
                    ErrorCode::RateLimited,
                    format!(
                        "at most {} requests a second",
                        self.context.limits.requests_per_second_max
                    ),
                )),
                Verdict::Close => {
                    let closing = Closing {
                        code: close_code::POLICY,
                        reason: "too many requests",
                    };
                    return self.break_off(closing).await;
                }
            }
        }
    }

    /// Whether it goes to the threads of those that have shown to read: it has answered a mark, was there for a while, and broke no rule. Only between two frames and two
    /// batches, when nothing is lost by a move.
    fn moves(&self) -> bool {
        self.proven_at.is_some_and(|at| Instant::now() >= at)
            && self.credit.is_proven()
            && self.is_listening.load(Ordering::Relaxed)
            && !self.is_over.load(Ordering::Relaxed)
    }

    async fn frame(&self, frame: Message) {
        match &frame {
            Message::Text(text) => self.request(text.as_bytes()).await,
            Message::Binary(bytes) => self.request(bytes).await,
            // Pings are answered by the protocol layer; a close ends the stream once it is answered.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
        }
    }

    async fn request(&self, frame: &[u8]) {
        let span = traces::client_request(&self.span);
        match request::parse(frame) {
            (id, Ok(Request::Ping)) => self.outbox.reply(request::pong(&id)),
            (id, Ok(request)) => {
                let command = Command::Request {
                    client: self.id,
                    id,
                    request,
                };
                if self.context.commands.send(command).await.is_err() {
                    tracing::debug!(
                        client = self.id,
                        "the reading thread has stopped; the request is dropped"
                    );
                }
            }
            (id, Err(error)) => {
                span.record("error.code", error.code.name());
                self.context.metrics.bad_requests.add(1);
                self.outbox.reply(error.reply(&id));
            }
        }
    }

    fn refuse(&self, error: RequestError) {
        self.context.metrics.bad_requests.add(1);
        self.outbox.reply(error.reply(&Id::default()));
    }

    /// Reads no more, and leaves the end of the task to [`Connection::write`].
    async fn break_off(&self, closing: Closing) {
        self.context.metrics.violations.add(1);
        self.is_deaf.store(true, Ordering::Relaxed);
        self.outbox.close(closing);
        std::future::pending().await
    }

    /// What the client did wrong; `None` if the connection just broke.
    fn violation(&self, error: &axum::Error) -> Option<Closing> {
        if causes(error).any(|cause| cause.is::<std::io::Error>()) {
            return None;
        }
        // The error's type is private to axum's version of the protocol crate; a test holds its texts to these.
        let text = error.to_string();
        if text.contains("without closing handshake") {
            return None;
        }
        if text.contains("too long") || text.contains("Space limit") {
            let max = self.context.limits.frame_bytes_max;
            self.refuse(RequestError::new(
                ErrorCode::FrameTooLarge,
                format!("a frame has at most {max} bytes"),
            ));
            return Some(Closing {
                code: close_code::SIZE,
                reason: "frame too large",
            });
        }
        if text.to_ascii_lowercase().contains("utf-8") {
            self.refuse(RequestError::new(ErrorCode::BadJson, "a text frame is not UTF-8"));
            return Some(Closing {
                code: close_code::INVALID,
                reason: "text is not UTF-8",
            });
        }
        Some(Closing {
            code: close_code::PROTOCOL,
            reason: "not WebSocket as RFC 6455 has it",
        })
    }

    /// Writes what waits until the connection is to end or to move.
    async fn write(&self, sink: &mut SplitSink<WebSocket, Message>) -> Next {
        let interval = self.context.limits.ping_interval;
        let mut pings = interval_at(tokio::time::Instant::now() + interval, interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unanswered = 0;
        let mut batch = Vec::new();
        let mut next_batch = tokio::time::Instant::now();
        let stop = loop {
            if self.moves() {
                return Next::Lane;
            }
            // Who is sent off is told why, whatever it has read.
            let credit = if self.is_over.load(Ordering::Relaxed) {
                u64::MAX
            } else {
                self.credit.left()
            };
            if credit == 0 {
                match self.await_credit(sink, &mut pings, &mut unanswered).await {
                    Ok(()) => continue,
                    Err(stop) => break stop,
                }
            }
            if self.proven_at.is_some() {
                self.pause_until(next_batch).await;
            }
            let written = match self.outbox.take(&mut batch, credit) {
                Taken::Batch => {
                    next_batch = tokio::time::Instant::now() + UNPROVEN_PAUSE;
                    self.send(sink, &mut batch).await
                }
                Taken::Closing(closing) => Err(Stop::Close(closing)),
                Taken::Drained => {
                    let drained = self.context.commands.send(Command::Drained { client: self.id }).await;
                    drained.map_err(|_| Stop::Gone)
                }
                Taken::Empty => tokio::select! {
                    () = self.outbox.ready() => Ok(()),
                    // It may move.
                    () = self.credit.granted(), if self.proven_at.is_some() => Ok(()),
                    _ = pings.tick() => self.ping(sink, &mut unanswered).await,
                },
            };
            if let Err(stop) = written {
                break stop;
            }
        };
        if let Stop::Close(closing) = stop {
            self.say_goodbye(sink, closing).await;
        }
        Next::End
    }

    /// Lets messages gather, unless the connection is to be closed.
    async fn pause_until(&self, next_batch: tokio::time::Instant) {
        tokio::select! {
            () = sleep_until(next_batch) => {}
            () = self.outbox.closing() => self.is_over.store(true, Ordering::Relaxed),
        }
    }

    /// Waits until the client has answered a mark, or is to be sent off. Not for new messages: most clients without credit get no more, and to look at them for each
    /// message would cost the others.
    async fn await_credit(
        &self,
        sink: &mut SplitSink<WebSocket, Message>,
        pings: &mut Interval,
        unanswered: &mut u32,
    ) -> Result<(), Stop> {
        let stuck = sleep(STUCK_AFTER);
        tokio::pin!(stuck);
        let waited = loop {
            tokio::select! {
                () = self.credit.granted() => break Ok(()),
                () = self.outbox.closing() => {
                    self.is_over.store(true, Ordering::Relaxed);
                    break Ok(());
                }
                () = &mut stuck, if !self.outbox.is_stuck() => self.outbox.set_stuck(true),
                _ = pings.tick() => if let Err(stop) = self.ping(sink, unanswered).await {
                    break Err(stop);
                },
            }
        };
        self.outbox.set_stuck(false);
        waited
    }

    /// Writes a batch and flushes it, unless the connection is to be closed meanwhile.
    async fn send(&self, sink: &mut SplitSink<WebSocket, Message>, batch: &mut Vec<(Body, Note)>) -> Result<(), Stop> {
        let write = async {
            let mut bytes = 0;
            for (body, note) in batch.drain(..) {
                bytes += body.len() as u64;
                sink.feed(Message::Text(with_note(body, note))).await?;
            }
            if let Some(mark) = self.credit.wrote(bytes) {
                sink.feed(Message::Ping(Bytes::copy_from_slice(&mark))).await?;
            }
            sink.flush().await
        };
        self.in_time(write).await
    }

    async fn ping(&self, sink: &mut SplitSink<WebSocket, Message>, unanswered: &mut u32) -> Result<(), Stop> {
        let was_heard = self.was_heard.swap(false, Ordering::Relaxed);
        *unanswered = if was_heard { 0 } else { *unanswered + 1 };
        if *unanswered >= PINGS_UNANSWERED_MAX {
            self.context.metrics.timeouts.add(1);
            return Err(Stop::Close(Closing {
                code: close_code::POLICY,
                reason: "no answer to pings",
            }));
        }
        self.in_time(sink.send(Message::Ping(Default::default()))).await
    }

    async fn in_time(&self, write: impl Future<Output = Result<(), axum::Error>>) -> Result<(), Stop> {
        tokio::select! {
            // What can be written at once is written, even if the connection is to be closed.
            biased;
            written = timeout(self.context.limits.write_timeout, write) => match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Stop::Gone),
                Err(_) => {
                    self.context.metrics.timeouts.add(1);
                    Err(Stop::Gone)
                }
            },
            // The next look at the outbox finds the reason.
            () = self.outbox.closing() => {
                self.is_over.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Sends the close frame after what is under way, and gives the client a while to read it and answer.
    async fn say_goodbye(&self, sink: &mut SplitSink<WebSocket, Message>, closing: Closing) {
        self.span.record("close.code", closing.code);
        self.span.record("close.reason", closing.reason);
        let goodbye = async {
            if sink.send(close_frame(closing)).await.is_ok() && !self.is_deaf.load(Ordering::Relaxed) {
                // The answer ends `Connection::read`, and with it this task.
                std::future::pending::<()>().await;
            }
        };
        if timeout(self.context.limits.close_grace, goodbye).await.is_err() {
            tracing::debug!(
                client = self.id,
                reason = closing.reason,
                "the client did not answer the close"
            );
        }
    }
}

fn close_frame(closing: Closing) -> Message {
    Message::Close(Some(CloseFrame {
        code: closing.code,
        reason: closing.reason.into(),
    }))
}

/// The error and what caused it.
fn causes(error: &axum::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |cause| cause.source())
}
