//! The feed of one venue: frames in, records and actions out.

use std::collections::{HashSet, VecDeque};

use tickpath_protocol::{GapCause, InstrumentId, OrderBook};

use super::connections::Connections;
use super::emit::Emit;
use super::pacing::TokenBucket;
use super::tracked::Tracked;
use super::{Action, ConnectionId, Counters, Registry, Sink};
use crate::decode::{Channel, Decoded, Listed, Listing, SymbolTable};
use crate::dialect::{Dialect, Policy, SyncRule};

/// Actions that wait to be taken. They are taken after each frame, of which each makes a few at most.
pub(super) const ACTIONS_MAX: usize = 4_096;
/// Listed symbols that are not subscribed to, remembered to tell them from symbols that do not exist.
const UNSELECTED_MAX: usize = 100_000;
const MINUTE_NS: i64 = 60_000_000_000;

/// What a feed is to do beside what its venue demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedOptions {
    /// The channels subscribed to.
    pub channels: Vec<Channel>,
    /// Kraken: levels of a book where the venue's acknowledgement does not state them.
    pub depth: Option<u32>,
}

/// The books of one venue.
pub struct Feed {
    pub(super) dialect: Box<dyn Dialect>,
    pub(super) policy: Policy,
    pub(super) options: FeedOptions,
    pub(super) symbols: SymbolTable,
    /// By index of the instrument's id.
    pub(super) tracked: Vec<Option<Tracked>>,
    pub(super) unselected: HashSet<String>,
    pub(super) connections: Connections,
    pub(super) counters: Counters,
    pub(super) actions: VecDeque<Action>,
    pub(super) images: TokenBucket,
    /// Those of `images` that books which are proven may have.
    pub(super) refreshes: TokenBucket,
    /// No image may be asked for before this time.
    pub(super) images_held_ns: i64,
    pub(super) requests: u64,
    pub(super) venue_trades: Option<bool>,
    pub(super) decoded: Decoded,
}

impl Feed {
    /// A feed without instruments.
    #[must_use]
    pub fn new(dialect: Box<dyn Dialect>, options: FeedOptions) -> Feed {
        let policy = dialect.policy();
        Feed {
            dialect,
            policy,
            options,
            symbols: SymbolTable::new(),
            tracked: Vec::new(),
            unselected: HashSet::new(),
            connections: Connections::default(),
            counters: Counters::default(),
            actions: VecDeque::new(),
            images: TokenBucket::new(policy.images_per_minute, MINUTE_NS),
            refreshes: TokenBucket::new(policy.images_per_minute / 2, MINUTE_NS),
            images_held_ns: i64::MIN,
            requests: 0,
            venue_trades: None,
            decoded: Decoded::default(),
        }
    }

    /// The venue's dialect.
    #[must_use]
    pub fn dialect(&self) -> &dyn Dialect {
        &*self.dialect
    }

