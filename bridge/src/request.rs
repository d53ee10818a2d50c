//! What a client may say, and the answers. Any bytes end in a request or in an error that names what is wrong.

use serde_json::{Map, Value};

use crate::message::{self, Body};
use crate::topic::{Channel, Channels, Selector};

/// Patterns in one request.
pub const SYMBOLS_MAX: usize = 256;
/// Patterns with `*` in one request: each is tried on every instrument.
pub const PATTERNS_MAX: usize = 32;
/// Bytes of an id that is a string.
pub const ID_LEN_MAX: usize = 64;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Send the channels of the instruments.
    Subscribe(Selection),
    /// Send them no more.
    Unsubscribe(Selection),
    /// Answer.
    Ping,
}

/// Channels of instruments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The channels.
    pub channels: Channels,
    /// The patterns.
    pub selectors: Vec<Selector>,
}

/// The client's number or name of a request, as the JSON to send back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(String);

impl Default for Id {
    fn default() -> Id {
        Id("null".into())
    }
}

/// What can be wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// Not JSON, or not of the shape of a request.
    BadJson,
    /// No such `op`.
    UnknownOp,
    /// No such channel.
    UnknownChannel,
    /// An exact symbol that is not known, or no pattern.
    UnknownSymbol,
    /// More than a client may have.
    TooManySubscriptions,
    /// More than a client may ask.
    RateLimited,
    /// A frame beyond the limit.
    FrameTooLarge,
}

impl ErrorCode {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorCode::BadJson => "bad_json",
            ErrorCode::UnknownOp => "unknown_op",
            ErrorCode::UnknownChannel => "unknown_channel",
            ErrorCode::UnknownSymbol => "unknown_symbol",
            ErrorCode::TooManySubscriptions => "too_many_subscriptions",
            ErrorCode::RateLimited => "rate_limited",
            ErrorCode::FrameTooLarge => "frame_too_large",
        }
    }
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub struct RequestError {
    /// The code.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

impl RequestError {
    /// An error.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> RequestError {
        RequestError {
            code,
            message: message.into(),
        }
    }

    /// The answer.
    #[must_use]
    pub fn reply(&self, id: &Id) -> Body {
        let mut text = format!(
            "{{\"op\":\"error\",\"id\":{},\"code\":\"{}\",\"message\":",
            id.0,
            self.code.name()
        );
        message::string(&mut text, &self.message);
        text.push('}');
        text.into()
    }
}

/// Reads a frame. The id is told even when the request is refused.
pub fn parse(frame: &[u8]) -> (Id, Result<Request, RequestError>) {
    let object = match serde_json::from_slice(frame) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return (Id::default(), Err(bad("a request is a JSON object"))),
        Err(error) => return (Id::default(), Err(bad(error.to_string()))),
    };
    match id(&object) {
        Ok(id) => (id, request(&object)),
        Err(error) => (Id::default(), Err(error)),
    }
}

/// The answer to a ping.
#[must_use]
pub fn pong(id: &Id) -> Body {
    format!("{{\"op\":\"pong\",\"id\":{}}}", id.0).into()
}

/// The answer to a subscription that holds, or to its end.
#[must_use]
pub fn done(op: &str, id: &Id, selection: &Selection) -> Body {
    let mut text = format!("{{\"op\":\"{op}\",\"id\":{},\"channels\":[", id.0);
    for (index, channel) in selection.channels.iter().enumerate() {
        text.push_str(if index > 0 { "," } else { "" });
        message::string(&mut text, channel.name());
    }
    text.push_str("],\"symbols\":[");
    for (index, selector) in selection.selectors.iter().enumerate() {
        text.push_str(if index > 0 { "," } else { "" });
        message::string(&mut text, selector.as_str());
    }
    text.push_str("]}");
    text.into()
}

fn bad(message: impl Into<String>) -> RequestError {
    RequestError::new(ErrorCode::BadJson, message)
}

fn id(object: &Map<String, Value>) -> Result<Id, RequestError> {
    match object.get("id") {
        None | Some(Value::Null) => Ok(Id::default()),
        Some(Value::Number(number)) => Ok(Id(number.to_string())),
        Some(Value::String(text)) if text.len() <= ID_LEN_MAX => {
            let mut id = String::new();
            message::string(&mut id, text);
            Ok(Id(id))
        }
        Some(_) => Err(bad(format!(
            "`id` is a number, or a string of at most {ID_LEN_MAX} bytes"
        ))),
    }
}

fn request(object: &Map<String, Value>) -> Result<Request, RequestError> {
    match object.get("op") {
        Some(Value::String(op)) => match op.as_str() {
            "subscribe" => Ok(Request::Subscribe(selection(object)?)),
            "unsubscribe" => Ok(Request::Unsubscribe(selection(object)?)),
            "ping" => Ok(Request::Ping),
            _ => Err(RequestError::new(
                ErrorCode::UnknownOp,
                "unknown `op`: expected subscribe, unsubscribe or ping",
            )),
        },
        _ => Err(bad("`op` is a string")),
    }
}

