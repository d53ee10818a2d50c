use tickpath_protocol::Scale;

use super::*;

fn exchange_info(symbols: &str) -> Vec<Listing> {
    let body = format!(r#"{{"timezone":"UTC","rateLimits":[],"symbols":[{symbols}]}}"#);
    listings(body.as_bytes()).unwrap()
}

fn symbol(name: &str, status: &str, max_price: &str, tick: &str, max_qty: &str, step: &str) -> String {
    format!(
        r#"{{"symbol":"{name}","status":"{status}","baseAsset":"B","quoteAsset":"Q","orderTypes":["LIMIT"],"filters":[
            {{"filterType":"PRICE_FILTER","minPrice":"{tick}","maxPrice":"{max_price}","tickSize":"{tick}"}},
            {{"filterType":"PERCENT_PRICE","multiplierUp":"5"}},
            {{"filterType":"LOT_SIZE","minQty":"{step}","maxQty":"{max_qty}","stepSize":"{step}"}},
            {{"filterType":"MARKET_LOT_SIZE","minQty":"0","maxQty":"100.05381873","stepSize":"0"}}]}}"#
    )
}

#[test]
fn listings_hold_the_largest_quantity() {
    let found = exchange_info(
        &[
            symbol(
                "BTCUSDT",
                "TRADING",
                "1000000.00000000",
                "0.01000000",
                "9000.00000000",
                "0.00001000",
            ),
            symbol(
                "PEPEUSDT",
                "BREAK",
                "1.00000000",
                "0.00000001",
                "922337203686.00000000",
                "1.00000000",
            ),
            symbol(
                "HUGEUSDT",
                "HALT",
                "9223372036854775807",
                "1",
                "92233720369.0",
                "0.00000001",
            ),
        ]
        .join(","),
    );
    let expected = |symbol: &str, price, size, tick, lot, trading| Listing {
        symbol: symbol.into(),
        name: "B/Q".into(),
        scale: Scale::new(price, size).unwrap(),
        tick,
        lot,
        trading,
    };
    assert_eq!(
        found,
        [
            expected("BTCUSDT", 8, 8, 1_000_000, 1_000, true),
            expected("PEPEUSDT", 8, 6, 1, 1_000_000, false),
            expected("HUGEUSDT", 0, 8, 1, 1, false),
        ]
    );
}

#[test]
fn a_symbol_without_filters_is_left_out_alone() {
    let good = symbol("BTCUSDT", "TRADING", "1000000", "0.01", "9000", "0.00001");
    let found = exchange_info(
        &[
            r#"{"symbol":"NEWUSDT","status":"PRE_TRADING","baseAsset":"NEW","quoteAsset":"USDT","filters":[]}"#,
            r#"{"symbol":"ODDUSDT"}"#,
            "17",
            &good.replace("0.00001", ""),
            &good.replace("9000", "much"),
            &good,
        ]
        .join(","),
    );
    assert_eq!(found.len(), 1);
    assert!(listings(br#"{"code":-1003,"msg":"Too many requests"}"#).is_err());
    assert!(listings(b"<html>").is_err());
}
