//! What a partition says of itself: `manifest.json`. All of it but the software's version can be derived from the Parquet files again.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tickpath_protocol::{Flags, GapCause, Kind, Record, Venue};

use super::error::ArchiveError;
use super::names::Names;
use super::row::{Partition, Row};
use super::{GAPS_LISTED_MAX, SCHEMA_VERSION};

/// The file's name.
pub const MANIFEST: &str = "manifest.json";
/// Largest manifest that is read.
const BYTES_MAX: u64 = 4 << 20;

/// The manifest of a partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`].
    pub schema: u32,
    /// The software that wrote the files.
    pub software: String,
    /// `trades`, …
    pub table: String,
    /// The venue.
    pub venue: String,
    /// The UTC day of `ts_recv`.
    pub date: String,
    /// The day was not over when the partition was exported: more may follow.
    pub partial: bool,
    /// The journal it comes from, 16 hexadecimal digits.
    pub journal: String,
    /// Whether it was read there, or from a database that the journal was copied to.
    pub source: Origin,
    /// What the rows hold.
    #[serde(flatten)]
    pub contents: Contents,
    /// What is missing from the venue's day, in any table.
    pub gaps: Gaps,
    /// Checksums of the venue.
    pub checksums: Checksums,
    /// The Parquet files in order.
    pub files: Vec<PartFile>,
}

/// Where rows were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// In the journal: nothing is missing.
    Journal,
    /// In a database, which keeps neither the time of publication nor the stream's id of the instrument.
    Database,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Journal => "journal",
            Origin::Database => "database",
        })
    }
}

/// A Parquet file of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartFile {
    /// `part-0.parquet`
    pub name: String,
    /// Rows in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its content, in hexadecimal digits.
    pub blake3: String,
}

/// What the rows of a partition hold; gathered row by row, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// How many there are.
    pub rows: u64,
    /// The record with the lowest journal index.
    pub first: Option<Place>,
    /// The record with the highest journal index.
    pub last: Option<Place>,
    /// The earliest receive time, ns since the Unix epoch.
    pub ts_recv_min: Option<i64>,
    /// The latest.
    pub ts_recv_max: Option<i64>,
    /// Rows by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Changes of a book, of any number of levels, after which it was proven in sync.
    pub book_updates_proven: u64,
    /// The relay's runs by id (16 hexadecimal digits), with the stream positions of their first and last record here.
    pub runs: BTreeMap<String, Positions>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// In the journal.
    pub journal_index: u64,
    /// Among the records of its producer, which starts over at 1 when the producer does.
    pub sequence: u64,
}

/// Positions in the stream of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Positions {
    /// The lowest.
    pub first: u64,
    /// The highest.
    pub last: u64,
    /// Rows of this run.
    pub rows: u64,
}

impl Contents {
    /// Adds a row.
    pub fn add(&mut self, row: &Row, names: &Names) {
        let place = Place {
            journal_index: row.index,
            sequence: row.record.sequence,
        };
        self.rows += 1;
        if self.first.is_none_or(|first| place.journal_index < first.journal_index) {
            self.first = Some(place);
        }
        if self.last.is_none_or(|last| place.journal_index > last.journal_index) {
            self.last = Some(place);
        }
        let ts_recv = row.record.ts_recv;
        self.ts_recv_min = Some(self.ts_recv_min.map_or(ts_recv, |min| min.min(ts_recv)));
        self.ts_recv_max = Some(self.ts_recv_max.map_or(ts_recv, |max| max.max(ts_recv)));
        *entry(&mut self.kinds, kind_name(row.record.kind).as_ref(), || 0) += 1;
        self.book_updates_proven += u64::from(ends_proven_update(&row.record));
        self.add_position(names.run_id(row), row.position);
    }

