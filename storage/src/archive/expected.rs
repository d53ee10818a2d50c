//! The journal's rows beside those of a partition: the two must be met in the same order, and be the same.

use tickpath_protocol::{InstrumentId, Kind, Record};

use super::columns::is_control;
use super::error::ArchiveError;
use super::manifest::Origin;
use super::row::{Partition, Row};
use super::sort::Sorted;
use super::verify::Report;

/// The journal's rows of a partition, to be met in the same order.
pub(super) struct Expected {
    sorted: Option<Sorted>,
    origin: Origin,
    /// Rows below this index are no longer in the journal, and are not compared.
    from: u64,
    group: Vec<Row>,
    at: usize,
    compared: u64,
    is_lost: bool,
}

impl Expected {
    pub fn new(sorted: Option<Sorted>, from: u64, origin: Origin) -> Expected {
        Expected {
            sorted,
            origin,
            from,
            group: Vec::new(),
            at: 0,
            compared: 0,
            is_lost: false,
        }
    }

    fn next(&mut self) -> Result<Option<Row>, ArchiveError> {
        if self.at == self.group.len() {
            self.at = 0;
            self.group.clear();
            if let Some(sorted) = &mut self.sorted {
                sorted.next(1 << 14, &mut self.group)?;
            }
        }
        let row = self.group.get(self.at).copied();
        self.at += 1;
        Ok(row)
    }

    pub fn take(&mut self, rows: &[Row], partition: &Partition, report: &mut Report) -> Result<(), ArchiveError> {
        let from = self.from;
        for row in rows.iter().filter(|row| row.index >= from) {
            if self.is_lost {
                return Ok(());
            }
            let expected = self.next()?;
            let is_same = match self.origin {
                Origin::Journal => expected.as_ref() == Some(row),
                Origin::Database => expected.is_some_and(|expected| kept(&expected) == kept(row)),
            };
            if !is_same {
                let what = match expected {
                    Some(expected) => format!(
                        "record {} differs from record {} of the journal",
                        row.index, expected.index
                    ),
                    None => format!("record {} is not in the journal", row.index),
                };
                report.differs(partition, what);
                // What follows would differ as well, and say no more.
                self.is_lost = true;
            }
            self.compared += 1;
        }
        Ok(())
    }

    pub fn finish(&mut self, partition: &Partition, report: &mut Report) -> Result<(), ArchiveError> {
        report.compared += self.compared;
        if !self.is_lost
            && let Some(row) = self.next()?
        {
            report.differs(partition, format!("record {} of the journal is not in it", row.index));
        }
        Ok(())
    }
}

/// What of a row a database keeps.
fn kept(row: &Row) -> Row {
    let mut row = *row;
    row.published_ns = Row::NOT_KNOWN;
    row.record.instrument = InstrumentId::NONE.0;
    let record = &mut row.record;
    if is_control(record) {
        return row;
    }
    if record.kind() == Some(Kind::BookClear) {
        (record.price, record.size) = (Record::ABSENT, Record::ABSENT);
    }
    // A number that is not there has no decimals there.
    if record.price == Record::ABSENT {
        record.scale &= 0x0f;
    }
    if record.size == Record::ABSENT {
        record.scale &= 0xf0;
    }
    row
}
