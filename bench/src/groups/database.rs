//! The journal into PostgreSQL: rows a second.
//!
//! | name | ours | floor | peer |
//! |---|---|---|---|
//! | `database.ingest` | the recorder's writer: reads the journal, checks it, makes rows, sends them with their progress, 100,000 a transaction | the same rows, made before, in one bare `COPY … BINARY` a table | the same rows as text in one `COPY` a table |
//!
//! A private PostgreSQL is started for it, with its usual durability; ours, floor and peer take turns on the same tables, which are emptied
//! and checkpointed in between. Server and client share the machine: what the client needs the server cannot have.

#[path = "../../../storage/tests/postgres/mod.rs"]
mod postgres;

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use postgres::Postgres;
use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, Record, Scale, Venue};
use tickpath_storage::database::copy::Keys;
use tickpath_storage::database::feed::Encoded;
use tickpath_storage::database::tables::Table;
use tickpath_storage::database::{Settings, Writer};
use tickpath_storage::journal::{self, Appender};
use tickpath_transport::counters::Value;
use tickpath_transport::{CounterPage, CounterView, now_ns};
use tokio_postgres::{Client, NoTls};

use crate::context::{BenchError, Context, Result};
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

/// Settings of the server beside its defaults: room, so that no checkpoint falls into one round and not into another.
const SERVER: [&str; 3] = ["shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=30min"];
/// Records that are appended to the journal at once, as a recorder does that is busy.
const JOURNAL_BATCH: usize = 4_096;
/// Bytes of one message of the floor's and the peer's COPY; what the writer uses.
const CHUNK_BYTES: usize = 256 << 10;
/// How long rows are waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    if let Some(missing) = postgres::missing() {
        return Err(BenchError::new("database", missing));
    }
    let records = records(context.pick(600_000, 5_000));
    let journal = context.scratch.join("database-journal");
    write_journal(&journal, &records)?;
    let postgres = Postgres::start_with("trust", &SERVER);
    let url = postgres.url("postgres");
    let mut bench = Bench {
        runtime: tokio::runtime::Runtime::new().map_err(failed("runtime"))?,
        client: None,
        settings: Settings {
            url: url.parse().map_err(failed("url"))?,
            journal,
            batch_rows: 100_000,
            flush: Duration::from_millis(200),
            retention_days: 0,
        },
        rows: records.len() as u64,
    };
    // The first round makes the tables and warms the server up.
    bench.ours()?;
    bench.connect(&url)?;
    let binary = prepared(&records);
    let text = bench.as_text()?;
    let [mut ours, mut floor, mut peer] = [(); 3].map(|()| Samples::new(1.0));
    for round in 0..context.pick(5, 1) {
        context.say(&format!("database, round {round}"));
        bench.empty_tables()?;
        ours.add(bench.ours()?);
        bench.empty_tables()?;
        floor.add(bench.copy(&binary, "FORMAT binary")?);
        bench.empty_tables()?;
        peer.add(bench.copy(&text, "FORMAT text")?);
    }
    let bytes: usize = binary.iter().map(|(_, bytes)| bytes.len()).sum();
    let measurement = Measurement::new("database.ingest", "rows/s", Better::Higher, ours)
        .floor("bare COPY BINARY of prepared bytes", floor)
        .peer("COPY of prepared text", peer)
        .detail("bytes_per_row_sent", bytes as f64 / records.len() as f64)
        .note("PostgreSQL with fsync on the same machine; 3 of 4 rows book levels");
    Ok(vec![measurement])
}

fn failed<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> BenchError {
    move |error| BenchError::new(what, error)
}

struct Bench {
    runtime: tokio::runtime::Runtime,
    client: Option<Client>,
    settings: Settings,
    rows: u64,
}

