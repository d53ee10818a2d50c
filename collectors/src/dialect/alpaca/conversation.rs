//! The frames about the conversation: login, subscriptions, errors, halts. Rare, so only the complete decoder reads them.

use serde::Deserialize;

use crate::decode::json::{self, Object, Text};
use crate::decode::{Channel, Control, Decoded, Refused, SymbolTable, What};
use crate::dialect::WHOLE_VENUE;

#[derive(Deserialize)]
struct Success<'a> {
    #[serde(borrow)]
    msg: Text<'a>,
}

pub(super) fn success(text: &str, out: &mut Decoded) -> Result<(), Refused> {
    let Object(success) = json::parse::<Object<Success>>(text)?;
    let what = match &*success.msg {
        "connected" => What::Control(Control::Welcome),
        "authenticated" => What::Control(Control::Authenticated),
        _ => What::Ignored,
    };
    out.event(WHOLE_VENUE, what);
    Ok(())
}

#[derive(Deserialize)]
struct Subscription<'a> {
    #[serde(borrow, default)]
    trades: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    quotes: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    orderbooks: Option<Vec<Text<'a>>>,
}

/// The list of all that is subscribed to on the connection. It is an answer and no data: a symbol that is unknown here is passed over, so
/// that it cannot hide the answer for the others.
pub(super) fn subscription(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(subscription) = json::parse::<Object<Subscription>>(text)?;
    let before = out.marks.len();
    for (channel, list) in [
        (Channel::Trades, &subscription.trades),
        (Channel::Quotes, &subscription.quotes),
        (Channel::Book, &subscription.orderbooks),
    ] {
        let listed = list
            .iter()
            .flatten()
            .filter_map(|symbol| symbols.get(symbol.as_bytes()));
        for listed in listed {
            let subscribed = Control::Subscribed {
                channel: Some(channel),
                instrument: Some(listed.id),
                depth: None,
            };
            out.event(listed.id, What::Control(subscribed));
        }
    }
    if out.marks.len() == before {
        out.event(WHOLE_VENUE, What::Ignored);
    }
    Ok(())
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow, rename = "S")]
    symbol: Text<'a>,
    #[serde(borrow, rename = "sc")]
    code: Text<'a>,
}

/// A halt or resumption of a stock, in the codes of its tape: CTA (A, B) has digits, UTP (C) letters.
pub(super) fn status(text: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
    let Object(status) = json::parse::<Object<Status>>(text)?;
    let listed = json::find(&status.symbol, symbols)?;
    let what = match &*status.code {
        // Halt; volatility pause.
        "2" | "H" | "P" => What::Control(Control::InstrumentTrading(false)),
        "3" | "T" => What::Control(Control::InstrumentTrading(true)),
        // Indications and imbalances, and the resumption of quotes alone (Q), change nothing.
        _ => What::Ignored,
    };
    out.event(listed.id, what);
    Ok(())
}

#[derive(Deserialize)]
struct ErrorMessage<'a> {
    code: u16,
    #[serde(borrow, default)]
    msg: Option<Text<'a>>,
}

pub(super) fn error(text: &str, out: &mut Decoded) -> Result<(), Refused> {
    let Object(error) = json::parse::<Object<ErrorMessage>>(text)?;
    let reason = format!(
        "{} (code {})",
        error.msg.as_deref().unwrap_or("no reason given"),
        error.code
    );
    let login = |reason, is_final| Control::LoginRefused { reason, is_final };
    let other = |reason, is_final| Control::Refused {
        symbol: None,
        reason,
        is_final,
    };
    // Which are final follows the venue's own clients.
    let control = match error.code {
        // Login failed; v2 not enabled; insufficient subscription; insufficient scope.
        402 | 408 | 409 | 411 => login(reason, true),
        // Not logged in; login too late; the old connection is still counted.
        401 | 404 | 406 => login(reason, false),
        // Syntax; more symbols than the plan has; a channel that the feed does not have.
        400 | 405 | 410 => other(reason, true),
        // Already logged in; slow client; internal error; what is yet to come.
        _ => other(reason, false),
    };
    out.event(WHOLE_VENUE, What::Control(control));
    Ok(())
}
