//! The journal in a real database: every record one exact row, whatever happens in between.

#[path = "postgres/load.rs"]
mod load;
mod postgres;
#[path = "postgres/rows.rs"]
mod rows;
#[path = "postgres/scratch.rs"]
mod scratch;

use load::{PATIENCE, append, appender, begin_run, bring_all, metric, records, settings, wait_until};
use postgres::Postgres;
use rows::{Database, assert_same_rows, expected_rows};
use scratch::Scratch;
use tickpath_protocol::{Flags, InstrumentId, Kind, Record, Scale, Venue};
use tickpath_storage::database::Writer;
use tickpath_storage::journal::{Journal, remove_segment};
use tickpath_transport::{CounterPage, now_ns};

/// Tests that hold on PostgreSQL, which they start, and on TimescaleDB, where a server with it is named. Each is given an empty database.
macro_rules! on_both {
    ($($test:ident,)*) => {
        mod plain {
            $(#[test]
            fn $test() {
                super::$test(&super::Postgres::start().url("postgres"));
            })*
        }
        mod timescale {
            $(#[test]
            fn $test() {
                if let Some(scratch) = super::Scratch::make(stringify!($test)) {
                    super::$test(&scratch.url());
                }
            })*
        }
    };
}

on_both! {
    every_record_is_one_exact_row,
    a_database_restored_from_a_backup_gets_again_what_it_lost,
    another_journal_is_another_progress,
    bars_are_right_before_and_after_they_are_kept,
    the_views_name_what_the_keys_mean,
    the_document_states_what_is_there,
    the_documents_ask_what_can_be_asked,
}

/// Numbers and times at their limits, in a table of each layout.
fn extremes() -> Vec<Record> {
    let mut records = Vec::new();
    let numbers = [i64::MIN, i64::MIN + 1, -1, 0, 1, 9_999, 10_000, i64::MAX];
    for (index, price) in numbers.into_iter().enumerate() {
        for decimals in 0..=15 {
            records.push(Record {
                kind: [Kind::Trade, Kind::Fill, Kind::OrderAccepted][index % 3] as u8,
                venue: Venue::KRAKEN.0,
                scale: Scale::new(decimals, 15 - decimals).unwrap().to_byte(),
                instrument: InstrumentId::new(Venue::KRAKEN, 0).0,
                price,
                size: numbers[(index + 3) % numbers.len()],
                ts_event: 1,
                ts_recv: 2,
                ..Record::default()
            });
        }
    }
    let times = [i64::MIN, -1, 0, 999, i64::MAX];
    for (ts_event, ts_recv) in times.into_iter().flat_map(|event| times.map(|recv| (event, recv))) {
        for kind in [Kind::Trade as u8, Kind::Status as u8, 0, 255] {
            records.push(Record {
                kind,
                venue: 255,
                flags: 255,
                scale: 255,
                instrument: InstrumentId::NONE.0,
                sequence: u64::MAX,
                ts_event,
                ts_recv,
                price: ts_event,
                size: ts_recv,
            });
        }
    }
    // An instrument that the journal has no row of.
    records.push(Record {
        kind: Kind::Quote as u8,
        instrument: InstrumentId::new(Venue::PAPER, 70_000).0,
        ..Record::default()
    });
    records
}

fn every_record_is_one_exact_row(url: &str) {
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 2_048);
    let extremes = extremes();
    append(&mut appender, 0, &extremes);
    let mut position = extremes.len() as u64;
    for batch in records(0, 9_000, now_ns()).chunks(701) {
        append(&mut appender, position, batch);
        position += batch.len() as u64;
    }
    // Another run begins at another position, and its ids mean other instruments.
    begin_run(&mut appender, 2);
    append(&mut appender, 5_000, &records(9_000, 12_000, now_ns()));
    appender.skip(8_000, 100);
    append(&mut appender, 8_100, &records(12_000, 12_010, now_ns()));

    let settings = settings(url, journal.path());
    bring_all(&settings);
    let database = Database::connect(url);
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));
    let recorded = Journal::open(journal.path()).unwrap().recorded().unwrap().unwrap();
    let progress = database.value("SELECT next_index FROM journal_progress");
    assert_eq!(progress, recorded.next_index.to_string());
    let gaps =
        database.query("SELECT cause, first_missing, last_missing, missing FROM v_gaps WHERE first_missing = 8000");
    assert_eq!(gaps, ["not_recorded|8000|8099|100"]);

    // Again: nothing is new, so nothing changes.
    bring_all(&settings);
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));
    assert_eq!(database.value("SELECT count(*) FROM runs"), "2");
}

