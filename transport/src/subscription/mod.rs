//! The reader's side: the stream of whatever relay there is, without duplicates, every loss counted.
//!
//! ```text
//!   Detached ──▶ Greeting ──▶ Attached ──▶ hang-up seen, ring read to its end ──▶ Detached
//!      ▲ wait        │ no answer, refused          (memory outlives the relay)
//!      └─────────────┘
//! ```
//!
//! All of it happens inside [`Subscription::poll`], without blocking: attaching and liveness are looked after only when there is
//! nothing to read. When the relay was killed, what it had written is read first; the next relay's stream is then read from its oldest record, and
//! what comes twice is left out ([`SequenceTracker`]). A reader that comes back to the same relay goes on where it was.

mod source;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tickpath_protocol::{
    Flags, InstrumentId, InstrumentTable, Observation, Record, SequenceTracker, StatusCode, Venue,
};
use tracing::{info, warn};

use self::source::{Greeted, Greeting, Source, Step};
use crate::counters::{Counter, CounterPage, Gauge};
use crate::error::TransportError;
use crate::message::{Entry, Start, Via};

const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_millis(500);
/// How often an idle reader looks whether the relay lives: a system call each time, and none while there are records. A death is to be known within 5 ms.
const CHECK_EVERY: Duration = Duration::from_millis(2);

/// What a reader needs to know.
#[derive(Clone, Debug)]
pub struct SubscriptionConfig {
    /// The relay's socket.
    pub socket: PathBuf,
    /// Its name, for people: `bridge`.
    pub name: String,
    /// Where it begins, the first time it attaches.
    pub start: Start,
    /// How records get here.
    pub via: Via,
}

/// What [`Subscription::poll`] tells.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The next record.
    Record(&'a Received),
    /// The writer overtook this reader; so many records, of any venue, are lost to it.
    Lapped {
        /// Positions skipped.
        missed: u64,
    },
    /// Records of a producer are missing before the record that comes next; if that is a Gap, it stands in for them.
    Missing {
        /// The producer.
        venue: Venue,
        /// How many.
        count: u64,
    },
    /// Attached to a relay. Unless it is the relay that it was before, the instrument table is a new one.
    Attached {
        /// The relay's run id.
        run_id: u64,
    },
    /// The relay is gone; all that it wrote has been delivered.
    Detached,
}

/// A record of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The record.
    pub record: Record,
    /// Its position in the relay's stream: the total order over all producers.
    pub position: u64,
    /// When the relay published it, ns since the Unix epoch.
    pub published_ns: i64,
}

#[derive(Debug)]
enum State {
    Detached { retry_at: Option<Instant> },
    Greeting(Greeting),
    Attached(Source),
}

/// A reader of the stream.
#[derive(Debug)]
pub struct Subscription {
    config: SubscriptionConfig,
    page: CounterPage,
    state: State,
    retry: Duration,
    checked: Instant,
    /// The relay that this reader was attached to last, and the position it wants next.
    resume: Option<(u64, u64)>,
    instruments: InstrumentTable,
    tracker: SequenceTracker,
    lapped: u64,
    last_refusal: Option<String>,
    metrics: Metrics,
    counted: Counted,
}

/// What is in the metrics already.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    missing: u64,
    duplicates: u64,
    lapped: u64,
}

#[derive(Debug)]
struct Metrics {
    records: Counter,
    missing: Counter,
    duplicates: Counter,
    lapped: Counter,
    attached: Gauge,
    lag: Gauge,
    attaches: Counter,
}

impl Subscription {
    /// A reader that attaches as soon as there is a relay.
    #[must_use]
    pub fn new(config: SubscriptionConfig, page: &CounterPage) -> Subscription {
        let labels = format!("reader=\"{}\"", config.name.replace(['"', '\\'], "_"));
        let counter = |name, help| page.counter(name, &labels, help);
        Subscription {
            metrics: Metrics {
                records: counter("tickpath_subscription_records_total", "Records delivered."),
                missing: counter(
                    "tickpath_subscription_missing_total",
                    "Records known to be missing, lapped ones too.",
                ),
                duplicates: counter(
                    "tickpath_subscription_duplicates_total",
                    "Records left out because they came before.",
                ),
                lapped: counter(
                    "tickpath_subscription_lapped_total",
                    "Positions that the relay overwrote unread.",
                ),
                attached: page.gauge(
                    "tickpath_subscription_attached",
                    &labels,
                    "1 while attached to a relay.",
                ),
                lag: page.gauge(
                    "tickpath_subscription_lag_records",
                    &labels,
                    "Records behind the relay.",
                ),
                attaches: counter("tickpath_subscription_attaches_total", "Times attached to a relay."),
            },
            config,
            page: page.clone(),
            state: State::Detached { retry_at: None },
            retry: RETRY_MIN,
            checked: Instant::now(),
            resume: None,
            instruments: InstrumentTable::new(),
            tracker: SequenceTracker::new(),
            lapped: 0,
            last_refusal: None,
            counted: Counted::default(),
        }
    }

