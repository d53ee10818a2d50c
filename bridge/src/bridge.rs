//! The parts put together: socket, threads, runtime.
//!
//! With `wait = "sleep"` the reading thread and [`WORKERS`] threads that write to sockets work side by side, and a thread that has nothing to do
//! sleeps: many clients, many cores, about 40 µs from a record to its message. With `spin` and `yield` one thread does all of it and never
//! sleeps: reading, encoding and writing follow each other without a wake-up in between.
//!
//! Connections are accepted by a thread of its own, the door, at a low priority. It serves the page, metrics and whatever HTTP asks for, and WebSocket clients until they have shown that
//! they read ([`crate::ws`]): who floods, stalls or comes and goes has only the door to wear out.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::process::{Resource, getrlimit, nice, setrlimit};
use tickpath_service::config::{Bridge as Settings, Secret, Wait};
use tickpath_service::exit::{Context as _, ExitCode, ProcessError};
use tickpath_service::{Config, Shutdown, pin_current_thread, room_for_runtime};
use tickpath_transport::{
    CounterPage, CounterView, Start, Subscription, SubscriptionConfig, Via, WaitStrategy, urgency,
};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Semaphore, mpsc};

use crate::access::Access;
use crate::address::{AddressLimits, Addresses};
use crate::context::{ConnectionLimits, Context, Exposition};
use crate::hub::{Hub, Limits};
use crate::kill::KillSwitch;
use crate::market::Market;
use crate::metrics::{Health, ReaderMetrics, ServerMetrics};
use crate::observe::Observing;
use crate::reader::{COMMANDS_MAX, Reader};
use crate::reports::Reports;
use crate::tls::Tls;
use crate::{fleet, http, server};

/// The name of the process at the relay.
pub const PROCESS: &str = "bridge";
/// Threads that write to sockets; the reading thread is one more.
const WORKERS: usize = 2;
/// What a connection's socket holds of what was written and not read yet: enough for 20 Mbit/s over a round trip of 100 ms. The system doubles it, for its own
/// bookkeeping.
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// Priority of the door's thread below that of the others.
const DOOR_NICE: i32 = 10;
/// File descriptors beside those of connections: rings, pages of counters, runtime.
const DESCRIPTORS_OF_OUR_OWN: u64 = 256;
/// How long connections may take to close when the bridge stops.
const STOP_GRACE: Duration = Duration::from_secs(2);
const STOP_LOOK: Duration = Duration::from_millis(5);

/// What is fixed in production and shorter in tests.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A ping goes out so often; a client that is silent for two of them is gone.
    pub ping_interval: Duration,
    /// How long a connection that is being closed may take to hear why.
    pub close_grace: Duration,
    /// How long a client may take for the handshake of TLS, and for the head of a request, or to send another one.
    pub head_timeout: Duration,
    /// How long what was written last may take to arrive, before it is dropped with the connection.
    pub linger: Duration,
    /// How long a client is served where connections are accepted, at least: one that floods is sent off long before.
    pub proving: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            ping_interval: Duration::from_secs(15),
            close_grace: Duration::from_secs(5),
            head_timeout: Duration::from_secs(15),
            linger: Duration::from_secs(30),
            proving: Duration::from_secs(1),
        }
    }
}

/// A running bridge.
#[derive(Debug)]
pub struct Bridge {
    address: SocketAddr,
    shutdown: Shutdown,
    health: Arc<Health>,
    reader: Option<JoinHandle<()>>,
    observer: Option<JoinHandle<()>>,
    /// Of the threads that write to sockets, unless the reading thread does that too.
    lane: Option<Runtime>,
    door: Option<Runtime>,
}

