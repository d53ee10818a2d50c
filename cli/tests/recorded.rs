//! Captures through the whole pipeline, simulator, collector, relay and recorder, and what DuckDB and PostgreSQL then hold of them.

#[path = "../../storage/tests/postgres/mod.rs"]
mod postgres;
#[path = "../../storage/tests/postgres/rows.rs"]
mod rows;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use postgres::Postgres;
use rows::Database;
use support::place::{Place, analysis, decoded_lines};
use support::{Pipeline, capture_roots, stderr, wait_for};
use tickpath_collectors::offline::decode_capture;
use tickpath_protocol::{Kind, Record, Side};
use tickpath_storage::archive::Date;
use tickpath_storage::archive::manifest::Manifest;
use tickpath_storage::archive::place::inventory;
use tickpath_storage::journal::{Batch, Journal};

/// Symbol, kind and side; how many records, and the sums of their prices and sizes as decimal text.
type Totals = BTreeMap<(String, String, String), (u64, String, String)>;

/// A count and sums of mantissas by symbol, kind and side equal those of `tickpath decode`, in DuckDB over the exported archive and in PostgreSQL.
#[test]
#[ignore = "wants a Python with the packages of analysis/requirements.txt in TICKPATH_TEST_PYTHON: scripts/test analysis"]
fn archive_and_database_hold_what_decode_prints() {
    let mut checked = 0;
    for root in capture_roots() {
        for venue in ["binance", "coinbase", "kraken"] {
            if root.join(venue).join("ws.tsv").is_file() {
                check(&root, venue);
                checked += 1;
            }
        }
    }
    assert!(checked >= 3, "only {checked} captures were found");
}

fn check(root: &Path, venue: &str) {
    let (place, postgres) = (Place::new(), Postgres::start());
    let (expected, count) = decoded(root, venue);
    let mut pipeline = Pipeline::new(&format!(
        "replay = \"{}\"\nspeed = \"20\"\n[collectors.{venue}]\nsymbols = [\"*\"]\n[recorder]\ndir = \"{}\"\n[database]\nurl = \"{}\"\n",
        root.canonicalize().unwrap().display(),
        place.journal().display(),
        postgres.url("postgres"),
    ));
    pipeline.start("relay", "tickpath-relay", &[]);
    pipeline.start("simulator", "tickpath-simulator", &[]);
    pipeline.start("recorder", "tickpath-recorder", &[]);
    wait_for("the recorder", || Journal::open(&place.journal()).ok());
    pipeline.start("collector", "tickpath-collector", &[venue]);
    let mut recorded = Recorded::default();
    wait_for("the whole capture in the journal", || {
        recorded.read(&place.journal());
        (recorded.of_market >= count).then_some(())
    });
    let database = Database::connect(&postgres.url("postgres"));
    wait_for("the journal in the database", || {
        let next = database.value("SELECT coalesce(max(next_index), 0) FROM journal_progress");
        (next.parse::<u64>().unwrap() >= recorded.index).then_some(())
    });
    drop(pipeline);
    assert_eq!(of_database(&database), expected, "{}/{venue}", root.display());
    // What was received around midnight is on two days.
    for date in recorded.dates {
        let done = place.export(&["--date", &date.to_string()]);
        assert!(done.status.success(), "{}", stderr(&done));
    }
    assert!(place.verify().status.success());
    for partition in inventory(&place.archive()).unwrap().partitions {
        let manifest = Manifest::read(&place.archive().join(partition.path()))
            .unwrap()
            .unwrap();
        // Kraken sends a checksum with each change of a book; all of a whole capture agree.
        let is_rated = (venue, manifest.table.as_str()) == ("kraken", "book_levels");
        assert_eq!(manifest.checksums.pass_rate, is_rated.then_some(1.0), "{partition:?}");
    }
    let lines = decoded_lines(root, venue, &place);
    let said = analysis("check.py", &place, &[lines]);
    eprintln!("{}/{venue}: {}", root.display(), said.trim());
}

