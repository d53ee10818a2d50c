//! A journal's directory: its segments, its lock, and the file that says how far it is recorded.
//!
//! | file | what |
//! |---|---|
//! | `<start>-<first index>.journal` | a segment |
//! | the same, `.batches` | its batch entries |
//! | `recorded` | index and position up to which everything was synced; see [`Recorded`] |
//! | `lock` | locked by the recorder that writes here |
//! | `*.tmp` | a file that was being made; deleted at the next start |

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, OFlags, flock};

use super::cursor::Cursor;
use super::error::JournalError;
use super::footer::Footer;
use super::header::{SegmentHeader, u32_at, u64_at};
use super::name::{BATCHES_EXTENSION, RECORDS_EXTENSION, first_index};
use super::segment::SegmentReader;

/// Extension of files that are being made.
pub(super) const TEMPORARY_EXTENSION: &str = "tmp";

/// A journal, to read. Nothing of it is locked: it may be written at the same time.
#[derive(Clone, Debug)]
pub struct Journal {
    dir: PathBuf,
    id: u64,
}

/// A segment of a journal.
#[derive(Clone, Debug)]
pub struct SegmentInfo {
    /// The `.journal` file.
    pub path: PathBuf,
    /// What it says of itself.
    pub header: SegmentHeader,
    /// Whether it is finished and hashed.
    pub sealed: bool,
    /// Its footer, if it is sealed.
    pub footer: Option<Footer>,
    /// The index after its last record; `None` in the newest segment while it is not sealed.
    pub next_index: Option<u64>,
    /// Bytes that its two files take on the disk.
    pub bytes: u64,
}

impl Journal {
    /// The journal in `dir`.
    ///
    /// # Errors
    /// If the directory cannot be read or holds no journal.
    pub fn open(dir: &Path) -> Result<Journal, JournalError> {
        let segments = segment_paths(dir)?;
        let id = match (RecordedFile::read(dir)?, segments.last()) {
            (Some(recorded), _) => recorded.journal_id,
            (None, Some(newest)) => SegmentReader::open(newest)?.header().journal_id,
            (None, None) => {
                return Err(JournalError::Io {
                    what: "no journal in",
                    path: dir.to_owned(),
                    source: io::ErrorKind::NotFound.into(),
                });
            }
        };
        Ok(Journal {
            dir: dir.to_owned(),
            id,
        })
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Differs for each journal.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Every segment, in order of index.
    ///
    /// # Errors
    /// If a header cannot be read; [`Journal::cursor`] minds only those that it comes through.
    pub fn segments(&self) -> Result<Vec<SegmentInfo>, JournalError> {
        let mut segments: Vec<SegmentInfo> = Vec::new();
        for path in segment_paths(&self.dir)? {
            let reader = match SegmentReader::open(&path) {
                // Deleted since it was listed.
                Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
                reader => reader?,
            };
            let footer = reader.footer()?;
            let header = reader.header().clone();
            if let Some(before) = segments.last_mut() {
                before.next_index = Some(header.first_index);
            }
            segments.push(SegmentInfo {
                bytes: disk_bytes(&path),
                sealed: footer.is_some(),
                next_index: footer.map(|footer| header.first_index + footer.records),
                footer,
                header,
                path,
            });
        }
        Ok(segments)
    }

    /// The oldest index that is there; `None` if there is no segment yet.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn first_index(&self) -> Result<Option<u64>, JournalError> {
        Ok(segment_paths(&self.dir)?.first().and_then(|path| first_index(path)))
    }

    /// Index and position up to which everything is known to be on the disk; `None` before the first sync.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn recorded(&self) -> Result<Option<Recorded>, JournalError> {
        Ok(RecordedFile::read(&self.dir)?.filter(|recorded| recorded.journal_id == self.id))
    }

    /// Reads from record `from_index` on, which may be the one that comes next.
    ///
    /// # Errors
    /// [`JournalError::Deleted`] or [`JournalError::NotWritten`] if it is out of range, or as the files say.
    pub fn cursor(&self, from_index: u64) -> Result<Cursor, JournalError> {
        Cursor::open(&self.dir, self.id, from_index)
    }
}

/// Paths of the segments in `dir`, in order of index and, for the same index, of time.
///
/// # Errors
/// If the directory cannot be read.
pub fn segment_paths(dir: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let error = || JournalError::io("cannot read", dir);
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir).map_err(error())? {
        let path = entry.map_err(error())?.path();
        if let Some(index) = first_index(&path) {
            segments.push((index, path));
        }
    }
    segments.sort();
    Ok(segments.into_iter().map(|(_, path)| path).collect())
}

/// Bytes that a segment takes on the disk; what is gone takes none.
#[must_use]
pub fn disk_bytes(path: &Path) -> u64 {
    let of = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.blocks() * 512);
    of(path) + of(&path.with_extension(BATCHES_EXTENSION))
}

