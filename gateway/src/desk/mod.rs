//! Every order under way, the kill latch, and what rests at the venue although nobody here knows it.
//!
//! At the start the stream is read from its oldest record, and nothing is sent for what it says of the past: what the engine has open then is looked up at the venue, which
//! says what became of it. From the stream's end on, orders are sent as they come. Ids of orders only rise: one that does not is never sent.

mod sweep;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use tickpath_protocol::Scale;
use tickpath_protocol::trading::{ClientOrderId, News, Reason, VenueReport};
use tickpath_service::{Pulse, Shutdown};
use tickpath_transport::{Latch, now_ns};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::ask::Ask;
use crate::life::{Origin, Shared, Signals, live};
use crate::meters::Meters;
use crate::stream::Heard;
use crate::venue::wire::OpenRow;
use crate::venue::{Channel, Nudge, Rest, VenueSettings};

/// Orders under way at once; the engine has no more.
const LIVES_MAX: usize = 4_096;
/// Ends that are remembered, so that an order which a list still shows is not taken for a stranger.
const ENDED_MAX: usize = 4_096;
/// Between two looks at the latch and at the wish to stop.
const TICK: Duration = Duration::from_millis(5);
/// How long the end waits until what rests is canceled.
const END_PATIENCE: Duration = Duration::from_millis(2_500);
/// What a request may be on its way beyond the time in which it is to be answered.
const SETTLE: Duration = Duration::from_secs(1);
/// Nudges that may wait; the channel waits then.
const NUDGES_MAX: usize = 4_096;

/// The desk could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The venue's address or key cannot be used.
    #[error("{0}")]
    Venue(String),
    /// A task panicked; its message was printed.
    #[error("a task panicked: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// What the desk is made of.
pub struct DeskParts {
    /// How the venue is reached.
    pub venue: VenueSettings,
    /// The kill latch.
    pub latch: Latch,
    /// Counters.
    pub meters: Meters,
    /// Moved on every turn.
    pub pulse: Pulse,
    /// What the engine says.
    pub heard: mpsc::Receiver<Heard>,
    /// Where reports go.
    pub reports: mpsc::Sender<VenueReport>,
    /// The wish to stop.
    pub shutdown: Shutdown,
}

/// Runs until it is to stop, or nothing can be heard any more. To be called within a `LocalSet`.
///
/// # Errors
/// As [`DeskError`] says.
pub async fn run(parts: DeskParts) -> Result<(), DeskError> {
    let rest = Rest::new(&parts.venue).map_err(DeskError::Venue)?;
    let (nudge, mut nudges) = mpsc::channel(NUDGES_MAX);
    let (products, listed) = watch::channel(Vec::new());
    let channel = Channel {
        settings: parts.venue.clone(),
        products: listed,
        nudges: nudge,
        meters: parts.meters.clone(),
    };
    tokio::task::spawn_local(channel.run());
    let shared = Rc::new(Shared {
        rest,
        latch: parts.latch,
        meters: parts.meters,
        reports: parts.reports,
        names: RefCell::default(),
        started: Instant::now(),
        settle: parts.venue.timeout + SETTLE,
        look_every: sweep::EVERY,
    });
    let (swept, mut sweeps) = mpsc::channel(1);
    let mut desk = Desk {
        shared,
        products,
        scales: HashMap::new(),
        lives: HashMap::new(),
        tasks: JoinSet::new(),
        inherited: BTreeMap::new(),
        highest: ClientOrderId::NONE,
        caught_up: false,
        ended: VecDeque::new(),
        strangers: BTreeSet::new(),
        killed: false,
        swept,
        sweep_at: Instant::now(),
        sweeping: false,
        stop_at: None,
        pulse: parts.pulse,
    };
    desk.run(parts.heard, &mut nudges, &mut sweeps, &parts.shutdown).await
}

