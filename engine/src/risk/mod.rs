//! The risk gate: every order passes it, or does not compile.
//!
//! A venue takes [`Approved`] orders, and only [`Gate`] makes one. Nobody else can:
//!
//! ```compile_fail
//! use tickpath_engine::order::Order;
//! use tickpath_engine::risk::Approved;
//!
//! fn smuggle(order: Order) -> Approved<Order> {
//!     Approved { inner: order } // the field is the gate's
//! }
//! ```
//!
//! ```compile_fail
//! use tickpath_engine::order::Order;
//! use tickpath_engine::risk::Approved;
//!
//! fn smuggle(order: Order) -> Approved<Order> {
//!     Approved::new(order) // so is the constructor
//! }
//! ```
//!
//! An approval cannot be used twice, for a venue takes it by value:
//!
//! ```compile_fail
//! use tickpath_engine::order::Order;
//! use tickpath_engine::risk::Approved;
//! use tickpath_engine::units::Time;
//! use tickpath_engine::venue::ExecutionVenue;
//!
//! fn twice(venue: &mut impl ExecutionVenue, order: Approved<Order>) {
//!     venue.submit(order, Time(0));
//!     venue.submit(order, Time(0));
//! }
//! ```
//!
//! What an honest caller does compiles:
//!
//! ```
//! use tickpath_engine::order::Order;
//! use tickpath_engine::risk::Approved;
//! use tickpath_engine::units::Time;
//! use tickpath_engine::venue::ExecutionVenue;
//!
//! fn once(venue: &mut impl ExecutionVenue, order: Approved<Order>) {
//!     venue.submit(order, Time(0));
//! }
//! ```

mod check;
mod gate;
mod limits;
mod rate;
#[cfg(test)]
mod tests;
mod watch;

pub use gate::{Approved, Facts, Gate, Permission};
pub use limits::{Amount, Limits, LimitsError};
use tickpath_protocol::Scale;
use tickpath_protocol::trading::Reason;
pub use watch::{Protection, Stop};

/// Why the gate held an order back: what was observed, and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("held back by the risk gate: {}, {observed} against a limit of {limit}", reason.name())]
pub struct Breach {
    /// Which rule.
    pub reason: Reason,
    /// What was observed, a mantissa at `scale`'s price decimals.
    pub observed: i64,
    /// The limit, a mantissa at `scale`'s size decimals.
    pub limit: i64,
    /// Decimals of both.
    pub scale: Scale,
}

impl Breach {
    /// Of a rule without numbers.
    #[must_use]
    pub fn of(reason: Reason) -> Breach {
        Breach::count(reason, 0, 0)
    }

    /// Of two plain numbers.
    #[must_use]
    pub fn count(reason: Reason, observed: i64, limit: i64) -> Breach {
        Breach::at(reason, observed, limit, 0)
    }

    /// Of two numbers with so many decimals.
    #[must_use]
    pub fn at(reason: Reason, observed: i64, limit: i64, decimals: u8) -> Breach {
        Breach {
            reason,
            observed,
            limit,
            scale: Scale::new(decimals, decimals).unwrap_or_default(),
        }
    }
}
