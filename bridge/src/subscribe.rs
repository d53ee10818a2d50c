//! Subscriptions: which topics a selection means, now and for instruments to come.

use std::collections::{BTreeSet, HashSet};

use crate::hub::Hub;
use crate::message::Body;
use crate::request::{self, ErrorCode, Id, Request, RequestError, Selection};
use crate::topic::{Channel, Channels, Topic};

/// Patterns with `*` that one client may hold.
pub const SELECTORS_MAX: usize = 256;

impl Hub {
    /// Does what a client asks. A request that is refused changes nothing.
    pub fn request(&mut self, client: u64, id: &Id, request: &Request) {
        let Some(slot) = self.slot_of(client) else { return };
        let reply = match request {
            Request::Ping => Ok(request::pong(id)),
            Request::Subscribe(selection) => self
                .subscribe(slot, selection)
                .map(|()| request::done("subscribed", id, selection)),
            Request::Unsubscribe(selection) => {
                self.unsubscribe(slot, selection);
                Ok(request::done("unsubscribed", id, selection))
            }
        };
        // Answers overtake messages, so this stands before the first snapshot.
        self.reply(slot, reply.unwrap_or_else(|error| error.reply(id)));
    }

    fn reply(&self, slot: u32, body: Body) {
        if let Some(Some(client)) = self.clients.get(slot as usize) {
            client.outbox.reply(body);
        }
    }

    fn subscribe(&mut self, slot: u32, selection: &Selection) -> Result<(), RequestError> {
        let topics = self.plan(slot, selection)?;
        self.hold(slot, selection);
        topics.into_iter().for_each(|topic| self.follow(slot, topic));
        Ok(())
    }

    /// The topics that a selection adds for a client, if it may have them.
    fn plan(&self, slot: u32, selection: &Selection) -> Result<Vec<Topic>, RequestError> {
        let Some(Some(client)) = self.clients.get(slot as usize) else {
            return Ok(Vec::new());
        };
        for selector in selection.selectors.iter().filter(|selector| selector.is_exact()) {
            if self.number_at(selector.as_str()).is_none() {
                return Err(RequestError::new(
                    ErrorCode::UnknownSymbol,
                    format!("`{selector}` is no instrument: expected venue:symbol, see /api/instruments"),
                ));
            }
        }
        let mut topics = self.topics_of(selection);
        topics.retain(|topic| !client.follows(*topic));
        let patterns = selection
            .selectors
            .iter()
            .filter(|selector| !selector.is_exact())
            .count();
        let max = self.subscriptions_max();
        if client.topics().len() + topics.len() > max {
            return Err(too_many(format!(
                "at most {max} subscriptions: {} more asked for",
                topics.len()
            )));
        }
        if client.selectors.len() + patterns > SELECTORS_MAX {
            return Err(too_many(format!("at most {SELECTORS_MAX} patterns")));
        }
        Ok(topics)
    }

    /// Every topic that a selection means now, each once.
    fn topics_of(&self, selection: &Selection) -> Vec<Topic> {
        let mut topics = Vec::new();
        if selection.channels.contains(Channel::System) {
            topics.push(Topic::System);
        }
        let of_engine = Channel::OF_ENGINE.into_iter();
        topics.extend(
            of_engine
                .filter(|channel| selection.channels.contains(*channel))
                .map(Topic::Engine),
        );
        if selection.channels.contains(Channel::Status) {
            for (index, name) in self.venue_names() {
                if selection.selectors.iter().any(|selector| selector.names_venue(name)) {
                    topics.push(Topic::Venue(index));
                }
            }
        }
        let mut numbers = BTreeSet::new();
        for selector in &selection.selectors {
            match selector.is_exact() {
                true => numbers.extend(self.number_at(selector.as_str())),
                false => numbers.extend(
                    self.paths()
                        .filter(|(_, path)| selector.matches(path))
                        .map(|(index, _)| index),
                ),
            }
        }
        for index in numbers {
            let topic = |channel| Topic::Instrument { index, channel };
            topics.extend(selection.channels.of_instrument().map(topic));
        }
        topics
    }

    /// Keeps the patterns for instruments to come.
    fn hold(&mut self, slot: u32, selection: &Selection) {
        let Some(Some(client)) = self.clients.get_mut(slot as usize) else {
            return;
        };
        client.knows_limit = false;
        for selector in selection.selectors.iter().filter(|selector| !selector.is_exact()) {
            match client.selectors.iter_mut().find(|(_, held)| held == selector) {
                Some((channels, _)) => selection.channels.iter().for_each(|channel| channels.insert(channel)),
                None => client.selectors.push((selection.channels, selector.clone())),
            }
        }
    }

    fn unsubscribe(&mut self, slot: u32, selection: &Selection) {
        let Some(Some(client)) = self.clients.get_mut(slot as usize) else {
            return;
        };
        for (channels, held) in &mut client.selectors {
            if selection.selectors.contains(held) {
                channels.remove(selection.channels);
            }
        }
        client.selectors.retain(|(channels, _)| !channels.is_empty());
        let mut topics = self.topics_of(selection);
        topics.retain(|topic| !matches!(topic, Topic::Venue(_)));
        let left: HashSet<Topic> = topics.iter().copied().collect();
        topics.extend(self.venues_left(slot, selection.channels, &left));
        self.leave(slot, &topics);
    }

    /// Venues whose status no subscription of the client names any more, once it has left those topics.
    fn venues_left(&self, slot: u32, channels: Channels, left: &HashSet<Topic>) -> Vec<Topic> {
        let Some(Some(client)) = self.clients.get(slot as usize) else {
            return Vec::new();
        };
        if !channels.contains(Channel::Status) {
            return Vec::new();
        }
        let mut named: HashSet<&str> = HashSet::new();
        for (index, path) in self.paths() {
            let topic = Topic::Instrument {
                index,
                channel: Channel::Status,
            };
            if client.follows(topic) && !left.contains(&topic) {
                named.extend(path.symbol.split(':').next());
            }
        }
        let is_held = |name: &str| {
            client
                .selectors
                .iter()
                .any(|(channels, selector)| channels.contains(Channel::Status) && selector.names_venue(name))
        };
        self.venue_names()
            .filter(|(index, name)| client.follows(Topic::Venue(*index)) && !named.contains(name) && !is_held(name))
            .map(|(index, _)| Topic::Venue(index))
            .collect()
    }
}

fn too_many(message: String) -> RequestError {
    RequestError::new(ErrorCode::TooManySubscriptions, message)
}
