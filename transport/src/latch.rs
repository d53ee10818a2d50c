//! The kill latch: one word in a small file that all who trade look at and anyone who may stop them can set.
//!
//! | offset | bytes | what | written by |
//! |---|---|---|---|
//! | 0 | 8 | magic `TPLATCH\x01` | whoever creates the file, before it has its name |
//! | 8 | 8 | the state: bits 0–7 the reason's code, 0 while armed; bits 8–63 the time of the last change, ns since the Unix epoch over 256 | operator, watchdog, engine |
//! | 64 | 256 | why, in words, ended by a zero byte; may be cut short; for people | operator, watchdog |
//!
//! The state is an atomic in a shared mapping, so looking costs one relaxed load, and a process that was stopped sees a kill the moment it
//! goes on. Each change is brought to the disk before the call returns, so the latch holds over restarts of a process and of the machine.
//! Only [`Latch::arm`] takes a kill back; a kill that finds the latch set leaves the first one standing.
//!
//! The file is its owner's alone (0600), and one that is not what it should be is refused: nobody guesses whether trading is allowed.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;

use crate::memory::{Area, map_file};

/// Bytes of the file.
pub const LATCH_BYTES: usize = 4096;
/// Bytes of the words that may stand beside the state.
pub const NOTE_BYTES_MAX: usize = 256;

const MAGIC: [u8; 8] = *b"TPLATCH\x01";
const STATE_WORD: usize = 1;
const NOTE_OFFSET: u64 = 64;
const REASON_BITS: u64 = 0xff;

/// What the latch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatchState {
    /// Orders may leave.
    Armed {
        /// When it was armed by hand, ns since the Unix epoch, down to 256 ns; 0 if it was never killed.
        since_ns: i64,
    },
    /// No order leaves.
    Killed {
        /// Code of the reason, 1 to 255: a `tickpath_protocol::trading::Reason`.
        reason: u8,
        /// Since when, ns since the Unix epoch, down to 256 ns.
        since_ns: i64,
    },
}

/// The latch cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LatchError {
    /// The file system said no.
    #[error("kill latch: {what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or its directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not a latch of ours.
    #[error("{path} is no kill latch of this user: {what}; look at it, and move it away if it is not needed", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// The latch, mapped here.
#[derive(Debug)]
pub struct Latch {
    path: PathBuf,
    file: File,
    words: Area<AtomicU64>,
}

impl Latch {
    /// The latch at `path`; an armed one is made if there is none, with its directory.
    ///
    /// # Errors
    /// [`LatchError::Foreign`] if the file is not this user's, of another size or no latch; else as the file system says.
    pub fn open(path: &Path) -> Result<Latch, LatchError> {
        let file = match open_existing(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create(path)?;
                open_existing(path)
            }
            file => file,
        };
        let file = file.map_err(io_error("cannot open", path))?;
        check(&file, path)?;
        let words = map_file(&file, LATCH_BYTES).map_err(io_error("cannot map", path))?;
        Ok(Latch {
            path: path.to_owned(),
            file,
            words,
        })
    }

    /// Whether no order may leave. One relaxed load: it may stand before every record.
    #[must_use]
    #[inline]
    pub fn is_killed(&self) -> bool {
        // Relaxed: the word is all there is to see.
        self.word().load(Ordering::Relaxed) & REASON_BITS != 0
    }

    /// Another number after each change: a look at it tells whether anything happened. One relaxed load.
    #[must_use]
    #[inline]
    pub fn version(&self) -> u64 {
        self.word().load(Ordering::Relaxed)
    }

    /// What it says.
    #[must_use]
    pub fn state(&self) -> LatchState {
        let word = self.word().load(Ordering::Relaxed);
        let since_ns = i64::try_from(word & !REASON_BITS).unwrap_or(i64::MAX);
        match (word & REASON_BITS) as u8 {
            0 => LatchState::Armed { since_ns },
            reason => LatchState::Killed { reason, since_ns },
        }
    }

    /// Lets no order leave any more. A latch that is set stays as it is: the first reason stands. Whether this call set it.
    ///
    /// The latch is set in memory whatever happens after.
    ///
    /// # Errors
    /// If it cannot be brought to the disk; it then holds until the machine stops.
    pub fn kill(&self, reason: u8, now_ns: i64) -> Result<bool, LatchError> {
        let killed = pack(reason.max(1), now_ns);
        let set = self
            .word()
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                (word & REASON_BITS == 0).then_some(killed)
            })
            .is_ok();
        self.sync()?;
        Ok(set)
    }

    /// Lets orders leave again; `false` if they could.
    ///
    /// # Errors
    /// If it cannot be brought to the disk: the latch may be set again after the machine stops.
    pub fn arm(&self, now_ns: i64) -> Result<bool, LatchError> {
        let was = self.word().swap(pack(0, now_ns), Ordering::Relaxed);
        self.sync()?;
        Ok(was & REASON_BITS != 0)
    }

    /// Writes down why, for people; to be called before [`Latch::kill`]. What is too long is cut.
    ///
    /// # Errors
    /// As the file system says.
    pub fn write_note(&self, note: &str) -> Result<(), LatchError> {
        let mut bytes = [0; NOTE_BYTES_MAX];
        let len = note.floor_char_boundary(NOTE_BYTES_MAX - 1);
        bytes[..len].copy_from_slice(&note.as_bytes()[..len]);
        let written = self.file.write_all_at(&bytes, NOTE_OFFSET);
        written.map_err(io_error("cannot write", &self.path))
    }

    /// What was written down last; empty if nothing was, or it cannot be read.
    #[must_use]
    pub fn note(&self) -> String {
        let mut bytes = [0; NOTE_BYTES_MAX];
        if self.file.read_exact_at(&mut bytes, NOTE_OFFSET).is_err() {
            return String::new();
        }
        let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let is_printed = |c: &char| !c.is_control();
        String::from_utf8_lossy(&bytes[..len])
            .chars()
            .filter(is_printed)
            .collect()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[inline]
    fn word(&self) -> &AtomicU64 {
        &self.words[STATE_WORD]
    }

    /// Also brings what was written through the mapping to the disk.
    fn sync(&self) -> Result<(), LatchError> {
        self.file.sync_all().map_err(io_error("cannot sync", &self.path))
    }
}

