//! Who gets what: topics, clients, and the one place where a message is encoded, once, for all who follow its topic.
//!
//! Lives on the reading thread; the clients' tasks see only their [`Outbox`]. Snapshots that are due are handed out in turns, a topic at a
//! time and client by client, at most [`SNAPSHOT_BYTES_PER_TURN`] between two looks at the ring: neither many new clients nor
//! slow ones hold up the stream, and none of them waits behind another's whole list.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tickpath_protocol::Venue;

use crate::client::{Client, Offered};
use crate::event::{Sink, StatusEvent, Update};
use crate::followers::Topics;
use crate::market::{Market, VenueState};
use crate::message::{self, Body, Form};
use crate::outbox::{Class, Closing, Outbox, close_code};
use crate::request::{ErrorCode, Id, RequestError};
use crate::state::InstrumentState;
use crate::topic::{Channel, Path, Selector, Topic};
use crate::trading;

/// Bytes of snapshots that are handed out between two looks at the ring; one may go beyond.
pub const SNAPSHOT_BYTES_PER_TURN: usize = 512 << 10;

/// What clients may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Topics of one client.
    pub subscriptions_max: usize,
    /// How long a client may be behind.
    pub slow_client: Duration,
}

/// What the hub counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages encoded.
    pub encoded: u64,
    /// Messages put into outboxes.
    pub messages: u64,
    /// Updates that a snapshot stood for.
    pub conflated: u64,
    /// Trades dropped.
    pub skipped: u64,
    /// Clients closed because they stayed behind.
    pub disconnected_slow: u64,
}

impl Tally {
    fn add(&mut self, offered: Offered) {
        self.messages += u64::from(offered.is_queued);
        self.conflated += offered.conflated;
        self.skipped += offered.skipped;
    }
}

/// See the module.
#[derive(Debug)]
pub struct Hub {
    limits: Limits,
    topics: Topics,
    paths: Vec<Path>,
    /// Numbers by `venue:symbol` and by `venue:BASE/QUOTE`.
    by_path: HashMap<String, u32>,
    system_report: Option<Body>,
    pub(crate) clients: Vec<Option<Client>>,
    free: Vec<u32>,
    slots: HashMap<u64, u32>,
    waiting: VecDeque<u32>,
    touched: Vec<u32>,
    text: String,
    now: Instant,
    tally: Tally,
}

impl Hub {
    /// No topics, no clients.
    #[must_use]
    pub fn new(limits: Limits, now: Instant) -> Hub {
        Hub {
            limits,
            topics: Topics::default(),
            paths: Vec::new(),
            by_path: HashMap::new(),
            system_report: None,
            clients: Vec::new(),
            free: Vec::new(),
            slots: HashMap::new(),
            waiting: VecDeque::new(),
            touched: Vec::new(),
            text: String::new(),
            now,
            tally: Tally::default(),
        }
    }

    /// What was counted.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// How many clients there are.
    #[must_use]
    pub fn clients_connected(&self) -> usize {
        self.slots.len()
    }

    /// Begins a turn.
    pub fn turn(&mut self, now: Instant) {
        self.now = now;
    }

    /// A client came.
    pub fn connect(&mut self, id: u64, outbox: Arc<Outbox>) {
        let client = Some(Client::new(id, outbox));
        let slot = match self.free.pop() {
            Some(slot) => {
                self.clients[slot as usize] = client;
                slot
            }
            None => {
                self.clients.push(client);
                (self.clients.len() - 1) as u32
            }
        };
        self.slots.insert(id, slot);
    }

    /// A client went.
    pub fn disconnect(&mut self, id: u64) {
        let Some(slot) = self.slots.remove(&id) else { return };
        let Some(client) = self.clients[slot as usize].take() else {
            return;
        };
        for topic in client.listed() {
            self.unlist(topic, slot);
        }
        self.waiting.retain(|waiting| *waiting != slot);
        self.touched.retain(|touched| *touched != slot);
        self.free.push(slot);
    }

