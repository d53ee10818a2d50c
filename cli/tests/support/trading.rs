//! A pipeline that trades one simulated market on paper, and what its journal and its counters say of it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use tickpath_protocol::trading::{Action, ClientOrderId, TradingDecoder, TradingEvent};
use tickpath_protocol::{InstrumentId, Record, Side, StatusCode, Venue};
use tickpath_storage::journal::{Batch, Journal};
use tickpath_transport::counters::Value;
use tickpath_transport::{Latch, Observer};

use super::support::{self, Pipeline, tickpath, wait_for};

/// A market maker that quotes from the first second.
const STRATEGY: &str = "events_per_second = 300\n\
    [recorder]\nsegment_records = 65536\nsync_ms = 5\n\
    [engine]\nimage_ms = 1000\n[[engine.strategy]]\nname = \"maker\"\nkind = \"avellaneda\"\ninstruments = [\"kraken:BTC/USD\"]\ncapital = \"100000\"\n\
    [engine.strategy.parameters]\nquantity = \"0.01\"\nsample = 100\nsamples = 2\nintensity = 20\nrequote = 5\n";

/// What the journal says of trading.
#[derive(Debug, Default)]
pub struct Story {
    pub events: Vec<TradingEvent>,
    pub statuses: Vec<(StatusCode, Record)>,
    /// By index in the journal: each order's submission and each status.
    pub order: Vec<Step>,
}

/// What happened, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Submitted(ClientOrderId),
    Status(StatusCode),
}

impl Story {
    /// Orders submitted so far.
    pub fn submitted(&self) -> Vec<ClientOrderId> {
        let submitted = |event: &&TradingEvent| matches!(event.action, Action::Submitted { .. });
        self.events.iter().filter(submitted).map(|event| event.order).collect()
    }

    pub fn fills(&self) -> usize {
        let fill = |event: &&TradingEvent| matches!(event.action, Action::Fill { .. });
        self.events.iter().filter(fill).count()
    }

    /// Bought less sold, by instrument, mantissas.
    pub fn positions(&self) -> BTreeMap<InstrumentId, i64> {
        let mut sums = BTreeMap::new();
        for event in &self.events {
            if matches!(event.action, Action::Fill { .. }) {
                let sign = if event.side == Some(Side::Bid) { 1 } else { -1 };
                *sums.entry(event.instrument).or_insert(0) += sign * event.size;
            }
        }
        sums
    }

    /// Orders submitted after the last status of this code.
    pub fn submitted_after(&self, code: StatusCode) -> usize {
        let last = self.order.iter().rposition(|step| *step == Step::Status(code));
        let after = &self.order[last.unwrap_or_else(|| panic!("there is no {code:?}"))..];
        after.iter().filter(|step| matches!(step, Step::Submitted(_))).count()
    }

    pub fn statuses(&self, code: StatusCode) -> usize {
        self.statuses.iter().filter(|(known, _)| *known == code).count()
    }

    /// No client order id comes twice.
    pub fn assert_ids_are_unique(&self) {
        let mut seen = BTreeSet::new();
        for id in self.submitted() {
            assert!(seen.insert(id), "{id} was submitted twice");
        }
    }
}

/// Relay, recorder, simulator and one collector; the engine is started by the test.
pub fn market(extra: &str) -> Pipeline {
    let mut pipeline = Pipeline::new(&format!("{STRATEGY}{extra}"));
    pipeline.start("relay", "tickpath-relay", &[]);
    pipeline.start("recorder", "tickpath-recorder", &[]);
    pipeline.start("simulator", "tickpath-simulator", &[]);
    pipeline.start("collector", "tickpath-collector", &["kraken"]);
    wait_for("the recorder", || Journal::open(&journal(&pipeline)).ok());
    pipeline
}

fn journal(pipeline: &Pipeline) -> std::path::PathBuf {
    pipeline.dir.path().join("run/journal")
}

/// Reads what is recorded, as whatever reads journals does: what is written and not yet synced is not there. What cannot be read, for damage, is left out.
pub fn story(pipeline: &Pipeline) -> Story {
    let mut story = Story::default();
    let mut decoder = TradingDecoder::new(Venue::PAPER);
    let journal = Journal::open(&journal(pipeline)).expect("a journal");
    let recorded = journal.recorded().expect("how far it is recorded");
    let mut cursor = journal.cursor(0).expect("its beginning");
    cursor.set_limit(recorded.map_or(0, |recorded| recorded.next_index));
    let mut batch = Batch::default();
    while let Ok(true) = cursor.next(&mut batch) {
        for record in batch.records.iter().filter(|record| record.venue() == Venue::PAPER) {
            if let Some(code) = StatusCode::of(record) {
                story.statuses.push((code, *record));
                story.order.push(Step::Status(code));
            }
            if let Some(event) = decoder.push(record) {
                if matches!(event.action, Action::Submitted { .. }) {
                    story.order.push(Step::Submitted(event.order));
                }
                story.events.push(event);
            }
        }
    }
    assert_eq!(decoder.broken(), 0, "every trading event is whole");
    story
}

/// A gauge or counter of the process with this id, once it has one.
pub fn metric(pipeline: &Pipeline, pid: u32, name: &str) -> Option<i64> {
    let mut observer = Observer::attach(&pipeline.socket()).ok()?;
    let views = observer.refresh().ok()?;
    let metrics = views.iter().find(|view| view.pid() == pid)?.metrics();
    let metric = metrics.iter().find(|metric| metric.name == name)?;
    match &metric.value {
        Value::Gauge(value) => Some(*value),
        Value::Counter(value) => Some(*value as i64),
        Value::Latency(_) => None,
    }
}

/// Waits until a metric of that process is as wanted.
#[track_caller]
pub fn wait_metric(pipeline: &Pipeline, pid: u32, name: &str, wanted: impl Fn(i64) -> bool) -> i64 {
    wait_for(name, || metric(pipeline, pid, name).filter(|value| wanted(*value)))
}

pub fn signal(pid: u32, signal: &str) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(status.expect("kill runs").success(), "{signal} {pid}");
}

/// Kills the engine at once and takes its remains away.
pub fn kill_engine(pipeline: &mut Pipeline, pid: u32) {
    signal(pid, "-9");
    pipeline.child("engine").wait().expect("it ended");
}

pub fn latch(pipeline: &Pipeline) -> Latch {
    Latch::open(&pipeline.dir.path().join("run/engine/kill")).expect("a latch")
}

/// `tickpath kill` or `tickpath arm`; what it printed.
pub fn switch(pipeline: &Pipeline, command: &[&str]) -> String {
    let config = pipeline.config_path();
    let output = tickpath(&[command, &["--config", &config]].concat());
    assert!(output.status.success(), "{}", support::stderr(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
