//! The JSON of the channels `orders`, `fills`, `signals` and `engine`.

use std::sync::Arc;

use tickpath_protocol::trading::{Action, ClientOrderId, MONEY_DECIMALS, OrderDetail, Reason, TradingEvent};
use tickpath_protocol::{Scale, Side};

use super::equity::Sums;
use super::{Holding, Mark, Money, Order, Strategy, Told, Trading};
use crate::kill::LatchReport;
use crate::message::{Form, decimal, flag, integer, list, stamp, string, write_to};
use crate::topic::Channel;

/// Orders, the oldest first.
pub fn orders<'a>(text: &mut String, form: Form, orders: impl Iterator<Item = &'a Order>) {
    envelope(text, Channel::Orders, form);
    list(text, orders, order);
    text.push_str("]}");
}

/// Fills, the oldest first.
pub fn fills<'a>(text: &mut String, form: Form, fills: impl Iterator<Item = &'a Told>) {
    envelope(text, Channel::Fills, form);
    list(text, fills, fill);
    text.push_str("]}");
}

/// Signals, the oldest first.
pub fn signals<'a>(text: &mut String, form: Form, signals: impl Iterator<Item = &'a Told>) {
    envelope(text, Channel::Signals, form);
    list(text, signals, signal);
    text.push_str("]}");
}

/// The state of everything that trades; in a snapshot with the curves of before.
pub fn engine(text: &mut String, form: Form, trading: &Trading, latch: Option<&LatchReport>, mark: Mark<'_>) {
    envelope(text, Channel::Engine, form);
    text.push_str("{\"venue\":");
    name(text, trading.venue().map(|venue| venue.to_string()).as_deref());
    text.push_str(",\"session\":");
    integer(text, trading.session());
    flag(text, "attached", trading.is_there());
    flag(text, "whole", trading.is_whole());
    write_to(text, format_args!(",\"broken\":{}", trading.broken()));
    flag(text, "halted", trading.halted().is_some());
    text.push_str(",\"halt_reason\":");
    reason(text, trading.halted().flatten());
    text.push_str(",\"kill\":");
    kill(text, trading.killed(), latch);
    text.push_str(",\"strategies\":[");
    list(text, trading.strategies(), |text, (index, strategy)| {
        strategy_item(text, index, strategy, trading, mark);
    });
    text.push_str("],\"positions\":[");
    list(text, trading.holdings(), |text, (strategy, number, holding)| {
        position(text, strategy, holding, mark(number, holding.position.quantity()));
    });
    text.push_str("],\"equity\":[");
    sums(text, trading.sums(None, mark));
    text.push_str("],\"ts\":");
    integer(text, trading.equity.sampled_ns());
    if form == Form::Snapshot {
        history(text, trading);
    }
    text.push_str("}]}");
}

fn envelope(text: &mut String, channel: Channel, form: Form) {
    write_to(
        text,
        format_args!(
            "{{\"channel\":\"{}\",\"type\":\"{}\",\"data\":[",
            channel.name(),
            form.name()
        ),
    );
}

fn order(text: &mut String, order: &Order) {
    let (scale, detail) = (order.event.scale, order.event.detail);
    head(text, &order.subject, &order.event);
    text.push_str(",\"state\":");
    string(text, order.state.name());
    text.push_str(",\"event\":");
    string(text, order.cause);
    terms(text, detail);
    text.push_str(",\"price\":");
    decimal(text, order.price, scale.price_decimals());
    text.push_str(",\"trigger_price\":");
    match order.trigger {
        Some(trigger) => decimal(text, trigger, scale.price_decimals()),
        None => text.push_str("null"),
    }
    for (key, value) in [(",\"quantity\":", order.quantity), (",\"leaves\":", order.leaves)] {
        text.push_str(key);
        decimal(text, value, scale.size_decimals());
    }
    text.push_str(",\"reason\":");
    reason(text, order.reason);
    stamp(text, order.stamp);
    text.push('}');
}

fn terms(text: &mut String, detail: OrderDetail) {
    text.push_str(",\"order_type\":");
    name(text, detail.kind().map(|kind| kind.name()));
    text.push_str(",\"time_in_force\":");
    name(text, detail.time_in_force().map(|time| time.name()));
    flag(text, "post_only", detail.is_post_only());
    flag(text, "reduce_only", detail.is_reduce_only());
}

fn fill(text: &mut String, told: &Told) {
    let (event, scale) = (&told.event, told.event.scale);
    head(text, &told.subject, event);
    price_and_size(text, event, scale);
    let (fee, leaves) = match event.action {
        Action::Fill { fee, leaves } => (fee, leaves),
        _ => (0, 0),
    };
    text.push_str(",\"fee\":");
    decimal(text, fee, MONEY_DECIMALS);
    text.push_str(",\"leaves\":");
    decimal(text, leaves, scale.size_decimals());
    text.push_str(",\"liquidity\":");
    name(text, event.detail.liquidity().map(|liquidity| liquidity.name()));
    stamp(text, told.stamp);
    text.push('}');
}

fn signal(text: &mut String, told: &Told) {
    head(text, &told.subject, &told.event);
    price_and_size(text, &told.event, told.event.scale);
    stamp(text, told.stamp);
    text.push('}');
}

