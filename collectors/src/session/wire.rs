//! The TCP stream below a WebSocket: watched by the runtime, or polled without end.
//!
//! With `wait = "sleep"` the runtime's reactor watches the socket, and a frame costs a wake-up of the thread. With `spin` and `yield` the
//! reactor never learns of the socket: whoever reads it calls `recv` again and again, and wakes its own task when there is nothing, so that
//! the thread never enters the kernel to wait. TLS and WebSocket stand on top of either and see no difference.
//!
//! Several sockets of one venue share the thread. [`Turns`] says how long each may look: the only lively one for [`LOOKS_ALONE`] looks at a
//! time, several lively ones once each, and one that has been silent for long only now and then.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use tickpath_service::config::Wait;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Looks in a row of a socket that is the only lively one: between them the runtime's own work, about 1 µs, is not done.
const LOOKS_ALONE: u32 = 32;
/// A socket that brought nothing on so many turns is no longer lively: some milliseconds.
const QUIET_TURNS: u32 = 1_000;
/// A silent socket beside lively ones is looked at on every so many of its turns.
const SILENT_EVERY: u32 = 32;
/// Looks without anything before the core is offered to others, where it is shared. Each offer is two switches of the core if others want it,
/// about 2 µs in which frames wait; fewer offers make those others wait.
const LOOKS_BEFORE_OFFER: u32 = 4;

/// What the polled sockets of a thread share: how many of them are lively.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Atomic only because a stream must be `Send` for the TLS library; one thread uses it.
    lively: AtomicU32,
}

impl Turns {
    fn add(&self) {
        self.lively.fetch_add(1, Ordering::Relaxed);
    }

    fn remove(&self) {
        self.lively.fetch_sub(1, Ordering::Relaxed);
    }

    fn lively(&self) -> u32 {
        self.lively.load(Ordering::Relaxed)
    }
}

/// A connected socket.
#[derive(Debug)]
pub(super) enum Wire {
    /// The reactor tells when there is something to read.
    Watched(TcpStream),
    /// Looked at on every turn of its task.
    Polled(Polled),
}

impl Wire {
    /// Takes a connected socket over, to be waited for as `wait` says.
    ///
    /// # Errors
    /// If the socket cannot be configured, which means that it is broken.
    pub fn new(stream: TcpStream, wait: Wait, turns: &Arc<Turns>) -> io::Result<Wire> {
        stream.set_nodelay(true)?;
        if wait == Wait::Sleep {
            return Ok(Wire::Watched(stream));
        }
        turns.add();
        Ok(Wire::Polled(Polled {
            // Taken from the reactor; it stays non-blocking.
            stream: stream.into_std()?,
            turns: turns.clone(),
            offers: wait == Wait::Yield,
            is_lively: true,
            quiet: 0,
            looks: 0,
        }))
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Polled {
    stream: std::net::TcpStream,
    turns: Arc<Turns>,
    /// Whether others may have the core in between.
    offers: bool,
    is_lively: bool,
    /// Turns since something came.
    quiet: u32,
    /// Looks since the core was offered.
    looks: u32,
}

impl Drop for Polled {
    fn drop(&mut self) {
        if self.is_lively {
            self.turns.remove();
        }
    }
}

impl Polled {
    /// Looks for bytes as often as this turn allows; `None` if there are none.
    fn read(&mut self, room: &mut [u8]) -> Option<io::Result<usize>> {
        for _ in 0..self.looks_of_this_turn() {
            self.offer();
            match self.stream.read(room) {
                Err(error) if is_passing(&error) => {
                    self.looks += 1;
                    std::hint::spin_loop();
                }
                result => {
                    self.heard();
                    return Some(result);
                }
            }
        }
        self.heard_nothing();
        None
    }

    fn looks_of_this_turn(&self) -> u32 {
        match (self.is_lively, self.turns.lively()) {
            (true, 1) | (false, 0) => LOOKS_ALONE,
            (true, _) => 1,
            (false, _) => u32::from(self.quiet.is_multiple_of(SILENT_EVERY)),
        }
    }

    fn heard(&mut self) {
        self.quiet = 0;
        // What was read is published before the next look, and before that look the core is offered to whoever reads it.
        self.looks = LOOKS_BEFORE_OFFER;
        if !std::mem::replace(&mut self.is_lively, true) {
            self.turns.add();
        }
    }

    fn heard_nothing(&mut self) {
        self.quiet = self.quiet.wrapping_add(1);
        if self.is_lively && self.quiet >= QUIET_TURNS {
            self.is_lively = false;
            self.turns.remove();
        }
    }

    /// Lets others have the core where it is shared, if it is time.
    fn offer(&mut self) {
        if self.offers && self.looks >= LOOKS_BEFORE_OFFER {
            self.looks = 0;
            std::thread::yield_now();
        }
    }

    fn write(
        &mut self,
        cx: &Context<'_>,
        write: impl FnOnce(&mut std::net::TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        match write(&mut self.stream) {
            Err(error) if is_passing(&error) => again(cx),
            result => Poll::Ready(result),
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// The task is to be polled again as soon as the others had their turn.
fn again<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Watched(stream) => Pin::new(stream).poll_read(cx, buffer),
            Wire::Polled(polled) => match polled.read(buffer.initialize_unfilled()) {
                Some(result) => Poll::Ready(result.map(|bytes| buffer.advance(bytes))),
                None => again(cx),
            },
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Watched(stream) => Pin::new(stream).poll_write(cx, bytes),
            Wire::Polled(polled) => polled.write(cx, |stream| stream.write(bytes)),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Watched(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Wire::Polled(polled) => polled.write(cx, |stream| stream.write_vectored(slices)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A TCP socket has nothing to flush.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Watched(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Polled(polled) => Poll::Ready(match polled.stream.shutdown(Shutdown::Write) {
                Err(error) if error.kind() != ErrorKind::NotConnected => Err(error),
                _ => Ok(()),
            }),
        }
    }
}
