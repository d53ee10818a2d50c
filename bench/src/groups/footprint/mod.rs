//! Memory of every process, and allocations a record.
//!
//! Memory: `tickpath up` with simulated venues and ten WebSocket clients that subscribe to everything; first at one market event a second
//! and instrument (at rest), then, started anew, for ten minutes under load. RSS counts shared pages in every process that maps them; PSS,
//! in the details, divides them.
//!
//! Allocations: counted by a program of its own (`tickpath-bench-allocations`) over all its threads, once warm.

mod allocations;
mod memory;

use crate::context::{Context, Result};
use crate::measurement::Measurement;

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let mut measurements = allocations::measure(context)?;
    measurements.extend(memory::measure(context)?);
    Ok(measurements)
}
