//! Folders that appear whole or not at all.
//!
//! A partition is written into `.date=….tmp` beside its place, every file and the folder synced, the manifest last; then the folder is renamed. Where
//! there is one already, the two are exchanged in one step. A process that dies leaves the old folder or the new one, and a temporary one that the
//! next export deletes. Readers that look for `date=*` never see a temporary folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};

use super::error::ArchiveError;
use super::manifest::MANIFEST;
use super::row::{Partition, Table};

/// Held while an export works in an archive; free when its process ends, however it ends.
#[derive(Debug)]
pub struct ArchiveLock {
    _file: File,
}

impl ArchiveLock {
    /// Makes the archive's folder if it is not there, and locks it.
    ///
    /// # Errors
    /// [`ArchiveError::Locked`], or if the folder cannot be written.
    pub fn acquire(root: &Path) -> Result<ArchiveLock, ArchiveError> {
        fs::create_dir_all(root).map_err(ArchiveError::io("cannot make", root))?;
        let path = root.join(".lock");
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(ArchiveError::io("cannot write", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(ArchiveLock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(ArchiveError::Locked { path: root.to_owned() }),
            Err(errno) => Err(ArchiveError::io("cannot lock", &path)(errno.into())),
        }
    }
}

/// A partition that is being written.
#[derive(Debug)]
pub struct Staging {
    temporary: PathBuf,
    place: PathBuf,
    done: bool,
}

impl Staging {
    /// An empty temporary folder beside the partition's place.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn begin(root: &Path, partition: &Partition) -> Result<Staging, ArchiveError> {
        let place = root.join(partition.path());
        let temporary = place.with_file_name(format!(".date={}.tmp", partition.date));
        fs::create_dir_all(&temporary).map_err(ArchiveError::io("cannot make", &temporary))?;
        Ok(Staging {
            temporary,
            place,
            done: false,
        })
    }

    /// Where a file of the partition is written.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.temporary.join(name)
    }

    /// Writes the manifest and puts the folder in its place.
    ///
    /// # Errors
    /// If the file system refuses; then nothing has changed.
    pub fn commit(mut self, manifest: &[u8]) -> Result<(), ArchiveError> {
        let path = self.path(MANIFEST);
        let written =
            File::create_new(&path).and_then(|mut file| file.write_all(manifest).and_then(|()| file.sync_all()));
        written.map_err(ArchiveError::io("cannot write", &path))?;
        sync_folder(&self.temporary)?;
        let parent = self.place.parent().unwrap_or(&self.place).to_owned();
        // The names of table and venue are as new as the folder may be.
        for folder in parent.ancestors().take(3) {
            sync_folder(folder)?;
        }
        if self.place.exists() {
            self.exchange()?;
        } else {
            fs::rename(&self.temporary, &self.place).map_err(ArchiveError::io("cannot make", &self.place))?;
            self.done = true;
        }
        sync_folder(&parent)
    }

    fn exchange(&mut self) -> Result<(), ArchiveError> {
        match renameat_with(CWD, &self.temporary, CWD, &self.place, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            // A file system that cannot exchange: without its manifest the old folder is not whole, and so nothing in between looks whole.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                let manifest = self.place.join(MANIFEST);
                remove_if_there(&manifest)?;
                sync_folder(&self.place)?;
                fs::remove_dir_all(&self.place).map_err(ArchiveError::io("cannot replace", &self.place))?;
                fs::rename(&self.temporary, &self.place).map_err(ArchiveError::io("cannot replace", &self.place))?;
                self.done = true;
                return Ok(());
            }
            Err(errno) => return Err(ArchiveError::io("cannot replace", &self.place)(errno.into())),
        }
        self.done = true;
        fs::remove_dir_all(&self.temporary).map_err(ArchiveError::io("cannot delete", &self.temporary))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.done
            && self.temporary.exists()
            && let Err(error) = fs::remove_dir_all(&self.temporary)
        {
            tracing::warn!(
                "{} is left behind, the next export deletes it: {error}",
                self.temporary.display()
            );
        }
    }
}

fn remove_if_there(path: &Path) -> Result<(), ArchiveError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(ArchiveError::io("cannot delete", path)),
    }
}

fn sync_folder(path: &Path) -> Result<(), ArchiveError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(ArchiveError::io("cannot sync", path))
}

/// What is in an archive's folder.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Partitions, whole or not, in order.
    pub partitions: Vec<Partition>,
    /// Temporary folders of an export that did not end.
    pub leftovers: Vec<PathBuf>,
    /// What no export made.
    pub foreign: Vec<PathBuf>,
}

/// Lists an archive. Beside the tables anything may lie in its folder; within them only partitions may.
///
/// # Errors
/// If a folder cannot be read.
pub fn inventory(root: &Path) -> Result<Inventory, ArchiveError> {
    let mut found = Inventory::default();
    for table in Table::ALL {
        let folder = root.join(table.name());
        for (venue, path) in entries(&folder)? {
            for (date, path) in entries(&path)? {
                if date.starts_with(".date=") && date.ends_with(".tmp") {
                    found.leftovers.push(path);
                } else if let Some(partition) = Partition::from_parts(table.name(), &venue, &date) {
                    found.partitions.push(partition);
                } else {
                    found.foreign.push(path);
                }
            }
            if !path.is_dir() {
                found.foreign.push(path);
            }
        }
    }
    found.partitions.sort();
    Ok(found)
}

/// Names and paths in a folder, in order; nothing if it is no folder.
pub(super) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, ArchiveError> {
    let error = || ArchiveError::io("cannot read", folder);
    let list = match fs::read_dir(folder) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        list => list.map_err(error())?,
    };
    let mut entries = Vec::new();
    for entry in list {
        let entry = entry.map_err(error())?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    entries.sort();
    Ok(entries)
}

/// Deletes what an export that did not end left behind.
///
/// # Errors
/// If the file system refuses.
pub fn remove_leftovers(root: &Path) -> Result<usize, ArchiveError> {
    let leftovers = inventory(root)?.leftovers;
    for path in &leftovers {
        fs::remove_dir_all(path).map_err(ArchiveError::io("cannot delete", path))?;
    }
    Ok(leftovers.len())
}
