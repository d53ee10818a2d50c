//! The columns of the seven tables: name, type, encoding, and the value of a row. `docs/archive.md` lists them; a test compares the two.
//!
//! Nothing of a record is lost: [`super::reader`] makes the same records of these columns again.

use parquet::basic::{LogicalType, TimeUnit, Type as Physical};
use parquet::data_type::ByteArray;
use tickpath_protocol::{Flags, GapCause, InstrumentId, Kind, Record, Side, StatusCode, Venue};

use super::names::Names;
use super::order_columns::ORDERS;
use super::row::{Row, Table};

/// How a column is stored. Every page is compressed with zstd after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Distinct values once, then small numbers: texts, decimals, flags, prices.
    Dictionary,
    /// Differences, bit-packed: times and counts that mostly rise.
    Delta,
    /// As they are.
    Plain,
}

/// What a value means beyond its physical type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Text in UTF-8.
    Text,
    /// Nanoseconds since the Unix epoch in UTC.
    Time,
    /// Yes or no.
    Flag,
    /// A number in 64-bit floating point: for analysis, not for sums.
    Double,
    /// A signed number of so many bits.
    Signed(i8),
    /// An unsigned number of so many bits.
    Unsigned(i8),
}

impl Meaning {
    /// The physical type.
    #[must_use]
    pub fn physical(self) -> Physical {
        match self {
            Meaning::Text => Physical::BYTE_ARRAY,
            Meaning::Flag => Physical::BOOLEAN,
            Meaning::Double => Physical::DOUBLE,
            Meaning::Time | Meaning::Signed(64) | Meaning::Unsigned(64) => Physical::INT64,
            Meaning::Signed(_) | Meaning::Unsigned(_) => Physical::INT32,
        }
    }

    /// The logical type, if the physical one does not say all.
    #[must_use]
    pub fn logical(self) -> Option<LogicalType> {
        match self {
            Meaning::Text => Some(LogicalType::String),
            Meaning::Time => Some(LogicalType::timestamp(true, TimeUnit::NANOS)),
            Meaning::Flag | Meaning::Double => None,
            Meaning::Signed(bits) => Some(LogicalType::integer(bits, true)),
            Meaning::Unsigned(bits) => Some(LogicalType::integer(bits, false)),
        }
    }

    /// The type's name in DuckDB.
    #[must_use]
    pub fn sql(self) -> &'static str {
        match self {
            Meaning::Text => "VARCHAR",
            Meaning::Time => "TIMESTAMP_NS",
            Meaning::Flag => "BOOLEAN",
            Meaning::Double => "DOUBLE",
            Meaning::Signed(8) => "TINYINT",
            Meaning::Signed(_) => "BIGINT",
            Meaning::Unsigned(8) => "UTINYINT",
            Meaning::Unsigned(32) => "UINTEGER",
            Meaning::Unsigned(_) => "UBIGINT",
        }
    }
}

/// What a value is made of beside its row.
#[derive(Debug)]
pub struct Context<'a> {
    names: &'a Names,
    /// Symbol and name by key, as Parquet takes them: a copy counts a reference and allocates nothing.
    texts: Vec<(ByteArray, Option<ByteArray>)>,
    venue: ByteArray,
}

