//! The number of the session, which every client order id begins with. The journal knows the last one; a file knows it too, for when there is no journal, or
//! it was lost.

use std::fmt::Display;
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
    /// What is kept there is of another execution venue.
    #[error("{dir} and the journal hold sessions at the venue `{kept}`, and `engine.venue` is `{wanted}`: positions of one are nothing at the other, so set `engine.state_dir` and `recorder.dir` to places of their own, or use `engine.venue = \"{kept}\"`", dir = dir.display())]
    OtherVenue {
        /// The state directory.
        dir: PathBuf,
        /// Where its sessions traded.
        kept: String,
        /// Where this one is to.
        wanted: &'static str,
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
    write_durably(&path, &(last + 1)).map_err(io("cannot write"))?;
    Ok(last + 1)
}

/// Keeps the sessions of one execution venue apart from those of another: the first session writes down where it trades, later ones must trade there.
/// `last` is the last session that the journal knows. State without such a note is of paper.
///
/// # Errors
/// [`SessionError::OtherVenue`], or if the file cannot be read or written.
pub fn claim(dir: &Path, venue: &'static str, last: u32) -> Result<(), SessionError> {
    let path = dir.join("venue");
    let io = |what| {
        let path = path.clone();
        move |source| SessionError::Io { what, path, source }
    };
    let kept = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if last == 0 && !dir.join("session").exists() {
                std::fs::create_dir_all(dir).map_err(io("cannot create the directory of"))?;
                return write_durably(&path, &venue).map_err(io("cannot write"));
            }
            "paper".to_owned()
        }
        Err(error) => return Err(io("cannot read")(error)),
    };
    if kept == venue {
        return Ok(());
    }
    Err(SessionError::OtherVenue {
        dir: dir.to_owned(),
        kept,
        wanted: venue,
    })
}

/// Whoever is killed here leaves the old text or the new one.
fn write_durably(path: &Path, text: &dyn Display) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_two_venues_are_not_mixed() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        claim(&state, "simulated", 0).unwrap();
        claim(&state, "simulated", 3).unwrap();
        let error = claim(&state, "paper", 3).unwrap_err().to_string();
        assert!(error.contains("sessions at the venue `simulated`"), "{error}");
        // What was there before venues were written down, in either memory, is of paper.
        for (session, last) in [(Some(1), 0), (None, 1)] {
            let old = dir.path().join(format!("old{last}"));
            session.map(|_| next(&old, 0).unwrap());
            claim(&old, "paper", last).unwrap();
            assert!(matches!(
                claim(&old, "simulated", last),
                Err(SessionError::OtherVenue { .. })
            ));
        }
    }

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