    fn add_position(&mut self, run_id: u64, position: u64) {
        let mut digits = [0; 16];
        let id = hex_digits(run_id, &mut digits);
        let positions = entry(&mut self.runs, id, || Positions {
            first: position,
            last: position,
            rows: 0,
        });
        positions.first = positions.first.min(position);
        positions.last = positions.last.max(position);
        positions.rows += 1;
    }
}

fn ends_proven_update(record: &Record) -> bool {
    let flags = record.flags();
    record.kind() == Some(Kind::BookLevel)
        && flags.contains(Flags::LAST)
        && !flags.contains(Flags::SNAPSHOT)
        && !flags.contains(Flags::UNTRUSTED)
}

/// The value of a key, made if it is not there; a key that is there costs no allocation.
fn entry<'a, V>(map: &'a mut BTreeMap<String, V>, key: &str, make: impl FnOnce() -> V) -> &'a mut V {
    if !map.contains_key(key) {
        map.insert(key.to_owned(), make());
    }
    map.get_mut(key)
        .unwrap_or_else(|| unreachable!("the key was just inserted"))
}

fn kind_name(code: u8) -> std::borrow::Cow<'static, str> {
    Kind::from_code(code).map_or_else(|| format!("kind{code}").into(), |kind| kind.name().into())
}

/// An id as the archive writes it: numbers of 64 bits lose digits in many readers of JSON.
#[must_use]
pub fn hex(id: u64) -> String {
    format!("{id:016x}")
}

fn hex_digits(id: u64, digits: &mut [u8; 16]) -> &str {
    for (at, digit) in digits.iter_mut().enumerate() {
        let value = (id >> (60 - 4 * at)) as usize & 0xf;
        *digit = b"0123456789abcdef"[value];
    }
    std::str::from_utf8(digits).unwrap_or_else(|_| unreachable!("hexadecimal digits are ASCII"))
}

/// Gap records of a venue's day, and those of the whole stream on that day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gaps {
    /// How many there are.
    pub count: u64,
    /// By cause.
    pub causes: BTreeMap<String, CauseTotal>,
    /// The first [`GAPS_LISTED_MAX`] in order of journal index.
    pub listed: Vec<Gap>,
}

/// All gaps of one cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CauseTotal {
    /// How many.
    pub count: u64,
    /// Records or messages missing, of those gaps that state a length.
    pub length: u64,
}

/// A gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Where its record stands in the journal.
    pub journal_index: u64,
    /// The instrument's symbol; absent for a whole venue.
    pub symbol: Option<String>,
    /// Why.
    pub cause: String,
    /// First sequence missing; absent where the venue numbers nothing.
    pub first: Option<i64>,
    /// Last sequence missing.
    pub last: Option<i64>,
    /// How many are missing, if that is known.
    pub length: Option<u64>,
    /// When it opened, ns since the Unix epoch.
    pub opened_ns: i64,
    /// When it was noticed.
    pub noticed_ns: i64,
}

impl Gap {
    /// The gap of a row; `None` if it is no Gap record.
    #[must_use]
    pub fn of(row: &Row, names: &Names) -> Option<Gap> {
        let record = &row.record;
        if record.kind() != Some(Kind::Gap) {
            return None;
        }
        let known = |value: i64| (value != Record::ABSENT).then_some(value);
        let (first, last) = (known(record.price), known(record.size));
        let length = first
            .zip(last)
            .and_then(|(first, last)| u64::try_from(last.checked_sub(first)?).ok()?.checked_add(1));
        let cause = GapCause::of(record);
        Some(Gap {
            journal_index: row.index,
            symbol: names.text(row.text).map(|text| text.symbol.to_string()),
            cause: cause.map_or_else(|| format!("cause{}", record.scale), |cause| cause.name().to_owned()),
            first,
            last,
            length,
            opened_ns: record.ts_event,
            noticed_ns: record.ts_recv,
        })
    }
}

