//! One end of the Unix socket: frames and descriptors in, frames and descriptors out, never blocking unless asked to wait.
//!
//! Limits: [`crate::frame::PAYLOAD_LEN_MAX`] bytes of input are held, [`DESCRIPTORS_MAX`] descriptors, [`OUTPUT_LEN_MAX`] bytes of output.
//! A peer that exceeds one is cut off; descriptors nobody asked for are closed.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

use crate::error::{AttachError, TransportError};
use crate::frame::{Frame, FrameDecoder};

/// Descriptors that may wait to be taken.
pub const DESCRIPTORS_MAX: usize = 4;
/// Bytes that may wait for a peer that does not read.
pub const OUTPUT_LEN_MAX: usize = 4 << 20;

/// What a look at the socket brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Bytes.
    Some,
    /// Nothing yet.
    None,
    /// The peer is gone.
    Closed,
}

/// A connected socket.
#[derive(Debug)]
pub struct Connection {
    fd: OwnedFd,
    decoder: FrameDecoder,
    descriptors: VecDeque<OwnedFd>,
    output: Vec<u8>,
    sent: usize,
}

impl Connection {
    /// Connects to a relay; does not block, not even on one that is too busy to accept.
    ///
    /// # Errors
    /// [`TransportError::Connect`] if nobody listens there.
    pub fn connect(path: &Path) -> Result<Connection, TransportError> {
        let failed = |errno| TransportError::Connect {
            path: path.to_owned(),
            errno,
        };
        let address = SocketAddrUnix::new(path).map_err(failed)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
        rustix::net::connect(&fd, &address).map_err(failed)?;
        Ok(Connection::from_socket(fd))
    }

    /// A connection over a socket that does not block.
    #[must_use]
    pub fn from_socket(fd: OwnedFd) -> Connection {
        Connection {
            fd,
            decoder: FrameDecoder::new(),
            descriptors: VecDeque::new(),
            output: Vec::new(),
            sent: 0,
        }
    }

    /// Reads what is there, once.
    ///
    /// # Errors
    /// If the socket broke, or too many descriptors came.
    pub fn receive(&mut self) -> Result<Input, TransportError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let room = self.decoder.space();
        if room.is_empty() {
            return Ok(Input::Some);
        }
        let mut slices = [IoSliceMut::new(room)];
        let message = match rustix::net::recvmsg(&self.fd, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(message) => message,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(Input::None),
            Err(Errno::CONNRESET | Errno::PIPE) => return Ok(Input::Closed),
            Err(errno) => return Err(errno.into()),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        // There was room in `control` for all that a message may bring: it was this process that had none.
        if message.flags.contains(ReturnFlags::CTRUNC) && self.descriptors.len() < DESCRIPTORS_MAX {
            return Err(AttachError::NoDescriptors.into());
        }
        // The kernel closes those that found no room in `control`; the rest close with the connection.
        if self.descriptors.len() > DESCRIPTORS_MAX || message.flags.contains(ReturnFlags::CTRUNC) {
            return Err(AttachError::Descriptors {
                found: self.descriptors.len() + 1,
                expected: DESCRIPTORS_MAX,
            }
            .into());
        }
        if message.bytes == 0 {
            return Ok(Input::Closed);
        }
        self.decoder.filled(message.bytes);
        Ok(Input::Some)
    }

