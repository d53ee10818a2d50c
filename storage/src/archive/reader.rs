//! A Parquet file of the archive back to rows. Nothing in it is trusted: schema, numbers, names and order are checked.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use tickpath_protocol::{InstrumentId, Record};

use super::columns::{columns, is_control};
use super::error::ArchiveError;
use super::names::{Names, Text};
use super::part::schema;
use super::row::{Partition, Row, Table, kind_of};

/// Rows of a row group that are believed: a larger one is not ours, and would take memory without bound.
const GROUP_ROWS_MAX: i64 = 1 << 22;

/// Reads one file.
pub struct PartReader {
    path: PathBuf,
    partition: Partition,
    file: SerializedFileReader<File>,
    group: usize,
}

/// The columns of a row group that a record is made of.
struct Columns<'a> {
    group: &'a dyn RowGroupReader,
    table: Table,
    rows: usize,
}

impl PartReader {
    /// Opens a file of a partition.
    ///
    /// # Errors
    /// If it cannot be read, or its columns are not those of the archive.
    pub fn open(path: &Path, partition: Partition) -> Result<PartReader, ArchiveError> {
        let file = File::open(path).map_err(ArchiveError::io("cannot open", path))?;
        let file = SerializedFileReader::new(file).map_err(ArchiveError::parquet(path))?;
        let expected = schema(partition.table);
        let found = file.metadata().file_metadata().schema();
        for (at, field) in expected.get_fields().iter().enumerate() {
            match found.get_fields().get(at) {
                Some(same) if same == field => {}
                Some(other) => {
                    let reason = format!(
                        "column {at} is `{}` where `{}` of another type or name is due",
                        other.name(),
                        field.name()
                    );
                    return Err(ArchiveError::foreign(path, reason));
                }
                None => {
                    return Err(ArchiveError::foreign(
                        path,
                        format!("it has no column `{}`", field.name()),
                    ));
                }
            }
        }
        if found.get_fields().len() != expected.get_fields().len() {
            return Err(ArchiveError::foreign(path, "it has columns that the archive has not"));
        }
        Ok(PartReader {
            path: path.to_owned(),
            partition,
            file,
            group: 0,
        })
    }

    /// The rows of the next row group, in the file's order; `None` at the end.
    ///
    /// # Errors
    /// If the file is damaged or holds what is no record of its partition.
    pub fn next_group(&mut self, names: &mut Names) -> Result<Option<Vec<Row>>, ArchiveError> {
        if self.group == self.file.num_row_groups() {
            return Ok(None);
        }
        let count = self.file.metadata().row_group(self.group).num_rows();
        if !(0..=GROUP_ROWS_MAX).contains(&count) {
            return Err(ArchiveError::foreign(
                &self.path,
                format!("row group {} claims {count} rows", self.group),
            ));
        }
        let group = self
            .file
            .get_row_group(self.group)
            .map_err(ArchiveError::parquet(&self.path))?;
        let columns = Columns {
            group: &*group,
            table: self.partition.table,
            rows: count as usize,
        };
        let rows = columns
            .rows(&self.partition, names)
            .map_err(ArchiveError::parquet(&self.path))?;
        self.group += 1;
        for row in &rows {
            if Partition::of(&row.record) != self.partition {
                let reason = format!("record {} belongs to {}", row.index, Partition::of(&row.record));
                return Err(ArchiveError::foreign(&self.path, reason));
            }
        }
        Ok(Some(rows))
    }
}

fn wrong(what: impl Into<String>) -> ParquetError {
    ParquetError::General(what.into())
}

