//! The reading thread: from the ring to chunks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tickpath_protocol::{GapCause, InstrumentId, InstrumentTable, Record, Venue};
use tickpath_service::{Pulse, Shutdown, Throttle};
use tickpath_transport::{CounterPage, Event, Idle, LatencyHistogram, Received, Subscription, WaitStrategy, now_ns};
use tracing::error;

use super::chunk::{Chunk, FullChunks, Part, Pool};
use super::metrics::Metrics;

/// How long a record waits for others before its chunk is handed on.
const FLUSH_EVERY: Duration = Duration::from_millis(5);

/// See the module.
#[derive(Debug)]
pub struct Reader {
    subscription: Subscription,
    pool: Pool,
    chunks: FullChunks,
    metrics: Arc<Metrics>,
    publish_to_recorder: LatencyHistogram,
    follower: Follower,
}

/// What the events of the stream come to.
#[derive(Debug)]
struct Follower {
    chunk: Option<Box<Chunk>>,
    /// Instruments of each venue that were handed on, and their sum.
    known: [usize; 256],
    known_sum: usize,
    run_id: Option<u64>,
    /// Position after the last record.
    next_position: u64,
    /// Positions missed before the next record.
    missed: u64,
    /// Records of the next record's producer that are missing before it.
    missing: u64,
    /// Attached to another run than before; where in it the reader begins is not written down yet.
    joined: bool,
    /// Something was recorded before: what a run had before its oldest record is missed.
    has_past: bool,
    laps: u64,
    /// Since when it reads this run, ns since the Unix epoch: what was published before waited for it, not on its way.
    attached_ns: i64,
    /// When the first record of this look was published, and when it was read.
    first: Option<(i64, i64)>,
    alarm: Throttle,
}

impl Reader {
    /// Reads `subscription`; `has_past` if the journal holds records of an earlier recorder.
    pub fn new(
        subscription: Subscription,
        pool: Pool,
        chunks: FullChunks,
        metrics: Arc<Metrics>,
        page: &CounterPage,
        has_past: bool,
    ) -> Reader {
        let next_position = subscription.position();
        Reader {
            subscription,
            pool,
            chunks,
            metrics,
            publish_to_recorder: page.latency(
                "tickpath_recorder_publish_to_recorder_ns",
                "",
                "From the relay's publish to the recorder's read, of the first record of each look at the stream.",
            ),
            follower: Follower {
                chunk: None,
                known: [0; 256],
                known_sum: 0,
                run_id: None,
                next_position,
                missed: 0,
                missing: 0,
                joined: false,
                has_past,
                laps: 0,
                attached_ns: 0,
                first: None,
                alarm: Throttle::per_second(),
            },
        }
    }

    /// Works until `shutdown`, a beat a turn.
    pub fn run(mut self, wait: WaitStrategy, shutdown: &Shutdown, pulse: &Pulse) {
        let mut idle = Idle::new(wait);
        let mut flushed = Instant::now();
        while !shutdown.is_requested() {
            pulse.beat();
            if self.turn(&mut flushed) {
                idle.reset();
            } else {
                idle.idle();
            }
        }
        self.hand_on();
    }

    /// Reads what is there; whether there was anything.
    fn turn(&mut self, flushed: &mut Instant) -> bool {
        if self.follower.chunk.is_none() {
            self.follower.chunk = self.pool.take();
        }
        let Some(chunk) = &self.follower.chunk else {
            self.metrics.behind.add(1);
            return false;
        };
        let (room, was_empty) = (chunk.room(), chunk.is_empty());
        let follower = &mut self.follower;
        let events = self
            .subscription
            .poll_with(room, |event, instruments| follower.take(event, instruments));
        if std::mem::take(&mut self.follower.joined) {
            // No record comes in the poll that attaches.
            self.follower.begin_at(self.subscription.position());
        }
        let now = Instant::now();
        if was_empty {
            *flushed = now;
        }
        if let Some((published_ns, read_ns)) = self.follower.first.take() {
            self.publish_to_recorder.record_between(published_ns, read_ns);
        }
        if self.follower.laps > 0 {
            self.metrics.laps.add(std::mem::take(&mut self.follower.laps));
        }
        let is_due = self.follower.is_full() || now.duration_since(*flushed) >= FLUSH_EVERY;
        if is_due {
            self.hand_on();
        }
        events > 0
    }

