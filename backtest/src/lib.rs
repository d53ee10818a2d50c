//! The past, traded: the engine's core and its paper venue on recorded data, what came of it, and whether a session was the same.
//!
//! | module | what it is |
//! |---|---|
//! | [`source`] | records of a journal, an archive or a capture, in blocks that are read ahead |
//! | [`synthetic`] | a market that never was, as records |
//! | [`run`] | one run: an engine with a strategy over a paper venue, fed with recorded data |
//! | [`sweep`] | many runs: grids of parameters, in parallel, and walks forward |
//! | [`parity`] | a recorded session decided again, beside what it decided then |
//! | [`metrics`] | figures from an equity curve and round trips: pure functions |
//! | [`sample`], [`trips`], [`money`] | points at equal distances; fills to round trips; exact amounts |
//! | [`outcome`], [`results`] | what a run came to; the folder that it leaves behind |
//!
//! Promises: the same inputs give the same bytes, whatever the threads; amounts are exact until a figure is made of them. Refuses: damaged data, data with gaps
//! or crossed books unless it was asked for, and to overwrite anything.

pub mod metrics;
pub mod money;
pub mod outcome;
pub mod parity;
pub mod results;
pub mod run;
pub mod sample;
pub mod source;
pub mod sweep;
pub mod synthetic;
pub mod trips;
