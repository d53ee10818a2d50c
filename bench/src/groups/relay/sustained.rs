//! A minute of an open-loop load with twelve reader processes: nothing may be lost.
//!
//! Three producers publish on a schedule that does not wait for anyone; each record carries the time at which it was due. Readers are processes of their own with the
//! public [`Subscription`], all on the far core beside the load, and say at the end what they got.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tickpath_transport::{
    CounterPage, Event, Idle, Start, Subscription, SubscriptionConfig, Via, WaitStrategy, now_ns,
};

use super::Source;
use super::process::RelayProcess;
use crate::context::{BenchError, Context, Result};
use crate::groups::ring::{on_core, pin};
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

const PRODUCERS: u64 = 3;
const READERS: usize = 12;
/// Offered; a little above the million that is promised.
const RATE: u64 = 1_050_000;
const RING: usize = 1 << 16;
const STREAM: usize = 1 << 18;
/// How often the load looks at its schedule.
const TICK: Duration = Duration::from_micros(250);
/// Price of a record that ends a reader.
const LAST: i64 = i64::MAX;

/// What a reader says at its end.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    records: u64,
    missing: u64,
    first_ns: i64,
    last_ns: i64,
    p50_ns: u64,
    p99_ns: u64,
}

/// Carries the load.
pub fn measure(context: &Context) -> Result<Measurement> {
    let length = context.pick(Duration::from_secs(60), Duration::from_millis(300));
    context.say(&format!("{RATE} records/s for {length:?}"));
    let relay = RelayProcess::start(context, STREAM)?;
    let readers: Vec<Child> = (0..READERS)
        .map(|n| start_reader(context, &relay, n))
        .collect::<Result<_>>()?;
    let sent = on_core(context.far(), || load(&relay, length));
    let outcomes: Vec<Outcome> = readers.into_iter().map(collect).collect::<Result<_>>()?;
    let (sent, dropped) = sent?;
    let rate = |outcome: &Outcome| outcome.records as f64 / ((outcome.last_ns - outcome.first_ns) as f64 / 1e9);
    let lost: u64 = outcomes
        .iter()
        .map(|outcome| outcome.missing.max(sent.saturating_sub(outcome.records)))
        .sum();
    let worst = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).max().unwrap_or(0) as f64;
    let ours = Samples::of(outcomes.iter().map(|outcome| rate(outcome) as u64));
    Ok(Measurement::new("relay.sustained", "records/s", Better::Higher, ours)
        .detail("seconds", length.as_secs_f64())
        .detail("readers", READERS as f64)
        .detail("records_published", sent as f64)
        .detail("records_dropped_by_producers", dropped as f64)
        .detail("records_lost_by_readers", lost as f64)
        .detail("worst_reader_due_to_seen_p50_ns", worst(|outcome| outcome.p50_ns))
        .detail("worst_reader_due_to_seen_p99_ns", worst(|outcome| outcome.p99_ns))
        .note("open-loop, 3 producers; a value is what one of 12 reader processes received a second; load and readers share one core, so their latencies are the scheduler's"))
}

/// Publishes on schedule; how many records, and how many found a ring full.
fn load(relay: &RelayProcess, length: Duration) -> Result<(u64, u64)> {
    let page = CounterPage::create("bench").map_err(|error| BenchError::new("a counter page", error))?;
    let mut sources = Vec::new();
    for n in 0..PRODUCERS {
        sources.push(Source::attach(relay, &page, n as u8, RING)?);
    }
    let (start, start_ns) = (Instant::now(), now_ns());
    let mut sent = 0;
    while start.elapsed() < length {
        let due = start.elapsed().as_nanos() as u64 * RATE / 1_000_000_000;
        while sent < due {
            let due_ns = start_ns + (sent * 1_000_000_000 / RATE) as i64;
            sources[(sent % PRODUCERS) as usize].publish(sent, due_ns);
            sent += 1;
        }
        for source in &mut sources {
            source.publisher.flush();
        }
        std::thread::sleep(TICK);
    }
    let dropped = sources.iter().map(|source| source.publisher.dropped()).sum();
    let end_ns = now_ns();
    for source in &mut sources {
        source.publish(LAST as u64, end_ns);
        source.publisher.flush();
    }
    // What is in the rings arrives before the producers hang up.
    for source in &mut sources {
        super::process::wait_until("the relay to empty the rings", || {
            source.publisher.room() >= RING as u64 - 1
        })?;
    }
    Ok((sent, dropped))
}

