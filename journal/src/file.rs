//! The files of a segment that is being written: the thin shell between the appender and the disk, and the seam at which tests let it fail.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::error::JournalError;

/// Makes files.
pub trait Medium: Debug + Send + Sync {
    /// Makes the file `path`, which must not be there.
    ///
    /// # Errors
    /// What the file system says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn MediumFile>>;
}

/// A file that is written by position.
pub trait MediumFile: Debug + Send + Sync {
    /// Gives the file room for its first `bytes`; they count as its length unless `keep_length`.
    ///
    /// # Errors
    /// What the file system says.
    fn allocate(&self, bytes: u64, keep_length: bool) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// What the file system says; some of it may be written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Brings what was written to the disk.
    ///
    /// # Errors
    /// What the file system says; what was written may be lost.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts the file to `bytes`.
    ///
    /// # Errors
    /// What the file system says.
    fn truncate(&self, bytes: u64) -> io::Result<()>;
}

/// The real file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Medium for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn MediumFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Box::new(file))
    }
}

impl MediumFile for File {
    fn allocate(&self, bytes: u64, keep_length: bool) -> io::Result<()> {
        let flags = match keep_length {
            true => FallocateFlags::KEEP_SIZE,
            false => FallocateFlags::empty(),
        };
        match rustix::fs::fallocate(self, flags, 0, bytes) {
            // The file system cannot: the file has holes then, and a full disk shows at a later write.
            Err(Errno::OPNOTSUPP) if keep_length => Ok(()),
            Err(Errno::OPNOTSUPP) => self.set_len(bytes),
            result => Ok(result?),
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }
}

/// The two files of a segment, shared by the threads that write, sync and seal it.
#[derive(Debug)]
pub struct SegmentFiles {
    /// Where the segment is.
    pub(super) path: PathBuf,
    /// Header, rows, records.
    pub(super) records: Box<dyn MediumFile>,
    /// Entries.
    pub(super) batches: Box<dyn MediumFile>,
    poisoned: AtomicBool,
    /// The kernel tells an error of a sync once: whoever syncs next must not take its silence for success.
    syncing: Mutex<()>,
}

impl SegmentFiles {
    pub(super) fn new(path: PathBuf, records: Box<dyn MediumFile>, batches: Box<dyn MediumFile>) -> SegmentFiles {
        SegmentFiles {
            path,
            records,
            batches,
            poisoned: AtomicBool::new(false),
            syncing: Mutex::new(()),
        }
    }

    /// Brings both files to the disk. The first failure poisons the segment: no sync of it succeeds any more.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_poisoned() {
            return Err(JournalError::Poisoned {
                path: self.path.clone(),
            });
        }
        self.records
            .sync_data()
            .and_then(|()| self.batches.sync_data())
            .map_err(|source| {
                self.poisoned.store(true, Ordering::Release);
                JournalError::Io {
                    what: "cannot sync",
                    path: self.path.clone(),
                    source,
                }
            })
    }

    /// Whether a sync failed.
    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }
}

/// Brings the entries of a directory to the disk: names of new files are there after a power loss.
pub(super) fn sync_directory(dir: &Path) -> Result<(), JournalError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(JournalError::io("cannot sync", dir))
}
