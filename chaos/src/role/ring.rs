//! A reader of the broadcast ring, by shared memory or over the socket, that believes nothing.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tickpath_protocol::{Record, StatusCode};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_transport::{
    CounterPage, Event, Idle, Start, Subscription, SubscriptionConfig, Via, WaitStrategy, now_ns,
};

use super::stopwatch::Stopwatch;
use super::{Marks, Order, Orders, Over, Said, say};
use crate::certified;
use crate::ledger::Ledger;

const SAY_EVERY: Duration = Duration::from_millis(50);
const STEPS_MAX: usize = 4096;

struct Reader {
    ledger: Ledger,
    marks: Marks,
    /// When the newest certified record was published.
    newest_ns: i64,
    /// What to tell once the poll is over.
    news: Vec<Said>,
    stopwatch: Stopwatch,
    /// What to do to the next certified record, because the run is to fail.
    spoil: Option<Spoil>,
}

/// What a reader of a run that is to fail does to one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// Leaves it out.
    Drop,
    /// Turns a bit.
    Tear,
    /// Takes it twice.
    Repeat,
}

/// Runs until the input ends. `spoil` is what it does when it is told to spoil something.
///
/// # Errors
/// If the parent does not listen.
pub fn run(socket: PathBuf, name: &str, via: Via, seed: u64, spoil: Option<Spoil>) -> Result<(), ProcessError> {
    let page = CounterPage::create(name).or_exit(ExitCode::Failed, "counters")?;
    let config = SubscriptionConfig {
        socket,
        name: name.to_owned(),
        start: Start::Oldest,
        via,
    };
    let mut subscription = Subscription::new(config, &page);
    let mut reader = Reader {
        ledger: Ledger::new(seed),
        marks: Marks::default(),
        newest_ns: 0,
        news: Vec::new(),
        stopwatch: Stopwatch::default(),
        spoil: None,
    };
    let orders = Orders::listen();
    let mut idle = Idle::new(WaitStrategy::Sleep);
    let (mut told, mut end, mut is_ready) = (Instant::now(), None, false);
    loop {
        match orders.next() {
            Ok(Some(Order::Mark { id, at_ns })) => reader.marks.add(id, at_ns),
            Ok(Some(Order::Finish { last })) => end = Some(last),
            Ok(Some(Order::Spoil)) => reader.spoil = spoil,
            Ok(Some(Order::Begin)) => reader.stopwatch.begin(),
            Ok(Some(Order::End)) => say(&Said::Latency(reader.stopwatch.end()))?,
            Ok(None) => {}
            Err(Over) => return Ok(()),
        }
        let events = subscription.poll(STEPS_MAX, |event| reader.take(event));
        reader.tell()?;
        if !is_ready && subscription.is_attached() {
            is_ready = true;
            say(&Said::Ready)?;
        }
        if told.elapsed() >= SAY_EVERY {
            told = Instant::now();
            let (last, published_ns) = (reader.ledger.account().last, reader.newest_ns);
            say(&Said::Progress { last, published_ns })?;
        }
        if end.is_some_and(|end| reader.ledger.account().last >= end) {
            end = None;
            say(&Said::Account(reader.ledger.account().clone()))?;
        }
        if events == 0 { idle.idle() } else { idle.reset() }
    }
}

impl Reader {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Record(received) => self.record(received.record),
            Event::Missing { venue, count } => self.ledger.owe(venue, count),
            Event::Lapped { .. } => self.ledger.overtaken(),
            Event::Attached { .. } => self.ledger.forget_others(),
            Event::Detached => self.news.push(Said::RelayGone { at_ns: now_ns() }),
        }
    }

    fn record(&mut self, mut record: Record) {
        let is_certified = certified::VENUE == record.venue() && record.instrument() == certified::INSTRUMENT;
        if is_certified {
            self.newest_ns = record.ts_recv;
            self.stopwatch.add(record.ts_recv);
            match self.spoil.take() {
                Some(Spoil::Drop) => return,
                Some(Spoil::Tear) => record.size ^= 1,
                Some(Spoil::Repeat) => self.ledger.observe(&record),
                None => {}
            }
        }
        if StatusCode::of(&record) == Some(StatusCode::ProducerDetached) {
            self.news.push(Said::ProducerGone {
                venue: record.venue,
                at_ns: now_ns(),
            });
        }
        self.ledger.observe(&record);
    }

    fn tell(&mut self) -> Result<(), ProcessError> {
        for said in self.news.drain(..) {
            say(&said)?;
        }
        self.marks.seen(self.newest_ns)
    }
}
