//! The venue: its words, its calls, its `user` channel.

mod channel;
mod rest;
pub mod wire;

pub use channel::{Channel, Nudge};
pub use rest::{CallError, Placed, Rest};

use std::time::Duration;

use tickpath_service::Config;

/// How the venue is reached.
#[derive(Clone, Debug)]
pub struct VenueSettings {
    /// `http://host:port/coinbase`.
    pub rest_url: String,
    /// `ws://host:port/coinbase`.
    pub ws_url: String,
    /// What it knows us by.
    pub key: String,
    /// A call without an answer after this has an unknown outcome.
    pub timeout: Duration,
    /// Whether it cancels everything when the `user` channel's connection ends.
    pub cancel_on_disconnect: bool,
}

impl VenueSettings {
    /// The simulated venue of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> VenueSettings {
        let listen = config.simulator.listen;
        VenueSettings {
            rest_url: format!("http://{listen}/coinbase"),
            ws_url: format!("ws://{listen}/coinbase"),
            key: config.simulator.api_key.clone(),
            timeout: Duration::from_millis(config.engine.simulated.timeout_ms),
            cancel_on_disconnect: config.engine.simulated.cancel_on_disconnect,
        }
    }
}