fn start_reader(context: &Context, relay: &RelayProcess, n: usize) -> Result<Child> {
    let own = std::env::current_exe().map_err(|error| BenchError::new("the path of this program", error))?;
    let mut child = Command::new(own)
        .args(["role", "relay-reader", &context.far().to_string()])
        .arg(relay.socket())
        .arg(format!("reader-{n}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| BenchError::new("start a reader", error))?;
    // It says so when it is attached.
    let mut ready = [0];
    let said = child.stdout.as_mut().map(|output| output.read_exact(&mut ready));
    match said {
        Some(Ok(())) => Ok(child),
        _ => Err(BenchError::new("start a reader", "it did not attach")),
    }
}

fn collect(child: Child) -> Result<Outcome> {
    let output = child
        .wait_with_output()
        .map_err(|error| BenchError::new("wait for a reader", error))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<i64> = text.split_whitespace().filter_map(|part| part.parse().ok()).collect();
    match numbers[..] {
        [records, missing, first_ns, last_ns, p50, p99] => Ok(Outcome {
            records: records as u64,
            missing: missing as u64,
            first_ns,
            last_ns,
            p50_ns: p50 as u64,
            p99_ns: p99 as u64,
        }),
        _ => Err(BenchError::new(
            "a reader's outcome",
            format!("`{text}`, {}", output.status),
        )),
    }
}

/// `tickpath-bench role relay-reader CORE SOCKET NAME`: one of the readers.
pub fn role(arguments: &[String]) -> Result<()> {
    let [core, socket, name] = arguments else {
        return Err(BenchError::new("role relay-reader", "expected CORE SOCKET NAME"));
    };
    pin(core
        .parse()
        .map_err(|error| BenchError::new(format!("core `{core}`"), error))?)?;
    let page = CounterPage::create("reader").map_err(|error| BenchError::new("a counter page", error))?;
    let config = SubscriptionConfig {
        socket: socket.into(),
        name: name.clone(),
        start: Start::Live,
        via: Via::SharedMemory,
    };
    let mut subscription = Subscription::new(config, &page);
    super::process::wait_until("the relay", || {
        subscription.poll(0, |_| {});
        subscription.is_attached()
    })?;
    println!("+");
    let outcome = read(&mut subscription)?;
    println!(
        "{} {} {} {} {} {}",
        outcome.records, outcome.missing, outcome.first_ns, outcome.last_ns, outcome.p50_ns, outcome.p99_ns
    );
    Ok(())
}

fn read(subscription: &mut Subscription) -> Result<Outcome> {
    let parent = std::os::unix::process::parent_id();
    let mut latency = Samples::new(1.0);
    let mut idle = Idle::new(WaitStrategy::Sleep);
    let (mut records, mut ends, mut first_ns, mut last_ns) = (0, 0, 0, 0);
    while ends < PRODUCERS {
        let now = now_ns();
        let events = subscription.poll(4096, |event| {
            let Event::Record(received) = event else { return };
            let record = &received.record;
            if !record.kind().is_some_and(|kind| kind.has_decimals()) {
                return;
            }
            if record.price == LAST {
                ends += 1;
                return;
            }
            first_ns = if records == 0 { record.ts_recv } else { first_ns };
            last_ns = record.ts_recv;
            records += 1;
            if records % 16 == 0 {
                latency.add((now - record.ts_recv).max(0) as u64);
            }
        });
        if events > 0 {
            idle.reset();
        } else {
            idle.idle();
            if std::os::unix::process::parent_id() != parent {
                return Err(BenchError::new("the measurement", "its process is gone"));
            }
        }
    }
    let summary = latency.summary();
    Ok(Outcome {
        records,
        missing: subscription.missing(),
        first_ns,
        last_ns,
        p50_ns: summary.p50 as u64,
        p99_ns: summary.p99 as u64,
    })
}
