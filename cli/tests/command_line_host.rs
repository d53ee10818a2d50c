//! `tickpath doctor`, `top` and `latency`: what they say to bad input, to a host that is made up, and of a pipeline that runs.

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::{Pipeline, binary, stderr, tickpath, wait_for};

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The findings of `doctor --json` with its exit code, which the report must name too.
fn findings(output: &Output) -> (i32, Vec<Value>) {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let code = output.status.code().expect("an exit code");
    assert_eq!(report["exit_code"], code);
    (code, report["findings"].as_array().expect("findings").clone())
}

fn level<'a>(findings: &'a [Value], id: &str) -> Option<&'a str> {
    findings.iter().find(|finding| finding["id"] == id)?["level"].as_str()
}

#[test]
fn wrong_arguments_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path().display().to_string();
    for (arguments, word) in [
        (&["doctor", "--cores", "2-1"][..], "2-1"),
        (&["doctor", "--cores", ""], "list of cores"),
        (&["doctor", "--jitter-ms", "0"], "--jitter-ms"),
        (&["doctor", "--root", "/nowhere"], "/nowhere"),
        (&["doctor", "--write", &dir, "--json"], "--json"),
        (&["doctor", "--list", "--json"], "--json"),
        (&["latency", "--interval", "5"], "5s"),
        (&["latency", "--interval", "1ms"], "10ms"),
        (&["latency", "--watch", "0"], "--watch"),
        (&["latency", "--watch", "1", "--interval", "1s"], "--interval"),
        (&["top", "--twice"], "--twice"),
    ] {
        let output = tickpath(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{arguments:?}: {}", stderr(&output));
    }
    let list = stdout(&tickpath(&["doctor", "--list"]));
    assert!(list.contains("| `clock.offset` |"), "{list}");
    let help = stdout(&tickpath(&["--help"]));
    for command in ["top", "latency", "doctor", "status", "check"] {
        let found = help
            .lines()
            .any(|line| line.trim_start().starts_with(&format!("{command} ")));
        assert!(found, "{command} in\n{help}");
    }
}

