//! The kill switch over HTTP: who may use it, and what it does to the latch.

mod support;

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::live::{World, http};
use tickpath_protocol::trading::Reason;
use tickpath_transport::latch::{Latch, LatchState};

fn post(world: &World, path: &str, headers: &str) -> (u16, Value) {
    let address = world.address();
    let response = http(
        address,
        &format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n{headers}"),
    );
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    (
        status,
        serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap(),
    )
}

#[tokio::test]
async fn the_kill_switch_wants_a_token() {
    let open = World::start(|_| {});
    for path in ["/api/kill", "/api/arm"] {
        let (status, body) = post(&open, path, "Authorization: Bearer guess\r\n");
        assert_eq!((status, &body["error"]["code"]), (403, &json!("no_token_configured")));
    }

    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "s3cret").unwrap();
    std::fs::set_permissions(secret.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(|config| {
        config.bridge.token_file = secret.path().to_owned();
        config.runtime_dir = dir.path().to_owned();
    });
    assert_eq!(post(&world, "/api/kill", "").0, 401);
    assert_eq!(post(&world, "/api/kill", "Authorization: Bearer wrong\r\n").0, 401);
    let foreign = "Authorization: Bearer s3cret\r\nOrigin: http://evil.example\r\n";
    assert_eq!(post(&world, "/api/kill", foreign).0, 403);
    assert_eq!(world.get("/api/kill").0, 401);

    let mut client = tickpath_client(&world).await;
    let right = "Authorization: Bearer s3cret\r\n";
    let (status, body) = post(&world, "/api/kill", right);
    assert_eq!(
        (status, &body["state"], &body["changed"]),
        (200, &json!("killed"), &json!(true))
    );
    let latch = Latch::open(&dir.path().join("engine/kill")).unwrap();
    assert!(matches!(latch.state(), LatchState::Killed { reason, .. } if reason == Reason::Kill as u8));
    client
        .find(|message| message["data"][0]["kill"]["state"] == "killed")
        .await;
    assert_eq!(post(&world, "/api/kill", right).1["changed"], false);
    assert_eq!(
        post(&world, "/api/arm", right).1,
        json!({"state": "armed", "changed": true, "since": latch_since(&latch), "note": ""})
    );
    assert!(!latch.is_killed());
    client
        .find(|message| message["data"][0]["kill"]["state"] == "armed")
        .await;
}

fn latch_since(latch: &Latch) -> i64 {
    match latch.state() {
        LatchState::Armed { since_ns } | LatchState::Killed { since_ns, .. } => since_ns,
    }
}

async fn tickpath_client(world: &World) -> support::live::Client {
    let headers = [("authorization", "Bearer s3cret")];
    let mut client = support::live::Client::connect(world.address(), &headers).await.unwrap();
    client.subscribe(&["engine"], &[]).await;
    client
}
