//! What the recorder counts.

use tickpath_transport::{Counter, CounterPage, Gauge};

/// See each help text.
#[derive(Debug)]
pub struct Metrics {
    /// Index after the last record synced.
    pub recorded_index: Gauge,
    /// Stream position after it.
    pub recorded_position: Gauge,
    /// Index after the last record written.
    pub written_index: Gauge,
    /// When the last sync ended.
    pub synced_ns: Gauge,
    /// Bytes of the journal.
    pub bytes: Gauge,
    /// Bytes that it may take.
    pub bytes_max: Gauge,
    /// Bytes that are free.
    pub free_bytes: Gauge,
    /// Segments of the journal.
    pub segments: Gauge,
    /// Whether nothing can be written.
    pub stopped: Gauge,
    /// Positions not kept.
    pub lost: Counter,
    /// Laps.
    pub laps: Counter,
    /// Failed writes.
    pub write_errors: Counter,
    /// Failed syncs.
    pub sync_errors: Counter,
    /// Segments that could not be sealed.
    pub seal_errors: Counter,
    /// Segments deleted.
    pub deleted: Counter,
    /// Bytes cut at the start.
    pub cut_bytes: Counter,
    /// Damage found at the start.
    pub damaged: Counter,
    /// Looks that found no empty chunk.
    pub behind: Counter,
}

impl Metrics {
    pub(super) fn new(page: &CounterPage) -> Metrics {
        let counter = |name, help| page.counter(name, "", help);
        let gauge = |name, help| page.gauge(name, "", help);
        Metrics {
            recorded_index: gauge(
                "tickpath_recorder_recorded_index",
                "Index after the last record that is synced.",
            ),
            recorded_position: gauge(
                "tickpath_recorder_recorded_position",
                "Stream position after the last record that is synced.",
            ),
            written_index: gauge(
                "tickpath_recorder_written_index",
                "Index after the last record written.",
            ),
            synced_ns: gauge(
                "tickpath_recorder_synced_timestamp_ns",
                "When everything written was last known to be on the disk, since the Unix epoch.",
            ),
            bytes: gauge(
                "tickpath_recorder_journal_bytes",
                "Bytes that the journal takes on the disk.",
            ),
            bytes_max: gauge(
                "tickpath_recorder_journal_bytes_max",
                "Bytes that the journal may take; 0: any.",
            ),
            free_bytes: gauge(
                "tickpath_recorder_free_bytes",
                "Bytes that are free on the journal's disk.",
            ),
            segments: gauge("tickpath_recorder_segments", "Segments of the journal."),
            stopped: gauge("tickpath_recorder_stopped", "1 while nothing can be written."),
            lost: counter(
                "tickpath_recorder_lost_total",
                "Stream positions that were not kept: lapped, or no room on the disk.",
            ),
            laps: counter(
                "tickpath_recorder_laps_total",
                "Times that the relay overtook the recorder.",
            ),
            write_errors: counter("tickpath_recorder_write_errors_total", "Writes that failed."),
            sync_errors: counter(
                "tickpath_recorder_sync_errors_total",
                "Syncs that failed; each gives a segment up.",
            ),
            seal_errors: counter(
                "tickpath_recorder_seal_errors_total",
                "Segments that could not be sealed.",
            ),
            deleted: counter(
                "tickpath_recorder_segments_deleted_total",
                "Oldest segments deleted to keep within the limit.",
            ),
            cut_bytes: counter(
                "tickpath_recorder_cut_bytes_total",
                "Bytes behind the last whole batch that an earlier recorder left.",
            ),
            damaged: counter(
                "tickpath_recorder_damaged_total",
                "Damage found in the newest segment at the start: header copies, sealed records.",
            ),
            behind: counter(
                "tickpath_recorder_behind_total",
                "Looks at the ring that were left out because the disk had not taken enough.",
            ),
        }
    }
}
