//! The frames that arrive by the thousand, in the key order that the venue has used since 2021 at least. All else is the complete
//! decoder's.

use tickpath_protocol::{Record, Side};

use crate::decode::{BookEnd, Decoded, Listed, Quote, Scan, SymbolTable, Trade, What, positive};

/// Of `15bc13f2-e38c-4693-8c0b-e8c6152b9c1d`.
const UUID_LEN: usize = 36;

pub(super) fn decode(frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let scan = &mut Scan::new(frame);
    scan.literal(b"{\"type\":\"")?;
    if scan.take(b"l2update\",\"product_id\":\"") {
        update(scan, symbols, out)?;
    } else if scan.take(b"match\",\"trade_id\":") {
        trade(scan, symbols, out)?;
    } else if scan.take(b"ticker\",\"sequence\":") {
        quote(scan, symbols, out)?;
    } else if scan.take(b"heartbeat\",\"last_trade_id\":") {
        heartbeat(scan, symbols, out)?;
    } else if scan.take(b"snapshot\",\"product_id\":\"") {
        image(scan, symbols, out)?;
    } else {
        return None;
    }
    scan.literal(b"}")?;
    scan.end()
}

#[inline(always)]
fn update(scan: &mut Scan, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let listed = scan.symbol(symbols)?;
    let start = out.records.len();
    scan.literal(b",\"changes\":[")?;
    scan.list(|scan| {
        let side = if scan.take(b"[\"buy\",\"") {
            Side::Bid
        } else {
            scan.literal(b"[\"sell\",\"")?;
            Side::Ask
        };
        level(scan, listed, side, out)
    })?;
    scan.literal(b",\"time\":\"")?;
    let ts_event = scan.time(&mut out.day)?;
    // The time stands behind the changes.
    for record in &mut out.records[start..] {
        record.ts_event = ts_event;
    }
    out.end_book(listed.id, BookEnd::default());
    Some(())
}

fn image(scan: &mut Scan, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let listed = scan.symbol(symbols)?;
    let start = out.records.len();
    if scan.take(b",\"bids\":[") {
        image_side(scan, listed, Side::Bid, out)?;
        scan.literal(b",\"asks\":[")?;
        image_side(scan, listed, Side::Ask, out)?;
    } else {
        scan.literal(b",\"asks\":[")?;
        image_side(scan, listed, Side::Ask, out)?;
        let asks = out.records.len() - start;
        scan.literal(b",\"bids\":[")?;
        image_side(scan, listed, Side::Bid, out)?;
        out.records[start..].rotate_left(asks);
    }
    let ts_event = if scan.take(b",\"time\":\"") {
        scan.time(&mut out.day)?
    } else {
        Record::ABSENT
    };
    for record in &mut out.records[start..] {
        record.ts_event = ts_event;
    }
    out.end_book(
        listed.id,
        BookEnd {
            image: true,
            ..BookEnd::default()
        },
    );
    Some(())
}

#[inline(always)]
fn image_side(scan: &mut Scan, listed: Listed, side: Side, out: &mut Decoded) -> Option<()> {
    scan.list(|scan| {
        scan.literal(b"[\"")?;
        level(scan, listed, side, out)
    })
}

/// `63507.67","0.00000000"]`
#[inline(always)]
fn level(scan: &mut Scan, listed: Listed, side: Side, out: &mut Decoded) -> Option<()> {
    let price = scan.decimal(listed.scale.price_decimals())?;
    scan.literal(b"\",\"")?;
    let size = scan.decimal(listed.scale.size_decimals())?;
    scan.literal(b"\"]")?;
    out.level(listed, side, Record::ABSENT, price, size);
    Some(())
}

#[inline(always)]
fn trade(scan: &mut Scan, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let id = scan.uint()?;
    scan.literal(b",\"maker_order_id\":\"")?;
    scan.skip_text::<UUID_LEN>()?;
    scan.literal(b",\"taker_order_id\":\"")?;
    scan.skip_text::<UUID_LEN>()?;
    scan.literal(b",\"side\":\"")?;
    // The maker's: who hit a resting sell order is a buyer.
    let aggressor = if scan.take(b"sell\"") {
        Side::Bid
    } else {
        scan.literal(b"buy\"")?;
        Side::Ask
    };
    scan.literal(b",\"size\":\"")?;
    let mut size = scan.later()?;
    scan.literal(b",\"price\":\"")?;
    let mut price = scan.later()?;
    scan.literal(b",\"product_id\":\"")?;
    let listed = scan.symbol(symbols)?;
    scan.literal(b",\"sequence\":")?;
    scan.uint()?;
    scan.literal(b",\"time\":\"")?;
    let ts_event = scan.time(&mut out.day)?;
    out.trade(Trade {
        listed,
        aggressor: Some(aggressor),
        price: positive(price.closed_decimal(listed.scale.price_decimals())?)?,
        size: positive(size.closed_decimal(listed.scale.size_decimals())?)?,
        ts_event,
        id: Some(id),
    });
    Some(())
}

#[inline(always)]
fn quote(scan: &mut Scan, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    scan.uint()?;
    scan.literal(b",\"product_id\":\"")?;
    let listed = scan.symbol(symbols)?;
    skip(scan, b",\"price\":\"")?;
    skip(scan, b",\"open_24h\":\"")?;
    skip(scan, b",\"volume_24h\":\"")?;
    skip(scan, b",\"low_24h\":\"")?;
    skip(scan, b",\"high_24h\":\"")?;
    skip(scan, b",\"volume_30d\":\"")?;
    let bid = best(scan, b",\"best_bid\":", b",\"best_bid_size\":", listed)?;
    let ask = best(scan, b",\"best_ask\":", b",\"best_ask_size\":", listed)?;
    scan.literal(b",\"side\":\"")?;
    scan.text()?;
    scan.literal(b",\"time\":\"")?;
    let ts_event = scan.time(&mut out.day)?;
    scan.literal(b",\"trade_id\":")?;
    scan.uint()?;
    scan.literal(b",\"last_size\":\"")?;
    scan.text()?;
    out.quote(Quote {
        listed,
        bid,
        ask,
        ts_event,
        update_id: None,
    });
    Some(())
}

/// A string that no record holds.
#[inline(always)]
fn skip<const N: usize>(scan: &mut Scan, key: &[u8; N]) -> Option<()> {
    scan.literal(key)?;
    scan.text().map(drop)
}

#[inline(always)]
fn best<const P: usize, const S: usize>(
    scan: &mut Scan,
    price_key: &[u8; P],
    size_key: &[u8; S],
    listed: Listed,
) -> Option<(i64, i64)> {
    scan.literal(price_key)?;
    let price = positive(scan.quoted_decimal(listed.scale.price_decimals())?)?;
    let size = if scan.take(size_key) {
        scan.quoted_decimal(listed.scale.size_decimals())?
    } else {
        Record::ABSENT
    };
    Some((price, size))
}

fn heartbeat(scan: &mut Scan, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let last_trade_id = scan.uint()?;
    scan.literal(b",\"product_id\":\"")?;
    let listed = scan.symbol(symbols)?;
    scan.literal(b",\"sequence\":")?;
    scan.uint()?;
    scan.literal(b",\"time\":\"")?;
    scan.text()?;
    out.event(
        listed.id,
        What::Heartbeat {
            last_trade_id: Some(last_trade_id),
        },
    );
    Some(())
}
