//! The venues' REST: instruments, book snapshots, clocks; from the synthetic markets or from a capture.

mod binance;
mod coinbase;
pub mod coinbase_orders;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode, header};
use tickpath_protocol::Venue;

use crate::dialect::alpaca;
use crate::exchange::Exchange;
use crate::listing::{self, Feed, Listing};
use crate::replay::VenueReplay;
use crate::text::{list, parameter, trimmed};

pub use binance::Weights;

/// A GET below a venue's base.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Whose.
    pub venue: Venue,
    /// Below the base, such as `/api/v3/depth`.
    pub path: &'a str,
    /// Without `?`.
    pub query: &'a str,
    /// Alpaca looks for keys in them.
    pub headers: &'a HeaderMap,
}

impl Call<'_> {
    fn parameter(&self, name: &str) -> Option<String> {
        parameter(self.query, name)
    }
}

/// An answer before it is HTTP.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: String,
    headers: Vec<(&'static str, String)>,
}

impl Answer {
    /// 200 with a JSON body.
    #[must_use]
    pub fn ok(body: String) -> Answer {
        Answer::new(StatusCode::OK, body)
    }

    /// Any status with a JSON body.
    #[must_use]
    pub fn new(status: StatusCode, body: String) -> Answer {
        Answer {
            status,
            body,
            headers: Vec::new(),
        }
    }

    /// With a header more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: String) -> Answer {
        self.headers.push((name, value));
        self
    }

    /// As HTTP.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let mut builder = Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        builder.body(Body::from(self.body)).unwrap_or_else(|error| {
            tracing::error!("an answer could not be built: {error}");
            Response::default()
        })
    }
}

/// Answers from the synthetic markets.
#[must_use]
pub fn live(call: &Call<'_>, exchange: &Exchange, weights: &Weights) -> Answer {
    match call.venue {
        Venue::BINANCE => binance::answer(call, exchange, weights),
        Venue::COINBASE => coinbase::answer(call, exchange),
        Venue::ALPACA => alpaca_answer(call, exchange),
        _ => not_found(call),
    }
}

/// Answers from a capture.
pub async fn replayed(call: &Call<'_>, replay: &VenueReplay, weights: &Weights) -> Answer {
    match (call.venue, call.path) {
        (Venue::BINANCE, "/api/v3/depth") => binance::replayed_depth(call, replay, weights).await,
        (Venue::ALPACA, _) if !has_keys(call) => forbidden(),
        (_, path) => match replay.answer(path, call.query) {
            Some(answer) => Answer::ok(answer.body.clone()),
            None => not_found(call),
        },
    }
}

/// The refusal of a client that calls too often, in the venue's words.
#[must_use]
pub fn too_many_requests(venue: Venue, retry_after_s: u32) -> Answer {
    let body = match venue {
        Venue::BINANCE => r#"{"code":-1003,"msg":"Too many requests; please use WebSocket Streams for live updates."}"#,
        Venue::COINBASE => r#"{"message":"Public rate limit exceeded"}"#,
        Venue::KRAKEN => r#"{"error":["EAPI:Rate limit exceeded"]}"#,
        _ => r#"{"code":42910000,"message":"rate limit exceeded"}"#,
    };
    Answer::new(StatusCode::TOO_MANY_REQUESTS, body.to_owned()).with("retry-after", retry_after_s.to_string())
}

fn not_found(call: &Call<'_>) -> Answer {
    let body = match call.venue {
        Venue::BINANCE => r#"{"code":-1121,"msg":"Invalid symbol."}"#,
        Venue::KRAKEN => r#"{"error":["EGeneral:Unknown method"]}"#,
        _ => r#"{"message":"NotFound"}"#,
    };
    Answer::new(StatusCode::NOT_FOUND, body.to_owned())
}

fn forbidden() -> Answer {
    Answer::new(StatusCode::FORBIDDEN, r#"{"message":"forbidden."}"#.to_owned())
}

/// The Alpaca keys in the headers of a request.
#[must_use]
pub fn alpaca_keys(headers: &HeaderMap) -> Option<(&str, &str)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Some((text("APCA-API-KEY-ID")?, text("APCA-API-SECRET-KEY")?))
}

fn has_keys(call: &Call<'_>) -> bool {
    alpaca_keys(call.headers).is_some_and(|(id, secret)| alpaca::are_valid(id, secret))
}

fn alpaca_answer(call: &Call<'_>, exchange: &Exchange) -> Answer {
    if !has_keys(call) {
        return forbidden();
    }
    match call.path {
        "/v2/assets" => Answer::ok(assets(call.parameter("asset_class").as_deref().unwrap_or("us_equity"))),
        "/v1beta3/crypto/us/latest/orderbooks" => latest_books(call, exchange),
        _ => not_found(call),
    }
}

fn assets(class: &str) -> String {
    let is_of_class = |row: &&Listing| (row.feed == Feed::Main) == (class == "crypto");
    let asset = |row: &Listing| {
        let crypto = match row.feed {
            Feed::Main => format!(
                r#","min_order_size":"{lot}","min_trade_increment":"{lot}","price_increment":"{}""#,
                trimmed(1, row.price_decimals),
                lot = trimmed(row.lot, row.size_decimals)
            ),
            Feed::Stocks | Feed::Test => String::new(),
        };
        format!(
            r#"{{"id":"276e2673-764b-4ab6-a611-{:012x}","class":"{class}","exchange":"{}","symbol":"{}","name":"{} simulated","status":"active","tradable":true,"marginable":false,"shortable":false,"easy_to_borrow":false,"fractionable":true,"attributes":[]{crypto}}}"#,
            row.asset,
            if row.feed == Feed::Main { "CRYPTO" } else { "NASDAQ" },
            row.symbol,
            row.base(),
        )
    };
    let rows = listing::of_venue(Venue::ALPACA).map(|(_, row)| row).filter(is_of_class);
    format!("[{}]", list(rows.map(asset)))
}

fn latest_books(call: &Call<'_>, exchange: &Exchange) -> Answer {
    let wanted = call.parameter("symbols").unwrap_or_default();
    let world = exchange.world();
    let books = wanted.split(',').filter_map(|symbol| {
        let market = listing::find(Venue::ALPACA, symbol)?;
        let book = alpaca::whole_book(&listing::LISTINGS[market], world.market(market).book(), world.now_ns());
        Some(format!(r#""{symbol}":{book}"#))
    });
    Answer::ok(format!(r#"{{"orderbooks":{{{}}}}}"#, list(books)))
}
