//! Frames in the shapes that the venues document, for types of which no recording has enough. The same ones in every run.

use std::fmt::Write;

use tickpath_protocol::DecimalText;

/// 2026-07-07T00:00:00Z in ms, the day of the generated frames.
const DAY_MS: u64 = 1_783_382_400_000;
const DAY_MICROS: u64 = 86_400_000_000;

/// Where prices wander.
pub struct Market {
    symbols: &'static [(&'static str, u8, u8)],
    /// Bids, in hundredths.
    bids: Vec<u64>,
    /// Of a multiplicative congruential generator (Knuth's MMIX).
    random: u64,
    id: u64,
    /// Since midnight.
    micros: u64,
}

/// One step of a market.
struct Tick {
    symbol: &'static str,
    price_decimals: u8,
    bid: u64,
    ask: u64,
    is_buy: bool,
    id: u64,
    micros: u64,
}

impl Market {
    /// A market of these symbols, with the decimals of their prices and sizes.
    pub fn new(symbols: &'static [(&'static str, u8, u8)]) -> Market {
        let start = [6_350_000, 177_400, 15_250, 1_200];
        Market {
            symbols,
            bids: start.into_iter().cycle().take(symbols.len()).collect(),
            random: 1,
            id: 1_052_119_288,
            micros: DAY_MICROS / 3,
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % limit
    }

    fn tick(&mut self) -> Tick {
        // Most frames are of the first two symbols.
        let index = self.below(self.symbols.len() as u64).min(self.below(4)) as usize;
        let (symbol, price_decimals, _) = self.symbols[index];
        self.bids[index] = (self.bids[index] + self.below(41)).saturating_sub(20).max(100);
        self.id += 1 + self.below(3);
        self.micros = (self.micros + self.below(90_000)) % DAY_MICROS;
        Tick {
            symbol,
            price_decimals,
            bid: self.bids[index],
            ask: self.bids[index] + 1 + self.below(30),
            is_buy: self.below(2) == 0,
            id: self.id,
            micros: self.micros,
        }
    }

    /// A size in hundred-millionths; many are small, some are round.
    fn size(&mut self) -> u64 {
        match self.below(4) {
            0 => (1 + self.below(400)) * 1_000_000,
            1 => 1 + self.below(100_000),
            _ => 1 + self.below(500_000_000),
        }
    }

    /// So many levels away from the best one, as `level` writes them.
    fn levels(&mut self, best: u64, count: u64, level: impl Fn(u64, u64) -> String) -> String {
        let levels: Vec<_> = (0..count)
            .map(|_| {
                let price = best.saturating_sub(self.below(90)).max(1);
                let size = if self.below(3) == 0 { 0 } else { self.size() };
                level(price, size)
            })
            .collect();
        levels.join(",")
    }
}

impl Tick {
    fn traded(&self) -> u64 {
        if self.is_buy { self.ask } else { self.bid }
    }

    /// A price with as many decimals as the instrument has, at least one.
    fn price(&self, hundredths: u64) -> String {
        match self.price_decimals {
            1 => fixed(hundredths / 10, 1),
            more => fixed(hundredths * 10u64.pow(u32::from(more) - 2), more),
        }
    }

