//! One Parquet file: rows in, a durable file out, with its size and content hash.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Repetition, ZstdLevel};
use parquet::column::writer::{ColumnCloseResult, ColumnWriter, get_column_writer, get_typed_column_writer_mut};
use parquet::data_type::{BoolType, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};
use parquet::schema::types::{ColumnPath, SchemaDescriptor, Type, TypePtr};
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
    encoder: Encoder<'a>,
    rows: u64,
}

/// What makes column chunks of rows.
struct Encoder<'a> {
    context: Context<'a>,
    columns: Vec<&'static Column>,
    schema: SchemaDescriptor,
    properties: WriterPropertiesPtr,
}

/// A column of a row group as it goes into the file, and what the footer says of it.
type Chunk = (Bytes, ColumnCloseResult);

impl<'a> PartWriter<'a> {
    /// Creates the file, which must not be there.
    ///
    /// # Errors
    /// If it cannot be created or written.
    pub fn create(path: &Path, partition: &Partition, names: &'a Names) -> Result<PartWriter<'a>, ParquetError> {
        let sink = Hashed::create(path)?;
        let properties = Arc::new(properties(partition));
        let schema = schema(partition.table);
        Ok(PartWriter {
            file: SerializedFileWriter::new(sink, Arc::clone(&schema), Arc::clone(&properties))?,
            encoder: Encoder {
                context: Context::new(names, Venue(partition.venue.0)),
                columns: columns(partition.table).collect(),
                schema: SchemaDescriptor::new(schema),
                properties,
            },
            rows: 0,
        })
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.file.bytes_written() as u64
    }

    /// Writes rows as one row group, which this thread and as many others as `helpers` says encode, a column at a time. The file is the same whoever did.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_group(&mut self, rows: &[Row], helpers: usize) -> Result<(), ParquetError> {
        let chunks = self.encoder.encode(rows, helpers)?;
        let mut group = self.file.next_row_group()?;
        for (bytes, close) in chunks {
            group.append_column(&bytes, close)?;
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

impl Encoder<'_> {
    /// Every column of a row group, in order.
    fn encode(&self, rows: &[Row], helpers: usize) -> Result<Vec<Chunk>, ParquetError> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut chunks = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(column) = self.columns.get(at) else {
                    return Ok::<_, ParquetError>(chunks);
                };
                chunks.push((at, self.chunk(at, column, rows)?));
            }
        };
        let mut chunks = std::thread::scope(|scope| {
            let others: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
            let mut chunks = work()?;
            for other in others {
                let theirs = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                chunks.extend(theirs?);
            }
            Ok::<_, ParquetError>(chunks)
        })?;
        chunks.sort_unstable_by_key(|(at, _)| *at);
        Ok(chunks.into_iter().map(|(_, chunk)| chunk).collect())
    }

    fn chunk(&self, at: usize, column: &Column, rows: &[Row]) -> Result<Chunk, ParquetError> {
        let mut sink = TrackedWrite::new(Vec::new());
        let pages = Box::new(SerializedPageWriter::new(&mut sink));
        let mut writer = get_column_writer(self.schema.column(at), Arc::clone(&self.properties), pages);
        write_column(&mut writer, column, rows, &self.context)?;
        let close = writer.close()?;
        Ok((sink.into_inner()?.into(), close))
    }
}

fn write_column(
    writer: &mut ColumnWriter<'_>,
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
    writer: &mut ColumnWriter<'_>,
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
    get_typed_column_writer_mut::<T>(writer).write_batch(&values, levels, None)?;
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

#[cfg(test)]
mod tests {
    use tickpath_protocol::{InstrumentId, Kind, Record, Scale};

    use super::*;
    use crate::archive::Date;
    use crate::archive::names::Text;

    #[test]
    fn a_file_does_not_say_how_many_encoded_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut names = Names::default();
        let run = names.run_key(7);
        let text = names.text_key(Text {
            symbol: "BTC/USD".into(),
            name: None,
        });
        let rows: Vec<Row> = (0..5_000_i64)
            .map(|at| Row {
                record: Record {
                    kind: Kind::Trade as u8,
                    venue: Venue::KRAKEN.0,
                    scale: Scale::new(1, 8).unwrap().to_byte(),
                    instrument: InstrumentId::new(Venue::KRAKEN, 0).0,
                    ts_recv: at * 1_000,
                    price: 600_000 + at * at % 37,
                    size: at,
                    ..Record::default()
                },
                index: at as u64,
                position: at as u64,
                published_ns: at,
                run,
                text,
            })
            .collect();
        let partition = Partition {
            date: Date::of_ns(0),
            venue: Venue::KRAKEN,
            table: Table::Trades,
        };
        let written = [0, 1, 7].map(|helpers| {
            let path = dir.path().join(format!("{helpers}.parquet"));
            let mut part = PartWriter::create(&path, &partition, &names).unwrap();
            for group in rows.chunks(2_000) {
                part.write_group(group, helpers).unwrap();
            }
            let done = part.finish().unwrap();
            assert_eq!(done.rows, 5_000);
            assert_eq!(done.hash, blake3::hash(&std::fs::read(&path).unwrap()));
            done
        });
        assert!(written.iter().all(|done| *done == written[0]), "{written:?}");
    }
}
