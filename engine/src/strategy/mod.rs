//! What a strategy is, and what it may do.

pub mod builtin;
mod context;
pub mod parameter;
pub mod registry;

pub use context::Context;
use tickpath_protocol::InstrumentId;

use crate::market::{MarketStatus, Quote, Trade};
use crate::order::{Fill, OrderUpdate};
use crate::units::Time;

/// A strategy: told of its instruments' market and of its own orders, it acts through the [`Context`].
///
/// It must be a function of what it is told: no clock, no randomness but from a seed of its own, no files, no threads. It may reckon with floats; a price or
/// quantity on an order goes through [`crate::units::Grid`]. After every call it is told nothing twice: an order that the gate refuses is refused in the
/// answer of the call, everything else comes through the callbacks.
#[allow(unused_variables, reason = "what a strategy leaves out does nothing")]
pub trait Strategy: Send {
    /// Its name, as configuration and records say it.
    fn name(&self) -> &'static str;

    /// A trade of the market.
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {}

    /// The best bid or offer is another, in price or size.
    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {}

    /// A book event is complete; the book stands in `ctx.market()`.
    fn on_book(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId) {}

    /// An order of this strategy was filled, in part or whole. Position and portfolio know of it already.
    fn on_fill(&mut self, ctx: &mut Context<'_>, fill: &Fill) {}

    /// Something else became of an order of this strategy.
    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {}

    /// A time that was set with [`Context::set_timer`] has come.
    fn on_timer(&mut self, ctx: &mut Context<'_>, now: Time) {}

    /// A status or gap record of one of its instruments, or of a whole venue.
    fn on_status(&mut self, ctx: &mut Context<'_>, status: &MarketStatus) {}

    /// Hands out its state as named numbers, for snapshots and the dashboard.
    fn describe(&self, out: &mut dyn FnMut(&'static str, f64)) {}
}
