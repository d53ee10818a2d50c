//! The world behind a lock, its clock, and the channels on which connections hear of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tickpath_protocol::Venue;
use tokio::sync::broadcast;

use crate::orders::{ClientOrder, OrderKey, Refusal, Ticket};
use crate::world::{Publication, World};

/// Publications that may wait for a connection; one that is further behind is thrown out, as a venue does.
pub const BACKLOG_MAX: usize = 1 << 14;
/// The clock is looked at no more often than this, so that a quiet market costs nothing.
const PACE: Duration = Duration::from_millis(5);
/// A pause of the process longer than this is left out of the markets' time, lest they catch up in one burst.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The markets of all venues, running.
#[derive(Debug)]
pub struct Exchange {
    world: Mutex<World>,
    channels: [broadcast::Sender<Arc<Publication>>; 4],
    epoch_ns: i64,
    start: Instant,
}

impl Exchange {
    /// Markets of `seed`; nothing moves before [`Exchange::run`].
    #[must_use]
    pub fn new(seed: u64, events_per_second: u32) -> Exchange {
        let epoch_ns = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        Exchange {
            world: Mutex::new(World::new(seed, events_per_second, epoch_ns)),
            channels: std::array::from_fn(|_| broadcast::Sender::new(BACKLOG_MAX)),
            epoch_ns,
            start: Instant::now(),
        }
    }

    /// Moves the markets for ever.
    pub async fn run(self: Arc<Self>) {
        let mut lost = Duration::ZERO;
        let mut reached = Duration::ZERO;
        loop {
            let mut due = self.start.elapsed().saturating_sub(lost);
            if due > reached + PAUSE_MAX {
                lost += due - reached;
                due = reached;
            }
            reached = due;
            let next_ns = self.advance(u64::try_from(due.as_nanos()).unwrap_or(u64::MAX));
            let wait = Duration::from_nanos(next_ns).saturating_sub(due);
            tokio::time::sleep(wait.max(PACE)).await;
        }
    }

    fn advance(&self, until_ns: u64) -> u64 {
        let mut world = self.world();
        world.advance(until_ns, |publication| self.publish(publication));
        world.next_ns()
    }

    /// An order of the client; as it stands once it was matched.
    ///
    /// # Errors
    /// As [`Refusal`] says; then nothing happened.
    pub fn place(&self, ticket: Ticket) -> Result<ClientOrder, Refusal> {
        self.world().place(ticket, |publication| self.publish(publication))
    }

    /// Cancels an order of the client, if it is open.
    pub fn cancel(&self, key: OrderKey) {
        self.world().cancel(key, |publication| self.publish(publication));
    }

    /// Cancels what the client has open, in one market or in all; what was canceled.
    pub fn cancel_all(&self, market: Option<usize>) -> Vec<OrderKey> {
        self.world().cancel_all(market, |publication| self.publish(publication))
    }

    fn publish(&self, publication: Publication) {
        if let Some(channel) = self.channel(publication.listing().venue) {
            // Nobody may be listening.
            _ = channel.send(Arc::new(publication));
        }
    }

    /// The markets at one moment. Publications are sent under the same lock, so what is read here is exactly what a receiver will have heard
    /// up to [`World::sequence`].
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a venue publishes from now on.
    #[must_use]
    pub fn listen(&self, venue: Venue) -> Option<broadcast::Receiver<Arc<Publication>>> {
        self.channel(venue).map(broadcast::Sender::subscribe)
    }

    /// Nanoseconds since the Unix epoch, never going back.
    #[must_use]
    pub fn now_ns(&self) -> i64 {
        let elapsed = i64::try_from(self.start.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.epoch_ns.saturating_add(elapsed)
    }

    fn channel(&self, venue: Venue) -> Option<&broadcast::Sender<Arc<Publication>>> {
        let index = Venue::market_data().iter().position(|known| *known == venue)?;
        self.channels.get(index)
    }
}