#[test]
fn without_a_relay_there_is_nothing_to_show() {
    let pipeline = Pipeline::new("");
    let (config, socket) = (pipeline.config_path(), pipeline.socket().display().to_string());
    for arguments in [
        &["top", "--once"][..],
        &["top"],
        &["latency"],
        &["latency", "--watch", "1"],
    ] {
        let output = tickpath(&[arguments, &["--config", &config]].concat());
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(&socket), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn the_doctor_s_exit_code_is_the_worst_finding() {
    let pipeline = Pipeline::new("");
    let config = pipeline.config_path();
    let root = pipeline.dir.path().join("host");
    let cpu = root.join("sys/devices/system/cpu");
    std::fs::create_dir_all(cpu.join("cpu1/cpufreq")).expect("a made-up host");
    let examine = |more: &[&str]| {
        let root = root.display().to_string();
        tickpath(&[&["doctor", "--json", "--config", &config, "--root", &root], more].concat())
    };
    let (code, found) = findings(&examine(&[]));
    assert_eq!(code, 0, "what is unknown is no fault: {found:?}");
    assert_eq!(level(&found, "config.valid"), Some("ok"));
    assert_eq!(level(&found, "clock.source"), Some("unknown"));
    assert!(
        found
            .iter()
            .all(|finding| finding["id"].as_str().is_some_and(|id| !id.starts_with("jitter")))
    );

    std::fs::write(cpu.join("cpu1/cpufreq/scaling_governor"), "powersave\n").expect("a governor");
    let (code, found) = findings(&examine(&["--cores", "1"]));
    assert_eq!(code, 4);
    assert_eq!(level(&found, "power.governor"), Some("warning"));

    std::fs::write(cpu.join("online"), "0\n").expect("cores");
    let (code, found) = findings(&examine(&["--cores", "1"]));
    assert_eq!((code, level(&found, "cores.online")), (5, Some("failure")));
    assert!(
        found
            .iter()
            .all(|finding| !finding["why"].as_str().unwrap_or_default().is_empty()),
        "{found:?}"
    );

    std::fs::write(&config, "[relay]\nwait = \"nap\"\n").expect("a configuration");
    let text = tickpath(&["doctor", "--config", &config, "--root", &root.display().to_string()]);
    assert_eq!(text.status.code(), Some(5));
    assert!(stdout(&text).contains("tickpath.toml:2:"), "{}", stdout(&text));
    assert!(
        stderr(&text).is_empty(),
        "everything is in the report: {}",
        stderr(&text)
    );
}

#[test]
fn this_host_is_measured() {
    let pipeline = Pipeline::new("");
    let config = pipeline.config_path();
    let (_, found) = findings(&tickpath(&[
        "doctor",
        "--json",
        "--config",
        &config,
        "--jitter-ms",
        "20",
        "--cores",
        "0",
    ]));
    assert!(level(&found, "disk.sync").is_some(), "{found:?}");
    assert!(
        level(&found, "jitter.core").or(level(&found, "jitter.pin")).is_some(),
        "{found:?}"
    );
    assert!(level(&found, "clock.offset").is_some(), "{found:?}");
    let (_, quick) = findings(&tickpath(&[
        "doctor", "--json", "--quick", "--config", &config, "--cores", "0",
    ]));
    assert_eq!((level(&quick, "disk.sync"), level(&quick, "jitter.core")), (None, None));
}

#[test]
fn drop_ins_are_written_once_and_never_over_others() {
    let pipeline = Pipeline::new("[relay]\npin = 0\n");
    let config = pipeline.config_path();
    let etc = pipeline.dir.path().join("etc");
    let write = || tickpath(&["doctor", "--config", &config, "--write", &etc.display().to_string()]);
    let first = write();
    assert!(first.status.success(), "{}", stderr(&first));
    assert!(stdout(&first).contains("systemctl daemon-reload"), "{}", stdout(&first));
    let path = etc.join("systemd/system/tickpath-relay.service.d/50-tickpath-doctor.conf");
    assert!(
        std::fs::read_to_string(&path)
            .expect("a drop-in")
            .contains("CPUAffinity=0")
    );
    assert!(stdout(&write()).contains("unchanged"));
    std::fs::write(&path, "[Service]\nCPUAffinity=5\n").expect("a foreign file");
    let refused = write();
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        stderr(&refused).contains("50-tickpath-doctor.conf"),
        "{}",
        stderr(&refused)
    );
    assert!(
        std::fs::read_to_string(Path::new(&path))
            .expect("it")
            .contains("CPUAffinity=5")
    );
}

#[test]
fn a_running_pipeline_is_shown_with_all_its_hops() {
    let mut pipeline = Pipeline::new("");
    let config = pipeline.config_path();
    pipeline.start("up", "tickpath", &["up"]);
    pipeline.wait_ready();
    let latency = |more: &[&str]| {
        let output = tickpath(&[&["latency", "--json", "--config", &config], more].concat());
        serde_json::from_slice::<Value>(&output.stdout).ok()
    };
    let hops = [
        "venue to receive",
        "receive to publish",
        "publish to bridge",
        "receive to bridge",
        "publish to recorder",
        "publish to engine",
        "journal sync",
    ];
    wait_for("every hop", || {
        let report = latency(&[])?;
        let rows = report["hops"].as_array()?;
        let counted = |hop: &&str| {
            rows.iter()
                .any(|row| row["hop"] == **hop && row["count"].as_u64() > Some(0))
        };
        (report["window_s"].is_null() && hops.iter().all(counted)).then_some(())
    });
    let window = latency(&["--interval", "300ms"]).expect("a report");
    assert!(window["window_s"].as_f64() >= Some(0.3), "{window}");

    let once = tickpath(&["top", "--once", "--config", &config]);
    assert!(once.status.success(), "{}", stderr(&once));
    let text = stdout(&once);
    for expected in [
        "records/s",
        "processes\n",
        "collector-kraken",
        "binance",
        "receive to publish",
        "journal\n",
        "takes rows|no database",
        "strategies\n",
    ] {
        assert!(
            expected.split('|').any(|one| text.contains(one)),
            "{expected} in\n{text}"
        );
    }
    watch(&config);
}

/// Two tables one after the other, then a stop that is no failure.
fn watch(config: &str) {
    let mut child = Command::new(binary("tickpath"))
        .args(["latency", "--json", "--watch", "1", "--config", config])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let tables: Vec<Value> = lines
        .take(2)
        .map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"))
        .collect();
    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(stopped.expect("kill runs").success());
    let status = wait_for("its end", || child.try_wait().expect("its status"));
    assert_eq!(status.code(), Some(0));
    assert!(
        tables[0]["window_s"].is_null() && tables[1]["window_s"].as_f64() >= Some(1.0),
        "{tables:?}"
    );
}