    /// Goes on where an earlier reader stopped: at `position` if the relay is still the one of `run_id`, else at the oldest record of the one
    /// that there is. `tracker` says what the earlier reader saw, so that nothing comes twice and what is missing between is told.
    #[must_use]
    pub fn resuming(self, run_id: u64, position: u64, tracker: SequenceTracker) -> Subscription {
        Subscription {
            resume: Some((run_id, position)),
            counted: Counted {
                missing: tracker.missing(),
                duplicates: tracker.duplicates(),
                lapped: self.lapped,
            },
            tracker,
            ..self
        }
    }

    /// Delivers what is there, at most `max` records; the number of events, 0 if there was nothing to do.
    pub fn poll(&mut self, max: usize, mut on: impl FnMut(Event<'_>)) -> usize {
        self.poll_with(max, |event, _| on(event))
    }

    /// As [`Subscription::poll`], with the instruments at hand: they name the instrument of every record delivered.
    pub fn poll_with(&mut self, max: usize, mut on: impl FnMut(Event<'_>, &InstrumentTable)) -> usize {
        let mut events = 0;
        let mut tell = |event: Event<'_>, instruments: &InstrumentTable| {
            events += 1;
            on(event, instruments);
        };
        if !self.drain(max, &mut tell) {
            self.tend(&mut tell);
        }
        events
    }

    /// Asks the producers that are attached now to publish their books whole: for a reader that joined late or missed records. The images
    /// come with the stream, to all readers. The relay passes requests on once a second at most and forgets none.
    ///
    /// Does nothing while detached, and never blocks: a socket that is full of requests needs no further one.
    pub fn request_images(&mut self) {
        if let State::Attached(source) = &mut self.state {
            source.request_images();
        }
    }

    /// The instruments of the stream so far.
    #[must_use]
    pub fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    /// Whether there is a relay.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        matches!(self.state, State::Attached(_))
    }

    /// The position of the next record, 0 before the first attach.
    #[must_use]
    pub fn position(&self) -> u64 {
        match &self.state {
            State::Attached(source) => source.position(),
            State::Detached { .. } | State::Greeting(_) => self.resume.map_or(0, |(_, position)| position),
        }
    }

    /// Records between this reader and the relay's newest.
    #[must_use]
    pub fn lag(&self) -> u64 {
        match &self.state {
            State::Attached(source) => source.lag(),
            State::Detached { .. } | State::Greeting(_) => 0,
        }
    }

