//! What Kraken says besides prices: answers to requests, its status, its instruments.

use serde::Deserialize;
use serde_json::value::RawValue;
use tickpath_protocol::{Scale, decimal};

use crate::decode::json::{self, Object, Text};
use crate::decode::{Channel, Control, Listing, Refused, SymbolTable, What};

/// Parts of refusals, in lower case, after which asking again cannot help: `Currency pair not supported XBT/USD`, `Subscription depth not
/// supported`, `Malformed request`. Others pass: `Exceeded msg rate`.
const FINAL_REFUSALS: [&str; 4] = ["not supported", "malformed", "invalid", "format"];

/// Statuses of a pair under which orders meet. Under the others, `cancel_only`, `post_only`, `maintenance`, `work_in_progress` and
/// `delisted`, none do.
const TRADING_STATUSES: [&str; 3] = ["online", "limit_only", "reduce_only"];

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default, borrow)]
    method: Option<Text<'a>>,
    #[serde(default)]
    success: Option<bool>,
    #[serde(default, borrow)]
    error: Option<Text<'a>>,
    #[serde(default, borrow)]
    symbol: Option<Text<'a>>,
    #[serde(default, borrow)]
    result: Option<&'a RawValue>,
}

/// A frame without a channel: the answer to a request, one for each symbol that it named.
pub(super) fn answer(text: &str, symbols: &SymbolTable) -> Result<What, Refused> {
    let Object(answer) = json::parse::<Object<Answer>>(text)?;
    let control = match (answer.method.as_deref(), answer.success, &answer.error) {
        // Taken or not: what comes after an unsubscribe is a subscribe, and its answer decides.
        (Some("unsubscribe"), ..) => return Ok(What::Ignored),
        (_, Some(false), _) | (_, None, Some(_)) => refusal(&answer),
        (Some("subscribe"), Some(true), _) => subscribed(answer.result, symbols)?,
        (Some("pong"), ..) => Control::Pong,
        (Some(_), ..) => return Ok(What::Ignored),
        (None, ..) => return Err(Refused::Shape("neither `channel` nor `method`".into())),
    };
    Ok(What::Control(control))
}

fn refusal(answer: &Answer) -> Control {
    let reason = answer.error.as_deref().unwrap_or("no reason given");
    let lower = reason.to_lowercase();
    Control::Refused {
        symbol: answer.symbol.as_deref().map(str::to_owned),
        reason: reason.to_owned(),
        is_final: FINAL_REFUSALS.iter().any(|part| lower.contains(part)),
    }
}

fn subscribed(result: Option<&RawValue>, symbols: &SymbolTable) -> Result<Control, Refused> {
    #[derive(Deserialize)]
    struct Subscription<'a> {
        #[serde(borrow)]
        channel: Text<'a>,
        #[serde(default, borrow)]
        symbol: Option<Text<'a>>,
        #[serde(default)]
        depth: Option<u32>,
    }
    let result = result.ok_or_else(|| Refused::Shape("no `result`".into()))?;
    let Object(subscription) = json::parse::<Object<Subscription>>(result.get())?;
    let symbol = subscription.symbol.as_deref();
    Ok(Control::Subscribed {
        channel: match &*subscription.channel {
            "book" => Some(Channel::Book),
            "ticker" => Some(Channel::Quotes),
            "trade" => Some(Channel::Trades),
            _ => None,
        },
        instrument: symbol
            .and_then(|symbol| symbols.get(symbol.as_bytes()))
            .map(|listed| listed.id),
        depth: subscription.depth,
    })
}

/// `data` of channel `status`: `online`, `cancel_only`, `maintenance`, `post_only`. Only the first lets trades happen.
pub(super) fn status(data: &str) -> Result<What, Refused> {
    #[derive(Deserialize)]
    struct Status<'a> {
        #[serde(borrow)]
        system: Text<'a>,
    }
    let statuses = json::parse::<Vec<Object<Status>>>(data)?;
    let Some(Object(status)) = statuses.last() else {
        return Err(Refused::Shape("`data` is empty".into()));
    };
    Ok(What::Control(Control::VenueTrading(&*status.system == "online")))
}

/// `data` of channel `instrument`. Pairs that lack what is needed are left out.
pub(super) fn instruments(data: &str) -> Result<What, Refused> {
    #[derive(Deserialize)]
    struct Instruments<'a> {
        #[serde(borrow)]
        pairs: Vec<&'a RawValue>,
    }
    let Object(instruments) = json::parse::<Object<Instruments>>(data)?;
    let listings = json::readable(&instruments.pairs, |pair| listing(pair).map(Some))?;
    Ok(What::Control(Control::Instruments(listings)))
}

fn listing(pair: &str) -> Result<Listing, Refused> {
    #[derive(Deserialize)]
    struct Pair<'a> {
        #[serde(borrow)]
        symbol: Text<'a>,
        #[serde(borrow)]
        base: Text<'a>,
        #[serde(borrow)]
        quote: Text<'a>,
        #[serde(borrow)]
        status: Text<'a>,
        price_precision: u8,
        qty_precision: u8,
        #[serde(default, borrow)]
        price_increment: Option<&'a RawValue>,
        #[serde(default, borrow)]
        qty_increment: Option<&'a RawValue>,
    }
    let Object(pair) = json::parse::<Object<Pair>>(pair)?;
    let scale = Scale::new(pair.price_precision, pair.qty_precision).ok_or_else(|| {
        Refused::Shape(format!(
            "`{}` has more decimals than a record",
            json::excerpt(&pair.symbol)
        ))
    })?;
    Ok(Listing {
        symbol: pair.symbol.to_string(),
        name: format!("{}/{}", &*pair.base, &*pair.quote),
        scale,
        tick: increment(pair.price_increment, scale.price_decimals()),
        lot: increment(pair.qty_increment, scale.size_decimals()),
        trading: TRADING_STATUSES.contains(&&*pair.status),
    })
}

/// An increment such as `1e-08` as a mantissa; 0, which is "not stated", where it is missing or finer than the numbers that it steps.
fn increment(number: Option<&RawValue>, decimals: u8) -> i64 {
    let mantissa = number.and_then(|number| decimal::parse(number.get().as_bytes(), decimals).ok());
    mantissa.filter(|step| *step > 0).unwrap_or(0)
}
