//! The rows of a database and the rows that a journal should have become, as comparable text.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::path::Path;

use futures_util::{StreamExt, pin_mut};
use tickpath_protocol::{DecimalText, InstrumentId, Kind, Record};
use tickpath_storage::database::copy::filed_ns;
use tickpath_storage::database::tables::Table;
use tickpath_storage::journal::{Batch, Journal};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A connection that waits.
pub struct Database {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Database {
    pub fn connect(url: &str) -> Database {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls)).unwrap();
        runtime.spawn(async move {
            // A server that was killed on purpose ends it; the statement that waits says so.
            if let Err(error) = connection.await {
                eprintln!("test connection: {error}");
            }
        });
        Database { runtime, client }
    }

    pub fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    pub fn try_execute(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.runtime.block_on(self.client.batch_execute(sql))
    }

    pub fn has_timescale(&self) -> bool {
        self.value("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'") == "1"
    }

    /// The rows of a query, columns parted by `|`.
    pub fn query(&self, sql: &str) -> Vec<String> {
        let messages = self
            .runtime
            .block_on(self.client.simple_query(sql))
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        rows.map(|row| {
            let columns: Vec<&str> = (0..row.len()).map(|column| row.get(column).unwrap_or("-")).collect();
            columns.join("|")
        })
        .collect()
    }

    /// The one value of a query.
    pub fn value(&self, sql: &str) -> String {
        let mut rows = self.query(sql);
        assert_eq!(rows.len(), 1, "{sql}");
        rows.remove(0)
    }

    /// Every row of every table, in order.
    pub fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for table in Table::ALL {
            rows.extend(self.runtime.block_on(copy_out(&self.client, table)));
        }
        rows.sort();
        rows
    }
}

async fn copy_out(client: &tokio_postgres::Client, table: Table) -> Vec<String> {
    let name = table.name();
    let us = |column: &str| format!("(extract(epoch FROM {column}) * 1000000)::bigint");
    let kind = match table {
        _ if table.has_kind() => "t.kind::text".to_owned(),
        Table::Trades => (Kind::Trade as u8).to_string(),
        Table::Quotes => (Kind::Quote as u8).to_string(),
        Table::Fills => (Kind::Fill as u8).to_string(),
        _ => (Kind::Signal as u8).to_string(),
    };
    let last = if table.is_priced() {
        "side, price, size"
    } else {
        "code, argument1, argument2"
    };
    let sql = format!(
        "COPY (SELECT '{name}', run_id, position, {kind}, sequence, ts_event_ns, ts_recv_ns, {}, {}, {}, t.venue, flags, symbol, {last}
           FROM {name} t LEFT JOIN runs USING (run) LEFT JOIN instruments USING (instrument)) TO STDOUT (DELIMITER '|', NULL '-')",
        us("ts"),
        us("ts_event"),
        us("ts_recv")
    );
    let stream = client.copy_out(&sql).await.unwrap();
    pin_mut!(stream);
    let mut text = Vec::new();
    while let Some(chunk) = stream.next().await {
        text.extend_from_slice(&chunk.unwrap());
    }
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

/// The rows that the records of a journal should be, from an index on, in order.
pub fn expected_rows(journal: &Path, from_index: u64) -> Vec<String> {
    let mut cursor = Journal::open(journal).unwrap().cursor(from_index).unwrap();
    let mut batch = Batch::default();
    let mut rows = Vec::new();
    while cursor.next(&mut batch).unwrap() {
        for (offset, record) in batch.records.iter().enumerate() {
            let symbol = match record.instrument() {
                InstrumentId::NONE => "-".to_owned(),
                id => cursor
                    .instruments()
                    .get(id)
                    .map_or(format!("#{}", id.index()), |known| known.symbol.clone()),
            };
            rows.push(expected_row(
                record,
                batch.run_id,
                batch.first_position + offset as u64,
                &symbol,
            ));
        }
    }
    rows.sort();
    rows
}

fn expected_row(record: &Record, run_id: u64, position: u64, symbol: &str) -> String {
    let table = Table::of(record);
    let us = |ns: i64| ns.div_euclid(1000);
    let number = |mantissa: i64, decimals: u8| match mantissa {
        Record::ABSENT => "-".to_owned(),
        mantissa => DecimalText::new(mantissa, decimals).to_string(),
    };
    let argument = |value: i64| {
        if value == Record::ABSENT {
            "-".to_owned()
        } else {
            value.to_string()
        }
    };
    let scale = record.scale();
    let last = if !table.is_priced() {
        format!("{}|{}|{}", record.scale, argument(record.price), argument(record.size))
    } else {
        let side = record
            .flags()
            .side()
            .map_or("-".to_owned(), |side| (side as u8).to_string());
        match record.kind() {
            Some(Kind::BookClear) => format!("{side}|-|-"),
            _ => format!(
                "{side}|{}|{}",
                number(record.price, scale.price_decimals()),
                number(record.size, scale.size_decimals())
            ),
        }
    };
    format!(
        "{}|{run_id}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{symbol}|{last}",
        table.name(),
        position as i64,
        record.kind,
        record.sequence as i64,
        record.ts_event,
        record.ts_recv,
        us(filed_ns(record)),
        us(record.ts_event),
        us(record.ts_recv),
        record.venue,
        record.flags,
    )
}

/// Fails with the first difference, because millions of rows are nothing to print.
#[track_caller]
pub fn assert_same_rows(found: &[String], expected: &[String]) {
    let differs = found
        .iter()
        .zip(expected)
        .position(|(found, expected)| found != expected);
    if let Some(at) = differs {
        panic!("row {at} is\n  {}\nand should be\n  {}", found[at], expected[at]);
    }
    assert_eq!(
        found.len(),
        expected.len(),
        "rows in the database, records in the journal"
    );
}
