//! The matching engine beside `lobster`, over the same requests: see [`tape`] for the mix.
//!
//! A request is a new order or a cancel; its cost includes the telling of its events (ours: into a `Vec` that is reused; the peer: as it returns them).
//! *Throughput*: the engines take turns of a batch; a value is the rate of a tenth of it, and the first tenth does not count, for it fetches back what the other engine
//! pushed out of the caches. On a machine that is busy with other things more of the slower engine's tenths are interrupted, so the ratio flatters the faster one; that of a calm run counts.
//! *Latency*: each request alone between two readings of the time-stamp counter, whose own cost (detail `clock_ns`) is within the value.
//! Every pass starts with new books, filled by the same image; the first batch warms them up. After each batch both must show the same best prices and
//! have filled the same quantity.

mod tape;

use std::hint::black_box;

use quanta::Clock;
use tape::{Request, Tape};
use tickpath_matching::{Book, Event, NewOrder, OrderId, Rules};
use tickpath_peers::matching::LobsterBook;
use tickpath_protocol::Side;

use crate::context::{BenchError, Context, Result};
use crate::groups::ring::on_core;
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

/// Open orders.
const ORDERS: usize = 10_000;
/// Batches of one pass.
const BATCHES: usize = 10;
const NOTE: &str = "10,000 open orders; of 100 requests 46 limit orders, 46 cancels, 8 market orders; the peer checks neither ids nor steps and knows no owners";

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let batch = context.pick(100_000, 1_000);
    let tape = Tape::new(context.pick(ORDERS, 500), BATCHES * batch);
    let passes = context.pick(5, 1);
    let rates = on_core(context.near(), || throughput(&tape, batch, passes))?;
    let times = on_core(context.near(), || latencies(&tape, batch, passes))?;
    let mut measurements = vec![
        Measurement::new("matching.throughput", "orders/s", Better::Higher, rates.ours)
            .peer("lobster", rates.peer)
            .note(format!("a value is the rate of {} requests; {NOTE}", batch / 10)),
    ];
    for (name, pair) in [
        "matching.latency",
        "matching.latency.limit",
        "matching.latency.cancel",
        "matching.latency.market",
    ]
    .into_iter()
    .zip(times)
    {
        measurements.push(
            Measurement::new(name, "ns", Better::Lower, pair.ours)
                .peer("lobster", pair.peer)
                .detail("clock_ns", clock_ns())
                .note(NOTE),
        );
    }
    Ok(measurements)
}

/// Values of both engines.
struct Pair {
    ours: Samples,
    peer: Samples,
}

impl Pair {
    fn new() -> Pair {
        Pair {
            ours: Samples::new(1.0),
            peer: Samples::new(1.0),
        }
    }
}

/// Both engines with the same orders in them.
struct Contest {
    ours: Ours,
    peer: Peer,
}

impl Contest {
    fn new(tape: &Tape) -> Contest {
        let mut contest = Contest {
            ours: Ours {
                book: Book::with_capacity(Rules::default(), tape.image.len() * 2),
                events: Vec::with_capacity(1024),
                filled: 0,
            },
            peer: Peer {
                book: LobsterBook::with_capacity(tape.image.len() * 2),
                filled: 0,
            },
        };
        for request in &tape.image {
            contest.ours.apply(request);
            contest.peer.apply(request);
        }
        contest
    }

    fn check(&self) -> Result<()> {
        for side in [Side::Bid, Side::Ask] {
            let (ours, peer) = (
                self.ours.book.best(side).map(|level| level.price),
                self.peer.book.best(side),
            );
            if ours != peer {
                return Err(BenchError::new(
                    "the books",
                    format!("best {side:?} is {ours:?}, the peer's {peer:?}"),
                ));
            }
        }
        match self.ours.filled == self.peer.filled {
            true => Ok(()),
            false => Err(BenchError::new("the books", "they filled different quantities")),
        }
    }
}

struct Ours {
    book: Book,
    events: Vec<Event>,
    filled: i64,
}

