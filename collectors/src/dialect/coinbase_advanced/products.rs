//! Products: the answer to `/market/products`.

use serde::Deserialize;
use serde_json::value::RawValue;
use tickpath_protocol::Scale;

use crate::decode::json::{self, Object, Text};
use crate::decode::{Listing, Refused};

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    products: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Product<'a> {
    #[serde(borrow)]
    product_id: Text<'a>,
    #[serde(borrow)]
    base_currency_id: Text<'a>,
    #[serde(borrow)]
    quote_currency_id: Text<'a>,
    #[serde(borrow)]
    base_increment: Text<'a>,
    #[serde(borrow)]
    quote_increment: Text<'a>,
    #[serde(borrow, default)]
    price_increment: Option<Text<'a>>,
    #[serde(borrow, default)]
    product_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(default)]
    trading_disabled: Option<bool>,
    #[serde(default)]
    is_disabled: Option<bool>,
    #[serde(default)]
    cancel_only: Option<bool>,
    #[serde(default)]
    post_only: Option<bool>,
    #[serde(default)]
    auction_mode: Option<bool>,
    #[serde(borrow, default)]
    alias: Option<Text<'a>>,
}

impl Product<'_> {
    fn is_spot(&self) -> bool {
        self.product_type.as_deref().is_none_or(|kind| kind == "SPOT")
    }

    /// Whether orders can match now.
    fn trading(&self) -> bool {
        let off = [
            self.trading_disabled,
            self.is_disabled,
            self.cancel_only,
            self.post_only,
            self.auction_mode,
        ];
        // Products of other brokers' books have an empty status.
        self.status
            .as_deref()
            .is_none_or(|status| matches!(status, "online" | ""))
            && !off.contains(&Some(true))
    }
}

/// The spot instruments in an answer; one that no record could carry is left out.
pub(super) fn listings(body: &[u8]) -> Result<Vec<Listing>, Refused> {
    let Object(answer) = json::parse::<Object<Answer>>(json::text(body)?)?;
    json::readable(&answer.products, listing)
}

/// Pairs of a product and the other name under which its data may arrive.
pub(super) fn aliases(body: &[u8]) -> Result<Vec<(String, String)>, Refused> {
    let Object(answer) = json::parse::<Object<Answer>>(json::text(body)?)?;
    let products = answer.products.iter();
    // Products that cannot be read are not listed either.
    let products = products.filter_map(|product| json::parse::<Object<Product>>(product.get()).ok());
    Ok(products
        .filter_map(|Object(product)| {
            let alias = product
                .alias
                .filter(|alias| !alias.is_empty() && *alias != product.product_id)?;
            Some((product.product_id.0.into_owned(), alias.0.into_owned()))
        })
        .collect())
}

fn listing(text: &str) -> Result<Option<Listing>, Refused> {
    let Object(product) = json::parse::<Object<Product>>(text)?;
    if !product.is_spot() {
        return Ok(None);
    }
    let (quote_decimals, quote_step) = json::increment("quote_increment", &product.quote_increment)?;
    let (price_decimals, tick) = match &product.price_increment {
        Some(text) => widened(json::increment("price_increment", text)?, quote_decimals)?,
        None => (quote_decimals, quote_step),
    };
    let (size_decimals, lot) = json::increment("base_increment", &product.base_increment)?;
    Ok(Some(Listing {
        name: format!("{}/{}", &*product.base_currency_id, &*product.quote_currency_id),
        scale: Scale::new(price_decimals, size_decimals)
            .ok_or_else(|| Refused::Shape("increment of too many decimals".to_owned()))?,
        tick,
        lot,
        trading: product.trading(),
        symbol: product.product_id.0.into_owned(),
    }))
}

/// A step at no fewer than `decimals`.
fn widened((own, step): (u8, i64), decimals: u8) -> Result<(u8, i64), Refused> {
    let factor = 10i64.pow(decimals.saturating_sub(own).into());
    let step = step.checked_mul(factor).ok_or(Refused::Range {
        field: "price_increment",
        value: step,
    })?;
    Ok((own.max(decimals), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT: &str = r#"{"product_id":"BTC-USDC","price":"140.21","base_increment":"0.00000001","quote_increment":"0.01",
        "base_min_size":"0.00000001","base_max_size":"1000","base_name":"Bitcoin","quote_name":"USDC","is_disabled":false,
        "status":"online","cancel_only":false,"limit_only":false,"post_only":false,"trading_disabled":false,"auction_mode":false,
        "product_type":"SPOT","quote_currency_id":"USDC","base_currency_id":"BTC","alias":"BTC-USD","alias_to":[],
        "view_only":false,"price_increment":"0.05"}"#;

    fn body(products: &[&str]) -> Vec<u8> {
        format!(
            r#"{{"products":[{}],"num_products":{}}}"#,
            products.join(","),
            products.len()
        )
        .into_bytes()
    }

    #[test]
    fn increments_are_the_decimals() {
        assert_eq!(
            listings(&body(&[PRODUCT])).unwrap(),
            [Listing {
                symbol: "BTC-USDC".to_owned(),
                name: "BTC/USDC".to_owned(),
                scale: Scale::new(2, 8).unwrap(),
                tick: 5,
                lot: 1,
                trading: true,
            }]
        );
        let finer = PRODUCT.replace("0.05", "0.0005");
        let listing = &listings(&body(&[&finer])).unwrap()[0];
        assert_eq!((listing.scale, listing.tick), (Scale::new(4, 8).unwrap(), 5));
        let unstated = PRODUCT.replace("price_increment", "x");
        assert_eq!(listings(&body(&[&unstated])).unwrap()[0].tick, 1);
    }

    #[test]
    fn what_does_not_match_does_not_trade() {
        for (from, to) in [
            (r#""online""#, r#""offline""#),
            (r#""is_disabled":false"#, r#""is_disabled":true"#),
            (r#""cancel_only":false"#, r#""cancel_only":true"#),
            (r#""auction_mode":false"#, r#""auction_mode":true"#),
        ] {
            assert!(
                !listings(&body(&[&PRODUCT.replace(from, to)])).unwrap()[0].trading,
                "{to}"
            );
        }
    }

    #[test]
    fn futures_and_odd_products_are_left_out() {
        let future = PRODUCT.replace("SPOT", "FUTURE");
        let odd = PRODUCT.replace(r#""0.01""#, r#""""#);
        assert_eq!(listings(&body(&[&future, &odd, PRODUCT])).unwrap().len(), 1);
        assert!(listings(&body(&[&odd])).is_err());
        assert!(listings(&body(&[&PRODUCT.replace("0.05", "0")])).is_err());
        assert!(listings(b"[]").is_err());
        assert_eq!(listings(&body(&[])), Ok(Vec::new()));
    }

    #[test]
    fn aliases_name_both() {
        let plain = PRODUCT.replace(r#""alias":"BTC-USD""#, r#""alias":"""#);
        let pair = ("BTC-USDC".to_owned(), "BTC-USD".to_owned());
        assert_eq!(aliases(&body(&[&plain, PRODUCT, "{}"])), Ok(vec![pair]));
    }
}
