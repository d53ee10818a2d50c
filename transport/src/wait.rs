//! What a thread does when there is nothing to do.
//!
//! | strategy | reacts within | costs while quiet |
//! |---|---|---|
//! | `spin` | 100 ns | a whole core: colocated hosts with cores to give away |
//! | `yield` | some µs | a whole core, but lets others have it |
//! | `sleep` | 1 ms after a pause, else as `spin` | about 2 % of a core: laptops, and all that is not hot |

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How to wait; the `wait` key of a process in `tickpath.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WaitStrategy {
    /// Never give the core away.
    Spin,
    /// Offer the core to others on each turn.
    Yield,
    /// Spin, then yield, then sleep up to [`SLEEP_MAX`] at a time. No yields for a while after one that came back late.
    #[default]
    Sleep,
}

/// The text names no strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown wait strategy `{0}`: expected spin, yield or sleep")]
pub struct UnknownWaitStrategy(pub String);

impl FromStr for WaitStrategy {
    type Err = UnknownWaitStrategy;

    fn from_str(text: &str) -> Result<WaitStrategy, UnknownWaitStrategy> {
        match text {
            "spin" => Ok(WaitStrategy::Spin),
            "yield" => Ok(WaitStrategy::Yield),
            "sleep" => Ok(WaitStrategy::Sleep),
            _ => Err(UnknownWaitStrategy(text.to_owned())),
        }
    }
}

impl fmt::Display for WaitStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitStrategy::Spin => "spin",
            WaitStrategy::Yield => "yield",
            WaitStrategy::Sleep => "sleep",
        })
    }
}

/// The longest sleep of [`WaitStrategy::Sleep`].
pub const SLEEP_MAX: Duration = Duration::from_millis(1);
const SLEEP_MIN: Duration = Duration::from_micros(50);
const SPIN_TURNS: u32 = 64;
const YIELD_TURNS: u32 = 16;
/// A yield that takes longer gave the core to somebody who keeps it: a hot neighbour gives it back within some 0.1 ms.
const YIELD_LATE: Duration = Duration::from_micros(200);
/// Time without yields after a late one.
const YIELD_PAUSE: Duration = Duration::from_secs(10);

/// A strategy at work: call [`Idle::idle`] on each turn that found nothing, [`Idle::reset`] on each that found something.
#[derive(Clone, Debug)]
pub struct Idle {
    strategy: WaitStrategy,
    turns: u32,
    sleep: Duration,
    /// Until then nothing is yielded.
    no_yield_until: Option<Instant>,
}

impl Idle {
    /// A thread that was busy until now.
    #[must_use]
    pub fn new(strategy: WaitStrategy) -> Idle {
        Idle {
            strategy,
            turns: 0,
            sleep: SLEEP_MIN,
            no_yield_until: None,
        }
    }

    /// Waits a little; longer each time in a row.
    pub fn idle(&mut self) {
        match self.strategy {
            WaitStrategy::Spin => std::hint::spin_loop(),
            WaitStrategy::Yield => std::thread::yield_now(),
            WaitStrategy::Sleep => self.sleep(),
        }
    }

    /// There was something to do.
    pub fn reset(&mut self) {
        self.turns = 0;
        self.sleep = SLEEP_MIN;
    }

    /// The strategy.
    #[must_use]
    pub fn strategy(&self) -> WaitStrategy {
        self.strategy
    }

    fn sleep(&mut self) {
        self.turns = self.turns.saturating_add(1);
        if self.turns <= SPIN_TURNS {
            std::hint::spin_loop();
        } else if self.turns <= SPIN_TURNS + YIELD_TURNS && self.may_yield() {
            self.yield_now();
        } else {
            std::thread::sleep(self.sleep);
            self.sleep = (self.sleep * 2).min(SLEEP_MAX);
        }
    }

    fn may_yield(&self) -> bool {
        self.no_yield_until.is_none_or(|until| Instant::now() >= until)
    }

    /// Who yields is not woken: the scheduler hands the core over, even to a task that runs only when nobody else wants to, until its next tick, up to 4 ms
    /// later. Who sleeps is woken, and goes before such a task at once.
    fn yield_now(&mut self) {
        let start = Instant::now();
        std::thread::yield_now();
        self.yielded(start, Instant::now());
    }

    fn yielded(&mut self, start: Instant, end: Instant) {
        if end - start > YIELD_LATE {
            self.no_yield_until = Some(end + YIELD_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for strategy in [WaitStrategy::Spin, WaitStrategy::Yield, WaitStrategy::Sleep] {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
        }
        assert!("nap".parse::<WaitStrategy>().is_err());
    }

    #[test]
    fn sleep_grows_to_its_limit_and_starts_over() {
        let mut idle = Idle::new(WaitStrategy::Sleep);
        let start = Instant::now();
        for _ in 0..SPIN_TURNS + YIELD_TURNS + 10 {
            idle.idle();
        }
        assert_eq!(idle.sleep, SLEEP_MAX);
        assert!(start.elapsed() >= SLEEP_MAX * 5);
        idle.reset();
        assert_eq!((idle.turns, idle.sleep), (0, SLEEP_MIN));
    }

    #[test]
    fn after_a_late_yield_it_sleeps_where_it_would_yield() {
        let mut idle = Idle::new(WaitStrategy::Sleep);
        let sleeps = |idle: &mut Idle| {
            idle.reset();
            for _ in 0..SPIN_TURNS + 3 {
                idle.idle();
            }
            idle.sleep > SLEEP_MIN
        };
        let now = Instant::now();
        idle.yielded(now, now + YIELD_LATE);
        assert_eq!(idle.no_yield_until, None, "a neighbour that gives the core back");
        idle.yielded(now, now + YIELD_LATE + Duration::from_nanos(1));
        assert!(sleeps(&mut idle));
        idle.no_yield_until = Some(now);
        // Whether this host is late just now is not in the test's hand.
        assert!(!sleeps(&mut idle) || idle.no_yield_until.is_some_and(|until| until > now));
    }
}
