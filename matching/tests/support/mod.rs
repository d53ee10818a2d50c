//! What the tests of matching share: a naive engine, random orders, events as text.
#![allow(dead_code, reason = "each test uses its part")]

pub mod flow;
pub mod naive;
pub mod text;
