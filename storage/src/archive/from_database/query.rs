//! What is asked of the database: which rows there are, and the rows of a stretch of a run as records.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt;
use tickpath_protocol::{InstrumentId, Kind, Record, Venue};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row as Answer};

use super::numeric::Numeric;
use crate::archive::date::Date;
use crate::archive::error::ArchiveError;
use crate::archive::names::{Names, Text};
use crate::archive::row::{Partition, Row, Table};
use crate::database::DatabaseError;
use crate::database::tables::Table as Stored;

const DAY_NS: i64 = 86_400_000_000_000;

/// A run of the relay in a journal.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Its key in the database.
    pub key: i32,
    /// Its id in the stream.
    pub run_id: u64,
    /// Journal index of its first record.
    pub first_index: u64,
    /// Journal index after its last record that the database has.
    pub end_index: u64,
}

/// What the database has of a partition in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Records.
    pub rows: u64,
    /// Lowest position in the stream.
    pub first: u64,
    /// Highest.
    pub last: u64,
    /// Gap records among them.
    pub gaps: u64,
}

/// What the database has, by partition and key of the run.
pub type Shares = BTreeMap<Partition, BTreeMap<i32, Share>>;

/// Instruments by key: symbol, name, decimals of price and size.
pub struct Instruments(HashMap<i32, (u32, u8, u8)>);

