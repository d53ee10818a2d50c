//! A client of the bridge that believes nothing: it connects again whenever it is closed, and accounts for every trade of the certified producer.
//!
//! The bridge tells what a client did not get: `skipped` in a message of trades, and in each status of the venue how many records are `lost` in all; what that
//! has grown by may be missing before the next trade, and no more. A status of cause `ring_full` or `relay_loss` names the sequences. What was published
//! while there was no connection is the client's own to count.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use tickpath_protocol::{Side, decimal};
use tickpath_service::exit::ProcessError;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use super::stopwatch::Stopwatch;
use super::{Marks, Order, Orders, Over, Said, say};
use crate::certified;
use crate::ledger::{Account, SILENT};

const SAY_EVERY: Duration = Duration::from_millis(50);
const READ_LIMIT: Duration = Duration::from_millis(10);
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(2);
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Messages after a hole within which the bridge must have told of it. Status that is conflated comes once all that waits is written: within the bridge's
/// `slow_client_ms` (10,000), or it closes the connection.
const TELL_WITHIN: u32 = 40_000;

/// Runs until the input ends.
///
/// # Errors
/// If the parent does not listen.
pub fn run(bridge: SocketAddr, seed: u64) -> Result<(), ProcessError> {
    let orders = Orders::listen();
    let mut reader = Reader {
        seed,
        account: Account::default(),
        in_connection: 0,
        is_fresh: true,
        lost: None,
        told: 0,
        untold: 0,
        untold_for: 0,
        newest_ns: 0,
        stopwatch: Stopwatch::default(),
    };
    let (mut marks, mut told, mut end) = (Marks::default(), Instant::now(), None);
    let mut socket = None;
    loop {
        match orders.next() {
            Ok(Some(Order::Mark { id, at_ns })) => marks.add(id, at_ns),
            Ok(Some(Order::Finish { last })) => end = Some(last),
            Ok(Some(Order::Begin)) => reader.stopwatch.begin(),
            Ok(Some(Order::End)) => say(&Said::Latency(reader.stopwatch.end()))?,
            Ok(Some(Order::Spoil) | None) => {}
            Err(Over) => return Ok(()),
        }
        match &mut socket {
            None => {
                socket = connect(bridge);
                if socket.is_some() {
                    reader.connected();
                    say(&Said::Ready)?;
                } else {
                    std::thread::sleep(RETRY_PAUSE);
                }
            }
            Some(open) => match open.read() {
                Ok(Message::Text(text)) => reader.take(&text),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if is_time_out(&error) => {}
                Err(_) => {
                    socket = None;
                    reader.disconnected();
                }
            },
        }
        marks.seen(reader.newest_ns)?;
        if told.elapsed() >= SAY_EVERY {
            told = Instant::now();
            say(&Said::Progress {
                last: reader.account.last,
                published_ns: reader.newest_ns,
            })?;
        }
        if end.is_some_and(|end| reader.account.last >= end) {
            end = None;
            say(&Said::Account(reader.ended()))?;
        }
    }
}

fn is_time_out(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut | std::io::ErrorKind::Interrupted
    )
}

/// A subscribed connection, if the bridge is there.
fn connect(bridge: SocketAddr) -> Option<WebSocket<TcpStream>> {
    let stream = TcpStream::connect_timeout(&bridge, HANDSHAKE_LIMIT).ok()?;
    stream.set_read_timeout(Some(HANDSHAKE_LIMIT)).ok()?;
    stream.set_write_timeout(Some(HANDSHAKE_LIMIT)).ok()?;
    let (mut socket, _) = tungstenite::client(format!("ws://{bridge}/ws"), stream).ok()?;
    let wanted = format!(
        r#"{{"op":"subscribe","channels":["trades","status"],"symbols":["{}:*"],"id":1}}"#,
        certified::VENUE
    );
    socket.send(Message::text(wanted)).ok()?;
    socket.get_ref().set_read_timeout(Some(READ_LIMIT)).ok()?;
    Some(socket)
}

struct Reader {
    seed: u64,
    account: Account,
    /// Newest sequence of this connection.
    in_connection: u64,
    /// No record that is new has come in this connection.
    is_fresh: bool,
    /// What the last status of this connection said to be lost in all.
    lost: Option<u64>,
    /// Records that were told to be lost, of which the next trade must show the hole.
    told: u64,
    /// Records of holes that nothing was told of yet, and for how many more messages that may be so.
    untold: u64,
    untold_for: u32,
    newest_ns: i64,
    stopwatch: Stopwatch,
}

impl Reader {
    fn connected(&mut self) {
        self.is_fresh = true;
        self.in_connection = 0;
        self.lost = None;
        self.told = 0;
    }