    /// Limits and times of the venue.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The next thing to do, if there is one. To be asked after every call that takes a [`Sink`].
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether the venue said that it does not trade as a whole, and has not said since that it does.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.venue_trades == Some(false)
    }

    /// The book of an instrument and whether it is proven.
    #[must_use]
    pub fn book(&self, instrument: InstrumentId) -> Option<(&OrderBook, bool)> {
        let tracked = self.tracked.get(instrument.index())?.as_ref()?;
        Some((&tracked.book, tracked.is_proven()))
    }

    /// How many books there are, and how many of them are proven.
    #[must_use]
    pub fn books(&self) -> (usize, usize) {
        let with_book = self.tracked.iter().flatten().filter(|tracked| tracked.has_book);
        with_book.fold((0, 0), |(all, proven), tracked| {
            (all + 1, proven + usize::from(tracked.is_proven()))
        })
    }

    /// Takes the listings that `wanted` accepts; the symbols that are new, in the order listed.
    ///
    /// # Errors
    /// If the registry cannot hold one.
    pub fn list<R: Registry>(
        &mut self,
        listings: &[Listing],
        wanted: impl Fn(&Listing) -> bool,
        registry: &mut R,
    ) -> Result<Vec<String>, R::Error> {
        let mut taken = Vec::new();
        for listing in listings {
            if self.symbols.get(listing.symbol.as_bytes()).is_some() {
                continue;
            }
            if !wanted(listing) {
                if self.unselected.len() < UNSELECTED_MAX {
                    self.unselected.insert(listing.symbol.clone());
                }
                continue;
            }
            let id = registry.instrument(listing)?;
            self.track(listing, id);
            taken.push(listing.symbol.clone());
        }
        Ok(taken)
    }

    /// Takes other names under which the venue may send the data of symbols listed before. One that is subscribed to for itself stays its own, and
    /// of two that claim the same name the first has it.
    pub fn add_aliases(&mut self, aliases: &[(String, String)]) {
        for (symbol, alias) in aliases {
            if self.symbols.get(alias.as_bytes()).is_none()
                && let Some(listed) = self.symbols.get(symbol.as_bytes())
            {
                self.symbols.insert(alias, listed);
            }
        }
    }

    fn track(&mut self, listing: &Listing, id: InstrumentId) {
        let listed = Listed {
            id,
            scale: listing.scale,
        };
        self.symbols.insert(&listing.symbol, listed);
        self.unselected.remove(&listing.symbol);
        let mut tracked = Tracked::new(listed, listing.symbol.clone(), self.policy.sync, listing.trading);
        tracked.depth = self.options.depth;
        // Binance quotes every instrument from the start, and its images come when they come: derived quotes would differ from run to run.
        tracked.derives_quotes =
            self.options.channels.contains(&Channel::Quotes) && self.policy.sync != SyncRule::UpdateIds;
        if self.tracked.len() <= id.index() {
            self.tracked.resize_with(id.index() + 1, || None);
        }
        self.tracked[id.index()] = Some(tracked);
    }

    /// A connection stands and will carry these symbols. May be called again to add symbols.
    pub fn on_connected(&mut self, connection: ConnectionId, symbols: &[String], now_ns: i64, out: &mut impl Sink) {
        let carried = self.connections.open(connection);
        let mut emit = emit(&*self.dialect, &mut self.counters, now_ns, out);
        // Of Alpaca's feeds only some have books: there the acknowledgement tells.
        let has_book = self.options.channels.contains(&Channel::Book) && self.policy.sync != SyncRule::Images;
        for symbol in symbols {
            let tracked = self
                .symbols
                .get(symbol.as_bytes())
                .and_then(|listed| self.tracked.get_mut(listed.id.index())?.as_mut());
            let Some(tracked) = tracked.filter(|tracked| !tracked.carriers.contains(&connection)) else {
                continue;
            };
            carried.instruments.push(tracked.id());
            if tracked.carriers.is_empty() {
                tracked.connected(&mut emit);
            }
            tracked.carriers.push(connection);
            if has_book {
                tracked.expect_book(&mut emit);
            }
        }
    }

    /// A connection is gone. What no other connection carries has a gap from here on.
    pub fn on_disconnected(&mut self, connection: ConnectionId, cause: GapCause, now_ns: i64, out: &mut impl Sink) {
        let Some(carried) = self.connections.close(connection) else {
            return;
        };
        let mut emit = emit(&*self.dialect, &mut self.counters, now_ns, out);
        for id in carried.instruments {
            if let Some(tracked) = get_mut(&mut self.tracked, id) {
                tracked.carriers.retain(|carrier| *carrier != connection);
                if tracked.carriers.is_empty() {
                    tracked.disconnected(cause, &mut emit);
                }
            }
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        if self.actions.len() < ACTIONS_MAX {
            self.actions.push_back(action);
        }
    }
}

pub(super) fn emit<'a, S: Sink>(
    dialect: &dyn Dialect,
    counters: &'a mut Counters,
    now_ns: i64,
    sink: &'a mut S,
) -> Emit<'a, S> {
    Emit {
        venue: dialect.venue(),
        now_ns,
        counters,
        sink,
    }
}

pub(super) fn get(tracked: &[Option<Tracked>], id: InstrumentId) -> Option<&Tracked> {
    tracked.get(id.index())?.as_ref()
}

pub(super) fn get_mut(tracked: &mut [Option<Tracked>], id: InstrumentId) -> Option<&mut Tracked> {
    tracked.get_mut(id.index())?.as_mut()
}
