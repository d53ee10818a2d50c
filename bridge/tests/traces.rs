//! Traces of the running bridge, as an OpenTelemetry collector gets them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio_tungstenite::tungstenite::{self, Message};

const DEADLINE: Duration = Duration::from_secs(30);
const TOKEN: &str = "a-token-that-no-trace-may-hold";

/// A collector: takes what is posted to it until nobody can any more.
fn collector() -> (SocketAddr, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, posts) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while let Some(post) = take_post(&mut stream) {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
                stream.get_mut().write_all(answer).unwrap();
                sender.send(post).unwrap();
            }
        }
    });
    (address, posts)
}

/// The first line and the body of a request; nothing at the connection's end.
fn take_post(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut first = String::new();
    stream.read_line(&mut first).ok().filter(|read| *read > 0)?;
    let (mut line, mut length) = (String::new(), 0);
    while line.trim_end() != "" || line.is_empty() {
        line.clear();
        stream.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    Some((first.trim_end().to_owned(), body))
}

/// The bridge as a process, without a relay: what is asked of it needs none.
struct Bridge {
    process: Child,
    address: SocketAddr,
}

impl Bridge {
    fn start(dir: &Path, collector: SocketAddr) -> Bridge {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let token = dir.join("token");
        fs::write(&token, TOKEN).unwrap();
        fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let config = dir.join("tickpath.toml");
        let text = format!(
            "runtime_dir = {dir:?}\n[bridge]\nlisten = \"{address}\"\ntoken_file = {token:?}\ntraces_url = \"http://{collector}\"\n"
        );
        fs::write(&config, text).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_tickpath-bridge"))
            .arg("--config")
            .arg(&config)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let bridge = Bridge { process, address };
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "the bridge does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        bridge
    }

    /// The status of an answer.
    fn get(&self, path: &str) -> i64 {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Its log, once it has ended as it should.
    fn end(mut self) -> String {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        let mut log = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(self.process.wait().unwrap().success(), "{log}");
        log
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // It has ended already, unless the test fails.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes
        .iter()
        .filter_map(|it| Some((it.key.clone(), text(it.value.clone()?.value?))))
        .collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[test]
fn requests_clients_and_what_they_ask_are_traced() {
    let dir = tempfile::tempdir().unwrap();
    let (collector, posts) = collector();
    let bridge = Bridge::start(dir.path(), collector);
    let health = bridge.get("/healthz");
    assert_eq!(bridge.get("/api/book/kraken/NO/SUCH"), 404);
    assert_eq!(bridge.get("/a-secret-path"), 404);

    let stream = TcpStream::connect(bridge.address).unwrap();
    let request =
        tungstenite::client::ClientRequestBuilder::new(format!("ws://{}/ws", bridge.address).parse().unwrap())
            .with_header("Authorization", format!("Bearer {TOKEN}"));
    let (mut client, _) = tungstenite::client(request, stream).unwrap();
    for ask in [r#"{"op":"ping"}"#, r#"{"op":"dance"}"#] {
        client.send(Message::text(ask)).unwrap();
        while !client.read().unwrap().is_text() {}
    }
    client.close(None).unwrap();
    while client.read().is_ok() {}
    bridge.end();

    let (mut spans, mut bodies) = (Vec::new(), Vec::new());
    for (first, body) in posts.try_iter() {
        assert_eq!(first, "POST /v1/traces HTTP/1.1");
        for resource_spans in ExportTraceServiceRequest::decode(body.as_slice())
            .unwrap()
            .resource_spans
        {
            let resource = texts(&resource_spans.resource.unwrap().attributes);
            assert_eq!(resource["service.name"], "tickpath-bridge");
            spans.extend(resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        bodies.extend(body);
    }
    for (name, status) in [
        ("GET /healthz", health),
        ("GET /api/book/{venue}/{*symbol}", 404),
        ("GET", 404),
    ] {
        let [span] = named(&spans, name)[..] else {
            panic!("{name} in {spans:#?}")
        };
        assert_eq!(span.kind(), SpanKind::Server);
        assert!(span.parent_span_id.is_empty() && span.end_time_unix_nano >= span.start_time_unix_nano);
        assert_eq!(texts(&span.attributes)["http.response.status_code"], status.to_string());
    }
    let ([upgrade], [websocket]) = (&named(&spans, "GET /ws")[..], &named(&spans, "websocket")[..]) else {
        panic!("one client: {spans:#?}")
    };
    assert_eq!(websocket.parent_span_id, upgrade.span_id);
    let asked = named(&spans, "websocket.request");
    let errors: Vec<Option<String>> = asked
        .iter()
        .map(|span| texts(&span.attributes).get("error.code").cloned())
        .collect();
    assert_eq!(errors, [None, Some("unknown_op".into())]);
    assert!(
        asked
            .iter()
            .all(|span| span.parent_span_id == websocket.span_id && span.trace_id == upgrade.trace_id)
    );
    let bodies = String::from_utf8_lossy(&bodies);
    assert!(
        !bodies.contains(TOKEN) && !bodies.contains("a-secret-path"),
        "a trace holds what it must not"
    );
}

#[test]
fn without_a_collector_the_bridge_serves_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    // An address that nobody listens on any more.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bridge = Bridge::start(dir.path(), nobody);
    assert_eq!(bridge.get("/a-secret-path"), 404);
    let log = bridge.end();
    for said in ["the collector of traces does not take them", "took none to the end"] {
        assert_eq!(log.matches(said).count(), 1, "{log}");
    }
}
