//! The one clock that stamps records.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since the Unix epoch. On Linux a read of the vDSO page: no system call.
///
/// For stamping only: deadlines use [`std::time::Instant`], which no clock step can move.
#[must_use]
pub fn now_ns() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

/// A run id: differs for each life of a process. It is a start time, moved on where two would be equal here, and fits a signed field.
#[must_use]
pub fn new_run_id() -> u64 {
    static NEWEST: AtomicU64 = AtomicU64::new(0);
    let now = u64::try_from(now_ns()).unwrap_or(1).max(1);
    let previous = NEWEST.fetch_max(now, Ordering::Relaxed);
    if previous < now {
        return now;
    }
    NEWEST.fetch_add(1, Ordering::Relaxed) + 1
}
