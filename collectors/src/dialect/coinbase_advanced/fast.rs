//! The frames that arrive by the thousand, in the key order of the venue's documents and of what it was seen to send. All else is the
//! complete decoder's.

use tickpath_protocol::{Record, Side};

use crate::decode::{BookEnd, Decoded, Listed, Quote, Scan, SymbolTable, Trade, What, positive};
use crate::dialect::WHOLE_VENUE;

pub(super) fn decode(frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let scan = &mut Scan::new(frame);
    scan.literal(b"{\"channel\":\"")?;
    let channel = scan.text()?;
    if scan.take(b",\"client_id\":\"") {
        scan.text()?;
    }
    scan.literal(b",\"timestamp\":\"")?;
    let sent = scan.time(&mut out.day)?;
    scan.literal(b",\"sequence_num\":")?;
    out.event(WHOLE_VENUE, What::ConnectionSequence(scan.uint()?));
    scan.literal(b",\"events\":[")?;
    match channel {
        b"l2_data" => scan.list(|scan| book(scan, symbols, out))?,
        b"market_trades" => scan.list(|scan| trades(scan, symbols, out))?,
        b"ticker" => scan.list(|scan| tickers(scan, sent, symbols, out))?,
        b"heartbeats" => {
            scan.list(heartbeat)?;
            out.event(WHOLE_VENUE, What::Heartbeat { last_trade_id: None });
        }
        _ => return None,
    }
    scan.literal(b"}")?;
    scan.end()
}

#[inline(always)]
fn book(scan: &mut Scan, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let image = if scan.take(b"{\"type\":\"update\"") {
        false
    } else {
        scan.literal(b"{\"type\":\"snapshot\"")?;
        true
    };
    scan.literal(b",\"product_id\":\"")?;
    let listed = scan.symbol(symbols)?;
    scan.literal(b",\"updates\":[")?;
    scan.list(|scan| level(scan, listed, out))?;
    scan.literal(b"}")?;
    out.end_book(
        listed.id,
        BookEnd {
            image,
            ..BookEnd::default()
        },
    );
    Some(())
}

#[inline(always)]
fn level(scan: &mut Scan, listed: Listed, out: &mut Decoded) -> Option<()> {
    let side = if scan.take(b"{\"side\":\"bid\"") {
        Side::Bid
    } else {
        scan.literal(b"{\"side\":\"offer\"")?;
        Side::Ask
    };
    scan.literal(b",\"event_time\":\"")?;
    let ts_event = scan.time(&mut out.day)?;
    scan.literal(b",\"price_level\":")?;
    let price = scan.quoted_decimal(listed.scale.price_decimals())?;
    scan.literal(b",\"new_quantity\":")?;
    let size = scan.quoted_decimal(listed.scale.size_decimals())?;
    scan.literal(b"}")?;
    out.level(listed, side, ts_event, price, size);
    Some(())
}

/// Live trades only; the image of old ones, once a subscription, is left to the complete decoder.
#[inline(always)]
fn trades(scan: &mut Scan, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    scan.literal(b"{\"type\":\"update\",\"trades\":[")?;
    let (first_record, first_mark) = (out.records.len(), out.marks.len());
    scan.list(|scan| trade(scan, symbols, out))?;
    scan.literal(b"}")?;
    // The venue puts the newest first.
    out.records[first_record..].reverse();
    let marks = &mut out.marks[first_mark..];
    marks.reverse();
    for (index, mark) in marks.iter_mut().enumerate() {
        mark.start = first_record + index;
        mark.end = mark.start + 1;
    }
    Some(())
}

#[inline(always)]
fn trade(scan: &mut Scan, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    scan.literal(b"{\"product_id\":\"")?;
    let listed = scan.symbol(symbols)?;
    scan.literal(b",\"trade_id\":\"")?;
    let id = scan.uint()?;
    scan.literal(b"\",\"price\":")?;
    let price = positive(scan.quoted_decimal(listed.scale.price_decimals())?)?;
    scan.literal(b",\"size\":")?;
    let size = positive(scan.quoted_decimal(listed.scale.size_decimals())?)?;
    scan.literal(b",\"time\":\"")?;
    let ts_event = scan.time(&mut out.day)?;
    scan.literal(b",\"side\":\"")?;
    // The maker's: who hit a resting sell order is a buyer.
    let aggressor = match scan.text()? {
        b"SELL" => Side::Bid,
        b"BUY" => Side::Ask,
        _ => return None,
    };
    scan.literal(b"}")?;
    out.trade(Trade {
        listed,
        aggressor: Some(aggressor),
        price,
        size,
        ts_event,
        id: Some(id),
    });
    Some(())
}

#[inline(always)]
fn tickers(scan: &mut Scan, sent: i64, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    scan.literal(b"{\"type\":\"")?;
    scan.text()?;
    scan.literal(b",\"tickers\":[")?;
    scan.list(|scan| ticker(scan, sent, symbols, out))?;
    scan.literal(b"}")
}

/// An object of strings in any order, of which six matter.
#[inline(always)]
fn ticker(scan: &mut Scan, sent: i64, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let (mut product, mut bid, mut bid_size, mut ask, mut ask_size) = (None, None, None, None, None);
    scan.literal(b"{")?;
    loop {
        scan.literal(b"\"")?;
        let key = scan.text()?;
        scan.literal(b":\"")?;
        let value = scan.later()?;
        let slot = match key {
            b"product_id" => Some(&mut product),
            b"best_bid" => Some(&mut bid),
            b"best_bid_quantity" => Some(&mut bid_size),
            b"best_ask" => Some(&mut ask),
            b"best_ask_quantity" => Some(&mut ask_size),
            _ => None,
        };
        if slot.is_some_and(|slot| slot.replace(value).is_some()) {
            return None;
        }
        if !scan.take(b",") {
            break;
        }
    }
    scan.literal(b"}")?;
    let listed = product?.symbol(symbols)?;
    let price = |text: Option<Scan>| positive(text?.closed_decimal(listed.scale.price_decimals())?);
    let size = |text: Option<Scan>| {
        text.map_or(Some(Record::ABSENT), |mut text| {
            text.closed_decimal(listed.scale.size_decimals())
        })
    };
    out.quote(Quote {
        listed,
        bid: (price(bid)?, size(bid_size)?),
        ask: (price(ask)?, size(ask_size)?),
        ts_event: sent,
        update_id: None,
    });
    Some(())
}

fn heartbeat(scan: &mut Scan) -> Option<()> {
    scan.literal(b"{\"current_time\":\"")?;
    scan.text()?;
    scan.literal(b",\"heartbeat_counter\":")?;
    scan.uint()?;
    scan.literal(b"}")
}
