//! A capture through the feed: the records that the collector would have published, without a network.

mod scout;

use std::path::Path;
use std::time::Instant;

use tickpath_protocol::instrument::InstrumentError;
use tickpath_protocol::{Instrument, InstrumentId, InstrumentTable, Record, Venue};
use tickpath_service::Throttle;

use crate::capture::{Answers, CaptureError, Frames, answers};
use crate::decode::{Channel, Listing};
use crate::dialect::Dialect;
use crate::sync::{ConnectionId, Counters, Feed, FeedOptions, ImageAnswer, Registry};

use scout::Scout;

/// The one connection that a capture is.
const CONNECTION: ConnectionId = ConnectionId(0);

/// What a capture held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames read.
    pub frames: u64,
    /// Records, control records included.
    pub records: u64,
    /// Frames and answers that no decoder accepts.
    pub refused: u64,
    /// Trades.
    pub trades: u64,
    /// Quotes of the venue, two records each; not the derived ones.
    pub quotes: u64,
    /// Book levels of the venue, those of images included; not the derived ones.
    pub levels: u64,
    /// Checksums that agreed.
    pub checksums_ok: u64,
    /// Checksums that did not.
    pub checksums_bad: u64,
    /// Books that lost their proof.
    pub resyncs: u64,
}

/// Why a capture cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A file is missing or holds a line that is none of a capture.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// An instrument does not fit the table.
    #[error("instrument of the capture: {0}")]
    Instrument(#[from] InstrumentError),
    /// No collector exists for the venue.
    #[error("no collector exists for venue {0}")]
    Venue(Venue),
}

/// Decodes the capture of `venue` in `dir`, handing over each record with the instruments known.
///
/// Instruments come from the capture's REST answers and frames; one that is in neither gets its decimals from its frames, with a warning.
///
/// # Errors
/// As [`DecodeError`] says. A frame that no decoder accepts is counted, not an error.
pub fn decode_capture(
    venue: Venue,
    dir: &Path,
    mut on_record: impl FnMut(&Record, &InstrumentTable),
) -> Result<Summary, DecodeError> {
    let answers = answers(dir)?;
    let dialect = scout::dialect(venue, dir)?;
    let findings = Scout::new(&*dialect).search(dir, &answers)?;
    let options = FeedOptions {
        channels: vec![Channel::Trades, Channel::Quotes, Channel::Book],
        depth: findings.depth,
    };
    let mut table = Table {
        venue,
        table: InstrumentTable::new(),
    };
    let mut feed = Feed::new(dialect, options);
    let symbols = feed.list(&findings.listings, |_| true, &mut table)?;
    feed.add_aliases(&findings.aliases);
    let mut sequence = 0;
    let mut sink = |mut record: Record| {
        sequence += 1;
        record.venue = venue.0;
        record.sequence = sequence;
        on_record(&record, &table.table);
    };
    play(&mut feed, &symbols, dir, &answers, &mut sink)?;
    Ok(summary(feed.counters()))
}

/// Frames and images in order of their receive times.
fn play(
    feed: &mut Feed,
    symbols: &[String],
    dir: &Path,
    answers: &Answers,
    sink: &mut impl FnMut(Record),
) -> Result<(), CaptureError> {
    let mut frames = Frames::open(dir)?;
    let images = Images::new(feed.dialect(), symbols, answers);
    let mut images = images.in_order.into_iter().peekable();
    let mut throttle = Throttle::per_second();
    let mut is_connected = false;
    loop {
        let line = frames.line() + 1;
        let frame = frames.next_frame()?;
        let now_ns = frame.map_or(i64::MAX, |(recv_ns, _)| recv_ns);
        if !is_connected {
            feed.on_connected(CONNECTION, symbols, if frame.is_some() { now_ns } else { 0 }, sink);
            is_connected = true;
        }
        while let Some((symbol, answer)) = images.next_if(|(_, answer)| answer.recv_ns <= now_ns) {
            let image = ImageAnswer {
                symbol,
                request: None,
                body: Some(&answer.body),
            };
            if let Err(refused) = feed.on_image(image, answer.recv_ns, sink) {
                tracing::warn!("{}: {} is refused: {refused}", dir.display(), answer.url);
            }
        }
        let Some((recv_ns, frame)) = frame else { return Ok(()) };
        if let Err(refused) = feed.on_frame(CONNECTION, frame, recv_ns, sink)
            && let Some(more) = throttle.pass(Instant::now())
        {
            tracing::warn!(
                "{}:{line}: frame refused: {refused} ({more} more before)",
                dir.display()
            );
        }
        while feed.next_action().is_some() {}
    }
}

/// The answers that are images of books.
struct Images<'a> {
    in_order: Vec<(&'a str, &'a crate::capture::Answer)>,
}

impl<'a> Images<'a> {
    fn new(dialect: &dyn Dialect, symbols: &'a [String], answers: &'a Answers) -> Images<'a> {
        let requests: Vec<_> = symbols
            .iter()
            .filter_map(|symbol| Some((symbol.as_str(), dialect.image_request(symbol)?)))
            .collect();
        let symbol_of = |url: &str| {
            let requests = requests.iter();
            let mut requests = requests.filter(|(_, request)| until_ampersand(url).ends_with(until_ampersand(request)));
            requests.next().map(|(symbol, _)| *symbol)
        };
        let in_order = answers
            .iter()
            .filter_map(|answer| Some((symbol_of(&answer.url)?, answer)));
        Images {
            in_order: in_order.collect(),
        }
    }
}

/// Path and first parameter, which names the symbol; how many levels were asked for does not matter.
fn until_ampersand(url: &str) -> &str {
    url.split('&').next().unwrap_or(url)
}

/// The instruments of a capture.
struct Table {
    venue: Venue,
    table: InstrumentTable,
}

impl Registry for Table {
    type Error = InstrumentError;

    fn instrument(&mut self, listing: &Listing) -> Result<InstrumentId, InstrumentError> {
        let index = self.table.venue(self.venue).len();
        let id = InstrumentId::new(self.venue, index as u32);
        self.table.insert(Instrument {
            id,
            symbol: listing.symbol.clone(),
            name: listing.name.clone(),
            scale: listing.scale,
            tick: listing.tick,
            lot: listing.lot,
        })?;
        Ok(id)
    }
}

fn summary(counters: Counters) -> Summary {
    Summary {
        frames: counters.frames,
        records: counters.records,
        refused: counters.refused,
        trades: counters.trades,
        quotes: counters.quotes,
        levels: counters.levels,
        checksums_ok: counters.checksums_ok,
        checksums_bad: counters.checksums_bad,
        resyncs: counters.resyncs,
    }
}