/// `{"id":…,"venue":…,"symbol":…,"strategy":…,"side":…`
fn head(text: &mut String, subject: &str, event: &TradingEvent) {
    text.push_str("{\"id\":");
    match event.order {
        ClientOrderId::NONE => text.push_str("null"),
        id => write_to(text, format_args!("\"{id}\"")),
    }
    text.push(',');
    text.push_str(subject);
    write_to(text, format_args!(",\"strategy\":{}", event.detail.strategy()));
    text.push_str(match event.side {
        Some(Side::Bid) => ",\"side\":\"buy\"",
        Some(Side::Ask) => ",\"side\":\"sell\"",
        None => ",\"side\":null",
    });
}

fn price_and_size(text: &mut String, event: &TradingEvent, scale: Scale) {
    text.push_str(",\"price\":");
    decimal(text, event.price, scale.price_decimals());
    text.push_str(",\"size\":");
    decimal(text, event.size, scale.size_decimals());
}

/// What the latch says, or what the engine said of it where the latch cannot be read.
fn kill(text: &mut String, said: Option<bool>, latch: Option<&LatchReport>) {
    let killed = latch.map(|latch| latch.killed).or(said);
    text.push_str("{\"state\":");
    name(text, killed.map(|killed| if killed { "killed" } else { "armed" }));
    text.push_str(",\"reason\":");
    reason(text, latch.and_then(|latch| latch.reason));
    text.push_str(",\"since\":");
    integer(text, latch.and_then(|latch| latch.since_ns));
    text.push_str(",\"note\":");
    name(
        text,
        latch.map(|latch| latch.note.as_str()).filter(|note| !note.is_empty()),
    );
    flag(
        text,
        "followed",
        killed == said || killed == Some(false) && said.is_none(),
    );
    text.push('}');
}

fn strategy_item(text: &mut String, index: u16, strategy: &Strategy, trading: &Trading, mark: Mark<'_>) {
    write_to(text, format_args!("{{\"index\":{index},\"name\":"));
    name(text, strategy.name.as_deref());
    text.push_str(",\"state\":");
    string(text, strategy.state);
    text.push_str(",\"restriction\":");
    name(text, strategy.restriction.map(|(what, _)| what));
    text.push_str(",\"restriction_reason\":");
    reason(text, strategy.restriction.and_then(|(_, why)| why));
    let open = trading.orders().filter(|order| order.event.detail.strategy() == index);
    let fills: u64 = trading
        .holdings()
        .filter(|(of, _, _)| *of == index)
        .map(|(_, _, holding)| holding.position.fills())
        .sum();
    write_to(
        text,
        format_args!(
            ",\"open_orders\":{},\"orders\":{},\"fills\":{fills},\"signals\":{},\"breaches\":{},\"breach\":",
            open.count(),
            strategy.orders,
            strategy.signals,
            strategy.breaches
        ),
    );
    reason(text, strategy.breach);
    text.push_str(",\"equity\":[");
    sums(text, trading.sums(Some(index), mark));
    text.push_str("]}");
}

fn position(text: &mut String, strategy: u16, holding: &Holding, mark: Option<i64>) {
    let (position, scale) = (&holding.position, holding.scale);
    write_to(text, format_args!("{{\"strategy\":{strategy},"));
    text.push_str(&holding.subject);
    text.push_str(",\"quantity\":");
    decimal(text, position.quantity(), scale.size_decimals());
    for (key, price) in [(",\"average_price\":", position.average_price()), (",\"mark\":", mark)] {
        text.push_str(key);
        match price {
            Some(price) => decimal(text, price, scale.price_decimals()),
            None => text.push_str("null"),
        }
    }
    text.push_str(",\"currency\":");
    string(text, &holding.currency);
    text.push_str(",\"realized\":");
    money(text, position.realized(scale));
    text.push_str(",\"unrealized\":");
    match mark {
        Some(mark) => money(text, position.unrealized(mark, scale)),
        None => text.push_str("null"),
    }
    text.push_str(",\"fees\":");
    money(text, position.fees());
    write_to(text, format_args!(",\"fills\":{}}}", position.fills()));
}

fn sums(text: &mut String, sums: impl IntoIterator<Item = (Arc<str>, Sums)>) {
    list(text, sums.into_iter(), |text, (currency, sums)| {
        text.push_str("{\"currency\":");
        string(text, &currency);
        for (key, value) in [
            (",\"realized\":", sums.realized),
            (",\"unrealized\":", sums.unrealized),
            (",\"fees\":", sums.fees),
            (",\"total\":", sums.total()),
        ] {
            text.push_str(key);
            money(text, value);
        }
        text.push('}');
    });
}

fn history(text: &mut String, trading: &Trading) {
    text.push_str(",\"history\":[");
    list(text, trading.equity.curves(), |text, (currency, curve)| {
        text.push_str("{\"currency\":");
        string(text, currency);
        text.push_str(",\"points\":[");
        list(text, curve, |text, (ns, total)| {
            write_to(text, format_args!("[{ns},"));
            money(text, total);
            text.push(']');
        });
        text.push_str("]}");
    });
    text.push(']');
}

/// At 1e-8; what no 64 bits hold is shown as the largest that they do.
fn money(text: &mut String, value: Money) {
    let most = i128::from(i64::MAX);
    let shown = value.clamp(-most, most) as i64;
    decimal(text, shown, MONEY_DECIMALS);
}

fn name(text: &mut String, value: Option<&str>) {
    match value {
        Some(value) => string(text, value),
        None => text.push_str("null"),
    }
}

fn reason(text: &mut String, reason: Option<Reason>) {
    name(text, reason.map(Reason::name));
}
