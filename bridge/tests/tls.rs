//! The bridge behind TLS: who trusts its certificate is served, who does not speak TLS is told so, and what cannot be right is refused at the start.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::date_time_ymd;
use rustix::process::{Signal, getpid, kill_process};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use support::Producer;
use support::live::{self, Client, DEADLINE, wait_until};
use support::tls::{Authority, https, write_secret};
use tempfile::TempDir;
use tickpath_bridge::{Bridge, Timing};
use tickpath_protocol::{Side, Venue};
use tickpath_relay::Relay;
use tickpath_service::Shutdown;
use tickpath_service::config::Config;
use tickpath_service::exit::ExitCode;
use tokio_tungstenite::{Connector, client_async_tls_with_config};

/// A relay and a bridge that speaks TLS.
struct Secure {
    dir: TempDir,
    authority: Authority,
    _relay: Relay,
    bridge: Bridge,
}

impl Secure {
    fn start(timing: Timing, configure: impl FnOnce(&mut Config, &Path)) -> Secure {
        let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let (certificate, key) = authority.issue(dir.path(), "own", |_| {});
        let relay = live::start_relay(&dir);
        let bridge = live::start_bridge(&dir, timing, |config| {
            (config.bridge.tls_certificate, config.bridge.tls_key) = (certificate, key);
            configure(config, dir.path());
        });
        let secure = Secure {
            dir,
            authority,
            _relay: relay,
            bridge,
        };
        wait_until("the bridge attaches", || {
            secure.get("/healthz", "").starts_with("HTTP/1.1 200")
        });
        secure
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.bridge.address().port()))
    }

    fn get(&self, path: &str, headers: &str) -> String {
        https(self.address(), &self.authority.client(), path, headers)
            .unwrap()
            .0
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics", "");
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.rsplit(' ')
            .next()
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }

    async fn client(&self) -> Client {
        let stream = tokio::net::TcpStream::connect(self.address()).await.unwrap();
        let connector = Connector::Rustls(self.authority.client());
        let url = format!("wss://localhost:{}/ws", self.address().port());
        let (socket, _) = client_async_tls_with_config(url, stream, None, Some(connector))
            .await
            .unwrap();
        Client { socket }
    }
}

#[tokio::test]
async fn who_trusts_the_certificate_is_served() {
    let world = Secure::start(Timing::default(), |_, _| {});
    let page = world.get("/", "");
    assert!(
        page.contains("text/html") && page.contains("content-security-policy"),
        "{page}"
    );

    let mut client = world.client().await;
    let mut producer = live::producer(&world.dir, Venue::KRAKEN);
    let instrument = producer.instrument("BTC/USD");
    client.subscribe(&["trades"], &["*"]).await;
    let mut numbers = Producer::default();
    producer.send((1..=3).map(|price| numbers.trade(instrument, Side::Bid, price, 1)));
    let is_last = |message: &Value| {
        message["data"]
            .as_array()
            .and_then(|data| data.last()?["price"].as_str())
            == Some("0.3")
    };
    let message = client.find(is_last).await;
    assert_eq!(message["symbol"], "BTC/USD");
    client.send(r#"{"op":"ping","id":1}"#).await;
    client.find(|message| *message == json!({"op": "pong", "id": 1})).await;

    let stranger = Authority::new().client();
    let refused = https(world.address(), &stranger, "/healthz", "").unwrap_err();
    assert!(refused.to_string().contains("invalid peer certificate"), "{refused}");
    wait_until("the failure is counted", || {
        world.metric("tickpath_bridge_tls_failures_total") == 1
    });
    assert!(world.metric("tickpath_bridge_certificate_ends_seconds") > 1_700_000_000);
}

#[test]
fn who_speaks_no_tls_is_told_so() {
    let timing = Timing {
        head_timeout: Duration::from_millis(300),
        ..Timing::default()
    };
    let world = Secure::start(timing, |_, _| {});
    let answer = live::http(world.address(), "GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.ends_with("use https:// or wss://\n"),
        "{answer}"
    );

    let mut garbage = TcpStream::connect(world.address()).unwrap();
    garbage.set_read_timeout(Some(DEADLINE)).unwrap();
    garbage.write_all(&[22, 3, 1, 0, 4, 255, 255, 255, 255]).unwrap();
    let mut answer = Vec::new();
    garbage.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty() || answer[0] == 21, "nothing, or an alert: {answer:?}");
    wait_until("both are counted", || {
        world.metric("tickpath_bridge_tls_failures_total") == 2
    });

    let mut silent = TcpStream::connect(world.address()).unwrap();
    silent.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(
        silent.read(&mut [0]).unwrap(),
        0,
        "a handshake that does not come is not waited for"
    );
    wait_until("it is counted", || {
        world.metric("tickpath_bridge_handshake_timeouts_total") >= 1
    });
}

