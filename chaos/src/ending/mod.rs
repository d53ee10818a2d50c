//! What is looked at when a run is over: the journal, the database, and what is left behind.

pub mod database;
pub mod journal;
pub mod leftovers;
