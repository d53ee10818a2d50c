//! Secrets that are given to the pipeline as files come out nowhere else: not in logs, arguments, environments, files, answers or core dumps, also not
//! when something goes wrong with them. Each secret is a canary, and everything that can be read of a running pipeline is searched for it.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};
use support::{Pipeline, stderr, tickpath, wait_for};
use tempfile::TempDir;

const TOKEN: &str = "canary-token-3f9a2c71d0";
const WRONG_TOKEN: &str = "canary-guess-b81e44f05c";
const PASSWORD: &str = "canary-password-90c7e1d2";
const KEY_ID: &str = "canary-key-id-5517ab20cc";
const SECRET_KEY: &str = "canary-secret-key-e2a90f";
const CANARIES: [&str; 5] = [TOKEN, WRONG_TOKEN, PASSWORD, KEY_ID, SECRET_KEY];

/// A folder that only the owner of the secrets looks into.
struct Vault(TempDir);

impl Vault {
    fn new() -> Vault {
        Vault(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

/// A pipeline with a secret of each kind, that says all it can.
fn pipeline(vault: &Vault, database: SocketAddr, has_keys: bool) -> Pipeline {
    let pipeline = Pipeline::new("");
    let url = format!("postgres://me:{PASSWORD}@{database}/ticks");
    let config = format!(
        "runtime_dir = \"{}\"\n[log]\nlevel = \"trace\"\n[bridge]\nlisten = \"{}\"\ntoken_file = \"{}\"\n[simulator]\nlisten = \"{}\"\n\
         [recorder]\nsegment_records = 16384\n[database]\nurl_file = \"{}\"\n[collectors.alpaca]\nenabled = {has_keys}\nkey_id_file = \"{}\"\nsecret_key_file = \"{}\"\n",
        pipeline.dir.path().join("run").display(),
        pipeline.bridge,
        vault.put("token", TOKEN).display(),
        pipeline.simulator,
        vault.put("url", &url).display(),
        vault.put("key-id", KEY_ID).display(),
        vault.put("secret-key", SECRET_KEY).display(),
    );
    fs::write(pipeline.config_path(), config).unwrap();
    pipeline
}

/// A request with these headers more; the whole answer.
fn ask(address: SocketAddr, line: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
    let head = format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[track_caller]
fn check_clean(place: &str, bytes: &[u8]) {
    for canary in CANARIES {
        let found = bytes
            .windows(canary.len())
            .position(|window| window == canary.as_bytes());
        if let Some(at) = found {
            let around = &bytes[at.saturating_sub(120)..(at + 120).min(bytes.len())];
            panic!("{canary} stands in {place}: {}", String::from_utf8_lossy(around));
        }
    }
}

fn check_files(dir: &Path) -> usize {
    let mut checked = 0;
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            checked += check_files(&entry.path());
        } else if kind.is_file() {
            // What went meanwhile holds nothing.
            check_clean(
                &entry.path().display().to_string(),
                &fs::read(entry.path()).unwrap_or_default(),
            );
            checked += 1;
        }
    }
    checked
}

/// Arguments and environment of every process that there is; says of how many.
fn check_processes() -> usize {
    let mut checked = 0;
    for entry in fs::read_dir("/proc").unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().parse::<u32>().is_err() {
            continue;
        }
        for file in ["cmdline", "environ"] {
            // Another user's, or gone.
            let Ok(bytes) = fs::read(entry.path().join(file)) else {
                continue;
            };
            check_clean(&format!("{} of process {:?}", file, entry.file_name()), &bytes);
            checked += 1;
        }
    }
    checked
}

/// The processes of `tickpath up`, by name.
fn processes(pipeline: &Pipeline) -> BTreeMap<String, i32> {
    let state = fs::read(pipeline.dir.path().join("run/up.json")).unwrap_or_default();
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap_or_default();
    let list = state["processes"].as_array().cloned().unwrap_or_default();
    list.iter()
        .filter_map(|it| {
            Some((
                it["name"].as_str()?.to_owned(),
                i32::try_from(it["pid"].as_u64()?).ok()?,
            ))
        })
        .collect()
}

fn core_limit(pid: i32) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    line.split_whitespace().nth(4).unwrap().to_owned()
}

