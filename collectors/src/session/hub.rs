//! The feed of the venue, where its records go, and what it asks to be done.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tickpath_protocol::{Flags, GapCause, InstrumentId, Kind, Record, StatusCode, Venue};
use tickpath_service::Throttle;
use tickpath_service::config::Collector;
use tickpath_transport::{LatencyHistogram, now_ns};
use tokio::sync::{Notify, Semaphore};

use super::backoff::nanos;
use super::clock::{SessionClock, on_the_wall};
use super::handle::Handle;
use super::images::Round;
use super::meters::{Meters, State};
use super::rest::{Rest, RestError};
use super::wire::Turns;
use super::{Keys, Outlet, SessionError, Settings};
use crate::capture::CaptureWriter;
use crate::decode::Control;
use crate::dialect::{Dialect, Policy};
use crate::select;
use crate::sync::{Action, Activity, ConnectionId, Feed, FeedOptions, ImageAnswer, Sink, TokenBucket};

/// REST requests for images at one time.
const IMAGES_AT_ONCE: usize = 2;
/// A Heartbeat record after this time without any other.
const QUIET_NS: i64 = 1_000_000_000;
/// Bytes of a refused frame that the log shows.
const EXCERPT_BYTES: usize = 200;

/// What all tasks of a session share.
pub(super) struct Hub<O> {
    pub venue: Venue,
    pub collector: Collector,
    pub keys: Option<Keys>,
    pub policy: Policy,
    pub rest: Rest,
    /// Of the sockets that are polled.
    pub turns: Arc<Turns>,
    /// Symbols were found that are to be subscribed to.
    pub found: Notify,
    pub(super) inner: RefCell<Inner<O>>,
    images: Semaphore,
    failure: RefCell<Option<SessionError>>,
    lines: Cell<usize>,
    lines_up: RefCell<HashSet<usize>>,
    pub(super) symbols_found: RefCell<Vec<String>>,
    pub(super) has_symbols: Cell<bool>,
    closing: Cell<bool>,
}

pub(super) struct Inner<O> {
    pub feed: Feed,
    pub outlet: O,
    pub round: Round,
    meters: Meters,
    capture: Option<CaptureWriter>,
    handles: Vec<(ConnectionId, Rc<Handle>)>,
    connections: u32,
    attempts: TokenBucket,
    refused: Throttle,
    pub clock: SessionClock,
    published_ns: i64,
    recv_ns: i64,
}

impl<O: Outlet> Inner<O> {
    /// Runs `body` with the feed and the way out of its records, and shows them.
    pub fn with_sink<T>(&mut self, body: impl FnOnce(&mut Feed, &mut Tap<'_, O>) -> T) -> T {
        let mut tap = Tap {
            outlet: &mut self.outlet,
            event_to_recv: &self.meters.event_to_recv,
            published_ns: &mut self.published_ns,
            stepped_ns: self.clock.stepped_ns(),
        };
        let result = body(&mut self.feed, &mut tap);
        self.outlet.flush();
        result
    }
}

/// An older event comes from a replay, whose age is no latency.
const FEED_AGE_MAX_NS: i64 = 600 * 1_000_000_000;

/// Measures what it passes on.
pub(super) struct Tap<'a, O> {
    outlet: &'a mut O,
    event_to_recv: &'a LatencyHistogram,
    published_ns: &'a mut i64,
    stepped_ns: i64,
}

impl<O: Outlet> Sink for Tap<'_, O> {
    fn record(&mut self, mut record: Record) {
        *self.published_ns = record.ts_recv;
        if self.stepped_ns != 0 {
            record = on_the_wall(record, self.stepped_ns);
        }
        let flags = record.flags();
        let is_event = flags.contains(Flags::LAST) && record.kind().is_some_and(Kind::has_decimals);
        let is_live = record.ts_recv - FEED_AGE_MAX_NS < record.ts_event;
        if is_event && is_live && !flags.contains(Flags::SNAPSHOT) && !flags.contains(Flags::NO_EVENT_TIME) {
            self.event_to_recv.record_between(record.ts_event, record.ts_recv);
        }
        self.outlet.record(record);
    }
}

