//! What the tests of matching share: a naive engine, and random orders.

pub mod flow;
pub mod naive;
