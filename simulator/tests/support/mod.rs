//! A plain client of the simulator, independent of its code: a WebSocket, a few HTTP calls over a bare socket, deadlines everywhere.

#![allow(dead_code, missing_docs, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tickpath_service::config::Simulator;
use tickpath_simulator::{Options, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Nothing here takes so long unless it hangs.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub async fn start(change: impl FnOnce(&mut Simulator)) -> Server {
    start_with(change, Options::default()).await
}

pub async fn start_with(change: impl FnOnce(&mut Simulator), options: Options) -> Server {
    let mut config = Simulator {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        events_per_second: 200,
        ..Simulator::default()
    };
    change(&mut config);
    Server::start_with(config, options).await.expect("the simulator starts")
}

pub struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    pub async fn connect(server: &Server, path: &str) -> Client {
        Client::connect_with(server, path, &[]).await
    }

    pub async fn connect_with(server: &Server, path: &str, headers: &[(&'static str, &str)]) -> Client {
        let url = format!("ws://{}{path}", server.local_addr());
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let connected = timeout(DEADLINE, connect_async(request))
            .await
            .expect("connects in time");
        Client(connected.expect("the upgrade is accepted").0)
    }

    pub async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next message of any kind, or how the connection ended.
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        timeout(DEADLINE, self.0.next()).await.expect("a message in time")
    }

    /// The next text frame; pings pass by.
    pub async fn text(&mut self) -> String {
        loop {
            match self.next().await {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("a text frame was expected, not {other:?}"),
            }
        }
    }

    pub async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The first frame that fits; those before it are passed over.
    pub async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let search = async {
            loop {
                let frame = self.json().await;
                if fits(&frame) {
                    return frame;
                }
            }
        };
        timeout(DEADLINE, search).await.expect("the frame comes in time")
    }

    /// Code of the close frame; `None` if the connection ended without one.
    pub async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

pub async fn get(server: &Server, path: &str) -> Answer {
    request(server, &format!("GET {path} HTTP/1.1\r\n"), "").await
}

pub async fn get_with(server: &Server, path: &str, headers: &str) -> Answer {
    request(server, &format!("GET {path} HTTP/1.1\r\n{headers}"), "").await
}

/// Orders a fault; how many connections it reached.
pub async fn fault(server: &Server, command: &str) -> u64 {
    let answer = request(server, "POST /control/fault HTTP/1.1\r\n", command).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["connections"].as_u64().unwrap()
}

pub async fn request(server: &Server, start: &str, body: &str) -> Answer {
    let exchange = async {
        let mut socket = TcpStream::connect(server.local_addr()).await.unwrap();
        let text = format!(
            "{start}Host: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    };
    timeout(DEADLINE, exchange).await.expect("an answer in time")
}

/// `GET /control/state` of one venue, once it fits.
pub async fn state_of(server: &Server, venue: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let poll = async {
        loop {
            let state = get(server, "/control/state").await.json()["venues"][venue].clone();
            if fits(&state) {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, poll).await.expect("the state comes in time")
}
