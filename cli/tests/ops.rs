//! What `ops` holds for Prometheus and Grafana: alerts, dashboards and their provisioning fit the metrics that there are, and each alert was seen to fire and not to.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use support::exposition::{documented, family_name, promtool, root};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every word of the text that begins as our metrics do.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("tickpath_"))
        .map(family_name)
        .collect()
}

#[track_caller]
fn assert_exist(what: &str, text: &str) {
    let documented = documented();
    for name in names(text) {
        assert!(documented.contains(name), "{what}: docs/metrics.md has no {name}");
    }
}

/// The alerts of ops/alerts.yml, each with its lines.
fn alerts() -> BTreeMap<String, String> {
    let text = read("ops/alerts.yml");
    let parts = text.split("- alert: ").skip(1);
    parts
        .map(|part| {
            let (name, rest) = part.split_once('\n').expect("a name");
            (name.to_owned(), rest.to_owned())
        })
        .collect()
}

#[test]
fn promtool_accepts_rules_and_configuration_and_their_tests_pass() {
    for args in [
        ["check", "rules", "alerts.yml"],
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "alerts_test.yml"],
    ] {
        let (is_content, said) = promtool(&args, "");
        assert!(is_content, "promtool {args:?}: {said}");
        assert!(!said.contains("FAILED"), "promtool {args:?}: {said}");
    }
}

#[test]
fn every_alert_is_told_from_metrics_that_exist_and_says_what_to_do() {
    let operations = read("docs/operations.md");
    let anchors: BTreeSet<String> = operations
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .collect();
    let alerts = alerts();
    assert!(alerts.len() > 30, "{}", alerts.len());
    for (name, lines) in &alerts {
        assert_exist(name, lines);
        let severity = lines.contains("severity: critical") || lines.contains("severity: warning");
        assert!(
            severity && lines.contains("summary: \"") && lines.contains("description: \""),
            "{name}"
        );
        let (_, runbook) = lines.split_once("runbook: docs/operations.md#").expect("a runbook");
        let anchor = runbook.lines().next().expect("an anchor");
        assert!(
            anchors.contains(anchor),
            "{name}: docs/operations.md has no heading for #{anchor}"
        );
    }
}

#[test]
fn every_alert_was_seen_to_fire_and_not_to() {
    let text = read("ops/alerts_test.yml");
    assert_exist("alerts_test.yml", &text);
    let (mut fires, mut is_quiet) = (BTreeSet::new(), BTreeSet::new());
    let mut alert = "";
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("expr: 'ALERTS{alertname=\"") {
            alert = rest.split('"').next().expect("a name");
        }
        match line.trim() {
            "exp_samples: []" => is_quiet.insert(alert.to_owned()),
            "exp_samples:" => fires.insert(alert.to_owned()),
            _ => false,
        };
    }
    for name in alerts().keys() {
        assert!(
            fires.contains(name),
            "ops/alerts_test.yml shows nowhere that {name} fires"
        );
        assert!(
            is_quiet.contains(name),
            "ops/alerts_test.yml shows nowhere that {name} does not fire"
        );
    }
}

fn dashboards() -> Vec<(PathBuf, Value)> {
    let folder = root().join("ops/grafana/dashboards");
    let entries = std::fs::read_dir(&folder).expect("dashboards");
    let mut dashboards: Vec<(PathBuf, Value)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a dashboard");
            let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, json)
        })
        .collect();
    dashboards.sort_by(|(a, _), (b, _)| a.cmp(b));
    dashboards
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn dashboards_are_whole_and_have_one_source() {
    let dashboards = dashboards();
    assert_eq!(dashboards.len(), 4);
    let mut uids = BTreeSet::new();
    for (path, board) in &dashboards {
        let uid = board["uid"].as_str().expect("a uid");
        assert!(uids.insert(uid.to_owned()), "{uid} comes twice");
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(uid));
        assert!(
            board["title"]
                .as_str()
                .is_some_and(|title| title.starts_with("Tickpath: "))
        );
        let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
        for panel in list(&board["panels"]) {
            let title = panel["title"].as_str().expect("a title");
            assert!(
                ids.insert(panel["id"].as_u64().expect("an id")),
                "{uid}: {title}: its id comes twice"
            );
            let place = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
            for (x, y) in (0..place("w")).flat_map(|x| (0..place("h")).map(move |y| (x, y))) {
                let cell = (place("x") + x, place("y") + y);
                assert!(
                    cell.0 < 24 && places.insert(cell),
                    "{uid}: {title} is drawn over another"
                );
            }
            if panel["type"] == "row" {
                continue;
            }
            let targets = list(&panel["targets"]);
            assert!(!targets.is_empty(), "{uid}: {title} shows nothing");
            let refs: BTreeSet<&str> = targets.iter().filter_map(|target| target["refId"].as_str()).collect();
            assert_eq!(refs.len(), targets.len(), "{uid}: {title}: refIds");
            let sources = targets.iter().map(|target| &target["datasource"]);
            assert!(
                sources
                    .chain([&panel["datasource"]])
                    .all(|source| source["uid"] == "tickpath"),
                "{uid}: {title}"
            );
        }
        for variable in list(&board["templating"]["list"]) {
            assert_exist(uid, variable["query"]["query"].as_str().expect("a query"));
        }
    }
    assert!(read("ops/grafana/provisioning/datasources/tickpath.yml").contains("\n    uid: tickpath\n"));
    assert!(read("ops/grafana/provisioning/dashboards/tickpath.yml").contains("type: file"));
}

/// Each expression becomes a rule, for promtool to parse; what Grafana puts in stands there already.
#[test]
fn expressions_of_dashboards_are_valid_and_of_metrics_that_exist() {
    let mut rules = String::from("groups:\n  - name: dashboards\n    rules:\n");
    let mut count = 0;
    for (_, board) in dashboards() {
        let uid = board["uid"].as_str().expect("a uid");
        let panels = list(&board["panels"]).iter().flat_map(|panel| list(&panel["targets"]));
        let annotations = list(&board["annotations"]["list"]).iter();
        for target in panels.chain(annotations) {
            let expression = target["expr"].as_str().expect("an expression");
            assert_exist(uid, expression);
            let mut plain = expression.replace("$__rate_interval", "1m");
            for variable in list(&board["templating"]["list"]) {
                let name = variable["name"].as_str().expect("a name");
                plain = plain.replace(&format!("${name}"), ".*");
            }
            assert!(!plain.contains('$'), "{uid}: unknown variable in {expression}");
            let quoted = serde_json::to_string(&plain).expect("JSON, which YAML understands");
            rules.push_str(&format!(
                "      - record: dashboards:expression_{count}\n        expr: {quoted}\n"
            ));
            count += 1;
        }
    }
    assert!(count > 80, "{count}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rules.yml");
    std::fs::write(&path, &rules).expect("a file of rules");
    let (is_content, said) = promtool(&["check", "rules", &path.display().to_string()], "");
    assert!(is_content, "{said}");
    assert!(said.contains(&format!("{count} rules found")), "{said}");
}
