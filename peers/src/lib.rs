//! What a user would pick instead of Tickpath's parts, brought to the same job so that the benchmark can set both side by side.
//!
//! No service depends on this crate, and `scripts/run` does not compile it. A peer is used as its own documentation recommends; where it
//! does less than our part does, its doc comment says so.

pub mod backtest;
pub mod book;
pub mod decode;
pub mod line;
pub mod matching;
pub mod net;
pub mod ring;
pub mod ring_disruptor;
pub mod ring_iceoryx;
pub mod ring_unix;
