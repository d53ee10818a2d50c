//! Records as 48 bytes each over a Unix stream socket, polled without pause or blocking.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use crate::ring::{Broken, End, Words};

const LEN: usize = size_of::<Words>();

/// One end of a connected socket.
#[derive(Debug)]
pub struct UnixEnd {
    stream: UnixStream,
    input: [u8; LEN],
    filled: usize,
}

impl UnixEnd {
    /// An end that polls (`busy`) or blocks.
    ///
    /// # Errors
    /// If the socket cannot be told so.
    pub fn new(stream: UnixStream, busy: bool) -> Result<UnixEnd, Broken> {
        stream.set_nonblocking(busy).map_err(Broken::new)?;
        Ok(UnixEnd {
            stream,
            input: [0; LEN],
            filled: 0,
        })
    }
}

impl End for UnixEnd {
    #[inline(always)]
    fn send(&mut self, words: &Words) -> Result<(), Broken> {
        let mut bytes = [0; LEN];
        for (target, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *target = word.to_ne_bytes();
        }
        // A record at a time is under way: there is always room.
        self.stream.write_all(&bytes).map_err(Broken::new)
    }

    #[inline(always)]
    fn receive(&mut self, words: &mut Words) -> Result<bool, Broken> {
        match self.stream.read(&mut self.input[self.filled..]) {
            Ok(0) => return Err(Broken::new("the socket was closed")),
            Ok(count) => self.filled += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(false),
            Err(error) => return Err(Broken::new(error)),
        }
        if self.filled < LEN {
            return Ok(false);
        }
        self.filled = 0;
        for (word, bytes) in words.iter_mut().zip(self.input.as_chunks().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        Ok(true)
    }
}
