//! What a thread does when there is nothing to do.
//!
//! | strategy | reacts within | costs while quiet |
//! |---|---|---|
//! | `spin` | 100 ns | a whole core: colocated hosts with cores to give away |
//! | `yield` | some µs | a whole core, but lets others have it |
//! | `sleep` | 1 ms after a pause, else as `spin` | about 2 % of a core: laptops, and all that is not hot |

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How to wait; the `wait` key of a process in `tickpath.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WaitStrategy {
    /// Never give the core away.
    Spin,
    /// Offer the core to others on each turn.
    Yield,
    /// Spin, then yield, then sleep up to [`SLEEP_MAX`] at a time.
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

/// A strategy at work: call [`Idle::idle`] on each turn that found nothing, [`Idle::reset`] on each that found something.
#[derive(Clone, Debug)]
pub struct Idle {
    strategy: WaitStrategy,
    turns: u32,
    sleep: Duration,
}

impl Idle {
    /// A thread that was busy until now.
    #[must_use]
    pub fn new(strategy: WaitStrategy) -> Idle {
        Idle {
            strategy,
            turns: 0,
            sleep: SLEEP_MIN,
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
        } else if self.turns <= SPIN_TURNS + YIELD_TURNS {
            std::thread::yield_now();
        } else {
            std::thread::sleep(self.sleep);
            self.sleep = (self.sleep * 2).min(SLEEP_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

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
}
