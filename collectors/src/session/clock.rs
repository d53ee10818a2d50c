//! The time of a session: that of the wall when it began, and no step of the wall's clock since.
//!
//! Every pause, limit and deadline of a session counts in it: were it the wall's, a step back by an hour would keep a venue from being called for an hour. Records
//! carry the wall's time all the same, as all other processes do: the way out adds what it has stepped.

use std::time::{Duration, Instant};

use tickpath_protocol::{Flags, Kind, Record};
use tickpath_transport::now_ns;

use super::backoff::nanos;

/// The wall's clock is compared with the monotonic one when it has gone so far, and has stepped if they differ by as much.
const STEP_NS: u64 = 500_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct SessionClock {
    /// The wall's time and the monotonic one at the last comparison.
    wall_ns: i64,
    at: Instant,
    stepped_ns: i64,
}

impl SessionClock {
    pub fn new() -> SessionClock {
        SessionClock {
            wall_ns: now_ns(),
            at: Instant::now(),
            stepped_ns: 0,
        }
    }

    /// Now.
    pub fn now(&mut self) -> i64 {
        self.of(now_ns())
    }

    /// The session's time when the wall's was this, a moment ago at most.
    pub fn of(&mut self, wall_ns: i64) -> i64 {
        if wall_ns.abs_diff(self.wall_ns) >= STEP_NS {
            self.compare(wall_ns, Instant::now());
        }
        wall_ns.saturating_sub(self.stepped_ns)
    }

    /// How far the wall's clock has stepped since the session began.
    pub fn stepped_ns(&self) -> i64 {
        self.stepped_ns
    }

    fn compare(&mut self, wall_ns: i64, at: Instant) {
        let passed = at.checked_duration_since(self.at).map_or(0, nanos);
        let step_ns = wall_ns.saturating_sub(self.wall_ns).saturating_sub(passed);
        if step_ns.unsigned_abs() >= STEP_NS {
            self.stepped_ns = self.stepped_ns.saturating_add(step_ns);
            let size = Duration::from_nanos(step_ns.unsigned_abs());
            let way = if step_ns > 0 { "on" } else { "back" };
            tracing::warn!(
                "the wall clock stepped {way} by {size:.1?}: records carry the new time, pauses and deadlines go on as before"
            );
        }
        (self.wall_ns, self.at) = (wall_ns, at);
    }
}

/// The record with the wall's times instead of the session's; what the venue said stays as it said it.
pub(super) fn on_the_wall(record: Record, stepped_ns: i64) -> Record {
    let is_ours = record.flags().contains(Flags::NO_EVENT_TIME)
        || matches!(record.kind(), Some(Kind::Status | Kind::Gap | Kind::Heartbeat));
    Record {
        ts_recv: record.ts_recv.saturating_add(stepped_ns),
        ts_event: if is_ours {
            record.ts_event.saturating_add(stepped_ns)
        } else {
            record.ts_event
        },
        ..record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn the_wall_may_step_and_the_session_goes_on() {
        let start = Instant::now();
        let mut clock = SessionClock {
            wall_ns: 1000 * S,
            at: start,
            stepped_ns: 0,
        };
        let mut look = |wall_s: i64, after_s: u64| {
            clock.compare(wall_s * S, start + Duration::from_secs(after_s));
            clock.of(wall_s * S) / S
        };
        assert_eq!(look(1001, 1), 1001);
        assert_eq!(look(4602, 2), 1002, "an hour on");
        assert_eq!(look(4603, 3), 1003);
        assert_eq!(look(1004, 4), 1004, "and back");
        assert_eq!(look(-3600 + 1005, 5), 1005, "an hour back");
        assert_eq!(clock.stepped_ns(), -3600 * S);
    }

    #[test]
    fn only_our_own_times_are_put_on_the_wall() {
        let record = |kind: Kind, flags: Flags| {
            let record = Record {
                kind: kind as u8,
                flags: flags.0,
                ts_event: 5,
                ts_recv: 7,
                ..Record::default()
            };
            let record = on_the_wall(record, 100);
            (record.ts_event, record.ts_recv)
        };
        assert_eq!(record(Kind::Trade, Flags::LAST), (5, 107));
        assert_eq!(record(Kind::Trade, Flags::NO_EVENT_TIME), (105, 107));
        assert_eq!(record(Kind::Gap, Flags::LAST), (105, 107));
    }
}
