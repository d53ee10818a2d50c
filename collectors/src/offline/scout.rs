//! A first pass over a capture: which feed it is of, its instruments, and what its books were cut to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tickpath_protocol::{InstrumentId, Scale, Venue, decimal};
use tickpath_service::config::{CoinbaseFeed, Collector, KRAKEN_DEPTHS};

use super::DecodeError;
use crate::capture::{Answers, CaptureError, Frames};
use crate::decode::{Control, Decoded, Listed, Listing, Refused, SymbolTable, What};
use crate::dialect::{Dialect, SyncRule};
use crate::select;

/// Frames that are looked at to tell Coinbase's two feeds apart.
const FRAMES_TO_TELL: usize = 100;
/// Symbols that may get their decimals from frames.
const GUESSES_MAX: usize = 10_000;
/// Decimals that most venues print or allow; more are taken where frames show more.
const USUAL_DECIMALS: u8 = 8;

/// The dialect that a capture of `venue` is in.
pub(super) fn dialect(venue: Venue, dir: &Path) -> Result<Box<dyn Dialect>, DecodeError> {
    let mut collector = Collector::default();
    if venue == Venue::COINBASE && is_advanced(dir)? {
        collector.coinbase_feed = CoinbaseFeed::Advanced;
    }
    select::dialect(venue, &collector).ok_or(DecodeError::Venue(venue))
}

