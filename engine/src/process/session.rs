//! The number of the session, which every client order id begins with. The journal knows the last one; a file knows it too, for when there is no journal, or
//! it was lost.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tickpath_protocol::trading::ClientOrderId;

/// The session's number cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The file system said no.
    #[error("session number: {what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file does not hold a number.
    #[error("{path} holds no session number: write there one above every session in the journal, or delete it if there never was one", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// There are no numbers left.
    #[error("no session number is left after {0}")]
    Exhausted(u32),
}

/// Takes the number after `known` and after the one in the directory's file, and keeps it there before it returns.
///
/// # Errors
/// If the file cannot be read or written, or holds something else.
pub fn next(dir: &Path, known: u32) -> Result<u32, SessionError> {
    let path = dir.join("session");
    let io = |what| {
        let path = path.clone();
        move |source| SessionError::Io { what, path, source }
    };
    let kept = match std::fs::read_to_string(&path) {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| SessionError::Damaged { path: path.clone() })?,
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => return Err(io("cannot read")(error)),
    };
    let last: u32 = known.max(kept);
    if last >= ClientOrderId::SESSION_MAX {
        return Err(SessionError::Exhausted(last));
    }
    std::fs::create_dir_all(dir).map_err(io("cannot create the directory of"))?;
    write_durably(&path, last + 1).map_err(io("cannot write"))?;
    Ok(last + 1)
}

/// Whoever is killed here leaves the old number or the new one.
fn write_durably(path: &Path, session: u32) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{session}")?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_never_comes_twice() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        assert_eq!(next(&state, 0).unwrap(), 1);
        assert_eq!(next(&state, 0).unwrap(), 2);
        assert_eq!(next(&state, 7).unwrap(), 8);
        assert_eq!(next(&state, 3).unwrap(), 9);
        std::fs::write(state.join("session"), "many").unwrap();
        assert!(next(&state, 9).unwrap_err().to_string().contains("no session number"));
        std::fs::remove_file(state.join("session")).unwrap();
        assert!(matches!(
            next(&state, ClientOrderId::SESSION_MAX),
            Err(SessionError::Exhausted(_))
        ));
    }
}