fn failed(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> ArchiveError {
    move |error| DatabaseError::statement(what)(error).into()
}

/// Journals that the database has rows of: id, and index of the first record that it does not have.
pub async fn journals(client: &Client) -> Result<Vec<(u64, u64)>, ArchiveError> {
    let sql = "SELECT journal_id::text, next_index FROM journal_progress ORDER BY journal_id";
    let found = client
        .query(sql, &[])
        .await
        .map_err(failed("reading journal_progress"))?;
    Ok(found
        .iter()
        .map(|row| (id(row, 0), row.get::<_, i64>(1) as u64))
        .collect())
}

/// The runs of a journal in its order.
pub async fn runs(client: &Client, journal: u64, next_index: u64) -> Result<Vec<Run>, ArchiveError> {
    let sql =
        "SELECT run, run_id::text, first_index FROM runs WHERE journal_id = $1::text::numeric ORDER BY first_index";
    let found = client.query(sql, &[&journal.to_string()]).await;
    let found = found.map_err(failed("reading runs"))?;
    let mut runs: Vec<Run> = Vec::new();
    for row in found.iter().rev() {
        runs.push(Run {
            key: row.get(0),
            run_id: id(row, 1),
            first_index: row.get::<_, i64>(2) as u64,
            end_index: runs.last().map_or(next_index, |next| next.first_index),
        });
    }
    runs.reverse();
    Ok(runs)
}

/// Stretches of a journal that never came to the database: first and last index.
pub async fn missing(client: &Client, journal: u64) -> Result<Vec<(u64, u64)>, ArchiveError> {
    let sql =
        "SELECT first_index, last_index FROM ingest_gaps WHERE journal_id = $1::text::numeric ORDER BY first_index";
    let found = client.query(sql, &[&journal.to_string()]).await;
    let found = found.map_err(failed("reading ingest_gaps"))?;
    Ok(found
        .iter()
        .map(|row| (row.get::<_, i64>(0) as u64, row.get::<_, i64>(1) as u64))
        .collect())
}

fn id(row: &Answer, at: usize) -> u64 {
    // The column is numeric(20) and the writer's: it holds 64 bits.
    row.get::<_, &str>(at).parse().unwrap_or(0)
}

/// Symbols, names and decimals of all instruments.
pub async fn instruments(client: &Client, names: &mut Names) -> Result<Instruments, ArchiveError> {
    let sql = "SELECT instrument, symbol, name, price_decimals, size_decimals FROM instruments";
    let found = client.query(sql, &[]).await.map_err(failed("reading instruments"))?;
    let entry = |row: &Answer| {
        let text = names.text_key(Text {
            symbol: row.get::<_, &str>(1).into(),
            name: Some(row.get::<_, &str>(2).into()),
        });
        let decimals = |at: usize| u8::try_from(row.get::<_, i16>(at)).unwrap_or(0).min(15);
        (row.get(0), (text, decimals(3), decimals(4)))
    };
    Ok(Instruments(found.iter().map(entry).collect()))
}

/// The partitions that the database has rows of; of one day alone if it is given.
pub async fn shares(client: &Client, runs: &[Run], date: Option<Date>) -> Result<Shares, ArchiveError> {
    let mut shares = Shares::new();
    let keys: Vec<i32> = runs.iter().map(|run| run.key).collect();
    for table in Stored::ALL {
        let gaps = match table {
            Stored::StatusEvents => format!("count(*) FILTER (WHERE kind = {})", Kind::Gap as u8),
            _ => "0::bigint".to_owned(),
        };
        // Times before 1970 round down as well.
        let day = format!(
            "(ts_recv_ns - CASE WHEN ts_recv_ns < 0 THEN {} ELSE 0 END) / {DAY_NS}",
            DAY_NS - 1
        );
        let sql = format!(
            "SELECT venue, ({day})::int, run, count(*), min(position), max(position), {gaps}
               FROM {} WHERE run = ANY($1) {} GROUP BY 1, 2, 3",
            table.name(),
            date.map_or(String::new(), of_day),
        );
        let found = client.query(&sql, &[&keys]).await.map_err(failed("counting rows"))?;
        for row in &found {
            let partition = Partition {
                table: archive_table(table),
                venue: Venue(row.get::<_, i16>(0) as u8),
                date: Date::of_ns(i64::from(row.get::<_, i32>(1)) * DAY_NS),
            };
            let share = Share {
                rows: row.get::<_, i64>(3) as u64,
                first: row.get::<_, i64>(4) as u64,
                last: row.get::<_, i64>(5) as u64,
                gaps: row.get::<_, i64>(6) as u64,
            };
            shares.entry(partition).or_default().insert(row.get(2), share);
        }
    }
    Ok(shares)
}

impl Share {
    /// Both.
    #[must_use]
    pub fn with(self, other: Share) -> Share {
        Share {
            rows: self.rows + other.rows,
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            gaps: self.gaps + other.gaps,
        }
    }
}

fn archive_table(table: Stored) -> Table {
    match table {
        Stored::Trades => Table::Trades,
        Stored::Quotes => Table::Quotes,
        Stored::BookLevels => Table::BookLevels,
        Stored::StatusEvents => Table::Status,
        Stored::Orders => Table::Orders,
        Stored::Fills => Table::Fills,
        Stored::Signals => Table::Signals,
    }
}

/// Rows received on a day. They are filed under a time that is at most a day away, which spares the database the other days.
fn of_day(date: Date) -> String {
    let start = date.start_ns().unwrap_or(0);
    let second = |ns: i64| ns / 1_000_000_000;
    format!(
        "AND ts_recv_ns >= {start} AND ts_recv_ns < {} AND {}",
        start.saturating_add(DAY_NS),
        filed_between(second(start) - 86_400, second(start) + 2 * 86_400),
    )
}

fn filed_between(from_s: i64, to_s: i64) -> String {
    format!("ts >= to_timestamp({from_s}) AND ts <= to_timestamp({to_s})")
}

/// How many rows of a run stand before a position, and how many from there on.
pub async fn ranks(client: &Client, run: &Run, position: u64) -> Result<(u64, u64), ArchiveError> {
    let (mut before, mut after) = (0, 0);
    for table in Stored::ALL {
        let sql = format!(
            "SELECT count(*) FILTER (WHERE position < $2), count(*) FILTER (WHERE position >= $2) FROM {} WHERE run = $1",
            table.name()
        );
        let row = client.query_one(&sql, &[&run.key, &(position as i64)]).await;
        let row = row.map_err(failed("counting rows of a run"))?;
        before += row.get::<_, i64>(0) as u64;
        after += row.get::<_, i64>(1) as u64;
    }
    Ok((before, after))
}

/// Hands over the rows of a run from one position to another, both included, in their order; their index is left 0.
pub async fn rows(
    client: &Client,
    run: &Run,
    (first, last): (u64, u64),
    (instruments, names): (&Instruments, &mut Names),
    mut on: impl FnMut(Row, &Names) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let run_key = names.run_key(run.run_id);
    let parameters: [&(dyn ToSql + Sync); 3] = [&run.key, &(first as i64), &(last as i64)];
    let stream = client.query_raw(&select(), parameters).await;
    let stream = stream.map_err(failed("reading rows"))?;
    let mut stream = std::pin::pin!(stream);
    while let Some(answer) = stream.try_next().await.map_err(failed("reading rows"))? {
        let (record, text) = record(&answer, instruments).map_err(failed("reading a row"))?;
        let row = Row {
            record,
            index: 0,
            position: answer.get::<_, i64>(1) as u64,
            published_ns: Row::NOT_KNOWN,
            run: run_key,
            text,
        };
        on(row, names)?;
    }
    Ok(())
}

/// All tables as one, in the order of the stream.
fn select() -> String {
    let of_table = |table: Stored| {
        let kind = match table {
            Stored::Trades => constant(Kind::Trade),
            Stored::Quotes => constant(Kind::Quote),
            Stored::Fills => constant(Kind::Fill),
            Stored::Signals => constant(Kind::Signal),
            Stored::BookLevels | Stored::StatusEvents | Stored::Orders => "kind".to_owned(),
        };
        let rest = if table.is_priced() {
            "price, size, NULL::smallint, NULL::bigint, NULL::bigint"
        } else {
            "NULL::numeric, NULL::numeric, code, argument1, argument2"
        };
        format!(
            "SELECT {kind}, position, ts_event_ns, ts_recv_ns, sequence, instrument, venue, flags, {rest}
               FROM {} WHERE run = $1 AND position BETWEEN $2 AND $3",
            table.name()
        )
    };
    let tables: Vec<String> = Stored::ALL.into_iter().map(of_table).collect();
    format!("{} ORDER BY 2", tables.join(" UNION ALL "))
}

fn constant(kind: Kind) -> String {
    format!("{}::smallint", kind as u8)
}

fn record(row: &Answer, instruments: &Instruments) -> Result<(Record, u32), tokio_postgres::Error> {
    let instrument: Option<i32> = row.try_get(5)?;
    let known = instrument.and_then(|key| instruments.0.get(&key));
    let mut record = Record {
        kind: row.try_get::<_, i16>(0)? as u8,
        venue: row.try_get::<_, i16>(6)? as u8,
        flags: row.try_get::<_, i16>(7)? as u8,
        instrument: InstrumentId::NONE.0,
        sequence: row.try_get::<_, i64>(4)? as u64,
        ts_event: row.try_get(2)?,
        ts_recv: row.try_get(3)?,
        ..Record::default()
    };
    if let Some(code) = row.try_get::<_, Option<i16>>(10)? {
        record.scale = code as u8;
        record.price = row.try_get::<_, Option<i64>>(11)?.unwrap_or(Record::ABSENT);
        record.size = row.try_get::<_, Option<i64>>(12)?.unwrap_or(Record::ABSENT);
    } else {
        let (price, size): (Option<Numeric>, Option<Numeric>) = (row.try_get(8)?, row.try_get(9)?);
        record.price = price.map_or(Record::ABSENT, |number| number.mantissa);
        record.size = size.map_or(Record::ABSENT, |number| number.mantissa);
        // Of a number that is not there, the decimals are the instrument's.
        let (price_decimals, size_decimals) = known.map_or((0, 0), |(_, price, size)| (*price, *size));
        let price_decimals = price.map_or(price_decimals, |number| number.decimals);
        let size_decimals = size.map_or(size_decimals, |number| number.decimals);
        record.scale = price_decimals << 4 | size_decimals;
    }
    Ok((record, known.map_or(Row::NO_TEXT, |(text, _, _)| *text)))
}
