//! Replay of captures: what a venue's capture holds is played to each client that subscribes, frame by frame, from the start.
//!
//! REST answers come from the same capture. A recorded depth snapshot is given once to each playing, in order, and not before the frames that were
//! received before it were sent; after that the book is rebuilt from the snapshot and the diffs that were sent. A client that comes while another
//! one of Binance plays is a handover: it joins where the other one is.

pub mod answer;
pub mod capture;
pub mod player;
pub mod rebuild;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tickpath_protocol::Venue;
use tickpath_service::config::Speed;
use tokio::time::{Instant, sleep};

use capture::{Capture, CaptureError, RestAnswer};

/// Snapshots and frames go different ways to the client: what was recorded after the one is held for so long that it does not overtake it, and the other
/// way round, however fast the replay.
const SNAPSHOT_WAY: Duration = Duration::from_millis(50);
const SNAPSHOT_POLL: Duration = Duration::from_millis(2);
/// How long a snapshot waits for the frames that were recorded before it: the collectors give a request up after 20 s.
const FRAMES_WAIT: Duration = Duration::from_secs(5);

/// How captures are played.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Recorded time to ours.
    pub speed: Speed,
    /// Close at the end, so that the next client starts over.
    pub repeat: bool,
}

/// The captures of all venues.
#[derive(Debug)]
pub struct Replay {
    venues: Vec<Arc<VenueReplay>>,
}

impl Replay {
    /// Checks every capture in `directory`.
    ///
    /// # Errors
    /// [`CaptureError`] with file and line, or if there is no capture.
    pub fn open(directory: &Path, pace: Pace) -> Result<Replay, CaptureError> {
        let mut venues = Vec::new();
        for venue in Venue::market_data() {
            let folder = directory.join(venue.to_string());
            if folder.join("ws.tsv").is_file() {
                let capture = Capture::open(&folder, venue)?;
                tracing::info!(%venue, frames = capture.len, rest = capture.rest.len(), "capture checked");
                venues.push(Arc::new(VenueReplay {
                    capture,
                    pace,
                    playing: Mutex::default(),
                }));
            }
        }
        if venues.is_empty() {
            return Err(CaptureError::Empty {
                path: directory.to_owned(),
            });
        }
        Ok(Replay { venues })
    }

    /// The capture of a venue, if there is one.
    #[must_use]
    pub fn venue(&self, venue: Venue) -> Option<&Arc<VenueReplay>> {
        self.venues.iter().find(|replay| replay.capture.venue == venue)
    }
}

/// One venue's capture and who plays it.
#[derive(Debug)]
pub struct VenueReplay {
    /// The capture.
    pub capture: Capture,
    pace: Pace,
    playing: Mutex<Playing>,
}

/// The latest playing from the start.
#[derive(Debug, Default)]
struct Playing {
    progress: Arc<Progress>,
    /// How many recorded snapshots were given, a symbol, and when the last was.
    given: HashMap<String, (usize, Instant)>,
}

/// Where a connection is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Frames that were sent.
    frames: AtomicUsize,
    /// Whether the connection is there.
    is_alive: AtomicBool,
    /// When which recorded time was played.
    anchor: Mutex<Option<(Instant, i64)>>,
}

impl Progress {
    fn anchor(&self) -> Option<(Instant, i64)> {
        *lock(&self.anchor)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl VenueReplay {
    /// A connection begins: from the start, or (Binance) where a living one is.
    fn begin(&self) -> (Arc<Progress>, Option<Arc<Progress>>) {
        let mut playing = lock(&self.playing);
        let progress = Arc::new(Progress::default());
        progress.is_alive.store(true, Ordering::Relaxed);
        let leader = playing.progress.clone();
        let is_playing = leader.is_alive.load(Ordering::Relaxed) && leader.frames.load(Ordering::Relaxed) > 0;
        if self.capture.venue == Venue::BINANCE && is_playing {
            return (progress, Some(leader));
        }
        *playing = Playing {
            progress: progress.clone(),
            given: HashMap::new(),
        };
        (progress, None)
    }

    /// A follower goes on alone.
    fn lead(&self, progress: &Arc<Progress>) {
        lock(&self.playing).progress = progress.clone();
    }

    /// The connection that would have followed plays from the start.
    fn restart(&self, progress: &Arc<Progress>) {
        let mut playing = lock(&self.playing);
        if !Arc::ptr_eq(&playing.progress, progress) {
            *playing = Playing {
                progress: progress.clone(),
                given: HashMap::new(),
            };
        }
    }

    fn was_given_at(&self, symbol: &str) -> Option<Instant> {
        lock(&self.playing).given.get(symbol).map(|(_, at)| *at)
    }

    /// The recorded depth snapshots of a symbol, oldest first.
    fn snapshots<'a>(&'a self, symbol: &'a str) -> impl Iterator<Item = &'a RestAnswer> {
        let answers = self.capture.rest.iter();
        answers.filter(move |answer| answer.is_depth_of(symbol))
    }

    /// The answer to a depth request: the next recorded one, after the frames that were recorded before it; else one rebuilt from what was sent.
    /// `None` if there is none.
    ///
    /// # Errors
    /// If the capture cannot be read any more.
    pub async fn depth(&self, symbol: &str) -> Result<Option<String>, CaptureError> {
        let give_up = Instant::now() + FRAMES_WAIT;
        while let Some(is_due) = self.is_next_due(symbol) {
            if is_due || Instant::now() >= give_up {
                sleep(SNAPSHOT_WAY).await;
                break;
            }
            sleep(SNAPSHOT_POLL).await;
        }
        let frames = {
            let mut playing = lock(&self.playing);
            let now = Instant::now();
            let (given, at) = playing.given.entry(symbol.to_owned()).or_insert((0, now));
            (*given, *at) = (*given + 1, now);
            if let Some(answer) = self.snapshots(symbol).nth(*given - 1) {
                return Ok(Some(answer.body.clone()));
            }
            playing.progress.frames.load(Ordering::Acquire)
        };
        rebuild::binance_depth(&self.capture, symbol, frames)
    }

    /// Whether all frames that were recorded before the next recorded snapshot of a symbol were sent, or nobody plays; `None` if there is no other.
    fn is_next_due(&self, symbol: &str) -> Option<bool> {
        let playing = lock(&self.playing);
        let given = playing.given.get(symbol).map_or(0, |(given, _)| *given);
        let answer = self.snapshots(symbol).nth(given)?;
        let progress = &playing.progress;
        let is_over = !progress.is_alive.load(Ordering::Relaxed);
        Some(is_over || progress.frames.load(Ordering::Acquire) >= answer.frames_before)
    }

    /// The recorded answer of a path below the venue's base, of the same query if there is one.
    #[must_use]
    pub fn answer(&self, path: &str, query: &str) -> Option<&RestAnswer> {
        let of_path = |answer: &&RestAnswer| answer.path.ends_with(path);
        let same = self
            .capture
            .rest
            .iter()
            .filter(of_path)
            .find(|answer| answer.query == query);
        same.or_else(|| self.capture.rest.iter().find(of_path))
    }
}
