//! Raw frames on disk, as received: what `--capture` writes, `tickpath decode` reads and the simulator replays.
//!
//! A folder a venue holds `ws.tsv`, a line a frame, `recv_ns TAB frame`, and `rest.tsv`, a line an answer, `recv_ns TAB url TAB body`. JSON
//! allows raw tabs and line ends only as white space between its tokens, so that a space in their place loses nothing; a frame that
//! is no JSON is altered by it, and would be refused either way.

mod reader;
mod writer;

use std::io;
use std::path::{Path, PathBuf};

use tickpath_protocol::Venue;

pub(crate) use reader::answers;
pub use reader::{Answer, Answers, Frames};
pub use writer::CaptureWriter;

/// Name of the file of frames.
pub const FRAMES_FILE: &str = "ws.tsv";
/// Name of the file of REST answers.
pub const ANSWERS_FILE: &str = "rest.tsv";
/// Longest line that is read.
pub const LINE_BYTES_MAX: usize = 64 << 20;
/// Bytes of a file of REST answers, which is sorted in memory.
pub const ANSWERS_BYTES_MAX: u64 = 1 << 30;

/// The folder of a venue's capture.
#[must_use]
pub fn venue_dir(dir: &Path, venue: Venue) -> PathBuf {
    dir.join(venue.to_string())
}

/// What is wrong with a capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// A file that would be overwritten.
    #[error("{path} exists: a capture is never overwritten or appended to; name another directory", path = .0.display())]
    Exists(PathBuf),
    /// A file or directory cannot be read or made.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line that is none of a capture.
    #[error("{path}:{line}: {reason}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A file that is too large to be sorted in memory.
    #[error("{path} has more than {ANSWERS_BYTES_MAX} bytes", path = .0.display())]
    TooLarge(PathBuf),
}

impl CaptureError {
    fn io(path: &Path, source: io::Error) -> CaptureError {
        CaptureError::Io {
            path: path.to_owned(),
            source,
        }
    }
}
