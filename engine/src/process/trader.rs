//! The engine between the ring that it reads and the ring that it writes.

use std::time::{Duration, Instant};

use tickpath_protocol::trading::Reason;
use tickpath_protocol::{GapCause, Instrument, InstrumentId, InstrumentTable, Kind, Record, Venue};
use tickpath_transport::{Event, Idle, Latch, LatchState, Publisher, Received, Subscription, WaitStrategy, now_ns};
use tracing::{error, info};

use super::execution::SessionEngine;
use super::hot::{BATCH, HotError};
use super::meters::{Meters, Phase};
use super::past::Past;
use crate::engine::{Command, Outbox, StrategyState};
use crate::units::Time;

/// How long the end waits until what rests is canceled.
const CANCEL_PATIENCE: Duration = Duration::from_secs(1);
/// Of so many looks at the stream that found something, one is timed.
const TIMED_EVERY: u64 = 16;
/// Records that one record can lead to before the staging area has to grow.
const STAGED: usize = 8192;

/// Where the engine's records go.
pub(super) struct Wire {
    pub(super) publisher: Publisher,
    staged: Vec<Record>,
    pub(super) meters: Meters,
}

/// The engine at work.
pub(super) struct Trader {
    engine: SessionEngine,
    wire: Wire,
    latch: Latch,
    /// The latch's version that the engine was told of.
    seen: u64,
    followed: Vec<Instrument>,
    /// The relay is another one, and some ids were not compared yet.
    unproven: bool,
    last: Record,
    position: u64,
    wants_images: bool,
    /// Looks at the stream that found something.
    looks: u64,
    /// Since when it reads the stream: what was published before waited for it, not on its way.
    since_ns: i64,
    /// What was said of halts.
    halted: Option<Reason>,
}

impl Trader {
    /// An engine that did nothing yet; the stream's next record stands at `position`.
    pub(super) fn new(
        engine: SessionEngine,
        wire: Wire,
        latch: Latch,
        followed: Vec<Instrument>,
        position: u64,
    ) -> Trader {
        Trader {
            engine,
            wire,
            seen: latch.version(),
            latch,
            followed,
            unproven: false,
            last: Record::default(),
            position,
            wants_images: true,
            looks: 0,
            since_ns: 0,
            halted: None,
        }
    }

    /// Takes over the past and starts the strategies.
    pub(super) fn begin(&mut self, past: &Past) -> Result<(), HotError> {
        let now = now_ns();
        self.since_ns = now;
        let (engine, wire) = (&mut self.engine, &mut self.wire);
        for problem in engine.recover(&past.recovered, self.position, Time(now), wire) {
            error!("{problem}; trading is halted until `tickpath arm`");
        }
        let command = match self.latch.state() {
            LatchState::Killed { .. } => Some(Command::Kill),
            // The latch is a new file, and the journal says that it was set.
            LatchState::Armed { since_ns: 0 } if past.recovered.killed => {
                self.latch.kill(Reason::Killed as u8, now)?;
                self.seen = self.latch.version();
                Some(Command::Kill)
            }
            LatchState::Armed { .. } => past.recovered.killed.then_some(Command::Arm),
        };
        if let Some(command) = command {
            self.command(command);
        }
        self.engine.start(self.position, Time(now), &mut self.wire);
        self.wire.send(0);
        self.wire.meters.enter(Phase::Running);
        self.wire.meters.show(&self.engine);
        info!(
            position = self.position,
            killed = self.engine.is_killed(),
            "the engine runs"
        );
        Ok(())
    }

    /// Reads what there is; the number of events.
    pub(super) fn turn(&mut self, subscription: &mut Subscription) -> Result<usize, HotError> {
        self.look_at_latch();
        let mut failure = None;
        let mut is_timed = self.looks.is_multiple_of(TIMED_EVERY);
        let events = subscription.poll_with(BATCH, |event, instruments| match event {
            Event::Record(received) => {
                if std::mem::take(&mut is_timed) && received.published_ns >= self.since_ns {
                    let meters = &self.wire.meters;
                    meters.publish_to_engine.record_between(received.published_ns, now_ns());
                }
                if self.unproven
                    && let Err(error) = self.prove(instruments)
                {
                    failure.get_or_insert(error);
                }
                if failure.is_none() {
                    self.on_record(received);
                }
            }
            Event::Lapped { missed } => self.on_loss(Venue::NONE, missed),
            Event::Missing { venue, count } if venue != Venue::PAPER => self.on_loss(venue, count),
            Event::Missing { .. } => {}
            Event::Attached { run_id } => {
                tickpath_service::logging::set_run_id(run_id);
                (self.unproven, self.wants_images) = (true, true);
                self.since_ns = now_ns();
            }
            Event::Detached => {}
        });
        self.looks = self.looks.wrapping_add(u64::from(events > 0));
        if let Some(error) = failure.or_else(|| self.wire.publisher.fatal().map(HotError::from)) {
            return Err(error);
        }
        if self.wants_images && subscription.is_attached() {
            subscription.request_images();
            self.wants_images = false;
        }
        self.tell_panics();
        self.tell_halt();
        self.wire.meters.refresh(&self.engine, now_ns());
        Ok(events)
    }

