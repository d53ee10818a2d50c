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
        frame.scan.literal(b",\"data\":")?;
        frame.payload(Some(stream))?;
        frame.scan.literal(b"}")?;
    } else {
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
    fn payload(&mut self, stream: Option<&[u8]>) -> Option<()> {
        if self.scan.take(b"{\"u\":") {
            return match stream {
                Some(stream) if !stream.ends_with(b"bookTicker") => None,
                _ => self.book_ticker(),
            };
        }
        self.scan.literal(b"{\"e\":\"")?;
        if self.scan.take(b"depthUpdate\"") {
            self.depth_update()
        } else if self.scan.take(b"trade\"") {
            self.trade()
        } else {
            self.scan.literal(b"aggTrade\"")?;
            self.aggregate_trade()
        }
    }

    fn trade(&mut self) -> Option<()> {
        self.time(b",\"E\":")?;
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
        self.time(b",\"E\":")?;
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

    fn price_and_size(&mut self, listed: Listed) -> Option<(i64, i64)> {
        self.scan.literal(b",\"p\":")?;
        let price = self.price(listed)?;
        self.scan.literal(b",\"q\":")?;
        let size = self.size(listed)?;
        (price > 0 && size > 0).then_some((price, size))
    }

    fn end_trade(&mut self, listed: Listed, price: i64, size: i64, id: Option<u64>) -> Option<()> {
        let ts_event = self.time(b",\"T\":")?;
        self.scan.literal(b",\"m\":")?;
        let buyer_is_maker = self.boolean()?;
        self.scan.literal(b",\"M\":")?;
        self.boolean()?;
        self.scan.literal(b"}")?;
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

    fn book_ticker(&mut self) -> Option<()> {
        let update_id = self.scan.uint()?;
        let listed = self.symbol()?;
        self.scan.literal(b",\"b\":")?;
        let bid_price = self.price(listed)?;
        self.scan.literal(b",\"B\":")?;
        let bid_size = self.size(listed)?;
        self.scan.literal(b",\"a\":")?;
        let ask_price = self.price(listed)?;
        self.scan.literal(b",\"A\":")?;
        let ask_size = self.size(listed)?;
        self.scan.literal(b"}")?;
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

    fn depth_update(&mut self) -> Option<()> {
        let ts_event = self.time(b",\"E\":")?;
        let listed = self.symbol()?;
        self.scan.literal(b",\"U\":")?;
        let first_id = self.scan.uint()?;
        self.scan.literal(b",\"u\":")?;
        let last_id = self.scan.uint()?;
        self.scan.literal(b",\"b\":")?;
        self.levels(listed, Side::Bid, ts_event)?;
        self.scan.literal(b",\"a\":")?;
        self.levels(listed, Side::Ask, ts_event)?;
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

    /// `[["61737.63000000","0.00000000"],["61730.17000000","0.00000000"]]`
    fn levels(&mut self, listed: Listed, side: Side, ts_event: i64) -> Option<()> {
        if self.scan.take(b"[]") {
            return Some(());
        }
        self.scan.literal(b"[[\"")?;
        loop {
            let price = self.scan.decimal(listed.scale.price_decimals())?;
            self.scan.literal(b"\",\"")?;
            let size = self.scan.decimal(listed.scale.size_decimals())?;
            self.out.level(listed, side, ts_event, price, size);
            if !self.scan.take(b"\"],[\"") {
                return self.scan.literal(b"\"]]");
            }
        }
    }

    fn symbol(&mut self) -> Option<Listed> {
        self.scan.literal(b",\"s\":\"")?;
        self.scan.symbol(self.symbols)
    }

    fn time<const N: usize>(&mut self, key: &[u8; N]) -> Option<i64> {
        self.scan.literal(key)?;
        event_time(self.scan.uint()?, self.unit).ok()
    }

    fn price(&mut self, listed: Listed) -> Option<i64> {
        self.scan.quoted_decimal(listed.scale.price_decimals())
    }

    fn size(&mut self, listed: Listed) -> Option<i64> {
        self.scan.quoted_decimal(listed.scale.size_decimals())
    }

    fn boolean(&mut self) -> Option<bool> {
        if self.scan.take(b"true") {
            return Some(true);
        }
        self.scan.literal(b"false")?;
        Some(false)
    }
}
