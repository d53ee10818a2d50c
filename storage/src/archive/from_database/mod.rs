//! From the database to Parquet, where the journal is no longer at hand: the same partitions, with less in them.
//!
//! A database keeps neither the time of publication (`published` is NULL), nor the stream's id of the instrument (`instrument` is NULL; symbol
//! and name are there), nor the decimals of a number that is absent. Everything else is exact. `journal_index` is derived: a run's rows stand
//! in the order of their positions and the run's indices are dense, so it is counted, from the run's end, because rows of old days are dropped
//! from the database first.
//!
//! Everything is read in one snapshot, so that a writer at work changes nothing. What was exported from the journal is never replaced by as
//! many or fewer rows of the database.

mod numeric;
mod query;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tickpath_protocol::Venue;
use tickpath_service::Shutdown;
use tickpath_service::config::DatabaseUrl;
use tokio_postgres::{Client, IsolationLevel};

use self::query::{Instruments, Run, Share, Shares};
use super::Progress;
use super::date::Date;
use super::day::Day;
use super::error::ArchiveError;
use super::export::{Done, Options, begin};
use super::manifest::{Gap, Gaps, Manifest, Origin, hex};
use super::names::Names;
use super::row::Partition;
use super::sort::{Order, Sorted, Sorter};
use crate::database::DatabaseError;
use crate::database::schema;
use crate::database::server::Server;

/// Rows between two looks at whether to stop.
const LOOK_EVERY: u64 = 10_000;

/// Exports what a database holds of a journal to the archive in `root`; `journal` is its id, and may be left out if the database knows one alone.
///
/// # Errors
/// As [`ArchiveError`] says. Partitions that were put in their place stay; there is no half of one.
pub fn export(
    url: &DatabaseUrl,
    journal: Option<u64>,
    root: &Path,
    options: &Options,
    progress: &dyn Progress,
    stop: &Shutdown,
) -> Result<Done, ArchiveError> {
    let _lock = begin(root, progress)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(DatabaseError::Start)?;
    runtime.block_on(async {
        let server = Server::at(url)?;
        let mut connection = server.connect().await?;
        let unusable = |reason: String| ArchiveError::Unusable {
            server: server.name().to_owned(),
            reason,
        };
        let lost = |error: tokio_postgres::Error| unusable(format!("no snapshot can be taken: {error}"));
        let found = schema::look(&connection.client).await?;
        if found.found != found.known {
            let reason = "it has no schema of Tickpath, or an older one: point a recorder of this version to it first";
            return Err(unusable(reason.to_owned()));
        }
        // One snapshot for all that is asked.
        let snapshot = connection.client.build_transaction().read_only(true);
        let snapshot = snapshot.isolation_level(IsolationLevel::RepeatableRead).start().await;
        let snapshot = snapshot.map_err(lost)?;
        let client = snapshot.client();
        let journals = query::journals(client).await?;
        let (journal, next_index) = choose(&journals, journal).map_err(unusable)?;
        let runs = query::runs(client, journal, next_index).await?;
        let missing = query::missing(client, journal).await?;
        if let (Some((first, _)), Some((_, last))) = (missing.first(), missing.last()) {
            let records: u64 = missing.iter().map(|(first, last)| last - first + 1).sum();
            progress.note(&format!(
                "{records} records of the journal never came to the database, between index {first} and {last}"
            ));
        }
        let mut export = Export {
            client,
            server: server.name(),
            journal,
            runs,
            missing,
            root,
            options,
            progress,
            stop,
            done: Done::default(),
        };
        export.all().await?;
        Ok(export.done)
    })
}

fn choose(journals: &[(u64, u64)], wanted: Option<u64>) -> Result<(u64, u64), String> {
    match (journals, wanted) {
        ([], _) => Err("it holds no journal yet".to_owned()),
        ([one], None) => Ok(*one),
        (many, None) => Err(format!(
            "it holds {} journals: say which with --journal DIR",
            many.len()
        )),
        (many, Some(wanted)) => {
            let found = many.iter().find(|(id, _)| *id == wanted);
            found
                .copied()
                .ok_or_else(|| format!("it never met journal {}", hex(wanted)))
        }
    }
}

struct Export<'a> {
    client: &'a Client,
    server: &'a str,
    journal: u64,
    runs: Vec<Run>,
    /// Indices that never came to the database, rising.
    missing: Vec<(u64, u64)>,
    root: &'a Path,
    options: &'a Options,
    progress: &'a dyn Progress,
    stop: &'a Shutdown,
    done: Done,
}

