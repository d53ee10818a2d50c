//! One order, from its sending to its end: a single conversation with the venue, so nothing of it overtakes itself.
//!
//! ```text
//!  new ──send──▶ taken ─────────▶ look ◀── news on the channel, a cancel, some time
//!          │└──▶ refused: rejected │ └─▶ done: last fills, the end
//!          └───▶ unknown ─────────▶┘ └─▶ the venue has none of the name: only once it was long enough ago
//! ```

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tickpath_protocol::trading::{News, Reason, VenueReport};
use tickpath_transport::{Latch, now_ns};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tracing::{debug, error, warn};

use crate::ask::{Ask, client_oid};
use crate::case::Case;
use crate::meters::Meters;
use crate::venue::{CallError, Placed, Rest};

/// An order that the engine published longer ago is not sent any more: the market that it was meant for is gone.
const AGE_NS_MAX: i64 = 5_000_000_000;
/// Pauses between questions that got no answer, or not the last one.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What all lives share.
pub(crate) struct Shared {
    pub rest: Rest,
    pub latch: Latch,
    pub meters: Meters,
    pub reports: mpsc::Sender<VenueReport>,
    /// By the venue's names of orders.
    pub names: RefCell<HashMap<String, Rc<Signals>>>,
    pub started: Instant,
    /// How long a request may be on its way: after this a venue that has no order of a name will not get one any more.
    pub settle: Duration,
    /// Between two looks at an order that nothing was heard of.
    pub look_every: Duration,
}

/// What others tell a life.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    news: Notify,
    cancel: Cell<Option<Reason>>,
    account: Cell<bool>,
}

impl Signals {
    /// Look at the order.
    pub fn nudge(&self) {
        self.news.notify_one();
    }

    /// Cancel the order; the first reason stands.
    pub fn cancel(&self, reason: Reason) {
        self.cancel.set(self.cancel.get().or(Some(reason)));
        self.news.notify_one();
    }

    /// Tell all of the order again: whoever listens now may have missed some.
    pub fn ask_account(&self) {
        self.account.set(true);
        self.news.notify_one();
    }

    /// Whether all of it was asked for and not begun to be told since.
    pub fn take_account(&self) -> bool {
        self.account.take()
    }
}

/// Where an order comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The engine has just asked for it.
    New,
    /// It may have been sent by an earlier process, or never: it is not sent here.
    Found,
}

/// Sees an order through; returns it.
pub(crate) async fn live(shared: Rc<Shared>, ask: Ask, origin: Origin, signals: Rc<Signals>) -> Ask {
    let mut life = Life {
        case: Case::new(ask),
        origin,
        venue_id: None,
        is_unknown: false,
        shared,
        signals,
    };
    life.run().await;
    life.set_unknown(false);
    if let Some(name) = life.venue_id {
        life.shared.names.borrow_mut().remove(&name);
    }
    life.case.ask
}

struct Life {
    shared: Rc<Shared>,
    signals: Rc<Signals>,
    case: Case,
    origin: Origin,
    venue_id: Option<String>,
    is_unknown: bool,
}

/// What a look at the venue showed.
enum Look {
    Open,
    Over,
    Absent,
}

impl Life {
    async fn run(&mut self) {
        if self.origin == Origin::New && !self.send().await {
            return;
        }
        let proven_at = match self.origin {
            Origin::New => Instant::now() + self.shared.settle,
            Origin::Found => self.shared.started + self.shared.settle,
        };
        let mut pause = Duration::ZERO;
        loop {
            if self.signals.take_account() {
                self.case.tell_again();
            }
            let wait = match self.look().await {
                Ok(Look::Over) => return,
                Ok(Look::Absent) if self.case.was_seen() || Instant::now() >= proven_at => {
                    return self.tell_absent().await;
                }
                Ok(Look::Open) if !self.wants_cancel() => self.shared.look_every,
                Ok(Look::Open) => {
                    self.cancel().await;
                    pause
                }
                Ok(Look::Absent) => pause,
                Err(error) => {
                    self.failed(&error);
                    debug!(order = client_oid(self.case.ask.id), %error, "asking again");
                    pause
                }
            };
            // A new cancel, or news, goes round at once; what got no answer waits longer each time.
            let is_patient = wait == self.shared.look_every;
            pause = if is_patient {
                Duration::ZERO
            } else {
                (pause * 2).clamp(PAUSE_MIN, PAUSE_MAX)
            };
            self.wait(wait, is_patient).await;
        }
    }

    fn wants_cancel(&self) -> bool {
        self.signals.cancel.get().is_some()
    }

