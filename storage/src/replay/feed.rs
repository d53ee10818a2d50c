//! Records of the past into a relay, a publisher a venue.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tickpath_protocol::{Flags, GapCause, Instrument, InstrumentId, Kind, Record, Venue};
use tickpath_service::Shutdown;
use tickpath_service::config::Speed;
use tickpath_transport::{CounterPage, Publisher, PublisherConfig, TransportError, Via};

use super::error::ReplayError;
use super::pace::Pace;
use super::past::Past;
use crate::archive::Row;

/// How long a relay may take nothing before the replay gives up.
const STALL_LIMIT: Duration = Duration::from_secs(30);
/// Longest sleep at once, so that a request to stop is heard.
const SLEEP_MAX: Duration = Duration::from_millis(100);
/// Looks at a full ring before the thread sleeps between two looks.
const SPINS: u32 = 200;

/// How a replay is fed.
#[derive(Clone, Debug)]
pub struct FeedOptions {
    /// The relay's socket.
    pub socket: PathBuf,
    /// How fast.
    pub speed: Speed,
    /// Records that a publisher's ring holds; a power of two.
    pub capacity: usize,
}

/// What was played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Records published.
    pub records: u64,
    /// Records that the relay wrote about its producers then, left out.
    pub from_relay: u64,
    /// Records of no venue, of an unknown kind, or of an instrument of which nothing says name or decimals, left out.
    pub unplayable: u64,
}

/// Feeds a relay.
pub struct Feed<'a> {
    options: FeedOptions,
    page: &'a CounterPage,
    stop: &'a Shutdown,
    venues: BTreeMap<u8, Voice>,
    /// The venue whose records the relay may not have taken yet.
    speaking: Option<u8>,
    pace: Pace,
    played: Played,
}

/// One venue's publisher.
struct Voice {
    publisher: Publisher,
    /// Ids of now, by symbol's key and scale of then.
    ids: HashMap<(u32, InstrumentId), InstrumentId>,
    free: u64,
}

