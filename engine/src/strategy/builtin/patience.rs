//! How long a strategy waits before it asks again for what was refused.

use tickpath_protocol::trading::Reason;

use crate::risk::Breach;
use crate::units::Time;

const SECOND: i64 = 1_000_000_000;

/// Until when nothing is asked for. Without it, a strategy that asks with each change of the market would have each change refused, and written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    until: Time,
}

impl Patience {
    pub(super) fn new() -> Patience {
        Patience { until: Time(i64::MIN) }
    }

    pub(super) fn is_waiting(&self, now: Time) -> bool {
        now < self.until
    }

    /// The gate refused: a second, or ten if it refuses everything and somebody has to act first.
    pub(super) fn refused(&mut self, now: Time, breach: &Breach) {
        let seconds = match breach.reason {
            Reason::NotRunning
            | Reason::Halted
            | Reason::Killed
            | Reason::ReduceOnly
            | Reason::DailyLoss
            | Reason::Drawdown => 10,
            _ => 1,
        };
        self.until = now.plus_ns(seconds * SECOND);
    }

    /// The venue refused: a second.
    pub(super) fn refused_by_venue(&mut self, now: Time) {
        self.until = now.plus_ns(SECOND);
    }
}