#[test]
fn what_comes_while_the_database_is_away_is_brought_later() {
    let mut postgres = Postgres::start();
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 4_096);
    append(&mut appender, 0, &records(0, 1_000, now_ns()));
    let page = CounterPage::create("test").unwrap();
    let writer = Writer::start(settings(&postgres.url("postgres"), journal.path()), &page).unwrap();
    wait_until("the first rows", || {
        metric(&page, "tickpath_database_rows_total") == 1_000
    });

    postgres.stop();
    wait_until("noticed", || metric(&page, "tickpath_database_connected") == 0);
    for start in (1_000..41_000).step_by(500) {
        append(&mut appender, start, &records(start, start + 500, now_ns()));
    }
    wait_until("the lag is told", || {
        metric(&page, "tickpath_database_behind_records") == 40_000
    });
    assert!(metric(&page, "tickpath_database_behind_ms") > 0);
    postgres.resume();
    wait_until("drained", || metric(&page, "tickpath_database_behind_records") == 0);
    assert!(metric(&page, "tickpath_database_failures_total") > 0);
    writer.finish(PATIENCE);
    let database = Database::connect(&postgres.url("postgres"));
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));
}

fn a_database_restored_from_a_backup_gets_again_what_it_lost(url: &str) {
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 2_048);
    for start in (0..10_000).step_by(500) {
        append(&mut appender, start, &records(start, start + 500, now_ns()));
    }
    let settings = settings(url, journal.path());
    bring_all(&settings);
    let database = Database::connect(url);
    // As of record 3000, other keys and all.
    let forget = |from: u64| {
        for table in tickpath_storage::database::tables::Table::ALL {
            database.execute(&format!("DELETE FROM {} WHERE position >= {from}", table.name()));
        }
        database.execute(&format!("UPDATE journal_progress SET next_index = {from}"));
    };
    forget(3_000);
    bring_all(&settings);
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));

    // The same, and the journal has nothing older than its last two segments: that is a gap, and it is written down.
    forget(3_000);
    let segments = Journal::open(journal.path()).unwrap().segments().unwrap();
    let kept = segments[segments.len() - 2].header.first_index;
    for segment in &segments[..segments.len() - 2] {
        remove_segment(&segment.path).unwrap();
    }
    let page = bring_all(&settings);
    assert_eq!(metric(&page, "tickpath_database_gaps_total"), 1);
    let gaps = database.query("SELECT first_missing, last_missing FROM v_gaps WHERE cause LIKE 'ingest%'");
    assert_eq!(gaps, [format!("3000|{}", kept - 1)]);
    let found = database.query(&format!(
        "SELECT count(*), count(DISTINCT position) FROM ({}) AS rows",
        tickpath_storage::database::tables::Table::ALL
            .map(|table| format!("SELECT position FROM {}", table.name()))
            .join(" UNION ALL ")
    ));
    let expected = 3_000 + 10_000 - kept;
    assert_eq!(found, [format!("{expected}|{expected}")]);

    // A database that is ahead of a journal which was put back: said, and gone on with.
    database.execute("UPDATE journal_progress SET next_index = 999999");
    bring_all(&settings);
    let gaps = database.query("SELECT first_missing, last_missing FROM v_gaps WHERE last_missing = 999998");
    assert_eq!(gaps, ["10000|999998"]);
    assert_eq!(database.value("SELECT next_index FROM journal_progress"), "10000");
}