impl<'a> Feed<'a> {
    /// A feed that has published nothing; counters of its publishers go to `page`.
    #[must_use]
    pub fn new(options: FeedOptions, page: &'a CounterPage, stop: &'a Shutdown) -> Feed<'a> {
        let pace = Pace::new(options.speed);
        Feed {
            options,
            page,
            stop,
            venues: BTreeMap::new(),
            speaking: None,
            pace,
            played: Played::default(),
        }
    }

    /// Plays all of it, and waits until the relay has taken the last record.
    ///
    /// # Errors
    /// As [`ReplayError`] says.
    pub fn play(&mut self, past: &mut Past) -> Result<Played, ReplayError> {
        loop {
            let rows = past.next_rows()?.to_vec();
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                self.record(row, past)?;
            }
            if let Some(venue) = self.speaking {
                self.voice(venue).publisher.flush();
            }
        }
        self.drain()?;
        Ok(self.played)
    }

    fn record(&mut self, row: &Row, past: &Past) -> Result<(), ReplayError> {
        let mut record = row.record;
        let is_gap = GapCause::of(&record).is_some();
        if record.flags().contains(Flags::FROM_RELAY) && !is_gap {
            self.played.from_relay += 1;
            return Ok(());
        }
        // A gap that the relay noticed is a gap still; only the relay may say that it was the one who noticed.
        record.flags = record.flags().without(Flags::FROM_RELAY).0;
        let speaks_of_venue = record.instrument() == InstrumentId::NONE;
        let is_named = speaks_of_venue || row.text != Row::NO_TEXT;
        if record.venue() == Venue::NONE || record.kind().is_none() || !is_named {
            self.played.unplayable += 1;
            return Ok(());
        }
        self.wait(row.published_ns)?;
        self.speak(record.venue)?;
        if !speaks_of_venue {
            let Some(id) = self.instrument(row, past)? else {
                self.played.unplayable += 1;
                return Ok(());
            };
            record.instrument = id.0;
        }
        self.publish(record)
    }

    /// Waits until the record is due; what was published before is shown first.
    fn wait(&mut self, published_ns: i64) -> Result<(), ReplayError> {
        loop {
            if self.stop.is_requested() {
                return Err(ReplayError::Stopped);
            }
            let wait = self.pace.wait(published_ns, Instant::now());
            if wait.is_zero() {
                return Ok(());
            }
            if let Some(venue) = self.speaking {
                self.voice(venue).publisher.flush();
            }
            std::thread::sleep(wait.min(SLEEP_MAX));
        }
    }

    /// Makes sure that everything of other venues is taken before this venue's next record.
    fn speak(&mut self, venue: u8) -> Result<(), ReplayError> {
        if self.speaking == Some(venue) {
            return Ok(());
        }
        self.drain()?;
        if !self.venues.contains_key(&venue) {
            let voice = self.attach(Venue(venue))?;
            self.venues.insert(venue, voice);
        }
        self.speaking = Some(venue);
        Ok(())
    }

    fn attach(&self, venue: Venue) -> Result<Voice, ReplayError> {
        let config = PublisherConfig {
            socket: self.options.socket.clone(),
            venue,
            name: format!("replay-{venue}"),
            capacity: self.options.capacity,
            via: Via::SharedMemory,
        };
        let publisher = Publisher::new(config, self.page).map_err(|source| failure(venue, source))?;
        let since = Instant::now();
        while !publisher.is_attached() {
            if let Some(source) = publisher.fatal() {
                return Err(ReplayError::Refused { venue, source });
            }
            if since.elapsed() > STALL_LIMIT {
                return Err(ReplayError::NoRelay(self.options.socket.clone()));
            }
            self.pause()?;
        }
        Ok(Voice {
            publisher,
            ids: HashMap::new(),
            free: 0,
        })
    }

    /// The id that the relay knows the record's instrument by; `None` if too little is known of it.
    fn instrument(&mut self, row: &Row, past: &Past) -> Result<Option<InstrumentId>, ReplayError> {
        let venue = row.record.venue();
        let key = (row.text, row.record.instrument());
        if let Some(id) = self.voice(venue.0).ids.get(&key) {
            return Ok(Some(*id));
        }
        let Some(instrument) = past.instrument(row) else {
            return Ok(None);
        };
        let publisher = &mut self.voice(venue.0).publisher;
        // In an archive a control record says nothing of its instrument's decimals: the relay may know them, and if not, a price will.
        let has_scale = row.record.kind().is_some_and(Kind::has_instrument_scale);
        let known = publisher
            .instruments()
            .find(venue, &instrument.symbol)
            .filter(|known| known.name == instrument.name);
        if let (Some(known), false) = (known, has_scale) {
            return Ok(Some(known.id));
        }
        let Instrument {
            symbol,
            name,
            scale,
            tick,
            lot,
            ..
        } = &instrument;
        let id = publisher.instrument(symbol, name, *scale, *tick, *lot);
        let id = id.map_err(|source| failure(venue, source))?;
        self.voice(venue.0).ids.insert(key, id);
        Ok(Some(id))
    }

    /// Waits for room first: a replay loses nothing.
    fn publish(&mut self, record: Record) -> Result<(), ReplayError> {
        if self.voice(record.venue).free == 0 {
            self.voice(record.venue).publisher.flush();
            let free = self.until(record.venue, |room, _| room > 0)?;
            self.voice(record.venue).free = free;
        }
        let voice = self.voice(record.venue);
        voice.publisher.publish(record);
        voice.free -= 1;
        self.played.records += 1;
        Ok(())
    }

    /// Waits until the relay has taken everything.
    fn drain(&mut self) -> Result<(), ReplayError> {
        let Some(venue) = self.speaking else { return Ok(()) };
        self.voice(venue).publisher.flush();
        let free = self.until(venue, |room, capacity| room >= capacity)?;
        self.voice(venue).free = free;
        Ok(())
    }

    /// Waits until the room of a venue's ring is enough; how much it is.
    fn until(&mut self, venue: u8, is_enough: impl Fn(u64, u64) -> bool) -> Result<u64, ReplayError> {
        let capacity = self.options.capacity as u64;
        let since = Instant::now();
        let mut looks = 0;
        loop {
            let publisher = &mut self.voice(venue).publisher;
            let room = publisher.room();
            if is_enough(room, capacity) {
                return Ok(room);
            }
            if let Some(source) = publisher.fatal() {
                return Err(ReplayError::Refused {
                    venue: Venue(venue),
                    source,
                });
            }
            looks += 1;
            if looks < SPINS {
                std::hint::spin_loop();
                continue;
            }
            if since.elapsed() > STALL_LIMIT {
                return Err(ReplayError::Stalled(STALL_LIMIT.as_secs()));
            }
            self.pause()?;
        }
    }

    fn pause(&self) -> Result<(), ReplayError> {
        if self.stop.is_requested() {
            return Err(ReplayError::Stopped);
        }
        std::thread::sleep(Duration::from_micros(50));
        Ok(())
    }

    /// The voice of a venue that has spoken.
    fn voice(&mut self, venue: u8) -> &mut Voice {
        self.venues
            .get_mut(&venue)
            .unwrap_or_else(|| unreachable!("a venue speaks after it was attached"))
    }
}

fn failure(venue: Venue, source: TransportError) -> ReplayError {
    match source {
        TransportError::Refused(_) => ReplayError::Refused { venue, source },
        _ => ReplayError::Publish { venue, source },
    }
}