/// Whether frames have the envelope of Advanced Trade.
fn is_advanced(dir: &Path) -> Result<bool, CaptureError> {
    let mut frames = Frames::open(dir)?;
    for _ in 0..FRAMES_TO_TELL {
        let Some((_, frame)) = frames.next_frame()? else { break };
        let has = |key: &str| memchr::memmem::find(frame, key.as_bytes()).is_some();
        if has("\"sequence_num\"") && has("\"channel\"") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the first pass found.
pub(super) struct Findings {
    /// The instruments that frames speak of: as listed, then those that are not listed.
    pub listings: Vec<Listing>,
    /// Pairs of a listed symbol and another name under which frames may speak of it.
    pub aliases: Vec<(String, String)>,
    /// Levels that books were cut to, where no acknowledgement states it.
    pub depth: Option<u32>,
}

/// The first pass.
pub(super) struct Scout<'a> {
    dialect: &'a dyn Dialect,
    symbols: SymbolTable,
    listings: Vec<Listing>,
    aliases: Vec<(String, String)>,
    guesses: BTreeMap<String, Scale>,
    /// Indexes, in order of `know`, of the instruments that frames speak of.
    named: BTreeSet<usize>,
    symbols_known: Vec<String>,
    depth_seen: usize,
}

impl<'a> Scout<'a> {
    pub fn new(dialect: &'a dyn Dialect) -> Scout<'a> {
        Scout {
            dialect,
            symbols: SymbolTable::new(),
            listings: Vec::new(),
            aliases: Vec::new(),
            guesses: BTreeMap::new(),
            named: BTreeSet::new(),
            symbols_known: Vec::new(),
            depth_seen: 0,
        }
    }

    pub fn search(mut self, dir: &Path, answers: &Answers) -> Result<Findings, CaptureError> {
        self.read_listings(dir, answers);
        self.know_aliases();
        let mut frames = Frames::open(dir)?;
        let mut decoded = Decoded::default();
        while let Some((_, frame)) = frames.next_frame()? {
            self.read_frame(frame, &mut decoded);
        }
        Ok(self.findings(dir))
    }

    fn read_listings(&mut self, dir: &Path, answers: &Answers) {
        let path = |url: &'_ str| url.split('?').next().unwrap_or_default().to_owned();
        let paths: Vec<_> = self.dialect.discovery().iter().map(|request| path(request)).collect();
        for answer in answers {
            let url = path(&answer.url);
            if !paths.iter().any(|path| url.ends_with(path.as_str())) {
                continue;
            }
            let listings = self.dialect.listings(&answer.body);
            match listings.and_then(|listings| Ok((listings, self.dialect.aliases(&answer.body)?))) {
                Ok((listings, aliases)) => {
                    self.add(listings);
                    self.aliases.extend(aliases);
                }
                Err(refused) => tracing::warn!("{}: instruments of {url} are refused: {refused}", dir.display()),
            }
        }
    }

    /// A name that is listed for itself stays its own: a capture does not say what was subscribed to.
    fn know_aliases(&mut self) {
        for (symbol, alias) in &self.aliases {
            if self.symbols.get(alias.as_bytes()).is_none()
                && let Some(listed) = self.symbols.get(symbol.as_bytes())
            {
                self.symbols.insert(alias, listed);
            }
        }
    }

    fn add(&mut self, listings: Vec<Listing>) {
        for listing in listings {
            let was_guessed = self.guesses.remove(&listing.symbol).is_some();
            if !was_guessed && self.symbols.get(listing.symbol.as_bytes()).is_some() {
                continue;
            }
            self.know(&listing.symbol, listing.scale);
            self.listings.push(listing);
        }
    }

    /// Gives the symbol this scale, and an id if it has none.
    fn know(&mut self, symbol: &str, scale: Scale) {
        let index = match self.symbols.get(symbol.as_bytes()) {
            Some(known) => known.id.index(),
            None => {
                self.symbols_known.push(symbol.to_owned());
                self.symbols_known.len() - 1
            }
        };
        let id = InstrumentId::new(self.dialect.venue(), index as u32);
        self.symbols.insert(symbol, Listed { id, scale });
    }

    fn read_frame(&mut self, frame: &[u8], decoded: &mut Decoded) {
        // Each turn learns a symbol or a scale of one frame, so that the turns are few.
        for _ in 0..GUESSES_MAX {
            match self.dialect.decode(frame, &self.symbols, decoded) {
                Ok(()) => return self.note(frame, decoded),
                Err(Refused::UnknownSymbol(symbol)) if self.guesses.len() < GUESSES_MAX => {
                    if self.guesses.contains_key(&symbol) {
                        return;
                    }
                    let usual = Scale::new(USUAL_DECIMALS, USUAL_DECIMALS).unwrap_or_default();
                    let scale = self.shown(frame, &symbol).unwrap_or(usual);
                    self.know(&symbol, scale);
                    self.guesses.insert(symbol, scale);
                }
                Err(Refused::Number { .. }) if self.guess_again(frame, decoded) => {}
                Err(_) => return,
            }
        }
    }

    fn note(&mut self, frame: &[u8], decoded: &Decoded) {
        for mark in &decoded.marks {
            if mark.instrument != InstrumentId::NONE {
                self.named.insert(mark.instrument.index());
            }
            match &mark.what {
                What::Control(Control::Instruments(listings)) => self.add(listings.clone()),
                What::Control(Control::Subscribed {
                    instrument: Some(id), ..
                }) => {
                    self.named.insert(id.index());
                }
                What::Book(end) if end.image => {
                    let records = &decoded.records[mark.start..mark.end];
                    let bids = records.iter().filter(|record| record.flags & 1 != 0).count();
                    self.depth_seen = self.depth_seen.max(bids).max(records.len() - bids);
                }
                _ => {}
            }
        }
        self.widen(frame);
    }

    /// Where the checksum is taken over the text, decimals are those that the text shows, trailing zeros included. An image may come after
    /// the first frame that names the symbol, so every frame of a guessed symbol is looked at.
    fn widen(&mut self, frame: &[u8]) {
        if self.dialect.policy().sync != SyncRule::Checksum {
            return;
        }
        let symbols: Vec<String> = self.guesses.keys().cloned().collect();
        for symbol in symbols {
            if let Some(shown) = self.shown(frame, &symbol) {
                let known = self.guesses[&symbol];
                let scale = Scale::new(
                    shown.price_decimals().max(known.price_decimals()),
                    shown.size_decimals().max(known.size_decimals()),
                );
                if let Some(scale) = scale.filter(|scale| *scale != known) {
                    self.know(&symbol, scale);
                    self.guesses.insert(symbol, scale);
                }
            }
        }
    }

    /// The most decimals of prices and sizes in the part of the frame that speaks of the symbol.
    fn shown(&self, frame: &[u8], symbol: &str) -> Option<Scale> {
        if self.dialect.policy().sync != SyncRule::Checksum {
            return None;
        }
        let text = std::str::from_utf8(frame).ok()?;
        let at = text.find(&format!("\"{symbol}\""))?;
        let part = text[at..].split("\"symbol\"").next()?;
        let most = |key: &str| {
            let numbers = part.split(key).skip(1).map(|rest| {
                let rest = rest.trim_start_matches([':', ' ', '"']);
                let end = rest.find([',', '}', '"', ' ']).unwrap_or(rest.len());
                decimal::decimals_shown(&rest.as_bytes()[..end]).unwrap_or(0)
            });
            numbers.max()
        };
        Scale::new(most("\"price\"")?, most("\"qty\"")?)
    }

    /// Tries other decimals for the guessed symbols that the frame names, nearest to the present ones first; whether some do.
    fn guess_again(&mut self, frame: &[u8], decoded: &mut Decoded) -> bool {
        let named = |symbol: &&String| memchr::memmem::find(frame, symbol.as_bytes()).is_some();
        let symbols: Vec<String> = self.guesses.keys().filter(named).cloned().collect();
        for symbol in symbols {
            let present = self.guesses[&symbol];
            for scale in scales_near(present) {
                self.know(&symbol, scale);
                if self.dialect.decode(frame, &self.symbols, decoded).is_ok() {
                    self.guesses.insert(symbol, scale);
                    return true;
                }
            }
            self.know(&symbol, present);
        }
        false
    }

    fn findings(mut self, dir: &Path) -> Findings {
        for (symbol, scale) in self.guesses {
            tracing::warn!(
                "{}: the capture does not list `{symbol}`: {} and {} decimals of price and size are taken from its frames",
                dir.display(),
                scale.price_decimals(),
                scale.size_decimals()
            );
            self.listings.push(Listing {
                name: symbol.clone(),
                symbol,
                scale,
                tick: 0,
                lot: 0,
                trading: true,
            });
        }
        // A venue lists thousands; the capture is of those that it speaks of.
        let named: BTreeSet<&str> = self
            .named
            .iter()
            .map(|index| self.symbols_known[*index].as_str())
            .collect();
        self.listings.retain(|listing| named.contains(listing.symbol.as_str()));
        let offered = KRAKEN_DEPTHS.into_iter();
        let depth = offered.filter(|depth| *depth as usize >= self.depth_seen).min();
        Findings {
            listings: self.listings,
            aliases: self.aliases,
            depth: depth.filter(|_| self.depth_seen > 0),
        }
    }
}

/// Every scale, those with decimals near to `present` first.
fn scales_near(present: Scale) -> Vec<Scale> {
    let all = 0..=decimal::DECIMALS_MAX;
    let mut scales: Vec<_> = all
        .clone()
        .flat_map(|price| all.clone().filter_map(move |size| Scale::new(price, size)))
        .collect();
    let distance = |scale: &Scale| {
        scale.price_decimals().abs_diff(present.price_decimals())
            + scale.size_decimals().abs_diff(present.size_decimals())
    };
    scales.sort_by_key(distance);
    scales
}
