//! Binance's frames in the key order and spacing that the venue sends, without allocation.

use tickpath_protocol::{Record, Side};
use tickpath_service::config::TimeUnit;

use super::event_time;
use crate::decode::{BookEnd, Decoded, Listed, Quote, Scan, SymbolTable, Trade};

pub(super) fn decode(frame: &[u8], unit: TimeUnit, symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let mut frame = Frame {
        scan: Scan::new(frame),
        unit,
        symbols,
        out,
    };
    if frame.scan.take(b"{\"stream\":\"") {
        let stream = frame.scan.text()?;
        frame.scan.literal(b",\"data\":{\"")?;
        frame.payload(Some(stream))?;
        frame.scan.literal(b"}")?;
    } else {
        frame.scan.literal(b"{\"")?;
        frame.payload(None)?;
    }
    frame.scan.end()
}

struct Frame<'a> {
    scan: Scan<'a>,
    unit: TimeUnit,
    symbols: &'a SymbolTable,
    out: &'a mut Decoded,
}

impl Frame<'_> {
    /// Behind `{"`.
    #[inline(always)]
    fn payload(&mut self, stream: Option<&[u8]>) -> Option<()> {
        if self.scan.take(b"u\":") {
            return match stream {
                Some(stream) if !stream.ends_with(b"bookTicker") => None,
                _ => self.book_ticker(),
            };
        }
        if self.scan.take(b"e\":\"depthUpdate\",\"E\":") {
            self.depth_update()
        } else if self.scan.take(b"e\":\"trade\",\"E\":") {
            self.trade()
        } else {
            self.scan.literal(b"e\":\"aggTrade\",\"E\":")?;
            self.aggregate_trade()
        }
    }

    /// Behind `"E":`, when the message was sent, which is in no record.
    #[inline(always)]
    fn trade(&mut self) -> Option<()> {
        self.scan.uint()?;
        let listed = self.symbol()?;
        self.scan.literal(b",\"t\":")?;
        let id = self.scan.uint()?;
        let (price, size) = self.price_and_size(listed)?;
        // Until 2024 the order ids of buyer and seller stood here.
        if self.scan.take(b",\"b\":") {
            self.scan.uint()?;
            self.scan.literal(b",\"a\":")?;
            self.scan.uint()?;
        }
        self.end_trade(listed, price, size, Some(id))
    }

    fn aggregate_trade(&mut self) -> Option<()> {
        self.scan.uint()?;
        let listed = self.symbol()?;
        self.scan.literal(b",\"a\":")?;
        self.scan.uint()?;
        let (price, size) = self.price_and_size(listed)?;
        self.scan.literal(b",\"f\":")?;
        self.scan.uint()?;
        self.scan.literal(b",\"l\":")?;
        self.scan.uint()?;
        self.end_trade(listed, price, size, None)
    }

    #[inline(always)]
    fn price_and_size(&mut self, listed: Listed) -> Option<(i64, i64)> {
        self.scan.literal(b",\"p\":\"")?;
        let price = self.price(listed)?;
        self.scan.literal(b"\",\"q\":\"")?;
        let size = self.size(listed)?;
        self.scan.literal(b"\"")?;
        (price > 0 && size > 0).then_some((price, size))
    }

    #[inline(always)]
    fn end_trade(&mut self, listed: Listed, price: i64, size: i64, id: Option<u64>) -> Option<()> {
        self.scan.literal(b",\"T\":")?;
        let ts_event = self.time()?;
        self.scan.literal(b",\"m\":")?;
        let buyer_is_maker = !self.scan.either(b"true", b"false")?;
        self.scan.literal(b",\"M\":")?;
        if !self.scan.take(b"true}") {
            self.scan.literal(b"false}")?;
        }
        self.out.trade(Trade {
            listed,
            aggressor: Some(if buyer_is_maker { Side::Ask } else { Side::Bid }),
            price,
            size,
            ts_event,
            id,
        });
        Some(())
    }

    #[inline(always)]
    fn book_ticker(&mut self) -> Option<()> {
        let update_id = self.scan.uint()?;
        let listed = self.symbol()?;
        self.scan.literal(b",\"b\":\"")?;
        let bid_price = self.price(listed)?;
        self.scan.literal(b"\",\"B\":\"")?;
        let bid_size = self.size(listed)?;
        self.scan.literal(b"\",\"a\":\"")?;
        let ask_price = self.price(listed)?;
        self.scan.literal(b"\",\"A\":\"")?;
        let ask_size = self.size(listed)?;
        self.scan.literal(b"\"}")?;
        if bid_price == 0 || ask_price == 0 {
            return None;
        }
        self.out.quote(Quote {
            listed,
            bid: (bid_price, bid_size),
            ask: (ask_price, ask_size),
            ts_event: Record::ABSENT,
            update_id: Some(update_id),
        });
        Some(())
    }

    /// Behind `"E":`.
    #[inline(always)]
    fn depth_update(&mut self) -> Option<()> {
        let ts_event = self.time()?;
        let listed = self.symbol()?;
        self.scan.literal(b",\"U\":")?;
        let first_id = self.scan.uint()?;
        self.scan.literal(b",\"u\":")?;
        let last_id = self.scan.uint()?;
        self.scan.literal(b",\"b\":[")?;
        self.scan = levels(self.scan.clone(), listed, Side::Bid, ts_event, self.out)?;
        self.scan.literal(b",\"a\":[")?;
        self.scan = levels(self.scan.clone(), listed, Side::Ask, ts_event, self.out)?;
        self.scan.literal(b"}")?;
        self.out.end_book(
            listed.id,
            BookEnd {
                first_id: Some(first_id),
                last_id: Some(last_id),
                ..BookEnd::default()
            },
        );
        Some(())
    }

    #[inline(always)]
    fn symbol(&mut self) -> Option<Listed> {
        self.scan.literal(b",\"s\":\"")?;
        self.scan.symbol(self.symbols)
    }

    #[inline(always)]
    fn time(&mut self) -> Option<i64> {
        event_time(self.scan.uint()?, self.unit).ok()
    }

    #[inline(always)]
    fn price(&mut self, listed: Listed) -> Option<i64> {
        self.scan.decimal(listed.scale.price_decimals())
    }

    #[inline(always)]
    fn size(&mut self, listed: Listed) -> Option<i64> {
        self.scan.decimal(listed.scale.size_decimals())
    }
}

/// `["61737.63000000","0.00000000"],["61730.17000000","0.00000000"]]`, a function of its own because the loop wants all registers.
#[inline(never)]
fn levels<'a>(mut scan: Scan<'a>, listed: Listed, side: Side, ts_event: i64, out: &mut Decoded) -> Option<Scan<'a>> {
    if scan.take(b"]") {
        return Some(scan);
    }
    scan.literal(b"[\"")?;
    loop {
        let price = scan.decimal(listed.scale.price_decimals())?;
        scan.literal(b"\",\"")?;
        let size = scan.decimal(listed.scale.size_decimals())?;
        out.level(listed, side, ts_event, price, size);
        if !scan.take(b"\"],[\"") {
            scan.literal(b"\"]]")?;
            return Some(scan);
        }
    }
}
