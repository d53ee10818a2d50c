//! A Parquet file of columns that are in memory: what a run of a few thousand rows needs, and the same bytes for the same rows.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use crate::metrics::MONEY_DECIMALS;

/// Digits of an amount of money: all that 16 bytes hold.
const MONEY_DIGITS: i32 = 38;
const MONEY_BYTES: i32 = 16;
const ZSTD_LEVEL: i32 = 1;

/// The values of a column.
#[derive(Clone, Debug)]
pub enum Cells {
    /// Text in UTF-8.
    Text(Vec<String>),
    /// ns since the Unix epoch, UTC.
    Time(Vec<i64>),
    /// A signed number of 64 bits.
    Long(Vec<i64>),
    /// A small number.
    Small(Vec<i32>),
    /// A 64-bit float.
    Double(Vec<f64>),
    /// An amount in quote currency, exact: `DECIMAL(38, 8)`.
    Money(Vec<i128>),
}

/// A column without NULL.
#[derive(Clone, Debug)]
pub struct Column {
    name: &'static str,
    cells: Cells,
}

impl Column {
    /// A column of that name.
    #[must_use]
    pub fn new(name: &'static str, cells: Cells) -> Column {
        Column { name, cells }
    }

    fn schema(&self) -> Result<Type, ParquetError> {
        let (physical, logical) = match &self.cells {
            Cells::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Cells::Time(_) => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
            Cells::Long(_) => (Physical::INT64, None),
            Cells::Small(_) => (Physical::INT32, None),
            Cells::Double(_) => (Physical::DOUBLE, None),
            Cells::Money(_) => {
                let money = LogicalType::decimal(MONEY_DECIMALS.into(), MONEY_DIGITS);
                (Physical::FIXED_LEN_BYTE_ARRAY, Some(money))
            }
        };
        let builder = Type::primitive_type_builder(self.name, physical)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(logical);
        match &self.cells {
            Cells::Money(_) => builder
                .with_length(MONEY_BYTES)
                .with_precision(MONEY_DIGITS)
                .with_scale(MONEY_DECIMALS.into())
                .build(),
            _ => builder.build(),
        }
    }

    fn write(&self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match &self.cells {
            Cells::Text(texts) => {
                let texts: Vec<_> = texts.iter().map(|text| ByteArray::from(text.as_str())).collect();
                values::<ByteArrayType>(writer, &texts)
            }
            Cells::Time(numbers) | Cells::Long(numbers) => values::<Int64Type>(writer, numbers),
            Cells::Small(numbers) => values::<Int32Type>(writer, numbers),
            Cells::Double(numbers) => values::<DoubleType>(writer, numbers),
            Cells::Money(amounts) => {
                let bytes = |amount: &i128| FixedLenByteArray::from(amount.to_be_bytes().to_vec());
                let amounts: Vec<_> = amounts.iter().map(bytes).collect();
                values::<FixedLenByteArrayType>(writer, &amounts)
            }
        }
    }
}

fn values<T: DataType>(writer: &mut SerializedColumnWriter<'_>, values: &[T::T]) -> Result<(), ParquetError> {
    writer.typed::<T>().write_batch(values, None, None).map(|_| ())
}

/// Writes the columns, all of the same length, as a new file called after `table`.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, table: &str, columns: &[Column]) -> Result<(), ParquetError> {
    let fields: Result<Vec<_>, _> = columns.iter().map(|column| column.schema().map(Arc::new)).collect();
    let schema = Type::group_type_builder(table).with_fields(fields?).build()?;
    let properties = WriterProperties::builder()
        .set_created_by(format!("tickpath {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![KeyValue::new("tickpath.table".to_owned(), table.to_owned())]))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .build();
    let mut file = SerializedFileWriter::new(File::create_new(path)?, Arc::new(schema), Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    for column in columns {
        let mut writer = group
            .next_column()?
            .ok_or_else(|| ParquetError::General("a column too few".into()))?;
        column.write(&mut writer)?;
        writer.close()?;
    }
    group.close()?;
    file.into_inner()?.sync_all()?;
    Ok(())
}
