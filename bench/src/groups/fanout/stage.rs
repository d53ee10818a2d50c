//! The processes of a fan-out, all connected before anything is counted.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tickpath_protocol::{Flags, InstrumentId, Kind, Record, Scale, Venue};
use tickpath_transport::counters::Value;
use tickpath_transport::{CounterPage, Observer, Publisher, PublisherConfig, Via, now_ns};

use super::clients::Clients;
use super::floor::Floor;
use super::pace::Pace;
use crate::context::{BenchError, Context, Result, Tried};
use crate::process::{Process, free_address, wait_for_address, wait_for_socket, wait_until};

const VENUE: Venue = Venue::KRAKEN;
const SYMBOL: &str = "BTC/USD";
/// One decimal of a price, eight of a size.
const SCALE: Scale = Scale::from_byte(1 << 4 | 8);
const RING_RECORDS: usize = 1 << 16;
const ATTACH_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks of an idle producer.
const PAUSE: Duration = Duration::from_millis(1);

/// Everything that takes part.
pub struct Stage {
    /// Reads from the bridge.
    pub clients: Clients,
    /// Reads from the floor.
    pub floor_clients: Clients,
    /// Writes to plain sockets.
    pub floor: Floor,
    /// Publishes trades.
    pub producer: Producer,
    /// Under test.
    pub bridge: Process,
    /// Held for its end.
    _relay: Process,
    socket: PathBuf,
}

impl Stage {
    /// Starts all, and waits until each of the clients is subscribed.
    ///
    /// # Errors
    /// If a process cannot be started or a client is refused.
    pub fn start(context: &Context, clients: usize) -> Result<Stage> {
        let dir = context.scratch.join(format!("fanout-{clients}"));
        std::fs::create_dir_all(&dir).tried(format!("making {}", dir.display()))?;
        let (config, socket) = (dir.join("tickpath.toml"), dir.join("relay.sock"));
        let address = free_address()?;
        let text = format!(
            "runtime_dir = {dir:?}\n[log]\nlevel = \"warn\"\n[relay]\nwait = \"sleep\"\n\
             [bridge]\nlisten = \"{address}\"\nclients_max = {}\nwait = \"sleep\"\n",
            clients + 8
        );
        std::fs::write(&config, text).tried(format!("writing {}", config.display()))?;
        let start = |name: &str, core| {
            let mut command = Command::new(context.binary(name));
            command
                .arg("--config")
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            Process::start(name, &mut command, Some(core))
        };
        let relay = start("tickpath-relay", context.near())?;
        wait_for_socket(&socket)?;
        let producer = Producer::start(&socket)?;
        let bridge = start("tickpath-bridge", context.far())?;
        wait_for_address(address)?;
        wait_until("the bridge to know the instrument", ATTACH_LIMIT, || {
            knows_instrument(address)
        })?;
        let request = format!(r#"{{"op":"subscribe","channels":["trades"],"symbols":["{VENUE}:{SYMBOL}"],"id":1}}"#);
        let mut clients_of_bridge = Clients::start(&address.to_string(), clients, Some(&request), context.near())?;
        clients_of_bridge.wait_ready()?;
        let floor = Floor::start(clients, context.far())?;
        let mut floor_clients = Clients::start(&floor.address, clients, None, context.near())?;
        floor_clients.wait_ready()?;
        Ok(Stage {
            clients: clients_of_bridge,
            floor_clients,
            floor,
            producer,
            bridge,
            _relay: relay,
            socket,
        })
    }

    /// Records that the bridge did not see, by its own count.
    ///
    /// # Errors
    /// If the relay is gone.
    pub fn missing(&self) -> Result<u64> {
        let mut observer = Observer::attach(&self.socket).tried("counters")?;
        let views = observer.refresh().tried("counters")?;
        let metrics = views.iter().flat_map(|view| view.metrics());
        let missing = metrics.filter(|metric| metric.name == tickpath_bridge::metrics::name::MISSING);
        Ok(missing
            .map(|metric| match metric.value {
                Value::Counter(count) => count,
                Value::Gauge(_) | Value::Latency(_) => 0,
            })
            .sum())
    }
}

/// Whether the bridge lists the instrument that clients are to subscribe to.
fn knows_instrument(address: std::net::SocketAddr) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect(address)?;
        write!(
            stream,
            "GET /api/instruments HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains(SYMBOL))
}

/// A thread that publishes trades at the rate that it is told.
pub struct Producer {
    rate: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Producer {
    fn start(socket: &Path) -> Result<Producer> {
        let page = CounterPage::create("collector-bench").tried("counters")?;
        let config = PublisherConfig {
            socket: socket.to_owned(),
            venue: VENUE,
            name: "collector-bench".into(),
            capacity: RING_RECORDS,
            via: Via::SharedMemory,
        };
        let mut publisher = Publisher::new(config, &page).tried("a publisher")?;
        let id = publisher
            .instrument(SYMBOL, SYMBOL, SCALE, 1, 1)
            .tried("an instrument")?;
        wait_until("the relay to take the ring", ATTACH_LIMIT, || publisher.is_attached())?;
        let rate = Arc::new(AtomicU64::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let (told, end) = (rate.clone(), is_over.clone());
        let thread = std::thread::Builder::new()
            .name("producer".into())
            .spawn(move || publish(&mut publisher, id, &told, &end))
            .map_err(|error| BenchError::new("a thread", error))?;
        Ok(Producer {
            rate,
            is_over,
            thread: Some(thread),
        })
    }

    /// Publishes so many a second from now on.
    pub fn go(&self, rate: u64) {
        self.rate.store(rate, Ordering::Relaxed);
    }

    /// Publishes nothing.
    pub fn stop(&self) {
        self.rate.store(0, Ordering::Relaxed);
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("   the producer panicked");
        }
    }
}

fn publish(publisher: &mut Publisher, id: InstrumentId, rate: &AtomicU64, is_over: &AtomicBool) {
    let mut pace: Option<(u64, Pace)> = None;
    while !is_over.load(Ordering::Relaxed) {
        let wanted = rate.load(Ordering::Relaxed);
        if pace.as_ref().map_or(0, |(rate, _)| *rate) != wanted {
            pace = (wanted > 0).then(|| (wanted, Pace::new(wanted)));
        }
        let Some((_, pace)) = &mut pace else {
            std::thread::sleep(PAUSE);
            continue;
        };
        for _ in 0..pace.due() {
            publisher.publish(trade(id));
        }
        publisher.flush();
        std::thread::sleep(pace.pause());
    }
}

fn trade(id: InstrumentId) -> Record {
    let now = now_ns();
    Record {
        kind: Kind::Trade as u8,
        flags: Flags::BID.with(Flags::LAST).0,
        scale: SCALE.to_byte(),
        instrument: id.0,
        ts_event: now,
        ts_recv: now,
        price: 628_070,
        size: 100_000,
        ..Record::default()
    }
}
