//! Reads a capture: frames as a stream, answers all at once, as they are few and not always in order of time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{ANSWERS_BYTES_MAX, ANSWERS_FILE, CaptureError, FRAMES_FILE, LINE_BYTES_MAX};

/// The frames of a capture, in the order received.
pub struct Frames(Lines);

/// REST answers of a capture in order of time.
pub type Answers = Vec<Answer>;

/// One REST answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When it was received, ns since the Unix epoch.
    pub recv_ns: i64,
    /// What was asked for.
    pub url: String,
    /// The answer.
    pub body: Vec<u8>,
}

impl Frames {
    /// Opens the frames of the capture in `dir`.
    ///
    /// # Errors
    /// If there are none.
    pub fn open(dir: &Path) -> Result<Frames, CaptureError> {
        Lines::open(&dir.join(FRAMES_FILE)).map(Frames)
    }

    /// The next frame with its receive time; `None` at the end.
    ///
    /// # Errors
    /// If the line is none of a capture; the message names it.
    pub fn next_frame(&mut self) -> Result<Option<(i64, &[u8])>, CaptureError> {
        if !self.0.advance()? {
            return Ok(None);
        }
        let (recv_ns, frame) = self.0.split(&self.0.line)?;
        Ok(Some((recv_ns, frame)))
    }

    /// The number of the line read last, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.0.number
    }
}

/// The REST answers of the capture in `dir`; none if it has no such file.
///
/// # Errors
/// If the file is no file of answers.
pub(crate) fn answers(dir: &Path) -> Result<Answers, CaptureError> {
    let path = dir.join(ANSWERS_FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut lines = Lines::open(&path)?;
    if lines.bytes > ANSWERS_BYTES_MAX {
        return Err(CaptureError::TooLarge(path));
    }
    let mut answers = Vec::new();
    while lines.advance()? {
        let (recv_ns, rest) = lines.split(&lines.line)?;
        let tab = memchr::memchr(b'\t', rest).ok_or_else(|| lines.error("no tab after the address"))?;
        let url = std::str::from_utf8(&rest[..tab]).map_err(|_| lines.error("the address is not UTF-8"))?;
        answers.push(Answer {
            recv_ns,
            url: url.to_owned(),
            body: rest[tab + 1..].to_vec(),
        });
    }
    answers.sort_by_key(|answer| answer.recv_ns);
    Ok(answers)
}

/// The lines of a file, one at a time.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    bytes: u64,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Lines, CaptureError> {
        let file = File::open(path).map_err(|source| CaptureError::io(path, source))?;
        let bytes = file.metadata().map_err(|source| CaptureError::io(path, source))?.len();
        Ok(Lines {
            path: path.to_owned(),
            reader: BufReader::with_capacity(1 << 20, file),
            bytes,
            line: Vec::new(),
            number: 0,
        })
    }

    /// Reads the next line that is not empty into `line`; `false` at the end.
    fn advance(&mut self) -> Result<bool, CaptureError> {
        loop {
            self.line.clear();
            self.number += 1;
            let limit = LINE_BYTES_MAX as u64 + 1;
            let read = (&mut self.reader).take(limit).read_until(b'\n', &mut self.line);
            if read.map_err(|source| CaptureError::io(&self.path, source))? == 0 {
                return Ok(false);
            }
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
            } else if self.line.len() > LINE_BYTES_MAX {
                return Err(self.error("the line is longer than 64 MiB"));
            }
            if !self.line.is_empty() {
                return Ok(true);
            }
        }
    }

    /// The receive time of a line, and what follows it.
    fn split<'a>(&self, line: &'a [u8]) -> Result<(i64, &'a [u8]), CaptureError> {
        let tab = memchr::memchr(b'\t', line).ok_or_else(|| self.error("no tab after the receive time"))?;
        let number = std::str::from_utf8(&line[..tab])
            .ok()
            .and_then(|text| text.parse().ok());
        let recv_ns = number.ok_or_else(|| self.error("the receive time is no number of nanoseconds"))?;
        Ok((recv_ns, &line[tab + 1..]))
    }

    fn error(&self, reason: &'static str) -> CaptureError {
        CaptureError::Line {
            path: self.path.clone(),
            line: self.number,
            reason,
        }
    }
}
