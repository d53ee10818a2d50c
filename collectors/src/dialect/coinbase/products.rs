//! Products: the answer to `/products`, and the entries of the `status` channel, which have the same shape.

use serde::Deserialize;
use serde_json::value::RawValue;
use tickpath_protocol::Scale;

use crate::decode::json::{self, Object, Text};
use crate::decode::{Listing, Refused};

/// Whether and how a product trades.
#[derive(Deserialize)]
pub(super) struct Product<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(default)]
    trading_disabled: Option<bool>,
    #[serde(default)]
    cancel_only: Option<bool>,
    #[serde(default)]
    post_only: Option<bool>,
}

/// What only a listing needs.
#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    base_currency: Text<'a>,
    #[serde(borrow)]
    quote_currency: Text<'a>,
    #[serde(borrow)]
    base_increment: Text<'a>,
    #[serde(borrow)]
    quote_increment: Text<'a>,
}

impl Product<'_> {
    /// Whether orders can match now: in post-only and cancel-only mode none does.
    pub(super) fn trading(&self) -> bool {
        let off = |flag: Option<bool>| flag.unwrap_or(false);
        &*self.status == "online" && !off(self.trading_disabled) && !off(self.cancel_only) && !off(self.post_only)
    }
}

/// The instruments in an answer to `/products`; one that no record could carry is left out.
pub(super) fn listings(body: &[u8]) -> Result<Vec<Listing>, Refused> {
    json::readable(&json::parse::<Vec<&RawValue>>(json::text(body)?)?, |product| {
        listing(product).map(Some)
    })
}

fn listing(text: &str) -> Result<Listing, Refused> {
    let Object(product) = json::parse::<Object<Product>>(text)?;
    let Object(details) = json::parse::<Object<Details>>(text)?;
    let (price_decimals, tick) = json::increment("quote_increment", &details.quote_increment)?;
    let (size_decimals, lot) = json::increment("base_increment", &details.base_increment)?;
    Ok(Listing {
        name: format!("{}/{}", &*details.base_currency, &*details.quote_currency),
        scale: Scale::new(price_decimals, size_decimals)
            .ok_or_else(|| Refused::Shape("increment of too many decimals".to_owned()))?,
        tick,
        lot,
        trading: product.trading(),
        symbol: product.id.0.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT_2021: &str = r#"{"id":"NU-GBP","base_currency":"NU","quote_currency":"GBP","base_min_size":"10",
        "base_max_size":"1300000","quote_increment":"0.0001","base_increment":"0.000001","display_name":"NU/GBP",
        "min_market_funds":"1.0","max_market_funds":"75000","margin_enabled":false,"post_only":false,"limit_only":false,
        "cancel_only":false,"trading_disabled":false,"status":"online","status_message":""}"#;

    #[test]
    fn increments_are_the_decimals() {
        let body = format!("[{PRODUCT_2021}]");
        assert_eq!(
            listings(body.as_bytes()).unwrap(),
            [Listing {
                symbol: "NU-GBP".to_owned(),
                name: "NU/GBP".to_owned(),
                scale: Scale::new(4, 6).unwrap(),
                tick: 1,
                lot: 1,
                trading: true,
            }]
        );
        let coarse = body.replace(r#""0.000001""#, r#""10""#).replace("0.0001", "0.0500");
        let listing = &listings(coarse.as_bytes()).unwrap()[0];
        assert_eq!(
            (listing.scale, listing.tick, listing.lot),
            (Scale::new(2, 0).unwrap(), 5, 10)
        );
    }

    #[test]
    fn what_does_not_match_does_not_trade() {
        for (from, to, trading) in [
            (r#""online""#, r#""offline""#, false),
            (r#""online""#, r#""delisted""#, false),
            (r#""trading_disabled":false"#, r#""trading_disabled":true"#, false),
            (r#""cancel_only":false"#, r#""cancel_only":true"#, false),
            (r#""post_only":false"#, r#""post_only":true"#, false),
            (r#""limit_only":false"#, r#""limit_only":true"#, true),
            (r#""trading_disabled":false"#, r#""new":null"#, true),
        ] {
            let body = format!("[{}]", PRODUCT_2021.replace(from, to));
            assert_eq!(listings(body.as_bytes()).unwrap()[0].trading, trading, "{to}");
        }
    }

    #[test]
    fn an_odd_product_is_left_out_and_an_odd_answer_refused() {
        let odd = PRODUCT_2021.replace("0.0001", "");
        assert_eq!(listings(format!("[{odd},{PRODUCT_2021}]").as_bytes()).unwrap().len(), 1);
        assert!(matches!(
            listings(format!("[{odd}]").as_bytes()),
            Err(Refused::Number {
                field: "quote_increment",
                ..
            })
        ));
        for increment in ["0", "-0.01", "1e-20", "x"] {
            let body = format!("[{}]", PRODUCT_2021.replace("0.0001", increment));
            assert!(listings(body.as_bytes()).is_err(), "{increment}");
        }
        assert!(listings(br#"{"message":"rate limit exceeded"}"#).is_err());
        assert_eq!(listings(b"[]"), Ok(Vec::new()));
    }
}
