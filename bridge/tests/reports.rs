//! Reports of backtests over HTTP: what is listed, what is not, and that a report can do nothing.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::{Value, json};
use support::live::{World, http};

fn result(strategy: &str) -> Value {
    json!({
        "version": 1,
        "strategies": [{ "name": strategy, "params": {} }],
        "settings": { "instruments": "kraken:BTC/USD" },
        "records": 1000, "first_ns": 1_700_000_000_000_000_000_i64, "last_ns": 1_700_000_060_000_000_000_i64,
        "fills": 4, "trips": 2,
        "currencies": [{ "currency": "USD", "profit": "12.34", "fees": "0.50", "metrics": { "sharpe": 1.5, "cagr": null } }],
    })
}

fn report(dir: &Path, name: &str, result: &str) {
    fs::create_dir_all(dir.join(name)).unwrap();
    fs::write(dir.join(name).join("result.json"), result).unwrap();
    fs::write(
        dir.join(name).join("report.html"),
        format!("<h1>{name}</h1><script>alert(1)</script>"),
    )
    .unwrap();
}

fn world(dir: &Path) -> World {
    let dir = dir.to_owned();
    World::start(move |config| config.bridge.reports = dir)
}

fn list(world: &World) -> Value {
    let (status, body) = world.get("/api/backtests");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn reports_are_listed_and_served_into_a_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let reports = dir.path().join("backtests");
    let world = world(&reports);
    let empty = list(&world);
    assert_eq!((&empty["reports"], &empty["skipped"]), (&json!([]), &json!(0)));
    assert_eq!(empty["dir"], reports.display().to_string());

    report(&reports, "my run", &result("sma").to_string());
    let listed = list(&world);
    let first = &listed["reports"][0];
    assert_eq!(
        (&first["name"], &first["strategies"]),
        (&json!("my run"), &json!(["sma"]))
    );
    assert_eq!(
        first["last_ms"].as_i64().unwrap() - first["first_ms"].as_i64().unwrap(),
        60_000
    );
    assert_eq!(
        first["currencies"][0]["metrics"],
        json!({ "cagr": null, "sharpe": 1.5 })
    );
    assert!(first["written_ms"].as_i64().unwrap() > 1_700_000_000_000);

    let address = world.address();
    let response = http(
        address,
        &format!("GET /backtests/my%20run/report.html HTTP/1.1\r\nHost: {address}\r\n"),
    );
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body.contains("<h1>my run</h1>"));
    let policies: Vec<&str> = head
        .lines()
        .filter(|line| line.starts_with("content-security-policy"))
        .collect();
    assert_eq!(policies.len(), 1, "{head}");
    assert!(policies[0].contains("sandbox; default-src 'none'") && !policies[0].contains("allow-"));
    assert!(head.contains("x-content-type-options: nosniff") && head.contains("x-frame-options: DENY"));
}

#[tokio::test]
async fn hostile_names_and_files_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let reports = dir.path().join("backtests");
    let secret = dir.path().join("secret");
    report(dir.path(), "outside", &result("outside").to_string());
    fs::write(&secret, result("secret").to_string()).unwrap();
    report(&reports, "good", &result("sma").to_string());
    report(&reports, ".hidden", &result("hidden").to_string());
    report(&reports, "not json", "{");
    report(
        &reports,
        "other version",
        &result("sma").to_string().replace("\"version\":1", "\"version\":2"),
    );
    report(&reports, "long", &result(&"x".repeat(10_000)).to_string());
    report(&reports, "large", &" ".repeat((1 << 20) + 1));
    report(
        &reports,
        "<img src=x onerror=alert(1)>",
        &result("<script>").to_string(),
    );
    fs::create_dir(reports.join("empty")).unwrap();
    fs::write(reports.join("a file"), "x").unwrap();
    symlink(dir.path().join("outside"), reports.join("linked")).unwrap();
    fs::create_dir(reports.join("links within")).unwrap();
    symlink(&secret, reports.join("links within/result.json")).unwrap();
    symlink(&secret, reports.join("links within/report.html")).unwrap();
    fs::create_dir_all(reports.join("folders/result.json")).unwrap();
    fs::create_dir_all(reports.join("folders/report.html")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(reports.join("good/pipe"))
        .status();
    fs::create_dir(reports.join("pipes")).unwrap();
    if made.is_ok_and(|status| status.success()) {
        fs::rename(reports.join("good/pipe"), reports.join("pipes/report.html")).unwrap();
    }

    let world = world(&reports);
    let listed = list(&world);
    let mut names: Vec<&str> = listed["reports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["<img src=x onerror=alert(1)>", "good"]);
    assert_eq!(listed["skipped"], 10);
    for name in [
        "..",
        "%2e%2e",
        "%2e%2e%2foutside",
        "..%2foutside",
        "linked",
        "links%20within",
        "folders",
        "pipes",
        "empty",
        ".hidden",
        "a%20file",
        "nowhere",
        "%00",
        "good%00",
        "%ff",
        "good%2f..%2fgood",
        "%2fetc",
        "good%5c..",
    ] {
        let (status, body) = world.get(&format!("/backtests/{name}/report.html"));
        assert!(matches!(status, 400 | 404), "{name}: {status}");
        assert!(!body.contains("secret") && !body.contains("<h1>"), "{name}: {body}");
    }
    for path in [
        "/backtests/good/result.json",
        "/backtests/good/",
        "/backtests",
        "/backtests/good/../good/report.html",
    ] {
        assert_eq!(world.get(path).0, 404, "{path}");
    }
    assert_eq!(world.get("/backtests/good/report.html").0, 200);
}

#[tokio::test]
async fn with_a_token_reports_ask_for_it() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "s3cret").unwrap();
    fs::set_permissions(secret.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    report(dir.path(), "good", &result("sma").to_string());
    let (token, reports) = (secret.path().to_owned(), dir.path().to_owned());
    let world = World::start(move |config| {
        config.bridge.token_file = token;
        config.bridge.reports = reports;
    });
    let address = world.address();
    for path in ["/api/backtests", "/backtests/good/report.html"] {
        assert_eq!(world.get(path).0, 401, "{path}");
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer s3cret\r\n");
        assert!(http(address, &head).starts_with("HTTP/1.1 200"), "{path}");
    }
}