    async fn wait(&self, time: Duration, is_patient: bool) {
        if is_patient {
            // It ends by itself: nobody needs to know which it was.
            tokio::time::timeout(time, self.signals.news.notified()).await.ok();
        } else {
            tokio::time::sleep(time).await;
        }
    }

    /// Sends the order; `false` if it is over with that.
    async fn send(&mut self) -> bool {
        let age_ns = now_ns().saturating_sub(self.case.ask.published_ns);
        let held_back = if self.shared.latch.is_killed() {
            Some(Reason::Killed)
        } else if age_ns > AGE_NS_MAX {
            Some(Reason::StaleData)
        } else {
            self.case.ask.refusal()
        };
        if let Some(reason) = held_back {
            self.shared.meters.refused.add(1);
            self.tell(News::Rejected(reason)).await;
            return false;
        }
        self.shared.meters.sent.add(1);
        match self.shared.rest.place(&self.case.ask).await {
            Ok(Placed::Taken(_)) => {
                let answered = (self.case.ask.published_ns, now_ns());
                self.shared
                    .meters
                    .order_to_answer
                    .record_between(answered.0, answered.1);
                true
            }
            Ok(Placed::Refused(reason)) => {
                self.tell(News::Rejected(reason)).await;
                false
            }
            Err(error @ CallError::NotSent(_)) => {
                self.failed(&error);
                self.tell(News::Rejected(Reason::Venue)).await;
                false
            }
            Err(error) => {
                self.failed(&error);
                self.set_unknown(true);
                warn!(order = client_oid(self.case.ask.id), %error, "the outcome of an order is not known; the venue is asked");
                true
            }
        }
    }

    /// Looks at the order, and tells what is new.
    async fn look(&mut self) -> Result<Look, CallError> {
        let ask = &self.case.ask;
        let Some(view) = self.shared.rest.order(ask).await? else {
            return Ok(Look::Absent);
        };
        if !self.case.was_seen() && self.origin == Origin::New && view.size != ask.quantity {
            // An order of this name, and not this one.
            self.tell(News::Rejected(Reason::DuplicateId)).await;
            error!(
                order = client_oid(self.case.ask.id),
                "the venue has another order of this name: is engine.state_dir a new one?"
            );
            return Ok(Look::Over);
        }
        let fills = if self.case.needs_fills(&view) {
            self.shared.rest.fills(ask, &view.venue_id).await?
        } else {
            Vec::new()
        };
        let news = self.case.learn(&view, &fills, self.signals.cancel.get())?;
        self.set_unknown(false);
        if self.venue_id.is_none() {
            let name = view.venue_id.clone();
            self.shared
                .names
                .borrow_mut()
                .insert(name.clone(), Rc::clone(&self.signals));
            self.venue_id = Some(name);
            // Something may have happened after it was shown and before its name was known here.
            self.signals.nudge();
        }
        for news in news {
            self.tell(news).await;
        }
        Ok(if self.case.is_over() { Look::Over } else { Look::Open })
    }

    async fn cancel(&mut self) {
        self.shared.meters.cancels.add(1);
        let name = format!("client:{}", client_oid(self.case.ask.id));
        if let Err(error) = self.shared.rest.cancel(&name).await {
            self.failed(&error);
        }
    }

    /// The venue has no such order. One that it had it has forgotten.
    async fn tell_absent(&mut self) {
        let news = if self.origin == Origin::New && !self.case.was_seen() {
            News::Rejected(Reason::Venue)
        } else {
            if self.case.was_seen() {
                error!(
                    order = client_oid(self.case.ask.id),
                    "the venue has forgotten an order: was it started anew?"
                );
            }
            News::Canceled {
                reason: self.signals.cancel.get().unwrap_or(Reason::Venue),
                filled: self.case.filled(),
            }
        };
        self.tell(news).await;
    }

    fn failed(&self, error: &CallError) {
        self.shared.meters.failed(error.name());
    }

    fn set_unknown(&mut self, is_unknown: bool) {
        if self.is_unknown != is_unknown {
            self.is_unknown = is_unknown;
            self.shared.meters.unknown(if is_unknown { 1 } else { -1 });
        }
    }

    async fn tell(&self, news: News) {
        self.shared.tell(&self.case.ask, news).await;
    }
}

impl Shared {
    /// Hands a report to whoever publishes it.
    pub async fn tell(&self, ask: &Ask, news: News) {
        let now = now_ns();
        let report = VenueReport {
            order: ask.id,
            side: ask.side,
            scale: ask.scale,
            news,
            ts_event: now,
            ts_recv: now,
        };
        self.meters.reported(&news);
        if self.reports.send(report).await.is_err() {
            error!(order = client_oid(ask.id), "a report found nobody to publish it");
        }
    }
}
