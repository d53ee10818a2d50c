//! The further columns of `orders`: what an `order_ref` record packs into its two numbers, in words.
//!
//! They repeat what the mantissas hold, so that a query needs no arithmetic; [`super::reader`] reads the mantissas alone.

use parquet::data_type::ByteArray;
use tickpath_protocol::trading::{ClientOrderId, Liquidity, OrderDetail, OrderKind, Reason, TimeInForce};
use tickpath_protocol::{Kind, Record};

use super::columns::{Column, Meaning, Packing, Value, fixed, nullable};
use super::row::Row;

/// In order, after the columns of every table.
pub(super) const ORDERS: &[Column] = &[
    nullable(
        "client_order_id",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|row, _| order(&row.record).map(|id| ByteArray::from(id.to_string().as_str()))),
    ),
    nullable(
        "strategy",
        Meaning::Unsigned(32),
        Packing::Dictionary,
        Value::Small(|row| detail(row).map(|detail| detail.strategy().into())),
    ),
    nullable(
        "order_type",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|row, _| detail(row)?.kind().map(OrderKind::name).map(fixed)),
    ),
    nullable(
        "time_in_force",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|row, _| detail(row)?.time_in_force().map(TimeInForce::name).map(fixed)),
    ),
    nullable(
        "reason",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|row, _| detail(row)?.reason().map(Reason::name).map(fixed)),
    ),
    nullable(
        "liquidity",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|row, _| detail(row)?.liquidity().map(Liquidity::name).map(fixed)),
    ),
];

fn is_reference(record: &Record) -> bool {
    record.kind() == Some(Kind::OrderRef)
}

/// The order that an `order_ref` names, if it names one.
fn order(record: &Record) -> Option<ClientOrderId> {
    let id = ClientOrderId(record.price as u64);
    (is_reference(record) && id != ClientOrderId::NONE && record.price != Record::ABSENT).then_some(id)
}

fn detail(row: &Row) -> Option<OrderDetail> {
    let is_there = is_reference(&row.record) && row.record.size != Record::ABSENT;
    is_there.then_some(OrderDetail(row.record.size as u64))
}
