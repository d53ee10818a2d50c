//! The part of the system report that says how the stream is kept: what the recorder and its database writer count.

use serde::Serialize;

use crate::prometheus::Process;

/// By this metric the recorder is known.
const RECORDED: &str = "tickpath_recorder_recorded_position";
/// By this one its database writer, if it has one.
const DATABASE: &str = "tickpath_database_connected";
/// Records that the relay published, which is the position of its stream.
const PUBLISHED: &str = "tickpath_relay_records_out_total";

/// How the stream is kept.
#[derive(Debug, Serialize)]
pub struct RecordingReport {
    /// `recording`, `stopped` while the disk takes nothing, or `dead`.
    state: &'static str,
    /// Records in the journal that are synced, since it began.
    recorded: i64,
    /// Stream position after the last of them.
    position: i64,
    /// Records published and not synced yet: what a power loss would cost; null without a relay.
    lag_records: Option<i64>,
    /// Since everything written was last known to be on the disk.
    sync_age_ms: Option<i64>,
    journal_bytes: Option<i64>,
    /// 0: no limit.
    journal_bytes_max: Option<i64>,
    free_bytes: Option<i64>,
    /// Positions not kept.
    lost: i64,
    /// Times that the relay overtook the recorder.
    laps: i64,
    /// Null where no database is configured.
    database: Option<DatabaseReport>,
}

/// How far the database is.
#[derive(Debug, Serialize)]
struct DatabaseReport {
    connected: bool,
    rows: i64,
    behind_records: i64,
    behind_ms: i64,
}

/// Whether a process is a recorder.
pub(crate) fn is_recorder(process: &Process) -> bool {
    process.sum(RECORDED, None).is_some()
}

impl RecordingReport {
    /// Of the processes that were seen, each with whether it is alive; `None` if none of them ever recorded.
    pub(crate) fn of<'a>(
        processes: impl Iterator<Item = (&'a Process, bool)> + Clone,
        now_ns: i64,
    ) -> Option<RecordingReport> {
        let (recorder, is_alive) = processes.clone().find(|(process, _)| is_recorder(process))?;
        let get = |name: &str| recorder.sum(&format!("tickpath_recorder_{name}"), None);
        let published = processes
            .filter(|(_, is_alive)| *is_alive)
            .find_map(|(process, _)| process.sum(PUBLISHED, None));
        let position = get("recorded_position").unwrap_or(0);
        let synced_ns = get("synced_timestamp_ns").filter(|ns| *ns > 0);
        Some(RecordingReport {
            state: match (is_alive, get("stopped")) {
                (false, _) => "dead",
                (true, Some(1)) => "stopped",
                (true, _) => "recording",
            },
            recorded: get("recorded_index").unwrap_or(0),
            position,
            lag_records: published.map(|published| (published - position).max(0)),
            sync_age_ms: synced_ns.map(|ns| (now_ns.saturating_sub(ns) / 1_000_000).max(0)),
            journal_bytes: get("journal_bytes"),
            journal_bytes_max: get("journal_bytes_max"),
            free_bytes: get("free_bytes"),
            lost: get("lost_total").unwrap_or(0),
            laps: get("laps_total").unwrap_or(0),
            database: DatabaseReport::of(recorder, is_alive),
        })
    }
}

impl DatabaseReport {
    fn of(recorder: &Process, is_alive: bool) -> Option<DatabaseReport> {
        let connected = recorder.sum(DATABASE, None)?;
        let get = |name: &str| recorder.sum(&format!("tickpath_database_{name}"), None).unwrap_or(0);
        Some(DatabaseReport {
            connected: is_alive && connected == 1,
            rows: get("rows_total"),
            behind_records: get("behind_records"),
            behind_ms: get("behind_ms"),
        })
    }
}

#[cfg(test)]
mod tests {
    use tickpath_transport::{CounterPage, CounterView};

    use super::*;

    fn sample(page: &CounterPage) -> Process {
        Process::seen(&CounterView::open(page.file().reader_fd().unwrap()).unwrap())
    }

    fn report(processes: &[(&Process, bool)]) -> serde_json::Value {
        serde_json::to_value(RecordingReport::of(processes.iter().copied(), 9_040_000_000)).unwrap()
    }

    #[test]
    fn a_recording_is_as_its_recorder_counts() {
        let relay = CounterPage::create("relay").unwrap();
        relay.counter(PUBLISHED, "", "").add(1_200);
        let page = CounterPage::create("recorder").unwrap();
        assert!(report(&[(&sample(&relay), true)]).is_null(), "nobody records");
        page.gauge(RECORDED, "", "").set(1_000);
        page.gauge("tickpath_recorder_recorded_index", "", "").set(70_000);
        page.gauge("tickpath_recorder_synced_timestamp_ns", "", "")
            .set(9_000_000_000);
        let stopped = page.gauge("tickpath_recorder_stopped", "", "");
        let (relay, recorder) = (sample(&relay), sample(&page));
        let alive = report(&[(&relay, true), (&recorder, true)]);
        assert_eq!(
            (&alive["state"], &alive["recorded"]),
            (&"recording".into(), &70_000.into())
        );
        assert_eq!(
            (&alive["lag_records"], &alive["sync_age_ms"]),
            (&200.into(), &40.into())
        );
        assert!(alive["database"].is_null() && alive["journal_bytes"].is_null());

        stopped.set(1);
        page.gauge(DATABASE, "", "").set(1);
        page.gauge("tickpath_database_behind_ms", "", "").set(1_500);
        let recorder = sample(&page);
        let stopped = report(&[(&relay, false), (&recorder, true)]);
        assert_eq!(
            (&stopped["state"], &stopped["lag_records"]),
            (&"stopped".into(), &serde_json::Value::Null)
        );
        assert_eq!(stopped["database"]["behind_ms"], 1_500);
        let dead = report(&[(&recorder, false)]);
        assert_eq!(
            (&dead["state"], &dead["database"]["connected"]),
            (&"dead".into(), &false.into())
        );
    }
}
