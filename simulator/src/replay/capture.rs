//! A capture on disk: `ws.tsv` (`recv_ns TAB frame` a line) and, where the venue has REST, `rest.tsv` (`recv_ns TAB url TAB body`).
//!
//! Frames are read line by line, once at the start to find what is wrong and once for each client; REST answers are few and kept.

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use tickpath_protocol::Venue;

use crate::text::parameter;

/// Longest line. The largest frame known, a Coinbase snapshot of Advanced Trade, has 5 MB.
pub const LINE_BYTES_MAX: usize = 64 << 20;
/// REST answers of one capture, together.
pub const REST_BYTES_MAX: usize = 256 << 20;
const BUFFER_BYTES: usize = 256 << 10;

/// A capture that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The directory holds no capture of any venue.
    #[error("{path}: no capture in it; expected a folder binance, coinbase, kraken or alpaca with a ws.tsv", path = path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is none of the format.
    #[error("{path}:{line}: {message}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// One answer of `rest.tsv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestAnswer {
    /// When it was received, nanoseconds since the Unix epoch.
    pub recv_ns: i64,
    /// The path of its address, without host.
    pub path: String,
    /// The query of its address, without `?`.
    pub query: String,
    /// Its body.
    pub body: String,
    /// How many frames were received before it.
    pub frames_before: usize,
}

impl RestAnswer {
    /// Whether it is the depth snapshot of a symbol.
    #[must_use]
    pub fn is_depth_of(&self, symbol: &str) -> bool {
        self.depth_symbol().is_some_and(|of| of == symbol)
    }

    /// The symbol, if it is a depth snapshot.
    #[must_use]
    pub fn depth_symbol(&self) -> Option<String> {
        parameter(&self.query, "symbol").filter(|_| self.path.ends_with("/depth"))
    }
}

/// A venue's capture, checked.
#[derive(Debug)]
pub struct Capture {
    /// Whose.
    pub venue: Venue,
    frames: PathBuf,
    /// Frames sent as soon as a client connects, and those sent once it said hello (see [`hello_frames`]).
    pub greeting: usize,
    /// See [`Capture::greeting`].
    pub hello: usize,
    /// How many frames there are.
    pub len: usize,
    /// Whether answers to subscriptions are among the frames, so that none may be added.
    pub has_acknowledgements: bool,
    /// What REST answered, in order.
    pub rest: Vec<RestAnswer>,
}

impl Capture {
    /// Checks the capture in `folder`.
    ///
    /// # Errors
    /// [`CaptureError`] with file and line.
    pub fn open(folder: &Path, venue: Venue) -> Result<Capture, CaptureError> {
        let mut capture = Capture {
            venue,
            frames: folder.join("ws.tsv"),
            greeting: 0,
            hello: 0,
            len: 0,
            has_acknowledgements: false,
            rest: read_rest(&folder.join("rest.tsv"))?,
        };
        let mut frames = capture.read()?;
        let mut head = Head::new(venue);
        let mut answers: Vec<&mut RestAnswer> = capture.rest.iter_mut().collect();
        answers.sort_by_key(|answer| Reverse(answer.recv_ns));
        while let Some(frame) = frames.read_next()? {
            while let Some(answer) = answers.pop_if(|answer| answer.recv_ns < frame.recv_ns) {
                answer.frames_before = capture.len;
            }
            head.see(&frame.text);
            capture.has_acknowledgements |= is_acknowledgement(venue, &frame.text);
            capture.len += 1;
        }
        for answer in answers {
            answer.frames_before = capture.len;
        }
        capture.greeting = head.greeting;
        capture.hello = head.hello.max(head.greeting);
        Ok(capture)
    }

    /// The frames from the start.
    ///
    /// # Errors
    /// [`CaptureError::Read`] if the file is not there any more.
    pub fn read(&self) -> Result<Frames, CaptureError> {
        Frames::open(&self.frames)
    }
}

/// Counts the frames that a venue sends before anything is subscribed.
///
/// Kraken says `status` by itself and sends `instrument` to a client that asks for it before it knows any symbol; Alpaca says `connected` by itself and
/// `authenticated` to a client that sent its keys. Clients wait for these frames, so they cannot come with the rest.
struct Head {
    venue: Venue,
    greeting: usize,
    hello: usize,
    seen: usize,
    is_over: bool,
}

