//! Databases that will not do: each says what to mend, at once, and changes nothing.

#[path = "postgres/load.rs"]
mod load;
mod postgres;
#[path = "postgres/rows.rs"]
mod rows;

use std::path::Path;

use load::{PATIENCE, append, appender, bring_all, metric, records, settings, wait_until};
use postgres::Postgres;
use rows::{Database, assert_same_rows, expected_rows};
use tickpath_service::Config;
use tickpath_service::exit::{ExitCode, ProcessError};
use tickpath_storage::database::{self, Writer};
use tickpath_transport::{CounterPage, now_ns};

fn config(url: &str, journal: &Path) -> Config {
    let mut config = Config::default();
    config.database.url = url.parse().unwrap();
    config.recorder.dir = journal.to_owned();
    config
}

/// What the start of the recorder and `--check-database` say of it.
fn refusals(url: &str) -> [ProcessError; 2] {
    let journal = tempfile::tempdir().unwrap();
    let config = config(url, journal.path());
    let page = CounterPage::create("test").unwrap();
    [
        database::start(&config, &page).unwrap_err(),
        database::check(&config).unwrap_err(),
    ]
}

#[track_caller]
fn check_refused(url: &str, parts: &[&str]) {
    for refusal in refusals(url) {
        let text = refusal.to_string();
        assert_eq!(refusal.code(), ExitCode::BadInput, "{text}");
        assert!(
            parts.iter().all(|part| text.contains(part)),
            "`{text}` does not say all of {parts:?}"
        );
        assert!(!text.contains("wrong-password"), "{text}");
    }
}

#[test]
fn wrong_passwords_users_and_names() {
    let postgres = Postgres::start_with("scram-sha-256", &["fsync=off"]);
    check_refused(
        &postgres.url_as("postgres:wrong-password", "postgres"),
        &["password authentication failed", "28P01", "database.url"],
    );
    check_refused(&postgres.url_as("nobody:wrong-password", "postgres"), &["28P01"]);
    check_refused(
        &postgres.url_as("postgres:right", "nothing"),
        &["database \"nothing\" does not exist", "database.url"],
    );
    check_refused("postgres://postgres:wrong-password@localhost:port/x", &["address"]);
    let right = config(
        &postgres.url_as("postgres:right", "postgres"),
        Path::new("/nonexistent"),
    );
    let said = database::check(&right).unwrap();
    assert!(
        said.contains("plain PostgreSQL") && said.contains("0 of 6 migrations"),
        "{said}"
    );
}

#[test]
fn nobody_listens() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().display().to_string().replace('/', "%2F");
    let url = format!("postgres://postgres@{socket}/ticks");
    let journal = tempfile::tempdir().unwrap();
    let refusal = database::check(&config(&url, journal.path())).unwrap_err();
    assert_eq!(refusal.code(), ExitCode::Unavailable, "{refusal}");
    assert!(refusal.to_string().contains("is it running"), "{refusal}");
    // The recorder starts all the same: the database may come later.
    let page = CounterPage::create("test").unwrap();
    append(&mut appender(journal.path(), 1, 1_024), 0, &records(0, 100, now_ns()));
    let writer = database::start(&config(&url, journal.path()), &page).unwrap().unwrap();
    wait_until("it has tried", || metric(&page, "tickpath_database_failures_total") > 0);
    writer.finish(PATIENCE);
    assert!(database::start(&Config::default(), &page).unwrap().is_none());
}

#[test]
fn a_schema_that_is_newer_or_was_made_of_other_migrations() {
    let postgres = Postgres::start();
    let url = postgres.url("postgres");
    let journal = tempfile::tempdir().unwrap();
    append(&mut appender(journal.path(), 1, 1_024), 0, &records(0, 100, now_ns()));
    bring_all(&settings(&url, journal.path()));
    let database = Database::connect(&url);
    let rows = database.rows();
    database.execute("INSERT INTO tickpath_migrations (version, name, checksum) VALUES (9, '0009_future', 'x')");
    check_refused(&url, &["schema version 9", "knows 6", "newer build"]);
    database.execute("DELETE FROM tickpath_migrations WHERE version = 9; UPDATE tickpath_migrations SET checksum = 'x' WHERE version = 3");
    check_refused(&url, &["migration 3", "0003_bars.plain x"]);
    assert_eq!(database.rows(), rows);
}