impl Export<'_> {
    async fn all(&mut self) -> Result<(), ArchiveError> {
        self.progress.begin("looking through the database", 0);
        let shares = query::shares(self.client, &self.runs, self.options.date).await?;
        let dates = self.dates(&shares).await?;
        let mut names = Names::default();
        let instruments = query::instruments(self.client, &mut names).await?;
        for date in dates {
            let shares: Shares = shares
                .iter()
                .filter(|(partition, _)| partition.date == date)
                .map(|(partition, share)| (*partition, share.clone()))
                .collect();
            let wanted = self.plan(&shares)?;
            if !wanted.is_empty() {
                self.day(date, &shares, &wanted, &instruments, &mut names).await?;
            }
        }
        Ok(())
    }

    async fn dates(&mut self, shares: &Shares) -> Result<Vec<Date>, ArchiveError> {
        let mut dates: Vec<Date> = shares.keys().map(|partition| partition.date).collect();
        dates.dedup();
        if let Some(date) = self.options.date {
            if dates.is_empty() {
                let all = query::shares(self.client, &self.runs, None).await?;
                return Err(ArchiveError::NoData {
                    origin: Origin::Database,
                    date,
                    first: all.keys().next().map(|partition| partition.date),
                    last: all.keys().next_back().map(|partition| partition.date),
                });
            }
            return Ok(dates);
        }
        let (complete, open) = dates.into_iter().partition(|date| self.options.is_complete(*date));
        self.done.open_days = open;
        Ok(complete)
    }

    /// The partitions of a day that are to be written.
    fn plan(&mut self, shares: &Shares) -> Result<BTreeSet<Partition>, ArchiveError> {
        let mut wanted = BTreeSet::new();
        for (partition, of_runs) in shares {
            if self.options.venue.is_some_and(|venue| venue != partition.venue) {
                continue;
            }
            let Some(manifest) = Manifest::read(&self.root.join(partition.path()))? else {
                wanted.insert(*partition);
                continue;
            };
            if manifest.journal != hex(self.journal) {
                return Err(ArchiveError::OtherJournal {
                    partition: *partition,
                    known: manifest.journal,
                    journal: hex(self.journal),
                });
            }
            let rows: u64 = of_runs.values().map(|share| share.rows).sum();
            let gaps = gaps_of_day(partition, shares);
            // As many rows, and gaps that are no longer there: what stood in another table was dropped.
            let knows_more = manifest.source == Origin::Journal || manifest.gaps.count > gaps;
            if self.is_current(&manifest, gaps, partition, shares) {
                self.done.unchanged += 1;
            } else if rows < manifest.contents.rows || rows == manifest.contents.rows && knows_more {
                self.done.kept += 1;
            } else {
                wanted.insert(*partition);
            }
        }
        Ok(wanted)
    }

    /// Rows of a database never change: as many between the same two positions of the same runs are the same.
    fn is_current(&self, manifest: &Manifest, gaps: u64, partition: &Partition, shares: &Shares) -> bool {
        let of_runs = &shares[partition];
        let is_same = |run: &Run| match (of_runs.get(&run.key), manifest.contents.runs.get(&hex(run.run_id))) {
            (Some(share), Some(known)) => {
                (share.rows, share.first, share.last) == (known.rows, known.first, known.last)
            }
            (None, None) => true,
            _ => false,
        };
        manifest.source == Origin::Database
            && manifest.partial != self.options.is_complete(partition.date)
            && manifest.gaps.count == gaps
            && self.runs.iter().all(is_same)
    }

    async fn day(
        &mut self,
        date: Date,
        shares: &Shares,
        wanted: &BTreeSet<Partition>,
        instruments: &Instruments,
        names: &mut Names,
    ) -> Result<(), ArchiveError> {
        let total = shares.values().flat_map(BTreeMap::values).map(|share| share.rows).sum();
        self.progress.begin(&format!("reading {date}"), total);
        let mut sorter = Sorter::new(Order::Partition, self.options.sort_rows_max, self.root);
        let mut gaps: BTreeMap<(Date, Venue), Gaps> = BTreeMap::new();
        for run in &self.runs {
            let of_run = shares.values().filter_map(|of_runs| of_runs.get(&run.key));
            let Some(span) = of_run.copied().reduce(Share::with) else {
                continue;
            };
            let mut indices = self.indices(run, span.first).await?;
            let mut count: u64 = 0;
            query::rows(
                self.client,
                run,
                (span.first, span.last),
                (instruments, names),
                |mut row, names| {
                    row.index = indices.next();
                    count += 1;
                    if count.is_multiple_of(LOOK_EVERY) {
                        self.progress.advance(LOOK_EVERY);
                        if self.stop.is_requested() {
                            return Err(ArchiveError::Stopped);
                        }
                    }
                    let partition = Partition::of(&row.record);
                    if partition.date == date
                        && let Some(gap) = Gap::of(&row, names)
                    {
                        gaps.entry((date, partition.venue)).or_default().add(gap);
                    }
                    if wanted.contains(&partition) {
                        sorter.push(partition, row, names)?;
                    }
                    Ok(())
                },
            )
            .await?;
        }
        let sorted: Vec<(Partition, Sorted)> = sorter.finish(names);
        let day = Day {
            root: self.root,
            origin: Origin::Database,
            journal: hex(self.journal),
            gaps: &gaps,
            options: self.options,
            date,
            progress: self.progress,
            stop: self.stop,
        };
        day.write(sorted, names, &mut self.done)
    }

    /// Journal indices of a run's rows from a position on.
    async fn indices(&self, run: &Run, position: u64) -> Result<Indices, ArchiveError> {
        let (before, from_here) = query::ranks(self.client, run, position).await?;
        let indices = Indices::counted_back(run, &self.missing, from_here);
        let (indices, there) = indices.ok_or_else(|| ArchiveError::Unusable {
            server: self.server.to_owned(),
            reason: format!(
                "it holds more records of run {} than its journal has indices, so the journal was cut or restored: export the journal itself",
                hex(run.run_id)
            ),
        })?;
        if before < there {
            self.progress.note(&format!(
                "run {} is no longer in the database from its beginning: journal_index is counted from its end",
                hex(run.run_id)
            ));
        }
        Ok(indices)
    }
}

