//! kill -9 of the relay, the recorder, the writer, the database and one of its processes, at random moments under load, and a network that breaks:
//! rows = records all the same.
//!
//! `TICKPATH_TEST_KILLS` sets how often (30 without it), `TICKPATH_TEST_SEED` which moments.

#[path = "postgres/load.rs"]
mod load;
#[path = "postgres/pipeline.rs"]
mod pipeline;
mod postgres;
#[path = "postgres/proxy.rs"]
mod proxy;
#[path = "postgres/rows.rs"]
mod rows;

use std::path::Path;
use std::time::Duration;

use load::{append, appender, bring_all, metric, records, settings, wait_until};
use pipeline::{Pipeline, Process, check_journal, outlive_nobody};
use postgres::Postgres;
use proxy::Proxy;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rows::{Database, assert_same_rows, expected_rows};
use tickpath_storage::database::Writer;
use tickpath_transport::{CounterPage, now_ns};

/// Names the journal and the database to the process that is to be killed.
const WRITER: &str = "TICKPATH_TEST_WRITER_OF";
/// Records a second.
const RATE: u64 = 20_000;

fn from_env(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Not a test by itself: a process that the test below starts and kills.
#[test]
fn relay_process() {
    pipeline::relay_process();
}

/// Not a test by itself: a process that the test below starts and kills.
#[test]
fn writer_process() {
    let Ok(role) = std::env::var(WRITER) else { return };
    let (journal, url) = role.split_once('|').unwrap();
    let page = CounterPage::create("test").unwrap();
    let writer = Writer::start(settings(url, Path::new(journal)), &page).unwrap();
    outlive_nobody();
    drop(writer);
}

fn start_writer(journal: &Path, url: &str) -> Process {
    Process::of_this_test("writer_process", WRITER, &format!("{}|{url}", journal.display()))
}

/// The victims, in the order in which they are counted.
const VICTIMS: [&str; 5] = ["relay", "recorder", "writer", "database", "backend"];

#[test]
fn rows_are_records_whoever_is_killed_when() {
    let kills = from_env("TICKPATH_TEST_KILLS", 30);
    let seed = from_env("TICKPATH_TEST_SEED", 1);
    let mut random = StdRng::seed_from_u64(seed);
    let mut postgres = Postgres::start();
    let url = postgres.url("postgres");
    let mut pipeline = Pipeline::start(RATE);
    let journal = pipeline.journal();
    let mut writer = start_writer(&journal, &url);
    let mut killed = [0; VICTIMS.len()];
    while killed.iter().sum::<u64>() < kills {
        std::thread::sleep(Duration::from_millis(random.random_range(0..400)));
        let victim = random.random_range(0..VICTIMS.len());
        match VICTIMS[victim] {
            "relay" => pipeline.kill_relay(),
            "recorder" => pipeline.kill_recorder(),
            "writer" => {
                writer.kill();
                writer = start_writer(&journal, &url);
            }
            "database" => {
                postgres.kill();
                postgres.resume();
            }
            _ if !postgres.kill_backend() => continue,
            _ => {}
        }
        killed[victim] += 1;
    }
    let last = pipeline.finish();
    drop(writer);
    postgres.resume();
    let (recorded, declared) = check_journal(&journal, last);
    bring_all(&settings(&url, &journal));
    let expected = expected_rows(&journal, 0);
    assert_same_rows(&Database::connect(&url).rows(), &expected);
    println!(
        "seed {seed}: killed {VICTIMS:?} {killed:?} times; {last} published, {recorded} recorded, {declared} in gaps, {} rows",
        expected.len()
    );
}

/// Also where the answer to a COMMIT is lost, which leaves both outcomes open.
#[test]
fn rows_are_records_though_the_network_breaks() {
    let breaks = from_env("TICKPATH_TEST_KILLS", 30);
    let postgres = Postgres::start();
    let proxy = Proxy::start(postgres.socket(), from_env("TICKPATH_TEST_SEED", 1));
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path();
    let mut appender = appender(journal, 1, 65_536);
    let page = CounterPage::create("test").unwrap();
    let writer = Writer::start(settings(&proxy.url("postgres"), journal), &page).unwrap();
    let mut total = 0;
    wait_until("the connection has broken often enough", || {
        // So much only that there is something to bring at every break.
        if metric(&page, "tickpath_database_behind_records") < 5_000 {
            append(&mut appender, total, &records(total, total + 1_000, now_ns()));
            total += 1_000;
        }
        proxy.broken() >= breaks
    });
    proxy.heal();
    writer.finish(load::PATIENCE);
    assert!(metric(&page, "tickpath_database_failures_total") >= breaks as i64);
    let database = Database::connect(&postgres.url("postgres"));
    assert_same_rows(&database.rows(), &expected_rows(journal, 0));
    println!("{} breaks, {total} records", proxy.broken());
}