struct Desk {
    shared: Rc<Shared>,
    products: watch::Sender<Vec<String>>,
    scales: HashMap<String, Scale>,
    lives: HashMap<ClientOrderId, Rc<Signals>>,
    tasks: JoinSet<Ask>,
    /// Open in the stream's past, and why they are to be canceled, if they are.
    inherited: BTreeMap<ClientOrderId, (Ask, Option<Reason>)>,
    highest: ClientOrderId,
    caught_up: bool,
    ended: VecDeque<ClientOrderId>,
    /// The venue's names of what rested at the last look and nobody here knew.
    strangers: BTreeSet<String>,
    killed: bool,
    swept: mpsc::Sender<Option<Vec<OpenRow>>>,
    sweep_at: Instant,
    sweeping: bool,
    stop_at: Option<Instant>,
    pulse: Pulse,
}

impl Desk {
    async fn run(
        &mut self,
        mut heard: mpsc::Receiver<Heard>,
        nudges: &mut mpsc::Receiver<Nudge>,
        sweeps: &mut mpsc::Receiver<Option<Vec<OpenRow>>>,
        shutdown: &Shutdown,
    ) -> Result<(), DeskError> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                next = heard.recv() => match next {
                    Some(next) => self.hear(next),
                    None => shutdown.request(),
                },
                Some(nudge) = nudges.recv() => self.nudge(&nudge),
                Some(rows) = sweeps.recv() => self.take_sweep(rows),
                Some(ended) = self.tasks.join_next() => self.end(ended?),
                _ = tick.tick() => {}
            }
            self.look_round(shutdown);
            let is_over = self
                .stop_at
                .is_some_and(|at| self.lives.is_empty() || Instant::now() >= at);
            if is_over {
                info!(open = self.lives.len(), "the gateway is down");
                return Ok(());
            }
            if heard.is_closed() && heard.is_empty() {
                // The select above would turn round for nothing.
                tick.tick().await;
            }
        }
    }

    /// Latch, sweep, the wish to stop.
    fn look_round(&mut self, shutdown: &Shutdown) {
        self.pulse.beat();
        let now = Instant::now();
        let killed = self.shared.latch.is_killed();
        if killed != self.killed {
            self.killed = killed;
            self.shared.meters.killed.set(killed.into());
            if killed {
                warn!(
                    note = self.shared.latch.note(),
                    "the kill latch is set: everything is canceled and nothing sent"
                );
                self.cancel_all(Reason::Kill);
                self.cancel_at_venue();
                self.sweep_at = now;
            } else {
                info!("the kill latch is armed: orders may leave");
            }
        }
        if self.caught_up && !self.sweeping && now >= self.sweep_at {
            self.sweep();
        }
        if shutdown.is_requested() && self.stop_at.is_none() {
            self.stop_at = Some(now + END_PATIENCE);
            self.cancel_all(Reason::Restart);
        }
        self.shared.meters.heartbeat.set(now_ns());
        self.shared.meters.open.set(self.lives.len() as i64);
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Product { name, scale } => {
                self.scales.insert(name, scale);
            }
            Heard::Submitted(ask) => self.on_submitted(ask),
            Heard::CancelAsked(ask) => self.on_cancel(ask, false),
            Heard::AccountAsked(ask) => self.on_cancel(ask, true),
            Heard::ReplaceAsked(ask) if self.caught_up => {
                self.shared.meters.refused.add(1);
                self.tell(ask, News::ReplaceRefused);
            }
            Heard::ReplaceAsked(_) => {}
            Heard::Ended(id) => {
                self.inherited.remove(&id);
            }
            // What earlier sessions left the engine asks for, if it wants to know.
            Heard::Session(session) => self
                .inherited
                .retain(|id, (_, cancel)| id.session() >= session || cancel.is_some()),
            Heard::CaughtUp => self.begin(),
            Heard::EngineGone => self.cancel_all(Reason::Restart),
            Heard::Blind | Heard::Lost if self.caught_up => {
                self.shared.meters.missed.add(1);
                warn!("the stream of the engine's orders broke off: what rests is canceled");
                self.cancel_all(Reason::Restart);
            }
            // Whatever it was of the past, the sweeps find what rests.
            Heard::Blind | Heard::Lost => {}
        }
    }

    fn on_submitted(&mut self, ask: Ask) {
        if ask.id <= self.highest {
            warn!(order = %ask.id, "an order id that was there before: not sent");
            return;
        }
        self.highest = ask.id;
        if !self.caught_up {
            self.inherited.insert(ask.id, (ask, None));
        } else if self.stop_at.is_some() || self.lives.len() >= LIVES_MAX {
            self.shared.meters.refused.add(1);
            self.tell(ask, News::Rejected(Reason::OpenOrders));
        } else {
            self.start(ask, Origin::New, None);
        }
    }

    fn on_cancel(&mut self, ask: Ask, wants_account: bool) {
        // An order whose submission was missed here is never sent.
        self.highest = self.highest.max(ask.id);
        let reason = Reason::Requested;
        if !self.caught_up {
            self.inherited.entry(ask.id).or_insert((ask, None)).1 = Some(reason);
        } else if let Some(signals) = self.lives.get(&ask.id) {
            if wants_account {
                signals.ask_account();
            }
            signals.cancel(reason);
        } else {
            // Over, or from before this process: the venue says what became of it, once more if need be.
            self.start(ask, Origin::Found, Some(reason));
        }
    }

    /// The past is known: what the engine has open is looked up.
    fn begin(&mut self) {
        self.caught_up = true;
        let inherited = std::mem::take(&mut self.inherited);
        info!(open_orders = inherited.len(), "the gateway runs");
        for (ask, cancel) in inherited.into_values() {
            // Whoever waits for it since before this process: there was never a replacement.
            self.tell(ask.clone(), News::ReplaceRefused);
            self.start(ask, Origin::Found, cancel);
        }
    }

    fn start(&mut self, ask: Ask, origin: Origin, cancel: Option<Reason>) {
        let (id, signals) = (ask.id, Rc::new(Signals::default()));
        if let Some(product) = &ask.product {
            self.subscribe(product);
        }
        if let Some(reason) = cancel.or(self.killed.then_some(Reason::Kill)) {
            signals.cancel(reason);
        }
        self.lives.insert(id, Rc::clone(&signals));
        let shared = Rc::clone(&self.shared);
        self.tasks.spawn_local(live(shared, ask, origin, signals));
    }

    /// Has the channel speak of a product's orders too.
    fn subscribe(&self, product: &str) {
        self.products.send_if_modified(|known| {
            let is_new = !known.iter().any(|known| known == product);
            if is_new {
                known.push(product.to_owned());
            }
            is_new
        });
    }

    fn end(&mut self, ask: Ask) {
        let id = ask.id;
        if let Some(signals) = self.lives.remove(&id)
            && signals.take_account()
        {
            // Asked for after its last look: a new life tells all of it.
            return self.start(ask, Origin::Found, Some(Reason::Requested));
        }
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(id);
    }

    fn nudge(&self, nudge: &Nudge) {
        match nudge {
            Nudge::Order(name) => {
                if let Some(signals) = self.shared.names.borrow().get(name) {
                    signals.nudge();
                }
            }
            Nudge::All => self.lives.values().for_each(|signals| signals.nudge()),
        }
    }

    fn cancel_all(&mut self, reason: Reason) {
        for signals in self.lives.values() {
            signals.cancel(reason);
        }
        for (_, cancel) in self.inherited.values_mut() {
            cancel.get_or_insert(reason);
        }
    }

    fn tell(&self, ask: Ask, news: News) {
        let shared = Rc::clone(&self.shared);
        tokio::task::spawn_local(async move { shared.tell(&ask, news).await });
    }
}
