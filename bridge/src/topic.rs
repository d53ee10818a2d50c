//! What can be subscribed to: a channel of an instrument, a venue's status, the system report, what the engine does; and the patterns that pick them.

use std::fmt;
use std::str::FromStr;

use tickpath_protocol::Venue;
use tickpath_service::config::Pattern;

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Channel {
    /// Trades.
    Trades,
    /// Best bid and offer.
    Quotes,
    /// L2 book.
    Book,
    /// Status and gaps, of instruments and of venues.
    Status,
    /// The pipeline's own figures, once a second.
    System,
    /// What became of orders.
    Orders,
    /// Fills.
    Fills,
    /// Signals of strategies.
    Signals,
    /// The engine: strategies, positions, gains, the kill switch.
    Engine,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Channel; 9] = [
        Channel::Trades,
        Channel::Quotes,
        Channel::Book,
        Channel::Status,
        Channel::System,
        Channel::Orders,
        Channel::Fills,
        Channel::Signals,
        Channel::Engine,
    ];

    /// The channels of the engine, which belong to no instrument.
    pub const OF_ENGINE: [Channel; 4] = [Channel::Orders, Channel::Fills, Channel::Signals, Channel::Engine];

    /// The channels that each instrument has.
    pub const OF_INSTRUMENT: [Channel; 4] = [Channel::Trades, Channel::Quotes, Channel::Book, Channel::Status];

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Channel::Trades => "trades",
            Channel::Quotes => "quotes",
            Channel::Book => "book",
            Channel::Status => "status",
            Channel::System => "system",
            Channel::Orders => "orders",
            Channel::Fills => "fills",
            Channel::Signals => "signals",
            Channel::Engine => "engine",
        }
    }
}

/// The text names no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown channel: expected trades, quotes, book, status, system, orders, fills, signals or engine")]
pub struct UnknownChannel;

impl FromStr for Channel {
    type Err = UnknownChannel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Channel::ALL
            .into_iter()
            .find(|channel| channel.name() == text)
            .ok_or(UnknownChannel)
    }
}

/// A set of channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels(u16);

impl Channels {
    /// Adds a channel.
    pub fn insert(&mut self, channel: Channel) {
        self.0 |= 1 << channel as u8;
    }

    /// Takes the channels of `other` away.
    pub fn remove(&mut self, other: Channels) {
        self.0 &= !other.0;
    }

    /// Whether `channel` is in the set.
    #[must_use]
    pub fn contains(self, channel: Channel) -> bool {
        self.0 & (1 << channel as u8) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The channels, in order.
    pub fn iter(self) -> impl Iterator<Item = Channel> {
        Channel::ALL.into_iter().filter(move |channel| self.contains(*channel))
    }

    /// The channels that instruments have.
    pub fn of_instrument(self) -> impl Iterator<Item = Channel> {
        Channel::OF_INSTRUMENT
            .into_iter()
            .filter(move |channel| self.contains(*channel))
    }
}

impl FromIterator<Channel> for Channels {
    fn from_iter<I: IntoIterator<Item = Channel>>(channels: I) -> Channels {
        let mut set = Channels::default();
        channels.into_iter().for_each(|channel| set.insert(channel));
        set
    }
}

/// One stream of messages that clients subscribe to. Instruments and venues are numbered by [`crate::market::Market`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A channel of an instrument.
    Instrument {
        /// The market's number of the instrument.
        index: u32,
        /// One of [`Channel::OF_INSTRUMENT`].
        channel: Channel,
    },
    /// The status of a whole venue.
    Venue(u8),
    /// The system report.
    System,
    /// One of [`Channel::OF_ENGINE`].
    Engine(Channel),
}

/// Names and patterns that pick an instrument: `kraken:BTC/USD`, in the venue's spelling and in the normalised one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// `venue:symbol`.
    pub symbol: String,
    /// `venue:BASE/QUOTE`.
    pub name: String,
}

impl Path {
    /// The paths of an instrument.
    #[must_use]
    pub fn new(venue: Venue, symbol: &str, name: &str) -> Path {
        Path {
            symbol: format!("{venue}:{symbol}"),
            name: format!("{venue}:{name}"),
        }
    }
}

/// A pattern over paths, as a client sent it: `kraken:BTC/USD`, `coinbase:*`, `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    path: Pattern,
    /// Over names of venues: whose status goes with it.
    venue: Option<Pattern>,
}

impl Selector {
    /// Whether it picks the instrument.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        self.path.matches(&path.symbol) || self.path.matches(&path.name)
    }

    /// Whether it names the venue, so that status of the venue as a whole belongs to it.
    #[must_use]
    pub fn names_venue(&self, venue: &str) -> bool {
        self.venue.as_ref().is_some_and(|pattern| pattern.matches(venue))
    }

    /// Whether it means one instrument alone, which must be known.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.path.is_exact()
    }

    /// The pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.path.as_str()
    }
}

impl FromStr for Selector {
    type Err = tickpath_service::config::ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let venue = match text.split_once(':') {
            Some((venue, _)) => venue.parse().ok(),
            // `*` and `*/USD` reach into every venue; `kra*` into those whose name begins so.
            None if text.starts_with('*') => "*".parse().ok(),
            None => text.parse().ok(),
        };
        Ok(Selector {
            path: text.parse()?,
            venue,
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_pick_instruments_and_name_venues() {
        let path = Path::new(Venue::BINANCE, "BTCUSDT", "BTC/USDT");
        for (text, instrument, venue) in [
            ("binance:BTCUSDT", true, true),
            ("binance:BTC/USDT", true, true),
            ("binance:ETHUSDT", false, true),
            ("binance:*", true, true),
            ("*:BTC/USDT", true, true),
            ("*", true, true),
            ("*/USDT", true, true),
            ("bin*", true, true),
            ("kraken:*", false, false),
            ("BTCUSDT", false, false),
            (":", false, false),
        ] {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.matches(&path), instrument, "{text}");
            assert_eq!(selector.names_venue("binance"), venue, "{text}");
        }
        assert!("".parse::<Selector>().is_err());
        assert!("a b".parse::<Selector>().is_err());
    }

    #[test]
    fn channels_are_a_set() {
        let mut channels: Channels = [Channel::Book, Channel::System, Channel::Book].into_iter().collect();
        assert_eq!(channels.iter().collect::<Vec<_>>(), [Channel::Book, Channel::System]);
        assert_eq!(channels.of_instrument().collect::<Vec<_>>(), [Channel::Book]);
        channels.remove([Channel::Book].into_iter().collect());
        assert!(!channels.contains(Channel::Book));
        for channel in Channel::ALL {
            assert_eq!(channel.name().parse(), Ok(channel));
        }
        assert_eq!("level3".parse::<Channel>(), Err(UnknownChannel));
    }
}