fn another_journal_is_another_progress(url: &str) {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut expected = Vec::new();
    for (journal, run) in [(&first, 11), (&second, 12)] {
        let mut appender = appender(journal.path(), run, 4_096);
        append(&mut appender, 0, &records(0, 2_000, now_ns()));
        bring_all(&settings(url, journal.path()));
        expected.extend(expected_rows(journal.path(), 0));
    }
    expected.sort();
    let database = Database::connect(url);
    assert_same_rows(&database.rows(), &expected);
    assert_eq!(
        database.value("SELECT count(*) FROM journal_progress WHERE next_index = 2000"),
        "2"
    );
    assert_eq!(database.value("SELECT count(*) FROM instruments"), "10");
}

fn trade(at_ns: i64, price: i64, size: i64) -> Record {
    Record {
        kind: Kind::Trade as u8,
        venue: Venue::KRAKEN.0,
        flags: Flags::BID.with(Flags::LAST).0,
        scale: Scale::new(2, 3).unwrap().to_byte(),
        instrument: InstrumentId::new(Venue::KRAKEN, 0).0,
        ts_event: at_ns,
        ts_recv: at_ns,
        price,
        size,
        ..Record::default()
    }
}

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

fn bars_are_right_before_and_after_they_are_kept(url: &str) {
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 4_096);
    // An hour that has ended; open and close share their times with others and are told apart by position.
    let start = now_ns() / (3_600 * SECOND) * 3_600 * SECOND - 7_200 * SECOND;
    let trades = [
        trade(start, 100, 1_000),
        trade(start, 300, 1_000),
        trade(start + SECOND / 2, 50, 1_500),
        trade(start + 61 * SECOND, 200, 250),
        trade(start + 61 * SECOND, 225, 250),
    ];
    append(&mut appender, 0, &trades);
    let mut image = trade(start, 99_999, 1);
    image.flags |= Flags::SNAPSHOT.0;
    append(&mut appender, 5, &[image]);
    let settings = settings(url, journal.path());
    bring_all(&settings);
    let database = Database::connect(url);
    let bars = |width: &str| {
        database.query(&format!(
            "SELECT venue, symbol, open, high, low, close, volume, trades FROM v_ohlcv_{width} ORDER BY bucket"
        ))
    };
    let check = |late: bool| {
        let first = "kraken|SYM1/USD|1.00|3.00|0.50|0.50|3.500|3";
        let (second, hour) = if late {
            (
                "kraken|SYM1/USD|2.00|9.00|2.00|9.00|1.500|3",
                "kraken|SYM1/USD|1.00|9.00|0.50|9.00|5.000|6",
            )
        } else {
            (
                "kraken|SYM1/USD|2.00|2.25|2.00|2.25|0.500|2",
                "kraken|SYM1/USD|1.00|3.00|0.50|2.25|4.000|5",
            )
        };
        assert_eq!(bars("1m"), [first, second]);
        assert_eq!(bars("1h"), [hour]);
        assert_eq!(bars("1s").len(), if late { 3 } else { 2 });
    };
    check(false);
    keep_bars(&database);
    assert_eq!(database.value("SELECT count(*) FROM ohlcv_1m"), "2");
    check(false);
    // A trade that comes late for bars which are kept.
    append(&mut appender, 6, &[trade(start + 90 * SECOND, 900, 1_000)]);
    bring_all(&settings);
    if !database.has_timescale() {
        // There its next refresh brings what came late.
        check(true);
    }
    keep_bars(&database);
    check(true);
}

