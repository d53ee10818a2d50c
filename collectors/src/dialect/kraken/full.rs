//! Every frame of Kraken, in any order of keys and any spacing: prices, and what they come wrapped in.

use serde::Deserialize;
use serde_json::value::RawValue;
use tickpath_protocol::{Record, Side};

use super::conversation;
use crate::decode::json::{self, Object, Text};
use crate::decode::{BookEnd, Decoded, Quote, Refused, SymbolTable, Trade, What, rfc3339};
use crate::dialect::WHOLE_VENUE;

pub(super) fn decode(frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let text = json::text(frame)?;
    let Object(envelope) = json::parse::<Object<Envelope>>(text)?;
    let Some(channel) = envelope.channel else {
        out.event(WHOLE_VENUE, conversation::answer(text, symbols)?);
        return Ok(());
    };
    let message = Message {
        kind: envelope.kind.as_deref(),
        data: envelope.data,
    };
    let mut market = Market { symbols, out };
    match &*channel {
        "book" => {
            let image = message.is_snapshot()?;
            message.each(|book| market.book(book, image))
        }
        // The trades before the subscription: history.
        "trade" if message.is_snapshot()? => market.event(What::Ignored),
        "trade" => message.each(|trade| market.trade(trade)),
        "ticker" => {
            message.is_snapshot()?;
            message.each(|ticker| market.ticker(ticker))
        }
        "heartbeat" => market.event(What::Heartbeat { last_trade_id: None }),
        "instrument" => market.event(conversation::instruments(message.data()?)?),
        "status" => market.event(conversation::status(message.data()?)?),
        _ => market.event(What::Ignored),
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default, borrow)]
    channel: Option<Text<'a>>,
    #[serde(default, borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

struct Message<'a> {
    kind: Option<&'a str>,
    data: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    fn is_snapshot(&self) -> Result<bool, Refused> {
        match self.kind {
            Some("snapshot") => Ok(true),
            Some("update") => Ok(false),
            _ => Err(Refused::Shape("neither snapshot nor update".into())),
        }
    }

    fn data(&self) -> Result<&'a str, Refused> {
        let data = self.data.map(RawValue::get);
        data.ok_or_else(|| Refused::Shape("no `data`".into()))
    }

    /// Hands over each message of the list `data`.
    fn each<T: Deserialize<'a>>(&self, mut message: impl FnMut(&T) -> Result<(), Refused>) -> Result<(), Refused> {
        let messages = json::parse::<Vec<Object<T>>>(self.data()?)?;
        if messages.is_empty() {
            return Err(Refused::Shape("`data` is empty".into()));
        }
        messages.iter().try_for_each(|Object(item)| message(item))
    }
}

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    bids: Vec<Object<Level<'a>>>,
    #[serde(borrow)]
    asks: Vec<Object<Level<'a>>>,
    checksum: u32,
    #[serde(default, borrow)]
    timestamp: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
}

#[derive(Deserialize)]
struct TradeMessage<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
    trade_id: u64,
    #[serde(borrow)]
    timestamp: Text<'a>,
}

#[derive(Deserialize)]
struct Ticker<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    bid: &'a RawValue,
    #[serde(borrow)]
    bid_qty: &'a RawValue,
    #[serde(borrow)]
    ask: &'a RawValue,
    #[serde(borrow)]
    ask_qty: &'a RawValue,
    #[serde(default, borrow)]
    timestamp: Option<Text<'a>>,
}

struct Market<'a> {
    symbols: &'a SymbolTable,
    out: &'a mut Decoded,
}

impl Market<'_> {
    fn event(&mut self, what: What) -> Result<(), Refused> {
        self.out.event(WHOLE_VENUE, what);
        Ok(())
    }

    fn book(&mut self, book: &Book, image: bool) -> Result<(), Refused> {
        let listed = json::find(&book.symbol, self.symbols)?;
        let ts_event = optional_time(book.timestamp.as_ref())?;
        for (side, levels) in [(Side::Bid, &book.bids), (Side::Ask, &book.asks)] {
            for Object(level) in levels {
                let price = json::price("price", level.price.get(), listed)?;
                let size = json::size("qty", level.qty.get(), listed)?;
                self.out.level(listed, side, ts_event, price, size);
            }
        }
        self.out.end_book(
            listed.id,
            BookEnd {
                image,
                checksum: Some(book.checksum),
                ..BookEnd::default()
            },
        );
        Ok(())
    }

    fn trade(&mut self, trade: &TradeMessage) -> Result<(), Refused> {
        let listed = json::find(&trade.symbol, self.symbols)?;
        // The taker's side, which is the aggressor's.
        let aggressor = match &*trade.side {
            "buy" => Side::Bid,
            "sell" => Side::Ask,
            other => return Err(Refused::Side(json::excerpt(other))),
        };
        self.out.trade(Trade {
            listed,
            aggressor: Some(aggressor),
            price: json::positive("price", json::price("price", trade.price.get(), listed)?)?,
            size: json::positive("qty", json::size("qty", trade.qty.get(), listed)?)?,
            ts_event: rfc3339(trade.timestamp.as_bytes())?,
            id: Some(trade.trade_id),
        });
        Ok(())
    }

    fn ticker(&mut self, ticker: &Ticker) -> Result<(), Refused> {
        let listed = json::find(&ticker.symbol, self.symbols)?;
        let bid = json::price("bid", ticker.bid.get(), listed)?;
        let bid_size = json::size("bid_qty", ticker.bid_qty.get(), listed)?;
        let ask = json::price("ask", ticker.ask.get(), listed)?;
        let ask_size = json::size("ask_qty", ticker.ask_qty.get(), listed)?;
        self.out.quote(Quote {
            listed,
            bid: json::quote_side("bid", bid, bid_size)?,
            ask: json::quote_side("ask", ask, ask_size)?,
            ts_event: optional_time(ticker.timestamp.as_ref())?,
            update_id: None,
        });
        Ok(())
    }
}

fn optional_time(timestamp: Option<&Text>) -> Result<i64, Refused> {
    Ok(timestamp.map_or(Ok(Record::ABSENT), |text| rfc3339(text.as_bytes()))?)
}