fn pack(reason: u8, now_ns: i64) -> u64 {
    (now_ns.max(0) as u64 & !REASON_BITS) | u64::from(reason)
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LatchError {
    let path = path.to_owned();
    move |source| LatchError::Io { what, path, source }
}

fn open_existing(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
        .open(path)
}

/// Puts an armed latch in place, whole from the first moment that it has its name; one that another process made meanwhile stays.
fn create(path: &Path) -> Result<(), LatchError> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(dir).map_err(io_error("cannot create", dir))?;
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let outcome = write_draft(&draft).and_then(|()| std::fs::hard_link(&draft, path));
    if let Err(error) = std::fs::remove_file(&draft)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(io_error("cannot delete", &draft)(error));
    }
    match outcome {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(io_error("cannot create", path)(error)),
        _ => {}
    }
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(io_error("cannot sync", dir))
}

fn write_draft(draft: &Path) -> io::Result<()> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(draft)?;
    let mut bytes = [0; LATCH_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    file.write_all_at(&bytes, 0)?;
    file.sync_all()
}

fn check(file: &File, path: &Path) -> Result<(), LatchError> {
    let foreign = |what: String| LatchError::Foreign {
        path: path.to_owned(),
        what,
    };
    let metadata = file.metadata().map_err(io_error("cannot inspect", path))?;
    let uid = rustix::process::geteuid().as_raw();
    if !metadata.is_file() {
        return Err(foreign("it is no plain file".into()));
    }
    if metadata.uid() != uid {
        return Err(foreign(format!("it belongs to user {}, not {uid}", metadata.uid())));
    }
    if metadata.mode() & 0o077 != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(foreign(format!("others may use it (mode {mode:o}): chmod 600")));
    }
    if metadata.len() != LATCH_BYTES as u64 {
        return Err(foreign(format!(
            "it has {} bytes, expected {LATCH_BYTES}",
            metadata.len()
        )));
    }
    let mut magic = MAGIC;
    file.read_exact_at(&mut magic, 0)
        .map_err(io_error("cannot read", path))?;
    match magic == MAGIC {
        true => Ok(()),
        false => Err(foreign("its first bytes are another format's".into())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOON: i64 = 1_700_000_000_000_000_000;

    #[test]
    fn a_kill_is_seen_by_all_and_stays_until_armed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/kill");
        let (ours, theirs) = (Latch::open(&path).unwrap(), Latch::open(&path).unwrap());
        assert_eq!(ours.state(), LatchState::Armed { since_ns: 0 });
        theirs.write_note("enough\u{7}").unwrap();
        assert!(theirs.kill(33, NOON).unwrap());
        assert!(ours.is_killed());
        assert!(!ours.kill(34, NOON + 1_000_000).unwrap(), "the first one stands");
        drop((ours, theirs));
        let again = Latch::open(&path).unwrap();
        let since_ns = NOON & !0xff;
        assert_eq!(again.state(), LatchState::Killed { reason: 33, since_ns });
        assert_eq!(again.note(), "enough");
        assert!(again.arm(NOON).unwrap());
        assert!(!again.arm(NOON).unwrap());
        assert_eq!(again.state(), LatchState::Armed { since_ns });
    }

    #[test]
    fn a_note_is_cut_where_a_character_ends() {
        let dir = tempfile::tempdir().unwrap();
        let latch = Latch::open(&dir.path().join("kill")).unwrap();
        latch.write_note(&"ü".repeat(NOTE_BYTES_MAX)).unwrap();
        assert_eq!(latch.note(), "ü".repeat((NOTE_BYTES_MAX - 1) / 2));
    }

    #[test]
    fn what_is_no_latch_of_ours_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kill");
        let refusal = |path: &Path| Latch::open(path).unwrap_err().to_string();
        std::fs::write(&path, b"short").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(refusal(&path).contains("5 bytes, expected 4096"), "{}", refusal(&path));
        std::fs::write(&path, [7; LATCH_BYTES]).unwrap();
        assert!(refusal(&path).contains("another format"), "{}", refusal(&path));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refusal(&path).contains("chmod 600"), "{}", refusal(&path));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(matches!(Latch::open(&path), Err(LatchError::Io { .. })));
        assert!(refusal(dir.path()).contains("cannot open"), "{}", refusal(dir.path()));
    }
}