    /// `2026-07-07T23:00:03.977459Z`.
    fn time(&self) -> String {
        let (seconds, micros) = (self.micros / 1_000_000, self.micros % 1_000_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        format!("2026-07-07T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }

    fn time_ms(&self) -> u64 {
        DAY_MS + self.micros / 1_000
    }
}

fn fixed(mantissa: u64, decimals: u8) -> String {
    DecimalText::new(mantissa as i64, decimals).to_string()
}

/// Without zeros at the end, as Alpaca and Coinbase's trades have it.
fn shortest(mantissa: u64, decimals: u8) -> String {
    let text = fixed(mantissa, decimals);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn binance(stream: &str, tick: &Tick, data: &str) -> String {
    let symbol = tick.symbol.to_lowercase();
    format!(r#"{{"stream":"{symbol}@{stream}","data":{data}}}"#)
}

pub fn binance_trade(market: &mut Market) -> String {
    let (tick, size) = (market.tick(), market.size());
    let (symbol, ms, id) = (tick.symbol, tick.time_ms(), tick.id);
    let (price, size, maker) = (tick.price(tick.traded()), fixed(size, 8), !tick.is_buy);
    let data = format!(
        r#"{{"e":"trade","E":{ms},"s":"{symbol}","t":{id},"p":"{price}","q":"{size}","T":{ms},"m":{maker},"M":true}}"#
    );
    binance("trade", &tick, &data)
}

pub fn binance_book_ticker(market: &mut Market) -> String {
    let (tick, bid_size, ask_size) = (market.tick(), market.size(), market.size());
    let (id, symbol) = (tick.id, tick.symbol);
    let (bid, bid_size) = (tick.price(tick.bid), fixed(bid_size, 8));
    let (ask, ask_size) = (tick.price(tick.ask), fixed(ask_size, 8));
    let data = format!(r#"{{"u":{id},"s":"{symbol}","b":"{bid}","B":"{bid_size}","a":"{ask}","A":"{ask_size}"}}"#);
    binance("bookTicker", &tick, &data)
}

pub fn binance_depth(market: &mut Market) -> String {
    let tick = market.tick();
    let (bids, asks) = (market.below(25), 1 + market.below(25));
    let level = |price, size| format!(r#"["{}","{}"]"#, tick.price(price), fixed(size, 8));
    let bids = market.levels(tick.bid, bids, level);
    let asks = market.levels(tick.ask + 90, asks, level);
    let (symbol, ms, first, last) = (tick.symbol, tick.time_ms(), tick.id, tick.id + 9);
    let data =
        format!(r#"{{"e":"depthUpdate","E":{ms},"s":"{symbol}","U":{first},"u":{last},"b":[{bids}],"a":[{asks}]}}"#);
    binance("depth@100ms", &tick, &data)
}

pub fn coinbase_match(market: &mut Market) -> String {
    let (tick, size) = (market.tick(), market.size());
    let (id, sequence, symbol, time) = (tick.id, tick.id * 7, tick.symbol, tick.time());
    let (maker, taker) = (uuid(market), uuid(market));
    let side = if tick.is_buy { "sell" } else { "buy" };
    let (price, size) = (shortest(tick.traded(), 2), shortest(size, 8));
    format!(
        r#"{{"type":"match","trade_id":{id},"maker_order_id":"{maker}","taker_order_id":"{taker}","side":"{side}","size":"{size}","price":"{price}","product_id":"{symbol}","sequence":{sequence},"time":"{time}"}}"#
    )
}

pub fn coinbase_ticker(market: &mut Market) -> String {
    let (tick, size) = (market.tick(), market.size());
    let (bid_size, ask_size) = (fixed(market.size(), 8), fixed(market.size(), 8));
    let (id, sequence, symbol, time) = (tick.id, tick.id * 7, tick.symbol, tick.time());
    let side = if tick.is_buy { "buy" } else { "sell" };
    let (bid, ask, price) = (tick.price(tick.bid), tick.price(tick.ask), tick.price(tick.traded()));
    let (low, high, size) = (
        tick.price(tick.bid - tick.bid / 9),
        tick.price(tick.ask + tick.ask / 9),
        shortest(size, 8),
    );
    let mut text = format!(r#"{{"type":"ticker","sequence":{sequence},"product_id":"{symbol}","price":"{price}""#);
    let day = format!(r#","open_24h":"{low}","volume_24h":"8012.11428576","low_24h":"{low}","high_24h":"{high}""#);
    let best = format!(
        r#","volume_30d":"230000.52648106","best_bid":"{bid}","best_bid_size":"{bid_size}","best_ask":"{ask}","best_ask_size":"{ask_size}""#
    );
    let end = format!(r#","side":"{side}","time":"{time}","trade_id":{id},"last_size":"{size}"}}"#);
    text.extend([day, best, end]);
    text
}

pub fn coinbase_l2update(market: &mut Market) -> String {
    let tick = market.tick();
    let (bids, asks) = (1 + market.below(9), 1 + market.below(9));
    let level = |side: &'static str, tick: &Tick| {
        let decimals = tick.price_decimals;
        let factor = 10u64.pow(u32::from(decimals) - 2);
        move |price: u64, size| {
            format!(
                r#"["{side}","{}","{}"]"#,
                fixed(price * factor, decimals),
                fixed(size, 8)
            )
        }
    };
    let bids = market.levels(tick.bid, bids, level("buy", &tick));
    let asks = market.levels(tick.ask + 90, asks, level("sell", &tick));
    let (symbol, time) = (tick.symbol, tick.time());
    format!(r#"{{"type":"l2update","product_id":"{symbol}","changes":[{bids},{asks}],"time":"{time}"}}"#)
}

fn kraken(channel: &str, data: &str) -> String {
    format!(r#"{{"channel":"{channel}","type":"update","data":[{data}]}}"#)
}

pub fn kraken_trade(market: &mut Market) -> String {
    // A frame holds the fills of one order.
    let (tick, fills) = (market.tick(), 1 + market.below(3));
    let (symbol, time) = (tick.symbol, tick.time());
    let side = if tick.is_buy { "buy" } else { "sell" };
    let price = tick.price(tick.traded());
    let data: Vec<_> = (0..fills)
        .map(|fill| {
            let (size, id) = (fixed(market.size(), 8), tick.id * 4 + fill);
            format!(
                r#"{{"symbol":"{symbol}","side":"{side}","price":{price},"qty":{size},"ord_type":"limit","trade_id":{id},"timestamp":"{time}"}}"#
            )
        })
        .collect();
    kraken("trade", &data.join(","))
}

pub fn kraken_ticker(market: &mut Market) -> String {
    let tick = market.tick();
    let (symbol, time) = (tick.symbol, tick.time());
    let (bid, bid_size) = (tick.price(tick.bid), fixed(market.size(), 8));
    let (ask, ask_size) = (tick.price(tick.ask), fixed(market.size(), 8));
    let (last, low, high) = (
        tick.price(tick.traded()),
        tick.price(tick.bid - tick.bid / 9),
        tick.price(tick.ask + tick.ask / 9),
    );
    let volume = fixed(99_703_898_383_185 + market.size(), 8);
    kraken(
        "ticker",
        &format!(
            r#"{{"symbol":"{symbol}","bid":{bid},"bid_qty":{bid_size},"ask":{ask},"ask_qty":{ask_size},"last":{last},"volume":{volume},"vwap":{last},"low":{low},"high":{high},"change":-{low},"change_pct":-0.17,"timestamp":"{time}"}}"#
        ),
    )
}

pub fn kraken_book(market: &mut Market) -> String {
    let tick = market.tick();
    // Most messages change one side.
    let (bids, asks) = [(1, 0), (0, 1), (2, 0), (0, 2), (1, 1)][market.below(5) as usize];
    let level = |price, size| format!(r#"{{"price":{},"qty":{}}}"#, tick.price(price), fixed(size, 8));
    let bids = market.levels(tick.bid, bids, level);
    let asks = market.levels(tick.ask + 90, asks, level);
    let (symbol, time, checksum) = (tick.symbol, tick.time(), market.below(1 << 31));
    kraken(
        "book",
        &format!(
            r#"{{"symbol":"{symbol}","bids":[{bids}],"asks":[{asks}],"checksum":{checksum},"timestamp":"{time}"}}"#
        ),
    )
}

pub fn alpaca_trade(market: &mut Market) -> String {
    let (tick, size) = (market.tick(), market.size());
    let (symbol, time, id) = (tick.symbol, nanos(&tick, market), 3_447_222_699_101_865_076 + tick.id);
    let (price, size) = (shortest(tick.traded(), 2), shortest(size, 9));
    let taker = if tick.is_buy { "B" } else { "S" };
    format!(r#"[{{"T":"t","S":"{symbol}","p":{price},"s":{size},"t":"{time}","i":{id},"tks":"{taker}"}}]"#)
}

pub fn alpaca_quote(market: &mut Market) -> String {
    let tick = market.tick();
    let (symbol, time) = (tick.symbol, nanos(&tick, market));
    let (bid, bid_size) = (shortest(tick.bid, 2), shortest(market.size(), 9));
    let (ask, ask_size) = (shortest(tick.ask, 2), shortest(market.size(), 9));
    format!(r#"[{{"T":"q","S":"{symbol}","bp":{bid},"bs":{bid_size},"ap":{ask},"as":{ask_size},"t":"{time}"}}]"#)
}

/// A time with nanoseconds, without zeros at the end.
fn nanos(tick: &Tick, market: &mut Market) -> String {
    let text = format!("{}{:03}", tick.time().trim_end_matches('Z'), market.below(1_000));
    format!("{}Z", text.trim_end_matches('0').trim_end_matches('.'))
}

fn uuid(market: &mut Market) -> String {
    let mut text = String::new();
    for (length, dash) in [(8, "-"), (4, "-"), (4, "-"), (4, "-"), (12, "")] {
        for _ in 0..length {
            write!(text, "{:x}", market.below(16)).expect("a string takes any text");
        }
        text += dash;
    }
    text
}