#[test]
fn tables_that_were_altered_by_hand() {
    let postgres = Postgres::start();
    let url = postgres.url("postgres");
    let journal = tempfile::tempdir().unwrap();
    append(&mut appender(journal.path(), 1, 1_024), 0, &records(0, 100, now_ns()));
    bring_all(&settings(&url, journal.path()));
    let database = Database::connect(&url);
    for (alter, undo, parts) in [
        (
            "ALTER TABLE quotes RENAME COLUMN price TO prize",
            "ALTER TABLE quotes RENAME COLUMN prize TO price",
            ["`quotes`", "`price` (numeric) is missing"],
        ),
        (
            "ALTER TABLE instruments ALTER COLUMN tick TYPE double precision",
            "ALTER TABLE instruments ALTER COLUMN tick TYPE numeric",
            ["`instruments`", "`tick` is double precision and was numeric"],
        ),
        (
            "ALTER TABLE signals ADD COLUMN why text NOT NULL",
            "ALTER TABLE signals DROP COLUMN why",
            ["`signals`", "`why` was added, is NOT NULL"],
        ),
        (
            "ALTER TABLE orders RENAME TO older",
            "ALTER TABLE older RENAME TO orders",
            ["`orders`", "it is not there"],
        ),
    ] {
        database.execute(alter);
        check_refused(&url, &parts);
        database.execute(undo);
    }
    // What does no harm is let be.
    database.execute("ALTER TABLE trades ADD COLUMN note text");
    bring_all(&settings(&url, journal.path()));
}

/// While it runs it goes on trying, and takes up where it stood once the table is mended.
#[test]
fn a_table_that_is_altered_while_rows_come() {
    let postgres = Postgres::start();
    let url = postgres.url("postgres");
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 4_096);
    append(&mut appender, 0, &records(0, 1_000, now_ns()));
    let page = CounterPage::create("test").unwrap();
    let writer = Writer::start(settings(&url, journal.path()), &page).unwrap();
    wait_until("the first rows", || {
        metric(&page, "tickpath_database_rows_total") == 1_000
    });
    let database = Database::connect(&url);
    // A rule of someone who wants fewer rows: they would be missing without a word.
    database.execute(
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER swallow BEFORE INSERT ON book_levels FOR EACH ROW EXECUTE FUNCTION swallow()",
    );
    append(&mut appender, 1_000, &records(1_000, 2_000, now_ns()));
    wait_until("it is noticed", || {
        metric(&page, "tickpath_database_failures_total") > 0
    });
    assert_eq!(database.rows().len(), 1_000);
    database.execute("DROP TRIGGER swallow ON book_levels");
    wait_until("all is there", || {
        metric(&page, "tickpath_database_rows_total") == 2_000
    });
    writer.finish(PATIENCE);
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));
}

#[test]
fn what_somebody_added_to_the_tables() {
    let postgres = Postgres::start();
    let url = postgres.url("postgres");
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 4_096);
    append(&mut appender, 0, &records(0, 100, now_ns()));
    let mut settings = settings(&url, journal.path());
    settings.retention_days = 7;
    bring_all(&settings);
    let database = Database::connect(&url);
    // Partitions of others are let be, whatever their names.
    database.execute(
        "CREATE TABLE trades_default PARTITION OF trades DEFAULT;
         CREATE TABLE kept_20010101 PARTITION OF trades FOR VALUES FROM ('2001-01-01 00:00Z') TO ('2001-01-02 00:00Z')",
    );
    append(&mut appender, 100, &records(100, 200, now_ns()));
    bring_all(&settings);
    assert_eq!(database.value("SELECT to_regclass('kept_20010101') IS NOT NULL"), "t");
    // A constraint that rows break is an error until it is gone, and costs no row.
    database.execute("ALTER TABLE quotes ADD CONSTRAINT few CHECK (position < 200)");
    let page = CounterPage::create("test").unwrap();
    let writer = Writer::start(settings, &page).unwrap();
    append(&mut appender, 200, &records(200, 1_200, now_ns()));
    wait_until("it is noticed", || {
        metric(&page, "tickpath_database_failures_total") > 0
    });
    database.execute("ALTER TABLE quotes DROP CONSTRAINT few");
    wait_until("all is there", || {
        metric(&page, "tickpath_database_rows_total") == 1_000
    });
    writer.finish(PATIENCE);
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));
}

#[test]
fn a_user_without_rights() {
    let postgres = Postgres::start();
    let database = Database::connect(&postgres.url("postgres"));
    database.execute("CREATE USER guest");
    let url = postgres.url_as("guest", "postgres");
    let journal = tempfile::tempdir().unwrap();
    let page = CounterPage::create("test").unwrap();
    let refusal = database::start(&config(&url, journal.path()), &page).unwrap_err();
    assert_eq!(refusal.code(), ExitCode::BadInput, "{refusal}");
    let text = refusal.to_string();
    assert!(text.contains("42501") && text.contains("GRANT"), "{text}");
    assert_eq!(text.matches("permission denied").count(), 1, "{text}");
    assert_eq!(
        database.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
        "0"
    );
    database.execute("GRANT ALL ON SCHEMA public TO guest");
    append(&mut appender(journal.path(), 1, 1_024), 0, &records(0, 100, now_ns()));
    bring_all(&settings(&url, journal.path()));
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));
}