#[test]
fn secrets_come_out_nowhere() {
    // Cores are wanted here, so that their absence means something.
    let mut cores = getrlimit(Resource::Core);
    cores.current = cores.maximum;
    setrlimit(Resource::Core, cores).unwrap();
    let vault = Vault::new();
    // Nobody listens there: the recorder goes on and complains.
    let nowhere = support::free_address();
    let mut pipeline = pipeline(&vault, nowhere, false);
    pipeline.start("up", "tickpath", &["up"]);
    pipeline.wait_ready();
    wait_for("the database to be missed", || {
        pipeline.log("up").contains("database").then_some(())
    });
    let mut answers = String::new();
    for path in [
        "/",
        "/healthz",
        "/metrics",
        "/api/instruments",
        "/api/kill",
        "/ws",
        "/api/book/kraken/BTC/USD",
    ] {
        for token in [TOKEN, WRONG_TOKEN, ""] {
            let headers =
                format!("Authorization: Bearer {token}\r\nSec-WebSocket-Protocol: tickpath, bearer.{token}\r\n");
            answers += &ask(pipeline.bridge, &format!("GET {path}"), &headers);
            answers += &ask(pipeline.bridge, &format!("POST {path}"), &headers);
        }
    }
    assert!(
        answers.contains("401 Unauthorized") && answers.contains("\"state\":\"killed\""),
        "{answers}"
    );
    check_clean("the answers", answers.as_bytes());

    let running = processes(&pipeline);
    assert!(running.len() >= 6, "{running:?}");
    assert!(check_processes() >= 2 * running.len());
    for name in ["bridge", "recorder"] {
        assert_eq!(core_limit(running[name]), "0", "{name}");
    }
    // One that dies of a fault leaves no memory behind.
    kill_process(Pid::from_raw(running["bridge"]).unwrap(), Signal::ABORT).unwrap();
    wait_for("another bridge", || {
        processes(&pipeline)
            .get("bridge")
            .filter(|pid| **pid != running["bridge"])
            .copied()
    });
    assert!(
        check_files(pipeline.dir.path()) >= 5,
        "log, configuration, state, journal, latch"
    );
    check_clean("the log", pipeline.log("up").as_bytes());
}

/// A database that asks for the password in clear and does not like it.
fn refusing_database() -> (SocketAddr, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let message = |stream: &mut TcpStream, head: usize| {
            let mut start = vec![0; head + 4];
            stream.read_exact(&mut start).unwrap();
            let length = u32::from_be_bytes(start[head..].try_into().unwrap()) as usize;
            let mut body = vec![0; length - 4];
            stream.read_exact(&mut body).unwrap();
            body
        };
        // The first message may ask for TLS (code 80877103): it is said no.
        if message(&mut stream, 0).starts_with(&80_877_103_u32.to_be_bytes()) {
            stream.write_all(b"N").unwrap();
            message(&mut stream, 0);
        }
        stream.write_all(b"R\0\0\0\x08\0\0\0\x03").unwrap();
        let password = message(&mut stream, 1);
        let fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"me\"\0\0";
        let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
        stream.write_all(&[b"E", &length[..], fields].concat()).unwrap();
        password
    });
    (address, thread)
}

#[test]
fn a_password_that_is_refused_is_not_repeated() {
    let vault = Vault::new();
    let (address, database) = refusing_database();
    let pipeline = pipeline(&vault, address, false);
    let output = tickpath(&["up", "--config", &pipeline.config_path()]);
    let password = database.join().unwrap();
    assert_eq!(
        password,
        [PASSWORD.as_bytes(), b"\0"].concat(),
        "it was sent where it belongs"
    );
    assert!(!output.status.success());
    let said = [stderr(&output).as_bytes(), &output.stdout].concat();
    assert!(
        String::from_utf8_lossy(&said).contains("28P01"),
        "{}",
        String::from_utf8_lossy(&said)
    );
    check_clean("what it said", &said);
    check_files(pipeline.dir.path());
}

/// The simulated venue takes no key but its own.
#[test]
fn keys_that_are_refused_are_not_repeated() {
    let vault = Vault::new();
    let pipeline = pipeline(&vault, support::free_address(), true);
    let output = tickpath(&["up", "--config", &pipeline.config_path()]);
    assert!(!output.status.success());
    let said = [stderr(&output).as_bytes(), &output.stdout].concat();
    assert!(
        String::from_utf8_lossy(&said).contains("collector-alpaca ended"),
        "{}",
        String::from_utf8_lossy(&said)
    );
    check_clean("what it said", &said);
    check_files(pipeline.dir.path());
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tickpath.toml");
    for text in [
        format!("[bridge]\nclients_max = \"{TOKEN}\"\n"),
        format!("[bridge]\ntoken_file = \"{TOKEN}\"\n"),
        format!("[bridge]\ntoken = \"{TOKEN}\"\n"),
        format!("[database]\nurl = \"mysql://me:{PASSWORD}@localhost/ticks\"\n"),
        format!("[database]\nurl_file = \"postgres://me:{PASSWORD}@localhost/ticks\"\n"),
        format!("[database]\npassword = \"{PASSWORD}\"\n"),
    ] {
        fs::write(&path, &text).unwrap();
        let output = tickpath(&["check", "--config", &path.display().to_string()]);
        assert_eq!(output.status.code(), Some(2), "{text}: {}", stderr(&output));
        check_clean("the refusal", stderr(&output).as_bytes());
    }
}

#[test]
fn an_address_in_the_configuration_is_handed_on_in_a_file_of_its_own() {
    let mut pipeline = Pipeline::new(&format!(
        "[database]\nurl = \"postgres://me:{PASSWORD}@{}/ticks\"\n",
        support::free_address()
    ));
    pipeline.start("up", "tickpath", &["up"]);
    pipeline.wait_ready();
    let run = pipeline.dir.path().join("run");
    check_clean("effective.toml", &fs::read(run.join("effective.toml")).unwrap());
    check_processes();
    let handed = run.join("database-url");
    assert_eq!(fs::metadata(&handed).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&handed).unwrap().contains(PASSWORD));
    let output = tickpath(&["down", "--config", &pipeline.config_path()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!handed.exists(), "it goes with the pipeline");
}
