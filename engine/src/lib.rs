//! The deterministic core of the trading engine: records in, strategy calls and trading records out.
//!
//! Promises: the same records and commands give the same trading records, to the byte. An order reaches a venue only as an
//! [`risk::Approved`], which the risk gate alone makes. Prices, sizes and money are integers. Nothing is allocated for a record once warm.
//! Refuses: to trade on data that is old, unproven or crossed; limits that contradict each other; to go on when the venue reports what
//! cannot be. It halts rather than guess.
//!
//! There is no clock, socket, file, thread or randomness here, except in [`process`], which is not the core but what stands around it. Time is the receive time of the records.

pub mod bar;
pub mod engine;
pub mod gateway;
pub mod indicator;
pub mod market;
pub mod order;
pub mod paper;
pub mod portfolio;
pub mod process;
pub mod risk;
pub mod strategy;
pub mod units;
pub mod venue;

pub use engine::{Command, Engine, EngineConfig, Outbox, StrategyConfig};
pub use market::{MarketStatus, MarketView, Quote, Trade};
pub use order::{Fill, Order, OrderRequest, OrderState, OrderType, OrderUpdate};
pub use strategy::{Context, Strategy};
pub use units::{Price, Quantity, Time};