    /// Records known to be missing, those lapped included.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.tracker.missing()
    }

    /// Records left out because they came before.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.tracker.duplicates()
    }

    /// Positions that the relay overwrote before this reader read them.
    #[must_use]
    pub fn lapped(&self) -> u64 {
        self.lapped
    }

    /// Reads up to `max` steps; whether there was any.
    fn drain(&mut self, max: usize, tell: &mut impl FnMut(Event<'_>, &InstrumentTable)) -> bool {
        let mut steps = 0;
        while steps < max {
            let State::Attached(source) = &mut self.state else {
                break;
            };
            match source.next() {
                Ok(Step::Idle) => break,
                Ok(Step::Entry(entry)) => self.deliver(entry, tell),
                Ok(Step::Lapped(missed)) => self.lap(missed, tell),
                Ok(Step::Runs) => self.learn_runs(),
                Err(error) => {
                    warn!(%error, "the relay's stream cannot be read on; attaching again");
                    self.detach(tell);
                }
            }
            steps += 1;
        }
        if steps > 0 {
            self.count();
        }
        steps > 0
    }

    fn deliver(&mut self, entry: Entry, tell: &mut impl FnMut(Event<'_>, &InstrumentTable)) {
        let received = Received {
            record: entry.record,
            position: entry.position,
            published_ns: entry.published_ns,
        };
        let id = received.record.instrument();
        if id != InstrumentId::NONE && self.instruments.get(id).is_none() {
            self.learn_instruments();
        }
        match self.tracker.observe(&received.record) {
            Observation::Duplicate => return,
            Observation::InOrder => {}
            Observation::Missing(count) => {
                let venue = received.record.venue();
                tell(Event::Missing { venue, count }, &self.instruments);
            }
        }
        self.metrics.records.add(1);
        tell(Event::Record(&received), &self.instruments);
    }

    fn lap(&mut self, missed: u64, tell: &mut impl FnMut(Event<'_>, &InstrumentTable)) {
        self.lapped = self.lapped.saturating_add(missed);
        self.tracker.lapped(missed);
        self.learn_runs();
        self.learn_instruments();
        tell(Event::Lapped { missed }, &self.instruments);
    }

    /// Tells the tracker which life of each producer the stream carries, where the records that said so are not to be read any more.
    fn learn_runs(&mut self) {
        let State::Attached(source) = &self.state else {
            return;
        };
        for (venue, run_id) in source.runs() {
            let status = StatusCode::ProducerAttached;
            let record = status.record(venue, InstrumentId::NONE, 0, run_id as i64, Record::ABSENT);
            self.tracker.observe(&Record {
                flags: record.flags | Flags::FROM_RELAY.0,
                ..record
            });
        }
    }

    fn learn_instruments(&mut self) {
        let State::Attached(source) = &mut self.state else {
            return;
        };
        if let Err(error) = source.new_instruments(&mut self.instruments) {
            warn!(%error, "the relay's instrument table cannot be read");
        }
    }

    /// Nothing to read: looks after the connection.
    fn tend(&mut self, tell: &mut impl FnMut(Event<'_>, &InstrumentTable)) {
        let now = Instant::now();
        match std::mem::replace(&mut self.state, State::Detached { retry_at: None }) {
            State::Detached { retry_at: Some(at) } if now < at => self.state = State::Detached { retry_at: Some(at) },
            State::Detached { .. } => self.greet(now),
            State::Greeting(greeting) => match greeting.poll(now) {
                Ok(Greeted::Waiting(greeting)) => self.state = State::Greeting(greeting),
                Ok(Greeted::Attached(source)) => self.attach(source, tell),
                Err(error) => self.put_off(&error, now),
            },
            State::Attached(source) => {
                let is_over = source.is_over();
                self.state = State::Attached(source);
                if is_over {
                    self.detach(tell);
                } else if now.duration_since(self.checked) >= CHECK_EVERY {
                    self.checked = now;
                    self.check();
                }
            }
        }
    }

    /// Once in a while, when idle.
    fn check(&mut self) {
        if let State::Attached(source) = &mut self.state {
            source.check();
        }
        self.learn_instruments();
        self.count();
    }

    fn greet(&mut self, now: Instant) {
        match Greeting::start(&self.config, &self.page, self.resume, now) {
            Ok(greeting) => self.state = State::Greeting(greeting),
            Err(error) => self.put_off(&error, now),
        }
    }

    /// Tries again later; says why once for each reason, except that nobody listens, which is normal.
    fn put_off(&mut self, error: &TransportError, now: Instant) {
        let reason = match error {
            TransportError::Connect { .. } => None,
            error => Some(error.to_string()),
        };
        if reason.is_some() && reason != self.last_refusal {
            warn!(%error, "cannot attach to the relay; trying again");
            self.last_refusal = reason;
        }
        self.state = State::Detached {
            retry_at: Some(now + self.retry),
        };
        self.retry = (self.retry * 2).min(RETRY_MAX);
    }

    fn attach(&mut self, source: Source, tell: &mut impl FnMut(Event<'_>, &InstrumentTable)) {
        let run_id = source.run_id();
        let is_new = self.resume.is_none_or(|(known, _)| known != run_id);
        if is_new {
            self.instruments = InstrumentTable::new();
        }
        self.state = State::Attached(source);
        self.learn_instruments();
        self.learn_runs();
        self.retry = RETRY_MIN;
        self.last_refusal = None;
        self.metrics.attached.set(1);
        self.metrics.attaches.add(1);
        info!(run_id, reader = self.config.name, "attached to the relay");
        tell(Event::Attached { run_id }, &self.instruments);
    }

    fn detach(&mut self, tell: &mut impl FnMut(Event<'_>, &InstrumentTable)) {
        if let State::Attached(source) = &self.state {
            self.resume = Some((source.run_id(), source.position()));
            info!(run_id = source.run_id(), reader = self.config.name, "the relay is gone");
        }
        self.state = State::Detached { retry_at: None };
        self.metrics.attached.set(0);
        self.count();
        tell(Event::Detached, &self.instruments);
    }

    fn count(&mut self) {
        let now = Counted {
            missing: self.missing(),
            duplicates: self.duplicates(),
            lapped: self.lapped,
        };
        let before = std::mem::replace(&mut self.counted, now);
        let metrics = &self.metrics;
        metrics.missing.add(now.missing - before.missing);
        metrics.duplicates.add(now.duplicates - before.duplicates);
        metrics.lapped.add(now.lapped - before.lapped);
        metrics.lag.set(i64::try_from(self.lag()).unwrap_or(i64::MAX));
    }
}