    /// A client has written everything to its socket.
    pub fn drained(&mut self, id: u64) {
        if let Some(slot) = self.slot_of(id)
            && let Some(client) = &mut self.clients[slot as usize]
        {
            client.drained();
            self.wait(slot);
        }
    }

    /// The slot of a client.
    pub(crate) fn slot_of(&self, id: u64) -> Option<u32> {
        self.slots.get(&id).copied()
    }

    /// Room for subscriptions of a client with so many.
    pub(crate) fn subscriptions_max(&self) -> usize {
        self.limits.subscriptions_max
    }

    /// The names of the venues, by number.
    pub(crate) fn venue_names(&self) -> impl Iterator<Item = (u8, &str)> {
        self.topics.venue_names()
    }

    /// The paths of the instruments, by number.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (u32, &Path)> {
        self.paths.iter().enumerate().map(|(index, path)| (index as u32, path))
    }

    /// The instrument that a path names.
    pub(crate) fn number_at(&self, path: &str) -> Option<u32> {
        self.by_path.get(path).copied()
    }

    /// Begins a topic for a client.
    pub(crate) fn follow(&mut self, slot: u32, topic: Topic) {
        let Some(client) = self.clients.get_mut(slot as usize).and_then(Option::as_mut) else {
            return;
        };
        if client.follow(topic) {
            self.wait(slot);
        }
    }

    /// Ends topics for a client.
    pub(crate) fn leave(&mut self, slot: u32, topics: &[Topic]) {
        let Some(client) = self.clients.get_mut(slot as usize).and_then(Option::as_mut) else {
            return;
        };
        let mut listed = topics.to_vec();
        listed.retain(|topic| client.is_listed(*topic));
        client.leave(topics);
        for topic in listed {
            self.unlist(topic, slot);
        }
    }

    /// The system report, once a second.
    pub fn report(&mut self, body: Body) {
        self.system_report = Some(body.clone());
        self.publish(Topic::System, Class::Update, |text| text.push_str(&body));
    }

    /// The engine's state, whenever it is another.
    pub fn engine_state(&mut self, market: &Market) {
        self.publish(Topic::Engine(Channel::Engine), Class::Update, |text| {
            engine_message(text, Form::Update, market);
        });
    }

    /// Hands out snapshots that are due.
    pub fn serve(&mut self, market: &Market) {
        let mut bytes = 0;
        while bytes < SNAPSHOT_BYTES_PER_TURN {
            let Some(slot) = self.waiting.pop_front() else { return };
            let Some(client) = &mut self.clients[slot as usize] else {
                continue;
            };
            client.is_waiting = false;
            let Some(topic) = client.next_pending() else { continue };
            let wants_snapshot = client.wants_snapshot(topic);
            let snapshot = wants_snapshot.then(|| self.snapshot(topic, market)).flatten();
            bytes += snapshot.as_ref().map_or(0, |(_, body)| body.len());
            self.catch_up(slot, topic, snapshot);
            self.wait(slot);
        }
    }

    fn catch_up(&mut self, slot: u32, topic: Topic, snapshot: Option<(Class, Body)>) {
        let Some(followers) = self.topics.followers(topic) else {
            return;
        };
        let Some(client) = &mut self.clients[slot as usize] else {
            return;
        };
        let was_listed = client.is_listed(topic);
        let was_touched = client.is_touched;
        let offered = client.catch_up(topic, followers.published, snapshot);
        if !was_listed && client.is_listed(topic) {
            followers.slots.push(slot);
        }
        if client.is_touched && !was_touched {
            self.touched.push(slot);
        }
        self.tally.add(offered);
    }

    /// Ends a turn: wakes the clients that got something. True if snapshots are still due.
    pub fn wake(&mut self) -> bool {
        for slot in self.touched.drain(..) {
            if let Some(client) = &mut self.clients[slot as usize]
                && std::mem::take(&mut client.is_touched)
            {
                client.outbox.wake();
            }
        }
        !self.waiting.is_empty()
    }

    /// Removes clients that are gone, and closes those that stayed behind for too long.
    pub fn sweep(&mut self) {
        let mut gone = Vec::new();
        for client in self.clients.iter().flatten() {
            let is_slow = client
                .behind_since()
                .is_some_and(|since| self.now.saturating_duration_since(since) >= self.limits.slow_client);
            if is_slow {
                self.tally.disconnected_slow += 1;
                client.outbox.close(Closing {
                    code: close_code::POLICY,
                    reason: "too slow: messages are not read as fast as they come",
                });
            }
            if is_slow || client.outbox.is_gone() {
                gone.push(client.id);
            }
        }
        gone.into_iter().for_each(|id| self.disconnect(id));
    }

    /// Closes every connection.
    pub fn close_all(&mut self, closing: Closing) {
        for client in self.clients.iter().flatten() {
            client.outbox.close(closing);
        }
    }

    fn wait(&mut self, slot: u32) {
        if let Some(client) = &mut self.clients[slot as usize]
            && client.has_pending()
            && !std::mem::replace(&mut client.is_waiting, true)
        {
            self.waiting.push_back(slot);
        }
    }

    fn unlist(&mut self, topic: Topic, slot: u32) {
        if let Some(followers) = self.topics.followers(topic)
            && let Some(at) = followers.slots.iter().position(|follower| *follower == slot)
        {
            followers.slots.swap_remove(at);
        }
    }

    /// Encodes a message, if anyone is to get it, and hands it to all who follow the topic.
    fn publish(&mut self, topic: Topic, class: Class, encode: impl Fn(&mut String)) {
        let Some(followers) = self.topics.followers(topic) else {
            return;
        };
        followers.snapshot = None;
        followers.published += class.weight();
        let published = followers.published;
        let mut shared: Option<Body> = None;
        let mut at = 0;
        while let Some(&slot) = followers.slots.get(at) {
            let Some(client) = &mut self.clients[slot as usize] else {
                followers.slots.swap_remove(at);
                continue;
            };
            let was_touched = client.is_touched;
            let offered = client.offer(topic, class, published, self.now, || {
                shared
                    .get_or_insert_with(|| {
                        self.tally.encoded += 1;
                        self.text.clear();
                        encode(&mut self.text);
                        self.text.as_str().into()
                    })
                    .clone()
            });
            if client.is_touched && !was_touched {
                self.touched.push(slot);
            }
            self.tally.add(offered);
            if offered.leaves {
                followers.slots.swap_remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// The newest state of a topic; the same text for all who ask until it changes.
    fn snapshot(&mut self, topic: Topic, market: &Market) -> Option<(Class, Body)> {
        if topic == Topic::System {
            return self.system_report.clone().map(|body| (Class::Update, body));
        }
        let text = &mut self.text;
        let followers = self.topics.followers(topic)?;
        if followers.snapshot.is_none() {
            text.clear();
            encode_snapshot(text, topic, market)?;
            self.tally.encoded += 1;
            followers.snapshot = Some(text.as_str().into());
        }
        followers.snapshot.clone().map(|body| (Class::Snapshot, body))
    }

    /// Lets clients whose patterns match follow topics that are new.
    fn offer_new(&mut self, topic: Topic, channel: Channel, matches: impl Fn(&Selector) -> bool) {
        for slot in 0..self.clients.len() {
            let Some(client) = &mut self.clients[slot] else {
                continue;
            };
            let wants = client
                .selectors
                .iter()
                .any(|(channels, selector)| channels.contains(channel) && matches(selector));
            if !wants || client.follows(topic) {
                continue;
            }
            if client.topics().len() < self.limits.subscriptions_max {
                self.follow(slot as u32, topic);
            } else if !std::mem::replace(&mut client.knows_limit, true) {
                let error = RequestError::new(
                    ErrorCode::TooManySubscriptions,
                    "new instruments match your patterns, but your subscriptions are at their limit",
                );
                client.outbox.reply(error.reply(&Id::default()));
            }
        }
    }
}

impl Sink for Hub {
    fn opened(&mut self, state: &InstrumentState) {
        self.topics.open_instrument();
        self.paths.push(state.path().clone());
        // Where a normalised name is not unique, the first one has it; the venue's spelling always is.
        self.by_path.entry(state.path().name.clone()).or_insert(state.index());
        self.by_path.insert(state.path().symbol.clone(), state.index());
        for channel in Channel::OF_INSTRUMENT {
            let topic = Topic::Instrument {
                index: state.index(),
                channel,
            };
            self.offer_new(topic, channel, |selector| selector.matches(state.path()));
        }
    }

    fn venue_opened(&mut self, index: u8, venue: Venue) {
        let name = self.topics.open_venue(venue);
        self.offer_new(Topic::Venue(index), Channel::Status, |selector| {
            selector.names_venue(&name)
        });
    }

    fn instrument(&mut self, state: &InstrumentState, update: Update<'_>) {
        let topic = |channel| Topic::Instrument {
            index: state.index(),
            channel,
        };
        match update {
            Update::Trades(trades) => {
                let class = Class::Trades(trades.len() as u32);
                self.publish(topic(Channel::Trades), class, |text| {
                    message::trades(text, state, Form::Update, trades.iter());
                });
            }
            Update::Quote(quote) => self.publish(topic(Channel::Quotes), Class::Update, |text| {
                message::quote(text, state, Form::Update, Some(quote));
            }),
            Update::Levels(changes) => self.publish(topic(Channel::Book), Class::Update, |text| {
                message::levels(text, state, changes);
            }),
            Update::Image => self.publish(topic(Channel::Book), Class::Snapshot, |text| message::book(text, state)),
            Update::Status(event) => self.publish(topic(Channel::Status), Class::Update, |text| {
                message::status(text, state.subject(), Form::Update, std::iter::once(event));
            }),
        }
    }

    fn trading(&mut self, update: trading::Update<'_>) {
        use trading::{Update, message};
        match update {
            Update::Order(order) => self.publish(Topic::Engine(Channel::Orders), Class::Update, |text| {
                message::orders(text, Form::Update, std::iter::once(order));
            }),
            Update::Fill(fill) => self.publish(Topic::Engine(Channel::Fills), Class::Update, |text| {
                message::fills(text, Form::Update, std::iter::once(fill));
            }),
            Update::Signal(signal) => self.publish(Topic::Engine(Channel::Signals), Class::Update, |text| {
                message::signals(text, Form::Update, std::iter::once(signal));
            }),
        }
    }

    fn venue(&mut self, index: u8, state: &VenueState, status: &StatusEvent) {
        self.publish(Topic::Venue(index), Class::Update, |text| {
            message::venue_status(text, state, Form::Update, Some(status));
        });
    }
}

fn engine_message(text: &mut String, form: Form, market: &Market) {
    let mark = |number, quantity| market.closing_price(number, quantity);
    trading::message::engine(text, form, market.trading(), market.latch.as_ref(), &mark);
}

fn encode_snapshot(text: &mut String, topic: Topic, market: &Market) -> Option<()> {
    match topic {
        Topic::Instrument { index, channel } => {
            let state = market.instrument(index)?;
            match channel {
                Channel::Trades => message::trades(text, state, Form::Snapshot, state.trades()),
                Channel::Quotes => message::quote(text, state, Form::Snapshot, state.quote()),
                Channel::Book => message::book(text, state),
                Channel::Status => message::status_snapshot(text, state),
                _ => return None,
            }
        }
        Topic::Venue(index) => {
            let venue = market.venues().get(usize::from(index))?;
            message::venue_status(text, venue, Form::Snapshot, venue.status());
        }
        Topic::System => return None,
        Topic::Engine(channel) => match channel {
            Channel::Orders => trading::message::orders(text, Form::Snapshot, market.trading().orders()),
            Channel::Fills => trading::message::fills(text, Form::Snapshot, market.trading().fills()),
            Channel::Signals => trading::message::signals(text, Form::Snapshot, market.trading().signals()),
            _ => engine_message(text, Form::Snapshot, market),
        },
    }
    Some(())
}