impl<'a> Context<'a> {
    /// For the rows of one venue.
    #[must_use]
    pub fn new(names: &'a Names, venue: Venue) -> Context<'a> {
        let texts = names.texts().iter();
        let texts = texts.map(|text| {
            (
                ByteArray::from(&*text.symbol),
                text.name.as_deref().map(ByteArray::from),
            )
        });
        Context {
            names,
            texts: texts.collect(),
            venue: ByteArray::from(venue.to_string().as_str()),
        }
    }
}

/// The value of a row in a column; `None` is NULL.
#[derive(Clone, Copy)]
pub enum Value {
    /// In `INT64`.
    Long(fn(&Row, &Context<'_>) -> Option<i64>),
    /// In `INT32`.
    Small(fn(&Row) -> Option<i32>),
    /// In `DOUBLE`.
    Double(fn(&Row) -> Option<f64>),
    /// A flag is never NULL.
    Flag(Flags),
    /// In `BYTE_ARRAY`.
    Text(fn(&Row, &Context<'_>) -> Option<ByteArray>),
}

/// A column.
#[derive(Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub meaning: Meaning,
    /// Whether a row may have none.
    pub is_nullable: bool,
    /// How it is stored.
    pub packing: Packing,
    /// The value of a row.
    pub value: Value,
}

/// The columns of every table, in order.
const SHARED: &[Column] = &[
    nullable(
        "symbol",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|row, context| Some(context.texts.get(row.text as usize)?.0.clone())),
    ),
    nullable(
        "name",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|row, context| context.texts.get(row.text as usize)?.1.clone()),
    ),
    required(
        "venue",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|_, context| Some(context.venue.clone())),
    ),
    required(
        "kind",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|row, _| Some(kind_text(&row.record))),
    ),
    nullable(
        "side",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|row, _| side_name(&row.record).map(fixed)),
    ),
    nullable(
        "price",
        Meaning::Double,
        Packing::Dictionary,
        Value::Double(|row| decimal(&row.record, row.record.price, row.record.scale().price_decimals())),
    ),
    nullable(
        "size",
        Meaning::Double,
        Packing::Dictionary,
        Value::Double(|row| decimal(&row.record, row.record.size, row.record.scale().size_decimals())),
    ),
    nullable(
        "price_mantissa",
        Meaning::Signed(64),
        Packing::Dictionary,
        Value::Long(|row, _| mantissa(&row.record, row.record.price)),
    ),
    nullable(
        "size_mantissa",
        Meaning::Signed(64),
        Packing::Dictionary,
        Value::Long(|row, _| mantissa(&row.record, row.record.size)),
    ),
    nullable(
        "price_decimals",
        Meaning::Signed(8),
        Packing::Dictionary,
        Value::Small(|row| decimals(&row.record, row.record.scale().price_decimals())),
    ),
    nullable(
        "size_decimals",
        Meaning::Signed(8),
        Packing::Dictionary,
        Value::Small(|row| decimals(&row.record, row.record.scale().size_decimals())),
    ),
    required(
        "ts_event",
        Meaning::Time,
        Packing::Delta,
        Value::Long(|row, _| Some(row.record.ts_event)),
    ),
    required(
        "ts_recv",
        Meaning::Time,
        Packing::Delta,
        Value::Long(|row, _| Some(row.record.ts_recv)),
    ),
    nullable(
        "published",
        Meaning::Time,
        Packing::Delta,
        Value::Long(|row, _| (row.published_ns != Row::NOT_KNOWN).then_some(row.published_ns)),
    ),
    required(
        "flags",
        Meaning::Unsigned(8),
        Packing::Dictionary,
        Value::Small(|row| Some(row.record.flags.into())),
    ),
    flag("last", Flags::LAST),
    flag("snapshot", Flags::SNAPSHOT),
    flag("untrusted", Flags::UNTRUSTED),
    flag("no_event_time", Flags::NO_EVENT_TIME),
    flag("derived", Flags::DERIVED),
    flag("from_relay", Flags::FROM_RELAY),
    nullable(
        "instrument",
        Meaning::Unsigned(32),
        Packing::Dictionary,
        Value::Small(|row| instrument(&row.record)),
    ),
    required(
        "sequence",
        Meaning::Unsigned(64),
        Packing::Delta,
        Value::Long(|row, _| Some(row.record.sequence as i64)),
    ),
    required(
        "run_id",
        Meaning::Unsigned(64),
        Packing::Dictionary,
        Value::Long(|row, context| Some(context.names.run_id(row) as i64)),
    ),
    required(
        "position",
        Meaning::Unsigned(64),
        Packing::Delta,
        Value::Long(|row, _| Some(row.position as i64)),
    ),
    required(
        "journal_index",
        Meaning::Unsigned(64),
        Packing::Delta,
        Value::Long(|row, _| Some(row.index as i64)),
    ),
];

/// The further columns of `status`.
const STATUS: &[Column] = &[
    nullable(
        "code",
        Meaning::Unsigned(8),
        Packing::Dictionary,
        Value::Small(|row| is_control(&row.record).then(|| row.record.scale.into())),
    ),
    nullable(
        "status",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|row, _| StatusCode::of(&row.record).map(|code| fixed(code.name()))),
    ),
    nullable(
        "cause",
        Meaning::Text,
        Packing::Dictionary,
        Value::Text(|row, _| cause(&row.record).map(|cause| fixed(cause.name()))),
    ),
    nullable(
        "argument_1",
        Meaning::Signed(64),
        Packing::Delta,
        Value::Long(|row, _| argument(&row.record, row.record.price)),
    ),
    nullable(
        "argument_2",
        Meaning::Signed(64),
        Packing::Delta,
        Value::Long(|row, _| argument(&row.record, row.record.size)),
    ),
];