/// Gaps of the partition's venue, and of the whole stream, on its day.
fn gaps_of_day(partition: &Partition, shares: &Shares) -> u64 {
    let is_told = |venue: Venue| venue == partition.venue || venue == Venue::NONE;
    let of_venues = shares.iter().filter(|(other, _)| is_told(other.venue));
    let of_runs = of_venues.flat_map(|(_, of_runs)| of_runs.values());
    of_runs.map(|share| share.gaps).sum()
}

/// Indices in rising order, those that never came to the database left out.
#[derive(Debug)]
struct Indices {
    next: u64,
    /// What is to be left out from `next` on, rising.
    skips: Vec<(u64, u64)>,
}

impl Indices {
    /// The indices of a run's last `count` rows, and how many the run has before them; `None` if it has not so many.
    fn counted_back(run: &Run, missing: &[(u64, u64)], count: u64) -> Option<(Indices, u64)> {
        let within = |(first, last): &(u64, u64)| {
            let (first, end) = ((*first).max(run.first_index), last.saturating_add(1).min(run.end_index));
            (first < end).then_some((first, end))
        };
        let skips: Vec<(u64, u64)> = missing.iter().filter_map(within).collect();
        let (mut end, mut left) = (run.end_index, count);
        let mut kept = skips.len();
        for (at, (first, skip_end)) in skips.iter().enumerate().rev() {
            let above = end.checked_sub(*skip_end)?;
            if left <= above {
                break;
            }
            left -= above;
            (end, kept) = (*first, at);
        }
        let next = end.checked_sub(left).filter(|next| *next >= run.first_index)?;
        let before: u64 = skips[..kept].iter().map(|(first, end)| end - first).sum();
        let there = (next - run.first_index).checked_sub(before)?;
        let skips = skips[kept..].to_vec();
        Some((Indices { next, skips }, there))
    }

    fn next(&mut self) -> u64 {
        while let Some((first, end)) = self.skips.first().copied()
            && self.next >= first
        {
            self.next = end;
            self.skips.remove(0);
        }
        self.next += 1;
        self.next - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `count` rows at the end of a run of the indices 10 to 29 have for indices, and how many stand before them.
    fn check(missing: &[(u64, u64)], count: u64, expected: Option<(Vec<u64>, u64)>) {
        let run = Run {
            key: 1,
            run_id: 7,
            first_index: 10,
            end_index: 30,
        };
        let found = Indices::counted_back(&run, missing, count).map(|(mut indices, before)| {
            let all = (0..count).map(|_| indices.next()).collect();
            (all, before)
        });
        assert_eq!(found, expected, "{missing:?} {count}");
    }

    #[test]
    fn indices_are_counted_from_the_end() {
        check(&[], 20, Some(((10..30).collect(), 0)));
        check(&[], 3, Some((vec![27, 28, 29], 17)));
        check(&[], 21, None);
        check(&[(0, 5), (40, 50)], 3, Some((vec![27, 28, 29], 17)));
    }

    #[test]
    fn what_never_came_is_left_out() {
        check(&[(28, 28)], 3, Some((vec![26, 27, 29], 16)));
        check(&[(5, 11), (20, 27)], 3, Some((vec![19, 28, 29], 7)));
        check(&[(20, 29)], 10, Some(((10..20).collect(), 0)));
        check(&[(25, 40)], 2, Some((vec![23, 24], 13)));
        check(&[(20, 29)], 11, None);
        check(&[(10, 29)], 0, Some((vec![], 0)));
    }
}
