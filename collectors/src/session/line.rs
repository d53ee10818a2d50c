//! One connection that is to stand for ever: opened, reopened after a pause, and replaced before the venue would end it.

use std::rc::Rc;
use std::time::Duration;

use tickpath_protocol::{Record, StatusCode};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Outlet;
use super::backoff::{Backoff, random};
use super::handle::Handle;
use super::hub::Hub;
use super::socket::{self, Ended, MAINTENANCE_PAUSE};
use crate::dialect::{Connection, SyncRule};

/// A successor that is not live by then is given up.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(60);
/// A hand-over that failed is tried again after this time.
const HAND_OVER_RETRY: Duration = Duration::from_secs(60);
/// Most of the time by which a connection is replaced early, so that those opened together are not replaced together.
const LIFETIME_JITTER: Duration = Duration::from_secs(600);

/// A socket's task, which ends with it.
struct Running {
    task: JoinHandle<Ended>,
    handle: Rc<Handle>,
    since: Instant,
    replace_at: Option<Instant>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps the connection up for as long as the session runs.
pub(super) async fn run<O: Outlet + 'static>(hub: Rc<Hub<O>>, line: usize, connection: Connection) {
    let connection = Rc::new(connection);
    let mut backoff = Backoff::new(hub.policy.backoff_min);
    let mut pause = Backoff::start();
    loop {
        sleep(pause).await;
        while let Err(wait) = hub.take_attempt() {
            sleep(wait).await;
        }
        hub.status(StatusCode::Connecting, i64::from(backoff.attempt()), Record::ABSENT);
        let ended = stand(&hub, line, &connection).await;
        if hub.is_closing() {
            return;
        }
        backoff.ended(ended.lasted, ended.brought_data);
        let at_least = match hub.is_halted() {
            true => ended.at_least.max(MAINTENANCE_PAUSE),
            false => ended.at_least,
        };
        pause = backoff.pause(at_least);
        tracing::warn!(
            "{} connection {line}: {}; again in {:.1} s",
            hub.venue,
            ended.reason,
            pause.as_secs_f64()
        );
        hub.line_down(line, ended.cause, pause);
    }
}

/// One connection and its successors, until one ends without a successor.
async fn stand<O: Outlet + 'static>(hub: &Rc<Hub<O>>, line: usize, connection: &Rc<Connection>) -> Ended {
    let mut current = start(hub, line, connection);
    loop {
        let replace_at = current.replace_at;
        tokio::select! {
            ended = &mut current.task => return ended.unwrap_or_else(|error| Ended::of_task(&error)),
            () = current.handle.changed.notified() => {
                if !current.handle.wants_hand_over() {
                    continue;
                }
            }
            () = sleep_until(replace_at.unwrap_or_else(Instant::now)), if replace_at.is_some() => {}
        }
        if hub.policy.sync != SyncRule::UpdateIds {
            // Only update ids tell what two connections both brought.
            return Ended::by_venue(current.since.elapsed(), current.handle.brought_data());
        }
        match hand_over(hub, line, connection, &mut current).await {
            Ok(successor) => current = successor,
            Err(Some(ended)) => return ended,
            Err(None) => current.replace_at = Some(Instant::now() + HAND_OVER_RETRY),
        }
    }
}

/// Opens a successor and waits until it is live; then the old connection may go, and nothing is lost or doubled: the feed tells
/// by update ids and trade numbers what it has seen. `Err` with the end of the current connection if that came first.
async fn hand_over<O: Outlet + 'static>(
    hub: &Rc<Hub<O>>,
    line: usize,
    connection: &Rc<Connection>,
    current: &mut Running,
) -> Result<Running, Option<Ended>> {
    tracing::info!("{} connection {line}: handing over to a new one", hub.venue);
    if hub.take_attempt().is_err() {
        return Err(None);
    }
    let mut successor = start(hub, line, connection);
    let live = async {
        while !successor.handle.is_live() {
            tokio::select! {
                ended = &mut successor.task => return Err(ended.unwrap_or_else(|error| Ended::of_task(&error))),
                () = successor.handle.changed.notified() => {}
            }
        }
        Ok(())
    };
    tokio::select! {
        live = timeout(HAND_OVER_LIMIT, live) => match live {
            Ok(Ok(())) => Ok(successor),
            Ok(Err(ended)) => {
                tracing::warn!("{} connection {line}: no successor: {}", hub.venue, ended.reason);
                Err(None)
            }
            Err(_) => {
                tracing::warn!("{} connection {line}: the successor brought nothing", hub.venue);
                Err(None)
            }
        },
        ended = &mut current.task => Err(Some(ended.unwrap_or_else(|error| Ended::of_task(&error)))),
    }
}

fn start<O: Outlet + 'static>(hub: &Rc<Hub<O>>, line: usize, connection: &Rc<Connection>) -> Running {
    let (id, handle) = hub.open();
    let task = tokio::task::spawn_local(socket::live(hub.clone(), line, connection.clone(), id, handle.clone()));
    let lifetime = hub.policy.lifetime.map(|lifetime| {
        let jitter = LIFETIME_JITTER.min(lifetime / 4);
        lifetime - random(Duration::ZERO, jitter)
    });
    Running {
        task,
        handle,
        since: Instant::now(),
        replace_at: lifetime.map(|lifetime| Instant::now() + lifetime),
    }
}
