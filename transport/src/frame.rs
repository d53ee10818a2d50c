//! Frames on the Unix socket: a length, a kind, a payload. Bytes in, frames out; no socket here.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u32 | length of the payload, at most [`PAYLOAD_LEN_MAX`] |
//! | 4 | u32 | kind, see [`crate::message`] |
//! | 8 | … | payload |
//!
//! All numbers are little-endian. A frame over the limit is an error before a byte of it is kept, so no peer makes the buffer grow.

/// Bytes that a payload may have: 500 instrument rows, or 1000 stream entries.
pub const PAYLOAD_LEN_MAX: usize = 64_000;
/// Bytes before the payload.
pub const HEADER_LEN: usize = 8;
/// Bytes that a decoder holds at most.
const BUFFER_LEN: usize = HEADER_LEN + PAYLOAD_LEN_MAX;

/// The bytes of a peer are no frames, or a frame is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is over the limit.
    #[error("frame of {0} bytes: at most {PAYLOAD_LEN_MAX} fit; is the peer of this build?")]
    TooLong(usize),
    /// The payload of a known kind does not have its form.
    #[error("malformed {kind} frame of {len} bytes: {reason}")]
    Malformed {
        /// The kind.
        kind: &'static str,
        /// Bytes in the payload.
        len: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A kind that is not expected now, or not known.
    #[error("unexpected frame of kind {kind} while waiting for {expected}")]
    Unexpected {
        /// The code.
        kind: u32,
        /// What would have been right.
        expected: &'static str,
    },
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The code of the kind.
    pub kind: u32,
    /// What it says.
    pub payload: &'a [u8],
}

/// Appends a frame to `out`; `fill` appends its payload.
///
/// # Panics
/// In debug builds, if the payload is over the limit: what we send is ours to keep short.
pub fn encode(out: &mut Vec<u8>, kind: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&0_u32.to_le_bytes());
    out.extend_from_slice(&kind.to_le_bytes());
    fill(out);
    let len = out.len() - start - HEADER_LEN;
    debug_assert!(len <= PAYLOAD_LEN_MAX);
    out[start..start + 4].copy_from_slice(&(len as u32).to_le_bytes());
}

/// Cuts a stream of bytes, however it was split on its way, into frames.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Default for FrameDecoder {
    fn default() -> FrameDecoder {
        FrameDecoder {
            buffer: vec![0; BUFFER_LEN].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }
}

impl FrameDecoder {
    /// A decoder that has seen nothing.
    #[must_use]
    pub fn new() -> FrameDecoder {
        FrameDecoder::default()
    }

    /// Room for the next bytes; empty only if a whole frame waits to be taken.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.buffer[self.end..]
    }

    /// `len` bytes were put into [`FrameDecoder::space`].
    pub fn filled(&mut self, len: usize) {
        self.end = (self.end + len).min(self.buffer.len());
    }

    /// The next frame, if all of it is there.
    ///
    /// # Errors
    /// If the next frame is over the limit; the stream cannot be read on.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let bytes = &self.buffer[self.start..self.end];
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        let [a, b, c, d, e, f, g, h] = *header;
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        if len > PAYLOAD_LEN_MAX {
            return Err(FrameError::TooLong(len));
        }
        let Some(payload) = rest.get(..len) else {
            return Ok(None);
        };
        self.start += HEADER_LEN + len;
        Ok(Some(Frame {
            kind: u32::from_le_bytes([e, f, g, h]),
            payload,
        }))
    }

    /// Bytes of a frame that is not complete.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.end - self.start
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn feed(decoder: &mut FrameDecoder, mut bytes: &[u8], frames: &mut Vec<(u32, Vec<u8>)>) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            let space = decoder.space();
            let len = space.len().min(bytes.len());
            space[..len].copy_from_slice(&bytes[..len]);
            decoder.filled(len);
            bytes = &bytes[len..];
            while let Some(frame) = decoder.next_frame()? {
                frames.push((frame.kind, frame.payload.to_vec()));
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(
            frames in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..20),
            cut in 1_usize..50,
        ) {
            let mut bytes = Vec::new();
            for (kind, payload) in &frames {
                encode(&mut bytes, *kind, |out| out.extend_from_slice(payload));
            }
            let mut decoder = FrameDecoder::new();
            let mut seen = Vec::new();
            for chunk in bytes.chunks(cut) {
                feed(&mut decoder, chunk, &mut seen).unwrap();
            }
            prop_assert_eq!(seen, frames);
            prop_assert_eq!(decoder.pending(), 0);
        }

        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let mut decoder = FrameDecoder::new();
            let _verdict = feed(&mut decoder, &bytes, &mut Vec::new());
            prop_assert!(decoder.pending() <= BUFFER_LEN);
        }
    }

    #[test]
    fn the_longest_frame_fits_and_a_longer_one_is_refused_at_its_header() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 1, |out| out.resize(HEADER_LEN + PAYLOAD_LEN_MAX, 7));
        let mut frames = Vec::new();
        feed(&mut FrameDecoder::new(), &bytes, &mut frames).unwrap();
        assert_eq!(frames[0].1.len(), PAYLOAD_LEN_MAX);
        let header = [(PAYLOAD_LEN_MAX as u32 + 1).to_le_bytes(), 1_u32.to_le_bytes()].concat();
        assert_eq!(
            feed(&mut FrameDecoder::new(), &header, &mut frames),
            Err(FrameError::TooLong(PAYLOAD_LEN_MAX + 1))
        );
    }
}
