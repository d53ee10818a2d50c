//! The watchdog: a process that presses the kill switch when those who trade cannot be trusted to.
//!
//! It sees what anyone can see, the stream and the counter pages, and asks nobody. It latches when
//!
//! - no record of any traded instrument came for `engine.watchdog.stale_ms`,
//! - all strategies together lost `engine.watchdog.loss_max` in a currency, since the start or the last arming,
//! - the engine, once it ran, gave no sign of life for `engine.watchdog.silence_ms`.
//!
//! Each act is an ERROR line and a count. It never arms: that is for people.

pub mod judge;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tickpath_protocol::InstrumentId;
use tickpath_service::{Config, Pulse, Shutdown, logging};
use tickpath_transport::counters::{CounterView, Value};
use tickpath_transport::{
    Counter, CounterPage, Event, Gauge, Latch, LatchError, Observer, Start, Subscription, SubscriptionConfig, Via,
    now_ns,
};
use tracing::{error, info};

use self::judge::{Judge, Sight};
use super::setup;

/// The name at the relay and of the counter page.
pub const NAME: &str = "kill-watchdog";
/// Between two looks at the engine's page.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// While there is nothing to read.
const PAUSE: Duration = Duration::from_millis(5);

/// The watchdog's eyes and its hand.
#[derive(Debug)]
pub struct Watchdog {
    config: Config,
    latch: Latch,
    subscription: Subscription,
    observer: Option<Observer>,
    judge: Judge,
    traded: Vec<InstrumentId>,
    known: usize,
    killed: Gauge,
    acts: Counter,
    was_killed: bool,
    pulse: Pulse,
}

impl Watchdog {
    /// Opens the latch.
    ///
    /// # Errors
    /// If it is not usable.
    pub fn new(config: &Config, page: &CounterPage) -> Result<Watchdog, LatchError> {
        let latch = Latch::open(&config.kill_latch())?;
        let subscription = SubscriptionConfig {
            socket: config.relay_socket(),
            name: NAME.to_owned(),
            start: Start::Live,
            via: Via::SharedMemory,
        };
        Ok(Watchdog {
            subscription: Subscription::new(subscription, page),
            observer: None,
            judge: Judge::new(&config.engine.watchdog),
            traded: Vec::new(),
            known: 0,
            killed: page.gauge("tickpath_watchdog_killed", "", "1 while the kill switch is latched."),
            acts: page.counter(
                "tickpath_watchdog_kills_total",
                "",
                "Times that the watchdog pressed the kill switch.",
            ),
            was_killed: latch.is_killed(),
            config: config.clone(),
            pulse: Pulse::new(),
            latch,
        })
    }

    /// Of its loop.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Watches until it is told to stop.
    pub fn run(mut self, shutdown: &Shutdown) {
        let mut look_at = Instant::now();
        while !shutdown.is_requested() {
            self.pulse.beat();
            let events = self.read();
            let now = Instant::now();
            if now >= look_at {
                look_at = now + LOOK_EVERY;
                self.look();
                self.act();
            }
            if events == 0 {
                std::thread::sleep(PAUSE);
            }
        }
        info!("the watchdog is down");
    }

    fn read(&mut self) -> usize {
        let (traded, mut came) = (&self.traded, false);
        let events = self.subscription.poll(1024, |event| match event {
            Event::Record(received) => {
                // The engine's own records speak of these instruments too.
                let record = &received.record;
                came |= traded.contains(&record.instrument()) && record.venue() == record.instrument().venue();
            }
            Event::Attached { run_id } => logging::set_run_id(run_id),
            Event::Lapped { .. } | Event::Missing { .. } | Event::Detached => {}
        });
        if came {
            self.judge.on_data(Instant::now());
        }
        events
    }

    fn look(&mut self) {
        if self.known != self.subscription.instruments().len() {
            self.known = self.subscription.instruments().len();
            if let Ok(found) = setup::instruments(&self.config, self.subscription.instruments().iter()) {
                self.traded = found.into_iter().flatten().map(|instrument| instrument.id).collect();
            }
        }
        if self.observer.is_none() {
            // No relay: it is tried again, and the engine's silence counts meanwhile.
            self.observer = Observer::attach(&self.config.relay_socket()).ok();
        }
        let sight = match self.observer.as_mut().map(Observer::refresh) {
            Some(Ok(views)) => views.iter().find(|view| view.process() == super::NAME).map(sight),
            Some(Err(_)) => {
                self.observer = None;
                None
            }
            None => None,
        };
        self.judge.on_sight(sight, Instant::now());
    }

    fn act(&mut self) {
        let (is_killed, now) = (self.latch.is_killed(), Instant::now());
        if self.was_killed && !is_killed {
            info!("the kill switch was armed");
            self.judge.on_armed(now);
        }
        self.was_killed = is_killed;
        self.killed.set(is_killed.into());
        let Some(verdict) = self.judge.verdict(now).filter(|_| !is_killed) else {
            return;
        };
        if let Err(error) = self.latch.write_note(&verdict.words) {
            error!(%error, "the reason of the kill could not be written");
        }
        match self.latch.kill(verdict.reason as u8, now_ns()) {
            Ok(_) => error!(
                reason = verdict.reason.name(),
                "{}: the kill switch is latched; `tickpath arm` takes it back", verdict.words
            ),
            Err(error) => error!(%error, "{}: the kill switch is latched until the machine stops", verdict.words),
        }
        self.acts.add(1);
        self.was_killed = true;
        self.killed.set(1);
    }
}

fn sight(view: &CounterView) -> Sight {
    let mut sight = Sight::default();
    let mut gains = BTreeMap::new();
    for metric in view.metrics() {
        let Value::Gauge(value) = metric.value else { continue };
        match metric.name.as_str() {
            "tickpath_engine_phase" => sight.phase = value,
            "tickpath_engine_heartbeat_ns" => sight.heartbeat_ns = value,
            "tickpath_engine_pnl_e8" => {
                let of_all = metric.labels.strip_prefix("strategy=\"all\",currency=\"");
                if let Some(currency) = of_all {
                    gains.insert(currency.trim_end_matches('"').to_owned(), value);
                }
            }
            _ => {}
        }
    }
    Sight { gains, ..sight }
}
