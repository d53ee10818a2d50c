//! Writes a capture on a thread of its own, so that a slow or full disk never holds up the session.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread::{self, JoinHandle};

use tickpath_protocol::Venue;

use super::{ANSWERS_FILE, CaptureError, FRAMES_FILE, venue_dir};

/// Lines that may wait for the disk …
const QUEUE_LINES_MAX: usize = 1 << 16;
/// … and their bytes.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Takes frames and answers; what the disk cannot take is lost and counted.
pub struct CaptureWriter {
    lines: Option<SyncSender<Line>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    queued_bytes: AtomicUsize,
    lost: AtomicU64,
    /// The disk failed: nothing is written any more.
    stopped: AtomicBool,
}

enum Line {
    Frame(Vec<u8>),
    Answer(Vec<u8>),
}

impl CaptureWriter {
    /// Makes the files of a capture of `venue` in `dir`.
    ///
    /// # Errors
    /// [`CaptureError::Exists`] where a capture is already; it is never overwritten or appended to.
    pub fn create(dir: &Path, venue: Venue) -> Result<CaptureWriter, CaptureError> {
        let dir = venue_dir(dir, venue);
        fs::create_dir_all(&dir).map_err(|source| CaptureError::io(&dir, source))?;
        let frames = create_new(&dir.join(FRAMES_FILE))?;
        let answers = create_new(&dir.join(ANSWERS_FILE))?;
        CaptureWriter::start(dir, frames, answers)
    }

    fn start<W: Write + Send + 'static>(dir: PathBuf, frames: W, answers: W) -> Result<CaptureWriter, CaptureError> {
        let (sender, lines) = mpsc::sync_channel(QUEUE_LINES_MAX);
        let shared = Arc::new(Shared::default());
        let disk = Disk {
            dir: dir.clone(),
            frames: BufWriter::with_capacity(1 << 18, frames),
            answers: BufWriter::new(answers),
            shared: shared.clone(),
        };
        let thread = thread::Builder::new()
            .name("capture".into())
            .spawn(move || disk.run(&lines))
            .map_err(|source| CaptureError::io(&dir, source))?;
        Ok(CaptureWriter {
            lines: Some(sender),
            shared,
            thread: Some(thread),
        })
    }

    /// One frame, as received.
    pub fn frame(&self, recv_ns: i64, frame: &[u8]) {
        if self.has_room(frame.len()) {
            let mut line = begin(recv_ns, frame.len());
            push_flat(&mut line, frame);
            self.send(Line::Frame(line));
        }
    }

    /// One REST answer.
    pub fn answer(&self, recv_ns: i64, url: &str, body: &[u8]) {
        if self.has_room(url.len() + body.len()) {
            let mut line = begin(recv_ns, url.len() + body.len());
            push_flat(&mut line, url.as_bytes());
            line.push(b'\t');
            push_flat(&mut line, body);
            self.send(Line::Answer(line));
        }
    }

    /// How many frames and answers were lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    fn has_room(&self, bytes: usize) -> bool {
        let queued = self.shared.queued_bytes.load(Ordering::Relaxed);
        let has_room = !self.shared.stopped.load(Ordering::Relaxed) && queued + bytes <= QUEUE_BYTES_MAX;
        if !has_room {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    fn send(&self, mut line: Line) {
        let (Line::Frame(bytes) | Line::Answer(bytes)) = &mut line;
        bytes.push(b'\n');
        let len = bytes.len();
        self.shared.queued_bytes.fetch_add(len, Ordering::Relaxed);
        if self.lines.as_ref().is_none_or(|lines| lines.try_send(line).is_err()) {
            self.shared.queued_bytes.fetch_sub(len, Ordering::Relaxed);
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for CaptureWriter {
    /// Writes what still waits.
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the capture panicked");
        }
    }
}

fn create_new(path: &Path) -> Result<File, CaptureError> {
    File::create_new(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => CaptureError::Exists(path.to_owned()),
        _ => CaptureError::io(path, source),
    })
}

fn begin(recv_ns: i64, bytes: usize) -> Vec<u8> {
    let mut line = recv_ns.to_string().into_bytes();
    line.reserve(bytes + 3);
    line.push(b'\t');
    line
}

