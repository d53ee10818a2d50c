//! A venue on loopback for one test: the test says how a connection and a REST request are answered.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tickpath_collectors::capture::CaptureWriter;
use tickpath_collectors::decode::{Decoded, Listing, Refused, SymbolTable};
use tickpath_collectors::dialect::{Connection, Dialect, Policy};
use tickpath_collectors::session::{self, Keys, Meters, Outlet, SessionError, Settings};
use tickpath_collectors::sync::{Registry, Sink};
use tickpath_protocol::instrument::InstrumentError;
use tickpath_protocol::{GapCause, InstrumentId, Kind, Record, StatusCode, Venue};
use tickpath_service::Shutdown;
use tickpath_service::config::{Collector, Wait};
use tickpath_transport::CounterPage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;

pub type Socket = WebSocketStream<TcpStream>;
type Conversation = Box<dyn Fn(usize, Socket) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;
type Rest = Box<dyn Fn(&str) -> String + Send + Sync>;

/// Nothing takes longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// The venue. It is gone when dropped.
pub struct FakeVenue {
    ws: SocketAddr,
    rest: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

impl FakeVenue {
    /// `refuse` answers the first so many connections with this HTTP text.
    pub fn start<F>(
        talk: impl Fn(usize, Socket) -> F + Send + Sync + 'static,
        rest: impl Fn(&str) -> String + Send + Sync + 'static,
        refuse: Vec<&'static str>,
    ) -> FakeVenue
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (ws_listener, rest_listener) = runtime.block_on(async {
            let listen = || TcpListener::bind("127.0.0.1:0");
            (listen().await.unwrap(), listen().await.unwrap())
        });
        let venue = FakeVenue {
            ws: ws_listener.local_addr().unwrap(),
            rest: rest_listener.local_addr().unwrap(),
            connections: Arc::default(),
            _runtime: runtime,
        };
        let talk: Conversation = Box::new(move |number, socket| Box::pin(talk(number, socket)));
        venue
            ._runtime
            .spawn(serve_ws(ws_listener, talk, venue.connections.clone(), refuse));
        venue._runtime.spawn(serve_rest(rest_listener, Box::new(rest)));
        venue
    }
}

async fn serve_ws(listener: TcpListener, talk: Conversation, connections: Arc<AtomicUsize>, refuse: Vec<&'static str>) {
    let talk = Arc::new(talk);
    let mut refuse = refuse.into_iter();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        if let Some(answer) = refuse.next() {
            let mut request = [0; 4_096];
            let read = stream.read(&mut request).await;
            let written = stream.write_all(answer.as_bytes()).await;
            assert!(read.is_ok() && written.is_ok());
            continue;
        }
        let (talk, connections) = (talk.clone(), connections.clone());
        tokio::spawn(async move {
            if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                talk(number, socket).await;
            }
        });
    }
}

async fn serve_rest(listener: TcpListener, rest: Rest) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut bytes = [0; 1_024];
            match stream.read(&mut bytes).await {
                Ok(0) | Err(_) => break,
                Ok(n) => request.extend_from_slice(&bytes[..n]),
            }
        }
        let text = String::from_utf8_lossy(&request);
        let path = text.split(' ').nth(1).unwrap_or_default();
        let answer = match rest(path) {
            answer if answer.starts_with("HTTP/") => answer,
            body => format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            ),
        };
        // A client that went away is its own affair.
        drop(stream.write_all(answer.as_bytes()).await);
    }
}

/// A dialect with other limits.
pub struct Hasty {
    pub dialect: Box<dyn Dialect>,
    pub policy: Policy,
}

impl Hasty {
    pub fn new(dialect: impl Dialect + 'static, change: impl FnOnce(&mut Policy)) -> Hasty {
        let mut policy = dialect.policy();
        policy.backoff_min = Duration::from_millis(20);
        change(&mut policy);
        Hasty {
            dialect: Box::new(dialect),
            policy,
        }
    }
}

impl Dialect for Hasty {
    fn venue(&self) -> Venue {
        self.dialect.venue()
    }
    fn decode_fast(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> bool {
        self.dialect.decode_fast(frame, symbols, out)
    }
    fn decode_full(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
        self.dialect.decode_full(frame, symbols, out)
    }
    fn discovery(&self) -> Vec<String> {
        self.dialect.discovery()
    }
    fn discovery_frame(&self) -> Option<&'static str> {
        self.dialect.discovery_frame()
    }
    fn listings(&self, body: &[u8]) -> Result<Vec<Listing>, Refused> {
        self.dialect.listings(body)
    }
    fn aliases(&self, body: &[u8]) -> Result<Vec<(String, String)>, Refused> {
        self.dialect.aliases(body)
    }
    fn image_request(&self, symbol: &str) -> Option<String> {
        self.dialect.image_request(symbol)
    }
    fn image(&self, body: &[u8], symbol: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
        self.dialect.image(body, symbol, symbols, out)
    }
    fn connections(&self, symbols: &[String]) -> Vec<Connection> {
        self.dialect.connections(symbols)
    }
    fn resubscribe(&self, symbol: &str) -> Vec<String> {
        self.dialect.resubscribe(symbol)
    }
    fn policy(&self) -> Policy {
        self.policy
    }
}

