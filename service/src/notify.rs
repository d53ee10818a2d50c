//! What the service manager is told: that the process is ready, how it is, that it lives, that it stops.
//!
//! A thread of its own tells it, and only where `NOTIFY_SOCKET` asks for it: without systemd there is no thread. The thread cannot lie: it feeds the
//! watchdog only after *every* working loop moved its [`Pulse`] since it was fed last. A loop that hangs, or a process that is stopped, so
//! ends in a restart after `WatchdogSec=`, and no loop pays more than a store a turn for it.
//!
//! ```text
//!  loop ──beat──▶ pulse ◀──looks── notify ──READY, STATUS, WATCHDOG, STOPPING──▶ service manager
//! ```

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::{Pulse, Shutdown};

/// Between two looks until the process is ready.
const FIRST_LOOKS: Duration = Duration::from_millis(20);
/// Between two looks afterwards, at most.
const LATER_LOOKS: Duration = Duration::from_millis(500);
/// Looks in a `WatchdogSec=`: a beat that came late for one look is in time for the next.
const LOOKS_PER_WATCHDOG: u32 = 4;
/// Between two words about how it is.
const STATUS_EVERY: Duration = Duration::from_secs(2);

/// How a process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Whether it can do its work. It stays ready once it was: that a venue or the relay goes away later is not its fault.
    pub is_ready: bool,
    /// For people, one line: `systemctl status` shows it.
    pub status: String,
}

/// Tells until it is dropped.
#[derive(Debug)]
pub struct Notifier {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Notifier {
    /// Starts telling, if a service manager listens. `look` says how the process is; `pulses` are its working loops.
    ///
    /// # Errors
    /// If a thread is needed and cannot be had.
    pub fn start(
        pulses: Vec<Pulse>,
        shutdown: &Shutdown,
        look: impl Fn() -> Condition + Send + 'static,
    ) -> io::Result<Notifier> {
        let over = Arc::new(AtomicBool::new(false));
        if std::env::var_os("NOTIFY_SOCKET").is_none_or(|path| path.is_empty()) {
            return Ok(Notifier { over, thread: None });
        }
        let (watchdog, seen) = (sd_notify::watchdog_enabled(), shutdown.clone());
        let is_over = Arc::clone(&over);
        let thread = std::thread::Builder::new().name("notify".into()).spawn(move || {
            let mut teller = Teller::new(pulses, watchdog, send);
            loop {
                // Asked first: the turn after the end was asked for still tells of it.
                let is_last = is_over.load(Ordering::Acquire);
                teller.turn(Instant::now(), seen.is_requested(), &look);
                if is_last || teller.is_stopping {
                    break;
                }
                std::thread::park_timeout(teller.pause());
            }
        })?;
        Ok(Notifier {
            over,
            thread: Some(thread),
        })
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the thread that talks to the service manager failed");
            }
        }
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}

/// What the thread remembers between two looks.
struct Teller<S> {
    send: S,
    /// Each loop with its turns when the watchdog was fed last.
    loops: Vec<(Pulse, u64)>,
    watchdog: Option<Duration>,
    is_ready: bool,
    is_stopping: bool,
    status: String,
    told_at: Option<Instant>,
}

