//! A folder that appears whole or not at all: made beside its place, renamed when everything is in it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Results cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is something already.
    #[error("{path} is there already: name another folder with --out, or remove it", path = .0.display())]
    Exists(PathBuf),
    /// The file system said no.
    #[error("cannot write {path}: {source}", path = path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A table cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// A chart cannot be drawn.
    #[error("drawing a chart: {0}")]
    Chart(String),
}

/// A folder that is being filled; gone with this value unless it is kept.
pub struct Folder {
    target: PathBuf,
    temporary: TempDir,
}

impl Folder {
    /// Begins what will be at `target`.
    ///
    /// # Errors
    /// [`WriteError::Exists`], or if the folder above cannot be made or written to.
    pub fn begin(target: &Path) -> Result<Folder, WriteError> {
        refuse_existing(target)?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let error = |path: &Path| {
            let path = path.to_owned();
            move |source| WriteError::Io { path, source }
        };
        fs::create_dir_all(parent).map_err(error(parent))?;
        let name = target
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let temporary = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .tempdir_in(parent)
            .map_err(error(parent))?;
        Ok(Folder {
            target: target.to_owned(),
            temporary,
        })
    }

    /// Where a file of it is for now.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join(name)
    }

    /// A folder within it, which is not there until the whole is.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn within(&self, name: &str) -> Result<Folder, WriteError> {
        Folder::begin(&self.path(name))
    }

    /// Writes a text file.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn text(&self, name: &str, text: &str) -> Result<(), WriteError> {
        let path = self.path(name);
        let written = File::create_new(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|source| WriteError::Io { path, source })
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// If something came there meanwhile, or the file system refuses.
    pub fn keep(self) -> Result<(), WriteError> {
        refuse_existing(&self.target)?;
        let from = self.temporary.keep();
        let moved = fs::set_permissions(&from, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .and_then(|()| fs::rename(&from, &self.target));
        moved.map_err(|source| {
            // What could not be moved is of no use where it is; the error that counts is the first.
            let _left = fs::remove_dir_all(&from);
            WriteError::Io {
                path: self.target,
                source,
            }
        })
    }
}

/// Nothing is overwritten; an empty folder is as good as none.
fn refuse_existing(target: &Path) -> Result<(), WriteError> {
    let is_free = match fs::read_dir(target) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    is_free
        .then_some(())
        .ok_or_else(|| WriteError::Exists(target.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("deep/run");
        let folder = Folder::begin(&target).unwrap();
        folder.text("a.txt", "a").unwrap();
        assert!(!target.exists());
        drop(folder);
        assert_eq!(
            fs::read_dir(dir.path().join("deep")).unwrap().count(),
            0,
            "nothing is left of it"
        );
        let folder = Folder::begin(&target).unwrap();
        folder.text("a.txt", "a").unwrap();
        folder.keep().unwrap();
        assert_eq!(fs::read_to_string(target.join("a.txt")).unwrap(), "a");
        assert!(matches!(Folder::begin(&target), Err(WriteError::Exists(_))));
        assert!(matches!(
            Folder::begin(&target.join("a.txt")),
            Err(WriteError::Exists(_))
        ));
    }
}
