//! How much may be on its way to a client: only what it reads gives it more.
//!
//! A socket takes far more than a client has read: the system buffers on both sides. A client that reads nothing would be written to for as long as those last,
//! and a thousand of them would cost those who read the processor. So pings that carry the bytes written so far mark places in the stream, and a client that answers
//! one (RFC 6455, section 5.5.2: it must) has read all before it. What is written and not known to be read stays within a window, which begins small and doubles with each
//! answer, as that of TCP does (RFC 5681, section 3.1). Who forges answers gets no more than who reads.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// What a client gets before it has answered anything; one message may go beyond.
pub const WINDOW_MIN: u64 = 16 << 10;
/// What a client may get ahead of its answers: 80 Mbit/s over a round trip of 100 ms.
pub const WINDOW_MAX: u64 = 1 << 20;
/// So many marks are under way in a window.
const MARKS: u64 = 4;

/// The account of one connection. Its task reads and writes in turns, so nothing here is contended.
#[derive(Debug)]
pub struct Credit {
    /// Bytes written.
    sent: AtomicU64,
    /// Bytes written before the newest mark.
    marked: AtomicU64,
    /// Bytes known to be read.
    read: AtomicU64,
    window: AtomicU64,
    granted: Notify,
}

impl Credit {
    /// That of a client which has proven nothing.
    #[must_use]
    pub fn new() -> Credit {
        Credit {
            sent: AtomicU64::new(0),
            marked: AtomicU64::new(0),
            read: AtomicU64::new(0),
            window: AtomicU64::new(WINDOW_MIN),
            granted: Notify::new(),
        }
    }

    /// Bytes that may be written now.
    #[must_use]
    pub fn left(&self) -> u64 {
        let under_way = self.sent.load(Ordering::Relaxed) - self.read.load(Ordering::Relaxed);
        self.window.load(Ordering::Relaxed).saturating_sub(under_way)
    }

    /// Whether a mark was answered, and not everything since is unanswered.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.read.load(Ordering::Relaxed) > 0 && self.left() > 0
    }

    /// So many bytes were written. The content of the ping that is to follow them, if a mark is due.
    pub fn wrote(&self, bytes: u64) -> Option<[u8; 8]> {
        let sent = self.sent.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let due = self.marked.load(Ordering::Relaxed) + self.window.load(Ordering::Relaxed) / MARKS;
        (sent >= due).then(|| {
            self.marked.store(sent, Ordering::Relaxed);
            sent.to_be_bytes()
        })
    }

    /// A pong came. Whether it answers a mark.
    pub fn answered(&self, content: &[u8]) -> bool {
        let Ok(content) = content.try_into() else { return false };
        let read = u64::from_be_bytes(content);
        if read <= self.read.load(Ordering::Relaxed) || read > self.marked.load(Ordering::Relaxed) {
            return false;
        }
        self.read.store(read, Ordering::Relaxed);
        let window = self.window.load(Ordering::Relaxed);
        self.window.store((2 * window).min(WINDOW_MAX), Ordering::Relaxed);
        self.granted.notify_one();
        true
    }

    /// Waits for the answer to a mark.
    pub async fn granted(&self) {
        self.granted.notified().await;
    }
}

impl Default for Credit {
    fn default() -> Credit {
        Credit::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_nothing_gets_one_window() {
        let credit = Credit::new();
        let mut marks = 0;
        let mut sent = 0;
        while credit.left() > 0 {
            marks += usize::from(credit.wrote(1000).is_some());
            sent += 1000;
        }
        assert!((WINDOW_MIN..WINDOW_MIN + 1000).contains(&sent));
        assert!(!credit.is_proven());
        assert_eq!(marks, 3, "the last part of the window is not full");
        assert!(!credit.answered(b""), "the answer to another ping");
        assert!(!credit.answered(&(sent + 1).to_be_bytes()), "what was never marked");
        assert_eq!(credit.left(), 0);
    }

    #[test]
    fn who_answers_gets_twice_as_much_each_time_up_to_the_limit() {
        let credit = Credit::new();
        let mut window = WINDOW_MIN;
        for _ in 0..20 {
            let mark = credit.wrote(window).expect("a whole window without a mark");
            assert_eq!(credit.left(), 0);
            assert!(credit.answered(&mark));
            assert!(!credit.answered(&mark), "once is enough");
            window = (2 * window).min(WINDOW_MAX);
            assert_eq!(credit.left(), window);
        }
        assert_eq!(window, WINDOW_MAX);
        assert!(credit.is_proven());
        credit.wrote(window);
        assert!(!credit.is_proven());
    }

    #[test]
    fn a_message_larger_than_the_window_is_marked_at_once() {
        let credit = Credit::new();
        let mark = credit.wrote(10 * WINDOW_MAX).unwrap();
        assert_eq!(credit.left(), 0);
        assert!(credit.answered(&mark));
        assert_eq!(credit.left(), 2 * WINDOW_MIN);
    }
}
