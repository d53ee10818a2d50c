//! A database on a server with TimescaleDB, where `TICKPATH_TEST_TIMESCALE_URL` names one, as a user who may make databases.
//!
//! No registry ships the extension, so it cannot be installed by a test; without the variable a test says loudly that it tested nothing.

use std::io::Write;

use crate::rows::Database;

const VARIABLE: &str = "TICKPATH_TEST_TIMESCALE_URL";

/// A database that is dropped at the end.
pub struct Scratch {
    server: String,
    name: String,
}

impl Scratch {
    /// An empty database, if there is a server to make it on.
    pub fn make(name: &str) -> Option<Scratch> {
        let Ok(server) = std::env::var(VARIABLE) else {
            // Past the capture of the test harness: what was not run must be seen.
            let notice = format!("NOT RUN: TimescaleDB ({name}), because {VARIABLE} names no server\n");
            std::io::stderr().write_all(notice.as_bytes()).unwrap();
            return None;
        };
        let mut name = format!("tickpath_{}_{name}", std::process::id());
        // Longer names are cut by the server.
        name.truncate(63);
        Database::connect(&server).execute(&format!("CREATE DATABASE {name}"));
        Some(Scratch { server, name })
    }

    /// Its address.
    pub fn url(&self) -> String {
        let (base, options) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let after_scheme = base.find("://").unwrap() + 3;
        let host_end = base[after_scheme..]
            .find('/')
            .map_or(base.len(), |slash| after_scheme + slash);
        let options = if options.is_empty() {
            String::new()
        } else {
            format!("?{options}")
        };
        format!("{}/{}{options}", &base[..host_end], self.name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        Database::connect(&self.server).execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}