    fn hand_on(&mut self) {
        let Some(chunk) = self.follower.chunk.take() else {
            return;
        };
        if chunk.is_empty() {
            self.follower.chunk = Some(chunk);
        } else if self.chunks.try_send(chunk).is_err() {
            // It has room for every chunk there is: the writing thread is gone, and the process ends for it.
            error!("the writing thread takes no more");
        }
    }
}

impl Follower {
    fn is_full(&self) -> bool {
        self.chunk.as_ref().is_some_and(|chunk| chunk.room() == 0)
    }

    fn take(&mut self, event: Event<'_>, instruments: &InstrumentTable) {
        match event {
            Event::Record(received) => self.take_record(received, instruments),
            Event::Missing { count, .. } => self.missing = count,
            Event::Lapped { missed } => self.lap(missed),
            Event::Attached { run_id } => self.attach(run_id),
            Event::Detached => {}
        }
    }

    fn attach(&mut self, run_id: u64) {
        self.attached_ns = now_ns();
        if self.run_id == Some(run_id) {
            return;
        }
        if self.missed > 0 {
            // The run before ended in a lap: no record of it follows.
            let (first_position, count) = (self.next_position, std::mem::take(&mut self.missed));
            self.push(Part::Missed { first_position, count });
        }
        self.joined = true;
        tickpath_service::logging::set_run_id(run_id);
        self.run_id = Some(run_id);
        self.next_position = 0;
        self.known = [0; 256];
        self.known_sum = 0;
        self.push(Part::Run(run_id));
    }

    fn lap(&mut self, missed: u64) {
        self.missed += missed;
        self.laps += 1;
        if let Some(suppressed) = self.alarm.pass(Instant::now()) {
            error!(
                missed,
                suppressed, "the relay overtook the recorder: a Gap record stands in for what was missed"
            );
        }
    }

    fn take_record(&mut self, received: &Received, instruments: &InstrumentTable) {
        if instruments.len() != self.known_sum {
            self.take_instruments(instruments);
        }
        if self.first.is_none() && received.published_ns >= self.attached_ns {
            self.first = Some((received.published_ns, now_ns()));
        }
        self.take_missed(received);
        self.next_position = received.position + 1;
        if let Some(chunk) = &mut self.chunk {
            chunk.push(received.position, received.record, received.published_ns);
        }
    }

    /// Writes down what is missing before a record.
    fn take_missed(&mut self, received: &Received) {
        let missing = std::mem::take(&mut self.missing);
        let missed = std::mem::take(&mut self.missed);
        if missed > 0 {
            self.push(Part::Missed {
                first_position: received.position.saturating_sub(missed),
                count: missed,
            });
        } else if missing > 0 {
            self.push_gap(received, missing);
        }
    }

    /// The reader begins at `position` of the run it just joined. What the journal holds of that run already, the appender leaves out.
    fn begin_at(&mut self, position: u64) {
        if self.has_past && position > 0 {
            self.push(Part::Missed {
                first_position: 0,
                count: position,
            });
        }
        self.has_past = true;
    }

    /// Records that the relay before had and we do not: the next relay's stream does not say so.
    fn push_gap(&mut self, received: &Received, missing: u64) {
        let record = &received.record;
        if GapCause::of(record).is_some_and(GapCause::is_of_producer) {
            return;
        }
        let last = record.sequence.saturating_sub(1);
        let first = record.sequence.saturating_sub(missing);
        let now = received.published_ns;
        let gap = GapCause::RelayLoss.record(record.venue(), InstrumentId::NONE, now, now, first as i64, last as i64);
        self.push(Part::Gap {
            position: received.position,
            record: Record { sequence: last, ..gap },
        });
    }

    fn take_instruments(&mut self, instruments: &InstrumentTable) {
        let mut new = Vec::new();
        for venue in 0..=u8::MAX {
            let of_venue = instruments.venue(Venue(venue));
            let known = &mut self.known[usize::from(venue)];
            new.extend_from_slice(&of_venue[(*known).min(of_venue.len())..]);
            *known = of_venue.len();
        }
        self.known_sum = instruments.len();
        self.push(Part::Instruments(new));
    }

    fn push(&mut self, part: Part) {
        if let Some(chunk) = &mut self.chunk {
            chunk.parts.push(part);
        }
    }
}
