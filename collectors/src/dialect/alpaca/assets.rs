//! Assets: the answer to `/v2/assets`.

use serde::Deserialize;
use serde_json::value::RawValue;
use tickpath_protocol::Scale;

use super::TEST_SYMBOL;
use crate::decode::json::{self, Object, Text};
use crate::decode::{Listing, Refused};

/// Decimals of prices and sizes: the venue prints no more in either (documented examples and clients), and 64 bits then reach nine billion.
const DECIMALS: u8 = 9;

#[derive(Deserialize)]
struct Asset<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(default)]
    tradable: Option<bool>,
    #[serde(borrow, default)]
    price_increment: Option<&'a RawValue>,
    #[serde(borrow, default)]
    min_trade_increment: Option<&'a RawValue>,
}

/// The instruments in an answer; one that no record could carry is left out.
pub(super) fn listings(body: &[u8]) -> Result<Vec<Listing>, Refused> {
    json::readable(&json::parse::<Vec<&RawValue>>(json::text(body)?)?, |asset| {
        listing(asset).map(Some)
    })
}

/// The one instrument of the test feed.
pub(super) fn test_listing() -> Listing {
    Listing {
        symbol: TEST_SYMBOL.to_owned(),
        name: name_of(TEST_SYMBOL),
        scale: Scale::new(DECIMALS, DECIMALS).unwrap_or_default(),
        tick: 0,
        lot: 0,
        trading: true,
    }
}

fn listing(text: &str) -> Result<Listing, Refused> {
    let Object(asset) = json::parse::<Object<Asset>>(text)?;
    let (price_decimals, tick) = step("price_increment", asset.price_increment)?;
    let (size_decimals, lot) = step("min_trade_increment", asset.min_trade_increment)?;
    Ok(Listing {
        name: name_of(&asset.symbol),
        scale: Scale::new(price_decimals, size_decimals)
            .ok_or_else(|| Refused::Shape("increment of too many decimals".to_owned()))?,
        tick,
        lot,
        trading: &*asset.status == "active" && asset.tradable.unwrap_or(true),
        symbol: asset.symbol.0.into_owned(),
    })
}

/// Stocks are traded in dollars.
fn name_of(symbol: &str) -> String {
    if symbol.contains('/') {
        symbol.to_owned()
    } else {
        format!("{symbol}/USD")
    }
}

/// Decimals, and a step at them if the venue states one, which it does for crypto, as text.
fn step(field: &'static str, stated: Option<&RawValue>) -> Result<(u8, i64), Refused> {
    let Some(stated) = stated else {
        return Ok((DECIMALS, 0));
    };
    let text = match stated.get() {
        text if text.starts_with('"') => json::parse::<Text>(text)?.0.into_owned(),
        number => number.to_owned(),
    };
    let (own, step) = json::increment(field, &text)?;
    let factor = 10i64.pow(DECIMALS.saturating_sub(own).into());
    let step = step.checked_mul(factor).ok_or(Refused::Range { field, value: step })?;
    Ok((own.max(DECIMALS), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crypto_states_its_steps() {
        let body = br#"[{"id":"276e2673-764b-4ab6-a611-caf665ca6340","class":"crypto","exchange":"CRYPTO","symbol":"BTC/USD",
            "name":"Bitcoin  / US Dollar","status":"active","tradable":true,"fractionable":true,"min_order_size":"0.000013",
            "min_trade_increment":"0.000000001","price_increment":"0.01","attributes":[]}]"#;
        assert_eq!(
            listings(body).unwrap(),
            [Listing {
                symbol: "BTC/USD".to_owned(),
                name: "BTC/USD".to_owned(),
                scale: Scale::new(9, 9).unwrap(),
                tick: 10_000_000,
                lot: 1,
                trading: true,
            }]
        );
    }

    #[test]
    fn finer_steps_widen_the_scale() {
        let body = br#"[{"symbol":"SHIB/USD","status":"active","tradable":false,"price_increment":1e-11,"min_trade_increment":null}]"#;
        let listing = &listings(body).unwrap()[0];
        assert_eq!(
            (listing.scale, listing.tick, listing.lot),
            (Scale::new(11, 9).unwrap(), 1, 0)
        );
        assert!(!listing.trading);
    }

    #[test]
    fn stocks_are_in_dollars() {
        let body = br#"[{"class":"us_equity","exchange":"NASDAQ","symbol":"AAPL","status":"active","tradable":true,"attributes":[]},
            {"class":"us_equity","symbol":"OLD","status":"inactive","tradable":true},{"symbol":7}]"#;
        let listings = listings(body).unwrap();
        assert_eq!(listings.len(), 2);
        assert_eq!(
            (&*listings[0].name, listings[0].tick, listings[0].trading),
            ("AAPL/USD", 0, true)
        );
        assert!(!listings[1].trading);
        assert_eq!(test_listing().scale, listings[0].scale);
    }

    #[test]
    fn another_answer_is_refused() {
        for body in [
            &br#"{"code":40110000,"message":"access key verification failed"}"#[..],
            b"",
            b"[{}]",
        ] {
            assert!(listings(body).is_err());
        }
    }
}