    /// Says what made strategies panic.
    fn tell_panics(&mut self) {
        while let Some(panic) = self.engine.take_panic() {
            error!(
                strategy = panic.strategy,
                name = panic.name,
                "the strategy panicked and is over, the others trade on: {}",
                panic.message
            );
        }
    }

    /// Says that trading was halted, once for each time.
    fn tell_halt(&mut self) {
        let halted = self.engine.halted();
        if halted != self.halted {
            self.halted = halted;
            if let Some(reason) = halted {
                error!(reason = reason.name(), "trading is halted until `tickpath arm`");
            }
        }
    }

    fn on_record(&mut self, received: &Received) {
        self.look_at_latch();
        self.position = received.position + 1;
        self.last = received.record;
        self.engine
            .on_record(&received.record, received.position, &mut self.wire);
        self.wire.meters.records.add(1);
        self.wire.send(received.published_ns);
    }

    #[inline]
    fn look_at_latch(&mut self) {
        let version = self.latch.version();
        if version != self.seen {
            self.on_latch(version);
        }
    }

    #[cold]
    fn on_latch(&mut self, version: u64) {
        self.seen = version;
        let command = if self.latch.is_killed() {
            Command::Kill
        } else {
            Command::Arm
        };
        self.command(command);
        self.wire.send(0);
        self.wire.meters.show(&self.engine);
    }

    fn command(&mut self, command: Command) {
        match self.engine.command(command, &mut self.wire) {
            Ok(()) => info!(?command, note = self.latch.note(), "command"),
            Err(error) => error!(?command, %error, "the engine refuses a command"),
        }
    }

    /// Records are lost to the engine: what they were about is not traded until it is whole again.
    #[cold]
    fn on_loss(&mut self, venue: Venue, count: u64) {
        self.wire.meters.gaps.add(1);
        self.wire.meters.missed.add(count);
        let (cause, absent) = (GapCause::NotRecorded, Record::ABSENT);
        let time = self.last.ts_recv;
        let gap = cause.record(venue, InstrumentId::NONE, time, time, absent, absent);
        self.engine
            .on_record(&gap, self.position.saturating_sub(1), &mut self.wire);
        self.wire.send(0);
        self.wants_images = true;
    }

    /// Compares what the new relay's ids mean with what they meant.
    #[cold]
    fn prove(&mut self, table: &InstrumentTable) -> Result<(), HotError> {
        let mut waits = false;
        for instrument in &self.followed {
            match table.get(instrument.id) {
                None => waits = true,
                Some(now) if now.symbol == instrument.symbol && now.scale == instrument.scale => {}
                Some(_) => return Err(HotError::InstrumentChanged(instrument.id)),
            }
        }
        self.unproven = waits;
        Ok(())
    }

    /// Stops the strategies, waits until their orders are gone, and says so.
    pub(super) fn end(mut self, subscription: &mut Subscription) -> Result<(), HotError> {
        self.wire.meters.enter(Phase::Stopping);
        for strategy in 0..=u16::MAX {
            match self.engine.strategy_state(strategy) {
                None => break,
                Some(StrategyState::Stopped | StrategyState::Error) => {}
                Some(_) => self.command(Command::Stop(strategy)),
            }
        }
        self.wire.send(0);
        let deadline = Instant::now() + CANCEL_PATIENCE;
        let mut idle = Idle::new(WaitStrategy::Sleep);
        while !self.engine.orders().open().is_empty() && Instant::now() < deadline {
            if self.turn(subscription)? == 0 {
                idle.idle();
            }
        }
        info!(open_orders = self.engine.orders().open().len(), "the engine is down");
        Ok(())
    }
}

impl Outbox for Wire {
    fn publish(&mut self, record: &Record) {
        self.staged.push(*record);
    }
}

impl Wire {
    pub(super) fn new(publisher: Publisher, meters: Meters) -> Wire {
        Wire {
            publisher,
            staged: Vec::with_capacity(STAGED),
            meters,
        }
    }

    /// Publishes what the engine said, which answers a record that the relay published at `cause_ns`; 0 if it answers none.
    #[inline]
    fn send(&mut self, cause_ns: i64) {
        if !self.staged.is_empty() {
            self.send_staged(cause_ns);
        }
    }

    #[inline(never)]
    fn send_staged(&mut self, cause_ns: i64) {
        let now = now_ns();
        for record in &mut self.staged {
            record.ts_recv = now;
        }
        self.publisher.publish_all(&self.staged);
        self.publisher.flush();
        let has_order = self
            .staged
            .iter()
            .any(|record| record.kind == Kind::OrderSubmitted as u8);
        if has_order && cause_ns > 0 {
            self.meters.tick_to_order.record_between(cause_ns, now);
        }
        self.meters.count(&self.staged);
        self.staged.clear();
    }
}
