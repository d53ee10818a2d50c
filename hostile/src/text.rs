//! What reaches the bridge: requests of its clients, and the certificate that it is given.

use serde_json::Value;
use tickpath_bridge::request::{self, Request};
use tickpath_bridge::tls;

/// A frame of a WebSocket client.
///
/// # Panics
/// If the answer is no JSON.
pub fn client_request(data: &[u8]) {
    let (id, request) = request::parse(data);
    let answer = match &request {
        Ok(Request::Subscribe(selection)) => request::done("subscribed", &id, selection),
        Ok(Request::Unsubscribe(selection)) => request::done("unsubscribed", &id, selection),
        Ok(Request::Ping) => request::pong(&id),
        Err(error) => error.reply(&id),
    };
    if let Err(error) = serde_json::from_str::<Value>(&answer) {
        panic!("the answer is no JSON: {error}: {}", answer.as_str());
    }
}

/// The DER of a certificate.
///
/// # Panics
/// If a time is told that the bytes do not hold: a year has four digits or two.
pub fn certificate(data: &[u8]) {
    if let Some(validity) = tls::validity(data) {
        assert!(data.len() > 30, "two times do not fit: {validity:?}");
    }
}