impl Head {
    fn new(venue: Venue) -> Head {
        Head {
            venue,
            greeting: 0,
            hello: 0,
            seen: 0,
            is_over: false,
        }
    }

    fn see(&mut self, frame: &str) {
        if self.is_over {
            return;
        }
        self.seen += 1;
        let start = prefix(frame, 200);
        let greets = match self.venue {
            Venue::KRAKEN => start.contains(r#""channel":"status""#),
            Venue::ALPACA => start.contains("connected"),
            _ => false,
        };
        let welcomes = match self.venue {
            Venue::KRAKEN => start.contains(r#""channel":"instrument""#),
            Venue::ALPACA => start.contains("authenticated"),
            _ => false,
        };
        match (greets, welcomes) {
            (true, _) if self.greeting + 1 == self.seen => self.greeting = self.seen,
            (true, _) => {}
            (_, true) => self.hello = self.seen,
            _ => self.is_over = true,
        }
    }
}

fn prefix(text: &str, len: usize) -> &str {
    let end = (0..=len.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// Whether a frame answers a subscription.
fn is_acknowledgement(venue: Venue, frame: &str) -> bool {
    let start = prefix(frame, 200);
    match venue {
        Venue::BINANCE => start.starts_with(r#"{"result":"#),
        Venue::COINBASE => start.contains(r#""subscriptions""#),
        Venue::KRAKEN => start.contains(r#""method":"subscribe""#),
        _ => start.contains(r#""T":"subscription""#),
    }
}

/// Whether a frame is market data; the others answer, announce or keep alive.
#[must_use]
pub fn is_data(venue: Venue, frame: &str) -> bool {
    let start = prefix(frame, 200);
    let others: &[&str] = match venue {
        Venue::BINANCE => &[r#"{"result":"#, "serverShutdown", r#""code":"#],
        Venue::COINBASE => &[
            r#""subscriptions""#,
            r#""heartbeat"#,
            r#""type":"status""#,
            r#""type":"error""#,
        ],
        Venue::KRAKEN => &[
            r#""method":"#,
            r#""channel":"heartbeat""#,
            r#""channel":"status""#,
            r#""channel":"instrument""#,
        ],
        _ => &[r#""T":"success""#, r#""T":"subscription""#, r#""T":"error""#],
    };
    !others.iter().any(|other| start.contains(other))
}

/// One frame of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it was received, nanoseconds since the Unix epoch.
    pub recv_ns: i64,
    /// Its text.
    pub text: String,
}

/// The lines of `ws.tsv`, one after the other.
#[derive(Debug)]
pub struct Frames(Lines);

impl Frames {
    fn open(path: &Path) -> Result<Frames, CaptureError> {
        Lines::open(path).map(Frames)
    }

    /// The next frame, if there is one.
    ///
    /// # Errors
    /// [`CaptureError`] with file and line.
    pub fn read_next(&mut self) -> Result<Option<Frame>, CaptureError> {
        let Some(line) = self.0.next()? else { return Ok(None) };
        let frame = line.split_once('\t').ok_or("no tab").and_then(|(recv_ns, text)| {
            if text.is_empty() {
                return Err("no frame after the tab");
            }
            if text.contains('\t') {
                return Err("a raw tab in the frame");
            }
            Ok(Frame {
                recv_ns: parse_ns(recv_ns)?,
                text: text.to_owned(),
            })
        });
        match frame {
            Ok(frame) => Ok(Some(frame)),
            Err(message) => Err(self.0.error(format!("{message}; expected `recv_ns<TAB>frame`"))),
        }
    }
}

fn parse_ns(text: &str) -> Result<i64, &'static str> {
    text.parse()
        .map_err(|_| "the line does not start with a time in nanoseconds")
}

fn read_rest(path: &Path) -> Result<Vec<RestAnswer>, CaptureError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut lines = Lines::open(path)?;
    let mut answers = Vec::new();
    let mut bytes = 0;
    while let Some(line) = lines.next()? {
        bytes += line.len();
        let answer = parse_rest(line).and_then(|answer| match bytes <= REST_BYTES_MAX {
            true => Ok(answer),
            false => Err("the file is too large"),
        });
        match answer {
            Ok(answer) => answers.push(answer),
            Err(message) => return Err(lines.error(format!("{message}; expected `recv_ns<TAB>url<TAB>body`"))),
        }
    }
    Ok(answers)
}

fn parse_rest(line: &str) -> Result<RestAnswer, &'static str> {
    let mut fields = line.splitn(3, '\t');
    let (Some(recv_ns), Some(url), Some(body)) = (fields.next(), fields.next(), fields.next()) else {
        return Err("fewer than two tabs");
    };
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (_, path_and_query) = rest.split_once('/').ok_or("an address without a path")?;
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    serde_json::from_str::<&RawValue>(body).map_err(|_| "a body that is not JSON")?;
    Ok(RestAnswer {
        recv_ns: parse_ns(recv_ns)?,
        path: format!("/{path}"),
        query: query.to_owned(),
        body: body.to_owned(),
        frames_before: 0,
    })
}

/// Lines of bounded length, with their numbers.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    buffer: Vec<u8>,
    line: usize,
}

impl Lines {
    fn open(path: &Path) -> Result<Lines, CaptureError> {
        let file = File::open(path).map_err(|source| CaptureError::Read {
            path: path.to_owned(),
            source,
        })?;
        Ok(Lines {
            path: path.to_owned(),
            reader: BufReader::with_capacity(BUFFER_BYTES, file),
            buffer: Vec::new(),
            line: 0,
        })
    }

    fn next(&mut self) -> Result<Option<&str>, CaptureError> {
        self.buffer.clear();
        self.line += 1;
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = (&mut self.reader).take(limit).read_until(b'\n', &mut self.buffer);
        match read {
            Ok(0) => return Ok(None),
            Ok(len) if len > LINE_BYTES_MAX => {
                return Err(self.error(format!("a line of more than {LINE_BYTES_MAX} bytes")));
            }
            Ok(_) => {}
            Err(source) => {
                return Err(CaptureError::Read {
                    path: self.path.clone(),
                    source,
                });
            }
        }
        match str::from_utf8(&self.buffer) {
            Ok(text) => Ok(Some(text.trim_end_matches(['\n', '\r']))),
            Err(_) => Err(self.error("not UTF-8".to_owned())),
        }
    }

    fn error(&self, message: String) -> CaptureError {
        CaptureError::Line {
            path: self.path.clone(),
            line: self.line,
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(venue: Venue, ws: &str, rest: Option<&str>) -> Result<Capture, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ws.tsv"), ws).unwrap();
        if let Some(rest) = rest {
            std::fs::write(dir.path().join("rest.tsv"), rest).unwrap();
        }
        Capture::open(dir.path(), venue).map_err(|error| error.to_string())
    }

    #[test]
    fn wrong_lines_are_named() {
        for (ws, rest, expected) in [
            ("1\ta\n2 b\n", None, "ws.tsv:2: no tab"),
            ("1\ta\nx\tb\n", None, "ws.tsv:2: the line does not start with a time"),
            ("1\t\n", None, "ws.tsv:1: no frame"),
            ("1\ta\tb\n", None, "ws.tsv:1: a raw tab"),
            ("1\ta\n\n", None, "ws.tsv:2: no tab"),
            ("1\ta\n", Some("1\thttp://x/y\n"), "rest.tsv:1: fewer than two tabs"),
            (
                "1\ta\n",
                Some("1\thttp://x/y\t{\n"),
                "rest.tsv:1: a body that is not JSON",
            ),
        ] {
            let error = capture(Venue::KRAKEN, ws, rest).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_head_is_what_comes_before_any_subscription() {
        let status = r#"{"channel":"status","type":"update","data":[]}"#;
        let instrument = r#"{"channel":"instrument","type":"snapshot","data":{}}"#;
        let ack = r#"{"method":"subscribe","result":{"channel":"book"},"success":true}"#;
        let ws = format!("1\t{status}\n2\t{instrument}\n3\t{ack}\n4\t{status}\n");
        let capture = capture(Venue::KRAKEN, &ws, Some("1\thttps://h/a/b?c=d\t{}\n")).unwrap();
        assert_eq!((capture.greeting, capture.hello, capture.len), (1, 2, 4));
        assert!(capture.has_acknowledgements);
        assert_eq!(
            (capture.rest[0].path.as_str(), capture.rest[0].query.as_str()),
            ("/a/b", "c=d")
        );
        assert!(is_data(Venue::KRAKEN, r#"{"channel":"book"}"#) && !is_data(Venue::KRAKEN, ack));
    }
}