    /// What the bridge had still to tell of can be told no more.
    fn disconnected(&mut self) {
        let untold = std::mem::take(&mut self.untold);
        if untold > 0 {
            self.account.lose("cut off", untold);
        }
    }

    fn ended(&mut self) -> Account {
        self.close_untold();
        self.account.clone()
    }

    fn close_untold(&mut self) {
        let untold = std::mem::take(&mut self.untold);
        if untold > 0 {
            self.account.lose(SILENT, untold);
        }
    }

    fn take(&mut self, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            self.account.torn += 1;
            self.account.example(|| format!("no JSON: {text}"));
            return;
        };
        if self.untold > 0 {
            self.untold_for -= 1;
            if self.untold_for == 0 {
                self.close_untold();
            }
        }
        let is_update = message["type"] == "update";
        let items = message["data"].as_array().map_or(&[][..], Vec::as_slice);
        match message["channel"].as_str() {
            Some("trades") => {
                let mut skipped = message["skipped"].as_u64().unwrap_or(0);
                items.iter().for_each(|item| self.trade(item, is_update, &mut skipped));
            }
            Some("status") if message["symbol"].is_null() => {
                self.lost(message["lost"].as_u64());
                if is_update {
                    items.iter().for_each(|item| self.status(item));
                }
            }
            _ => {}
        }
    }

    /// Takes note of how much is lost in all, which explains holes found already first. What was lost before the first record of a connection came
    /// is none of its holes.
    fn lost(&mut self, lost: Option<u64>) {
        let Some(lost) = lost else {
            self.account.torn += 1;
            self.account
                .example(|| "a status that does not say how much is lost".to_owned());
            return;
        };
        let before = self.lost.replace(lost).unwrap_or(if self.is_fresh { lost } else { 0 });
        let grown = lost.saturating_sub(before);
        let late = grown.min(self.untold);
        if late > 0 {
            self.untold -= late;
            self.account.lose("missing", late);
        }
        self.told += grown - late;
    }

    fn status(&mut self, item: &Value) {
        match (item["cause"].as_str(), item["last"].as_u64()) {
            (Some(cause @ ("ring_full" | "relay_loss")), Some(last)) if last > self.account.last => {
                let hole = last - self.account.last;
                self.account.lose(cause, hole);
                self.account.last = last;
                self.told = self.told.saturating_sub(hole);
            }
            _ => {}
        }
    }

    fn trade(&mut self, item: &Value, is_update: bool, skipped: &mut u64) {
        let Some((sequence, ts_recv)) = self.certified(item) else {
            self.account.torn += 1;
            self.account.example(|| format!("torn or foreign: {item}"));
            return;
        };
        if sequence <= self.in_connection {
            self.account.repeated += 1;
            self.account
                .example(|| format!("{sequence} after {} in one connection", self.in_connection));
            return;
        }
        self.in_connection = sequence;
        if sequence <= self.account.last {
            return;
        }
        let hole = sequence - self.account.last - 1;
        if hole > 0 && (self.is_fresh || !is_update) {
            // A snapshot holds what came before the subscription.
            self.account.lose("not connected", hole);
        } else if hole > 0 {
            self.explain(hole, skipped);
        }
        self.told = 0;
        self.account.delivered += 1;
        self.account.last = sequence;
        self.newest_ns = ts_recv;
        self.stopwatch.add(ts_recv);
        self.is_fresh = false;
    }

    fn explain(&mut self, mut hole: u64, skipped: &mut u64) {
        let told = hole.min(*skipped);
        if told > 0 {
            *skipped -= told;
            hole -= told;
            self.account.lose("skipped", told);
        }
        let told = hole.min(self.told);
        if told > 0 {
            hole -= told;
            self.account.lose("missing", told);
        }
        if hole == 0 {
            return;
        }
        let last = self.account.last;
        self.account
            .example(|| format!("{hole} missing after {last}, not told by then"));
        self.untold += hole;
        self.untold_for = TELL_WITHIN;
    }

    /// Sequence and time of the record that an item states, if it states one of the stream.
    fn certified(&self, item: &Value) -> Option<(u64, i64)> {
        let sequence = item["sequence"].as_u64()?;
        let ts_recv = item["ts_recv"].as_i64()?;
        let number = |key: &str, decimals| decimal::parse(item[key].as_str()?.as_bytes(), decimals).ok();
        let found = certified::Fields {
            side: match item["side"].as_str()? {
                "buy" => Side::Bid,
                "sell" => Side::Ask,
                _ => return None,
            },
            price: number("price", certified::SCALE.price_decimals())?,
            size: number("size", certified::SCALE.size_decimals())?,
            ts_event: item["ts_event"].as_i64()?,
        };
        (found == certified::fields(self.seed, sequence, ts_recv)).then_some((sequence, ts_recv))
    }
}