impl Columns<'_> {
    fn rows(&self, partition: &Partition, names: &mut Names) -> Result<Vec<Row>, ParquetError> {
        let mut rows = vec![
            Row {
                record: Record {
                    venue: partition.venue.0,
                    ..Record::default()
                },
                index: 0,
                position: 0,
                published_ns: 0,
                run: 0,
                text: Row::NO_TEXT,
            };
            self.rows
        ];
        self.kinds(&mut rows)?;
        self.numbers(&mut rows)?;
        self.prices(&mut rows)?;
        self.texts(&mut rows, names)?;
        let venue = partition.venue.to_string();
        for (at, found) in self.read::<ByteArrayType>("venue")?.into_iter().enumerate() {
            if found.as_ref().map(ByteArray::data) != Some(venue.as_bytes()) {
                return Err(wrong(format!("row {at} is of another venue than its folder")));
            }
        }
        for (row, run_id) in rows.iter_mut().zip(self.present::<Int64Type>("run_id")?) {
            row.run = names.run_key(run_id as u64);
        }
        Ok(rows)
    }

    fn kinds(&self, rows: &mut [Row]) -> Result<(), ParquetError> {
        let mut last: Option<(ByteArray, u8)> = None;
        for (row, text) in rows.iter_mut().zip(self.present::<ByteArrayType>("kind")?) {
            let code = match &last {
                Some((known, code)) if known.data() == text.data() => *code,
                _ => {
                    let name = std::str::from_utf8(text.data()).unwrap_or_default();
                    kind_of(name).ok_or_else(|| wrong(format!("`{name}` is no kind")))?
                }
            };
            row.record.kind = code;
            last = Some((text, code));
        }
        Ok(())
    }

    fn numbers(&self, rows: &mut [Row]) -> Result<(), ParquetError> {
        self.each::<Int64Type>("ts_event", rows, |row, value| row.record.ts_event = value)?;
        self.each::<Int64Type>("ts_recv", rows, |row, value| row.record.ts_recv = value)?;
        self.each::<Int64Type>("sequence", rows, |row, value| row.record.sequence = value as u64)?;
        self.each::<Int64Type>("position", rows, |row, value| row.position = value as u64)?;
        self.each::<Int64Type>("journal_index", rows, |row, value| row.index = value as u64)?;
        for (row, published) in rows.iter_mut().zip(self.read::<Int64Type>("published")?) {
            row.published_ns = published.unwrap_or(Row::NOT_KNOWN);
        }
        for (row, flags) in rows.iter_mut().zip(self.present::<Int32Type>("flags")?) {
            row.record.flags = u8::try_from(flags).map_err(|_| wrong(format!("flags are {flags}")))?;
        }
        for (row, instrument) in rows.iter_mut().zip(self.read::<Int32Type>("instrument")?) {
            row.record.instrument = instrument.map_or(InstrumentId::NONE.0, |id| id as u32);
        }
        Ok(())
    }

    fn prices(&self, rows: &mut [Row]) -> Result<(), ParquetError> {
        let prices = self.read::<Int64Type>("price_mantissa")?.into_iter();
        let sizes = self.read::<Int64Type>("size_mantissa")?.into_iter();
        for (row, (price, size)) in rows.iter_mut().zip(prices.zip(sizes)) {
            row.record.price = price.unwrap_or(Record::ABSENT);
            row.record.size = size.unwrap_or(Record::ABSENT);
        }
        let prices = self.read::<Int32Type>("price_decimals")?.into_iter();
        let sizes = self.read::<Int32Type>("size_decimals")?.into_iter();
        for (row, decimals) in rows.iter_mut().zip(prices.zip(sizes)) {
            match decimals {
                (Some(price @ 0..=15), Some(size @ 0..=15)) => row.record.scale = (price << 4 | size) as u8,
                (None, None) if is_control(&row.record) => {}
                (price, size) => return Err(wrong(format!("decimals are {price:?} and {size:?}"))),
            }
        }
        if self.table == Table::Status {
            self.controls(rows)
        } else {
            Ok(())
        }
    }

    fn controls(&self, rows: &mut [Row]) -> Result<(), ParquetError> {
        let codes = self.read::<Int32Type>("code")?.into_iter();
        let firsts = self.read::<Int64Type>("argument_1")?.into_iter();
        let seconds = self.read::<Int64Type>("argument_2")?.into_iter();
        for (row, (code, arguments)) in rows.iter_mut().zip(codes.zip(firsts.zip(seconds))) {
            if !is_control(&row.record) {
                continue;
            }
            let code = code.and_then(|code| u8::try_from(code).ok());
            row.record.scale = code.ok_or_else(|| wrong("a control record has no code"))?;
            row.record.price = arguments.0.unwrap_or(Record::ABSENT);
            row.record.size = arguments.1.unwrap_or(Record::ABSENT);
        }
        Ok(())
    }

    fn texts(&self, rows: &mut [Row], names: &mut Names) -> Result<(), ParquetError> {
        let symbols = self.read::<ByteArrayType>("symbol")?.into_iter();
        let texts = symbols.zip(self.read::<ByteArrayType>("name")?);
        let mut last: Option<(ByteArray, Option<ByteArray>, u32)> = None;
        for (row, (symbol, name)) in rows.iter_mut().zip(texts) {
            let Some(symbol) = symbol else { continue };
            // Rows are sorted by symbol, so nearly always it is the one before.
            if let Some((known, known_name, key)) = &last
                && (known, known_name) == (&symbol, &name)
            {
                row.text = *key;
                continue;
            }
            let text = |bytes: &ByteArray| {
                std::str::from_utf8(bytes.data())
                    .map(Into::into)
                    .map_err(|_| wrong("a symbol is not UTF-8"))
            };
            let key = names.text_key(Text {
                symbol: text(&symbol)?,
                name: name.as_ref().map(text).transpose()?,
            });
            row.text = key;
            last = Some((symbol, name, key));
        }
        Ok(())
    }

    fn each<T: DataType>(
        &self,
        name: &str,
        rows: &mut [Row],
        set: impl Fn(&mut Row, T::T),
    ) -> Result<(), ParquetError> {
        for (row, value) in rows.iter_mut().zip(self.present::<T>(name)?) {
            set(row, value);
        }
        Ok(())
    }

    /// The values of a column that has one in every row.
    fn present<T: DataType>(&self, name: &str) -> Result<Vec<T::T>, ParquetError> {
        let (values, _) = self.values::<T>(name)?;
        if values.len() == self.rows {
            Ok(values)
        } else {
            Err(wrong(format!("column `{name}` has {} values", values.len())))
        }
    }

    /// The values of a column, `None` for NULL.
    fn read<T: DataType>(&self, name: &str) -> Result<Vec<Option<T::T>>, ParquetError> {
        let (values, levels) = self.values::<T>(name)?;
        if levels.is_empty() {
            return Ok(values.into_iter().map(Some).collect());
        }
        let mut values = values.into_iter();
        let cells = levels
            .into_iter()
            .map(|level| if level == 0 { None } else { values.next() });
        Ok(cells.collect())
    }

    fn values<T: DataType>(&self, name: &str) -> Result<(Vec<T::T>, Vec<i16>), ParquetError> {
        let mut columns = columns(self.table).enumerate();
        let found = columns.find(|(_, column)| column.name == name);
        let (at, column) = found.ok_or_else(|| wrong(format!("no column `{name}`")))?;
        let mut reader = get_typed_column_reader::<T>(self.group.get_column_reader(at)?);
        let (mut values, mut levels) = (Vec::with_capacity(self.rows), Vec::new());
        let (mut read, mut left) = (0, self.rows);
        while left > 0 {
            let with_levels = column.is_nullable.then_some(&mut levels);
            let (records, _, _) = reader.read_records(left, with_levels, None, &mut values)?;
            if records == 0 {
                break;
            }
            read += records;
            left -= records;
        }
        if read != self.rows {
            return Err(wrong(format!("column `{name}` ends at row {read} of {}", self.rows)));
        }
        Ok((values, levels))
    }
}
