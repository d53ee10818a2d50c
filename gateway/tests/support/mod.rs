//! The real simulator, a way to it on which answers get lost, and a desk whose engine is the test.

#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tempfile::TempDir;
use tickpath_gateway::ask::Ask;
use tickpath_gateway::desk::{self, DeskError, DeskParts};
use tickpath_gateway::meters::Meters;
use tickpath_gateway::stream::Heard;
use tickpath_gateway::venue::VenueSettings;
use tickpath_protocol::trading::{ClientOrderId, News, OrderKind, TimeInForce, VenueReport};
use tickpath_protocol::{Scale, Side};
use tickpath_service::config::Simulator;
use tickpath_service::{Pulse, Shutdown};
use tickpath_simulator::Server;
use tickpath_transport::{CounterPage, Latch, now_ns};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Nothing takes so long unless it hangs.
pub const DEADLINE: Duration = Duration::from_secs(60);
pub const KEY: &str = "simulated";

/// What happens to a call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It gets there, and its answer does not come back.
    LoseAnswer,
    /// It does not get there, and no answer comes.
    LoseCall,
    /// It gets there; the answer is another.
    Answer(u16, &'static str),
    /// It does not get there; this is answered.
    Instead(u16, &'static str),
    /// It gets there; the answer never ends.
    Endless,
}

/// A way to the venue's REST calls.
#[derive(Clone)]
pub struct Way {
    target: SocketAddr,
    client: reqwest::Client,
    /// What is to happen, in order, to calls whose method and path begin so.
    fates: Arc<Mutex<Vec<(&'static str, Fate)>>>,
    /// Bodies of new orders by their name, as often as they got to the venue.
    sent: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Way {
    /// The next call that begins so has this fate.
    pub fn next(&self, call: &'static str, fate: Fate) {
        self.fates.lock().unwrap().push((call, fate));
    }

    /// Nothing more happens to anything.
    pub fn clear(&self) {
        self.fates.lock().unwrap().clear();
    }

    pub fn all_happened(&self) -> bool {
        self.fates.lock().unwrap().is_empty()
    }

    /// How often an order was sent so that the venue could have it.
    pub fn sent(&self, name: &str) -> usize {
        self.sent.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    async fn pass(State(way): State<Way>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let call = format!("{} {}", parts.method, parts.uri);
        let fate = {
            let mut fates = way.fates.lock().unwrap();
            let at = fates.iter().position(|(begins, _)| call.starts_with(begins));
            at.map(|at| fates.remove(at).1)
        };
        match fate {
            Some(Fate::LoseCall) => return lost(),
            Some(Fate::Instead(status, text)) => return answer(status, text.into()),
            _ => {}
        }
        if call.starts_with("POST") {
            let order: Value = serde_json::from_slice(&body).unwrap();
            let name = order["client_oid"].as_str().unwrap().to_owned();
            *way.sent.lock().unwrap().entry(name).or_default() += 1;
        }
        let (status, text) = way.forward(&parts, body).await;
        match fate {
            Some(Fate::LoseAnswer) => lost(),
            Some(Fate::Answer(status, text)) => answer(status, text.into()),
            Some(Fate::Endless) => {
                let chunk = Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1 << 20]));
                let endless = futures_util::stream::repeat_with(move || {
                    chunk.as_ref().map(Bytes::clone).map_err(|_| std::io::Error::other(""))
                });
                Response::new(Body::from_stream(endless))
            }
            _ => answer(status, text),
        }
    }

    async fn forward(&self, parts: &axum::http::request::Parts, body: Bytes) -> (u16, Bytes) {
        let url = format!("http://{}{}", self.target, parts.uri);
        let mut request = self.client.request(parts.method.clone(), url).body(body);
        if let Some(key) = parts.headers.get("cb-access-key") {
            request = request.header("cb-access-key", key);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    }
}

fn answer(status: u16, body: Bytes) -> Response {
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

/// A connection that breaks off within the answer.
fn lost() -> Response {
    let broken = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("lost")) });
    Response::new(Body::from_stream(broken))
}

/// A venue and the way to it.
pub struct Venue {
    pub server: Server,
    pub way: Way,
    address: SocketAddr,
    client: reqwest::Client,
}

impl Venue {
    pub async fn start(events_per_second: u32) -> Venue {
        let config = Simulator {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            events_per_second,
            ..Simulator::default()
        };
        let server = Server::start(config).await.unwrap();
        // Only plain HTTP here; the desk's client installs what it needs itself.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let way = Way {
            target: server.local_addr(),
            client: client.clone(),
            fates: Arc::default(),
            sent: Arc::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(Way::pass).with_state(way.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Venue {
            server,
            way,
            address,
            client,
        }
    }

    pub async fn get(&self, path: &str) -> Value {
        let url = format!("http://{}/coinbase{path}", self.server.local_addr());
        let request = self.client.get(url).header("cb-access-key", KEY);
        let answer = request.send().await.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&answer).unwrap()
    }

    /// An order that is nobody's here.
    pub async fn place(&self, order: &Value) -> Value {
        let url = format!("http://{}/coinbase/orders", self.server.local_addr());
        let request = self
            .client
            .post(url)
            .header("cb-access-key", KEY)
            .body(order.to_string());
        let answer = request.send().await.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&answer).unwrap()
    }

    pub async fn fault(&self, fault: Value) {
        let url = format!("http://{}/control/fault", self.server.local_addr());
        let answer = self.client.post(url).body(fault.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Best price of a side of BTC-USD, in cents.
    pub async fn best(&self, side: &str) -> i64 {
        let book = self.get("/products/BTC-USD/book?level=1").await;
        let price: f64 = book[side][0][0].as_str().unwrap().parse().unwrap();
        (price * 100.0).round() as i64
    }

    pub async fn open(&self) -> Vec<String> {
        let rows = self.get("/orders?status=open&limit=1000").await;
        let name = |row: &Value| row["client_oid"].as_str().unwrap_or("").to_owned();
        rows.as_array().unwrap().iter().map(name).collect()
    }

    pub async fn until_open(&self, wanted: usize) {
        until(async || self.open().await.len() == wanted).await;
    }
}

/// Waits for a condition.
pub async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait)
        .await
        .expect("the condition holds in time");
}