fn push_flat(line: &mut Vec<u8>, text: &[u8]) {
    let flat = |byte: &u8| {
        if matches!(byte, b'\t' | b'\n' | b'\r') {
            b' '
        } else {
            *byte
        }
    };
    line.extend(text.iter().map(flat));
}

/// The files, on the writing thread.
struct Disk<W: Write> {
    dir: PathBuf,
    frames: BufWriter<W>,
    answers: BufWriter<W>,
    shared: Arc<Shared>,
}

impl<W: Write> Disk<W> {
    fn run(mut self, lines: &Receiver<Line>) {
        while let Some(line) = self.next(lines) {
            let (Line::Frame(bytes) | Line::Answer(bytes)) = &line;
            self.shared.queued_bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
            if self.shared.stopped.load(Ordering::Relaxed) {
                self.shared.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let written = match line {
                Line::Frame(bytes) => self.frames.write_all(&bytes),
                Line::Answer(bytes) => self.answers.write_all(&bytes),
            };
            if let Err(error) = written {
                self.shared.lost.fetch_add(1, Ordering::Relaxed);
                self.stop(&error);
            }
        }
        self.flush();
    }

    /// The next line; before it waits for one, all that came is handed to the system.
    fn next(&mut self, lines: &Receiver<Line>) -> Option<Line> {
        match lines.try_recv() {
            Ok(line) => Some(line),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => {
                self.flush();
                lines.recv().ok()
            }
        }
    }

    fn flush(&mut self) {
        if self.shared.stopped.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.frames.flush().and_then(|()| self.answers.flush()) {
            self.stop(&error);
        }
    }

    fn stop(&self, error: &io::Error) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        tracing::error!(
            "capture to {} stops: {error}; the session goes on without it",
            self.dir.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::{CaptureError, Frames, reader::answers};
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let writer = CaptureWriter::create(dir.path(), Venue::KRAKEN).unwrap();
        writer.frame(5, b"{\"a\":\n\t1}");
        writer.frame(7, b"{}");
        writer.answer(9, "http://x/b?c=d", b"[1,\r\n2]");
        writer.answer(8, "http://x/a", b"");
        assert!(matches!(
            CaptureWriter::create(dir.path(), Venue::KRAKEN),
            Err(CaptureError::Exists(_))
        ));
        drop(writer);
        let dir = dir.path().join("kraken");
        let mut frames = Frames::open(&dir).unwrap();
        assert_eq!(frames.next_frame().unwrap(), Some((5, &b"{\"a\":  1}"[..])));
        assert_eq!(frames.next_frame().unwrap(), Some((7, &b"{}"[..])));
        assert_eq!(frames.next_frame().unwrap(), None);
        let answers = answers(&dir).unwrap();
        assert_eq!(answers.iter().map(|answer| answer.recv_ns).collect::<Vec<_>>(), [8, 9]);
        assert_eq!(answers[1].body, b"[1,  2]");
    }

    #[test]
    fn a_bad_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for (text, reason) in [("1\t{}\nx\t{}\n", "nanoseconds"), ("1\t{}\nno tab", "no tab")] {
            fs::write(dir.path().join(FRAMES_FILE), text).unwrap();
            let mut frames = Frames::open(dir.path()).unwrap();
            frames.next_frame().unwrap();
            let error = frames.next_frame().unwrap_err().to_string();
            assert!(error.contains("ws.tsv:2: ") && error.contains(reason), "{error}");
        }
    }

    /// Takes `room` bytes, then says that the disk is full.
    struct SmallDisk {
        room: usize,
    }

    impl Write for SmallDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if bytes.len() > self.room {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.room -= bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_stops_the_capture_and_nothing_else() {
        let disk = || SmallDisk { room: 100 };
        let writer = CaptureWriter::start(PathBuf::from("full"), disk(), disk()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while writer.lost() < 10 && Instant::now() < deadline {
            writer.frame(1, &[b'x'; 50]);
            thread::yield_now();
        }
        assert!(writer.lost() >= 10);
    }
}