impl Gaps {
    /// Adds a gap; gaps come in any order.
    pub fn add(&mut self, gap: Gap) {
        self.count += 1;
        let total = self.causes.entry(gap.cause.clone()).or_default();
        total.count += 1;
        total.length = total.length.saturating_add(gap.length.unwrap_or(0));
        let at = self
            .listed
            .partition_point(|other| other.journal_index < gap.journal_index);
        if at < GAPS_LISTED_MAX {
            self.listed.insert(at, gap);
            self.listed.truncate(GAPS_LISTED_MAX);
        }
    }

    /// These and others.
    #[must_use]
    pub fn with(&self, others: &Gaps) -> Gaps {
        let mut all = self.clone();
        all.count += others.count;
        for (cause, total) in &others.causes {
            let sum = all.causes.entry(cause.clone()).or_default();
            sum.count += total.count;
            sum.length = sum.length.saturating_add(total.length);
        }
        all.listed.extend(others.listed.iter().cloned());
        all.listed.sort_by_key(|gap| gap.journal_index);
        all.listed.truncate(GAPS_LISTED_MAX);
        all
    }
}

/// What the stream says of the venue's checksums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checksums {
    /// Gaps that a checksum which did not agree caused.
    pub failed: u64,
    /// Share that agreed. Kraken sends one with each change of a book, and the change is published as proven if and only if it agreed; so
    /// the partition of its book levels has a rate, and no other has.
    pub pass_rate: Option<f64>,
}

impl Checksums {
    /// What gaps and rows of a partition say.
    #[must_use]
    pub fn of(partition: &Partition, contents: &Contents, gaps: &Gaps) -> Checksums {
        let failed = gaps
            .causes
            .get(GapCause::Checksum.name())
            .map_or(0, |total| total.count);
        let agreed = contents.book_updates_proven;
        let is_rated = partition.venue == Venue::KRAKEN && agreed > 0;
        Checksums {
            failed,
            pass_rate: is_rated.then(|| agreed as f64 / (agreed + failed) as f64),
        }
    }
}

impl Manifest {
    /// The manifest of a partition that this build writes.
    #[must_use]
    pub fn new(
        partition: &Partition,
        (source, journal): (Origin, String),
        partial: bool,
        contents: Contents,
        gaps: Gaps,
        files: Vec<PartFile>,
    ) -> Manifest {
        Manifest {
            schema: SCHEMA_VERSION,
            software: format!("tickpath {}", env!("CARGO_PKG_VERSION")),
            table: partition.table.to_string(),
            venue: partition.venue.to_string(),
            date: partition.date.to_string(),
            partial,
            journal,
            source,
            checksums: Checksums::of(partition, &contents, &gaps),
            contents,
            gaps,
            files,
        }
    }

    /// Reads the manifest in a partition's folder; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or is none of this version.
    pub fn read(folder: &Path) -> Result<Option<Manifest>, ArchiveError> {
        let path = folder.join(MANIFEST);
        let bytes = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Ok(metadata) if metadata.len() > BYTES_MAX => {
                return Err(ArchiveError::foreign(&path, format!("it has {} bytes", metadata.len())));
            }
            result => result
                .and_then(|_| std::fs::read(&path))
                .map_err(ArchiveError::io("cannot read", &path))?,
        };
        let version = serde_json::from_slice::<Version>(&bytes)
            .map_err(|error| ArchiveError::foreign(&path, error.to_string()))?;
        if version.schema != SCHEMA_VERSION {
            let reason = format!(
                "its schema version is {}, this build reads {SCHEMA_VERSION}",
                version.schema
            );
            return Err(ArchiveError::foreign(&path, reason));
        }
        let manifest =
            serde_json::from_slice(&bytes).map_err(|error| ArchiveError::foreign(&path, error.to_string()))?;
        Ok(Some(manifest))
    }

    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .unwrap_or_else(|_| unreachable!("keys are strings and no number is infinite"));
        bytes.push(b'\n');
        bytes
    }
}

/// Read before the rest, so that a manifest of another version is called so.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}
