//! What waits for one client: filled by the reading thread, emptied by the client's task.
//!
//! Bounded in messages and bytes. When there is no room the reading thread takes the updates back out ([`Outbox::take_back`]), since
//! the newest state will stand for them, and trades push the oldest trades out. Snapshots and answers stay: each comes at most once a topic
//! or request, so a client that reads at all gets on.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::message::{Body, Note};
use crate::topic::Topic;

/// Bytes that may wait for a client; one message may go beyond.
pub const BYTES_MAX: usize = 4 << 20;
/// Answers to requests that may wait; a client that asks on without reading is closed.
pub const REPLIES_MAX: usize = 256;
/// Bytes that a client's task takes out at once; one message may go beyond.
pub const BATCH_BYTES_MAX: usize = 64 << 10;

/// How a message may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Stands for all before it.
    Snapshot,
    /// A newer snapshot makes it obsolete.
    Update,
    /// So many trades, which nothing can stand for: they can only be skipped.
    Trades(u32),
}

impl Class {
    /// What a message of it counts as.
    #[must_use]
    pub fn weight(self) -> u64 {
        match self {
            Class::Snapshot | Class::Update => 1,
            Class::Trades(count) => u64::from(count),
        }
    }
}

/// A message that waits.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it belongs.
    pub topic: Topic,
    /// The shared text.
    pub body: Body,
    /// How it may be replaced.
    pub class: Class,
    /// What this client is told beside it.
    pub note: Note,
}

/// Why the bridge closes a connection: a WebSocket close code and its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// As RFC 6455, section 7.4.1 lists them.
    pub code: u16,
    /// For people, at most 123 bytes.
    pub reason: &'static str,
}

/// What [`Outbox::take`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Something to send.
    Batch,
    /// Nothing; wait.
    Empty,
    /// Nothing, and the hub wants to know: it holds snapshots back.
    Drained,
    /// Say why, and end.
    Closing(Closing),
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    messages_max: usize,
    /// The client has not read for a while.
    is_stuck: AtomicBool,
    state: Mutex<State>,
    /// Something is there to be taken.
    ready: Notify,
    /// The connection is to be closed; wakes a task that is stuck in a write.
    closing: Notify,
    is_gone: AtomicBool,
}

/// Whatever the reading thread does to a queue that is full takes the same short time, however much waits: it does it for every message and each
/// client that reads too slowly, and all others wait for it.
#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Body>,
    /// In order; `None` where trades were dropped.
    items: VecDeque<Option<Item>>,
    /// How many of them are there.
    waiting: usize,
    /// How many of those a newer snapshot makes obsolete.
    updates: usize,
    /// Before this index are no trades.
    trades_from: usize,
    bytes: usize,
    /// Trades dropped since the last message of their topic.
    skipped: HashMap<Topic, u64>,
    wants_drained: bool,
    closing: Option<Closing>,
}

impl State {
    fn push(&mut self, item: Item) {
        self.bytes += item.body.len();
        self.waiting += 1;
        self.updates += usize::from(item.class == Class::Update);
        self.items.push_back(Some(item));
    }

    /// Takes out what is next.
    fn pop(&mut self) -> Option<Item> {
        loop {
            let next = self.items.pop_front()?;
            self.trades_from = self.trades_from.saturating_sub(1);
            if let Some(item) = next {
                self.left(&item);
                return Some(item);
            }
        }
    }

    /// An item is no longer among those that wait.
    fn left(&mut self, item: &Item) {
        self.bytes -= item.body.len();
        self.waiting -= 1;
        self.updates -= usize::from(item.class == Class::Update);
    }

    /// Drops all items of which `leaves` is true.
    fn remove(&mut self, mut leaves: impl FnMut(&Item) -> bool) {
        let mut items = std::mem::take(&mut self.items);
        items.retain(|item| {
            let leaves = item.as_ref().filter(|item| leaves(item));
            leaves.inspect(|item| self.left(item)).is_none() && item.is_some()
        });
        self.items = items;
        self.trades_from = 0;
    }

    /// Drops the oldest message of trades and tells how many they were; `None` if none waits.
    fn skip_oldest(&mut self) -> Option<u64> {
        let is_trades = |item: &Option<Item>| matches!(item, Some(item) if matches!(item.class, Class::Trades(_)));
        let found = self.items.range(self.trades_from..).position(is_trades);
        let Some(after) = found else {
            self.trades_from = self.items.len();
            return None;
        };
        self.trades_from += after;
        let item = self.items[self.trades_from].take()?;
        self.left(&item);
        // As many places were left empty by now as are taken.
        if self.items.len() > 2 * self.waiting + 1 {
            self.remove(|_| false);
        }
        Some(self.skip(&item))
    }

    fn skip(&mut self, item: &Item) -> u64 {
        let Class::Trades(count) = item.class else { return 0 };
        *self.skipped.entry(item.topic).or_default() += u64::from(count);
        u64::from(count)
    }
}

