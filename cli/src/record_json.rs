//! One record as one line: a JSON object for programs, text for people.

use std::fmt::Write;

use tickpath_protocol::trading::{ClientOrderId, News, OrderDetail};
use tickpath_protocol::{DecimalText, Flags, GapCause, Instrument, Kind, Record, Side, StatusCode};

/// Appends the record as a JSON object, without a line end. Control records state their code and arguments in keys of their own.
pub fn write_json(out: &mut String, record: &Record, instrument: Option<&Instrument>) {
    let kind = record.kind();
    out.push_str("{\"kind\":");
    match kind {
        Some(kind) => push_string(out, kind.name()),
        None => push_string(out, &format!("kind{}", record.kind)),
    }
    out.push_str(",\"venue\":");
    push_string(out, &record.venue().to_string());
    out.push_str(",\"symbol\":");
    match instrument {
        Some(instrument) => push_string(out, &instrument.symbol),
        None => out.push_str("null"),
    }
    out.push_str(",\"side\":");
    match side_name(record) {
        Some(side) => push_string(out, side),
        None => out.push_str("null"),
    }
    push_decimal(out, "price", record, record.price, record.scale().price_decimals());
    push_decimal(out, "size", record, record.size, record.scale().size_decimals());
    out.push_str(",\"flags\":[");
    for (index, name) in record.flags().names().enumerate() {
        out.push_str(if index == 0 { "\"" } else { ",\"" });
        out.push_str(name);
        out.push('"');
    }
    push(
        out,
        format_args!("],\"ts_event\":{},\"ts_recv\":{}", record.ts_event, record.ts_recv),
    );
    push(out, format_args!(",\"sequence\":{}", record.sequence));
    push_control(out, record);
    out.push('}');
}

/// Appends the record as a line of text for people, without a line end.
pub fn write_text(out: &mut String, record: &Record, instrument: Option<&Instrument>) {
    let kind = record.kind().map_or("?", Kind::name);
    let symbol = instrument.map_or("-", |instrument| &instrument.symbol);
    push(
        out,
        format_args!(
            "{} {:>9} {symbol:<12} {kind:<10}",
            record.ts_recv,
            record.venue().to_string()
        ),
    );
    if let Some(status) = StatusCode::of(record) {
        push(out, format_args!(" {} {} {}", status.name(), record.price, record.size));
    } else if let Some(cause) = GapCause::of(record) {
        push(
            out,
            format_args!(" {} {} to {}", cause.name(), record.price, record.size),
        );
    } else if record.kind() == Some(Kind::OrderRef) {
        let (order, detail) = order_ref(record);
        push(out, format_args!(" {order} strategy {}", detail.strategy()));
        for (_, name) in named(detail) {
            push(out, format_args!(" {name}"));
        }
        for (is_set, name) in [
            (detail.is_post_only(), " post_only"),
            (detail.is_reduce_only(), " reduce_only"),
        ] {
            out.push_str(if is_set { name } else { "" });
        }
    } else if record.kind() == Some(Kind::ReportRef) {
        let (order, detail) = order_ref(record);
        push(out, format_args!(" {order} {}", News::name_in(detail).unwrap_or("?")));
        for (_, name) in named_of_report(detail) {
            push(out, format_args!(" {name}"));
        }
    } else if record.kind().is_some_and(Kind::has_decimals) {
        let scale = record.scale();
        let side = side_name(record).unwrap_or("-");
        let text = |mantissa, decimals| match mantissa {
            Record::ABSENT => "-".to_owned(),
            mantissa => DecimalText::new(mantissa, decimals).to_string(),
        };
        let price = text(record.price, scale.price_decimals());
        push(
            out,
            format_args!(
                " {side:<4} {price:>16} {:>20}",
                text(record.size, scale.size_decimals())
            ),
        );
    }
    for name in record.flags().without(Flags::LAST).names() {
        push(out, format_args!(" {name}"));
    }
}

fn side_name(record: &Record) -> Option<&'static str> {
    let side = record.flags().side()?;
    Some(match (record.kind(), side) {
        (Some(Kind::Quote | Kind::BookLevel), Side::Bid) => "bid",
        (Some(Kind::Quote | Kind::BookLevel), Side::Ask) => "ask",
        (_, Side::Bid) => "buy",
        (_, Side::Ask) => "sell",
    })
}

fn push_decimal(out: &mut String, key: &str, record: &Record, mantissa: i64, decimals: u8) {
    if record.kind().is_some_and(Kind::has_decimals) && mantissa != Record::ABSENT {
        push(
            out,
            format_args!(",\"{key}\":\"{}\"", DecimalText::new(mantissa, decimals)),
        );
    } else {
        push(out, format_args!(",\"{key}\":null"));
    }
}