/// Deletes a segment.
///
/// # Errors
/// If the file system refuses.
pub fn remove_segment(path: &Path) -> Result<(), JournalError> {
    // Without the records the entries are a leftover, which the next start deletes.
    for path in [path.to_owned(), path.with_extension(BATCHES_EXTENSION)] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(JournalError::io("cannot delete", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Deletes what an earlier writer left half-made; how many files there were.
pub(super) fn remove_leftovers(dir: &Path) -> Result<usize, JournalError> {
    let error = || JournalError::io("cannot read", dir);
    let mut removed = 0;
    for entry in fs::read_dir(dir).map_err(error())? {
        let path = entry.map_err(error())?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_ours = |path: &Path| first_index(&path.with_extension(RECORDS_EXTENSION)).is_some();
        let is_leftover = match extension {
            Some(TEMPORARY_EXTENSION) => is_ours(&path.with_extension("")),
            Some(BATCHES_EXTENSION) => is_ours(&path) && !path.with_extension(RECORDS_EXTENSION).exists(),
            _ => false,
        };
        if is_leftover {
            fs::remove_file(&path).map_err(JournalError::io("cannot delete", &path))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Held by whoever writes to a journal; free when its process ends, however it ends.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    pub(super) fn acquire(dir: &Path) -> Result<DirectoryLock, JournalError> {
        let path = dir.join("lock");
        let file = open_own(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(DirectoryLock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(JournalError::Locked { path: dir.to_owned() }),
            Err(errno) => Err(JournalError::io("cannot lock", &path)(errno.into())),
        }
    }
}

/// Opens a file of ours to write, made if it is not there; never through a link that somebody laid.
fn open_own(path: &Path) -> Result<File, JournalError> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)
        .map_err(JournalError::io("cannot write", path))
}

/// Up to where a journal is recorded: synced, and so there after a power loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The journal.
    pub journal_id: u64,
    /// Index after the last record.
    pub next_index: u64,
    /// The relay's run of the last record.
    pub run_id: u64,
    /// Stream position after the last record.
    pub next_position: u64,
    /// When the sync ended, ns since the Unix epoch.
    pub synced_ns: i64,
}

const RECORDED_MAGIC: [u8; 8] = *b"TPRECRD\x01";
const RECORDED_BYTES: usize = 64;
const RECORDED_CRC_OFFSET: usize = 60;

/// Offsets, types and names, as `docs/journal.md` states them.
pub const RECORDED_FIELDS: [(usize, &str, &str); 7] = [
    (0, "8 bytes", "magic"),
    (8, "u64", "journal_id"),
    (16, "u64", "next_index"),
    (24, "u64", "run_id"),
    (32, "u64", "next_position"),
    (40, "i64", "synced_ns"),
    (RECORDED_CRC_OFFSET, "u32", "recorded_crc32c"),
];

impl Recorded {
    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> [u8; 64] {
        let mut bytes = [0; RECORDED_BYTES];
        bytes[..8].copy_from_slice(&RECORDED_MAGIC);
        bytes[8..16].copy_from_slice(&self.journal_id.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.next_index.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.run_id.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.next_position.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.synced_ns.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..RECORDED_CRC_OFFSET]);
        bytes[RECORDED_CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// What the bytes of the file say, if they are whole.
    #[must_use]
    pub fn decode(bytes: &[u8; 64]) -> Option<Recorded> {
        let crc = crc32c::crc32c(&bytes[..RECORDED_CRC_OFFSET]);
        let is_whole = bytes[..8] == RECORDED_MAGIC && u32_at(bytes, RECORDED_CRC_OFFSET) == crc;
        is_whole.then(|| Recorded {
            journal_id: u64_at(bytes, 8),
            next_index: u64_at(bytes, 16),
            run_id: u64_at(bytes, 24),
            next_position: u64_at(bytes, 32),
            synced_ns: u64_at(bytes, 40) as i64,
        })
    }
}

/// The file `recorded`: a hint for readers, written after each sync and never synced itself, so that it may say less than is true, never more.
#[derive(Debug)]
pub(super) struct RecordedFile {
    path: PathBuf,
    file: File,
    newest: Mutex<Recorded>,
}

impl RecordedFile {
    pub(super) fn create(dir: &Path, recorded: Recorded) -> Result<RecordedFile, JournalError> {
        let path = dir.join("recorded");
        let file = RecordedFile {
            file: open_own(&path)?,
            path,
            newest: Mutex::new(Recorded::default()),
        };
        file.advance(recorded)?;
        Ok(file)
    }

    /// Writes that everything up to `recorded` is synced; an older statement than the last changes nothing.
    pub(super) fn advance(&self, recorded: Recorded) -> Result<(), JournalError> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded.synced_ns <= newest.synced_ns && recorded.next_index < newest.next_index {
            return Ok(());
        }
        *newest = recorded;
        self.file
            .write_all_at(&recorded.encode(), 0)
            .map_err(JournalError::io("cannot write", &self.path))
    }

    pub(super) fn newest(&self) -> Recorded {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(dir: &Path) -> Result<Option<Recorded>, JournalError> {
        let path = dir.join("recorded");
        let mut bytes = [0; RECORDED_BYTES];
        // Its writer may be at it: what does not hold now does at the next look.
        for _ in 0..3 {
            match File::open(&path).and_then(|file| file.read_exact_at(&mut bytes, 0)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                result => result.map_err(JournalError::io("cannot read", &path))?,
            }
            if let Some(recorded) = Recorded::decode(&bytes) {
                return Ok(Some(recorded));
            }
        }
        Ok(None)
    }
}