impl Bridge {
    /// Listens, and attaches to the relay whenever there is one. Stops on `shutdown`, once [`Bridge::wait`] sees it, or when dropped.
    ///
    /// # Errors
    /// [`ExitCode::Unavailable`] if the address is taken, [`ExitCode::BadInput`] if token, certificate, key or core are wrong.
    pub fn start(config: &Config, timing: Timing, shutdown: Shutdown) -> Result<Bridge, ProcessError> {
        let settings = &config.bridge;
        let token = token(settings)?;
        let tls = Tls::load(settings).or_exit(ExitCode::BadInput, "TLS of the bridge")?;
        let lane = lane(settings.wait).or_exit(ExitCode::Failed, "starting threads")?;
        let door = door().or_exit(ExitCode::Failed, "starting threads")?;
        let listener = listen(&door, settings.listen)?;
        let address = listener
            .local_addr()
            .or_exit(ExitCode::Failed, "reading the own address")?;
        let page = CounterPage::create(PROCESS).or_exit(ExitCode::Failed, "creating the page of counters")?;
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let health = Arc::new(Health::default());
        let exposition = Arc::new(Exposition::default());
        let observing = Observing {
            socket: config.relay_socket(),
            own: own_view(&page)?,
            page: page.clone(),
            expected: fleet::expected(config),
            commands: commands.clone(),
            exposition: Arc::clone(&exposition),
            latch: config.kill_latch(),
            health: Arc::clone(&health),
        };
        let context = Arc::new(Context {
            commands,
            access: Access::new(address, &settings.origins, token),
            reports: Reports::in_dir(config.reports_dir()),
            addresses: Addresses::new(AddressLimits::from(settings)),
            tls,
            kill_switch: KillSwitch::at(config.kill_latch()),
            limits: connection_limits(settings, timing),
            client_permits: Arc::new(Semaphore::new(settings.clients_max.min(Semaphore::MAX_PERMITS))),
            lane: lane.handle().clone(),
            clients_so_far: AtomicU64::new(0),
            metrics: ServerMetrics::new(&page),
            health: Arc::clone(&health),
            exposition,
        });
        let connections_max = settings.clients_max.saturating_add(server::HTTP_CONNECTIONS_MAX);
        let connections_max = connections_max.min(Semaphore::MAX_PERMITS);
        allow_descriptors(connections_max);
        let router = http::router(Arc::clone(&context));
        door.spawn(server::serve(listener, router, context, connections_max));
        let (apart, together) = match settings.wait {
            Wait::Sleep => (Some(lane), None),
            Wait::Spin | Wait::Yield => (None, Some(lane)),
        };
        let reader = spawn_reader(config, &page, received, Arc::clone(&health), &shutdown, together)?;
        let observer = spawn_observer(observing, &shutdown)?;
        let url = Settings {
            listen: address,
            ..settings.clone()
        }
        .url();
        tracing::info!("dashboard at {url}");
        Ok(Bridge {
            address,
            shutdown,
            health,
            reader: Some(reader),
            observer: Some(observer),
            lane: apart,
            door: Some(door),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Waits until the shutdown was requested and all has stopped.
    ///
    /// # Errors
    /// If a thread of the bridge failed.
    pub fn wait(mut self) -> Result<(), ProcessError> {
        let reader = self.reader.take().map_or(Ok(()), JoinHandle::join);
        self.shutdown.request();
        self.close();
        reader.map_err(|_| ProcessError::message(ExitCode::Failed, "the reading thread failed; the log says why"))
    }

    /// Stops it.
    ///
    /// # Errors
    /// If a thread of the bridge failed.
    pub fn stop(self) -> Result<(), ProcessError> {
        self.shutdown.request();
        self.wait()
    }

    fn close(&mut self) {
        for thread in [self.reader.take(), self.observer.take()].into_iter().flatten() {
            if thread.join().is_err() {
                tracing::error!("a thread of the bridge failed");
            }
        }
        // Tasks end by themselves once their close frames are answered, those of the lane with the door's help: its thread looks at the sockets. Its one task that stays
        // accepts connections.
        let deadline = Instant::now() + STOP_GRACE;
        for (runtime, stays) in [(self.lane.take(), 0), (self.door.take(), 1)] {
            let Some(runtime) = runtime else { continue };
            while runtime.metrics().num_alive_tasks() > stays && Instant::now() < deadline {
                std::thread::sleep(STOP_LOOK);
            }
            runtime.shutdown_background();
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.shutdown.request();
        self.close();
    }
}

/// The threads of the clients that have shown to read.
fn lane(wait: Wait) -> io::Result<Runtime> {
    room_for_runtime()?;
    match wait {
        Wait::Sleep => Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("bridge-socket")
            .on_thread_start(urgency::prompt)
            .enable_all()
            .build(),
        Wait::Spin | Wait::Yield => Builder::new_current_thread().enable_all().build(),
    }
}

fn door() -> io::Result<Runtime> {
    let give_way = || {
        if let Err(error) = nice(DOOR_NICE) {
            tracing::warn!(%error, "new connections are served at the priority of all others");
        }
    };
    room_for_runtime()?;
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("bridge-door")
        .on_thread_start(give_way)
        .enable_all()
        .build()
}

/// Reader and clients on this thread, until `shutdown` and the goodbyes.
fn run_together(runtime: Runtime, reader: Reader, wait: WaitStrategy, shutdown: Shutdown) {
    let outcome = runtime.block_on(async {
        let outcome = tokio::spawn(reader.run_as_task(wait, shutdown)).await;
        let deadline = Instant::now() + STOP_GRACE;
        while Handle::current().metrics().num_alive_tasks() > 0 && Instant::now() < deadline {
            tokio::time::sleep(STOP_LOOK).await;
        }
        outcome
    });
    runtime.shutdown_background();
    if let Err(error) = outcome {
        // As if the reader had been this thread: whoever joins it learns of the panic.
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Fewest bytes of a token where strangers can try some: as many as 128 random bits have in Base64.
const REMOTE_TOKEN_BYTES_MIN: usize = 22;

fn token(settings: &Settings) -> Result<Option<Secret>, ProcessError> {
    let token = settings
        .token()
        .or_exit(ExitCode::BadInput, "the token of the bridge")?;
    if settings.listen.ip().is_loopback() {
        return Ok(token);
    }
    let length = token.as_ref().map_or(0, |token| token.expose().len());
    if length >= REMOTE_TOKEN_BYTES_MIN {
        return Ok(token);
    }
    let found = if length == 0 { "there is none" } else { "it is shorter" };
    Err(ProcessError::message(
        ExitCode::BadInput,
        format!(
            "`bridge.listen` {} is not loopback, so a token of {REMOTE_TOKEN_BYTES_MIN} bytes or more is needed, and {found}: \
             `umask 077; head -c 32 /dev/urandom | base64 > FILE`, and set `bridge.token_file`",
            settings.listen
        ),
    ))
}

fn listen(runtime: &Runtime, address: SocketAddr) -> Result<TcpListener, ProcessError> {
    let listener = std::net::TcpListener::bind(address).or_exit(
        ExitCode::Unavailable,
        format!("cannot listen on {address}, the address of `bridge.listen`; is another bridge running?"),
    )?;
    // Connections inherit it. Without, the system lets what a client does not read grow to megabytes, out of sight of all limits here.
    set_socket_send_buffer_size(&listener, SEND_BUFFER_BYTES)
        .or_exit(ExitCode::Failed, "bounding what waits in sockets")?;
    let _in_runtime = runtime.enter();
    listener
        .set_nonblocking(true)
        .and_then(|()| TcpListener::from_std(listener))
        .or_exit(ExitCode::Failed, "watching the listening socket")
}

/// Each connection is a file descriptor, and the usual soft limit of 1024 is there for programs that use `select`: it is raised as far as
/// the system lets it. Where that is not enough, connections beyond are refused, and the log says so when it happens.
fn allow_descriptors(connections_max: usize) {
    let wanted = (connections_max as u64).saturating_add(DESCRIPTORS_OF_OUR_OWN);
    let mut limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|current| *current < wanted) else {
        return;
    };
    limit.current = Some(limit.maximum.map_or(wanted, |maximum| wanted.min(maximum)));
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, current, wanted, "file descriptors may not suffice for `bridge.clients_max`");
    }
}

fn own_view(page: &CounterPage) -> Result<CounterView, ProcessError> {
    let fd = page
        .file()
        .reader_fd()
        .or_exit(ExitCode::Failed, "opening the own page of counters")?;
    CounterView::open(fd).or_exit(ExitCode::Failed, "reading the own page of counters")
}

fn connection_limits(settings: &Settings, timing: Timing) -> ConnectionLimits {
    ConnectionLimits {
        head_timeout: timing.head_timeout,
        frame_bytes_max: settings.frame_bytes_max,
        requests_per_second_max: settings.requests_per_second_max,
        queue_messages_max: settings.queue_messages_max,
        ping_interval: timing.ping_interval,
        // Later than the hub closes a slow client with a reason.
        write_timeout: Duration::from_millis(settings.slow_client_ms).saturating_add(timing.close_grace),
        close_grace: timing.close_grace,
        linger: timing.linger,
        proving: timing.proving,
    }
}

fn spawn_reader(
    config: &Config,
    page: &CounterPage,
    commands: mpsc::Receiver<crate::reader::Command>,
    health: Arc<Health>,
    shutdown: &Shutdown,
    together: Option<Runtime>,
) -> Result<JoinHandle<()>, ProcessError> {
    let settings = &config.bridge;
    let limits = Limits {
        subscriptions_max: settings.subscriptions_max,
        slow_client: Duration::from_millis(settings.slow_client_ms),
    };
    let (pin, wait) = (settings.pin, wait_strategy(settings.wait));
    let (socket, page, shutdown) = (config.relay_socket(), page.clone(), shutdown.clone());
    let strategies = config.engine.strategy.iter();
    let market = Market::with_strategies(
        strategies
            .map(|it| (it.name.as_str().into(), it.kind.clone()))
            .collect(),
    );
    let (pinned, started) = std_mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("bridge-reader".into())
        .spawn(move || {
            let result = pin_current_thread(pin);
            urgency::prompt();
            let is_pinned = result.is_ok();
            // The receiver waits for exactly this.
            if pinned.send(result).is_err() || !is_pinned {
                return;
            }
            let hub = Hub::new(limits, Instant::now());
            let metrics = ReaderMetrics::new(&page);
            let reader = Reader::new(subscribe(socket, &page), market, hub, commands, metrics, health);
            match together {
                Some(runtime) => run_together(runtime, reader, wait, shutdown),
                None => reader.run(wait, &shutdown),
            }
        })
        .or_exit(ExitCode::Failed, "starting the reading thread")?;
    match started.recv() {
        Ok(result) => result.or_exit(ExitCode::BadInput, "`bridge.pin`")?,
        Err(_) => {
            return Err(ProcessError::message(
                ExitCode::Failed,
                "the reading thread did not start",
            ));
        }
    }
    Ok(thread)
}

/// From the oldest record that the relay still has: books, quotes and trades of before come back as far as it reaches.
fn subscribe(socket: PathBuf, page: &CounterPage) -> Subscription {
    let config = SubscriptionConfig {
        socket,
        name: PROCESS.into(),
        start: Start::Oldest,
        via: Via::SharedMemory,
    };
    Subscription::new(config, page)
}

fn spawn_observer(observing: Observing, shutdown: &Shutdown) -> Result<JoinHandle<()>, ProcessError> {
    let shutdown = shutdown.clone();
    std::thread::Builder::new()
        .name("bridge-observer".into())
        .spawn(move || observing.run(&shutdown))
        .or_exit(ExitCode::Failed, "starting the observing thread")
}

fn wait_strategy(wait: Wait) -> WaitStrategy {
    match wait {
        Wait::Spin => WaitStrategy::Spin,
        Wait::Yield => WaitStrategy::Yield,
        Wait::Sleep => WaitStrategy::Sleep,
    }
}
