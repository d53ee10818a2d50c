//! All markets on one clock.
//!
//! Sans-IO: [`World::advance`] runs the agenda up to a time and hands out what venues publish, in order. Reference prices walk every 100 ms
//! and are shared by the venues that list the asset; batches (Binance's depth stream, Coinbase's `level2_batch`) are cut on
//! the clock, the same for every client, so that two connections see the same update ids.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tickpath_protocol::OrderBook;

use crate::listing::{ASSETS, LISTINGS, Listing};
use crate::market::{Event, Market};
use crate::orders::{ClientOrder, Desk, OrderKey, Refusal, Ticket};

mod listed;

pub use listed::Batch;
use listed::ListedMarket;

const MILLISECOND_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000 * MILLISECOND_NS;
/// How often reference prices move.
const REFERENCE_NS: u64 = 100 * MILLISECOND_NS;
/// Largest step of a reference price, in millionths of it.
const REFERENCE_STEP_PPM: i64 = 10;

/// Binance's `@depth@100ms`.
pub const DEPTH_FAST_MS: u64 = 100;
/// Binance's `@depth`.
pub const DEPTH_SLOW_MS: u64 = 1_000;
/// Coinbase's `level2_batch` and Advanced Trade's `level2`.
pub const LEVEL2_BATCH_MS: u64 = 50;

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// At once.
    Event(Event),
    /// On the clock.
    Batch(Batch),
}

/// One publication of one market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// +1 each over all markets: what a snapshot already covers.
    pub sequence: u64,
    /// Index into [`LISTINGS`].
    pub market: usize,
    /// Nanoseconds since the Unix epoch.
    pub ts_ns: i64,
    /// What.
    pub body: Body,
}

impl Publication {
    /// The row of the market.
    #[must_use]
    pub fn listing(&self) -> &'static Listing {
        &LISTINGS[self.market]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Reference,
    Flush(u64),
    Step(usize),
}

/// All markets of all venues.
#[derive(Debug)]
pub struct World {
    epoch_ns: i64,
    clock_ns: u64,
    sequence: u64,
    /// Mean time between two events of one market; 0 stands for a market without events.
    mean_ns: u64,
    references: Vec<i64>,
    reference_rng: ChaCha8Rng,
    listed: Vec<ListedMarket>,
    desk: Desk,
    agenda: BinaryHeap<Reverse<(u64, Task)>>,
}