impl<S: FnMut(&[NotifyState<'_>])> Teller<S> {
    fn new(pulses: Vec<Pulse>, watchdog: Option<Duration>, send: S) -> Teller<S> {
        Teller {
            send,
            loops: pulses.into_iter().map(|pulse| (pulse, 0)).collect(),
            watchdog,
            is_ready: false,
            is_stopping: false,
            status: String::new(),
            told_at: None,
        }
    }

    /// Until the next look.
    fn pause(&self) -> Duration {
        let longest = if self.is_ready { LATER_LOOKS } else { FIRST_LOOKS };
        self.watchdog
            .map_or(longest, |watchdog| longest.min(watchdog / LOOKS_PER_WATCHDOG))
    }

    fn turn(&mut self, now: Instant, is_stopping: bool, look: impl Fn() -> Condition) {
        if is_stopping {
            self.is_stopping = true;
            (self.send)(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
            return;
        }
        let moved = self.loops.iter().all(|(pulse, fed)| pulse.turns() != *fed);
        let condition = look();
        if moved && condition.is_ready && !self.is_ready {
            self.is_ready = true;
            self.tell(now, condition.status, &[NotifyState::Ready]);
        } else if self.told_at.is_none_or(|told| now.duration_since(told) >= STATUS_EVERY) {
            self.tell(now, condition.status, &[]);
        }
        if moved && self.watchdog.is_some() {
            for (pulse, fed) in &mut self.loops {
                *fed = pulse.turns();
            }
            (self.send)(&[NotifyState::Watchdog]);
        }
    }

    fn tell(&mut self, now: Instant, status: String, first: &[NotifyState<'_>]) {
        self.told_at = Some(now);
        if status == self.status && first.is_empty() {
            return;
        }
        let mut states = first.to_vec();
        states.push(NotifyState::Status(&status));
        (self.send)(&states);
        self.status = status;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const WATCHDOG: Duration = Duration::from_secs(4);

    fn condition(is_ready: bool, status: &str) -> Condition {
        Condition {
            is_ready,
            status: status.to_owned(),
        }
    }

    /// What is told, a line a message.
    fn told(script: impl FnOnce(&mut dyn FnMut(u64, bool, Condition), &[Pulse])) -> Vec<String> {
        let lines = RefCell::new(Vec::new());
        let pulses = vec![Pulse::new(), Pulse::new()];
        let start = Instant::now();
        {
            let mut teller = Teller::new(pulses.clone(), Some(WATCHDOG), |states: &[NotifyState<'_>]| {
                let states: Vec<String> = states.iter().map(ToString::to_string).collect();
                lines.borrow_mut().push(states.join(" "));
            });
            let mut turn = |seconds, is_stopping, condition: Condition| {
                teller.turn(start + Duration::from_secs(seconds), is_stopping, || condition.clone());
            };
            script(&mut turn, &pulses);
        }
        lines.into_inner()
    }

    #[test]
    fn ready_comes_once_and_after_every_loop_moved() {
        let lines = told(|turn, pulses| {
            pulses[0].beat();
            turn(0, false, condition(true, "a"));
            pulses[1].beat();
            turn(0, false, condition(false, "a"));
            turn(0, false, condition(true, "b"));
            pulses.iter().for_each(Pulse::beat);
            turn(0, false, condition(true, "b"));
            turn(0, false, condition(true, "b"));
        });
        assert_eq!(lines, ["STATUS=a", "WATCHDOG=1", "READY=1 STATUS=b", "WATCHDOG=1"]);
    }

    #[test]
    fn one_loop_that_stands_still_starves_the_watchdog() {
        let lines = told(|turn, pulses| {
            pulses.iter().for_each(Pulse::beat);
            turn(0, false, condition(true, ""));
            for second in 1..20 {
                pulses[0].beat();
                turn(second, false, condition(true, ""));
            }
            pulses[1].beat();
            turn(20, false, condition(true, ""));
        });
        assert_eq!(lines, ["READY=1 STATUS=", "WATCHDOG=1", "WATCHDOG=1"]);
    }

    #[test]
    fn the_status_is_told_when_it_is_news_and_not_too_often() {
        let lines = told(|turn, _| {
            turn(0, false, condition(false, "one"));
            turn(1, false, condition(false, "two"));
            turn(2, false, condition(false, "three"));
            turn(5, false, condition(false, "three"));
            turn(6, true, condition(false, "four"));
        });
        assert_eq!(lines, ["STATUS=one", "STATUS=three", "STOPPING=1 STATUS=stopping"]);
    }

    #[test]
    fn looks_are_as_frequent_as_the_watchdog_wants() {
        let mut teller = Teller::new(vec![], Some(Duration::from_millis(40)), |_: &[NotifyState<'_>]| {});
        assert_eq!(teller.pause(), Duration::from_millis(10));
        teller.watchdog = None;
        assert_eq!(teller.pause(), FIRST_LOOKS);
        teller.is_ready = true;
        assert_eq!(teller.pause(), LATER_LOOKS);
    }
}
