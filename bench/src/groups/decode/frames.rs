//! Sets of frames.

use std::fmt;
use std::path::Path;

use tickpath_collectors::capture::{FRAMES_FILE, Frames};
use tickpath_collectors::decode::Decoded;

use super::cases::Case;
use super::generated::Market;
use crate::context::{BenchError, Result};

/// Frames of a type that a capture must have to be used; of fewer, a contender could learn each by heart.
const CAPTURED_FRAMES_MIN: usize = 200;

/// Where the frames of a set come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A recording.
    Captured,
    /// Made up in the shape that the venue documents.
    Generated,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Captured => "from the capture",
            Source::Generated => "generated in the documented shape: the capture has too few",
        })
    }
}

/// Frames of one type, one after the other in memory.
#[derive(Clone, Debug, Default)]
pub struct FrameSet {
    text: String,
    ends: Vec<usize>,
}

impl FrameSet {
    /// Up to `count` frames of a capture, or as many generated ones where it has too few.
    ///
    /// # Errors
    /// If there is a capture and it cannot be read.
    pub fn of(case: &Case, folder: &Path, count: usize) -> Result<(FrameSet, Source)> {
        if folder.join(FRAMES_FILE).is_file() {
            let captured = FrameSet::captured(case, folder, count)?;
            if captured.len() >= count.min(CAPTURED_FRAMES_MIN) {
                return Ok((captured, Source::Captured));
            }
        }
        let mut market = Market::new(case.symbols);
        let generated = (0..count).map(|_| (case.generate)(&mut market));
        Ok((FrameSet::from_iter(generated), Source::Generated))
    }

    fn captured(case: &Case, folder: &Path, count: usize) -> Result<FrameSet> {
        let failed = |error| BenchError::new(format!("reading the capture {}", folder.display()), error);
        let (dialect, symbols) = (case.dialect(), case.symbol_table());
        let (mut set, mut decoded) = (FrameSet::default(), Decoded::default());
        let mut frames = Frames::open(folder).map_err(failed)?;
        while let Some((_, frame)) = frames.next_frame().map_err(failed)? {
            if let Ok(text) = std::str::from_utf8(frame)
                && (case.is_of_type)(text)
                && dialect.decode(frame, &symbols, &mut decoded).is_ok()
                && !decoded.records.is_empty()
            {
                set.push(text);
            }
            if set.len() == count {
                break;
            }
        }
        Ok(set)
    }

    /// What `change` makes of each frame.
    pub fn map<'a>(&'a self, change: impl Fn(&'a str) -> &'a str) -> FrameSet {
        self.iter().map(change).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }

    fn push(&mut self, frame: &str) {
        self.text.push_str(frame);
        self.ends.push(self.text.len());
    }
}

impl<S: AsRef<str>> FromIterator<S> for FrameSet {
    fn from_iter<I: IntoIterator<Item = S>>(frames: I) -> FrameSet {
        let mut set = FrameSet::default();
        for frame in frames {
            set.push(frame.as_ref());
        }
        set
    }
}