/// One that comes two hours late makes the bars of two hours new: by the writer itself, slice by slice, until they are all kept again.
#[test]
fn bars_are_kept_again_after_a_late_trade() {
    let server = Postgres::start();
    let url = server.url("postgres");
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 4_096);
    let start = now_ns() / SECOND * SECOND - 7_200 * SECOND;
    let early: Vec<Record> = (1..72).map(|n| trade(start + 100 * n * SECOND, 100, 1_000)).collect();
    append(&mut appender, 0, &early);
    let settings = settings(&url, journal.path());
    bring_all(&settings);
    let database = Database::connect(&url);
    keep_bars(&database);
    assert_eq!(database.value("SELECT count(*) FROM ohlcv_1s"), "71");
    append(
        &mut appender,
        71,
        &[trade(start, 900, 1_000), trade(now_ns(), 100, 1_000)],
    );
    let page = CounterPage::create("test").unwrap();
    let writer = Writer::start(settings, &page).unwrap();
    wait_until("the late trade takes bars back", || {
        database.value("SELECT count(*) FROM bar_progress WHERE refreshed_to < now() - interval '1 hour'") == "3"
    });
    wait_until("all seconds are kept again", || {
        database.value(
            "SELECT count(*) FROM bar_progress WHERE unit = 'second' AND refreshed_to > now() - interval '1 minute'",
        ) == "1"
    });
    assert_eq!(database.value("SELECT count(*) FROM ohlcv_1s"), "72");
    assert_eq!(database.value("SELECT max(high)::numeric(9,2) FROM ohlcv_1m"), "9.00");
    writer.finish(PATIENCE);
}

/// A slice of bars reads the trades of its own time: behind a late trade there may be many more.
#[test]
fn a_slice_of_bars_reads_no_trade_of_another_time() {
    let server = Postgres::start();
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 4_096);
    let start = now_ns() / DAY * DAY - 2 * DAY;
    let records: Vec<Record> = (0..1_000)
        .map(|n| trade(start + n * 120 * SECOND, 100, 1_000))
        .collect();
    append(&mut appender, 0, &records);
    bring_all(&settings(&server.url("postgres"), journal.path()));
    let database = Database::connect(&server.url("postgres"));
    if database.has_timescale() {
        return; // Its refresh is its own.
    }
    let day_after = "'trades_' || to_char(now() AT TIME ZONE 'UTC' - interval '1 day', 'YYYYMMDD')";
    let read = || {
        database.value("SELECT pg_stat_force_next_flush()");
        let counts = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = ";
        database.value(&format!("{counts}{day_after}"))
    };
    let from = "date_trunc('day', now(), 'UTC') - interval '2 days'";
    database.execute(&format!("UPDATE bar_progress SET refreshed_to = {from}"));
    let before = read();
    database.execute(&format!("SELECT refresh_bars({from} + interval '2 hours')"));
    assert_eq!(database.value("SELECT count(*) FROM ohlcv_1s"), "60");
    assert_eq!(database.value("SELECT sum(trades) FROM ohlcv_1h"), "60");
    assert_eq!(read(), before);
}

/// Brings the kept bars forward, as the writer does, or TimescaleDB.
fn keep_bars(database: &Database) {
    if !database.has_timescale() {
        return database.execute("SELECT refresh_bars(now())");
    }
    for bars in ["ohlcv_1s", "ohlcv_1m", "ohlcv_1h"] {
        let refresh = format!("CALL refresh_continuous_aggregate('{bars}', NULL, NULL)");
        // Its own job may be at it.
        wait_until("bars can be refreshed", || database.try_execute(&refresh).is_ok());
    }
}

fn the_views_name_what_the_keys_mean(url: &str) {
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 4_096);
    let at = now_ns();
    let quote = |side: Flags, price: i64| Record {
        kind: Kind::Quote as u8,
        flags: side.0,
        ..trade(at, price, 1_000)
    };
    append(
        &mut appender,
        0,
        &[trade(at, 150, 2_000), quote(Flags::BID, 149), quote(Flags::ASK, 151)],
    );
    bring_all(&settings(url, journal.path()));
    let database = Database::connect(url);
    let trades = database
        .query("SELECT venue, symbol, side, price, size, notional FROM v_trades WHERE ts > now() - interval '1 hour'");
    assert_eq!(trades, ["kraken|SYM1/USD|buy|1.50|2.000|3.00000"]);
    let spread = database.query("SELECT venue, symbol, bid, ask, bid_size, spread FROM v_spread");
    assert_eq!(spread, ["kraken|SYM1/USD|1.49|1.51|1.000|0.02"]);
    for view in [
        "v_quotes",
        "v_book_levels",
        "v_status",
        "v_gaps",
        "v_ohlcv_1s",
        "v_ohlcv_1m",
        "v_ohlcv_1h",
    ] {
        database.query(&format!("SELECT * FROM {view}"));
    }
}