fn push_control(out: &mut String, record: &Record) {
    let number = |value: i64| match value {
        Record::ABSENT => "null".to_owned(),
        value => value.to_string(),
    };
    let (first, second) = (number(record.price), number(record.size));
    if let Some(status) = StatusCode::of(record) {
        push(
            out,
            format_args!(",\"status\":\"{}\",\"args\":[{first},{second}]", status.name()),
        );
    } else if let Some(cause) = GapCause::of(record) {
        push(
            out,
            format_args!(",\"cause\":\"{}\",\"first\":{first},\"last\":{second}", cause.name()),
        );
    } else if record.kind() == Some(Kind::OrderRef) {
        let (order, detail) = order_ref(record);
        push(
            out,
            format_args!(",\"order\":\"{order}\",\"strategy\":{}", detail.strategy()),
        );
        for (key, name) in named(detail) {
            push(out, format_args!(",\"{key}\":\"{name}\""));
        }
        push(
            out,
            format_args!(
                ",\"post_only\":{},\"reduce_only\":{}",
                detail.is_post_only(),
                detail.is_reduce_only()
            ),
        );
    } else if record.kind() == Some(Kind::ReportRef) {
        let (order, detail) = order_ref(record);
        push(out, format_args!(",\"order\":\"{order}\""));
        let what = News::name_in(detail).map(|name| ("report", name));
        for (key, name) in what.into_iter().chain(named_of_report(detail)) {
            push(out, format_args!(",\"{key}\":\"{name}\""));
        }
    }
}

/// Which order, and its detail.
fn order_ref(record: &Record) -> (ClientOrderId, OrderDetail) {
    (ClientOrderId(record.price as u64), OrderDetail(record.size as u64))
}

/// What a detail says by name.
fn named(detail: OrderDetail) -> impl Iterator<Item = (&'static str, &'static str)> {
    let names = [
        ("order_type", detail.kind().map(|kind| kind.name())),
        ("time_in_force", detail.time_in_force().map(|time| time.name())),
        ("reason", detail.reason().map(|reason| reason.name())),
        ("liquidity", detail.liquidity().map(|liquidity| liquidity.name())),
    ];
    names.into_iter().filter_map(|(key, name)| Some((key, name?)))
}

/// What the end of a venue's report says by name, beside what was reported.
fn named_of_report(detail: OrderDetail) -> impl Iterator<Item = (&'static str, &'static str)> {
    named(detail).filter(|(key, _)| matches!(*key, "reason" | "liquidity"))
}

fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => push(out, format_args!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tickpath_protocol::trading::Reason;
    use tickpath_protocol::{InstrumentId, Scale, Venue};

    use super::*;

    fn kraken(symbol: &str) -> Instrument {
        Instrument {
            id: InstrumentId::new(Venue::KRAKEN, 0),
            symbol: symbol.into(),
            name: "BTC/USD".into(),
            scale: Scale::new(1, 8).unwrap(),
            tick: 1,
            lot: 1,
        }
    }

    #[test]
    fn golden_lines() {
        let trade = Record {
            kind: Kind::Trade as u8,
            venue: Venue::KRAKEN.0,
            flags: Flags::BID.with(Flags::LAST).0,
            scale: 0x18,
            sequence: 7,
            ts_event: 1_783_465_204_585_581_000,
            ts_recv: 1_783_465_204_590_581_000,
            price: 628_070,
            size: 100_000,
            ..Record::default()
        };
        let mut line = String::new();
        write_json(&mut line, &trade, Some(&kraken("BTC/USD")));
        assert_eq!(
            line,
            "{\"kind\":\"trade\",\"venue\":\"kraken\",\"symbol\":\"BTC/USD\",\"side\":\"buy\",\"price\":\"62807.0\",\
             \"size\":\"0.00100000\",\"flags\":[\"last\"],\"ts_event\":1783465204585581000,\"ts_recv\":1783465204590581000,\
             \"sequence\":7}"
        );
        let quote = Record {
            kind: Kind::Quote as u8,
            size: Record::ABSENT,
            flags: Flags::ASK.0,
            ..trade
        };
        line.clear();
        write_json(&mut line, &quote, None);
        assert!(
            line.contains("\"symbol\":null,\"side\":\"ask\",\"price\":\"62807.0\",\"size\":null,\"flags\":[]"),
            "{line}"
        );
        let order = Record {
            kind: Kind::OrderRef as u8,
            scale: 0,
            price: 1 << 32 | 7,
            size: OrderDetail::of_strategy(2).with_reason(Reason::PriceCollar).0 as i64,
            ..trade
        };
        line.clear();
        write_json(&mut line, &order, None);
        assert!(
            line.ends_with("\"sequence\":7,\"order\":\"1-7\",\"strategy\":2,\"reason\":\"price_collar\",\"post_only\":false,\"reduce_only\":false}"),
            "{line}"
        );
        let gap = GapCause::Checksum.record(Venue::KRAKEN, InstrumentId::NONE, 1, 2, Record::ABSENT, 4);
        line.clear();
        write_json(&mut line, &gap, None);
        assert!(line.contains("\"price\":null,\"size\":null"), "{line}");
        assert!(
            line.ends_with("\"cause\":\"checksum\",\"first\":null,\"last\":4}"),
            "{line}"
        );
    }

    proptest! {
        #[test]
        fn any_record_is_one_line_of_json(words in any::<[u64; 6]>(), symbol in "\\PC{1,12}") {
            let record = Record::from_words(words);
            let mut line = String::new();
            write_json(&mut line, &record, Some(&kraken(&symbol)));
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(value["symbol"].as_str(), Some(symbol.as_str()));
            prop_assert_eq!(value["sequence"].as_u64(), Some(record.sequence));
            prop_assert_eq!(value["ts_recv"].as_i64(), Some(record.ts_recv));
            let mut text = String::new();
            write_text(&mut text, &record, None);
            prop_assert!(!text.contains('\n'));
        }
    }
}
