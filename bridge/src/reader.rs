//! The reading thread: looks at the ring, updates the market, hands messages to the hub, does what clients ask. Never waits for a client.
//!
//! A turn is: up to [`RECORDS_PER_TURN`] records, asking for images if they are due, up to [`COMMANDS_PER_TURN`] commands, snapshots that
//! are due, then waking those who got something. A turn that found nothing waits as configured.
//!
//! The turns are either a thread's ([`Reader::run`]), beside others that write to the sockets, or a task's among those of the clients on one
//! thread ([`Reader::run_as_task`]): then nothing has to be woken between a record and the write of its message.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tickpath_protocol::Venue;
use tickpath_service::Shutdown;
use tickpath_transport::{Event, Idle, Subscription, WaitStrategy, now_ns};
use tokio::sync::{mpsc, oneshot};

use crate::hub::Hub;
use crate::images::ImageRequests;
use crate::kill::LatchReport;
use crate::market::{Input, Market};
use crate::message::{self, Body};
use crate::metrics::{Health, ReaderMetrics};
use crate::outbox::{Closing, Outbox, close_code};
use crate::request::{Id, Request};

/// Records between two looks at the commands.
pub const RECORDS_PER_TURN: usize = 512;
/// Commands between two looks at the ring.
pub const COMMANDS_PER_TURN: usize = 16;
/// Commands that may wait; those who send more wait themselves.
pub const COMMANDS_MAX: usize = 1024;
/// What clients are told when the bridge stops.
pub const STOPPING: Closing = Closing {
    code: close_code::AWAY,
    reason: "the bridge stops",
};
/// How often slow and gone clients are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_millis(50);
/// How often the engine's state is told at most.
const ENGINE_INTERVAL: Duration = Duration::from_millis(250);

