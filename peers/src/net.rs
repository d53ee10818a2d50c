//! The floor of everything that crosses a socket: one message, one way, over loopback TCP.
//!
//! A sender on one core writes messages of a fixed size when they are due; a receiver on another reads them and stamps each. Neither does
//! anything else. The time of a message runs from when it was *due*, which stands in its first eight bytes, so that a sender that is late
//! hides nothing.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Bytes that the receiver takes at a time.
const READ_BYTES: usize = 64 << 10;
/// A receiver that hears nothing for so long has lost its sender.
const SILENCE: Duration = Duration::from_secs(5);

/// How the receiver waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// Calls `recv` again and again.
    Polled,
    /// Sleeps in `recv`.
    Blocking,
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct OneWay {
    /// Bytes of a message, at least 8.
    pub bytes: usize,
    /// From one message to the next.
    pub interval_ns: i64,
    /// How many.
    pub messages: usize,
    /// How the receiver waits.
    pub receive: Receive,
    /// Nanoseconds of a clock that both threads share.
    pub clock: fn() -> i64,
}

/// From when each message was due to when it was read, ns, in order. `pin_receiver` is called on the receiver's thread; the sender is the caller.
///
/// # Errors
/// If loopback TCP fails.
pub fn one_way(run: OneWay, pin_receiver: impl FnOnce() + Send) -> io::Result<Vec<u64>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let sender = TcpStream::connect(listener.local_addr()?)?;
    let (receiver, _) = listener.accept()?;
    sender.set_nodelay(true)?;
    receiver.set_read_timeout(Some(SILENCE))?;
    receiver.set_nonblocking(run.receive == Receive::Polled)?;
    thread::scope(|scope| {
        let received = scope.spawn(move || {
            pin_receiver();
            receive(run, receiver)
        });
        let sent = send(run, sender);
        let latencies = received
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the receiver failed")));
        sent.and(latencies)
    })
}

fn send(run: OneWay, mut stream: TcpStream) -> io::Result<()> {
    let mut message = vec![b'x'; run.bytes.max(8)];
    // The receiver's thread starts meanwhile.
    let start_ns = (run.clock)() + 5_000_000;
    let mut due_ns = start_ns;
    for _ in 0..run.messages {
        while (run.clock)() < due_ns {
            std::hint::spin_loop();
        }
        message[..8].copy_from_slice(&due_ns.to_le_bytes());
        stream.write_all(&message)?;
        due_ns += run.interval_ns;
    }
    Ok(())
}

fn receive(run: OneWay, mut stream: TcpStream) -> io::Result<Vec<u64>> {
    let bytes = run.bytes.max(8);
    let mut latencies = Vec::with_capacity(run.messages);
    let mut buffer = vec![0; READ_BYTES.max(bytes)];
    let mut filled = 0;
    while latencies.len() < run.messages {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(error) if is_busy(run.receive, &error) => continue,
            Err(error) => return Err(error),
        }
        let whole = filled - filled % bytes;
        for message in buffer[..whole].chunks_exact(bytes) {
            let due_ns = message.first_chunk().map_or(0, |due| i64::from_le_bytes(*due));
            latencies.push(u64::try_from((run.clock)() - due_ns).unwrap_or(0));
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
    Ok(latencies)
}

/// A polled socket that has nothing; a blocking one that says so has waited for [`SILENCE`].
fn is_busy(receive: Receive, error: &io::Error) -> bool {
    error.kind() == ErrorKind::Interrupted || (receive == Receive::Polled && error.kind() == ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    fn now_ns() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }

    #[test]
    fn every_message_arrives() {
        for receive in [Receive::Polled, Receive::Blocking] {
            let run = OneWay {
                bytes: 100,
                interval_ns: 1_000,
                messages: 500,
                receive,
                clock: now_ns,
            };
            assert_eq!(one_way(run, || {}).unwrap().len(), 500);
        }
    }
}
