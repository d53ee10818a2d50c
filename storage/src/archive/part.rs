//! One Parquet file: rows in, a durable file out, with its size and content hash.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, Repetition, ZstdLevel};
use parquet::data_type::{BoolType, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{ColumnPath, Type, TypePtr};
use tickpath_protocol::Venue;

use super::columns::{Column, Context, Packing, Value, columns};
use super::names::Names;
use super::row::{Partition, Row, Table};
use super::{ROW_GROUP_ROWS, SCHEMA_VERSION};

/// Compression of every page: level 1 is within a few per cent of level 3 in size on encoded columns, at twice its speed.
const ZSTD_LEVEL: i32 = 1;
/// Bytes that are collected before they go to the file.
const BUFFER_BYTES: usize = 1 << 20;

/// The schema of a table.
///
/// # Panics
/// Never: the columns are constants, and a test makes every schema.
#[must_use]
pub fn schema(table: Table) -> TypePtr {
    let field = |column: &Column| {
        let repetition = if column.is_nullable {
            Repetition::OPTIONAL
        } else {
            Repetition::REQUIRED
        };
        let field = Type::primitive_type_builder(column.name, column.meaning.physical())
            .with_repetition(repetition)
            .with_logical_type(column.meaning.logical())
            .build();
        Arc::new(field.expect("a column's types fit each other"))
    };
    let fields = columns(table).map(field).collect();
    let group = Type::group_type_builder("record").with_fields(fields).build();
    Arc::new(group.expect("names of columns differ"))
}

/// What the file says of itself, so that it can be understood when it was moved away from its folder.
fn key_values(partition: &Partition) -> Vec<KeyValue> {
    let pair = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    vec![
        pair("tickpath.schema", SCHEMA_VERSION.to_string()),
        pair("tickpath.table", partition.table.to_string()),
        pair("tickpath.venue", partition.venue.to_string()),
        pair("tickpath.date", partition.date.to_string()),
    ]
}

fn properties(partition: &Partition) -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("1 is a level of zstd");
    let place = |name: &str| columns(partition.table).position(|column| column.name == name);
    let sorting = ["symbol", "ts_recv", "journal_index"].into_iter().filter_map(place);
    let sorting = sorting.map(|at| SortingColumn {
        column_idx: at as i32,
        descending: false,
        nulls_first: true,
    });
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(format!("tickpath {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(key_values(partition)))
        .set_sorting_columns(Some(sorting.collect()))
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_dictionary_enabled(false);
    for column in columns(partition.table) {
        let path = ColumnPath::from(column.name);
        builder = match column.packing {
            Packing::Dictionary => builder.set_column_dictionary_enabled(path, true),
            Packing::Delta => builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            Packing::Plain => builder.set_column_encoding(path, Encoding::PLAIN),
        };
    }
    builder.build()
}

/// A finished file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartDone {
    /// Rows in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its content.
    pub hash: blake3::Hash,
}

/// Writes one file.
pub struct PartWriter<'a> {
    file: SerializedFileWriter<Hashed>,
    context: Context<'a>,
    table: Table,
    rows: u64,
}

impl<'a> PartWriter<'a> {
    /// Creates the file, which must not be there.
    ///
    /// # Errors
    /// If it cannot be created or written.
    pub fn create(path: &Path, partition: &Partition, names: &'a Names) -> Result<PartWriter<'a>, ParquetError> {
        let sink = Hashed::create(path)?;
        let properties = Arc::new(properties(partition));
        Ok(PartWriter {
            file: SerializedFileWriter::new(sink, schema(partition.table), properties)?,
            context: Context::new(names, Venue(partition.venue.0)),
            table: partition.table,
            rows: 0,
        })
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.file.bytes_written() as u64
    }

    /// Writes rows as one row group.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_group(&mut self, rows: &[Row]) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for column in columns(self.table) {
            let mut writer = group
                .next_column()?
                .ok_or_else(|| ParquetError::General("a column too few".into()))?;
            write_column(&mut writer, column, rows, &self.context)?;
            writer.close()?;
        }
        group.close()?;
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// Writes the footer and makes the file durable.
    ///
    /// # Errors
    /// If the file cannot be written or synced.
    pub fn finish(self) -> Result<PartDone, ParquetError> {
        let (bytes, hash) = self.file.into_inner()?.finish()?;
        Ok(PartDone {
            rows: self.rows,
            bytes,
            hash,
        })
    }
}

fn write_column(
    writer: &mut SerializedColumnWriter<'_>,
    column: &Column,
    rows: &[Row],
    context: &Context<'_>,
) -> Result<(), ParquetError> {
    let is_nullable = column.is_nullable;
    match column.value {
        Value::Long(value) => {
            write_values::<Int64Type>(writer, is_nullable, rows.iter().map(|row| value(row, context)))
        }
        Value::Small(value) => write_values::<Int32Type>(writer, is_nullable, rows.iter().map(value)),
        Value::Double(value) => write_values::<DoubleType>(writer, is_nullable, rows.iter().map(value)),
        Value::Text(value) => {
            write_values::<ByteArrayType>(writer, is_nullable, rows.iter().map(|row| value(row, context)))
        }
        Value::Flag(flag) => {
            let values = rows.iter().map(|row| Some(row.record.flags().contains(flag)));
            write_values::<BoolType>(writer, is_nullable, values)
        }
    }
}

fn write_values<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    is_nullable: bool,
    cells: impl ExactSizeIterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let count = cells.len();
    let mut values = Vec::with_capacity(count);
    let mut levels = Vec::with_capacity(if is_nullable { count } else { 0 });
    for cell in cells {
        if is_nullable {
            levels.push(i16::from(cell.is_some()));
        }
        values.extend(cell);
    }
    let levels = is_nullable.then_some(levels.as_slice());
    writer.typed::<T>().write_batch(&values, levels, None)?;
    Ok(())
}

/// A new file, hashed as it is written.
#[derive(Debug)]
struct Hashed {
    file: File,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    bytes: u64,
}

impl Hashed {
    fn create(path: &Path) -> io::Result<Hashed> {
        Ok(Hashed {
            file: File::create_new(path)?,
            hasher: blake3::Hasher::new(),
            buffer: Vec::with_capacity(BUFFER_BYTES),
            bytes: 0,
        })
    }

    fn spill(&mut self) -> io::Result<()> {
        self.hasher.update(&self.buffer);
        self.bytes += self.buffer.len() as u64;
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<(u64, blake3::Hash)> {
        self.spill()?;
        self.file.sync_all()?;
        Ok((self.bytes, self.hasher.finalize()))
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.spill()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// The file is made durable once, at its end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