/// What the rest of the bridge asks of the reading thread.
#[derive(Debug)]
pub enum Command {
    /// A client came.
    Connect {
        /// Its number.
        client: u64,
        /// Where its messages go.
        outbox: Arc<Outbox>,
    },
    /// A client asks.
    Request {
        /// Its number.
        client: u64,
        /// Its id of the request.
        id: Id,
        /// The request.
        request: Request,
    },
    /// A client has taken everything.
    Drained {
        /// Its number.
        client: u64,
    },
    /// A client went.
    Disconnect {
        /// Its number.
        client: u64,
    },
    /// The system report of this second.
    Report(Body),
    /// What the kill latch says; nothing if it cannot be read.
    Latch(Option<LatchReport>),
    /// For `/api/instruments`.
    Instruments {
        /// Where the JSON goes.
        reply: oneshot::Sender<Body>,
    },
    /// For `/api/book`.
    Book {
        /// The venue.
        venue: Venue,
        /// As the venue spells it, or normalised.
        symbol: String,
        /// Levels a side.
        depth: usize,
        /// Where the JSON goes; nothing for an unknown instrument.
        reply: oneshot::Sender<Option<Body>>,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Reader {
    subscription: Subscription,
    market: Market,
    hub: Hub,
    images: ImageRequests,
    commands: mpsc::Receiver<Command>,
    metrics: ReaderMetrics,
    health: Arc<Health>,
    /// Rows of the table that were opened.
    rows: usize,
    /// Records published before say nothing of latency: they waited for the bridge to attach.
    attached_ns: i64,
    swept: Instant,
    told_engine: Instant,
    latch_is_news: bool,
}

impl Reader {
    /// A reader of `subscription` that keeps what it hears in `market`.
    #[must_use]
    pub fn new(
        subscription: Subscription,
        market: Market,
        hub: Hub,
        commands: mpsc::Receiver<Command>,
        metrics: ReaderMetrics,
        health: Arc<Health>,
    ) -> Reader {
        Reader {
            subscription,
            market,
            hub,
            images: ImageRequests::default(),
            commands,
            metrics,
            health,
            rows: 0,
            attached_ns: i64::MAX,
            swept: Instant::now(),
            told_engine: Instant::now(),
            latch_is_news: false,
        }
    }

    /// Works until `shutdown`, then closes every connection.
    pub fn run(mut self, wait: WaitStrategy, shutdown: &Shutdown) {
        let mut idle = Idle::new(wait);
        while !shutdown.is_requested() {
            if self.turn() {
                idle.reset();
            } else {
                idle.idle();
            }
        }
        self.stop();
    }

    /// As [`Reader::run`], with the run queue of its thread in place of a loop: after each turn the tasks that it woke write to their sockets.
    pub async fn run_as_task(mut self, wait: WaitStrategy, shutdown: Shutdown) {
        let mut idle = Idle::new(wait);
        while !shutdown.is_requested() {
            if self.turn() {
                idle.reset();
            } else {
                idle.idle();
            }
            to_end_of_queue().await;
        }
        self.stop();
    }

    fn stop(&mut self) {
        self.commands.close();
        while self.obey() > 0 {}
        self.hub.close_all(STOPPING);
    }

    /// One turn; false if there was nothing to do.
    fn turn(&mut self) -> bool {
        self.health.beat();
        let now = Instant::now();
        self.hub.turn(now);
        let records = self.read();
        self.request_images(now);
        let commands = self.obey();
        self.hub.serve(&self.market);
        let is_owing = self.hub.wake();
        if now.duration_since(self.swept) >= SWEEP_INTERVAL {
            self.swept = now;
            self.hub.sweep();
            self.publish_counts();
            self.tell_engine(now);
        }
        records > 0 || commands > 0 || is_owing
    }

    /// Tells of the engine's state if it is another.
    fn tell_engine(&mut self, now: Instant) {
        let is_due = self.latch_is_news || now.duration_since(self.told_engine) >= ENGINE_INTERVAL;
        if is_due && (self.market.engine_is_news(now_ns()) || self.latch_is_news) {
            (self.told_engine, self.latch_is_news) = (now, false);
            self.hub.engine_state(&self.market);
        }
    }

    fn read(&mut self) -> usize {
        let Reader {
            subscription,
            market,
            hub,
            images,
            metrics,
            health,
            rows,
            attached_ns,
            ..
        } = self;
        let now_ns = now_ns();
        let mut records = 0;
        let events = subscription.poll_with(RECORDS_PER_TURN, |event, table| {
            let input = match event {
                Event::Record(received) => {
                    records += 1;
                    let record = received.record;
                    if received.published_ns >= *attached_ns {
                        metrics.latency(record.venue(), record.ts_recv, received.published_ns, now_ns);
                    }
                    Input::Record(record)
                }
                Event::Lapped { missed } => {
                    images.want();
                    Input::Lapped { missed }
                }
                Event::Missing { venue, count } => {
                    images.want();
                    Input::Missing { venue, count }
                }
                Event::Attached { run_id } => {
                    tickpath_service::logging::set_run_id(run_id);
                    health.set_attached(Some(run_id));
                    images.want();
                    // The table may be another one.
                    *rows = 0;
                    *attached_ns = now_ns;
                    return;
                }
                Event::Detached => {
                    health.set_attached(None);
                    Input::Detached
                }
            };
            if table.len() != *rows {
                *rows = table.len();
                market.sync(table, hub);
            }
            market.apply(&input, table, now_ns, hub);
        });
        let table = subscription.instruments();
        if table.len() != *rows {
            *rows = table.len();
            market.sync(table, hub);
        }
        metrics.read(records);
        events
    }

    fn request_images(&mut self, now: Instant) {
        let Reader { images, market, .. } = self;
        if self.subscription.is_attached() && images.is_due(now, || market.waits_for_image()) {
            self.subscription.request_images();
            self.metrics.images_requested();
        }
    }

    fn obey(&mut self) -> usize {
        for count in 0..COMMANDS_PER_TURN {
            match self.commands.try_recv() {
                Ok(command) => self.command(command),
                Err(_) => return count,
            }
        }
        COMMANDS_PER_TURN
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Connect { client, outbox } => self.hub.connect(client, outbox),
            Command::Request { client, id, request } => self.hub.request(client, &id, &request),
            Command::Drained { client } => self.hub.drained(client),
            Command::Disconnect { client } => self.hub.disconnect(client),
            Command::Report(body) => self.hub.report(body),
            Command::Latch(latch) => {
                self.latch_is_news |= self.market.latch != latch;
                self.market.latch = latch;
            }
            // Whoever asked may have gone meanwhile; the answer is then nobody's.
            Command::Instruments { reply } => drop(reply.send(self.instruments())),
            Command::Book {
                venue,
                symbol,
                depth,
                reply,
            } => drop(reply.send(self.book(venue, &symbol, depth))),
        }
    }

    fn instruments(&self) -> Body {
        let mut text = String::from("[");
        for (index, state) in self.market.instruments().iter().enumerate() {
            text.push_str(if index > 0 { "," } else { "" });
            message::instrument_document(&mut text, state);
        }
        text.push(']');
        text.into()
    }

    fn book(&self, venue: Venue, symbol: &str, depth: usize) -> Option<Body> {
        let number = self.hub.number_at(&format!("{venue}:{symbol}"))?;
        let mut text = String::new();
        message::book_document(&mut text, self.market.instrument(number)?, depth);
        Some(text.into())
    }

    fn publish_counts(&mut self) {
        self.metrics
            .losses(self.subscription.lapped(), self.subscription.missing());
        let clients = self.hub.clients_connected();
        self.health.set_counts(self.market.instruments().len(), clients);
        self.metrics.tally(clients, self.hub.tally(), self.market.ignored);
    }
}

/// Lets every task run that is ready. Unlike `tokio::task::yield_now` it does not wait for a look at the sockets, which comes every so many
/// tasks by itself.
async fn to_end_of_queue() {
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
