//! Records as rows of PostgreSQL's binary COPY format, exactly.
//!
//! The format is the one of the manual's page on COPY: a signature, then for each row the number of fields and each field as its length in
//! bytes (-1: NULL) and its value, big-endian, and -1 at the end. A `numeric` is digits of base 10000 with a weight, a sign and
//! the number of decimals to show; it is made of mantissa and decimals by integer division alone, so no price is ever rounded, and it keeps
//! the decimals that the record came with. [`Record::ABSENT`] becomes NULL.

use tickpath_protocol::decimal::DECIMALS_MAX;
use tickpath_protocol::{Kind, Record};

use super::tables::Table;

/// What a COPY begins with: signature, flags, length of the extension.
pub const HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What a COPY ends with.
pub const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// Most bytes that a row takes: 15 fields take 190 at most.
const ROW_BYTES_MAX: usize = 256;
/// µs from the Unix epoch to PostgreSQL's, 2000-01-01.
const EPOCH_US: i64 = 946_684_800_000_000;
/// How far the venue's clock may be from ours for its time to decide where a row is filed, ns.
const FILED_BY_EVENT_NS: u64 = 86_400_000_000_000;

/// The keys that stand for a record's run and instrument in the database, and its position in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Key of the run.
    pub run: i32,
    /// Key of the instrument; `None` where the record names none.
    pub instrument: Option<i32>,
    /// Position in the run's stream.
    pub position: u64,
}

/// The time, ns since the Unix epoch, that a record's row is filed under: `ts_event` unless that is more than a day from `ts_recv`.
#[must_use]
pub fn filed_ns(record: &Record) -> i64 {
    if record.ts_event.abs_diff(record.ts_recv) <= FILED_BY_EVENT_NS {
        record.ts_event
    } else {
        record.ts_recv
    }
}

/// Appends the row of `record` for its [`Table`], which must be `table`; `filed_ns` is what [`filed_ns`] says of it.
pub fn append_row(out: &mut Vec<u8>, table: Table, record: &Record, filed_ns: i64, keys: Keys) {
    let mut row = Row::new();
    row.fields(14 + i16::from(table.has_kind()));
    row.timestamp(filed_ns);
    row.timestamp(record.ts_event);
    row.timestamp(record.ts_recv);
    row.bigint(record.ts_event);
    row.bigint(record.ts_recv);
    // PostgreSQL has no unsigned 64 bits: what is beyond 2^63, which no stream reaches, becomes negative and stays exact.
    row.bigint(keys.position as i64);
    row.bigint(record.sequence as i64);
    row.int(keys.run);
    match keys.instrument {
        Some(key) => row.int(key),
        None => row.null(),
    }
    row.smallint(record.venue.into());
    row.smallint(record.flags.into());
    if table.has_kind() {
        row.smallint(record.kind.into());
    }
    if table.is_priced() {
        row.side_price_size(record);
    } else {
        row.smallint(record.scale.into());
        row.argument(record.price);
        row.argument(record.size);
    }
    out.extend_from_slice(&row.bytes[..row.len]);
}

/// A row in the making. Its bytes are on the stack, so that a buffer of rows grows once a row and not once a field.
struct Row {
    bytes: [u8; ROW_BYTES_MAX],
    len: usize,
}