fn selection(object: &Map<String, Value>) -> Result<Selection, RequestError> {
    let channels: Channels = strings(object, "channels")?
        .map(|text| {
            text?
                .parse::<Channel>()
                .map_err(|error| RequestError::new(ErrorCode::UnknownChannel, error.to_string()))
        })
        .collect::<Result<_, _>>()?;
    if channels.is_empty() {
        return Err(bad("`channels` is empty"));
    }
    // The system report and what the engine does belong to no symbol.
    let needs_symbols = channels.of_instrument().next().is_some();
    if !needs_symbols && !object.contains_key("symbols") {
        return Ok(Selection {
            channels,
            selectors: Vec::new(),
        });
    }
    let selectors = strings(object, "symbols")?
        .map(|text| {
            text?
                .parse::<Selector>()
                .map_err(|error| RequestError::new(ErrorCode::UnknownSymbol, error.to_string()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if needs_symbols && selectors.is_empty() {
        return Err(bad("`symbols` is empty"));
    }
    if selectors.iter().filter(|selector| !selector.is_exact()).count() > PATTERNS_MAX {
        return Err(RequestError::new(
            ErrorCode::TooManySubscriptions,
            format!("at most {PATTERNS_MAX} patterns with `*` fit in one request"),
        ));
    }
    Ok(Selection { channels, selectors })
}

/// The strings of an array.
fn strings<'a>(
    object: &'a Map<String, Value>,
    key: &'static str,
) -> Result<impl Iterator<Item = Result<&'a str, RequestError>>, RequestError> {
    let Some(Value::Array(values)) = object.get(key) else {
        return Err(bad(format!("`{key}` is an array of strings")));
    };
    if values.len() > SYMBOLS_MAX {
        return Err(RequestError::new(
            ErrorCode::TooManySubscriptions,
            format!(
                "`{key}` has {} entries: at most {SYMBOLS_MAX} fit in one request",
                values.len()
            ),
        ));
    }
    Ok(values.iter().map(move |value| {
        value
            .as_str()
            .ok_or_else(|| bad(format!("`{key}` is an array of strings")))
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_error(frame: &str, code: ErrorCode, reply_has: &str) {
        let (id, request) = parse(frame.as_bytes());
        let error = request.expect_err(frame);
        assert_eq!(error.code, code, "{frame}");
        let reply = error.reply(&id);
        serde_json::from_str::<Value>(&reply).expect("an answer is JSON");
        assert!(reply.contains(reply_has), "{reply}");
    }

    #[test]
    fn requests() {
        let frame =
            br#"{"op":"subscribe","channels":["trades","book","trades"],"symbols":["kraken:BTC/USD","*"],"id":1}"#;
        let (id, request) = parse(frame);
        let Ok(Request::Subscribe(selection)) = request else {
            panic!("{request:?}")
        };
        assert_eq!(
            done("subscribed", &id, &selection).as_str(),
            r#"{"op":"subscribed","id":1,"channels":["trades","book"],"symbols":["kraken:BTC/USD","*"]}"#
        );
        assert_eq!(
            pong(&parse(br#"{"op":"ping","id":"a\"b"}"#).0).as_str(),
            r#"{"op":"pong","id":"a\"b"}"#
        );
        assert!(matches!(
            parse(br#"{"op":"subscribe","channels":["system"]}"#).1,
            Ok(Request::Subscribe(_))
        ));
    }

    #[test]
    fn errors_say_what_is_wrong() {
        use ErrorCode::*;
        check_error("", BadJson, "\"id\":null");
        check_error("[]", BadJson, "object");
        check_error("\"x\"", BadJson, "object");
        check_error("{\"op\":1}", BadJson, "`op`");
        check_error("{\"op\":\"buy\",\"id\":7}", UnknownOp, "\"id\":7");
        check_error("{\"op\":\"ping\",\"id\":{}}", BadJson, "`id`");
        check_error("{\"op\":\"subscribe\"}", BadJson, "`channels`");
        check_error("{\"op\":\"subscribe\",\"channels\":[]}", BadJson, "empty");
        check_error(
            "{\"op\":\"subscribe\",\"channels\":[\"l3\"]}",
            UnknownChannel,
            "expected",
        );
        check_error("{\"op\":\"subscribe\",\"channels\":[\"book\"]}", BadJson, "`symbols`");
        check_error(
            "{\"op\":\"subscribe\",\"channels\":[\"book\"],\"symbols\":[]}",
            BadJson,
            "empty",
        );
        check_error(
            "{\"op\":\"subscribe\",\"channels\":[\"book\"],\"symbols\":[1]}",
            BadJson,
            "strings",
        );
        check_error(
            "{\"op\":\"subscribe\",\"channels\":[\"book\"],\"symbols\":[\"\"]}",
            UnknownSymbol,
            "pattern",
        );
        let many = vec!["*"; SYMBOLS_MAX + 1];
        let frame = serde_json::json!({"op": "subscribe", "channels": ["book"], "symbols": many}).to_string();
        check_error(&frame, TooManySubscriptions, "256");
        check_error(&"[".repeat(60_000), BadJson, "recursion");
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer(frame in prop::collection::vec(any::<u8>(), 0..200)) {
            let (id, request) = parse(&frame);
            if let Err(error) = request {
                prop_assert!(serde_json::from_str::<Value>(&error.reply(&id)).is_ok());
            }
        }

        #[test]
        fn any_object_ends_in_an_answer(op in ".{0,12}", channel in ".{0,12}", symbol in ".{0,80}") {
            let frame = serde_json::json!({"op": op, "channels": [channel], "symbols": [symbol], "id": symbol}).to_string();
            let (id, request) = parse(frame.as_bytes());
            if let Err(error) = request {
                prop_assert!(serde_json::from_str::<Value>(&error.reply(&id)).is_ok());
            }
        }
    }
}
