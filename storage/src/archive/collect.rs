//! Which segments of a journal are no longer needed: those of which every record is in a partition that was just verified against the journal
//! and, where there is a database, in the database. Those from the newest image of the engine's account on are: its next session begins there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tickpath_protocol::Venue;
use tickpath_service::config::DatabaseUrl;

use super::Progress;
use super::error::ArchiveError;
use super::manifest::{Manifest, Origin};
use super::names::Names;
use super::row::Partition;
use super::source::JournalRows;
use super::verify::{Report, verify};
use crate::database::DatabaseError;
use crate::database::server::Server;
use crate::journal::{Journal, SegmentInfo, newest_image};

/// A segment, and whether it is still needed.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The segment.
    pub segment: SegmentInfo,
    /// Why it must stay; `None`: it may be deleted.
    pub kept_because: Option<String>,
}

/// What the archive and the database hold of a journal.
#[derive(Debug)]
pub struct Findings {
    /// Every segment in order of index. What may be deleted comes first: a journal has no holes.
    pub verdicts: Vec<Verdict>,
    /// What the verification found.
    pub report: Report,
}

/// Looks at every segment of a journal.
///
/// `database_next_index` is the index up to which a database holds the journal; `None` if there is no database to wait for.
///
/// # Errors
/// If journal or archive cannot be read.
pub fn look(
    journal: &Journal,
    archive: &Path,
    database_next_index: Option<u64>,
    now_ns: i64,
    progress: &dyn Progress,
) -> Result<Findings, ArchiveError> {
    let report = verify(archive, Some(journal), now_ns, progress)?;
    let mut manifests = BTreeMap::new();
    for partition in &report.verified {
        if let Some(manifest) = Manifest::read(&archive.join(partition.path()))? {
            manifests.insert(*partition, manifest);
        }
    }
    let needed = needed_by_engine(journal)?;
    let mut verdicts: Vec<Verdict> = Vec::new();
    for segment in journal.segments()? {
        let before = verdicts.last().is_some_and(|verdict| verdict.kept_because.is_some());
        let kept_because = match before {
            true => Some("an older segment is kept, and a journal has no holes".to_owned()),
            false => match needed.reason(&segment) {
                Some(reason) => Some(reason),
                None => reason(journal, &segment, &manifests, database_next_index)?,
            },
        };
        verdicts.push(Verdict { segment, kept_because });
    }
    Ok(Findings { verdicts, report })
}

/// What the engine's next session has to find in the journal.
enum Needed {
    /// It never traded.
    Nothing,
    /// Its records, from the first on.
    All,
    /// What stands at this index and after it.
    From(u64),
}

fn needed_by_engine(journal: &Journal) -> Result<Needed, ArchiveError> {
    let search = newest_image(journal, Venue::PAPER, &mut || true)?;
    Ok(match search.found {
        Some(place) => Needed::From(place.index),
        None if search.has_engine => Needed::All,
        None => Needed::Nothing,
    })
}

impl Needed {
    fn reason(&self, segment: &SegmentInfo) -> Option<String> {
        match self {
            Needed::Nothing => None,
            Needed::All => Some(
                "the engine's account is in its records alone, there is no whole image of it: it writes one at its next start, unless it halts".into(),
            ),
            Needed::From(index) if segment.next_index.is_none_or(|next| next > *index) => Some(format!(
                "the engine goes on from its account's image at index {index}"
            )),
            Needed::From(_) => None,
        }
    }
}

fn reason(
    journal: &Journal,
    segment: &SegmentInfo,
    manifests: &BTreeMap<Partition, Manifest>,
    database_next_index: Option<u64>,
) -> Result<Option<String>, ArchiveError> {
    let Some(next_index) = segment.next_index.filter(|_| segment.sealed) else {
        return Ok(Some("it is not sealed".into()));
    };
    if let Some(held) = database_next_index.filter(|held| *held < next_index) {
        return Ok(Some(format!(
            "the database holds records up to index {held}, it goes up to {next_index}"
        )));
    }
    for partition in partitions_of(journal, segment.header.first_index, next_index)? {
        match manifests.get(&partition) {
            Some(manifest) if manifest.partial => {
                return Ok(Some(format!("{partition} was exported before its day was over")));
            }
            Some(manifest) if manifest.source != Origin::Journal => {
                let what =
                    format!("{partition} was exported from the database, which keeps less: export the journal too");
                return Ok(Some(what));
            }
            Some(_) => {}
            None => return Ok(Some(format!("{partition} is not in the archive, or did not verify"))),
        }
    }
    Ok(None)
}

fn partitions_of(journal: &Journal, from: u64, until: u64) -> Result<BTreeSet<Partition>, ArchiveError> {
    let mut found = BTreeSet::new();
    if from == until {
        return Ok(found);
    }
    let mut rows = JournalRows::open(journal, from, until)?;
    let mut names = Names::default();
    while rows.next(&mut names, |row, _| {
        found.insert(Partition::of(&row.record));
        Ok(())
    })? {}
    Ok(found)
}

/// Deletes a segment.
///
/// # Errors
/// If the file system refuses.
pub fn delete(segment: &SegmentInfo) -> Result<PathBuf, ArchiveError> {
    crate::journal::remove_segment(&segment.path)?;
    Ok(segment.path.clone())
}

/// The index up to which the database at `url` holds the journal; 0 if it never met it.
///
/// # Errors
/// If the database cannot be asked: then nothing is known to be there.
pub fn database_next_index(url: &DatabaseUrl, journal: &Journal) -> Result<u64, DatabaseError> {
    let server = Server::at(url)?;
    let unreachable = |reason: String| DatabaseError::Unreachable {
        server: server.name().to_owned(),
        reason,
    };
    let ask = async {
        let connection = server.connect().await?;
        let statement = "SELECT next_index FROM journal_progress WHERE journal_id = $1::text::numeric";
        let found = connection
            .client
            .query_opt(statement, &[&journal.id().to_string()])
            .await;
        let found = found.map_err(|error| unreachable(format!("it does not say how far it is: {error}")))?;
        Ok(found.map_or(0, |row| u64::try_from(row.get::<_, i64>(0)).unwrap_or(0)))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| unreachable(format!("no runtime can be made: {error}")))?;
    runtime.block_on(ask)
}
