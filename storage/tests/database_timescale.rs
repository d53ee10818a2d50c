//! What only TimescaleDB has: its jobs, its columnstore, its continuous aggregates. Most tests of `database.rs` run on it too.

#[path = "postgres/load.rs"]
mod load;
#[path = "postgres/rows.rs"]
mod rows;
#[path = "postgres/scratch.rs"]
mod scratch;

use load::{append, appender, begin_run, bring_all, records, settings, wait_until};
use rows::{Database, assert_same_rows, expected_rows};
use scratch::Scratch;
use tickpath_protocol::Record;
use tickpath_storage::database::tables::Table;
use tickpath_transport::now_ns;

#[test]
fn rows_bars_and_jobs() {
    let Some(scratch) = Scratch::make("jobs") else { return };
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 4_096);
    let start = now_ns() - 5 * 3_600_000_000_000;
    for from in (0..20_000).step_by(500) {
        append(&mut appender, from, &records(from, from + 500, start));
    }
    begin_run(&mut appender, 2);
    let wild: Vec<Record> = records(20_000, 20_100, start)
        .into_iter()
        .map(|record| Record { ts_event: 1, ..record })
        .collect();
    append(&mut appender, 0, &wild);
    let mut settings = settings(&scratch.url(), journal.path());
    settings.retention_days = 7;
    bring_all(&settings);
    let database = Database::connect(&scratch.url());
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));
    assert_eq!(
        database
            .value("SELECT count(*) FROM timescaledb_information.hypertables WHERE NOT hypertable_name LIKE '\\_%'"),
        Table::COUNT.to_string()
    );
    assert_eq!(
        database.value("SELECT count(*) FROM timescaledb_information.continuous_aggregates"),
        "3"
    );

    // Every job, by the server's own workers and in any order: what fails is counted, and the rows are the same afterwards.
    (0..LEVELS).for_each(|_| run_jobs(&database));
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));
    check_bars(&database);
    assert_ne!(
        database.value("SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed"),
        "0"
    );

    // More rows for chunks that are compressed by now, and another retention.
    append(&mut appender, 100, &records(20_100, 22_000, start));
    settings.retention_days = 30;
    bring_all(&settings);
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));
    (0..LEVELS).for_each(|_| run_jobs(&database));
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));
    check_bars(&database);
    assert_eq!(
        database.value("SELECT count(*) FROM timescaledb_information.jobs WHERE config->>'drop_after' = '30 days'"),
        (Table::COUNT + 1).to_string()
    );

    // Rows while every job runs.
    for from in (22_000..42_000).step_by(500) {
        append(&mut appender, from - 20_000, &records(from, from + 500, start));
    }
    start_jobs(&database);
    bring_all(&settings);
    (0..LEVELS).for_each(|_| run_jobs(&database));
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));
    check_bars(&database);
}

/// Bars are made of finer bars: what came late for bars that are kept goes up a level a round.
const LEVELS: u32 = 3;
/// The jobs of our policies; those below 1000 are the extension's own.
const OURS: &str = "timescaledb_information.job_stats WHERE job_id >= 1000";

/// Tells the server to run every job of ours as soon as it can. One that runs already is left to end first.
fn start_jobs(database: &Database) {
    wait_until("no job runs", || {
        database.value(&format!("SELECT count(*) FROM {OURS} AND job_status = 'Running'")) == "0"
    });
    database
        .query("SELECT alter_job(job_id, next_start => now()) FROM timescaledb_information.jobs WHERE job_id >= 1000");
}

/// Has every job of ours run from now on, and sees that none of any failed.
fn run_jobs(database: &Database) {
    start_jobs(database);
    let since = database.value("SELECT clock_timestamp()");
    start_jobs(database);
    let (jobs, stats) = ("timescaledb_information.jobs WHERE job_id >= 1000", OURS);
    wait_until("every job has run", || {
        database.value(&format!(
            "SELECT (SELECT count(*) FROM {jobs}) = (SELECT count(*) FROM {stats} AND last_successful_finish > '{since}')"
        )) == "t" || failures(database) != 0
    });
    let errors = database.query("SELECT job_id, proc_name, err_message FROM timescaledb_information.job_errors");
    assert_eq!(failures(database), 0, "{errors:?}");
}

fn failures(database: &Database) -> u64 {
    let failures = "SELECT coalesce(sum(total_failures), 0) FROM timescaledb_information.job_stats";
    database.value(failures).parse().unwrap()
}

/// The hours' volumes and counts are those of the trades.
fn check_bars(database: &Database) {
    for width in ["1s", "1m", "1h"] {
        let bars = database.value(&format!(
            "SELECT sum(trades), sum(volume), max(high), min(low) FROM v_ohlcv_{width}"
        ));
        let trades =
            "SELECT count(*), sum(size), max(price), min(price) FROM trades WHERE price IS NOT NULL AND flags & 8 = 0";
        assert_eq!(bars, database.value(trades), "{width}");
    }
    for view in [
        "v_trades",
        "v_quotes",
        "v_book_levels",
        "v_spread",
        "v_status",
        "v_gaps",
    ] {
        database.query(&format!("SELECT * FROM {view} LIMIT 1"));
    }
}
