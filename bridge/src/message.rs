//! The JSON that clients read. Written by hand into one reused buffer: the shapes are few and fixed, and prices go straight from mantissa
//! to text. Data messages end in `}`, so that what is private to a client can be put before it ([`with_note`]).

use std::fmt::Write;

use axum::extract::ws::Utf8Bytes;
use tickpath_protocol::decimal::TEXT_LEN_MAX;
use tickpath_protocol::{DecimalText, Flags, Level, Record, Scale, Side, Venue};

use crate::event::{LevelChange, Quote, Stamp, StatusEvent, Trade};
use crate::market::VenueState;
use crate::state::InstrumentState;
use crate::topic::Channel;

/// The text of a message, shared by all clients that get it.
pub type Body = Utf8Bytes;

/// What a client is told beside the shared text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Note {
    /// Nothing.
    #[default]
    None,
    /// So many trades before these were dropped.
    Skipped(u64),
    /// So many updates are covered by this newest state.
    Conflated(u64),
}

/// Whether a message is all there is, or adds to what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Everything before is obsolete.
    Snapshot,
    /// Adds to what was sent.
    Update,
}

impl Form {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Form::Snapshot => "snapshot",
            Form::Update => "update",
        }
    }
}

/// The shared text with the client's note in it.
#[must_use]
pub fn with_note(body: Body, note: Note) -> Body {
    let (key, count) = match note {
        Note::Skipped(count) if count > 0 => ("skipped", count),
        Note::Conflated(count) if count > 0 => ("conflated", count),
        _ => return body,
    };
    let Some(open) = body.as_str().strip_suffix('}') else {
        return body;
    };
    format!("{open},\"{key}\":{count}}}").into()
}

/// `"venue":…,"symbol":…`
#[must_use]
pub fn subject(venue: Venue, symbol: Option<&str>) -> String {
    let mut text = String::new();
    text.push_str("\"venue\":");
    string(&mut text, &venue.to_string());
    text.push_str(",\"symbol\":");
    match symbol {
        Some(symbol) => string(&mut text, symbol),
        None => text.push_str("null"),
    }
    text
}

/// Trades, oldest first.
pub fn trades<'a>(text: &mut String, state: &InstrumentState, form: Form, trades: impl Iterator<Item = &'a Trade>) {
    envelope(text, Channel::Trades, form, state.subject(), |text| {
        list(text, trades, |text, trade| {
            text.push_str("{\"price\":");
            price(text, trade.price, state.scale());
            text.push_str(",\"size\":");
            size(text, trade.size, state.scale());
            text.push_str(match trade.side {
                Some(Side::Bid) => ",\"side\":\"buy\"",
                Some(Side::Ask) => ",\"side\":\"sell\"",
                None => ",\"side\":null",
            });
            stamp(text, trade.stamp);
            text.push('}');
        });
    });
}

/// The quote, or none yet.
pub fn quote(text: &mut String, state: &InstrumentState, form: Form, quote: Option<&Quote>) {
    envelope(text, Channel::Quotes, form, state.subject(), |text| {
        let Some(quote) = quote else { return };
        let scale = state.scale();
        text.push_str("{\"bid\":");
        price(text, quote.bid, scale);
        text.push_str(",\"bid_size\":");
        size(text, quote.bid_size, scale);
        text.push_str(",\"ask\":");
        price(text, quote.ask, scale);
        text.push_str(",\"ask_size\":");
        size(text, quote.ask_size, scale);
        flag(text, "derived", quote.flags.contains(Flags::DERIVED));
        flag(text, "untrusted", quote.flags.contains(Flags::UNTRUSTED));
        stamp(text, quote.stamp);
        text.push('}');
    });
}

/// The levels of one event, in the order in which they came.
pub fn levels(text: &mut String, state: &InstrumentState, changes: &[LevelChange]) {
    let side = |side: Side| {
        changes
            .iter()
            .filter(move |change| change.side == side)
            .map(|change| Level {
                price: change.price,
                size: change.size,
            })
    };
    envelope(text, Channel::Book, Form::Update, state.subject(), |text| {
        text.push('{');
        book_fields(text, state, side(Side::Bid), side(Side::Ask));
        text.push('}');
    });
}

/// The whole book, best levels first.
pub fn book(text: &mut String, state: &InstrumentState) {
    envelope(text, Channel::Book, Form::Snapshot, state.subject(), |text| {
        text.push('{');
        book_fields(
            text,
            state,
            state.book().levels(Side::Bid),
            state.book().levels(Side::Ask),
        );
        text.push('}');
    });
}

/// The best `depth` levels of each side: the answer of `/api/book`.
pub fn book_document(text: &mut String, state: &InstrumentState, depth: usize) {
    text.push('{');
    text.push_str(state.subject());
    text.push(',');
    let side = |side| state.book().levels(side).take(depth);
    book_fields(text, state, side(Side::Bid), side(Side::Ask));
    text.push('}');
}

