//! Who follows which topic live, and the snapshot of each while nothing has changed.

use tickpath_protocol::Venue;

use crate::message::Body;
use crate::topic::{Channel, Topic};

/// Who follows a topic live, by slot, and its snapshot while nothing has changed. Who waits for a snapshot is not here: a message costs nothing for
/// those who do not get it.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    /// The slots of the clients.
    pub slots: Vec<u32>,
    /// Updates published so far; of a topic of trades, trades.
    pub published: u64,
    /// The text that all get who ask now.
    pub snapshot: Option<Body>,
}

/// The followers of every topic.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    instruments: Vec<[Followers; Channel::OF_INSTRUMENT.len()]>,
    venues: Vec<(String, Followers)>,
    system: Followers,
    /// Of [`Channel::OF_ENGINE`], in its order.
    engine: [Followers; Channel::OF_ENGINE.len()],
}

impl Topics {
    /// Opens the topics of the next instrument.
    pub fn open_instrument(&mut self) {
        self.instruments.push(Default::default());
    }

    /// Opens the topic of the next venue; its name.
    pub fn open_venue(&mut self, venue: Venue) -> String {
        let name = venue.to_string();
        self.venues.push((name.clone(), Followers::default()));
        name
    }

    /// The names of the venues, by number.
    pub fn venue_names(&self) -> impl Iterator<Item = (u8, &str)> {
        self.venues
            .iter()
            .enumerate()
            .map(|(index, (name, _))| (index as u8, name.as_str()))
    }

    /// Who follows a topic; `None` for one that is not open.
    pub fn followers(&mut self, topic: Topic) -> Option<&mut Followers> {
        match topic {
            Topic::Instrument { index, channel } => self.instruments.get_mut(index as usize)?.get_mut(channel as usize),
            Topic::Venue(index) => self.venues.get_mut(usize::from(index)).map(|(_, followers)| followers),
            Topic::System => Some(&mut self.system),
            Topic::Engine(channel) => {
                let at = Channel::OF_ENGINE.iter().position(|known| *known == channel)?;
                self.engine.get_mut(at)
            }
        }
    }
}