const fn required(name: &'static str, meaning: Meaning, packing: Packing, value: Value) -> Column {
    Column {
        name,
        meaning,
        is_nullable: false,
        packing,
        value,
    }
}

pub(super) const fn nullable(name: &'static str, meaning: Meaning, packing: Packing, value: Value) -> Column {
    Column {
        name,
        meaning,
        is_nullable: true,
        packing,
        value,
    }
}

const fn flag(name: &'static str, flag: Flags) -> Column {
    Column {
        name,
        meaning: Meaning::Flag,
        is_nullable: false,
        packing: Packing::Plain,
        value: Value::Flag(flag),
    }
}

/// The columns of a table, in order.
pub fn columns(table: Table) -> impl Iterator<Item = &'static Column> {
    let further = match table {
        Table::Status => STATUS,
        Table::Orders => ORDERS,
        _ => &[],
    };
    SHARED.iter().chain(further)
}

/// Whether `scale`, `price` and `size` hold a code and two arguments. A kind that this build does not know is taken for such.
#[must_use]
pub fn is_control(record: &Record) -> bool {
    Table::of(record) == Table::Status && !record.kind().is_some_and(Kind::has_decimals)
}

/// The side as it is called of this kind; none where no side, or both, are flagged.
fn side_name(record: &Record) -> Option<&'static str> {
    let is_of_book = matches!(record.kind(), Some(Kind::Quote | Kind::BookLevel));
    Some(match (record.flags().side()?, is_of_book) {
        (Side::Bid, true) => "bid",
        (Side::Ask, true) => "ask",
        (Side::Bid, false) => "buy",
        (Side::Ask, false) => "sell",
    })
}

fn kind_text(record: &Record) -> ByteArray {
    match record.kind() {
        Some(kind) => fixed(kind.name()),
        None => ByteArray::from(format!("kind{}", record.kind).as_str()),
    }
}

pub(super) fn fixed(text: &'static str) -> ByteArray {
    ByteArray::from(bytes::Bytes::from_static(text.as_bytes()))
}

/// The nearest floating-point number. `BookClear` has no price.
fn decimal(record: &Record, mantissa: i64, decimals: u8) -> Option<f64> {
    const POWERS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    let is_number = record.kind().is_some_and(Kind::has_decimals) && mantissa != Record::ABSENT;
    is_number.then(|| mantissa as f64 / POWERS[usize::from(decimals)])
}

fn mantissa(record: &Record, value: i64) -> Option<i64> {
    (!is_control(record) && value != Record::ABSENT).then_some(value)
}

fn decimals(record: &Record, value: u8) -> Option<i32> {
    (!is_control(record)).then(|| value.into())
}

fn argument(record: &Record, value: i64) -> Option<i64> {
    (is_control(record) && value != Record::ABSENT).then_some(value)
}

fn instrument(record: &Record) -> Option<i32> {
    (record.instrument() != InstrumentId::NONE).then_some(record.instrument as i32)
}

/// Why: of a gap, of a lost connection, of a book that is no longer proven.
fn cause(record: &Record) -> Option<GapCause> {
    let of = |argument: i64| GapCause::from_code(u8::try_from(argument).ok()?);
    match StatusCode::of(record) {
        Some(StatusCode::Disconnected) => of(record.size),
        Some(StatusCode::BookUntrusted) => of(record.price),
        _ => GapCause::of(record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_the_columns() {
        let document = include_str!("../../../docs/archive.md");
        let (_, columns_part) = document.split_once("## Columns").unwrap();
        let (columns_part, _) = columns_part.split_once("## manifest.json").unwrap();
        let rows = columns_part
            .lines()
            .filter(|line| line.starts_with("| ") && !line.starts_with("| column"));
        let listed: Vec<String> = rows
            .map(|row| row.splitn(6, " | ").take(4).collect::<Vec<_>>().join(" | "))
            .collect();
        let expected: Vec<String> = columns(Table::Status)
            .chain(ORDERS)
            .map(|column| {
                let (sql, packing) = (column.meaning.sql(), format!("{:?}", column.packing).to_lowercase());
                let nullable = if column.is_nullable { "yes" } else { "" };
                format!("| {} | {sql} | {nullable} | {packing}", column.name)
            })
            .collect();
        assert_eq!(listed, expected);
    }
}