/// A desk at work; the test is its engine.
pub struct Gateway {
    pub tell: mpsc::Sender<Heard>,
    reports: mpsc::Receiver<VenueReport>,
    pub meters: Meters,
    pub shutdown: Shutdown,
    pub task: JoinHandle<Result<(), DeskError>>,
}

impl Gateway {
    pub fn start(venue: &Venue, latch: &TempDir, change: impl FnOnce(&mut VenueSettings)) -> Gateway {
        let mut settings = VenueSettings {
            rest_url: format!("http://{}/coinbase", venue.address),
            ws_url: format!("ws://{}/coinbase", venue.server.local_addr()),
            key: KEY.to_owned(),
            timeout: Duration::from_secs(2),
            cancel_on_disconnect: false,
        };
        change(&mut settings);
        let (tell, heard) = mpsc::channel(64);
        let (report, reports) = mpsc::channel(4096);
        let meters = Meters::new(&CounterPage::create("gateway").unwrap());
        let shutdown = Shutdown::new();
        let parts = DeskParts {
            venue: settings,
            latch: open_latch(latch),
            meters: meters.clone(),
            pulse: Pulse::new(),
            heard,
            reports: report,
            shutdown: shutdown.clone(),
        };
        let task = tokio::task::spawn_local(desk::run(parts));
        Gateway {
            tell,
            reports,
            meters,
            shutdown,
            task,
        }
    }

    pub async fn hear(&self, heard: Heard) {
        self.tell.send(heard).await.unwrap();
    }

    /// Begins with nothing of the past.
    pub async fn begin(&self) {
        let scale = Scale::new(2, 8).unwrap();
        let name = "BTC-USD".to_owned();
        self.hear(Heard::Product { name, scale }).await;
        self.hear(Heard::CaughtUp).await;
    }

    pub async fn report(&mut self) -> VenueReport {
        let next = tokio::time::timeout(DEADLINE, self.reports.recv()).await;
        next.expect("a report in time").expect("a desk")
    }

    /// The next news, which must be of this order.
    pub async fn news(&mut self, id: ClientOrderId) -> News {
        let report = self.report().await;
        assert_eq!(report.order, id, "{report:?}");
        report.news
    }

    /// The news of an order up to its end, others passed over; what was filled must add up.
    pub async fn until_end(&mut self, id: ClientOrderId, quantity: i64) -> (Vec<News>, i64) {
        let (mut all, mut sum) = (Vec::new(), 0);
        loop {
            let report = self.report().await;
            if report.order != id {
                continue;
            }
            all.push(report.news);
            if let News::Filled {
                quantity, cumulative, ..
            } = report.news
            {
                sum += quantity;
                assert_eq!(sum, cumulative, "{all:?}");
            }
            let is_end = matches!(report.news, News::Canceled { .. } | News::Rejected(_));
            if is_end || sum == quantity {
                return (all, sum);
            }
        }
    }

    /// Orders inside the spread, one after the other, until others have filled one: the market may leave each behind. Its number, and what was filled of it.
    pub async fn filled_by_others(&mut self, venue: &Venue, first: u32) -> (u32, i64) {
        const WHOLE: i64 = 50_000_000;
        for counter in first..first + 60 {
            let ask = limit(counter, Side::Bid, venue.best("bids").await + 1);
            self.hear(Heard::Submitted(ask.clone())).await;
            let tell = self.tell.clone();
            let mut end = std::pin::pin!(self.until_end(ask.id, WHOLE));
            let filled = match tokio::time::timeout(Duration::from_secs(3), &mut end).await {
                Ok((_, filled)) => filled,
                Err(_) => {
                    tell.send(Heard::CancelAsked(ask)).await.unwrap();
                    end.await.1
                }
            };
            if filled > 0 {
                return (counter, filled);
            }
        }
        panic!("nobody trades");
    }

    /// Dies on the spot, as by a kill.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

pub fn open_latch(dir: &TempDir) -> Latch {
    Latch::open(&dir.path().join("kill")).unwrap()
}

pub fn id(counter: u32) -> ClientOrderId {
    ClientOrderId::new(1, counter)
}

/// A limit order for 0.5 BTC.
pub fn limit(counter: u32, side: Side, price: i64) -> Ask {
    Ask {
        id: id(counter),
        product: Some("BTC-USD".into()),
        scale: Scale::new(2, 8).unwrap(),
        side: Some(side),
        kind: Some(OrderKind::Limit),
        price,
        trigger: None,
        quantity: 50_000_000,
        time_in_force: TimeInForce::Gtc,
        post_only: false,
        reduce_only: false,
        published_ns: now_ns(),
    }
}

/// Sum of the venue's fills of an order, a mantissa.
pub async fn filled_at(venue: &Venue, counter: u32) -> i64 {
    let order = venue.get(&format!("/orders/client:tp-1-{counter}")).await;
    let filled: f64 = order["filled_size"].as_str().expect("an order").parse().unwrap();
    (filled * 1e8).round() as i64
}

/// An order of somebody else with the same key.
pub fn stranger(name: &str, price: i64) -> Value {
    json!({
        "product_id": "BTC-USD", "side": "buy", "type": "limit", "size": "0.5", "client_oid": name,
        "price": format!("{:.2}", price as f64 / 100.0),
    })
}
