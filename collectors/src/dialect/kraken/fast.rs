//! Kraken's frames in the key order and spacing that the venue sends, without allocation.

use tickpath_protocol::{InstrumentId, Record, Side};

use crate::decode::{BookEnd, Decoded, Listed, Quote, Scan, SymbolTable, Trade, What};

pub(super) fn decode(frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Option<()> {
    let mut frame = Frame {
        scan: Scan::new(frame),
        symbols,
        out,
    };
    frame.scan.literal(b"{\"channel\":\"")?;
    if frame.scan.take(b"book\"") {
        frame.books()?;
    } else if frame.scan.take(b"ticker\"") {
        frame.tickers()?;
    } else if frame.scan.take(b"trade\"") {
        frame.trades()?;
    } else {
        frame.scan.literal(b"heartbeat\"")?;
        frame.heartbeat();
    }
    frame.scan.literal(b"}")?;
    frame.scan.end()
}

struct Frame<'a> {
    scan: Scan<'a>,
    symbols: &'a SymbolTable,
    out: &'a mut Decoded,
}

impl Frame<'_> {
    fn heartbeat(&mut self) {
        self.out
            .event(InstrumentId::NONE, What::Heartbeat { last_trade_id: None });
    }

    #[inline(always)]
    fn books(&mut self) -> Option<()> {
        let image = self.is_snapshot()?;
        self.each(|frame| frame.book(image))
    }

    #[inline(always)]
    fn trades(&mut self) -> Option<()> {
        if self.is_snapshot()? {
            return None;
        }
        self.each(Frame::trade)
    }

    #[inline(always)]
    fn tickers(&mut self) -> Option<()> {
        self.is_snapshot()?;
        self.each(Frame::ticker)
    }

    #[inline(always)]
    fn is_snapshot(&mut self) -> Option<bool> {
        if self.scan.take(b",\"type\":\"update\"") {
            return Some(false);
        }
        self.scan.literal(b",\"type\":\"snapshot\"")?;
        Some(true)
    }

    /// The list `data`, which holds at least one message.
    #[inline(always)]
    fn each(&mut self, mut message: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.scan.literal(b",\"data\":[")?;
        loop {
            message(self)?;
            if !self.scan.take(b",") {
                return self.scan.literal(b"]");
            }
        }
    }

    #[inline(always)]
    fn book(&mut self, image: bool) -> Option<()> {
        let listed = self.symbol()?;
        let start = self.out.records.len();
        self.scan.literal(b",\"bids\":")?;
        self.levels(listed, Side::Bid)?;
        self.scan.literal(b",\"asks\":")?;
        self.levels(listed, Side::Ask)?;
        self.scan.literal(b",\"checksum\":")?;
        let checksum = u32::try_from(self.scan.uint()?).ok()?;
        let ts_event = self.optional_time()?;
        self.scan.literal(b"}")?;
        // The time comes after the levels that it belongs to.
        for level in &mut self.out.records[start..] {
            level.ts_event = ts_event;
        }
        self.out.end_book(
            listed.id,
            BookEnd {
                image,
                checksum: Some(checksum),
                ..BookEnd::default()
            },
        );
        Some(())
    }

    /// `[{"price":1774.14,"qty":2.00130641},{"price":1774.15,"qty":0.00000000}]`
    #[inline(always)]
    fn levels(&mut self, listed: Listed, side: Side) -> Option<()> {
        if self.scan.take(b"[]") {
            return Some(());
        }
        self.scan.literal(b"[{\"price\":")?;
        loop {
            let price = self.price(listed)?;
            self.scan.literal(b",\"qty\":")?;
            let size = self.size(listed)?;
            self.out.level(listed, side, Record::ABSENT, price, size);
            if !self.scan.take(b"},{\"price\":") {
                return self.scan.literal(b"}]");
            }
        }
    }

    #[inline(always)]
    fn trade(&mut self) -> Option<()> {
        let listed = self.symbol()?;
        self.scan.literal(b",\"side\":\"")?;
        let aggressor = if self.scan.take(b"buy\"") {
            Side::Bid
        } else {
            self.scan.literal(b"sell\"")?;
            Side::Ask
        };
        self.scan.literal(b",\"price\":")?;
        let price = self.price(listed)?;
        self.scan.literal(b",\"qty\":")?;
        let size = self.size(listed)?;
        self.scan.literal(b",\"ord_type\":\"")?;
        self.scan.text()?;
        self.scan.literal(b",\"trade_id\":")?;
        let id = self.scan.uint()?;
        self.scan.literal(b",\"timestamp\":\"")?;
        let ts_event = self.scan.time(&mut self.out.day)?;
        self.scan.literal(b"}")?;
        if price == 0 || size == 0 {
            return None;
        }
        self.out.trade(Trade {
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
    fn ticker(&mut self) -> Option<()> {
        let listed = self.symbol()?;
        self.scan.literal(b",\"bid\":")?;
        let bid_price = self.price(listed)?;
        self.scan.literal(b",\"bid_qty\":")?;
        let bid_size = self.size(listed)?;
        self.scan.literal(b",\"ask\":")?;
        let ask_price = self.price(listed)?;
        self.scan.literal(b",\"ask_qty\":")?;
        let ask_size = self.size(listed)?;
        self.skip(b",\"last\":")?;
        self.skip(b",\"volume\":")?;
        self.skip(b",\"vwap\":")?;
        self.skip(b",\"low\":")?;
        self.skip(b",\"high\":")?;
        self.skip(b",\"change\":")?;
        self.skip(b",\"change_pct\":")?;
        let ts_event = self.optional_time()?;
        self.scan.literal(b"}")?;
        if bid_price == 0 || ask_price == 0 {
            return None;
        }
        self.out.quote(Quote {
            listed,
            bid: (bid_price, bid_size),
            ask: (ask_price, ask_size),
            ts_event,
            update_id: None,
        });
        Some(())
    }

    /// A statistic that no record holds.
    #[inline(always)]
    fn skip<const N: usize>(&mut self, key: &[u8; N]) -> Option<()> {
        self.scan.literal(key)?;
        self.scan.skip_number()
    }

    #[inline(always)]
    fn symbol(&mut self) -> Option<Listed> {
        self.scan.literal(b"{\"symbol\":\"")?;
        self.scan.symbol(self.symbols)
    }

    /// Book images and tickers of 2025 and before have none.
    #[inline(always)]
    fn optional_time(&mut self) -> Option<i64> {
        if self.scan.take(b",\"timestamp\":\"") {
            self.scan.time(&mut self.out.day)
        } else {
            Some(Record::ABSENT)
        }
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
