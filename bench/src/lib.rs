//! Tickpath's measurements, each beside its floor and its peers, in one run on one machine.
//!
//! A *floor* is the least that the machine allows for the job; a *peer* is what a user would pick instead. Only ratios within a run mean
//! anything on another machine, so every figure is taken together with what it is compared to, in turns.
//!
//! Each group is a module with a function `measure`; [`groups::ALL`] is their list. [`samples`] collects values, [`measurement`] is one line of
//! the result, [`report`] makes table, JSON, histograms, plots and page of them. Processes that a measurement needs are this program itself
//! in another role ([`role`]), or the released binaries beside it.

pub mod context;
pub mod groups;
pub mod measurement;
pub mod process;
pub mod report;
pub mod role;
pub mod samples;
