//! What a replay answers by itself: requests that the recording cannot answer, because they were never made or answered another client.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tickpath_protocol::Venue;

use crate::dialect::{Outbox, alpaca, kraken};
use crate::text::{json_string, list, micros};

/// What a client's message means for a replay.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// It asks for something: the recording may begin.
    pub subscribes: bool,
    /// It wants what comes before any subscription: Kraken's instruments, Alpaca's answer to the keys.
    pub says_hello: bool,
    /// Answers that the recording never holds.
    pub answers: Vec<String>,
    /// Answers that the recording may hold.
    pub acknowledgements: Vec<String>,
    /// Symbols whose book is (again) asked for.
    pub books: Vec<String>,
    /// Binance: a depth stream is among what is asked for.
    pub wants_depth: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request<'a> {
    method: String,
    action: String,
    r#type: String,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    req_id: Option<i64>,
    params: Value,
    product_ids: Vec<String>,
    channels: Value,
    channel: String,
}

/// Reads a client's message.
#[must_use]
pub fn read(venue: Venue, text: &str, now_ns: i64) -> Reading {
    let Ok(request) = serde_json::from_str::<Request<'_>>(text) else {
        return Reading::default();
    };
    match venue {
        Venue::BINANCE => read_binance(&request),
        Venue::COINBASE => read_coinbase(&request),
        Venue::KRAKEN => read_kraken(&request, now_ns),
        _ => read_alpaca(&request, text),
    }
}

