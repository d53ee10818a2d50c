//! What `/metrics` tells of a whole pipeline: docs/metrics.md is made of it, and promtool finds nothing to say against it.

mod support;

use std::collections::BTreeMap;

use support::exposition::{Family, document, documented, promtool, scrape, table};
use support::{Pipeline, wait_for};
use tickpath_transport::Discipline;

/// Set, it makes the test write the document instead of comparing it.
const WRITE: &str = "TICKPATH_WRITE_DOCS";
/// Around the table.
const MARKS: [&str; 2] = ["<!-- metrics:begin -->\n", "<!-- metrics:end -->\n"];
/// More samples than this from ten processes would be too many for whoever stores them.
const SAMPLES_MAX: usize = 4_000;

/// All that counts, the gateway among it; the database is never there.
const CONFIG: &str = "events_per_second = 50\n[recorder]\nsegment_records = 65536\n\
    [database]\nurl = \"postgres://nobody@127.0.0.1:1/none\"\n[engine]\nvenue = \"simulated\"\n\
    [[engine.strategy]]\nname = \"maker\"\nkind = \"avellaneda\"\ninstruments = [\"coinbase:BTC/USD\"]\ncapital = \"100000\"\n";

fn start() -> Pipeline {
    let mut pipeline = Pipeline::new(CONFIG);
    pipeline.start("up", "tickpath", &["up"]);
    pipeline.wait_ready();
    pipeline
}

fn value(families: &BTreeMap<String, Family>, name: &str, labels: &str) -> Option<f64> {
    families.get(name)?.samples.get(labels).copied()
}

/// Waits until each process has all its metrics.
fn settled(pipeline: &Pipeline) -> BTreeMap<String, Family> {
    wait_for("the metrics of all processes", || {
        let families = scrape(pipeline);
        let up = families.get("tickpath_process_up")?;
        let are_all_up = up.samples.len() >= 10 && up.samples.values().all(|value| *value == 1.0);
        let has = |name: &str| families.get(name).is_some_and(|family| !family.samples.is_empty());
        let late = [
            "tickpath_engine_pnl",
            "tickpath_engine_position",
            "tickpath_kill_latched",
            "tickpath_database_connected",
            "tickpath_bridge_recv_to_bridge_seconds",
        ];
        let venues = |name: &str| families.get(name).map_or(0, |family| family.samples.len());
        let all_venues = venues("tickpath_collector_connected") == 4 && venues("tickpath_relay_producer_attached") >= 6;
        (are_all_up && all_venues && late.iter().all(|name| has(name))).then_some(families)
    })
}

#[test]
fn the_document_lists_what_the_bridge_tells_and_promtool_is_content() {
    let pipeline = start();
    let mut families = settled(&pipeline);
    let text = pipeline.get("/metrics").expect("the bridge answers").1;
    assert_eq!(promtool(&["check", "metrics"], &text), (true, String::new()));
    let samples: usize = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(samples < SAMPLES_MAX, "{samples} samples");
    assert_eq!(value(&families, "tickpath_bridge_samples_left_out", ""), Some(0.0));

    let old = std::fs::read_to_string(document()).expect("docs/metrics.md");
    let (before, rest) = old.split_once(MARKS[0]).expect("a beginning");
    let (old_table, after) = rest.split_once(MARKS[1]).expect("an end");
    if Discipline::read().is_err() {
        // Where the kernel does not tell, nobody can; the rows stay as they are.
        let is_of_clock = |line: &&str| line.starts_with("| `tickpath_clock_");
        assert_eq!(old_table.lines().filter(is_of_clock).count(), 3);
        families.retain(|name, _| !name.starts_with("tickpath_clock_"));
        let old_rest: Vec<&str> = old_table.lines().filter(|line| !is_of_clock(line)).collect();
        assert_eq!(table(&families).lines().collect::<Vec<_>>(), old_rest, "{}", hint());
        return;
    }
    let new_table = table(&families);
    if std::env::var_os(WRITE).is_some() {
        let text = [before, MARKS[0], &new_table, MARKS[1], after].concat();
        std::fs::write(document(), text).expect("docs/metrics.md is written");
        return;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&new_table), lines(old_table), "{}", hint());
}

fn hint() -> String {
    format!("docs/metrics.md is out of date: {WRITE}=1 cargo test --workspace --test metrics writes it")
}

#[test]
fn figures_follow_what_happens() {
    let mut pipeline =
        Pipeline::new("events_per_second = 50\n[engine]\nenabled = false\n[recorder]\nenabled = false\n");
    pipeline.start("relay", "tickpath-relay", &[]);
    pipeline.start("bridge", "tickpath-bridge", &[]);
    pipeline.start("simulator", "tickpath-simulator", &[]);
    pipeline.start("kraken", "tickpath-collector", &["kraken"]);
    pipeline.wait_ready();
    let kraken = "process=\"collector-kraken\",venue=\"kraken\"";
    let up = |name: &str| format!("process=\"{name}\"");
    wait_for("trusted books", || {
        let families = scrape(&pipeline);
        let books = value(&families, "tickpath_collector_books", kraken)?;
        let trusted = value(&families, "tickpath_collector_books_trusted", kraken)?;
        let age = value(&families, "tickpath_bridge_observed_timestamp_seconds", &up("bridge"))?
            - value(&families, "tickpath_collector_last_recv_timestamp_seconds", kraken)?;
        (books == 2.0 && trusted == 2.0 && (-5.0..60.0).contains(&age)).then_some(())
    });
    let families = scrape(&pipeline);
    // A venue that is configured and was never started is down, not absent.
    assert_eq!(
        value(&families, "tickpath_process_up", &up("collector-binance")),
        Some(0.0)
    );
    assert_eq!(
        value(&families, "tickpath_process_up", &up("engine")),
        None,
        "it is not configured"
    );
    let version = format!("process=\"relay\",version=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert_eq!(value(&families, "tickpath_build_info", &version), Some(1.0));

    let collector = pipeline.child("kraken");
    collector.kill().expect("it is killed");
    collector.wait().expect("it ends");
    wait_for("the collector to be down", || {
        (value(&scrape(&pipeline), "tickpath_process_up", &up("collector-kraken")) == Some(0.0)).then_some(())
    });
    pipeline.start("kraken", "tickpath-collector", &["kraken"]);
    wait_for("the collector to be back", || {
        let families = scrape(&pipeline);
        let restarts = value(&families, "tickpath_process_restarts_total", &up("collector-kraken"))?;
        let is_up = value(&families, "tickpath_process_up", &up("collector-kraken"))?;
        (restarts == 1.0 && is_up == 1.0).then_some(())
    });
}

#[test]
fn the_document_has_what_alerts_need() {
    let documented = documented();
    assert!(documented.len() > 100, "{}", documented.len());
    for name in [
        "tickpath_process_up",
        "tickpath_process_restarts_total",
        "tickpath_build_info",
        "tickpath_kill_latched",
        "tickpath_recorder_sync_seconds",
        "tickpath_clock_offset_seconds",
    ] {
        assert!(documented.contains(name), "{name}");
    }
}
