//! The certified producer: publishes at a stated rate, attached to the relay as a collector is.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_transport::{CounterPage, Publisher, PublisherConfig, Via, now_ns};

use super::{Order, Orders, Over, Said, say};
use crate::certified;

const TICK: Duration = Duration::from_millis(1);
const SAY_EVERY: Duration = Duration::from_millis(50);
/// What it makes up for at most after it was stopped, so that it comes back with a burst and not with a flood.
const BACKLOG_MAX: Duration = Duration::from_millis(500);

/// Runs until the input ends, with room for `capacity` records, a power of two.
///
/// # Errors
/// If the relay refuses it for good.
pub fn run(socket: PathBuf, seed: u64, rate: u64, capacity: usize) -> Result<(), ProcessError> {
    let page = CounterPage::create("chaos-producer").or_exit(ExitCode::Failed, "counters")?;
    let config = PublisherConfig {
        socket,
        venue: certified::VENUE,
        name: "chaos-producer".into(),
        capacity,
        via: Via::SharedMemory,
    };
    let mut publisher = Publisher::new(config, &page).or_exit(ExitCode::Failed, "producer")?;
    let id = publisher
        .instrument(certified::SYMBOL, certified::SYMBOL, certified::SCALE, 1, 1)
        .or_exit(ExitCode::Failed, "instrument")?;
    if id != certified::INSTRUMENT {
        return Err(ProcessError::message(
            ExitCode::Failed,
            "another producer had this venue",
        ));
    }
    say(&Said::Ready)?;
    let orders = Orders::listen();
    publish(&mut publisher, seed, rate, &orders)?;
    say(&Said::Published {
        last: publisher.sequence(),
        dropped: publisher.dropped(),
    })?;
    // What is in the ring, and a Gap for what found no room, must still reach the relay.
    while orders.next().is_ok() {
        publisher.flush();
        std::thread::sleep(TICK);
    }
    Ok(())
}

/// Publishes until it is told to finish.
fn publish(publisher: &mut Publisher, seed: u64, rate: u64, orders: &Orders) -> Result<(), ProcessError> {
    let per_record = Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX).max(1);
    let mut due = Instant::now();
    let mut told = Instant::now();
    loop {
        match orders.next() {
            Ok(Some(Order::Finish { .. })) | Err(Over) => return Ok(()),
            Ok(_) => {}
        }
        let now = Instant::now();
        due = due.max(now.checked_sub(BACKLOG_MAX).unwrap_or(due));
        let now_ns = now_ns();
        while due <= now {
            publisher.publish(certified::record(seed, publisher.sequence() + 1, now_ns));
            due += per_record;
        }
        publisher.flush();
        if let Some(error) = publisher.fatal() {
            return Err(error).or_exit(ExitCode::Failed, "the relay refuses the certified producer");
        }
        if told.elapsed() >= SAY_EVERY {
            told = now;
            say(&Said::Progress {
                last: publisher.sequence(),
                published_ns: now_ns,
            })?;
        }
        std::thread::sleep(TICK);
    }
}
