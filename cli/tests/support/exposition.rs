//! The text of `/metrics`, taken apart; and the table of docs/metrics.md that is made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Pipeline;

/// All samples of a name.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    pub help: String,
    pub labels: BTreeSet<String>,
    pub processes: BTreeSet<String>,
    /// The value of each, by its labels.
    pub samples: BTreeMap<String, f64>,
}

/// What the bridge tells now, by name; nothing if it does not answer.
pub fn scrape(pipeline: &Pipeline) -> BTreeMap<String, Family> {
    let text = pipeline.get("/metrics").filter(|(status, _)| *status == 200);
    parse(&text.map(|(_, text)| text).unwrap_or_default())
}

fn parse(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name.to_owned()).or_default().help = help.to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a sample");
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let family = families
                .get_mut(family_name(name))
                .unwrap_or_else(|| panic!("{name} has no HELP"));
            family.samples.insert(
                labels.trim_end_matches('}').to_owned(),
                value.parse().expect("a number"),
            );
            for (key, value) in labels
                .trim_end_matches('}')
                .split("\",")
                .filter_map(|pair| pair.split_once("=\""))
            {
                match key {
                    "process" => family.processes.insert(value.trim_end_matches('"').to_owned()),
                    "le" => continue,
                    key => family.labels.insert(key.to_owned()),
                };
            }
        }
    }
    families
}

/// `hop_seconds` of `hop_seconds_bucket`.
pub fn family_name(sample: &str) -> &str {
    let suffixes = ["_bucket", "_sum", "_count"];
    let base = suffixes.iter().find_map(|suffix| sample.strip_suffix(suffix));
    base.filter(|base| base.ends_with("_seconds")).unwrap_or(sample)
}

/// The table of all families.
pub fn table(families: &BTreeMap<String, Family>) -> String {
    let mut table = String::from("| name | type | unit | labels | processes | meaning |\n|---|---|---|---|---|---|\n");
    for (name, family) in families {
        let labels: Vec<&str> = family.labels.iter().map(String::as_str).collect();
        let row = [
            format!("`{name}`"),
            family.kind.clone(),
            unit(name).to_owned(),
            labels.join(", "),
            processes(family),
            family.help.clone(),
        ];
        table.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    table
}

fn processes(family: &Family) -> String {
    let mut names: Vec<&str> = family.processes.iter().map(String::as_str).collect();
    let all = names.len();
    names.retain(|name| !name.starts_with("collector-"));
    match (names.len(), all - names.len()) {
        (0, 0) => "bridge".to_owned(),
        (others, collectors) if others >= 5 && collectors > 0 => "all".to_owned(),
        (_, 0) => names.join(", "),
        (0, _) => "collectors".to_owned(),
        _ => format!("collectors, {}", names.join(", ")),
    }
}

/// The unit, which the name says.
fn unit(name: &str) -> &'static str {
    let has = |part: &str| name.contains(part);
    match name {
        _ if has("_timestamp_seconds") || has("_start_time_seconds") => "s since the Unix epoch",
        _ if has("_seconds") => "s",
        _ if has("_bytes") => "bytes",
        "tickpath_engine_pnl" => "the currency",
        "tickpath_engine_position" => "what is traded",
        _ if has("records") => "records",
        _ => "",
    }
}

/// The names in the first column of the table in docs/metrics.md.
pub fn documented() -> BTreeSet<String> {
    let text = std::fs::read_to_string(document()).expect("docs/metrics.md");
    text.lines()
        .filter_map(|line| line.strip_prefix("| `tickpath_")?.split_once('`'))
        .map(|(name, _)| format!("tickpath_{name}"))
        .collect()
}

/// docs/metrics.md
pub fn document() -> PathBuf {
    root().join("docs/metrics.md")
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs promtool on `input` in `ops`; what it says, and whether it was content.
pub fn promtool(args: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new("promtool")
        .args(args)
        .current_dir(root().join("ops"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts: Debian's package `prometheus` has it, and scripts/test installs that");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(input.as_bytes())
        .expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), said.concat())
}
