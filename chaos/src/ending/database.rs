//! The database as a reader: every row of the certified stream must be a record of the journal, once, and every record a row.

use futures_util::{StreamExt, pin_mut};
use tickpath_protocol::{Side, decimal};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tokio_postgres::{Client, NoTls};

use super::journal::Recorded;
use crate::certified;

/// Tables of rows: together they hold each record of the journal once.
const TABLES: [&str; 7] = [
    "trades",
    "quotes",
    "book_levels",
    "orders",
    "fills",
    "signals",
    "status_events",
];

/// A connection that waits.
pub struct Database {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

/// What the rows came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rows {
    /// Rows of the certified stream, each with the values that it was published with.
    pub certified: u64,
    /// Rows of all tables.
    pub all: u64,
}

impl Database {
    /// Connects.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn connect(url: &str) -> Result<Database, ProcessError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .or_exit(ExitCode::Failed, "runtime")?;
        let (client, connection) = runtime
            .block_on(tokio_postgres::connect(url, NoTls))
            .or_exit(ExitCode::Failed, "connecting to the database")?;
        runtime.spawn(async move {
            // The server is killed on purpose; whoever asks something then is told.
            let _ended = connection.await;
        });
        Ok(Database { runtime, client })
    }

    /// The journal index that the database has everything before; 0 before the first row.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn progress(&self) -> Result<u64, ProcessError> {
        self.number("SELECT coalesce(max(next_index), 0)::bigint FROM journal_progress")
    }

    /// What the sessions of others are at.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn sessions(&self) -> Result<String, ProcessError> {
        const SESSIONS: &str = "SELECT coalesce(string_agg(format('%s %s since %s s, waits for %s %s: %s', pid, state,
                round(extract(epoch FROM clock_timestamp() - query_start), 1), wait_event_type, wait_event, left(query, 80)), ' | '), 'none')
            FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND (state <> 'idle' OR backend_type = 'client backend')";
        let row = self.runtime.block_on(self.client.query_one(SESSIONS, &[]));
        Ok(row.or_exit(ExitCode::Failed, "a query")?.get(0))
    }

    /// Runs statements.
    ///
    /// # Errors
    /// If one fails.
    pub fn execute(&self, sql: &str) -> Result<(), ProcessError> {
        let done = self.runtime.block_on(self.client.batch_execute(sql));
        done.or_exit(ExitCode::Failed, "a statement")
    }

    fn number(&self, sql: &str) -> Result<u64, ProcessError> {
        let row = self.runtime.block_on(self.client.query_one(sql, &[]));
        let number: i64 = row.or_exit(ExitCode::Failed, "a query")?.get(0);
        Ok(number as u64)
    }

    /// Compares every row with the journal; what is wrong is added to `problems`.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn compare(&self, seed: u64, journal: &Recorded, problems: &mut Vec<String>) -> Result<Rows, ProcessError> {
        let mut rows = Rows::default();
        for table in TABLES {
            rows.all += self.number(&format!("SELECT count(*) FROM {table}"))?;
        }
        // The stop comes while the markets go on: what the database then lacks of them, it says itself.
        let progress = self.progress()?;
        if rows.all != progress || progress > journal.records {
            problems.push(format!(
                "the database has {} rows and stands at {progress}, the journal has {} records",
                rows.all, journal.records
            ));
        }
        let gaps = self.number("SELECT count(*) FROM ingest_gaps")?;
        if gaps > 0 {
            problems.push(format!(
                "the database has {gaps} ingest gaps, and the journal lost nothing"
            ));
        }
        let (mut doubled, mut foreign) = (0_u64, 0_u64);
        let mut waiting = journal.certified.clone();
        for line in self.certified_rows()? {
            match parse(&line) {
                Some((sequence, ts_recv, fields)) if fields == certified::fields(seed, sequence, ts_recv) => {
                    match waiting.remove(&sequence) {
                        Some(recorded) if recorded == ts_recv => rows.certified += 1,
                        _ => doubled += 1,
                    }
                }
                _ => foreign += 1,
            }
        }
        let mut check = |count: u64, what: &str| {
            if count > 0 {
                problems.push(format!("database: {count} {what}"));
            }
        };
        check(doubled, "rows too many");
        check(foreign, "rows that were not published");
        check(waiting.len() as u64, "rows missing");
        Ok(rows)
    }

    fn certified_rows(&self) -> Result<Vec<String>, ProcessError> {
        let sql = format!(
            "COPY (SELECT sequence, ts_recv_ns, ts_event_ns, side, price, size FROM trades WHERE venue = {}) TO STDOUT (DELIMITER ' ', NULL '-')",
            certified::VENUE.0
        );
        let copy = async {
            let stream = self.client.copy_out(&sql).await?;
            pin_mut!(stream);
            let mut text = Vec::new();
            while let Some(chunk) = stream.next().await {
                text.extend_from_slice(&chunk?);
            }
            Ok::<_, tokio_postgres::Error>(text)
        };
        let text = self
            .runtime
            .block_on(copy)
            .or_exit(ExitCode::Failed, "reading the trades")?;
        let text = String::from_utf8(text).or_exit(ExitCode::Failed, "reading the trades")?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

fn parse(line: &str) -> Option<(u64, i64, certified::Fields)> {
    let mut columns = line.split(' ');
    let sequence = columns.next()?.parse().ok()?;
    let ts_recv = columns.next()?.parse().ok()?;
    let ts_event = columns.next()?.parse().ok()?;
    let side = match columns.next()? {
        "1" => Side::Bid,
        "2" => Side::Ask,
        _ => return None,
    };
    let mut number = |decimals| decimal::parse(columns.next()?.as_bytes(), decimals).ok();
    let price = number(certified::SCALE.price_decimals())?;
    let size = number(certified::SCALE.size_decimals())?;
    let fields = certified::Fields {
        side,
        price,
        size,
        ts_event,
    };
    Some((sequence, ts_recv, fields))
}