impl Row {
    fn new() -> Row {
        Row {
            bytes: [0; ROW_BYTES_MAX],
            len: 0,
        }
    }

    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.bytes[self.len..self.len + N].copy_from_slice(&bytes);
        self.len += N;
    }

    fn fields(&mut self, count: i16) {
        self.put(count.to_be_bytes());
    }

    fn null(&mut self) {
        self.put((-1_i32).to_be_bytes());
    }

    fn smallint(&mut self, value: i16) {
        self.put(2_i32.to_be_bytes());
        self.put(value.to_be_bytes());
    }

    fn int(&mut self, value: i32) {
        self.put(4_i32.to_be_bytes());
        self.put(value.to_be_bytes());
    }

    fn bigint(&mut self, value: i64) {
        self.put(8_i32.to_be_bytes());
        self.put(value.to_be_bytes());
    }

    /// Whole µs, rounded down.
    fn timestamp(&mut self, ns: i64) {
        self.bigint(ns.div_euclid(1_000) - EPOCH_US);
    }

    /// The argument of a control record.
    fn argument(&mut self, value: i64) {
        if value == Record::ABSENT {
            self.null();
        } else {
            self.bigint(value);
        }
    }

    fn side_price_size(&mut self, record: &Record) {
        match record.flags().side() {
            Some(side) => self.smallint(side as i16),
            None => self.null(),
        }
        if record.kind().is_some_and(Kind::has_decimals) {
            let scale = record.scale();
            self.numeric(record.price, scale.price_decimals());
            self.numeric(record.size, scale.size_decimals());
        } else {
            self.null();
            self.null();
        }
    }

    /// A mantissa at its decimals; [`Record::ABSENT`] is NULL.
    fn numeric(&mut self, mantissa: i64, decimals: u8) {
        if mantissa == Record::ABSENT {
            return self.null();
        }
        let digits = Digits::of(mantissa.unsigned_abs(), decimals);
        let sign: u16 = if mantissa < 0 { 0x4000 } else { 0 };
        let used = &digits.groups[digits.first..digits.end];
        self.put((8 + 2 * used.len() as i32).to_be_bytes());
        self.put((used.len() as i16).to_be_bytes());
        self.put(digits.weight.to_be_bytes());
        self.put(sign.to_be_bytes());
        self.put(i16::from(decimals).to_be_bytes());
        for group in used {
            self.put(group.to_be_bytes());
        }
    }
}

/// Groups of four decimal digits: five of the integer part, four of the fraction.
struct Digits {
    groups: [u16; Digits::INTEGER + Digits::FRACTION],
    /// The groups from here to `end` are sent: none at either end is 0.
    first: usize,
    end: usize,
    /// Power of 10000 of the first group.
    weight: i16,
}

impl Digits {
    const INTEGER: usize = 5;
    const FRACTION: usize = 4;

    fn of(magnitude: u64, decimals: u8) -> Digits {
        debug_assert!(decimals <= DECIMALS_MAX);
        let unit = POWERS[usize::from(decimals)];
        // The fraction is brought to 16 digits: it is below 10^decimals, so it stays below 10^16.
        let mut integer = magnitude / unit;
        let mut fraction = (magnitude % unit) * POWERS[16 - usize::from(decimals)];
        let mut groups = [0; Digits::INTEGER + Digits::FRACTION];
        for group in groups[Digits::INTEGER..].iter_mut().rev() {
            *group = (fraction % 10_000) as u16;
            fraction /= 10_000;
        }
        for group in groups[..Digits::INTEGER].iter_mut().rev() {
            *group = (integer % 10_000) as u16;
            integer /= 10_000;
        }
        let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
        let end = groups
            .iter()
            .rposition(|group| *group != 0)
            .map_or(first, |last| last + 1);
        Digits {
            groups,
            first,
            end,
            weight: if first == end {
                0
            } else {
                Digits::INTEGER as i16 - 1 - first as i16
            },
        }
    }
}