#[test]
fn files_that_cannot_be_right_are_refused_at_the_start() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let at = dir.path();
    let issue = |name: &str, from: i32, until: i32| {
        authority.issue(at, name, |params| {
            (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        })
    };
    let (good, key) = issue("good", 2020, 4000);
    let (past, past_key) = issue("past", 2019, 2020);
    let (future, future_key) = issue("future", 3999, 4000);
    let open = at.join("open.key");
    std::fs::copy(&key, &open).unwrap();
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    for (certificate, key, says) in [
        (
            &past,
            &past_key,
            &["past.pem", "2019-01-01T00:00:00Z to 2020-01-01T00:00:00Z", "renew"][..],
        ),
        (&future, &future_key, &["future.pem", "not now"]),
        (&good, &past_key, &["good.pem and", "past.key do not fit", "keys"]),
        (&good, &open, &["open.key", "chmod 600"]),
        (&good, &good.with_file_name("none.key"), &["none.key", "No such file"]),
        (&good, &key_file(at, "a key"), &["holds no private key"]),
        (&key, &key, &["good.key", "holds no certificate"]),
        (&at.join("none.pem"), &key, &["none.pem", "No such file"]),
    ] {
        let mut config = live::config(&dir);
        (config.bridge.tls_certificate, config.bridge.tls_key) = (certificate.clone(), key.clone());
        let refusal = Bridge::start(&config, Timing::default(), Shutdown::new()).unwrap_err();
        let text = refusal.to_string();
        assert_eq!(refusal.code(), ExitCode::BadInput, "{text}");
        for part in says {
            assert!(text.contains(part), "`{text}` does not say `{part}`");
        }
        assert!(
            !text.contains("a key") && !text.contains("PRIVATE KEY-----\n"),
            "{text}"
        );
    }
}

fn key_file(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("other.key");
    write_secret(&path, text);
    path
}

#[test]
fn beyond_loopback_a_long_token_is_needed() {
    let world = Secure::start(Timing::default(), |config, dir| {
        config.bridge.listen = SocketAddr::from(([0, 0, 0, 0], 0));
        config.bridge.token_file = dir.join("token");
        write_secret(&config.bridge.token_file, "0123456789-0123456789-0123456789");
    });
    let get = |headers: &str| world.get("/api/instruments", headers);
    assert!(get("").starts_with("HTTP/1.1 401"));
    assert!(get("Authorization: Bearer 0123456789-0123456789-0123456789\r\n").starts_with("HTTP/1.1 200"));

    for token in [None, Some("short")] {
        let dir = tempfile::tempdir().unwrap();
        let mut config = live::config(&dir);
        config.bridge.listen = SocketAddr::from(([0, 0, 0, 0], 0));
        config.bridge.allow_plaintext = true;
        if let Some(token) = token {
            config.bridge.token_file = dir.path().join("token");
            write_secret(&config.bridge.token_file, token);
        }
        let refusal = Bridge::start(&config, Timing::default(), Shutdown::new()).unwrap_err();
        assert_eq!(refusal.code(), ExitCode::BadInput);
        assert!(refusal.to_string().contains("/dev/urandom"), "{refusal}");
    }
}

#[test]
fn a_new_certificate_is_shown_after_a_hangup() {
    let world = Secure::start(Timing::default(), |_, _| {});
    let shown = |config: &Arc<ClientConfig>| https(world.address(), config, "/healthz", "").unwrap().1;
    let client = world.authority.client();
    let before = shown(&client);
    let path = world.dir.path().join("own.pem");
    let hang_up = || kill_process(getpid(), Signal::HUP).unwrap();

    // What is wrong changes nothing; that it was read shows in what comes after it.
    let valid = std::fs::read(&path).unwrap();
    std::fs::write(&path, "nothing").unwrap();
    hang_up();
    assert_eq!(shown(&client), before);
    std::fs::write(&path, valid).unwrap();

    let (new, _) = world.authority.issue(world.dir.path(), "own", |_| {});
    let new = CertificateDer::from_pem_file(new).unwrap();
    assert_ne!(new, before);
    hang_up();
    wait_until("the new certificate is shown", || shown(&client) == new);
}
