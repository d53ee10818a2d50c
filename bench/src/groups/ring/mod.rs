//! The two rings: one-way latency between two pinned processes, and throughput.
//!
//! | name | ours | floor | peers |
//! |---|---|---|---|
//! | `ring.broadcast.latency`, `ring.spsc.latency` | the ring in memory files that two processes map | one cache line bounced between two threads | rtrb, crossbeam-channel (threads), iceoryx2, Unix stream socket (processes) |
//! | `ring.spsc.handover` | the SPSC ring between two processes on *one* core, which they offer each other (`sched_yield`) | | |
//! | `ring.spsc.throughput.single`, `.batched` | as above | | rtrb (threads) |
//! | `ring.broadcast.throughput.single`, `.batched` | as above | | disruptor (threads) |
//!
//! The hand-over is what a hop costs where processes must share a core: no way to pass a record is faster then than the kernel's switch.
//!
//! The caches do not care whether two cores run threads or processes: rtrb, crossbeam-channel and disruptor serve one process only, and lose nothing by it.

mod duplex;
mod far;
mod latency;
mod throughput;

use crate::context::{BenchError, Context, Result};
use crate::measurement::Measurement;

pub use duplex::{BroadcastEnd, SpscEnd};
pub use far::role;
pub use latency::{Contender, one_way};

/// Records that each ring holds.
pub const CAPACITY: usize = 1024;

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let mut measurements = latency::measure(context)?;
    measurements.extend(throughput::measure(context)?);
    Ok(measurements)
}

/// Moves the calling thread to a core, also to one that its parent was not on.
pub fn pin(core: usize) -> Result<()> {
    if core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
        Ok(())
    } else {
        Err(BenchError::new(
            format!("pin to core {core}"),
            "the kernel refuses; is it in this process's cpuset?",
        ))
    }
}

/// Runs `work` on a thread of its own that is pinned to `core`, so that the caller stays free to move.
pub fn on_core<T: Send>(core: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            pin(core)?;
            work()
        });
        match thread.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
