//! The one thread that trades: record in, engine, records out.
//!
//! 1. It waits for the relay, and until every market that a strategy names is known there.
//! 2. It reads what earlier sessions left, and takes it over.
//! 3. It reads the stream from there on. The kill latch is looked at before every record and on every idle turn, so whatever happens, a stop of the
//!    process included, nothing is decided after a kill.
//! 4. Asked to stop, it stops the strategies and waits a moment until their orders are canceled; what is left then the next session cancels.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tickpath_protocol::{InstrumentId, Venue};
use tickpath_service::config::Config;
use tickpath_service::lifecycle::PinError;
use tickpath_service::{Pulse, Shutdown, pin_current_thread};
use tickpath_transport::{
    CounterPage, Event, Idle, Latch, LatchError, Publisher, PublisherConfig, Start, Subscription, SubscriptionConfig,
    TransportError, Via, urgency,
};
use tracing::{error, info, warn};

use super::execution::SessionEngine;
use super::meters::{Meters, Phase};
use super::past::{self, Head, Past};
use super::session::{self, SessionError};
use super::setup::{self, BuildProblem, Markets};
use super::trader::{Trader, Wire};
use super::{NAME, wait_strategy};

/// Records between two looks at the clock and at the wish to stop.
pub(super) const BATCH: usize = 256;
/// Markets that are not there after this time are named in the log.
const PATIENCE: Duration = Duration::from_secs(30);
/// Why the thread ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum HotError {
    /// The core is not there.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// No memory, or the relay refuses.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The kill latch cannot be used.
    #[error(transparent)]
    Latch(#[from] LatchError),
    /// The session's number cannot be had.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The configuration does not fit the instruments.
    #[error(transparent)]
    Build(#[from] BuildProblem),
    /// After a relay's new start an id means something else.
    #[error("instrument {0:?} is another one since the relay started again: the engine has to start again too")]
    InstrumentChanged(InstrumentId),
    /// The thread cannot be started.
    #[error("cannot start the hot thread: {0}")]
    Thread(String),
}

/// The hot thread's things before it trades.
pub struct Hot {
    config: Config,
    shutdown: Shutdown,
    subscription: Subscription,
    wire: Wire,
    latch: Latch,
    run_id: u64,
}

impl Hot {
    /// Opens the latch, makes the ring, and looks for the relay.
    ///
    /// # Errors
    /// If the latch is not usable, there is no memory, or a relay refuses for good.
    pub fn new(config: &Config, page: &CounterPage, shutdown: Shutdown) -> Result<Hot, HotError> {
        let latch = Latch::open(&config.kill_latch())?;
        let socket = config.relay_socket();
        let publisher = PublisherConfig {
            socket: socket.clone(),
            venue: Venue::PAPER,
            name: NAME.to_owned(),
            capacity: config.engine.ring_capacity.0,
            via: Via::SharedMemory,
        };
        let subscription = SubscriptionConfig {
            socket,
            name: NAME.to_owned(),
            start: Start::Live,
            via: Via::SharedMemory,
        };
        let meters = Meters::new(page);
        meters.enter(Phase::Waiting);
        Ok(Hot {
            subscription: Subscription::new(subscription, page),
            wire: Wire::new(Publisher::new(publisher, page)?, meters),
            latch,
            shutdown,
            config: config.clone(),
            run_id: 0,
        })
    }

    /// Of the thread.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.wire.meters.pulse()
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn spawn(self) -> Result<JoinHandle<Result<(), HotError>>, HotError> {
        let thread = std::thread::Builder::new().name("hot".into());
        thread
            .spawn(|| self.run())
            .map_err(|error| HotError::Thread(error.to_string()))
    }

    fn run(mut self) -> Result<(), HotError> {
        pin_current_thread(self.config.engine.pin)?;
        urgency::prompt();
        let Some((head, instruments)) = self.find_market()? else {
            return Ok(());
        };
        self.wire.meters.enter(Phase::Recovering);
        let (shutdown, meters) = (&self.shutdown, &self.wire.meters);
        let past = past::read(&self.config, self.subscription.instruments(), head, &mut || {
            meters.enter(Phase::Recovering);
            !shutdown.is_requested()
        });
        if self.shutdown.is_requested() {
            return Ok(());
        }
        session::claim(
            &self.config.engine_state_dir(),
            self.config.engine.venue.name(),
            past.recovered.session,
        )?;
        let session = session::next(&self.config.engine_state_dir(), past.recovered.session)?;
        let engine = setup::build(&self.config, session, &instruments)?;
        self.wire.meters.follow(&self.config, &engine, session, &instruments);
        tell(&past, session);
        self.trade(engine, &past, instruments)
    }

    /// Waits for the relay and the markets; `None` if the process is to stop.
    fn find_market(&mut self) -> Result<Option<(Head, Markets)>, HotError> {
        let mut idle = Idle::new(wait_strategy(self.config.engine.wait));
        let mut complain_at = Some(Instant::now() + PATIENCE);
        let (mut head, mut known) = (None, usize::MAX);
        while !self.shutdown.is_requested() {
            if let Some(error) = self.wire.publisher.fatal() {
                return Err(error.into());
            }
            let run_id = &mut self.run_id;
            let events = self.subscription.poll(BATCH, |event| {
                if let Event::Attached { run_id: new } = event {
                    tickpath_service::logging::set_run_id(new);
                    (*run_id, head) = (new, None);
                }
            });
            if head.is_none() && self.subscription.is_attached() && self.wire.publisher.is_attached() {
                // An earlier engine's ring was read to its end before this one's was taken: all of it stands before this position.
                head = Some(Head {
                    run_id: self.run_id,
                    position: self.subscription.position() + self.subscription.lag(),
                });
                known = usize::MAX;
            }
            if let Some(head) = head
                && known != self.subscription.instruments().len()
            {
                known = self.subscription.instruments().len();
                match setup::instruments(&self.config, self.subscription.instruments().iter()) {
                    Ok(instruments) => return Ok(Some((head, instruments))),
                    Err(missing) if complain_at.is_some_and(|at| Instant::now() >= at) => {
                        complain_at = None;
                        let missing: Vec<String> = missing.into_iter().map(String::from).collect();
                        warn!(
                            markets = missing.join(", "),
                            "no collector knows these markets, which strategies name: nothing is traded until one does"
                        );
                    }
                    Err(_) => {}
                }
            }
            self.wire.meters.enter(Phase::Waiting);
            if events == 0 {
                idle.idle();
            } else {
                idle.reset();
            }
        }
        Ok(None)
    }

    fn trade(self, engine: SessionEngine, past: &Past, instruments: Markets) -> Result<(), HotError> {
        let Hot {
            config,
            shutdown,
            mut subscription,
            wire,
            latch,
            ..
        } = self;
        let followed = instruments.into_iter().flatten().collect();
        let mut trader = Trader::new(engine, wire, latch, followed, subscription.position());
        trader.begin(past)?;
        let mut idle = Idle::new(wait_strategy(config.engine.wait));
        while !shutdown.is_requested() {
            if trader.turn(&mut subscription)? == 0 {
                idle.idle();
            } else {
                idle.reset();
            }
        }
        trader.end(&mut subscription)
    }
}

/// Says what earlier sessions left.
fn tell(past: &Past, session: u32) {
    let found = &past.recovered;
    for problem in &past.problems {
        error!("{problem}");
    }
    if past.has_journal {
        let image = found.image.map_or_else(
            || "none: from the journal's first record".to_owned(),
            |image| format!("of session {} at index {}", image.session, past.from_index),
        );
        info!(
            session,
            image,
            searched_segments = past.search.segments,
            searched_records = past.search.records,
            records = past.records,
            events = found.events,
            last_session = found.session,
            open_orders = found.open.len(),
            positions = found.positions_held(),
            killed = found.killed,
            "recovered from the journal"
        );
    } else {
        info!(session, "there is no journal: the engine starts flat");
    }
}