impl Bench {
    fn connect(&mut self, url: &str) -> Result<()> {
        let (client, connection) = self
            .runtime
            .block_on(tokio_postgres::connect(url, NoTls))
            .map_err(failed("connect"))?;
        self.runtime.spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("database bench: {error}");
            }
        });
        self.client = Some(client);
        Ok(())
    }

    fn client(&self) -> Result<&Client> {
        self.client
            .as_ref()
            .ok_or_else(|| BenchError::new("database", "not connected"))
    }

    /// Rows a second of the writer, from its being connected to its last commit.
    fn ours(&self) -> Result<u64> {
        let page = CounterPage::create("bench").map_err(failed("counter page"))?;
        let fd = page.file().reader_fd().map_err(failed("counter page"))?;
        let view = CounterView::open(fd).map_err(failed("counter page"))?;
        let metric = |name: &str| {
            view.metrics()
                .into_iter()
                .find(|metric| metric.name == name)
                .map_or(0, |metric| match metric.value {
                    Value::Counter(value) => value,
                    Value::Gauge(value) => value.unsigned_abs(),
                    Value::Latency(_) => 0,
                })
        };
        let writer = Writer::start(self.settings.clone(), &page).map_err(failed("database writer"))?;
        wait_until(|| metric("tickpath_database_connected") == 1)?;
        let start = Instant::now();
        wait_until(|| metric("tickpath_database_rows_total") == self.rows)?;
        let took = start.elapsed();
        writer.finish(PATIENCE);
        Ok(rate(self.rows, took))
    }

    /// Rows a second of one COPY a table, a transaction each.
    fn copy(&self, tables: &[(Table, Bytes)], format: &str) -> Result<u64> {
        let client = self.client()?;
        let start = Instant::now();
        let rows: u64 = self.runtime.block_on(async {
            let mut rows = 0;
            for (table, bytes) in tables {
                let statement = table.copy_statement().replace("FORMAT binary", format);
                let sink = client.copy_in(&statement).await.map_err(failed("COPY"))?;
                let mut sink = std::pin::pin!(sink);
                for at in (0..bytes.len()).step_by(CHUNK_BYTES) {
                    let chunk = bytes.slice(at..bytes.len().min(at + CHUNK_BYTES));
                    sink.feed(chunk).await.map_err(failed("COPY"))?;
                }
                rows += sink.finish().await.map_err(failed("COPY"))?;
            }
            Ok::<u64, BenchError>(rows)
        })?;
        let took = start.elapsed();
        if rows != self.rows {
            return Err(BenchError::new("COPY", format!("{rows} of {} rows", self.rows)));
        }
        Ok(rate(rows, took))
    }

    /// What is in the tables now, as text.
    fn as_text(&self) -> Result<Vec<(Table, Bytes)>> {
        let client = self.client()?;
        self.runtime.block_on(async {
            let mut tables = Vec::new();
            for table in Table::ALL {
                let columns: Vec<&str> = table.columns().map(|(name, _)| name).collect();
                let statement = format!("COPY (SELECT {} FROM {}) TO STDOUT", columns.join(", "), table.name());
                let stream = client.copy_out(&statement).await.map_err(failed("COPY TO"))?;
                let mut stream = std::pin::pin!(stream);
                let mut text = Vec::new();
                while let Some(chunk) = stream.next().await {
                    text.extend_from_slice(&chunk.map_err(failed("COPY TO"))?);
                }
                if !text.is_empty() {
                    tables.push((table, Bytes::from(text)));
                }
            }
            Ok(tables)
        })
    }

    fn empty_tables(&self) -> Result<()> {
        let client = self.client()?;
        let names = Table::ALL.map(Table::name).join(", ");
        self.runtime.block_on(async {
            client
                .batch_execute(&format!("TRUNCATE {names}; UPDATE journal_progress SET next_index = 0"))
                .await
                .map_err(failed("TRUNCATE"))?;
            client.batch_execute("CHECKPOINT").await.map_err(failed("CHECKPOINT"))
        })
    }
}

fn rate(rows: u64, took: Duration) -> u64 {
    (rows as f64 / took.as_secs_f64()) as u64
}

fn wait_until(condition: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return Err(BenchError::new(
                "database writer",
                "the rows do not come; its log says why",
            ));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Book levels, quotes and trades of 20 instruments, numbers such as a venue sends.
fn records(count: u64) -> Vec<Record> {
    let now = now_ns();
    (0..count)
        .map(|n| {
            let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let kind = match mixed >> 60 {
                0 => Kind::Trade,
                1..=3 => Kind::Quote,
                _ => Kind::BookLevel,
            };
            let side = if mixed.is_multiple_of(2) {
                Flags::BID
            } else {
                Flags::ASK
            };
            Record {
                kind: kind as u8,
                venue: Venue::KRAKEN.0,
                flags: side.with(Flags::LAST).0,
                scale: Scale::new(2, 8).expect("decimals in range").to_byte(),
                instrument: InstrumentId::new(Venue::KRAKEN, (mixed % 20) as u32).0,
                sequence: n + 1,
                ts_event: now + n as i64 * 1_000 - 3_000_000,
                ts_recv: now + n as i64 * 1_000,
                price: 6_173_763 + (mixed % 10_000) as i64,
                size: (mixed >> 30) as i64 % 500_000_000,
            }
        })
        .collect()
}

fn write_journal(dir: &Path, records: &[Record]) -> Result<()> {
    let mut appender = Appender::open(dir, journal::Settings::default()).map_err(failed("journal"))?;
    appender.begin_run(1).map_err(failed("journal"))?;
    for index in 0..20 {
        let symbol = format!("SYM{index}/USD");
        let instrument = Instrument {
            id: InstrumentId::new(Venue::KRAKEN, index),
            name: symbol.clone(),
            symbol,
            scale: Scale::new(2, 8).expect("decimals in range"),
            tick: 1,
            lot: 1,
        };
        appender.instrument(&instrument).map_err(failed("journal"))?;
    }
    for (number, batch) in records.chunks(JOURNAL_BATCH).enumerate() {
        let published = vec![now_ns(); batch.len()];
        let position = (number * JOURNAL_BATCH) as u64;
        appender
            .append(position, batch, &published)
            .map_err(failed("journal"))?;
    }
    appender.sync().map_err(failed("journal"))?;
    Ok(())
}

/// The rows, ready to be sent; the keys are some that a database could have given.
fn prepared(records: &[Record]) -> Vec<(Table, Bytes)> {
    let mut encoded = Encoded::default();
    for (position, record) in records.iter().enumerate() {
        let keys = Keys {
            run: 1,
            instrument: Some(1 + record.instrument().index() as i32),
            position: position as u64,
        };
        encoded.append(record, keys);
    }
    encoded.finish();
    let tables = Table::ALL.into_iter().zip(encoded.bytes);
    tables
        .filter(|(_, bytes)| !bytes.is_empty())
        .map(|(table, bytes)| (table, Bytes::from(bytes)))
        .collect()
}
