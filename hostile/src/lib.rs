//! What any bytes whatever must not do to the parts that read them: venues' frames and answers about orders, frames on the relay's socket, journal segments,
//! configurations, requests of WebSocket clients, certificates.
//!
//! Each body takes bytes and panics if a promise is broken. `fuzz/` calls them from libFuzzer, on a nightly compiler (`scripts/fuzz`); the tests of this
//! crate call them with the corpus in `corpus/`, on any compiler. So what a campaign once found stays found: its input goes into the corpus.

pub mod config;
pub mod handshake;
pub mod journal;
pub mod orders;
pub mod text;
pub mod venue;

/// A body.
pub type Body = fn(&[u8]);

/// Every target with its body. The names are those of the folders in `corpus/` and of the programs in `fuzz/`.
pub const TARGETS: [(&str, Body); 11] = [
    ("alpaca", venue::alpaca),
    ("binance", venue::binance),
    ("certificate", text::certificate),
    ("client_request", text::client_request),
    ("coinbase", venue::coinbase),
    ("coinbase_advanced", venue::coinbase_advanced),
    ("config", config::config),
    ("handshake", handshake::handshake),
    ("journal", journal::journal),
    ("kraken", venue::kraken),
    ("orders", orders::orders),
];

/// A planted bug, which every campaign has to find before it counts: four bytes in a row, and another one far behind them.
///
/// # Panics
/// If `data` is what must be found.
pub fn canary(data: &[u8]) {
    if let [b'T', b'I', b'C', b'K', rest @ ..] = data
        && rest.len() > 4
        && rest[4] == b'!'
    {
        panic!("the planted bug");
    }
}
