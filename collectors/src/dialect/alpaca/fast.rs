//! Trades, quotes and books: objects of one- to three-letter keys. `T` comes first, but the order of the others differs between the venue's
//! documents and its wire, so any order is read, as long as the symbol stands before the numbers that need its decimals.

use tickpath_protocol::{Record, Side};

use crate::decode::{BookEnd, Decoded, Listed, Quote, Scan, SymbolTable, Trade, positive};

pub(super) fn decode(frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let scan = &mut Scan::new(frame);
    scan.literal(b"[")?;
    if scan.peek() == Some(b']') {
        return None;
    }
    scan.list(|scan| {
        if scan.take(b"{\"T\":\"q\"") {
            quote(scan, symbols, out)
        } else if scan.take(b"{\"T\":\"t\"") {
            trade(scan, symbols, out)
        } else {
            scan.literal(b"{\"T\":\"o\"")?;
            book(scan, symbols, out)
        }
    })?;
    scan.end()
}

/// The rest of an object, `field` being called behind the opening quote of each key.
#[inline(always)]
fn fields<'a>(scan: &mut Scan<'a>, mut field: impl FnMut(&mut Scan<'a>) -> Option<()>) -> Option<()> {
    while scan.take(b",\"") {
        field(scan)?;
    }
    scan.literal(b"}")
}

/// Sets a field that may stand in an object once.
#[inline(always)]
fn set<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

#[inline(always)]
fn quoted<'a>(scan: &mut Scan<'a>) -> Option<&'a [u8]> {
    scan.literal(b"\"")?;
    scan.text()
}

#[inline(always)]
fn price(scan: &mut Scan, listed: Option<Listed>) -> Option<i64> {
    scan.decimal(listed?.scale.price_decimals())
}

#[inline(always)]
fn size(scan: &mut Scan, listed: Option<Listed>) -> Option<i64> {
    scan.decimal(listed?.scale.size_decimals())
}

/// Exchange, tape and conditions, which no record holds.
fn skip(scan: &mut Scan) -> Option<()> {
    match scan.text()? {
        b"x" | b"bx" | b"ax" | b"z" => {
            scan.literal(b":")?;
            quoted(scan).map(drop)
        }
        b"c" => {
            scan.literal(b":[")?;
            scan.list(|scan| quoted(scan).map(drop))
        }
        _ => None,
    }
}

#[inline(always)]
fn trade(scan: &mut Scan, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let (mut listed, mut traded, mut amount, mut at, mut id, mut aggressor) = (None, None, None, None, None, None);
    fields(scan, |scan| {
        if scan.take(b"S\":\"") {
            set(&mut listed, scan.symbol(symbols)?)
        } else if scan.take(b"p\":") {
            set(&mut traded, positive(price(scan, listed)?)?)
        } else if scan.take(b"s\":") {
            set(&mut amount, positive(size(scan, listed)?)?)
        } else if scan.take(b"t\":\"") {
            set(&mut at, scan.time(&mut out.day)?)
        } else if scan.take(b"i\":") {
            set(&mut id, trade_id(scan)?)
        } else if scan.take(b"tks\":\"") {
            set(&mut aggressor, taker(scan)?)
        } else {
            skip(scan)
        }
    })?;
    out.trade(Trade {
        listed: listed?,
        aggressor,
        price: traded?,
        size: amount?,
        ts_event: at?,
        id,
    });
    Some(())
}

#[inline(always)]
fn taker(scan: &mut Scan) -> Option<Side> {
    if scan.take(b"B\"") {
        return Some(Side::Bid);
    }
    scan.literal(b"S\"")?;
    Some(Side::Ask)
}

/// A number, or a text that holds one.
#[inline(always)]
fn trade_id(scan: &mut Scan) -> Option<u64> {
    if !scan.take(b"\"") {
        return scan.uint();
    }
    let id = scan.uint()?;
    scan.literal(b"\"")?;
    Some(id)
}

#[inline(always)]
fn quote(scan: &mut Scan, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let (mut listed, mut bid, mut bid_size, mut ask, mut ask_size, mut at) = (None, None, None, None, None, None);
    fields(scan, |scan| {
        if scan.take(b"S\":\"") {
            set(&mut listed, scan.symbol(symbols)?)
        } else if scan.take(b"bp\":") {
            set(&mut bid, positive(price(scan, listed)?)?)
        } else if scan.take(b"bs\":") {
            set(&mut bid_size, size(scan, listed)?)
        } else if scan.take(b"ap\":") {
            set(&mut ask, positive(price(scan, listed)?)?)
        } else if scan.take(b"as\":") {
            set(&mut ask_size, size(scan, listed)?)
        } else if scan.take(b"t\":\"") {
            set(&mut at, scan.time(&mut out.day)?)
        } else {
            skip(scan)
        }
    })?;
    out.quote(Quote {
        listed: listed?,
        bid: (bid?, bid_size?),
        ask: (ask?, ask_size?),
        ts_event: at?,
        update_id: None,
    });
    Some(())
}

#[inline(always)]
fn book(scan: &mut Scan, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let start = out.records.len();
    let (mut listed, mut at, mut image, mut bids, mut asks) = (None, None, None, None, None);
    fields(scan, |scan| {
        if scan.take(b"S\":\"") {
            set(&mut listed, scan.symbol(symbols)?)
        } else if scan.take(b"t\":\"") {
            set(&mut at, scan.time(&mut out.day)?)
        } else if scan.take(b"r\":true") {
            set(&mut image, true)
        } else if scan.take(b"r\":false") {
            set(&mut image, false)
        } else if asks.is_none() && scan.take(b"b\":[") {
            // Bids come first in the events.
            set(&mut bids, ())?;
            levels(scan, listed?, Side::Bid, out)
        } else {
            scan.literal(b"a\":[")?;
            set(&mut asks, ())?;
            levels(scan, listed?, Side::Ask, out)
        }
    })?;
    let ts_event = at?;
    for record in &mut out.records[start..] {
        record.ts_event = ts_event;
    }
    out.end_book(
        listed?.id,
        BookEnd {
            image: image.unwrap_or(false),
            ..BookEnd::default()
        },
    );
    Some(())
}

#[inline(always)]
fn levels(scan: &mut Scan, listed: Listed, side: Side, out: &mut Decoded) -> Option<()> {
    scan.list(|scan| {
        scan.literal(b"{\"p\":")?;
        let price = scan.decimal(listed.scale.price_decimals())?;
        scan.literal(b",\"s\":")?;
        let size = scan.decimal(listed.scale.size_decimals())?;
        scan.literal(b"}")?;
        out.level(listed, side, Record::ABSENT, price, size);
        Some(())
    })
}
