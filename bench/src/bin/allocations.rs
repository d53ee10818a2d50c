//! Counts allocations of all threads, for the group `footprint`. A program of its own, because the counting allocator would slow the peers of
//! the other groups down.
//!
//! `feed VENUE DIR`: frames of a capture, decoded, synced and published. `relay RECORDS`: records through a relay to a reader.
//! `engine EVENTS`: every built-in strategy in a market that wanders. `session CONFIG VENUE SECONDS`: the collector's whole session against a simulator. Each prints a line a part of its count: records and
//! allocations.

use std::alloc::System;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tickpath_bench::context::{BenchError, Result, Tried};
use tickpath_bench::groups::{self, engine::market};
use tickpath_bench::process::wait_until;
use tickpath_collectors::capture::Frames;
use tickpath_collectors::decode::{Channel, Listing};
use tickpath_collectors::offline::decode_capture;
use tickpath_collectors::select;
use tickpath_collectors::session::{self, Meters, Settings};
use tickpath_collectors::sync::{ConnectionId, Feed, FeedOptions, ImageAnswer};
use tickpath_engine::engine::Outbox;
use tickpath_engine::strategy::registry::REGISTRY;
use tickpath_engine::units::Time;
use tickpath_protocol::{Flags, GapCause, InstrumentId, InstrumentTable, Kind, Record, Scale, Venue};
use tickpath_relay::{Relay, RelayConfig};
use tickpath_service::{Config, Shutdown};
use tickpath_transport::{
    CounterPage, Event, Publisher, PublisherConfig, Start, Subscription, SubscriptionConfig, Via, WaitStrategy,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Records and allocations.
type Part = (u64, usize);

/// Times that a capture is played before it is counted.
const PASSES_TO_WARM: i64 = 3;
/// Parts of a count. What other threads allocate now and then, by the clock, falls into few of them.
const PARTS: u64 = 200;
const CONNECTION: ConnectionId = ConnectionId(0);
const READY_LIMIT: Duration = Duration::from_secs(20);
/// Records to one flush.
const BATCH: u64 = 50;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["feed", venue, dir] => feed(venue, Path::new(dir)),
        ["relay", records] => relay(records),
        ["engine", events] => engine(events),
        ["session", config, venue, seconds] => session(Path::new(config), venue, seconds),
        _ => Err(BenchError::new(
            "tickpath-bench-allocations",
            "expected `feed VENUE DIR`, `relay RECORDS`, `engine EVENTS` or `session CONFIG VENUE SECONDS`; see `tickpath-bench --help`",
        )),
    };
    match outcome {
        Ok(parts) => {
            for (records, allocations) in parts {
                println!("{records} {allocations}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("tickpath-bench-allocations: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Allocations since a region began, growth of what is there included.
fn allocations(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change.allocations + change.reallocations
}

fn venue_of(name: &str) -> Result<Venue> {
    name.parse()
        .map_err(|error| BenchError::new(format!("venue {name}"), error))
}

/// A publisher that no relay takes from; what its ring has no room for is dropped and counted, which costs no more.
fn publisher(socket: PathBuf, venue: Venue, page: &CounterPage) -> Result<Publisher> {
    let config = PublisherConfig {
        socket,
        venue,
        name: format!("collector-{venue}"),
        capacity: 1 << 16,
        via: Via::SharedMemory,
    };
    Publisher::new(config, page).tried("a publisher")
}

/// The capture again and again; the last time is counted, from where its books have their images.
fn feed(venue: &str, dir: &Path) -> Result<Vec<Part>> {
    let venue = venue_of(venue)?;
    let scratch = tempfile::tempdir().tried("a directory")?;
    let page = CounterPage::create("bench").tried("counters")?;
    let mut publisher = publisher(scratch.path().join("no.sock"), venue, &page)?;
    let mut table = InstrumentTable::new();
    decode_capture(venue, dir, |_, known| {
        if known.venue(venue).len() != table.venue(venue).len() {
            table = known.clone();
        }
    })
    .tried(format!("decoding {}", dir.display()))?;
    let config = Config::default();
    let collector = config
        .collectors
        .of(venue)
        .ok_or_else(|| BenchError::new("feed", "no collector"))?;
    let dialect = select::dialect(venue, &collector.resolved(venue, &config));
    let dialect = dialect.ok_or_else(|| BenchError::new("feed", "no dialect"))?;
    let channels = vec![Channel::Trades, Channel::Quotes, Channel::Book];
    let mut feed = Feed::new(dialect, FeedOptions { channels, depth: None });
    let listings: Vec<Listing> = table
        .venue(venue)
        .iter()
        .map(|instrument| Listing {
            symbol: instrument.symbol.clone(),
            name: instrument.name.clone(),
            scale: instrument.scale,
            tick: instrument.tick,
            lot: instrument.lot,
            trading: true,
        })
        .collect();
    let symbols = feed.list(&listings, |_| true, &mut publisher).tried("instruments")?;
    let frames = frames(dir)?;
    let images = images(&feed, &symbols, dir)?;
    let (first, rest) = frames.split_at(frames.len() / 10);
    let part = rest.len().div_ceil(PARTS as usize).max(1);
    let mut parts = Vec::with_capacity(PARTS as usize);
    for pass in 0..=PASSES_TO_WARM {
        feed.on_connected(CONNECTION, &symbols, pass, &mut publisher);
        play(&mut feed, first, &mut publisher);
        show(&mut feed, &images, &mut publisher);
        parts.clear();
        for frames in rest.chunks(part) {
            let (before, region) = (publisher.sequence(), Region::new(ALLOCATOR));
            play(&mut feed, frames, &mut publisher);
            parts.push((publisher.sequence() - before, allocations(&region)));
        }
        feed.on_disconnected(CONNECTION, GapCause::Disconnect, pass, &mut publisher);
    }
    Ok(parts)
}

fn frames(dir: &Path) -> Result<Vec<Vec<u8>>> {
    let mut lines = Frames::open(dir).tried(format!("opening {}", dir.display()))?;
    let mut frames = Vec::new();
    while let Some((_, frame)) = lines.next_frame().tried(format!("reading {}", dir.display()))? {
        frames.push(frame.to_vec());
    }
    Ok(frames)
}

/// Books that the venue sends over REST: symbol and body.
fn images(feed: &Feed, symbols: &[String], dir: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let path = dir.join("rest.tsv");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).tried(format!("reading {}", path.display()))?;
    let until_ampersand = |url: &str| url.split('&').next().unwrap_or(url).to_owned();
    let mut images = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, '\t').skip(1);
        let (Some(url), Some(body)) = (fields.next(), fields.next()) else {
            continue;
        };
        let asked = |symbol: &&String| {
            let request = feed.dialect().image_request(symbol);
            request.is_some_and(|request| until_ampersand(url).ends_with(&until_ampersand(&request)))
        };
        if let Some(symbol) = symbols.iter().find(asked) {
            images.push((symbol.clone(), body.as_bytes().to_vec()));
        }
    }
    Ok(images)
}

/// As the session does: frame, flush, and what the feed asks for.
fn play(feed: &mut Feed, frames: &[Vec<u8>], publisher: &mut Publisher) {
    for frame in frames {
        // A refused frame is counted by the feed.
        if feed.on_frame(CONNECTION, frame, 1, publisher).is_err() {
            continue;
        }
        publisher.flush();
        while feed.next_action().is_some() {}
    }
}

fn show(feed: &mut Feed, images: &[(String, Vec<u8>)], publisher: &mut Publisher) {
    for (symbol, body) in images {
        let image = ImageAnswer {
            symbol,
            request: None,
            body: Some(body),
        };
        if feed.on_image(image, 1, publisher).is_err() {
            eprintln!("the image of {symbol} is refused");
        }
    }
}

fn start_relay(socket: &Path) -> Result<Relay> {
    let config = RelayConfig {
        socket: socket.to_owned(),
        capacity: 1 << 16,
        wait: WaitStrategy::Yield,
        pin: None,
    };
    Relay::start(&config).tried("a relay")
}

fn subscription(socket: &Path, page: &CounterPage) -> Result<Subscription> {
    let config = SubscriptionConfig {
        socket: socket.to_owned(),
        name: "bench".into(),
        start: Start::Live,
        via: Via::SharedMemory,
    };
    let mut subscription = Subscription::new(config, page);
    wait_until("the relay to take the reader", READY_LIMIT, || {
        subscription.poll(1, |_| {});
        subscription.is_attached()
    })?;
    Ok(subscription)
}

/// Producer, relay and reader in this process, all threads counted.
fn relay(records: &str) -> Result<Vec<Part>> {
    const VENUE: Venue = Venue::KRAKEN;
    let records: u64 = records.parse().tried("RECORDS")?;
    let scratch = tempfile::tempdir().tried("a directory")?;
    let socket = scratch.path().join("relay.sock");
    let relay = start_relay(&socket)?;
    let page = CounterPage::create("bench").tried("counters")?;
    let mut publisher = publisher(socket.clone(), VENUE, &page)?;
    let scale = Scale::from_byte(1 << 4 | 8);
    let id = publisher.instrument("A", "A", scale, 1, 1).tried("an instrument")?;
    let mut subscription = subscription(&socket, &page)?;
    wait_until("the relay to take the ring", READY_LIMIT, || publisher.is_attached())?;
    carry(&mut publisher, &mut subscription, (id, scale), records / 10);
    let mut parts = Vec::with_capacity(PARTS as usize);
    for _ in 0..PARTS {
        let (before, region) = (publisher.sequence(), Region::new(ALLOCATOR));
        carry(&mut publisher, &mut subscription, (id, scale), records / PARTS);
        parts.push((publisher.sequence() - before, allocations(&region)));
    }
    relay.stop().tried("the relay")?;
    Ok(parts)
}

/// In batches, each read before the next, so that none is lost.
fn carry(publisher: &mut Publisher, reader: &mut Subscription, of: (InstrumentId, Scale), records: u64) {
    for _ in 0..records / BATCH {
        for n in 0..BATCH {
            publisher.publish(Record {
                kind: Kind::Trade as u8,
                flags: Flags::BID.with(Flags::LAST).0,
                scale: of.1.to_byte(),
                instrument: of.0.0,
                price: n as i64,
                size: 1,
                ..Record::default()
            });
        }
        publisher.flush();
        let (end, mut last) = (publisher.sequence(), 0);
        while last < end {
            reader.poll(1000, |event| {
                if let Event::Record(received) = event {
                    last = received.record.sequence;
                }
            });
        }
    }
}

/// All built-in strategies in one engine over two markets, as many events to warm up as are counted.
fn engine(events: &str) -> Result<Vec<Part>> {
    let events: u64 = events.parse().tried("EVENTS")?;
    let names: Vec<&str> = REGISTRY.iter().map(|strategy| strategy.name).collect();
    let mut engine = groups::engine::engine(&names, market::lively)?;
    let (mut wandering, mut out, mut position) = (market::Wandering::default(), Written(0), 0);
    engine.start(0, Time(market::START_NS), &mut out);
    let mut run = |events: u64| {
        let before = (position, Region::new(ALLOCATOR));
        for _ in 0..events {
            wandering.event(|record| {
                engine.on_record(record, position, &mut out);
                position += 1;
            });
        }
        (position - before.0, allocations(&before.1))
    };
    run(events);
    let parts = (0..PARTS).map(|_| run(events / PARTS)).collect();
    if out.0 == 0 {
        return Err(BenchError::new("engine", "no strategy published anything"));
    }
    Ok(parts)
}

/// Counts what the engine publishes.
struct Written(u64);

impl Outbox for Written {
    fn publish(&mut self, _record: &Record) {
        self.0 += 1;
    }
}

/// The collector's session, TLS aside all of it, against a simulator that runs already: WebSocket library and runtime included.
fn session(config: &Path, venue: &str, seconds: &str) -> Result<Vec<Part>> {
    let venue = venue_of(venue)?;
    let seconds: f64 = seconds.parse().tried("SECONDS")?;
    let config = Config::load(Some(config)).tried("configuration")?;
    let socket = config.relay_socket();
    let relay = start_relay(&socket)?;
    let page = CounterPage::create("bench").tried("counters")?;
    let mut subscription = subscription(&socket, &page)?;
    let shutdown = Shutdown::new();
    let running = std::thread::spawn({
        let (shutdown, config, socket) = (shutdown.clone(), config.clone(), socket.clone());
        move || collect(venue, &config, socket, shutdown)
    });
    let counted = count_for(&mut subscription, Duration::from_secs_f64(seconds));
    shutdown.request();
    running.join().map_err(|_| BenchError::new("session", "panicked"))??;
    relay.stop().tried("the relay")?;
    counted
}

fn collect(venue: Venue, config: &Config, socket: PathBuf, shutdown: Shutdown) -> Result<()> {
    let none = || BenchError::new("session", format!("no collector for {venue}"));
    let collector = config.collectors.of(venue).ok_or_else(none)?.resolved(venue, config);
    let dialect = select::dialect(venue, &collector).ok_or_else(none)?;
    let page = CounterPage::create("collector").tried("counters")?;
    let publisher = publisher(socket, venue, &page)?;
    let meters = Meters::new(&page, venue);
    let keys = dialect
        .policy()
        .login
        .then(|| session::Keys::find(&collector, config.venues));
    let settings = Settings {
        venue,
        keys: keys.transpose().tried("keys")?,
        collector,
        capture: None,
        shutdown,
    };
    session::run(settings, dialect, publisher, meters).tried("session")
}

/// Waits for records to flow and lets them warm up for as long as is counted afterwards.
fn count_for(reader: &mut Subscription, time: Duration) -> Result<Vec<Part>> {
    let read_for = |reader: &mut Subscription, time: Duration| {
        let (start, mut records) = (Instant::now(), 0);
        while start.elapsed() < time {
            reader.poll(1000, |event| records += u64::from(matches!(event, Event::Record(_))));
            std::thread::yield_now();
        }
        records
    };
    let mut seen = 0;
    wait_until("records", READY_LIMIT, || {
        seen += read_for(reader, Duration::from_millis(1));
        seen > 100
    })?;
    read_for(reader, time);
    let part = |_| {
        let region = Region::new(ALLOCATOR);
        let records = read_for(reader, time / PARTS as u32);
        (records, allocations(&region))
    };
    Ok((0..PARTS).map(part).collect())
}
