//! A bridge without sockets, for tests of who gets what.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tickpath_bridge::hub::{Hub, Limits};
use tickpath_bridge::market::{Input, Market};
use tickpath_bridge::message::with_note;
use tickpath_bridge::outbox::{Outbox, Taken};
use tickpath_bridge::request;
use tickpath_protocol::{InstrumentTable, Record, Venue};

use super::table;

/// The bridge without its thread and sockets: records in, and what waits for each client out.
pub struct Bridge {
    pub market: Market,
    pub hub: Hub,
    pub table: InstrumentTable,
    start: Instant,
}

impl Bridge {
    pub fn new(subscriptions_max: usize) -> Bridge {
        let start = Instant::now();
        let limits = Limits {
            subscriptions_max,
            slow_client: Duration::from_secs(1),
        };
        let mut bridge = Bridge {
            market: Market::new(),
            hub: Hub::new(limits, start),
            table: table(),
            start,
        };
        bridge.market.sync(&bridge.table, &mut bridge.hub);
        bridge
    }

    pub fn at(&mut self, seconds: u64) {
        self.hub.turn(self.start + Duration::from_secs(seconds));
    }

    pub fn send(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            self.market.apply(&Input::Record(record), &self.table, 0, &mut self.hub);
        }
        self.hub.serve(&self.market);
        self.hub.wake();
    }

    /// Records of Kraken are missing from the stream.
    pub fn miss(&mut self, count: u64) {
        let missing = Input::Missing {
            venue: Venue::KRAKEN,
            count,
        };
        self.market.apply(&missing, &self.table, 0, &mut self.hub);
        self.hub.serve(&self.market);
        self.hub.wake();
    }

    pub fn client(&mut self, id: u64, queue: usize) -> Client {
        let outbox = Arc::new(Outbox::new(queue));
        self.hub.connect(id, Arc::clone(&outbox));
        Client { id, outbox }
    }

    pub fn ask(&mut self, client: &Client, op: &str, channels: &[&str], symbols: &[&str]) {
        let frame = serde_json::json!({"op": op, "channels": channels, "symbols": symbols, "id": 1}).to_string();
        let (id, request) = request::parse(frame.as_bytes());
        self.hub.request(client.id, &id, &request.unwrap());
        self.hub.serve(&self.market);
        self.hub.wake();
    }

    /// What waits for the client now.
    pub fn read(&mut self, client: &Client) -> Vec<Value> {
        let mut batch = Vec::new();
        loop {
            let mut part = Vec::new();
            let taken = client.outbox.take(&mut part, u64::MAX);
            batch.append(&mut part);
            if taken == Taken::Drained {
                self.hub.drained(client.id);
                self.hub.serve(&self.market);
                self.hub.wake();
            }
            if taken != Taken::Batch {
                break;
            }
        }
        let parse = |(body, note)| serde_json::from_str(&with_note(body, note)).expect("messages are JSON");
        batch.into_iter().map(parse).collect()
    }

    /// Everything, until nothing waits.
    pub fn read_all(&mut self, client: &Client) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let read = self.read(client);
            if read.is_empty() {
                // A drain that was just reported may have brought snapshots.
                let rest = self.read(client);
                if rest.is_empty() {
                    return messages;
                }
                messages.extend(rest);
            }
            messages.extend(read);
        }
    }
}

/// A client of it.
pub struct Client {
    pub id: u64,
    pub outbox: Arc<Outbox>,
}

/// What came, a line a message.
pub fn brief(messages: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    messages
        .iter()
        .map(|message| match message.get("op") {
            Some(op) => format!("{} {}", text(op), message.get("code").map_or(String::new(), text)),
            None => format!(
                "{} {} {}",
                text(&message["channel"]),
                text(&message["type"]),
                text(&message["symbol"])
            ),
        })
        .collect()
}
