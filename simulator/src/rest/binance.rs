//! Binance's REST: exchangeInfo, depth, time, and the weight that each call costs.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tickpath_protocol::{Side, Venue};

use super::{Answer, Call, not_found, too_many_requests};
use crate::dialect::binance::pair;
use crate::exchange::Exchange;
use crate::listing::{self, LISTINGS, Listing};
use crate::replay::VenueReplay;
use crate::text::{list, padded};

/// Weight that an address may use in a minute.
const WEIGHT_MAX: u32 = 6_000;
const MINUTE: Duration = Duration::from_secs(60);
/// Levels that the venue gives when none are asked for, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 5_000;

/// The weight used in the present minute; all clients share an address here.
#[derive(Debug, Default)]
pub struct Weights(Mutex<Option<(Instant, u32)>>);

impl Weights {
    /// Uses `weight`; what is used now, or the seconds to wait.
    fn take(&self, weight: u32) -> Result<u32, u32> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, used) = state
            .filter(|(since, _)| since.elapsed() < MINUTE)
            .unwrap_or_else(|| (Instant::now(), 0));
        let left = MINUTE.saturating_sub(since.elapsed());
        if used + weight > WEIGHT_MAX {
            return Err(u32::try_from(left.as_secs()).unwrap_or(0) + 1);
        }
        *state = Some((since, used + weight));
        Ok(used + weight)
    }
}

/// What a call weighs, by the table in Binance's "General REST endpoints" and "Market data endpoints".
fn weight(call: &Call<'_>) -> u32 {
    match call.path {
        "/api/v3/exchangeInfo" => 20,
        "/api/v3/depth" => match limit(call) {
            0..=100 => 5,
            101..=500 => 25,
            501..=1_000 => 50,
            _ => 250,
        },
        _ => 1,
    }
}

fn limit(call: &Call<'_>) -> usize {
    let given = call.parameter("limit").and_then(|limit| limit.parse().ok());
    given.unwrap_or(LIMIT_DEFAULT)
}

pub(super) fn answer(call: &Call<'_>, exchange: &Exchange, weights: &Weights) -> Answer {
    let used = match charge(call, weights) {
        Ok(used) => used,
        Err(refusal) => return refusal,
    };
    let answer = match call.path {
        "/api/v3/time" => Answer::ok(format!(r#"{{"serverTime":{}}}"#, exchange.now_ns() / 1_000_000)),
        "/api/v3/exchangeInfo" => Answer::ok(exchange_info(exchange.now_ns())),
        "/api/v3/depth" => depth(call, exchange),
        _ => not_found(call),
    };
    with_weight(answer, used)
}

pub(super) async fn replayed_depth(call: &Call<'_>, replay: &VenueReplay, weights: &Weights) -> Answer {
    let used = match charge(call, weights) {
        Ok(used) => used,
        Err(refusal) => return refusal,
    };
    let Some(symbol) = call.parameter("symbol") else {
        return with_weight(mandatory("symbol"), used);
    };
    let answer = match replay.depth(&symbol).await {
        Ok(Some(body)) => Answer::ok(body),
        Ok(None) => not_found(call),
        Err(error) => {
            tracing::error!("{error}");
            let body = r#"{"code":-1000,"msg":"An unknown error occurred while processing the request."}"#;
            Answer::new(StatusCode::INTERNAL_SERVER_ERROR, body.to_owned())
        }
    };
    with_weight(answer, used)
}

/// The weight used so far, with this call's, or the refusal of a client that used too much.
fn charge(call: &Call<'_>, weights: &Weights) -> Result<u32, Answer> {
    let used = weights.take(weight(call));
    used.map_err(|seconds| too_many_requests(Venue::BINANCE, seconds))
}

fn with_weight(answer: Answer, used: u32) -> Answer {
    answer
        .with("x-mbx-used-weight", used.to_string())
        .with("x-mbx-used-weight-1m", used.to_string())
}

fn mandatory(name: &str) -> Answer {
    let body =
        format!(r#"{{"code":-1102,"msg":"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."}}"#);
    Answer::new(StatusCode::BAD_REQUEST, body)
}

fn depth(call: &Call<'_>, exchange: &Exchange) -> Answer {
    let Some(symbol) = call.parameter("symbol") else {
        return mandatory("symbol");
    };
    let Some(market) = listing::find(Venue::BINANCE, &symbol) else {
        let body = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
        return Answer::new(StatusCode::BAD_REQUEST, body.to_owned());
    };
    let limit = limit(call);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return mandatory("limit");
    }
    let (row, world) = (&LISTINGS[market], exchange.world());
    let state = world.market(market);
    let side = |side| {
        let levels = state.book().levels(side).take(limit);
        list(levels.map(|level| pair(row, level.price, level.size)))
    };
    Answer::ok(format!(
        r#"{{"lastUpdateId":{},"bids":[{}],"asks":[{}]}}"#,
        state.update(),
        side(Side::Bid),
        side(Side::Ask)
    ))
}

fn exchange_info(now_ns: i64) -> String {
    let rows = listing::of_venue(Venue::BINANCE).map(|(_, row)| symbol(row));
    format!(
        r#"{{"timezone":"UTC","serverTime":{},"rateLimits":[{{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":{WEIGHT_MAX}}},{{"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":300000}}],"exchangeFilters":[],"symbols":[{}]}}"#,
        now_ns / 1_000_000,
        list(rows)
    )
}

fn symbol(row: &Listing) -> String {
    let tick = padded(1, row.price_decimals, 8);
    let step = padded(row.lot, row.size_decimals, 8);
    format!(
        r#"{{"symbol":"{}","status":"TRADING","baseAsset":"{}","baseAssetPrecision":8,"quoteAsset":"{}","quotePrecision":8,"quoteAssetPrecision":8,"baseCommissionPrecision":8,"quoteCommissionPrecision":8,"orderTypes":["LIMIT","LIMIT_MAKER","MARKET"],"icebergAllowed":true,"ocoAllowed":true,"isSpotTradingAllowed":true,"isMarginTradingAllowed":true,"filters":[{{"filterType":"PRICE_FILTER","minPrice":"{tick}","maxPrice":"1000000.00000000","tickSize":"{tick}"}},{{"filterType":"LOT_SIZE","minQty":"{step}","maxQty":"9000.00000000","stepSize":"{step}"}},{{"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true,"maxNotional":"9000000.00000000","applyMaxToMarket":false,"avgPriceMins":5}}],"permissions":[],"permissionSets":[["SPOT"]]}}"#,
        row.symbol,
        row.base(),
        row.quote,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_to_the_limit() {
        let weights = Weights::default();
        for n in 1..=24 {
            assert_eq!(weights.take(250), Ok(n * 250));
        }
        assert!(weights.take(250).is_err_and(|seconds| (59..=60).contains(&seconds)));
    }
}
