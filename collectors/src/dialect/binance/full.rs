//! Every frame of Binance, in any order of keys and any spacing.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tickpath_protocol::{Record, Side};
use tickpath_service::config::TimeUnit;

use super::event_time;
use super::rest::Level;
use crate::decode::json::{self, Object, Text};
use crate::decode::{BookEnd, Control, Decoded, Quote, Refused, SymbolTable, Trade, What};
use crate::dialect::WHOLE_VENUE;

pub(super) fn decode(frame: &[u8], unit: TimeUnit, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let text = json::text(frame)?;
    let mut payload = Payload { unit, symbols, out };
    if is_list(text) {
        return payload.list(text);
    }
    let Object(envelope) = json::parse::<Object<Envelope>>(text)?;
    match envelope {
        Envelope {
            stream: Some(stream),
            data: Some(data),
            ..
        } => payload.decode(Some(&stream), data.get()),
        Envelope {
            result: Some(result), ..
        } => {
            payload.out.event(WHOLE_VENUE, answer(result));
            Ok(())
        }
        Envelope {
            error: Some(Object(Failure { code, msg })),
            ..
        }
        | Envelope {
            code: Some(code),
            msg: Some(msg),
            ..
        } => {
            payload.out.event(WHOLE_VENUE, What::Control(refusal(code, &msg)));
            Ok(())
        }
        _ => payload.decode(None, text),
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default, borrow)]
    stream: Option<Text<'a>>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "json::present")]
    result: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error: Option<Object<Failure<'a>>>,
    #[serde(default)]
    code: Option<i64>,
    #[serde(default, borrow)]
    msg: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Failure<'a> {
    code: i64,
    #[serde(borrow)]
    msg: Text<'a>,
}

/// `null` answers SUBSCRIBE and UNSUBSCRIBE, for streams that exist and for those that do not; anything else, a question.
fn answer(result: &RawValue) -> What {
    match result.get() {
        "null" => What::Control(Control::Subscribed {
            channel: None,
            instrument: None,
            depth: None,
        }),
        _ => What::Ignored,
    }
}

/// Codes 0 to 3 say that the request itself is wrong (unknown property, invalid value type, invalid request, invalid JSON). All others,
/// such as too many requests, may pass.
fn refusal(code: i64, msg: &str) -> Control {
    Control::Refused {
        symbol: None,
        reason: format!("{code}: {msg}"),
        is_final: (0..=3).contains(&code),
    }
}

fn is_list(text: &str) -> bool {
    text.trim_ascii_start().starts_with('[')
}

struct Payload<'a> {
    unit: TimeUnit,
    symbols: &'a SymbolTable,
    out: &'a mut Decoded,
}

/// Keys by which messages are told apart.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(default, borrow, rename = "e")]
    kind: Option<Text<'a>>,
    #[serde(default, rename = "u")]
    update_id: Option<IgnoredAny>,
    #[serde(default, rename = "B")]
    bid_size: Option<IgnoredAny>,
    #[serde(default, rename = "lastUpdateId")]
    last_update_id: Option<IgnoredAny>,
}

