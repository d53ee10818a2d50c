//! Which dialect speaks for a venue, as configured.

use tickpath_protocol::Venue;
use tickpath_service::config::{Channel, CoinbaseFeed, Collector};

use crate::dialect::alpaca::Alpaca;
use crate::dialect::binance::Binance;
use crate::dialect::coinbase::Coinbase;
use crate::dialect::coinbase_advanced::CoinbaseAdvanced;
use crate::dialect::kraken::Kraken;
use crate::dialect::{Dialect, Selection};

/// The dialect of a venue; `None` where no collector exists for it.
#[must_use]
pub fn dialect(venue: Venue, collector: &Collector) -> Option<Box<dyn Dialect>> {
    let selection = Selection {
        channels: channels(collector),
        depth: collector.depth.unwrap_or(DEPTH_DEFAULT),
    };
    Some(match venue {
        Venue::BINANCE => Box::new(Binance::new(selection, collector.time_unit)),
        Venue::COINBASE => match collector.coinbase_feed {
            CoinbaseFeed::Exchange => Box::new(Coinbase::new(selection)),
            CoinbaseFeed::Advanced => Box::new(CoinbaseAdvanced::new(selection)),
        },
        Venue::KRAKEN => Box::new(Kraken::new(selection)),
        Venue::ALPACA => Box::new(Alpaca::new(selection, collector.alpaca_feeds.clone())),
        _ => return None,
    })
}

/// The channels to subscribe to, each once.
#[must_use]
pub fn channels(collector: &Collector) -> Vec<Channel> {
    let mut channels = collector.channels.clone();
    channels.sort_unstable_by_key(|channel| *channel as u8);
    channels.dedup();
    channels
}

/// Levels of a book where the configuration was not resolved for a venue.
const DEPTH_DEFAULT: u32 = 100;
