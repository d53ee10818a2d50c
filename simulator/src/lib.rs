//! The venues' dialects on one loopback port: synthetic markets, replay of captures, faults.
//!
//! Why it is a process of its own: collectors must meet the bytes, rules and failures of the real venues without one; captures must play
//! through the whole pipeline; and every fault a venue has ever shown must be there on demand, counted, so that tests know the truth.
//!
//! The simulated Coinbase also takes orders ([`orders`]): they meet the synthetic participants in one book ([`tickpath_matching`]).
//!
//! A venue's addresses are the real ones below `/binance`, `/coinbase` (Advanced Trade below `/coinbase/advanced`), `/kraken` and `/alpaca`, WebSocket and REST
//! on the same port. `GET /control/state` and `POST /control/fault` are the simulator's own, see [`fault`].
//!
//! Layers: [`market`] and [`world`] (synthetic markets, sans-IO, seeded) → [`dialect`] (one file a venue, sans-IO) or [`replay`] → [`fault`] → `connection` →
//! socket. Knows nothing of collectors, records or rings.

mod connection;
mod control;
pub mod dialect;
mod exchange;
pub mod fault;
mod hub;
pub mod listing;
pub mod market;
pub mod orders;
pub mod replay;
mod rest;
pub mod script;
mod server;
mod source;
mod text;
pub mod world;

pub use dialect::binance::Limits;
pub use server::{Options, Server, StartError};
