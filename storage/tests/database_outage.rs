//! The database is down while records come: the pipeline does not notice, nothing is lost, and the backlog drains while more comes.
//!
//! `TICKPATH_TEST_OUTAGE_S` sets how long it is down, in seconds (3 without it).

#[path = "postgres/load.rs"]
mod load;
#[path = "postgres/pipeline.rs"]
mod pipeline;
mod postgres;
#[path = "postgres/rows.rs"]
mod rows;

use std::time::{Duration, Instant};

use load::{PATIENCE, metric, settings, wait_until};
use pipeline::{Pipeline, check_journal};
use postgres::Postgres;
use rows::{Database, assert_same_rows, expected_rows};
use tickpath_storage::database::{Settings, Writer};
use tickpath_transport::CounterPage;

/// Records a second.
const RATE: u64 = 20_000;

/// Not a test by itself: a process that the test below starts.
#[test]
fn relay_process() {
    pipeline::relay_process();
}

/// For so long, the most records that were published and not recorded at one time.
fn longest_tail(pipeline: &Pipeline, period: Duration) -> u64 {
    let end = Instant::now() + period;
    let mut longest = 0;
    while Instant::now() < end {
        let published = pipeline.published();
        longest = longest.max(published.saturating_sub(pipeline.recorded()));
        std::thread::sleep(Duration::from_millis(20));
    }
    longest
}

#[test]
fn a_database_that_is_down_for_a_while_costs_nothing() {
    let outage = std::env::var("TICKPATH_TEST_OUTAGE_S").map_or(3, |text| text.parse().unwrap());
    let mut postgres = Postgres::start();
    let url = postgres.url("postgres");
    let mut pipeline = Pipeline::start(RATE);
    let page = CounterPage::create("test").unwrap();
    let settings = Settings {
        batch_rows: 50_000,
        flush: Duration::from_millis(200),
        ..settings(&url, &pipeline.journal())
    };
    let writer = Writer::start(settings, &page).unwrap();
    wait_until("rows come", || metric(&page, "tickpath_database_rows_total") > 0);
    let tail_before = longest_tail(&pipeline, Duration::from_secs(outage.clamp(1, 20)));
    let rows_before = metric(&page, "tickpath_database_rows_total");

    postgres.stop();
    let tail_during = longest_tail(&pipeline, Duration::from_secs(outage));
    wait_until("it is noticed", || metric(&page, "tickpath_database_connected") == 0);
    let rows_after = metric(&page, "tickpath_database_rows_total");
    let missed = pipeline.recorded().saturating_sub(rows_after as u64);
    postgres.resume();
    wait_until("it is there again", || {
        metric(&page, "tickpath_database_connected") == 1
    });
    let start = Instant::now();
    // What came in the last second is no backlog.
    wait_until("the backlog is drained", || {
        metric(&page, "tickpath_database_behind_records") < RATE as i64
    });
    let drained = metric(&page, "tickpath_database_rows_total") - rows_after;
    let took = start.elapsed();
    let last = pipeline.finish();
    writer.finish(PATIENCE);

    let (recorded, declared) = check_journal(&pipeline.journal(), last);
    assert_eq!((recorded, declared), (last, 0));
    let rows = expected_rows(&pipeline.journal(), 0);
    assert_same_rows(&Database::connect(&url).rows(), &rows);
    println!(
        "{outage} s down, {rows_before} rows before, {missed} records behind; brought {drained} rows in {took:?}, {:.0} a second with {RATE} a second \
         coming; {last} published, {} rows; longest tail not recorded: {tail_before} records before, {tail_during} during",
        drained as f64 / took.as_secs_f64(),
        rows.len()
    );
}