/// One instrument: an entry of `/api/instruments`.
pub fn instrument_document(text: &mut String, state: &InstrumentState) {
    let instrument = state.instrument();
    text.push('{');
    text.push_str(state.subject());
    text.push_str(",\"name\":");
    string(text, &instrument.name);
    write_to(
        text,
        format_args!(
            ",\"price_decimals\":{},\"size_decimals\":{},\"tick\":",
            instrument.scale.price_decimals(),
            instrument.scale.size_decimals()
        ),
    );
    // 0: the venue does not say.
    let step = |step: i64| if step == 0 { Record::ABSENT } else { step };
    price(text, step(instrument.tick), instrument.scale);
    text.push_str(",\"lot\":");
    size(text, step(instrument.lot), instrument.scale);
    flag(text, "trusted", state.is_trusted());
    text.push('}');
}

/// The status of a whole venue. Each message of it says how many of its records are lost in all: what a client was not told one by one because it was
/// behind, it learns from the next.
pub fn venue_status(text: &mut String, venue: &VenueState, form: Form, event: Option<&StatusEvent>) {
    let subject = format!("{},\"lost\":{}", venue.subject(), venue.lost());
    status(text, &subject, form, event.into_iter());
}

/// Statuses of an instrument.
pub fn status<'a>(text: &mut String, subject: &str, form: Form, events: impl Iterator<Item = &'a StatusEvent>) {
    envelope(text, Channel::Status, form, subject, |text| {
        list(text, events, status_event)
    });
}

/// Trust of the book and the last other status, the older first.
pub fn status_snapshot(text: &mut String, state: &InstrumentState) {
    let trust = state.trust();
    // By our own clock first: sequences start anew with each life of a producer.
    let age = |event: &StatusEvent| (event.stamp.ts_recv, event.stamp.sequence);
    let (before, after): (Vec<_>, Vec<_>) = state.status().into_iter().partition(|other| age(other) < age(&trust));
    let events = before.into_iter().chain([&trust]).chain(after);
    status(text, state.subject(), Form::Snapshot, events);
}

/// A JSON string.
pub fn string(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            character if character < ' ' => write_to(text, format_args!("\\u{:04x}", u32::from(character))),
            character => text.push(character),
        }
    }
    text.push('"');
}

fn envelope(text: &mut String, channel: Channel, form: Form, subject: &str, data: impl FnOnce(&mut String)) {
    text.push_str("{\"channel\":\"");
    text.push_str(channel.name());
    text.push_str("\",\"type\":\"");
    text.push_str(form.name());
    text.push_str("\",");
    text.push_str(subject);
    text.push_str(",\"data\":[");
    data(text);
    text.push_str("]}");
}

fn book_fields(
    text: &mut String,
    state: &InstrumentState,
    bids: impl Iterator<Item = Level>,
    asks: impl Iterator<Item = Level>,
) {
    let pair = |text: &mut String, level: Level| {
        text.push('[');
        price(text, level.price, state.scale());
        text.push(',');
        size(text, level.size, state.scale());
        text.push(']');
    };
    text.push_str("\"trusted\":");
    text.push_str(if state.is_trusted() { "true" } else { "false" });
    text.push_str(",\"bids\":[");
    list(text, bids, pair);
    text.push_str("],\"asks\":[");
    list(text, asks, pair);
    text.push(']');
    stamp(text, state.book_stamp());
}

fn status_event(text: &mut String, event: &StatusEvent) {
    text.push_str("{\"status\":");
    string(text, event.status);
    text.push_str(",\"cause\":");
    match event.cause {
        Some(cause) => string(text, cause),
        None => text.push_str("null"),
    }
    for (name, value) in [(",\"first\":", event.first), (",\"last\":", event.last)] {
        text.push_str(name);
        integer(text, value);
    }
    text.push_str(",\"args\":");
    match event.args {
        [None, None] => text.push_str("null"),
        args => {
            text.push('[');
            list(text, args.into_iter(), integer);
            text.push(']');
        }
    }
    stamp(text, event.stamp);
    text.push('}');
}

pub(crate) fn list<T>(text: &mut String, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut String, T)) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(text, item);
    }
}

fn price(text: &mut String, mantissa: i64, scale: Scale) {
    decimal(text, mantissa, scale.price_decimals());
}

fn size(text: &mut String, mantissa: i64, scale: Scale) {
    decimal(text, mantissa, scale.size_decimals());
}

/// A decimal string, or null for a number that the venue did not send.
pub(crate) fn decimal(text: &mut String, mantissa: i64, decimals: u8) {
    if mantissa == Record::ABSENT {
        text.push_str("null");
        return;
    }
    text.push('"');
    text.push_str(DecimalText::new(mantissa, decimals).write(&mut [0; TEXT_LEN_MAX]));
    text.push('"');
}

/// A number, or null where it is not known.
pub(crate) fn integer(text: &mut String, value: Option<i64>) {
    match value {
        Some(value) => write_to(text, format_args!("{value}")),
        None => text.push_str("null"),
    }
}

pub(crate) fn flag(text: &mut String, name: &str, value: bool) {
    write_to(text, format_args!(",\"{name}\":{value}"));
}

pub(crate) fn stamp(text: &mut String, stamp: Stamp) {
    write_to(
        text,
        format_args!(
            ",\"ts_event\":{},\"ts_recv\":{},\"sequence\":{}",
            stamp.ts_event, stamp.ts_recv, stamp.sequence
        ),
    );
}

pub(crate) fn write_to(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
}
