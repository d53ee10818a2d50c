//! WebSocket frames of a server, counted without a look at what is in them.

/// Opcodes of RFC 6455, section 5.2.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// Where the bytes of one connection stand.
#[derive(Debug, Default)]
pub struct FrameCounter {
    /// The header as far as it is here: two bytes, and up to eight of a length.
    header: [u8; 10],
    header_len: usize,
    /// Bytes of the payload still to come.
    payload: u64,
    /// Text frames that began.
    pub texts: u64,
    /// Pings that ask for an answer.
    pub pings: u64,
    /// The server said goodbye.
    pub is_closed: bool,
}

impl FrameCounter {
    /// Takes the next bytes of the connection.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let skipped = self.payload.min(bytes.len() as u64);
                self.payload -= skipped;
                bytes = &bytes[skipped as usize..];
                continue;
            }
            self.header[self.header_len] = bytes[0];
            self.header_len += 1;
            bytes = &bytes[1..];
            if self.header_len >= 2 && self.header_len == header_len(self.header[1]) {
                self.begin();
            }
        }
    }

    fn begin(&mut self) {
        let length = &self.header[2..self.header_len];
        let long = length.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        self.payload = if length.is_empty() {
            u64::from(self.header[1] & 0x7f)
        } else {
            long
        };
        match self.header[0] & 0x0f {
            TEXT => self.texts += 1,
            PING => self.pings += 1,
            CLOSE => self.is_closed = true,
            _ => {}
        }
        self.header_len = 0;
    }
}

/// Bytes of a header whose second byte is this; servers do not mask.
fn header_len(second: u8) -> usize {
    match second & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

/// A text frame of a server.
#[must_use]
pub fn server_text(payload_len: u16) -> Vec<u8> {
    let mut frame = match payload_len {
        0..126 => vec![0x80 | TEXT, payload_len as u8],
        _ => [&[0x80 | TEXT, 126][..], &payload_len.to_be_bytes()].concat(),
    };
    frame.resize(frame.len() + usize::from(payload_len), b'x');
    frame
}

/// A text frame of a client, shorter than 126 bytes; masked with zeros, which changes nothing.
#[must_use]
pub fn client_text(text: &str) -> Vec<u8> {
    let header = [0x80 | TEXT, 0x80 | text.len() as u8, 0, 0, 0, 0];
    [&header, text.as_bytes()].concat()
}

/// A client's answer to a ping.
pub const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let ping = vec![0x89, 1, b'p'];
        let long = [&[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[0; 65536]].concat();
        let bytes = [
            server_text(5),
            ping,
            server_text(300),
            long,
            server_text(0),
            vec![0x88, 0],
        ]
        .concat();
        for step in [1, 2, 3, 7, 1000, bytes.len()] {
            let mut counter = FrameCounter::default();
            bytes.chunks(step).for_each(|chunk| counter.feed(chunk));
            assert_eq!(
                (counter.texts, counter.pings, counter.is_closed),
                (4, 1, true),
                "{step}"
            );
        }
    }
}
