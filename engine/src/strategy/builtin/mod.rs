//! The strategies that come with Tickpath; `docs/strategies.md` describes them for those who use them.
//!
//! A module is a strategy: its rules, its table of parameters, its source. Those that decide once a bar share a frame (`bars`), for which
//! each is a set of rules ([`BarRules`]); how a wanted position becomes orders stands in `target`.

pub mod arbitrage;
pub mod avellaneda;
pub(super) mod bars;
pub mod bollinger;
pub mod macd;
pub mod momentum;
mod patience;
pub mod rsi;
pub mod sma;
mod stance;
mod target;

pub use stance::{BarRules, Cross, Stance};