impl Outbox {
    /// An empty one for at most `messages_max` messages.
    #[must_use]
    pub fn new(messages_max: usize) -> Outbox {
        Outbox {
            messages_max,
            is_stuck: AtomicBool::new(false),
            state: Mutex::default(),
            ready: Notify::new(),
            closing: Notify::new(),
            is_gone: AtomicBool::new(false),
        }
    }

    /// Says whether the client has not read for a while, and has to before anything is taken out. Then nothing is put in either.
    pub fn set_stuck(&self, is_stuck: bool) {
        self.is_stuck.store(is_stuck, Ordering::Relaxed);
    }

    /// Whether the client has not read for a while.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Relaxed)
    }

    /// So many trades of a topic were not even offered; the next message of the topic tells.
    pub fn note_skipped(&self, topic: Topic, trades: u64) {
        if trades > 0 {
            *self.lock().skipped.entry(topic).or_default() += trades;
        }
    }

    /// Whether a message may be added. If not, [`Taken::Drained`] will tell when it may: both under one lock, lest the task that empties
    /// the queue in between never learns that it is waited for.
    #[must_use]
    pub fn has_room_or_tells(&self) -> bool {
        let mut state = self.lock();
        let has_room = self.room_in(&state);
        state.wants_drained |= !has_room;
        has_room
    }

    /// Adds a message if there is room.
    ///
    /// # Errors
    /// [`Full`]; the message is not added.
    pub fn offer(&self, item: Item) -> Result<(), Full> {
        let mut state = self.lock();
        if !self.room_in(&state) {
            return Err(Full);
        }
        state.push(item);
        Ok(())
    }

    /// Adds trades, dropping the oldest ones that wait as far as room is needed, or these if none do. Returns how many were dropped.
    pub fn offer_trades(&self, item: Item) -> u64 {
        let mut state = self.lock();
        let mut dropped = 0;
        while !self.room_in(&state) {
            match state.skip_oldest() {
                Some(count) => dropped += count,
                None => return dropped + state.skip(&item),
            }
        }
        state.push(item);
        dropped
    }

    /// Takes the updates back out that a snapshot will stand for, naming the topic of each.
    pub fn take_back(&self, mut topic: impl FnMut(Topic)) {
        let mut state = self.lock();
        state.wants_drained = true;
        if state.updates == 0 {
            return;
        }
        state.remove(|item| {
            let is_update = item.class == Class::Update;
            if is_update {
                topic(item.topic);
            }
            is_update
        });
    }

    /// Drops what waits of topics that the client has left.
    pub fn forget(&self, has_left: impl Fn(Topic) -> bool) {
        let mut state = self.lock();
        state.remove(|item| has_left(item.topic));
        state.skipped.retain(|topic, _| !has_left(*topic));
    }

    /// Asks for [`Taken::Drained`] once nothing waits.
    pub fn want_drained(&self) {
        self.lock().wants_drained = true;
    }

    /// Adds an answer; too many that wait close the connection.
    pub fn reply(&self, body: Body) {
        let mut state = self.lock();
        if state.replies.len() < REPLIES_MAX {
            state.replies.push_back(body);
            drop(state);
            self.wake();
            return;
        }
        drop(state);
        self.close(Closing {
            code: close_code::POLICY,
            reason: "the answers to your requests are not read",
        });
    }

    /// Closes the connection; what waits is dropped, except answers. The first reason counts.
    pub fn close(&self, closing: Closing) {
        let mut state = self.lock();
        state.closing.get_or_insert(closing);
        state.remove(|_| true);
        drop(state);
        self.closing.notify_one();
        self.wake();
    }

    /// Lets the client's task look.
    pub fn wake(&self) {
        self.ready.notify_one();
    }

    /// Waits for [`Outbox::wake`].
    pub async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Waits for [`Outbox::close`].
    pub async fn closing(&self) {
        self.closing.notified().await;
    }

    /// Moves what is next into `batch`: answers first, then messages in order; at most `bytes_max`, beyond which the last one may go.
    pub fn take(&self, batch: &mut Vec<(Body, Note)>, bytes_max: u64) -> Taken {
        let mut guard = self.lock();
        let state = &mut *guard;
        let bytes_max = usize::try_from(bytes_max).map_or(BATCH_BYTES_MAX, |max| max.min(BATCH_BYTES_MAX));
        let mut bytes = 0;
        while bytes < bytes_max {
            let (body, note) = match state.replies.pop_front() {
                Some(reply) => (reply, Note::None),
                None => match state.pop() {
                    Some(item) => {
                        let note = note_of(&item, &mut state.skipped);
                        (item.body, note)
                    }
                    None => break,
                },
            };
            bytes += body.len();
            batch.push((body, note));
        }
        match (batch.is_empty(), state.closing) {
            (false, _) => Taken::Batch,
            (true, Some(closing)) => Taken::Closing(closing),
            (true, None) if std::mem::take(&mut state.wants_drained) => Taken::Drained,
            (true, None) => Taken::Empty,
        }
    }

    /// The client's task has ended.
    pub fn set_gone(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    /// Whether the client's task has ended.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    fn room_in(&self, state: &State) -> bool {
        let fits = state.waiting < self.messages_max && state.bytes < BYTES_MAX;
        fits && !self.is_stuck() && state.closing.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock panics midway; a poisoned queue is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Trades that were dropped precede those that wait, so the next message of their topic tells of them.
fn note_of(item: &Item, skipped: &mut HashMap<Topic, u64>) -> Note {
    match item.class {
        Class::Trades(_) if !skipped.is_empty() => skipped.remove(&item.topic).map_or(item.note, Note::Skipped),
        _ => item.note,
    }
}

/// The close codes of RFC 6455 that the bridge uses.
pub mod close_code {
    /// The bridge stops.
    pub const AWAY: u16 = 1001;
    /// Not WebSocket.
    pub const PROTOCOL: u16 = 1002;
    /// Text that is not UTF-8.
    pub const INVALID: u16 = 1007;
    /// Too slow, too eager, or silent.
    pub const POLICY: u16 = 1008;
    /// A frame beyond the limit.
    pub const SIZE: u16 = 1009;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::Channel;

    fn topic(index: u32) -> Topic {
        Topic::Instrument {
            index,
            channel: Channel::Trades,
        }
    }

    fn item(index: u32, class: Class, text: &str) -> Item {
        Item {
            topic: topic(index),
            body: text.into(),
            class,
            note: Note::None,
        }
    }

    fn drain(outbox: &Outbox) -> Vec<(String, Note)> {
        let mut batch = Vec::new();
        while outbox.take(&mut batch, u64::MAX) == Taken::Batch && batch.len() < 1000 {
            if outbox.lock().items.is_empty() {
                break;
            }
        }
        batch
            .into_iter()
            .map(|(body, note)| (body.as_str().to_owned(), note))
            .collect()
    }

    #[test]
    fn the_oldest_trades_go_first_and_the_next_ones_tell() {
        let outbox = Outbox::new(3);
        outbox.offer(item(0, Class::Snapshot, "s")).unwrap();
        for (index, text) in [(1, "a"), (2, "b"), (1, "c"), (1, "d")] {
            outbox.offer_trades(item(index, Class::Trades(2), text));
        }
        let expected = [("s", Note::None), ("c", Note::Skipped(2)), ("d", Note::None)];
        assert_eq!(drain(&outbox), expected.map(|(text, note)| (text.to_owned(), note)));
        outbox.offer_trades(item(2, Class::Trades(1), "e"));
        assert_eq!(drain(&outbox), [("e".to_owned(), Note::Skipped(2))]);
    }

    #[test]
    fn where_only_snapshots_wait_the_new_trades_are_skipped() {
        let outbox = Outbox::new(1);
        outbox.offer(item(0, Class::Snapshot, "s")).unwrap();
        assert_eq!(outbox.offer(item(0, Class::Update, "u")), Err(Full));
        assert_eq!(outbox.offer_trades(item(1, Class::Trades(3), "a")), 3);
        drain(&outbox);
        outbox.offer_trades(item(1, Class::Trades(1), "b"));
        assert_eq!(drain(&outbox), [("b".to_owned(), Note::Skipped(3))]);
    }

    #[test]
    fn updates_are_taken_back_and_the_drain_is_told_once() {
        let outbox = Outbox::new(8);
        for (class, text) in [(Class::Snapshot, "s"), (Class::Update, "u"), (Class::Update, "v")] {
            outbox.offer(item(0, class, text)).unwrap();
        }
        let mut taken = 0;
        outbox.take_back(|_| taken += 1);
        assert_eq!(taken, 2);
        assert_eq!(drain(&outbox).len(), 1);
        let mut batch = Vec::new();
        assert_eq!(outbox.take(&mut batch, u64::MAX), Taken::Drained);
        assert_eq!(outbox.take(&mut batch, u64::MAX), Taken::Empty);
        assert_eq!(outbox.lock().bytes, 0);
    }

    #[test]
    fn bytes_are_limited_too_and_one_message_may_exceed() {
        let outbox = Outbox::new(8);
        let large = "x".repeat(BYTES_MAX + 1);
        outbox.offer(item(0, Class::Snapshot, &large)).unwrap();
        assert_eq!(outbox.offer(item(0, Class::Update, "u")), Err(Full));
        drain(&outbox);
        outbox.offer(item(0, Class::Update, "u")).unwrap();
    }

    #[test]
    fn unread_answers_close_and_what_is_left_is_forgotten() {
        let outbox = Outbox::new(8);
        outbox.offer(item(0, Class::Update, "u")).unwrap();
        outbox.offer(item(1, Class::Update, "v")).unwrap();
        outbox.forget(|left| left == topic(0));
        assert_eq!(drain(&outbox), [("v".to_owned(), Note::None)]);
        for _ in 0..=REPLIES_MAX {
            outbox.reply("r".into());
        }
        let mut batch = Vec::new();
        assert_eq!(outbox.take(&mut batch, u64::MAX), Taken::Batch);
        assert_eq!(batch.len(), REPLIES_MAX);
        batch.clear();
        assert!(
            matches!(outbox.take(&mut batch, u64::MAX), Taken::Closing(closing) if closing.code == close_code::POLICY)
        );
        assert_eq!(outbox.offer(item(0, Class::Update, "u")), Err(Full));
    }
}
