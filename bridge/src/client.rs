//! A client as the reading thread sees it: what it subscribed to, which topics it follows live, and which wait for a snapshot.
//!
//! A topic is either **live**, every update goes to the outbox, or **pending**: its updates are only counted, and the next thing the client
//! gets of it is a snapshot. A new subscription begins pending; a topic whose update finds no room becomes pending, and so do the trades of a client
//! that reads nothing at all, which get no snapshot but the number of those that were skipped. One thread does both, so between a snapshot and the updates after it there
//! is neither a hole nor an overlap.
//!
//! A pending topic is **listed** among those whom a message is offered until the next message finds it pending; from then on the topic counts.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::message::{Body, Note};
use crate::outbox::{Class, Item, Outbox};
use crate::topic::{Channels, Selector, Topic};

/// What has become of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follow {
    /// Every update goes out.
    Live,
    /// The first snapshot is due.
    New,
    /// A snapshot is due that stands for so many updates.
    Behind(u64),
    /// So many trades were skipped, and all are until what waits is written.
    Skipping(u64),
}

/// A subscription.
#[derive(Clone, Copy, Debug)]
struct Following {
    follow: Follow,
    /// What the topic had published when this client was taken off its list; `None` while it is on it.
    unlisted: Option<u64>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// It waits in the outbox.
    pub is_queued: bool,
    /// Updates that a snapshot will stand for.
    pub conflated: u64,
    /// Trades dropped.
    pub skipped: u64,
    /// The client is to be taken off the topic's list.
    pub leaves: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Client {
    /// Its number in this run.
    pub id: u64,
    /// What waits for it.
    pub outbox: Arc<Outbox>,
    /// Patterns that hold for instruments to come.
    pub selectors: Vec<(Channels, Selector)>,
    /// In line for snapshots.
    pub is_waiting: bool,
    /// To be woken at the end of this turn.
    pub is_touched: bool,
    /// Was told that it reached its limit of subscriptions.
    pub knows_limit: bool,
    topics: HashMap<Topic, Following>,
    pending: VecDeque<Topic>,
    behind_since: Option<Instant>,
}

impl Client {
    /// A client without subscriptions.
    #[must_use]
    pub fn new(id: u64, outbox: Arc<Outbox>) -> Client {
        Client {
            id,
            outbox,
            selectors: Vec::new(),
            is_waiting: false,
            is_touched: false,
            knows_limit: false,
            topics: HashMap::new(),
            pending: VecDeque::new(),
            behind_since: None,
        }
    }

    /// The topics that it subscribed to.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = Topic> {
        self.topics.keys().copied()
    }

    /// Whether it subscribed to the topic.
    #[must_use]
    pub fn follows(&self, topic: Topic) -> bool {
        self.topics.contains_key(&topic)
    }

    /// Since when it has not caught up.
    #[must_use]
    pub fn behind_since(&self) -> Option<Instant> {
        self.behind_since
    }

    /// The topics on whose lists it is.
    pub fn listed(&self) -> impl Iterator<Item = Topic> {
        self.topics
            .iter()
            .filter_map(|(topic, following)| following.unlisted.is_none().then_some(*topic))
    }

    /// Whether it is on the list of a topic.
    #[must_use]
    pub fn is_listed(&self, topic: Topic) -> bool {
        self.topics
            .get(&topic)
            .is_some_and(|following| following.unlisted.is_none())
    }

    /// Begins with a topic: a snapshot is due. False if it has it already.
    pub fn follow(&mut self, topic: Topic) -> bool {
        if self.follows(topic) {
            return false;
        }
        let following = Following {
            follow: Follow::New,
            unlisted: Some(0),
        };
        self.topics.insert(topic, following);
        self.pending.push_back(topic);
        true
    }

    /// Ends topics, and forgets what waits of them.
    pub fn leave(&mut self, left: &[Topic]) {
        for topic in left {
            self.topics.remove(topic);
        }
        let topics = &self.topics;
        self.pending.retain(|topic| topics.contains_key(topic));
        self.outbox.forget(|topic| !topics.contains_key(&topic));
    }

