//! The processes of a run: the released relay, collector and bridge, on the cores of the layout.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tickpath_protocol::Kind;
use tickpath_service::config::{Channel, Config};
use tickpath_transport::{CounterPage, Event, Start, Subscription, SubscriptionConfig, Via};

use super::client::Client;
use super::layout::{Layout, Waits, pin};
use super::venue::{Door, Venue};
use crate::context::{BenchError, Context, Result, Tried};

/// For the first trade to reach the reader.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that ends with this value.
struct Process(Child);

impl Process {
    /// Starts a released binary on a core; what it starts itself stays there too.
    fn start(context: &Context, name: &str, arguments: &[&str], config: &Path, core: usize) -> Result<Process> {
        let mut command = Command::new(context.binary(name));
        command.args(arguments).arg("--config").arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // A child inherits the cores of the thread that starts it.
        let child = thread::scope(|scope| {
            let starting = scope.spawn(move || {
                pin(core)?;
                command.spawn().tried(name)
            });
            starting
                .join()
                .unwrap_or_else(|_| Err(BenchError::new(name, "the starting thread failed")))
        })?;
        Ok(Process(child))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, signal).tried("signal a process of the pipeline")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("tickpath-bench: a process of the pipeline did not end: {error}");
        }
    }
}

/// A pipeline that runs, with both its ends.
pub struct Rig {
    pub venue: Venue,
    pub reader: Subscription,
    pub client: Option<Client>,
    processes: Vec<Process>,
}

impl Rig {
    /// Starts everything and waits for the first trade to come through.
    pub fn start(context: &Context, name: &str, layout: Layout, waits: Waits, has_bridge: bool) -> Result<Rig> {
        let home = context.scratch.join(name);
        std::fs::create_dir_all(&home).tried("a directory of the run")?;
        let door = Door::open().tried("listen as the venue")?;
        let config = config(&home, layout, waits, door.address)?;
        let file = home.join("tickpath.toml");
        std::fs::write(&file, config.to_toml()).tried("write the configuration of the run")?;
        let start = |name, arguments: &[&str], core| Process::start(context, name, arguments, &file, core);
        let mut processes = vec![start("tickpath-relay", &[], layout.relay)?];
        if has_bridge {
            processes.push(start("tickpath-bridge", &[], layout.bridge)?);
        }
        processes.push(start("tickpath-collector", &["binance"], layout.collector)?);
        let venue = door.admit().tried("wait for the collector")?;
        let page = CounterPage::create("bench").tried("counters")?;
        let reader = SubscriptionConfig {
            socket: config.relay_socket(),
            name: "bench".into(),
            start: Start::Live,
            via: Via::SharedMemory,
        };
        let client = match has_bridge {
            true => Some(Client::connect(config.bridge.listen).tried("connect to the bridge")?),
            false => None,
        };
        let mut rig = Rig {
            venue,
            reader: Subscription::new(reader, &page),
            client,
            processes,
        };
        rig.await_first_trade()?;
        Ok(rig)
    }

    /// Stops all processes in their tracks, so that a floor has the cores for itself.
    pub fn pause(&self) -> Result<()> {
        self.processes
            .iter()
            .try_for_each(|process| process.signal(Signal::STOP))
    }

    /// Lets them go on.
    pub fn resume(&self) -> Result<()> {
        self.processes
            .iter()
            .try_for_each(|process| process.signal(Signal::CONT))
    }

    fn await_first_trade(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let (mut is_read, mut is_shown) = (false, self.client.is_none());
        if let Some(client) = &mut self.client {
            client.set_polled(true).tried("poll the bridge")?;
        }
        while !(is_read && is_shown) {
            if Instant::now() > deadline {
                return Err(BenchError::new(
                    "wait for the first trade",
                    "none came through the pipeline",
                ));
            }
            self.venue.send(tickpath_transport::now_ns()).tried("send a trade")?;
            thread::sleep(Duration::from_millis(5));
            self.reader.poll(1_000, |event| {
                is_read |= matches!(event, Event::Record(received) if received.record.kind() == Some(Kind::Trade));
            });
            if let Some(client) = &mut self.client {
                client.read(|_| is_shown = true).tried("read from the bridge")?;
            }
        }
        Ok(())
    }
}

fn config(home: &Path, layout: Layout, waits: Waits, venue: SocketAddr) -> Result<Config> {
    let mut config = Config {
        runtime_dir: home.to_owned(),
        ..Config::default()
    };
    config.log.level = "warn".into();
    config.bridge.listen = free_address()?;
    layout.configure(waits, &mut config);
    let collector = &mut config.collectors.binance;
    collector.channels = vec![Channel::Trades];
    collector.symbols = Some(vec!["BTCUSDT".parse().tried("symbol")?]);
    collector.ws_url = Some(format!("ws://{venue}").parse().tried("address")?);
    collector.rest_url = Some(format!("http://{venue}").parse().tried("address")?);
    Ok(config)
}

/// One that nobody listens on now.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").tried("find a free port")?;
    listener.local_addr().tried("find a free port")
}