impl World {
    /// Markets of `seed` at `events_per_second` events each, whose clock reads `epoch_ns` at the start.
    #[must_use]
    pub fn new(seed: u64, events_per_second: u32, epoch_ns: i64) -> World {
        let references: Vec<i64> = ASSETS.iter().map(|asset| asset.start_micros).collect();
        let listed = LISTINGS.iter().enumerate().map(|(market, row)| {
            let reference = scaled(references[row.asset], row.price_decimals);
            let rng = |stream: u64| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(stream);
                rng
            };
            let number = 1_000_000 * (market as u64 + 11);
            let market_rng = rng(market as u64 * 2 + 1);
            ListedMarket::new(
                Market::new(row, reference, number, market_rng),
                row.venue,
                rng(market as u64 * 2 + 2),
            )
        });
        let mut world = World {
            epoch_ns,
            clock_ns: 0,
            sequence: 0,
            mean_ns: SECOND_NS.checked_div(u64::from(events_per_second)).unwrap_or(0),
            listed: listed.collect(),
            desk: Desk::default(),
            references,
            reference_rng: ChaCha8Rng::seed_from_u64(seed),
            agenda: BinaryHeap::new(),
        };
        world.plan(REFERENCE_NS, Task::Reference);
        for period_ms in [DEPTH_FAST_MS, DEPTH_SLOW_MS, LEVEL2_BATCH_MS] {
            world.plan(period_ms * MILLISECOND_NS, Task::Flush(period_ms));
        }
        for market in 0..LISTINGS.len() {
            world.plan_step(market);
        }
        world
    }

    /// Runs until `until_ns` after the start and hands out what is published.
    pub fn advance(&mut self, until_ns: u64, mut publish: impl FnMut(Publication)) {
        while self.next_ns() <= until_ns {
            let Some(Reverse((at_ns, task))) = self.agenda.pop() else {
                break;
            };
            self.clock_ns = at_ns;
            match task {
                Task::Reference => self.walk_references(),
                Task::Flush(period_ms) => self.flush(period_ms, &mut publish),
                Task::Step(market) => self.step(market, &mut publish),
            }
        }
        self.clock_ns = self.clock_ns.max(until_ns);
    }

    /// When the next item of the agenda is due, after the start.
    #[must_use]
    pub fn next_ns(&self) -> u64 {
        self.agenda.peek().map_or(u64::MAX, |Reverse((at_ns, _))| *at_ns)
    }

    /// Nanoseconds since the Unix epoch on the markets' clock.
    #[must_use]
    pub fn now_ns(&self) -> i64 {
        self.epoch_ns.saturating_add(self.clock_ns as i64)
    }

    /// Number of the last publication: what a snapshot taken now covers.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// A market by its number.
    #[must_use]
    pub fn market(&self, market: usize) -> &Market {
        &self.listed[market].market
    }

    /// The book as of the last batch, where the venue publishes batches in band; else as it stands.
    #[must_use]
    pub fn published_book(&self, market: usize) -> &OrderBook {
        let listed = &self.listed[market];
        listed.batched.as_ref().unwrap_or(listed.market.book())
    }

    /// The client's orders.
    #[must_use]
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// An order of the client; as it stands once it was matched.
    ///
    /// # Errors
    /// As [`Refusal`] says; then nothing happened.
    pub fn place(&mut self, ticket: Ticket, mut publish: impl FnMut(Publication)) -> Result<ClientOrder, Refusal> {
        self.desk.check(&ticket)?;
        self.check_band(&ticket)?;
        let (market, order, ts_ns) = (ticket.market, ticket.order(), self.now_ns());
        let number = self.listed[market].market.next_order();
        self.desk.enter(ticket, number, ts_ns);
        let event = self.listed[market].market.place(order, ts_ns);
        let refusal = self.listed[market].market.last_refusal();
        self.tell(market, event, &mut publish);
        match (refusal, self.desk.order((market, number))) {
            (None, Some(order)) => Ok(order.clone()),
            (Some(reason), _) => Err(reason.into()),
            (None, None) => Err(tickpath_matching::Reject::UnknownId.into()),
        }
    }

    /// Prices far away are refused: what rests there would drag the participants after it.
    fn check_band(&self, ticket: &Ticket) -> Result<(), Refusal> {
        let row = &LISTINGS[ticket.market];
        let reference = scaled(self.references[row.asset], row.price_decimals);
        let (lowest, highest) = (reference / 2, reference * 2);
        let mut prices = [ticket.kind.price(), ticket.kind.trigger()].into_iter().flatten();
        match prices.all(|price| (lowest..=highest).contains(&price)) {
            true => Ok(()),
            false => Err(Refusal::FarFromMarket { lowest, highest }),
        }
    }

    /// Cancels an order of the client, if it is open.
    pub fn cancel(&mut self, (market, number): OrderKey, mut publish: impl FnMut(Publication)) {
        let is_open = self
            .desk
            .order((market, number))
            .is_some_and(|order| !order.state.is_done());
        if is_open {
            let ts_ns = self.now_ns();
            let event = self.listed[market].market.cancel_order(number, ts_ns);
            self.tell(market, event, &mut publish);
        }
    }

    /// Cancels what the client has open, in one market or in all; what was canceled.
    pub fn cancel_all(&mut self, market: Option<usize>, mut publish: impl FnMut(Publication)) -> Vec<OrderKey> {
        let of_market = |order: &&ClientOrder| market.is_none_or(|market| order.ticket.market == market);
        let open = self
            .desk
            .orders()
            .filter(|order| !order.state.is_done())
            .filter(of_market);
        let keys: Vec<OrderKey> = open.map(ClientOrder::key).collect();
        for key in &keys {
            self.cancel(*key, &mut publish);
        }
        keys
    }

    fn plan(&mut self, after_ns: u64, task: Task) {
        self.agenda
            .push(Reverse((self.clock_ns.saturating_add(after_ns.max(1)), task)));
    }

    fn plan_step(&mut self, market: usize) {
        if self.mean_ns > 0 {
            let after_ns = self.listed[market].rng.random_range(1..=2 * self.mean_ns);
            self.plan(after_ns, Task::Step(market));
        }
    }

    fn walk_references(&mut self) {
        for (price, asset) in self.references.iter_mut().zip(&ASSETS) {
            let ppm = self
                .reference_rng
                .random_range(-REFERENCE_STEP_PPM..=REFERENCE_STEP_PPM);
            // Kept within a factor of two, so that prices stay plausible however long it runs.
            *price = (*price + *price / 1_000_000 * ppm).clamp(asset.start_micros / 2, asset.start_micros * 2);
        }
        self.plan(REFERENCE_NS, Task::Reference);
    }

    fn step(&mut self, market: usize, publish: &mut impl FnMut(Publication)) {
        let row = &LISTINGS[market];
        let reference = scaled(self.references[row.asset], row.price_decimals);
        let ts_ns = self.now_ns();
        let event = self.listed[market].market.step(reference, ts_ns);
        self.tell(market, event, publish);
        self.plan_step(market);
    }

    /// What the client's orders have to do with an event, then the event.
    fn tell(&mut self, market: usize, mut event: Event, publish: &mut impl FnMut(Publication)) {
        let notices = self.listed[market].market.take_notices();
        event.orders = self.desk.note(market, &notices, event.ts_ns);
        self.listed[market].gather(&event);
        self.publish(market, Body::Event(event), publish);
    }

    fn flush(&mut self, period_ms: u64, publish: &mut impl FnMut(Publication)) {
        for market in 0..self.listed.len() {
            if let Some(batch) = self.listed[market].flush(period_ms) {
                self.publish(market, Body::Batch(batch), publish);
            }
        }
        self.plan(period_ms * MILLISECOND_NS, Task::Flush(period_ms));
    }

    fn publish(&mut self, market: usize, body: Body, publish: &mut impl FnMut(Publication)) {
        self.sequence += 1;
        publish(Publication {
            sequence: self.sequence,
            market,
            ts_ns: self.now_ns(),
            body,
        });
    }
}