    /// Takes a message of a topic, which has `published` so much with it. The text is only made if it goes out.
    pub fn offer(
        &mut self,
        topic: Topic,
        class: Class,
        published: u64,
        now: Instant,
        body: impl FnOnce() -> Body,
    ) -> Offered {
        let mut offered = Offered::default();
        let Some(following) = self.topics.get_mut(&topic) else {
            return offered;
        };
        if following.follow != Follow::Live {
            offered.leaves = true;
            following.unlisted = Some(published - class.weight());
            return offered;
        }
        let item = Item {
            topic,
            body: body(),
            class,
            note: Note::None,
        };
        self.is_touched = true;
        offered.is_queued = self.outbox.offer(item.clone()).is_ok();
        if offered.is_queued {
            return offered;
        }
        self.behind_since.get_or_insert(now);
        offered.conflated = self.take_back();
        match class {
            Class::Trades(count) if self.outbox.is_stuck() => {
                offered.skipped = u64::from(count);
                self.fall_behind(topic, Follow::Skipping(offered.skipped));
            }
            Class::Trades(_) => {
                offered.skipped = self.outbox.offer_trades(item);
                offered.is_queued = true;
            }
            Class::Snapshot | Class::Update => {
                self.fall_behind(topic, Follow::Behind(1));
                offered.conflated += 1;
            }
        }
        offered
    }

    /// The next topic that waits for a snapshot, if there is room for one.
    pub fn next_pending(&mut self) -> Option<Topic> {
        if self.pending.is_empty() || !self.outbox.has_room_or_tells() {
            return None;
        }
        self.pending.pop_front()
    }

    /// Whether a snapshot is what brings a topic from [`Client::next_pending`] up to date.
    #[must_use]
    pub fn wants_snapshot(&self, topic: Topic) -> bool {
        let following = self.topics.get(&topic);
        following.is_some_and(|following| !matches!(following.follow, Follow::Skipping(_)))
    }

    /// Sends the snapshot of a topic from [`Client::next_pending`], which has `published` so much; from here on the topic is live, and the client on its list.
    /// `None`: there is nothing to show yet.
    pub fn catch_up(&mut self, topic: Topic, published: u64, snapshot: Option<(Class, Body)>) -> Offered {
        let mut offered = Offered::default();
        let Some(following) = self.topics.get_mut(&topic) else {
            return offered;
        };
        let unseen = following.unlisted.take().map_or(0, |before| published - before);
        let note = match std::mem::replace(&mut following.follow, Follow::Live) {
            Follow::Behind(missed) => {
                offered.conflated = unseen;
                Note::Conflated(missed + unseen)
            }
            Follow::Skipping(skipped) => {
                offered.skipped = unseen;
                self.outbox.note_skipped(topic, skipped + unseen);
                Note::None
            }
            Follow::New | Follow::Live => Note::None,
        };
        // Even without a snapshot the client's task must look: it may be waited for.
        self.is_touched = true;
        let Some((class, body)) = snapshot else { return offered };
        let item = Item {
            topic,
            body,
            class,
            note,
        };
        offered.is_queued = self.outbox.offer(item).is_ok();
        if !offered.is_queued {
            // There was room in `next_pending`, and nobody else fills it: the connection is being closed.
            self.pending.clear();
        }
        offered
    }

    /// Everything was written to the socket. If no snapshot is due either, it has caught up; else it has once they are written too.
    pub fn drained(&mut self) {
        if self.pending.is_empty() {
            self.behind_since = None;
        } else {
            self.outbox.want_drained();
        }
    }

    /// Whether snapshots are due.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    fn take_back(&mut self) -> u64 {
        let mut taken = Vec::new();
        self.outbox.take_back(|topic| taken.push(topic));
        for topic in &taken {
            self.fall_behind(*topic, Follow::Behind(1));
        }
        taken.len() as u64
    }

    fn fall_behind(&mut self, topic: Topic, to: Follow) {
        let Some(following) = self.topics.get_mut(&topic) else {
            return;
        };
        match &mut following.follow {
            Follow::Behind(missed) => *missed += 1,
            follow @ Follow::Live => {
                *follow = to;
                self.pending.push_back(topic);
            }
            Follow::New | Follow::Skipping(_) => {}
        }
    }
}
