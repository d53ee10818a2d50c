//! What a service manager hears of a real relay, and that it hears nothing more of one that is stopped.

mod common;

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::Place;
use rustix::process::{Pid, Signal, kill_process};

const DEADLINE: Duration = Duration::from_secs(60);
/// `WatchdogSec=` of the test.
const WATCHDOG: Duration = Duration::from_millis(400);

/// A relay under a service manager that is this test.
struct Supervised {
    relay: Child,
    socket: UnixDatagram,
    _place: Place,
}

impl Supervised {
    fn start() -> Supervised {
        let place = Place::new();
        let folder = place.socket().parent().unwrap().to_owned();
        let (config, notify) = (folder.join("tickpath.toml"), folder.join("notify"));
        std::fs::write(
            &config,
            format!("[relay]\nsocket = {:?}\ncapacity = 1024\n", place.socket()),
        )
        .unwrap();
        let socket = UnixDatagram::bind(&notify).unwrap();
        let relay = Command::new(env!("CARGO_BIN_EXE_tickpath-relay"))
            .arg("--config")
            .arg(&config)
            .env("NOTIFY_SOCKET", &notify)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .env_remove("WATCHDOG_PID")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Supervised {
            relay,
            socket,
            _place: place,
        }
    }

    /// The next message, if one comes within `patience`.
    fn hear(&self, patience: Duration) -> Option<String> {
        let mut buffer = [0; 512];
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    fn wait_for(&self, what: &str) -> String {
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            if let Some(message) = self.hear(DEADLINE).filter(|message| message.contains(what)) {
                return message;
            }
        }
        panic!("no {what}");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.relay), signal).unwrap();
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // One that ended already cannot be killed, and is reaped all the same.
        if self.relay.kill().is_ok() {
            self.relay.wait().unwrap();
        }
    }
}

#[test]
fn ready_alive_stopping() {
    let mut supervised = Supervised::start();
    let ready = supervised.wait_for("READY=1");
    assert!(ready.contains("STATUS=0 producers, 0 readers"), "{ready}");
    for _ in 0..3 {
        supervised.wait_for("WATCHDOG=1");
    }
    supervised.signal(Signal::TERM);
    supervised.wait_for("STOPPING=1");
    assert!(supervised.relay.wait().unwrap().success());
}

#[test]
fn a_stopped_relay_starves_its_watchdog() {
    let supervised = Supervised::start();
    supervised.wait_for("WATCHDOG=1");
    supervised.signal(Signal::STOP);
    // What was sent before the stop may still be in the queue; then nothing comes for longer than a watchdog waits.
    let start = Instant::now();
    while supervised.hear(2 * WATCHDOG).is_some() {
        assert!(start.elapsed() < DEADLINE, "a stopped process goes on talking");
    }
    supervised.signal(Signal::CONT);
    supervised.wait_for("WATCHDOG=1");
}
