//! Which instruments there are, and a line for each connection that they need.

use std::rc::Rc;
use std::time::Duration;

use super::backoff::Backoff;
use super::hub::Hub;
use super::line;
use super::rest::RestError;
use super::{Outlet, SessionError};
use crate::decode::{Listing, Refused};
use crate::dialect::{Connection, Dialect};

/// Pause after a failed request; it grows.
const RETRY_FLOOR: Duration = Duration::from_secs(1);
/// Connections of one venue. Binance's 1,500 symbols need five.
const LINES_MAX: usize = 256;

/// Finds the instruments, then opens lines for those that are wanted, now and whenever more are found.
pub(super) async fn run<O: Outlet + 'static>(hub: Rc<Hub<O>>) {
    match hub.dialect(|dialect| dialect.discovery_frame()) {
        Some(frame) => open(
            &hub,
            Connection {
                path: String::new(),
                symbols: Vec::new(),
                subscribe: vec![frame.to_owned()],
            },
        ),
        None => {
            let found = ask(&hub).await;
            hub.select(&found.listings);
            hub.add_aliases(&found.aliases);
        }
    }
    loop {
        hub.found.notified().await;
        let symbols = hub.take_found();
        for connection in hub.dialect(|dialect| dialect.connections(&symbols)) {
            open(&hub, connection);
        }
    }
}

fn open<O: Outlet + 'static>(hub: &Rc<Hub<O>>, connection: Connection) {
    let line = hub.new_line();
    if line >= LINES_MAX {
        hub.fail(SessionError::Configuration(format!(
            "`collectors.{}.symbols` needs more than {LINES_MAX} connections",
            hub.venue
        )));
        return;
    }
    tokio::task::spawn_local(line::run(hub.clone(), line, connection));
}

/// What the venue lists.
#[derive(Default)]
struct Found {
    listings: Vec<Listing>,
    /// Pairs of a symbol and another name for it, as [`Dialect::aliases`] says.
    aliases: Vec<(String, String)>,
}

impl Found {
    fn in_answer(dialect: &dyn Dialect, body: &[u8]) -> Result<Found, Refused> {
        Ok(Found {
            listings: dialect.listings(body)?,
            aliases: dialect.aliases(body)?,
        })
    }
}

/// What the answers to all requests list; each is made until it is answered.
async fn ask<O: Outlet + 'static>(hub: &Rc<Hub<O>>) -> Found {
    let mut all = Found::default();
    for path in hub.dialect(|dialect| dialect.discovery()) {
        let found = ask_one(hub, &path).await;
        all.listings.extend(found.listings);
        all.aliases.extend(found.aliases);
    }
    all
}

async fn ask_one<O: Outlet + 'static>(hub: &Rc<Hub<O>>, path: &str) -> Found {
    let mut backoff = Backoff::new(RETRY_FLOOR);
    loop {
        let mut at_least = Duration::ZERO;
        let problem = match hub.rest.get(path).await {
            Ok(body) => {
                hub.capture_answer(path, &body);
                match hub.dialect(|dialect| Found::in_answer(dialect, &body)) {
                    Ok(found) => return found,
                    Err(refused) => refused.to_string(),
                }
            }
            Err(RestError::Status(status @ (401 | 403))) if hub.policy.login => {
                hub.fail(SessionError::Login {
                    venue: hub.venue,
                    reason: format!("HTTP {status} for {path}"),
                });
                return Found::default();
            }
            Err(error) => {
                if let RestError::Limited { pause, .. } = error {
                    at_least = pause;
                }
                error.to_string()
            }
        };
        let pause = backoff.pause(at_least);
        tracing::warn!(
            "{}: no instruments from {}: {problem}; again in {:.1} s",
            hub.venue,
            hub.rest.url(path),
            pause.as_secs_f64()
        );
        tokio::time::sleep(pause).await;
    }
}