impl Ours {
    #[inline]
    fn apply(&mut self, request: &Request) {
        self.events.clear();
        match *request {
            Request::Limit {
                id,
                side,
                price,
                quantity,
            } => self
                .book
                .submit(&NewOrder::limit(id, side, price, quantity), &mut self.events),
            Request::Cancel { id } => self.book.cancel(OrderId(id), &mut self.events),
            Request::Market { id, side, quantity } => {
                self.book
                    .submit(&NewOrder::market(id, side, quantity), &mut self.events);
            }
        }
        for event in &self.events {
            if let Event::Trade { quantity, .. } = event {
                self.filled += quantity;
            }
        }
    }
}

struct Peer {
    book: LobsterBook,
    filled: i64,
}

impl Peer {
    #[inline]
    fn apply(&mut self, request: &Request) {
        self.filled += match *request {
            Request::Limit {
                id,
                side,
                price,
                quantity,
            } => self.book.limit(id, side, price, quantity),
            Request::Cancel { id } => {
                self.book.cancel(id);
                0
            }
            Request::Market { id, side, quantity } => self.book.market(id, side, quantity),
        };
    }
}

fn throughput(tape: &Tape, batch: usize, passes: usize) -> Result<Pair> {
    let clock = Clock::new();
    let mut pair = Pair::new();
    for _ in 0..passes {
        let mut contest = Contest::new(tape);
        for (n, batch) in tape.requests.chunks(batch).enumerate() {
            let (ours, peer) = (&mut contest.ours, &mut contest.peer);
            let ours = rates(&clock, batch, |request| ours.apply(request));
            let peer = rates(&clock, batch, |request| peer.apply(request));
            black_box((&contest.ours.book, &contest.peer.book));
            contest.check()?;
            // The first batch warms up.
            if n > 0 {
                pair.ours.merge(&ours);
                pair.peer.merge(&peer);
            }
        }
    }
    Ok(pair)
}

/// Requests a second of each tenth of a batch but the first.
fn rates(clock: &Clock, batch: &[Request], mut apply: impl FnMut(&Request)) -> Samples {
    let mut rates = Samples::new(1.0);
    for (n, part) in batch.chunks(batch.len().div_ceil(10)).enumerate() {
        let start = clock.raw();
        part.iter().for_each(&mut apply);
        let ns = clock.delta_as_nanos(start, clock.raw());
        if n > 0 {
            rates.add(part.len() as u64 * 1_000_000_000 / ns.max(1));
        }
    }
    rates
}

/// Of all requests, limit orders, cancels, market orders.
fn latencies(tape: &Tape, batch: usize, passes: usize) -> Result<[Pair; 4]> {
    let clock = Clock::new();
    let mut pairs = [Pair::new(), Pair::new(), Pair::new(), Pair::new()];
    for _ in 0..passes {
        let mut contest = Contest::new(tape);
        for (n, batch) in tape.requests.chunks(batch).enumerate() {
            let is_warm = n > 0;
            let mut add = |request: &Request, ns, of: fn(&mut Pair) -> &mut Samples| {
                if is_warm {
                    of(&mut pairs[0]).add(ns);
                    of(&mut pairs[kind(request)]).add(ns);
                }
            };
            for request in batch {
                let start = clock.raw();
                contest.ours.apply(request);
                let end = clock.raw();
                add(request, clock.delta_as_nanos(start, end), |pair| &mut pair.ours);
            }
            for request in batch {
                let start = clock.raw();
                contest.peer.apply(request);
                let end = clock.raw();
                add(request, clock.delta_as_nanos(start, end), |pair| &mut pair.peer);
            }
            contest.check()?;
        }
    }
    Ok(pairs)
}

fn kind(request: &Request) -> usize {
    match request {
        Request::Limit { .. } => 1,
        Request::Cancel { .. } => 2,
        Request::Market { .. } => 3,
    }
}

/// What two readings of the clock are apart with nothing between them.
fn clock_ns() -> f64 {
    let clock = Clock::new();
    let apart = (0..10_000).map(|_| {
        let start = clock.raw();
        clock.delta_as_nanos(start, clock.raw())
    });
    Samples::of(apart).summary().p50
}
