//! What the relay adds: from a producer's publish to a reader's sight of the record, less the two ring hops that any such path has.
//!
//! One thread on the far core publishes a record and polls until it sees it in the stream, so one clock measures the whole way: far core → SPSC ring → relay on the
//! near core → broadcast ring → far core. From each time the medians of `ring.spsc` and `ring.broadcast`, taken in turns in the same run, are subtracted.
//! Other producers are attached and silent; other readers read each record after the first one saw it.

use quanta::Clock;
use tickpath_transport::broadcast::Next;
use tickpath_transport::{CounterPage, now_ns};

use super::Source;
use super::process::RelayProcess;
use super::tap::Tap;
use crate::context::{BenchError, Context, Result};
use crate::groups::ring::{Contender, on_core, one_way};
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

const PRODUCERS: [u8; 3] = [1, 4, 12];
const READERS: [usize; 3] = [1, 10, 50];
const RING: usize = 4096;
const STREAM: usize = 1 << 18;

/// Every number of producers with every number of readers.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let mut whole = Vec::new();
    let (mut spsc, mut broadcast) = (Samples::new(0.5), Samples::new(0.5));
    for producers in PRODUCERS {
        let hops = context.pick(4, 1);
        spsc.merge(&one_way(context, Contender::Spsc, hops)?);
        broadcast.merge(&one_way(context, Contender::Broadcast, hops)?);
        let relay = RelayProcess::start(context, STREAM)?;
        let times = on_core(context.far(), || rounds(context, &relay, producers))?;
        whole.extend(
            READERS
                .into_iter()
                .zip(times)
                .map(|(readers, times)| (producers, readers, times)),
        );
    }
    let hops = (spsc.summary().p50, broadcast.summary().p50);
    Ok(whole
        .into_iter()
        .map(|(producers, readers, times)| line(producers, readers, &times, hops, &broadcast))
        .collect())
}

fn line(producers: u8, readers: usize, times: &Samples, hops: (f64, f64), broadcast: &Samples) -> Measurement {
    let mut added = Samples::new(1.0);
    for value in times.histogram().iter_recorded() {
        let less = (value.value_iterated_to() as f64 - hops.0 - hops.1).max(0.0) as u64;
        for _ in 0..value.count_at_value() {
            added.add(less);
        }
    }
    Measurement::new(
        format!("relay.latency.p{producers}.r{readers}"),
        "ns",
        Better::Lower,
        added,
    )
    .floor("ring.broadcast one-way", broadcast.clone())
    .detail("whole_way_p50_ns", times.summary().p50)
    .detail("spsc_hop_p50_ns", hops.0)
    .detail("broadcast_hop_p50_ns", hops.1)
    .note("publish to sight through a relay process, less the medians of the two ring hops of the same run")
}

fn rounds(context: &Context, relay: &RelayProcess, producers: u8) -> Result<[Samples; READERS.len()]> {
    let page = CounterPage::create("bench").map_err(|error| BenchError::new("a counter page", error))?;
    let mut sources = Vec::new();
    for n in 0..producers {
        sources.push(Source::attach(relay, &page, n, RING)?);
    }
    let mut taps = Vec::new();
    for _ in 0..READERS[READERS.len() - 1] {
        taps.push(Tap::attach(relay.socket(), &page)?);
    }
    let mut times = READERS.map(|_| Samples::new(1.0));
    for round in 0..context.pick(11, 2) {
        for (readers, into) in READERS.into_iter().zip(&mut times) {
            let mut warm_up = Samples::new(1.0);
            let into = if round == 0 { &mut warm_up } else { into };
            trips(&mut sources, &mut taps, readers, context.pick(4_000, 100), into)?;
        }
    }
    Ok(times)
}

fn trips(sources: &mut [Source], taps: &mut [Tap], readers: usize, trips: u64, into: &mut Samples) -> Result<()> {
    let clock = Clock::new();
    let (idle, reading) = taps.split_at_mut(READERS[READERS.len() - 1] - readers);
    for tap in idle.iter_mut().chain(reading.iter_mut()) {
        while see(tap)?.is_some() {}
    }
    for trip in 0..trips {
        // The producers take turns, and the stamp costs what it costs a collector.
        let turn = (trip % sources.len() as u64) as usize;
        let source = &mut sources[turn];
        let now = now_ns();
        let start = clock.raw();
        source.publish(trip, now);
        source.publisher.flush();
        await_price(&mut reading[0], trip)?;
        into.add(clock.delta_as_nanos(start, clock.raw()));
        for tap in &mut reading[1..] {
            await_price(tap, trip)?;
        }
    }
    Ok(())
}

fn await_price(tap: &mut Tap, wanted: u64) -> Result<()> {
    loop {
        if see(tap)? == Some(wanted) {
            return Ok(());
        }
    }
}

/// The price of the tap's next record, if there is one.
fn see(tap: &mut Tap) -> Result<Option<u64>> {
    match tap.reader.next() {
        Next::Record { words, .. } => Ok(Some(words[4])),
        Next::Empty => Ok(None),
        Next::Lapped(missed) => Err(BenchError::new("read along", format!("{missed} records lapped"))),
    }
}
