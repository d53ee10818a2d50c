//! The database to Parquet: what it keeps is exact, and what the journal exported is never replaced by less.

#[path = "postgres/load.rs"]
mod load;
mod postgres;
#[path = "postgres/rows.rs"]
mod rows;

use std::path::{Path, PathBuf};

use load::{append, appender, begin_run, bring_all, records, settings};
use postgres::Postgres;
use rows::Database;
use tickpath_protocol::{GapCause, InstrumentId, Venue};
use tickpath_service::Shutdown;
use tickpath_storage::archive::export::{Done, Options, export};
use tickpath_storage::archive::from_database;
use tickpath_storage::archive::manifest::Origin;
use tickpath_storage::archive::place::inventory;
use tickpath_storage::archive::verify::{Report, verify};
use tickpath_storage::archive::{ArchiveError, Date, Manifest, Quiet};
use tickpath_storage::journal::Journal;
use tickpath_transport::now_ns;

const DAY_NS: i64 = 86_400_000_000_000;

/// A database with a journal of two runs over two days, a lap between two records and a gap, and an empty archive.
struct Place {
    postgres: Postgres,
    dir: tempfile::TempDir,
    /// Midnight between the days.
    midnight: i64,
}

impl Place {
    fn new() -> Place {
        let postgres = Postgres::start();
        let dir = tempfile::tempdir().unwrap();
        let midnight = (now_ns() / DAY_NS - 1) * DAY_NS;
        let place = Place {
            postgres,
            dir,
            midnight,
        };
        let mut appender = appender(&place.journal_dir(), 1, 2_048);
        // Records are a microsecond apart: the day ends in the middle of the first run.
        append(&mut appender, 100, &records(0, 3_000, midnight - 1_500 * 1_001));
        appender.skip(3_100, 50);
        append(&mut appender, 3_150, &records(3_000, 4_000, midnight + 10_000_000));
        begin_run(&mut appender, 2);
        append(&mut appender, 7, &records(4_000, 5_000, midnight + 20_000_000));
        let gap = GapCause::Checksum.record(Venue::KRAKEN, InstrumentId::NONE, midnight + 5, midnight + 6, 3, 7);
        append(&mut appender, 1_007, &[gap]);
        drop(appender);
        bring_all(&settings(&place.url(), &place.journal_dir()));
        place
    }

    fn url(&self) -> String {
        self.postgres.url("postgres")
    }

    fn journal_dir(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    fn journal(&self) -> Journal {
        Journal::open(&self.journal_dir()).unwrap()
    }

    fn options(&self) -> Options {
        Options::at(self.midnight + 10 * DAY_NS)
    }

    fn export_database(&self, options: &Options) -> Result<Done, ArchiveError> {
        let url = self.url().parse().unwrap();
        from_database::export(&url, None, &self.archive(), options, &Quiet, &Shutdown::new())
    }

    fn export_journal(&self) -> Done {
        let (journal, options) = (self.journal(), self.options());
        export(&journal, &self.archive(), &options, &Quiet, &Shutdown::new()).unwrap()
    }

    fn verify(&self, now_ns: i64) -> Report {
        verify(&self.archive(), Some(&self.journal()), now_ns, &Quiet).unwrap()
    }

    fn manifests(&self) -> Vec<Manifest> {
        manifests(&self.archive())
    }
}

fn manifests(archive: &Path) -> Vec<Manifest> {
    let partitions = inventory(archive).unwrap().partitions.into_iter();
    partitions
        .map(|partition| Manifest::read(&archive.join(partition.path())).unwrap().unwrap())
        .collect()
}

#[test]
fn the_database_s_archive_is_the_journal_s_but_for_what_it_does_not_keep() {
    let place = Place::new();
    let done = place.export_database(&place.options()).unwrap();
    let report = place.verify(i64::MAX);
    assert_eq!(report.differences, []);
    // The recorder's own gap of the lap is a record as well.
    assert_eq!((done.rows, report.compared), (5_002, 5_002));
    let again = place.export_database(&place.options()).unwrap();
    assert_eq!((again.written, again.unchanged), (0, done.written));
    // The journal, which knows more, takes its place, and is not replaced in turn.
    let of_database = place.manifests();
    assert_eq!(place.export_journal().written, done.written);
    let of_journal = place.manifests();
    for (theirs, ours) in of_database.iter().zip(&of_journal) {
        assert_eq!((theirs.source, ours.source), (Origin::Database, Origin::Journal));
        assert_eq!((&theirs.contents, &theirs.gaps), (&ours.contents, &ours.gaps));
    }
    let kept = place.export_database(&place.options()).unwrap();
    assert_eq!((kept.written, kept.kept), (0, done.written));
    assert_eq!(place.manifests(), of_journal);
}

#[test]
fn a_day_of_which_rows_were_dropped_is_counted_from_the_end_and_keeps_what_was_exported() {
    let place = Place::new();
    let database = Database::connect(&place.url());
    let yesterday = Date::of_ns(place.midnight - 1);
    let today = Date::of_ns(place.midnight);
    let of_day = |date| Options {
        date: Some(date),
        ..place.options()
    };
    place.export_database(&of_day(yesterday)).unwrap();
    let before = place.manifests();
    for table in [
        "trades",
        "quotes",
        "book_levels",
        "status_events",
        "orders",
        "fills",
        "signals",
    ] {
        database.execute(&format!(
            "DELETE FROM {table} WHERE position BETWEEN 100 AND 1000 AND run = 1"
        ));
    }
    let done = place.export_database(&of_day(yesterday)).unwrap();
    assert_eq!((done.written, done.kept), (0, before.len() as u64));
    place.export_database(&of_day(today)).unwrap();
    // The lap was noticed just now, so its day is not over.
    assert_eq!(place.verify(now_ns()).differences, []);
    for table in [
        "trades",
        "quotes",
        "book_levels",
        "status_events",
        "orders",
        "fills",
        "signals",
    ] {
        database.execute(&format!("DELETE FROM {table} WHERE ts_recv_ns < {}", place.midnight));
    }
    let error = place.export_database(&of_day(yesterday)).unwrap_err().to_string();
    let expected = format!("the database holds no record of {yesterday}; it holds {today}");
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn a_database_without_a_journal_or_a_schema_is_refused_in_words() {
    let postgres = Postgres::start();
    let refused = |url: &str, journal| {
        let dir = tempfile::tempdir().unwrap();
        let url = url.parse().unwrap();
        let error = from_database::export(&url, journal, dir.path(), &Options::at(0), &Quiet, &Shutdown::new());
        assert!(manifests(dir.path()).is_empty());
        error.unwrap_err().to_string()
    };
    let error = refused(&postgres.url("postgres"), None);
    assert!(error.contains("has no schema of Tickpath"), "{error}");
    let error = refused(&postgres.url("nowhere"), None);
    assert!(error.contains("refuses"), "{error}");
    drop(postgres);
    let place = Place::new();
    let error = refused(&place.url(), Some(7));
    assert!(error.contains("never met journal 0000000000000007"), "{error}");
}