#[test]
fn old_days_are_dropped_and_rows_of_any_day_land() {
    let postgres = Postgres::start();
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 4_096);
    let now = now_ns();
    let day = 86_400 * SECOND;
    append(
        &mut appender,
        0,
        &[
            trade(now, 1, 1),
            trade(now - 30 * day, 2, 2),
            trade(now + 400 * day, 3, 3),
            trade(0, 4, 4),
        ],
    );
    let mut settings = settings(&postgres.url("postgres"), journal.path());
    bring_all(&settings);
    let database = Database::connect(&postgres.url("postgres"));
    assert_eq!(database.value("SELECT count(*) FROM trades"), "4");
    settings.retention_days = 7;
    bring_all(&settings);
    assert_eq!(database.query("SELECT price FROM trades ORDER BY ts"), ["0.01", "0.03"]);
    append(&mut appender, 4, &[trade(now - 30 * day, 5, 5)]);
    settings.retention_days = 60;
    bring_all(&settings);
    assert_eq!(
        database.query("SELECT price FROM trades ORDER BY ts"),
        ["0.05", "0.01", "0.03"]
    );
}

/// `docs/database.md` lists every view and table with its columns, and every metric.
fn the_document_states_what_is_there(url: &str) {
    let document = include_str!("../../docs/database.md");
    let stated = |heading: &str| -> Vec<(String, String)> {
        let section = document.split_once(&format!("\n## {heading}\n")).unwrap().1;
        let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
        let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
        let cells = rows.map(|line| line.trim_matches('|').split_once('|').unwrap());
        cells
            .map(|(name, rest)| (name.trim().to_owned(), rest.trim().to_owned()))
            .collect()
    };
    let journal = tempfile::tempdir().unwrap();
    append(&mut appender(journal.path(), 1, 1_024), 0, &records(0, 1, now_ns()));
    let page = bring_all(&settings(url, journal.path()));
    let database = Database::connect(url);
    for (names, columns) in stated("Views").into_iter().chain(stated("Tables")) {
        for name in names.split(", ") {
            let found = database.value(&format!(
                "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
                  WHERE attrelid = to_regclass('{name}') AND attnum > 0 AND NOT attisdropped"
            ));
            assert_eq!(found, columns, "{name}");
        }
    }
    let views = database.value("SELECT count(*) FROM pg_views WHERE schemaname = 'public' AND viewname LIKE 'v\\_%'");
    assert_eq!(views, stated("Views").len().to_string());
    let view = tickpath_transport::CounterView::open(page.file().reader_fd().unwrap()).unwrap();
    let mut metrics: Vec<String> = view.metrics().into_iter().map(|metric| metric.name).collect();
    let mut named: Vec<String> = stated("Figures to watch").into_iter().map(|(name, _)| name).collect();
    metrics.sort();
    named.sort();
    assert_eq!(named, metrics);
}

/// What the documents offer to copy works.
fn the_documents_ask_what_can_be_asked(url: &str) {
    let journal = tempfile::tempdir().unwrap();
    append(&mut appender(journal.path(), 1, 1_024), 0, &records(0, 100, now_ns()));
    bring_all(&settings(url, journal.path()));
    let database = Database::connect(url);
    let mut asked = 0;
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("\n## Ask a database\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    for document in [section, include_str!("../../docs/database.md")] {
        for block in document.split("```sql\n").skip(1) {
            let block = block.split_once("```").unwrap().0;
            // Grafana puts the range of its panel in.
            let block = block.replace("$__timeFilter(bucket)", "bucket > now() - interval '1 hour'");
            let block = block.replace("$__timeFilter(ts)", "ts > now() - interval '1 hour'");
            for statement in block.split(';').filter(|statement| !statement.trim().is_empty()) {
                database.query(statement);
                asked += 1;
            }
        }
    }
    assert!(asked >= 10, "{asked}");
}
