//! This program as another process of a measurement: `tickpath-bench role NAME [ARGUMENT]…`.

use crate::context::{BenchError, Result};

/// A role: takes its arguments, runs until its job is done or its standard input ends.
pub type Role = fn(&[String]) -> Result<()>;

/// Every role by name. A group adds its own here.
const ROLES: &[(&str, Role)] = &[
    ("decode-instructions", crate::groups::decode::role),
    ("ring-far", crate::groups::ring::role),
    ("relay-reader", crate::groups::relay::role),
    (
        crate::groups::fanout::clients::ROLE,
        crate::groups::fanout::clients::run,
    ),
    (crate::groups::fanout::floor::ROLE, crate::groups::fanout::floor::run),
];

/// Runs a role.
///
/// # Errors
/// If there is no such role, or it fails.
pub fn run(name: &str, arguments: &[String]) -> Result<()> {
    match ROLES.iter().find(|(known, _)| *known == name) {
        Some((_, role)) => role(arguments),
        None => Err(BenchError::new(format!("role {name}"), "no such role")),
    }
}
