//! A WebSocket client of the bridge that does nothing but find the trades in what it reads.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::venue::{number_of, read_head};

const SUBSCRIBE: &str = r#"{"op":"subscribe","channels":["trades"],"symbols":["binance:*"],"id":1}"#;
/// How long the bridge may take to listen, and to answer.
const PATIENCE: Duration = Duration::from_secs(20);
const PRICE: &[u8] = br#""price":""#;

/// The client's end.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Client {
    /// Connects as soon as the bridge listens, and subscribes to all trades.
    pub fn connect(address: SocketAddr) -> io::Result<Client> {
        let deadline = Instant::now() + PATIENCE;
        let mut stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )?;
        let head = read_head(&mut stream)?;
        if !head.starts_with("HTTP/1.1 101") {
            return Err(io::Error::other(head.lines().next().unwrap_or_default().to_owned()));
        }
        // A client's frames are masked; a mask of zeros leaves them as they are.
        let mut frame = vec![0x81, 0x80 | SUBSCRIBE.len() as u8, 0, 0, 0, 0];
        frame.extend(SUBSCRIBE.as_bytes());
        stream.write_all(&frame)?;
        Ok(Client {
            stream,
            buffer: vec![0; 256 << 10],
            filled: 0,
        })
    }

    /// Whether [`Client::read`] returns at once where there is nothing.
    pub fn set_polled(&mut self, is_polled: bool) -> io::Result<()> {
        self.stream.set_nonblocking(is_polled)
    }

    /// How long a read may wait that is not polled.
    pub fn set_patience(&mut self, patience: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(patience))
    }

    /// Reads once and names every trade that is whole by then; false if nothing came.
    pub fn read(&mut self, mut on: impl FnMut(i64)) -> io::Result<bool> {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => self.filled += read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(false),
            Err(error) => return Err(error),
        }
        let mut at = 0;
        while let Some((payload, next)) = frame(&self.buffer[at..self.filled]) {
            trades(&self.buffer[at..][payload..next], &mut on);
            at += next;
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(true)
    }
}

/// Where the payload of the first frame begins and where the frame ends, if it is whole. A server's frames carry no mask.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (start, length) = match *bytes.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).ok()?,
        ),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= start + length).then_some((start, start + length))
}

fn trades(mut text: &[u8], on: &mut impl FnMut(i64)) {
    while let Some(at) = text.windows(PRICE.len()).position(|window| window == PRICE) {
        text = &text[at + PRICE.len()..];
        let digits = text.iter().take_while(|byte| **byte != b'"');
        let price = digits.filter(|byte| byte.is_ascii_digit());
        on(number_of(
            price.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_are_found_in_frames() {
        let text = br#"{"channel":"trades","type":"update","data":[{"price":"10000000.07000000"},{"price":"10000001.00000000"}]}"#;
        let mut bytes = vec![0x81, 126, 0, text.len() as u8];
        bytes.extend(text);
        assert_eq!(frame(&bytes[..20]), None);
        let (payload, end) = frame(&bytes).unwrap();
        assert_eq!(end, bytes.len());
        let mut found = Vec::new();
        trades(&bytes[payload..end], &mut |number| found.push(number));
        assert_eq!(found, [7, 100]);
    }
}
