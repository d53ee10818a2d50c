//! What a run is turned into: [`document`] is the result as data, everything else is made of it.
//!
//! | module | makes |
//! |---|---|
//! | [`document`] | the JSON, read back by the others |
//! | [`environment`] | the machine, once a run |
//! | [`bars`] | what the figures must reach, as data |
//! | [`table`] | the table for the terminal |
//! | [`page`] | the HTML report, with [`plot`] in it |
//! | [`hgrm`] | percentiles as text, for HdrHistogram's plotter |
//! | [`section`] | the section of README.md |
//! | [`files`] | the directory that holds all that |

pub mod bars;
pub mod document;
pub mod environment;
pub mod files;
pub mod hgrm;
pub mod page;
pub mod plot;
pub mod section;
pub mod table;
pub mod units;