impl Payload<'_> {
    fn decode(&mut self, stream: Option<&str>, text: &str) -> Result<(), Refused> {
        if is_list(text) {
            return self.list(text);
        }
        let Object(head) = json::parse::<Object<Head>>(text)?;
        match (head.kind.as_deref(), stream) {
            (Some("trade"), _) => self.trade(text, false),
            (Some("aggTrade"), _) => self.trade(text, true),
            (Some("depthUpdate"), _) => self.depth_update(text),
            (Some("serverShutdown"), _) | (None, Some("!serverShutdown")) => {
                self.out.event(WHOLE_VENUE, What::Control(Control::Shutdown));
                Ok(())
            }
            (None, Some(stream)) if stream.ends_with("bookTicker") => self.book_ticker(text),
            (None, None) if head.update_id.is_some() && head.bid_size.is_some() => self.book_ticker(text),
            (Some(_), _) | (None, Some(_)) => self.ignored(),
            // Partial depth, of which only the stream's name says the symbol.
            (None, None) if head.last_update_id.is_some() => self.ignored(),
            (None, None) => Err(Refused::Shape("no kind of message (`e`)".into())),
        }
    }

    /// A list of messages, which only streams of all markets send.
    fn list(&mut self, text: &str) -> Result<(), Refused> {
        let heads = json::parse::<Vec<Object<Head>>>(text)?;
        match heads.iter().all(|Object(head)| head.kind.is_some()) {
            true => self.ignored(),
            false => Err(Refused::Shape("a list of something else than messages".into())),
        }
    }

    fn ignored(&mut self) -> Result<(), Refused> {
        self.out.event(WHOLE_VENUE, What::Ignored);
        Ok(())
    }

    /// `trade` and `aggTrade`. The number of an aggregate is left out: it counts aggregates and would look like the number of a trade.
    fn trade(&mut self, text: &str, is_aggregate: bool) -> Result<(), Refused> {
        #[derive(Deserialize)]
        struct Message<'a> {
            t: Option<u64>,
            #[serde(borrow)]
            s: Text<'a>,
            #[serde(borrow)]
            p: Text<'a>,
            #[serde(borrow)]
            q: Text<'a>,
            #[serde(rename = "T")]
            trade_time: u64,
            #[serde(rename = "m")]
            buyer_is_maker: bool,
        }
        let Object(message) = json::parse::<Object<Message>>(text)?;
        if message.t.is_none() && !is_aggregate {
            return Err(Refused::Shape("a trade without its number (`t`)".into()));
        }
        let listed = json::find(&message.s, self.symbols)?;
        self.out.trade(Trade {
            listed,
            // A maker who bought was sold to.
            aggressor: Some(if message.buyer_is_maker { Side::Ask } else { Side::Bid }),
            price: json::positive("p", json::price("p", &message.p, listed)?)?,
            size: json::positive("q", json::size("q", &message.q, listed)?)?,
            ts_event: event_time(message.trade_time, self.unit)?,
            id: message.t.filter(|_| !is_aggregate),
        });
        Ok(())
    }

    fn book_ticker(&mut self, text: &str) -> Result<(), Refused> {
        #[derive(Deserialize)]
        struct Message<'a> {
            u: u64,
            #[serde(borrow)]
            s: Text<'a>,
            #[serde(borrow)]
            b: Text<'a>,
            #[serde(borrow, rename = "B")]
            bid_size: Text<'a>,
            #[serde(borrow)]
            a: Text<'a>,
            #[serde(borrow, rename = "A")]
            ask_size: Text<'a>,
        }
        let Object(message) = json::parse::<Object<Message>>(text)?;
        let listed = json::find(&message.s, self.symbols)?;
        let side = |price_field, price: &str, size_field, size: &str| {
            let price = json::price(price_field, price, listed)?;
            json::quote_side(price_field, price, json::size(size_field, size, listed)?)
        };
        let bid = side("b", &message.b, "B", &message.bid_size)?;
        let ask = side("a", &message.a, "A", &message.ask_size)?;
        self.out.quote(Quote {
            listed,
            bid,
            ask,
            ts_event: Record::ABSENT,
            update_id: Some(message.u),
        });
        Ok(())
    }

    fn depth_update(&mut self, text: &str) -> Result<(), Refused> {
        #[derive(Deserialize)]
        struct Message<'a> {
            #[serde(rename = "E")]
            event_time: u64,
            #[serde(borrow)]
            s: Text<'a>,
            #[serde(rename = "U")]
            first_id: u64,
            #[serde(rename = "u")]
            last_id: u64,
            #[serde(borrow)]
            b: Vec<Level<'a>>,
            #[serde(borrow)]
            a: Vec<Level<'a>>,
        }
        let Object(message) = json::parse::<Object<Message>>(text)?;
        let listed = json::find(&message.s, self.symbols)?;
        let ts_event = event_time(message.event_time, self.unit)?;
        for (side, levels) in [(Side::Bid, &message.b), (Side::Ask, &message.a)] {
            for level in levels {
                level.add_to(self.out, listed, side, ts_event)?;
            }
        }
        self.out.end_book(
            listed.id,
            BookEnd {
                first_id: Some(message.first_id),
                last_id: Some(message.last_id),
                ..BookEnd::default()
            },
        );
        Ok(())
    }
}