/// What readers of the records want, and the room that they leave.
#[derive(Debug)]
pub struct Readers {
    pub want_images: AtomicBool,
    pub room: AtomicU64,
}

impl Default for Readers {
    fn default() -> Readers {
        Readers {
            want_images: AtomicBool::new(false),
            room: AtomicU64::new(u64::MAX),
        }
    }
}

/// Keeps records for the test to look at.
#[derive(Clone, Default)]
struct Kept {
    records: Arc<Mutex<Vec<Record>>>,
    readers: Arc<Readers>,
    ids: BTreeMap<String, u32>,
    venue: u8,
}

impl Sink for Kept {
    fn record(&mut self, record: Record) {
        self.records.lock().unwrap().push(record);
    }
}

impl Registry for Kept {
    type Error = InstrumentError;

    fn instrument(&mut self, listing: &Listing) -> Result<InstrumentId, InstrumentError> {
        let next = self.ids.len() as u32;
        let index = *self.ids.entry(listing.symbol.clone()).or_insert(next);
        Ok(InstrumentId::new(Venue(self.venue), index))
    }
}

impl Outlet for Kept {
    fn flush(&mut self) {}

    fn dropped(&self) -> u64 {
        0
    }

    fn take_image_request(&mut self) -> bool {
        self.readers.want_images.swap(false, Ordering::SeqCst)
    }

    fn room(&mut self) -> u64 {
        self.readers.room.load(Ordering::SeqCst)
    }

    fn fatal(&self) -> Option<String> {
        None
    }
}

/// A session against a venue, on a thread of its own.
pub struct Session {
    records: Arc<Mutex<Vec<Record>>>,
    pub readers: Arc<Readers>,
    shutdown: Shutdown,
    thread: Option<JoinHandle<Result<(), SessionError>>>,
}

impl Session {
    pub fn start(venue: &FakeVenue, dialect: Hasty, symbols: &[&str], capture: Option<CaptureWriter>) -> Session {
        Session::start_waiting(venue, dialect, symbols, capture, Wait::Sleep)
    }

    pub fn start_waiting(
        venue: &FakeVenue,
        dialect: Hasty,
        symbols: &[&str],
        capture: Option<CaptureWriter>,
        wait: Wait,
    ) -> Session {
        let collector = Collector {
            wait,
            symbols: Some(symbols.iter().map(|symbol| symbol.parse().unwrap()).collect()),
            ws_url: Some(format!("ws://{}", venue.ws).parse().unwrap()),
            rest_url: Some(format!("http://{}", venue.rest).parse().unwrap()),
            depth: Some(10),
            ..Collector::default()
        };
        let code = dialect.venue();
        let kept = Kept {
            venue: code.0,
            ..Kept::default()
        };
        let records = kept.records.clone();
        let readers = kept.readers.clone();
        let shutdown = Shutdown::new();
        let settings = Settings {
            venue: code,
            collector,
            keys: dialect.policy().login.then(Keys::simulated),
            capture,
            shutdown: shutdown.clone(),
        };
        let thread = std::thread::spawn(move || {
            let page = CounterPage::create("collector-test").unwrap();
            session::run(settings, Box::new(dialect), kept, Meters::new(&page, code))
        });
        Session {
            records,
            readers,
            shutdown,
            thread: Some(thread),
        }
    }

    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    /// Waits until the records fulfil the condition.
    pub fn wait(&self, what: &str, condition: impl Fn(&[Record]) -> bool) {
        let start = Instant::now();
        while !condition(&self.records.lock().unwrap()) {
            if start.elapsed() >= DEADLINE {
                let records: Vec<_> = self.records().iter().map(describe).collect();
                panic!("no {what}: {records:#?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a connection that ended for this cause; the pause before the next, ms.
    pub fn wait_end(&self, cause: GapCause) -> i64 {
        let ended =
            |record: &&Record| StatusCode::of(record) == Some(StatusCode::Disconnected) && record.size == cause as i64;
        self.wait(cause.name(), |records| records.iter().any(|record| ended(&record)));
        self.records().iter().find(ended).unwrap().price
    }

    /// Waits for so many records of a status.
    pub fn wait_status(&self, code: StatusCode, count: usize) {
        self.wait(code.name(), |records| count_of(records, code) >= count);
    }

    /// Asks it to stop, and how it ended.
    pub fn stop(mut self) -> Result<(), SessionError> {
        self.shutdown.request();
        self.end()
    }

    /// How it ended by itself.
    pub fn end(&mut self) -> Result<(), SessionError> {
        let thread = self.thread.take().unwrap();
        let start = Instant::now();
        while !thread.is_finished() {
            assert!(start.elapsed() < DEADLINE, "the session goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
        thread.join().unwrap()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}

pub fn count_of(records: &[Record], code: StatusCode) -> usize {
    records
        .iter()
        .filter(|record| StatusCode::of(record) == Some(code))
        .count()
}

pub fn kinds(records: &[Record], kind: Kind) -> Vec<Record> {
    records
        .iter()
        .filter(|record| record.kind() == Some(kind))
        .copied()
        .collect()
}

fn describe(record: &Record) -> String {
    let kind = record.kind().map_or("?", Kind::name);
    let code = StatusCode::of(record).map(StatusCode::name);
    let cause = GapCause::of(record).map(GapCause::name);
    format!("{kind} {:?} {:?} {} {}", code, cause, record.price, record.size)
}