impl<O: Outlet + 'static> Hub<O> {
    pub fn new(
        settings: Settings,
        dialect: Box<dyn Dialect>,
        outlet: O,
        meters: Meters,
    ) -> Result<Hub<O>, SessionError> {
        let Settings {
            venue,
            collector,
            keys,
            capture,
            ..
        } = settings;
        let options = FeedOptions {
            channels: select::channels(&collector),
            depth: collector.depth,
        };
        let feed = Feed::new(dialect, options);
        let policy = feed.policy();
        let no_address = || SessionError::Configuration(format!("`collectors.{venue}.rest_url` is no address"));
        let rest = Rest::new(collector.rest_url.as_ref().ok_or_else(no_address)?, keys.as_ref())?;
        let mut clock = SessionClock::new();
        Ok(Hub {
            venue,
            keys,
            policy,
            rest,
            turns: Arc::default(),
            found: Notify::new(),
            inner: RefCell::new(Inner {
                feed,
                outlet,
                round: Round::default(),
                meters,
                capture,
                handles: Vec::new(),
                connections: 0,
                attempts: TokenBucket::new(policy.attempts, nanos(policy.attempts_window)),
                refused: Throttle::per_second(),
                published_ns: clock.now(),
                clock,
                recv_ns: 0,
            }),
            collector,
            images: Semaphore::new(IMAGES_AT_ONCE),
            failure: RefCell::new(None),
            lines: Cell::new(0),
            lines_up: RefCell::new(HashSet::new()),
            symbols_found: RefCell::new(Vec::new()),
            has_symbols: Cell::new(false),
            closing: Cell::new(false),
        })
    }

    /// What the dialect says.
    pub fn dialect<T>(&self, ask: impl FnOnce(&dyn Dialect) -> T) -> T {
        ask(self.inner.borrow().feed.dialect())
    }

    /// Ends the session.
    pub fn fail(&self, error: SessionError) {
        self.failure.borrow_mut().get_or_insert(error);
    }

    pub fn take_failure(&self) -> Option<SessionError> {
        self.failure.borrow_mut().take()
    }

    /// Asks every connection to close.
    pub fn begin_close(&self) {
        self.closing.set(true);
        for (_, handle) in &self.inner.borrow().handles {
            handle.stop(GapCause::Disconnect);
        }
    }

    pub fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Whether no connection stands.
    pub fn is_closed(&self) -> bool {
        self.inner.borrow().handles.is_empty()
    }

    /// Shows and writes what is left.
    pub fn close(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.outlet.flush();
        inner.capture = None;
        drop(inner);
        self.show();
    }

    /// A number for a new connection, and its handle.
    pub fn open(&self) -> (ConnectionId, Rc<Handle>) {
        let mut inner = self.inner.borrow_mut();
        let id = ConnectionId(inner.connections);
        inner.connections += 1;
        let handle = Rc::new(Handle::default());
        inner.handles.push((id, handle.clone()));
        (id, handle)
    }

    /// A number for a new line.
    pub fn new_line(&self) -> usize {
        self.lines.replace(self.lines.get() + 1)
    }

    /// The session's time, which no step of the wall's clock moves.
    pub fn now(&self) -> i64 {
        self.inner.borrow_mut().clock.now()
    }

    /// How long until the venue allows another connection attempt; none if it may be made now.
    pub fn take_attempt(&self) -> Result<(), Duration> {
        let now_ns = self.now();
        let wait_ns = self.inner.borrow_mut().attempts.take(now_ns);
        wait_ns.map_err(|ns| Duration::from_nanos(ns.unsigned_abs()))
    }

    /// A Status record of the venue as a whole.
    pub fn status(&self, code: StatusCode, price: i64, size: i64) {
        let record = code.record(self.venue, InstrumentId::NONE, self.now(), price, size);
        self.inner.borrow_mut().with_sink(|_, sink| sink.record(record));
    }

    /// A connection took the login, if any, and will carry these symbols.
    pub fn connected(self: &Rc<Self>, line: usize, id: ConnectionId, symbols: &[String]) {
        self.lines_up.borrow_mut().insert(line);
        self.status(StatusCode::Connected, Record::ABSENT, Record::ABSENT);
        let mut inner = self.inner.borrow_mut();
        let now_ns = inner.clock.now();
        inner.with_sink(|feed, sink| feed.on_connected(id, symbols, now_ns, sink));
    }

    /// A connection is gone.
    pub fn disconnected(self: &Rc<Self>, id: ConnectionId, cause: GapCause) {
        let mut inner = self.inner.borrow_mut();
        inner.handles.retain(|(other, _)| *other != id);
        let now_ns = inner.clock.now();
        inner.with_sink(|feed, sink| feed.on_disconnected(id, cause, now_ns, sink));
    }

    /// A line has no connection; the next attempt is in `pause`.
    pub fn line_down(&self, line: usize, cause: GapCause, pause: Duration) {
        self.lines_up.borrow_mut().remove(&line);
        self.inner.borrow().meters.reconnected();
        let pause_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        self.status(StatusCode::Disconnected, pause_ms, cause as i64);
    }

    /// A frame came in; `None` if it was refused.
    pub fn frame(self: &Rc<Self>, id: ConnectionId, frame: &[u8], recv_ns: i64) -> Option<Activity> {
        let mut inner = self.inner.borrow_mut();
        inner.recv_ns = recv_ns;
        if let Some(capture) = &inner.capture {
            capture.frame(recv_ns, frame);
        }
        let recv_ns = inner.clock.of(recv_ns);
        let result = inner.with_sink(|feed, sink| feed.on_frame(id, frame, recv_ns, sink));
        if let Err(refused) = &result
            && let Some(more) = inner.refused.pass(Instant::now())
        {
            let excerpt = frame[..frame.len().min(EXCERPT_BYTES)].escape_ascii();
            let bytes = frame.len();
            tracing::warn!("frame of {bytes} bytes refused: {refused}: {excerpt} ({more} more since the last line)");
        }
        drop(inner);
        self.act();
        self.publish_images();
        result.ok()
    }

    /// Whether the venue said that it does not trade as a whole.
    pub fn is_halted(&self) -> bool {
        self.inner.borrow().feed.is_halted()
    }

    /// Time has passed.
    pub fn tick(self: &Rc<Self>) {
        let mut inner = self.inner.borrow_mut();
        let now_ns = inner.clock.now();
        let is_quiet = now_ns - inner.published_ns >= QUIET_NS;
        let venue = self.venue;
        inner.with_sink(|feed, sink| {
            feed.on_timer(now_ns, sink);
            if is_quiet {
                sink.record(heartbeat(venue, now_ns));
            }
        });
        let fatal = inner.outlet.fatal();
        drop(inner);
        if let Some(reason) = fatal {
            self.fail(SessionError::Publish(reason));
        }
        self.act();
        self.publish_images();
        self.show();
    }

    fn show(&self) {
        let mut inner = self.inner.borrow_mut();
        let state = State {
            counters: inner.feed.counters(),
            dropped: inner.outlet.dropped(),
            capture_lost: inner.capture.as_ref().map_or(0, CaptureWriter::lost),
            books: inner.feed.books(),
            connected: self.lines.get() > 0 && self.lines_up.borrow().len() == self.lines.get(),
            last_recv_ns: inner.recv_ns,
        };
        inner.meters.show(&state);
    }

    /// Does what the feed asks for.
    fn act(self: &Rc<Self>) {
        loop {
            let Some(action) = self.inner.borrow_mut().feed.next_action() else {
                return;
            };
            match action {
                Action::Send { connection, frames } => self.with_handle(connection, |handle| handle.send(frames)),
                Action::Reconnect { connection, cause } => self.with_handle(connection, |handle| handle.stop(cause)),
                Action::HandOver { connection } => self.with_handle(connection, Handle::hand_over),
                Action::RequestImage { symbol, request, .. } => {
                    tokio::task::spawn_local(fetch_image(self.clone(), symbol, request));
                }
                Action::Control {
                    control: Control::Instruments(listings),
                    ..
                } => self.select(&listings),
                Action::Control { connection, control } => {
                    self.with_handle(connection, |handle| handle.heed(control));
                }
            }
        }
    }

    fn with_handle(&self, id: ConnectionId, body: impl FnOnce(&Handle)) {
        let inner = self.inner.borrow();
        if let Some((_, handle)) = inner.handles.iter().find(|(other, _)| *other == id) {
            body(handle);
        }
    }

    /// Notes a REST answer in the capture.
    pub fn capture_answer(&self, path: &str, body: &[u8]) -> i64 {
        let recv_ns = now_ns();
        if let Some(capture) = &self.inner.borrow().capture {
            capture.answer(recv_ns, &self.rest.url(path), body);
        }
        recv_ns
    }

    fn on_image(self: &Rc<Self>, symbol: &str, request: u64, body: Option<&[u8]>, recv_ns: i64) {
        let answer = ImageAnswer {
            symbol,
            request: Some(request),
            body,
        };
        let mut inner = self.inner.borrow_mut();
        let recv_ns = inner.clock.of(recv_ns);
        let result = inner.with_sink(|feed, sink| feed.on_image(answer, recv_ns, sink));
        if let Err(refused) = result
            && inner.refused.pass(Instant::now()).is_some()
        {
            tracing::warn!("image of {symbol} refused: {refused}");
        }
        drop(inner);
        self.act();
    }
}

async fn fetch_image<O: Outlet + 'static>(hub: Rc<Hub<O>>, symbol: String, request: u64) {
    // The semaphore is never closed.
    let Ok(_permit) = hub.images.acquire().await else {
        return;
    };
    let Some(path) = hub.dialect(|dialect| dialect.image_request(&symbol)) else {
        return;
    };
    match hub.rest.get(&path).await {
        Ok(body) => {
            let recv_ns = hub.capture_answer(&path, &body);
            hub.on_image(&symbol, request, Some(&body), recv_ns);
        }
        Err(error) => {
            tracing::warn!("no image of {symbol}: {error}");
            if let RestError::Limited { pause, .. } = error {
                let until_ns = hub.now().saturating_add(nanos(pause));
                hub.inner.borrow_mut().feed.hold_images(until_ns);
            }
            hub.on_image(&symbol, request, None, now_ns());
        }
    }
}

fn heartbeat(venue: Venue, now_ns: i64) -> Record {
    Record {
        kind: Kind::Heartbeat as u8,
        venue: venue.0,
        flags: Flags::LAST.0,
        instrument: InstrumentId::NONE.0,
        ts_event: now_ns,
        ts_recv: now_ns,
        ..Record::default()
    }
}