/// A price in millionths as a mantissa at `decimals` (at most 6).
fn scaled(micros: i64, decimals: u8) -> i64 {
    micros / 10_i64.pow(6 - u32::from(decimals.min(6)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tickpath_protocol::Side;

    use super::*;

    const MINUTE_NS: u64 = 60 * SECOND_NS;

    fn run(seed: u64, until_ns: u64) -> (World, Vec<Publication>) {
        let mut world = World::new(seed, 20, 1_000);
        let mut published = Vec::new();
        world.advance(until_ns, |publication| published.push(publication));
        (world, published)
    }

    #[test]
    fn a_seed_makes_one_world_however_it_is_cut() {
        let (_, whole) = run(5, 10 * SECOND_NS);
        let mut world = World::new(5, 20, 1_000);
        let mut parts = Vec::new();
        for at in 0..=1_000 {
            world.advance(at * 10 * MILLISECOND_NS, |publication| parts.push(publication));
        }
        assert_eq!(whole, parts);
        assert_ne!(whole, run(6, 10 * SECOND_NS).1);
    }

    #[test]
    fn the_rate_is_what_was_asked_for() {
        let (_, published) = run(1, MINUTE_NS);
        let events = published.iter().filter(|p| matches!(p.body, Body::Event(_))).count();
        let expected = 60 * 20 * LISTINGS.len();
        assert!((expected * 9 / 10..expected * 11 / 10).contains(&events), "{events}");
        let mut quiet = World::new(1, 0, 0);
        quiet.advance(MINUTE_NS, |_| panic!("nothing happens in a market without events"));
    }

    #[test]
    fn batches_join_and_rebuild_the_book() {
        let mut world = World::new(9, 50, 0);
        let mut book = world.published_book(3).clone();
        let mut binance = BTreeMap::new();
        let mut checked = 0;
        for at in 1..=1_200 {
            world.advance(at * LEVEL2_BATCH_MS * MILLISECOND_NS, |publication| {
                let Body::Batch(batch) = &publication.body else { return };
                let last = binance.insert((publication.market, batch.period_ms), batch.last_update);
                assert!(last.is_none_or(|last| batch.first_update == last + 1));
                if publication.market == 3 {
                    let sides = [(Side::Bid, &batch.bids), (Side::Ask, &batch.asks)];
                    for (side, levels) in sides {
                        for (price, size) in levels {
                            book.apply(side, *price, *size).unwrap();
                        }
                    }
                    checked += 1;
                }
            });
            assert_eq!(&book, world.published_book(3));
        }
        assert!(checked > 500, "{checked}");
    }

    #[test]
    fn venues_agree_about_the_price() {
        let (world, _) = run(2, 10 * MINUTE_NS);
        let dollars: Vec<i64> = [0, 3, 6, 9]
            .into_iter()
            .map(|market| {
                let decimals = u32::from(LISTINGS[market].price_decimals);
                world.market(market).book().best(Side::Bid).unwrap().price / 10_i64.pow(decimals)
            })
            .collect();
        let (least, most) = (dollars.iter().min().unwrap(), dollars.iter().max().unwrap());
        assert!(most - least < least / 500, "{dollars:?}");
    }
}
