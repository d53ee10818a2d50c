//! The venue: as much of Binance as the collector needs, and trades that leave when they are due.
//!
//! Every trade is a frame of its own. Its number stands in its trade id and in its price, so that it is found again in the record and in the
//! JSON message.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// How long the collector may take to find its instruments and subscribe.
const ARRIVAL: Duration = Duration::from_secs(20);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// What the venue lists.
const LISTING: &str = r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1000000000.00","tickSize":"0.01"},{"filterType":"LOT_SIZE","minQty":"0.00001","maxQty":"9000.00000000","stepSize":"0.00001"}]}]}"#;
/// A trade as Binance sends it; the places of number, price and times are overwritten.
const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000000000,"s":"BTCUSDT","t":1000000000,"p":"10000000.00000000","q":"0.00148000","T":1700000000000000,"m":true,"M":true}}"#;
/// Trade id of trade 0, and its price in hundredths.
const NUMBER_BASE: i64 = 1_000_000_000;
/// Mantissas of a hundredth: prices have eight decimals, as Binance prints them.
const HUNDREDTH: i64 = 1_000_000;
/// A text frame with a 16-bit length.
const TEXT_FRAME: [u8; 2] = [0x81, 126];

/// The number of the trade with this price mantissa.
pub fn number_of(price: i64) -> i64 {
    price / HUNDREDTH - NUMBER_BASE
}

/// Listens for the collector.
pub struct Door {
    listener: TcpListener,
    pub address: SocketAddr,
}

impl Door {
    pub fn open() -> io::Result<Door> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Door { listener, address })
    }

    /// Serves the list of instruments, then the WebSocket, until the collector has subscribed.
    pub fn admit(&self) -> io::Result<Venue> {
        let deadline = Instant::now() + ARRIVAL;
        while Instant::now() < deadline {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Some(venue) = answer(stream)? {
                        return Ok(venue);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(ErrorKind::TimedOut, "the collector did not come"))
    }
}

fn answer(mut stream: TcpStream) -> io::Result<Option<Venue>> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ARRIVAL))?;
    let head = read_head(&mut stream)?;
    let Some(key) = header(&head, "sec-websocket-key") else {
        let length = LISTING.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{LISTING}"
        )?;
        return Ok(None);
    };
    let accept = derive_accept_key(key.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    // The one frame that the collector sends is its subscription.
    let mut frame = [0; 4_096];
    if stream.read(&mut frame)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    stream.write_all(&text_frame(br#"{"result":null,"id":1}"#))?;
    stream.set_nonblocking(true)?;
    Ok(Some(Venue::new(stream)))
}

/// The head of a request or an answer, read to its empty line and not further.
pub fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

fn text_frame(text: &[u8]) -> Vec<u8> {
    let mut frame = TEXT_FRAME.to_vec();
    frame.extend((text.len() as u16).to_be_bytes());
    frame.extend(text);
    frame
}

/// The venue's end of the connection.
pub struct Venue {
    stream: TcpStream,
    frame: Vec<u8>,
    /// Where the digits of trade id, price and the two times begin in the frame.
    places: [usize; 4],
    next: i64,
    /// What the socket did not take at once.
    rest: Vec<u8>,
}

impl Venue {
    fn new(stream: TcpStream) -> Venue {
        let frame = text_frame(TRADE.as_bytes());
        let place = |key: &str| frame.len() - TRADE.len() + TRADE.find(key).map_or(0, |at| at + key.len());
        Venue {
            stream,
            places: [place(r#""t":"#), place(r#""p":""#), place(r#""E":"#), place(r#""T":"#)],
            frame,
            next: 0,
            rest: Vec::new(),
        }
    }

    /// Bytes of a trade on the wire.
    pub fn frame_bytes(&self) -> usize {
        self.frame.len()
    }

    /// The number of the next trade.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Sends a trade; the venue says that it happened at `event_ns`.
    pub fn send(&mut self, event_ns: i64) -> io::Result<()> {
        let number = NUMBER_BASE + self.next;
        self.next += 1;
        let [id, price, event, trade] = self.places;
        digits(&mut self.frame[id..id + 10], number);
        digits(&mut self.frame[price..price + 8], number / 100);
        digits(&mut self.frame[price + 9..price + 11], number % 100);
        digits(&mut self.frame[event..event + 16], event_ns / 1_000);
        digits(&mut self.frame[trade..trade + 16], event_ns / 1_000);
        self.flush()?;
        if !self.rest.is_empty() {
            self.rest.extend(&self.frame);
            return Ok(());
        }
        let taken = taken(self.stream.write(&self.frame))?;
        self.rest.extend(&self.frame[taken..]);
        Ok(())
    }

    /// Sends what the socket did not take before.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.rest.is_empty() {
            let taken = taken(self.stream.write(&self.rest))?;
            self.rest.drain(..taken);
        }
        Ok(())
    }
}

fn taken(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

fn digits(place: &mut [u8], mut number: i64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trade_holds_its_number_and_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let mut venue = Venue::new(stream);
        venue.next = 12_345;
        venue.send(1_800_000_000_123_456_789).unwrap();
        let mut frame = vec![0; venue.frame_bytes()];
        far.read_exact(&mut frame).unwrap();
        let trade: serde_json::Value = serde_json::from_slice(&frame[4..]).unwrap();
        let trade = &trade["data"];
        assert_eq!(
            (&trade["t"], &trade["p"]),
            (&1_000_012_345_i64.into(), &"10000123.45000000".into())
        );
        assert_eq!(
            (&trade["E"], &trade["T"]),
            (&1_800_000_000_123_456_i64.into(), &1_800_000_000_123_456_i64.into())
        );
        assert_eq!(number_of(1_000_012_345_000_000), 12_345);
    }
}