    /// The next whole frame among the bytes read.
    ///
    /// # Errors
    /// If it is over the limit.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, TransportError> {
        Ok(self.decoder.next_frame()?)
    }

    /// The oldest descriptor that came and was not taken.
    pub fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }

    /// The descriptors that came with a Hello or Welcome: exactly `N`, or all are closed.
    ///
    /// # Errors
    /// If another number came.
    pub fn take_descriptors<const N: usize>(&mut self) -> Result<[OwnedFd; N], AttachError> {
        let descriptors: Vec<OwnedFd> = self.descriptors.drain(..).collect();
        let found = descriptors.len();
        descriptors
            .try_into()
            .map_err(|_| AttachError::Descriptors { found, expected: N })
    }

    /// Where to append frames; [`Connection::flush`] sends them.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Bytes waiting to be sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Sends what the socket takes; true if all of it.
    ///
    /// # Errors
    /// If the peer is gone, or so slow that too much waits for it.
    pub fn flush(&mut self) -> Result<bool, TransportError> {
        self.flush_with(&[])
    }

    /// As [`Connection::flush`], handing over descriptors with the first byte; nothing may have been waiting before.
    ///
    /// # Errors
    /// As [`Connection::flush`]; also if the socket takes nothing now.
    pub fn flush_with(&mut self, descriptors: &[BorrowedFd<'_>]) -> Result<bool, TransportError> {
        let mut descriptors = descriptors;
        while self.sent < self.output.len() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() {
                let fits = control.push(SendAncillaryMessage::ScmRights(descriptors));
                debug_assert!(fits);
            }
            let bytes = [IoSlice::new(&self.output[self.sent..])];
            match rustix::net::sendmsg(&self.fd, &bytes, &mut control, SendFlags::NOSIGNAL) {
                Ok(sent) => {
                    self.sent += sent;
                    descriptors = &[];
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if descriptors.is_empty() && self.unsent() <= OUTPUT_LEN_MAX => return Ok(false),
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(TransportError::Closed),
                Err(errno) => return Err(errno.into()),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(true)
    }

    /// Waits until there is something to read (or to send, if anything waits), or the deadline.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn wait(&self, deadline: Instant) -> Result<(), TransportError> {
        let mut interest = PollFlags::IN;
        if self.unsent() > 0 {
            interest |= PollFlags::OUT;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match rustix::event::poll(&mut [PollFd::new(&self.fd, interest)], Some(&timespec(left))) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Blocks for the next frame, sending what waits meanwhile.
    ///
    /// # Errors
    /// If none comes before the deadline, or the peer is gone.
    pub fn wait_frame(&mut self, what: &'static str, limit: Duration) -> Result<(u32, Vec<u8>), TransportError> {
        let deadline = Instant::now() + limit;
        loop {
            self.flush()?;
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok((frame.kind, frame.payload.to_vec()));
            }
            match self.receive()? {
                Input::Some => continue,
                Input::Closed => return Err(TransportError::Closed),
                Input::None => {}
            }
            if Instant::now() >= deadline {
                return Err(TransportError::Timeout {
                    what,
                    limit_ms: limit.as_millis() as u64,
                });
            }
            self.wait(deadline)?;
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A duration as `poll` wants it.
#[must_use]
pub fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::encode;

    fn pair() -> (Connection, Connection) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (a, b) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        (Connection::from_socket(a), Connection::from_socket(b))
    }

    #[test]
    fn frames_and_descriptors_arrive_together() {
        let (mut ours, mut theirs) = pair();
        encode(ours.output(), 5, |out| out.extend_from_slice(b"hello"));
        let null = std::fs::File::open("/dev/null").unwrap();
        assert!(ours.flush_with(&[null.as_fd(), null.as_fd()]).unwrap());
        let (kind, payload) = theirs.wait_frame("hello", Duration::from_secs(5)).unwrap();
        assert_eq!((kind, payload.as_slice()), (5, b"hello".as_slice()));
        assert_eq!(theirs.take_descriptors::<2>().unwrap().len(), 2);
        assert_eq!(
            theirs.take_descriptors::<1>().unwrap_err(),
            AttachError::Descriptors { found: 0, expected: 1 }
        );
    }

    #[test]
    fn too_many_descriptors_are_an_error() {
        let (mut ours, mut theirs) = pair();
        let null = std::fs::File::open("/dev/null").unwrap();
        for _ in 0..2 {
            encode(ours.output(), 5, |_| {});
            ours.flush_with(&[null.as_fd(), null.as_fd(), null.as_fd()]).unwrap();
        }
        assert_eq!(theirs.receive(), Ok(Input::Some));
        assert!(matches!(
            theirs.receive(),
            Err(TransportError::Attach(AttachError::Descriptors { .. }))
        ));
    }

    #[test]
    fn a_peer_that_does_not_read_is_cut_off() {
        let (mut ours, _theirs) = pair();
        let verdict = loop {
            ours.output().extend_from_slice(&[0; 1 << 20]);
            match ours.flush() {
                Ok(all) => assert!(ours.unsent() <= OUTPUT_LEN_MAX + (1 << 20) && !all),
                Err(error) => break error,
            }
        };
        assert_eq!(verdict, TransportError::Socket(Errno::AGAIN));
    }

    #[test]
    fn a_peer_that_leaves_in_the_middle_of_a_frame_is_closed() {
        let (mut ours, mut theirs) = pair();
        ours.output().extend_from_slice(&[100, 0, 0, 0, 1, 0, 0]);
        ours.flush().unwrap();
        drop(ours);
        assert_eq!(
            theirs.wait_frame("hello", Duration::from_secs(5)),
            Err(TransportError::Closed)
        );
    }
}