fn read_binance(request: &Request<'_>) -> Reading {
    let id = request.id.map_or("null", RawValue::get);
    let subscribes = request.method == "SUBSCRIBE";
    let result = match request.method.as_str() {
        "LIST_SUBSCRIPTIONS" => "[]",
        _ => "null",
    };
    Reading {
        subscribes,
        wants_depth: subscribes && request.params.to_string().contains("@depth"),
        acknowledgements: vec![format!(r#"{{"result":{result},"id":{id}}}"#)],
        ..Reading::default()
    }
}

fn read_coinbase(request: &Request<'_>) -> Reading {
    let subscribes = request.r#type == "subscribe";
    let names: Vec<&str> = request
        .channels
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|channel| channel.as_str().or_else(|| channel["name"].as_str()))
        .collect();
    let products = list(request.product_ids.iter().map(|product| json_string(product)));
    let channel = |name: &&str| {
        let name = if *name == "level2_batch" { "level2_50" } else { name };
        format!(
            r#"{{"name":{},"product_ids":[{products}],"account_ids":null}}"#,
            json_string(name)
        )
    };
    let wants_book = subscribes && names.iter().any(|name| name.starts_with("level2"));
    let acknowledgement = match request.channel.is_empty() {
        true => format!(
            r#"{{"type":"subscriptions","channels":[{}]}}"#,
            list(names.iter().map(channel))
        ),
        // Advanced Trade numbers every message of the connection: one more would be a gap.
        false => String::new(),
    };
    Reading {
        subscribes,
        books: if wants_book {
            request.product_ids.clone()
        } else {
            Vec::new()
        },
        acknowledgements: Some(acknowledgement)
            .filter(|text| !text.is_empty())
            .into_iter()
            .collect(),
        ..Reading::default()
    }
}

fn read_kraken(request: &Request<'_>, now_ns: i64) -> Reading {
    let channel = request.params["channel"].as_str().unwrap_or_default();
    let symbols = request.params["symbol"].as_array().cloned().unwrap_or_default();
    let symbols = symbols.iter().filter_map(|symbol| symbol.as_str().map(str::to_owned));
    let acknowledge = |symbol: &String| {
        let mut result = json!({ "channel": channel, "symbol": symbol });
        if request.method == "subscribe" {
            for key in ["depth", "snapshot", "event_trigger"] {
                if !request.params[key].is_null() {
                    result[key] = request.params[key].clone();
                }
            }
        }
        let req_id = request
            .req_id
            .map_or_else(String::new, |id| format!(r#","req_id":{id}"#));
        let (time_in, time_out) = (micros(now_ns), micros(now_ns + 43_000));
        format!(
            r#"{{"method":"{}","result":{result},"success":true{req_id},"time_in":"{time_in}","time_out":"{time_out}"}}"#,
            request.method
        )
    };
    let symbols: Vec<String> = symbols.collect();
    let mut reading = Reading::default();
    match request.method.as_str() {
        "ping" => reading.answers.push(kraken::pong(request.req_id, now_ns)),
        "subscribe" if channel == "instrument" => reading.says_hello = true,
        "subscribe" => {
            reading.subscribes = true;
            reading.acknowledgements = symbols.iter().map(acknowledge).collect();
            reading.books = if channel == "book" { symbols } else { Vec::new() };
        }
        "unsubscribe" => reading.answers = symbols.iter().map(acknowledge).collect(),
        _ => {}
    }
    reading
}

fn read_alpaca(request: &Request<'_>, text: &str) -> Reading {
    match request.action.as_str() {
        "auth" => Reading {
            says_hello: true,
            ..Reading::default()
        },
        "subscribe" => {
            let wanted: Value = serde_json::from_str(text).unwrap_or_default();
            let symbols = |key: &str| match &wanted[key] {
                Value::Null => "[]".to_owned(),
                names => names.to_string(),
            };
            let (trades, quotes, books) = (symbols("trades"), symbols("quotes"), symbols("orderbooks"));
            Reading {
                subscribes: true,
                acknowledgements: vec![format!(
                    r#"[{{"T":"subscription","trades":{trades},"quotes":{quotes},"orderbooks":{books},"bars":[],"updatedBars":[],"dailyBars":[]}}]"#
                )],
                ..Reading::default()
            }
        }
        _ => Reading::default(),
    }
}

/// What a venue says before any subscription, where the recording does not hold it.
#[must_use]
pub fn missing_greeting(venue: Venue) -> Option<String> {
    match venue {
        Venue::KRAKEN => Some(kraken::status("online", 0)),
        Venue::ALPACA => Some(alpaca::success("connected")),
        _ => None,
    }
}

/// What a venue answers to a hello, where the recording does not hold it.
#[must_use]
pub fn missing_welcome(venue: Venue) -> Option<String> {
    (venue == Venue::ALPACA).then(|| alpaca::success("authenticated"))
}

/// What a venue says before it goes down; one that says nothing closes the connection.
pub fn shutdown_notice(venue: Venue, now_ns: i64, out: &mut Outbox) {
    match venue {
        Venue::BINANCE => {
            let time = now_ns / 1_000_000;
            out.control(format!(
                r#"{{"stream":"!serverShutdown","data":{{"e":"serverShutdown","E":{time}}}}}"#
            ));
        }
        Venue::KRAKEN => out.control(kraken::status("maintenance", 0)),
        _ => out.close(1001, "going away"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_understood() {
        let text = r#"{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":4}"#;
        let binance = read(Venue::BINANCE, text, 0);
        assert!(binance.subscribes && binance.wants_depth);
        assert_eq!(binance.acknowledgements, [r#"{"result":null,"id":4}"#]);
        let text = r#"{"method":"subscribe","params":{"channel":"book","symbol":["A/B"],"depth":10},"req_id":7}"#;
        let kraken = read(Venue::KRAKEN, text, 0);
        assert_eq!(kraken.books, ["A/B"]);
        assert!(kraken.acknowledgements[0].contains(r#""success":true,"req_id":7"#));
        assert!(
            read(
                Venue::KRAKEN,
                r#"{"method":"subscribe","params":{"channel":"instrument"}}"#,
                0
            )
            .says_hello
        );
        let text = r#"{"type":"subscribe","product_ids":["A-B"],"channels":["level2_batch"]}"#;
        assert_eq!(read(Venue::COINBASE, text, 0).books, ["A-B"]);
        assert!(read(Venue::ALPACA, r#"{"action":"auth","key":"k","secret":"s"}"#, 0).says_hello);
        assert_eq!(read(Venue::ALPACA, "garbage", 0), Reading::default());
    }
}
