//! Real processes in a temporary directory, on free ports, ended with the test.
#![allow(dead_code, reason = "each test file uses a part of this")]

pub mod exposition;
pub mod place;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

/// Longest wait for anything; only a failure takes that long.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The folders with captures: those that the project carries, and real recordings where they are at hand.
pub fn capture_roots() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../collectors/tests/captures");
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    let recorded = ["2021", "recent"].map(|set| shared.join(set));
    std::iter::once(own)
        .chain(recorded)
        .filter(|root| root.is_dir())
        .collect()
}

/// The binary of this name beside `tickpath`.
pub fn binary(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_tickpath")).with_file_name(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --workspace` first",
        path.display()
    );
    path
}

/// Runs `tickpath` to its end, which must come before the deadline.
pub fn tickpath(args: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command
        .arg(DEADLINE.as_secs().to_string())
        .arg(binary("tickpath"))
        .args(args);
    let output = command.output().expect("tickpath runs");
    assert_ne!(
        output.status.code(),
        Some(124),
        "`tickpath {args:?}` did not end: {}",
        stderr(&output)
    );
    output
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An address that was free a moment ago.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
}

/// Waits until `condition` gives a value.
#[track_caller]
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Processes of one pipeline, killed when dropped.
pub struct Pipeline {
    pub dir: TempDir,
    pub bridge: SocketAddr,
    pub simulator: SocketAddr,
    children: BTreeMap<String, Child>,
}

impl Pipeline {
    /// Writes a configuration with free ports; `extra` is TOML that comes after it, starting with a table.
    pub fn new(extra: &str) -> Pipeline {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (bridge, simulator) = (free_address(), free_address());
        let config = format!(
            "runtime_dir = \"{}\"\n[bridge]\nlisten = \"{bridge}\"\nqueue_messages_max = 2000000\n\
             [simulator]\nlisten = \"{simulator}\"\n{extra}",
            dir.path().join("run").display()
        );
        std::fs::write(dir.path().join("tickpath.toml"), config).expect("a configuration file");
        std::fs::create_dir(dir.path().join("run")).expect("a runtime directory");
        Pipeline {
            dir,
            bridge,
            simulator,
            children: BTreeMap::new(),
        }
    }

    pub fn config_path(&self) -> String {
        self.dir.path().join("tickpath.toml").display().to_string()
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("run/relay.sock")
    }

    /// Starts a binary with this configuration under `name`; its log goes to `NAME.log` in the directory.
    pub fn start(&mut self, name: &str, program: &str, args: &[&str]) -> u32 {
        let log = std::fs::File::create(self.dir.path().join(format!("{name}.log"))).expect("a log file");
        let child = Command::new(binary(program))
            .args(args)
            .args(["--config", &self.config_path()])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the process starts");
        let pid = child.id();
        self.children.insert(name.to_owned(), child);
        pid
    }

    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    pub fn child(&mut self, name: &str) -> &mut Child {
        self.children.get_mut(name).expect("a child of this name")
    }

    /// Waits until the bridge is attached and serves.
    pub fn wait_ready(&self) {
        wait_for("the bridge", || {
            self.get("/healthz").filter(|(status, _)| *status == 200)
        });
    }

    /// Status and body of a GET from the bridge, if it answers.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        http_get(self.bridge, path)
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        for (name, child) in &mut self.children {
            // Children of `tickpath up` are stopped by it, so it is asked before it is killed.
            if name == "up" {
                let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
                let deadline = Instant::now() + Duration::from_secs(10);
                while status.is_ok() && matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            if let Err(error) = child.kill().and_then(|()| child.wait()) {
                eprintln!("{name} could not be ended: {error}");
            }
        }
        if std::thread::panicking() {
            for name in self.children.keys() {
                let log = self.log(name);
                let tail: Vec<&str> = log.lines().rev().take(15).collect();
                eprintln!("--- last lines of {name}");
                for line in tail.iter().rev() {
                    eprintln!("{line}");
                }
            }
        }
    }
}

/// Status and body of a GET, if the server answers.
pub fn http_get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// The records and the summary that `tickpath decode` prints.
pub fn decode(venue: &str, dir: &Path) -> (Vec<Value>, Value) {
    let output = tickpath(&["decode", venue, &dir.display().to_string()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect();
    let summary = lines.pop().expect("a summary")["summary"].take();
    assert!(summary.is_object(), "the last line is the summary");
    (lines, summary)
}

/// Every data message that one WebSocket client gets.
pub struct Client {
    socket: tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>,
}

impl Client {
    /// Connects and subscribes to `channels` of all instruments, now and later.
    pub async fn subscribe(bridge: SocketAddr, channels: &[&str]) -> Client {
        let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{bridge}/ws"))
            .await
            .expect("a WebSocket");
        let request = json!({"op": "subscribe", "channels": channels, "symbols": ["*"], "id": 1});
        socket
            .send(Message::text(request.to_string()))
            .await
            .expect("subscribe");
        let mut client = Client { socket };
        loop {
            let message = client.next().await;
            if message["op"] == "subscribed" {
                return client;
            }
            assert!(message["op"].is_null(), "{message}");
        }
    }

    /// The next message; panics when none comes in time.
    pub async fn next(&mut self) -> Value {
        tokio::time::timeout(DEADLINE, self.next_text())
            .await
            .expect("a message in time")
    }

    async fn next_text(&mut self) -> Value {
        loop {
            match self.socket.next().await.expect("an open socket").expect("a frame") {
                Message::Text(text) => return serde_json::from_str(&text).expect("a JSON message"),
                Message::Close(frame) => panic!("closed by the bridge: {frame:?}"),
                _ => {}
            }
        }
    }
}