fn is_of_market(record: &Record) -> bool {
    matches!(
        record.kind(),
        Some(Kind::Trade | Kind::Quote | Kind::BookLevel | Kind::BookClear)
    )
}

/// Totals of a capture by the offline decoder, and how many records of the market it has.
fn decoded(root: &Path, venue: &str) -> (Totals, usize) {
    let mut sums: BTreeMap<_, (u64, i128, i128, _)> = BTreeMap::new();
    let mut count = 0;
    decode_capture(venue.parse().unwrap(), &root.join(venue), |record, table| {
        if !is_of_market(record) {
            return;
        }
        count += 1;
        let instrument = table.get(record.instrument()).unwrap();
        let key = (instrument.symbol.clone(), kind_name(record), side_name(record));
        let sum = sums.entry(key).or_insert((0, 0, 0, instrument.scale));
        let mantissa = |number: i64| i128::from(if number == Record::ABSENT { 0 } else { number });
        sum.0 += 1;
        if record.kind() != Some(Kind::BookClear) {
            sum.1 += mantissa(record.price);
            sum.2 += mantissa(record.size);
        }
    })
    .unwrap();
    let text = |(count, price, size, scale): (u64, i128, i128, tickpath_protocol::Scale)| {
        let price = decimal(price, scale.price_decimals());
        (count, price, decimal(size, scale.size_decimals()))
    };
    (sums.into_iter().map(|(key, sum)| (key, text(sum))).collect(), count)
}

fn kind_name(record: &Record) -> String {
    record.kind().unwrap().name().to_owned()
}

fn side_name(record: &Record) -> String {
    match record.flags().side() {
        Some(Side::Bid) => "1".into(),
        Some(Side::Ask) => "2".into(),
        None => "-".into(),
    }
}

/// A sum of mantissas as PostgreSQL's `trim_scale` prints it.
fn decimal(mantissa: i128, decimals: u8) -> String {
    let unit = 10_i128.pow(decimals.into());
    let (whole, rest) = (mantissa / unit, (mantissa % unit).abs());
    let digits = format!("{whole}.{rest:0width$}", width = usize::from(decimals));
    match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits,
    }
}

/// The same totals by PostgreSQL.
fn of_database(database: &Database) -> Totals {
    let kinds = [
        ("trades", "'trade'"),
        ("quotes", "'quote'"),
        (
            "book_levels",
            "CASE kind WHEN 3 THEN 'book_level' ELSE 'book_clear' END",
        ),
    ];
    let mut totals = Totals::new();
    for (table, kind) in kinds {
        let rows = database.query(&format!(
            "SELECT symbol, {kind} AS what, coalesce(side::text, '-'), count(*),
                    trim_scale(coalesce(sum(price), 0)), trim_scale(coalesce(sum(size), 0))
             FROM {table} JOIN instruments USING (instrument) GROUP BY 1, 2, 3"
        ));
        for row in rows {
            let fields: Vec<&str> = row.split('|').collect();
            let [symbol, kind, side, count, price, size] = fields[..] else {
                panic!("{row}");
            };
            let key = (symbol.to_owned(), kind.to_owned(), side.to_owned());
            totals.insert(key, (count.parse().unwrap(), price.to_owned(), size.to_owned()));
        }
    }
    totals
}

/// What of a journal that is being written was read so far.
#[derive(Default)]
struct Recorded {
    index: u64,
    of_market: usize,
    dates: BTreeSet<Date>,
}

impl Recorded {
    fn read(&mut self, journal: &Path) {
        let journal = Journal::open(journal).unwrap();
        let mut cursor = journal.cursor(self.index).unwrap();
        if let Some(recorded) = journal.recorded().unwrap() {
            cursor.set_limit(recorded.next_index);
        }
        let mut batch = Batch::default();
        while cursor.next(&mut batch).unwrap() {
            self.of_market += batch.records.iter().filter(|record| is_of_market(record)).count();
            self.dates
                .extend(batch.records.iter().map(|record| Date::of_ns(record.ts_recv)));
        }
        self.index = cursor.position();
    }
}
