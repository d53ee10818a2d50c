//! Images over REST, and what happens because time has passed.

use tickpath_protocol::{GapCause, Record, StatusCode};

use super::feed::{ACTIONS_MAX, Feed, emit, get, get_mut};
use super::tracked::Tracked;
use super::{Action, ConnectionId, Sink};
use crate::decode::{Refused, What};
use crate::dialect::SyncRule;

/// A subscription that brought nothing in this time never started.
const NEVER_STARTED_NS: i64 = 30_000_000_000;

/// A connection on which no book can be proven is given up when one of them was asked for in vain so many times in a row.
const RESUBSCRIBES_MAX: u32 = 4;

/// The answer to [`Action::RequestImage`].
#[derive(Clone, Copy, Debug)]
pub struct ImageAnswer<'a> {
    /// The venue's symbol.
    pub symbol: &'a str,
    /// The number in the request; `None` for an image from a capture, which nobody asked for.
    pub request: Option<u64>,
    /// The body, or nothing if the request failed: then it is made again after a pause.
    pub body: Option<&'a [u8]>,
}

impl Feed {
    /// An image of a book came in over REST, or could not be had.
    ///
    /// # Errors
    /// [`Refused`] if the body is no image; another is asked for after a pause.
    pub fn on_image(&mut self, answer: ImageAnswer<'_>, recv_ns: i64, out: &mut impl Sink) -> Result<(), Refused> {
        let Some(listed) = self.symbols.get(answer.symbol.as_bytes()) else {
            return Err(Refused::UnknownSymbol(answer.symbol.to_owned()));
        };
        let Some(tracked) = get_mut(&mut self.tracked, listed.id) else {
            return Ok(());
        };
        let answered = |request| tracked.resync.answered(request) || tracked.refresh.answered(request);
        if !answer.request.is_none_or(answered) {
            self.counters.ignored += 1;
            return Ok(());
        }
        let Some(body) = answer.body else {
            tracked.on_no_image(recv_ns);
            return Ok(());
        };
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        let result = self.dialect.image(body, answer.symbol, &self.symbols, &mut decoded);
        let mut emit = emit(&*self.dialect, &mut self.counters, recv_ns, out);
        let last_id = decoded.marks.first().and_then(|mark| match mark.what {
            What::Book(end) => end.last_id,
            _ => None,
        });
        match (&result, last_id) {
            (Ok(()), Some(last_id)) => tracked.on_image(last_id, &decoded.records, &mut emit),
            _ => {
                emit.counters.refused += u64::from(result.is_err());
                tracked.on_no_image(recv_ns);
            }
        }
        self.decoded = decoded;
        result
    }

    /// The venue's REST limit is reached: no image is asked for before `until_ns`.
    pub fn hold_images(&mut self, until_ns: i64) {
        self.images_held_ns = self.images_held_ns.max(until_ns);
    }

    /// Time has passed: to be called several times a second.
    pub fn on_timer(&mut self, now_ns: i64, out: &mut impl Sink) {
        for index in 0..self.tracked.len() {
            self.alarm(index, now_ns, out);
            let is_due = |tracked: &Tracked| tracked.resync.is_due(now_ns) && !tracked.carriers.is_empty();
            if self.tracked[index].as_ref().is_some_and(is_due) && self.actions.len() < ACTIONS_MAX {
                self.resync(index, now_ns, out);
            }
        }
        self.refresh(now_ns);
    }

    /// Asks for a fresh image of the proven book that waits for one the longest. Books that are not proven come first: these may have half of
    /// the images that the venue allows, and none while there are none to spare.
    fn refresh(&mut self, now_ns: i64) {
        let carried = self
            .tracked
            .iter_mut()
            .flatten()
            .filter(|tracked| !tracked.carriers.is_empty());
        let due = carried.filter_map(|tracked| Some((tracked.refresh.due(now_ns)?, tracked)));
        let Some((_, tracked)) = due.min_by_key(|(due_ns, _)| *due_ns) else {
            return;
        };
        let is_held = now_ns < self.images_held_ns || self.actions.len() >= ACTIONS_MAX;
        if is_held || self.refreshes.take(now_ns).is_err() || self.images.take(now_ns).is_err() {
            return;
        }
        self.requests += 1;
        tracked.ask_refresh(self.requests, now_ns);
        let action = Action::RequestImage {
            instrument: tracked.id(),
            symbol: tracked.symbol.clone(),
            request: self.requests,
        };
        self.act(action);
    }

    fn resync(&mut self, index: usize, now_ns: i64, out: &mut impl Sink) {
        let Some(tracked) = self.tracked[index].as_ref() else {
            return;
        };
        let (action, request) = if self.policy.sync == SyncRule::UpdateIds {
            if now_ns < self.images_held_ns || self.images.take(now_ns).is_err() {
                return;
            }
            self.requests += 1;
            let action = Action::RequestImage {
                instrument: tracked.id(),
                symbol: tracked.symbol.clone(),
                request: self.requests,
            };
            (action, Some(self.requests))
        } else {
            let Some(connection) = tracked.carriers.last().copied() else {
                return;
            };
            let frames = self.dialect.resubscribe(&tracked.symbol);
            let is_hopeless = tracked.resync.attempts() >= RESUBSCRIBES_MAX && !self.proves_any(connection);
            let action = match is_hopeless {
                true => Action::Reconnect {
                    connection,
                    cause: GapCause::NoSnapshot,
                },
                false => Action::Send { connection, frames },
            };
            (action, None)
        };
        let Some(tracked) = self.tracked[index].as_mut() else {
            return;
        };
        let attempt = tracked.resync.asked(request, now_ns);
        let id = tracked.id();
        let mut emit = emit(&*self.dialect, &mut self.counters, now_ns, out);
        emit.status(StatusCode::Resyncing, id, i64::from(attempt), Record::ABSENT);
        self.act(action);
    }

    /// Whether the connection brought a book that is proven now.
    fn proves_any(&self, connection: ConnectionId) -> bool {
        let instruments = self
            .connections
            .get(connection)
            .map_or(&[][..], |carried| &carried.instruments);
        instruments
            .iter()
            .any(|id| get(&self.tracked, *id).is_some_and(Tracked::is_proven))
    }

    /// Says once of each subscription that brought nothing that it did.
    fn alarm(&mut self, index: usize, now_ns: i64, out: &mut impl Sink) {
        let Some(tracked) = self.tracked[index].as_mut() else {
            return;
        };
        let Some(since_ns) = tracked
            .awaited_since_ns
            .filter(|since_ns| now_ns - since_ns >= NEVER_STARTED_NS)
        else {
            return;
        };
        tracked.awaited_since_ns = None;
        let in_band = self.policy.sync != SyncRule::UpdateIds;
        if !tracked.has_started || (in_band && tracked.has_book && !tracked.has_image) {
            let id = tracked.id();
            let mut emit = emit(&*self.dialect, &mut self.counters, now_ns, out);
            emit.status(
                StatusCode::NeverStarted,
                id,
                (now_ns - since_ns) / 1_000_000,
                Record::ABSENT,
            );
        }
    }
}