const POWERS: [u64; 17] = {
    let mut powers = [1; 17];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tickpath_protocol::{DecimalText, Flags, InstrumentId, Scale, Venue};

    use super::*;

    /// The text of a numeric field, by the format's own rules.
    fn read_numeric(bytes: &[u8]) -> String {
        let word = |at: usize| i16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let (count, weight, sign, decimals) = (word(0), word(2), word(4), word(6));
        assert_eq!(bytes.len(), 8 + 2 * count as usize);
        let group = |power: i16| match weight - power {
            index if (0..count).contains(&index) => word(8 + 2 * index as usize),
            _ => 0,
        };
        let integer: String = (0..=weight.max(0))
            .rev()
            .map(|power| format!("{:04}", group(power)))
            .collect();
        let fraction: String = (1..=4).map(|power| format!("{:04}", group(-power))).collect();
        let integer = integer.trim_start_matches('0');
        let integer = if integer.is_empty() { "0" } else { integer };
        let (kept, beyond) = fraction.split_at(decimals as usize);
        assert!(beyond.bytes().all(|digit| digit == b'0'));
        let sign = if sign == 0x4000 { "-" } else { "" };
        let point = if decimals > 0 { "." } else { "" };
        format!("{sign}{integer}{point}{kept}")
    }

    fn numeric(mantissa: i64, decimals: u8) -> Vec<u8> {
        let mut row = Row::new();
        row.numeric(mantissa, decimals);
        let length = i32::from_be_bytes(row.bytes[..4].try_into().unwrap());
        assert_eq!(length as usize, row.len - 4);
        row.bytes[4..row.len].to_vec()
    }

    #[test]
    fn numerics_to_the_byte() {
        assert_eq!(numeric(0, 2), [0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(numeric(177_414, 2), [0, 2, 0, 0, 0, 0, 0, 2, 0x06, 0xee, 0x05, 0x78]); // 1774 . 1400
        assert_eq!(numeric(-10_000, 0), [0, 1, 0, 1, 0x40, 0, 0, 0, 0, 1]);
        assert_eq!(numeric(1, 8), [0, 1, 0xff, 0xfe, 0, 0, 0, 8, 0, 1]); // 0.0000 0001
    }

    #[test]
    fn absent_is_null() {
        let mut row = Row::new();
        row.numeric(Record::ABSENT, 3);
        row.argument(Record::ABSENT);
        assert_eq!(row.bytes[..row.len], [0xff; 8]);
    }

    #[test]
    fn a_row_has_the_fields_of_its_table() {
        let keys = Keys {
            run: 7,
            instrument: None,
            position: u64::MAX,
        };
        for kind in 0..=u8::MAX {
            let record = Record {
                kind,
                venue: Venue::test(63).0,
                flags: Flags::ASK.0,
                scale: Scale::new(15, 15).unwrap().to_byte(),
                instrument: InstrumentId::NONE.0,
                price: -i64::MAX,
                size: i64::MAX,
                ts_event: i64::MIN,
                ts_recv: i64::MAX,
                ..Record::default()
            };
            let table = Table::of(&record);
            let mut bytes = Vec::new();
            append_row(&mut bytes, table, &record, filed_ns(&record), keys);
            let mut rest = &bytes[2..];
            let mut fields = 0;
            while !rest.is_empty() {
                let length = i32::from_be_bytes(rest[..4].try_into().unwrap());
                rest = &rest[4 + length.max(0) as usize..];
                fields += 1;
            }
            assert_eq!(fields, table.columns().count());
            assert_eq!(bytes[..2], (fields as i16).to_be_bytes());
        }
    }

    #[test]
    fn a_wild_clock_does_not_file_a_row() {
        let at = |ts_event, ts_recv| {
            filed_ns(&Record {
                ts_event,
                ts_recv,
                ..Record::default()
            })
        };
        let now = 1_790_000_000_000_000_000;
        assert_eq!(at(now - 5, now), now - 5);
        assert_eq!(at(now + FILED_BY_EVENT_NS as i64, now), now + FILED_BY_EVENT_NS as i64);
        assert_eq!(at(0, now), now);
        assert_eq!(at(i64::MAX, now), now);
        assert_eq!(at(i64::MIN, now), now);
    }

    proptest! {
        #[test]
        fn numerics_are_exact(mantissa in -i64::MAX..=i64::MAX, shift in 0_u32..63, decimals in 0..=DECIMALS_MAX) {
            let mantissa = mantissa >> shift;
            prop_assert_eq!(read_numeric(&numeric(mantissa, decimals)), DecimalText::new(mantissa, decimals).to_string());
        }
    }
}
