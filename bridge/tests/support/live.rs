//! A relay, a producer and a bridge in the test's own process, on a socket and a port of their own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tickpath_bridge::{Bridge, Timing};
use tickpath_protocol::{InstrumentId, Record, Scale, Venue};
use tickpath_relay::{Relay, RelayConfig};
use tickpath_service::{Config, Shutdown};
use tickpath_transport::{CounterPage, Publisher, PublisherConfig, Via, WaitStrategy};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async};

/// No condition takes longer on a healthy machine, however busy.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub struct World {
    pub dir: TempDir,
    pub relay: Option<Relay>,
    pub bridge: Bridge,
}

impl World {
    pub fn start(configure: impl FnOnce(&mut Config)) -> World {
        // Every client that reads moves on as soon as it may.
        let timing = Timing {
            proving: Duration::ZERO,
            ..Timing::default()
        };
        World::start_with(timing, configure)
    }

    pub fn start_with(timing: Timing, configure: impl FnOnce(&mut Config)) -> World {
        let dir = tempfile::tempdir().unwrap();
        let relay = start_relay(&dir);
        let bridge = start_bridge(&dir, timing, configure);
        let world = World {
            dir,
            relay: Some(relay),
            bridge,
        };
        wait_until("the bridge attaches", || world.get("/healthz").0 == 200);
        world
    }

    pub fn address(&self) -> SocketAddr {
        self.bridge.address()
    }

    pub fn producer(&self, venue: Venue) -> LiveProducer {
        producer(&self.dir, venue)
    }

    pub fn restart_relay(&mut self) {
        self.relay.take().unwrap().stop().unwrap();
        wait_until("the bridge notices", || self.get("/healthz").0 == 503);
        self.relay = Some(start_relay(&self.dir));
        wait_until("the bridge attaches again", || self.get("/healthz").0 == 200);
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let response = http(
            self.address(),
            &format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.address()),
        );
        let status = response
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let body = response.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, body.to_owned())
    }

    /// The value of a metric of the bridge.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").1;
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next())
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.address(), &[]).await.unwrap()
    }
}

pub fn socket(dir: &TempDir) -> PathBuf {
    dir.path().join("relay.sock")
}

pub fn producer(dir: &TempDir, venue: Venue) -> LiveProducer {
    let page = CounterPage::create(&format!("collector-{venue}")).unwrap();
    let config = PublisherConfig {
        socket: socket(dir),
        venue,
        name: format!("collector-{venue}"),
        capacity: 1 << 14,
        via: Via::SharedMemory,
    };
    LiveProducer {
        publisher: Publisher::new(config, &page).unwrap(),
    }
}

pub fn start_relay(dir: &TempDir) -> Relay {
    let config = RelayConfig {
        socket: socket(dir),
        capacity: 1 << 14,
        wait: WaitStrategy::Sleep,
        pin: None,
    };
    Relay::start(&config).unwrap()
}

pub fn config(dir: &TempDir) -> Config {
    let mut config = Config::default();
    config.relay.socket = socket(dir);
    config.bridge.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config
}

pub fn start_bridge(dir: &TempDir, timing: Timing, configure: impl FnOnce(&mut Config)) -> Bridge {
    let mut config = config(dir);
    configure(&mut config);
    Bridge::start(&config, timing, Shutdown::new()).unwrap()
}

/// One request on a connection of its own; the whole response.
pub fn http(address: SocketAddr, head: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
        .write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// As [`wait_until`], letting the test's own tasks run.
pub async fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub struct LiveProducer {
    pub publisher: Publisher,
}

impl LiveProducer {
    pub fn instrument(&mut self, symbol: &str) -> InstrumentId {
        self.publisher
            .instrument(symbol, symbol, Scale::new(1, 3).unwrap(), 1, 1)
            .unwrap()
    }

    pub fn send(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            self.publisher.publish(Record {
                ts_recv: tickpath_transport::now_ns(),
                ..record
            });
        }
        self.publisher.flush();
    }
}

pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    /// Connects with these headers more than needed.
    pub async fn connect(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Client, Error> {
        let mut request = format!("ws://{address}/ws").into_client_request()?;
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        let stream = TcpStream::connect(address).await?;
        let (socket, _) = client_async(request, MaybeTlsStream::Plain(stream)).await?;
        Ok(Client { socket })
    }

    pub async fn send(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    pub async fn subscribe(&mut self, channels: &[&str], symbols: &[&str]) {
        let request = json!({"op": "subscribe", "channels": channels, "symbols": symbols, "id": 1});
        self.send(request.to_string()).await;
        let reply = self.next().await;
        assert_eq!(reply["op"], "subscribed", "{reply}");
    }

    /// The next message.
    pub async fn next(&mut self) -> Value {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let frame = tokio::time::timeout_at(deadline, self.socket.next())
                .await
                .expect("a message in time");
            match frame.expect("the connection stands").expect("frames are whole") {
                Message::Text(text) => return serde_json::from_str(&text).expect("messages are JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?} instead of a message"),
            }
        }
    }

    /// The next message that `wanted` says yes to.
    pub async fn find(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next().await;
            if wanted(&message) {
                return message;
            }
        }
    }

    /// Reads to the end: the messages, and the close frame if one came.
    pub async fn rest(&mut self) -> (Vec<Value>, Option<CloseFrame>) {
        let mut messages = Vec::new();
        loop {
            let frame = tokio::time::timeout(DEADLINE, self.socket.next())
                .await
                .expect("the end in time");
            match frame {
                Some(Ok(Message::Text(text))) => messages.push(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return (messages, frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return (messages, None),
            }
        }
    }
}
