//! What the writer says of itself in the recorder's counter page.

use tickpath_transport::{Counter, CounterPage, Gauge, LatencyHistogram};

/// Counters and gauges of the database writer.
#[derive(Debug)]
pub struct Metrics {
    /// 1 while rows can be brought.
    pub connected: Gauge,
    /// Rows committed.
    pub rows: Counter,
    /// Bytes of the rows committed, in the COPY format.
    pub bytes: Counter,
    /// Transactions committed.
    pub transactions: Counter,
    /// From the beginning of a transaction to its commit.
    pub transaction_ns: LatencyHistogram,
    /// Index of the first record that is not in the database.
    pub next_index: Gauge,
    /// Recorded and not in the database yet.
    pub behind_records: Gauge,
    /// How old the newest record in the database is, while there are newer ones.
    pub behind_ms: Gauge,
    /// Connections lost or refused.
    pub failures: Counter,
    /// Stretches of the journal that were gone before the database had them.
    pub gaps: Counter,
}

impl Metrics {
    /// Registers them.
    #[must_use]
    pub fn register(page: &CounterPage) -> Metrics {
        Metrics {
            connected: page.gauge(
                "tickpath_database_connected",
                "",
                "1 while the database takes rows, 0 while it cannot be reached or refuses.",
            ),
            rows: page.counter("tickpath_database_rows_total", "", "Rows committed to the database."),
            bytes: page.counter(
                "tickpath_database_bytes_total",
                "",
                "Bytes of the rows committed, in the binary COPY format.",
            ),
            transactions: page.counter("tickpath_database_transactions_total", "", "Transactions committed."),
            transaction_ns: page.latency(
                "tickpath_database_transaction_ns",
                "",
                "From the beginning of a transaction to its commit.",
            ),
            next_index: page.gauge(
                "tickpath_database_next_index",
                "",
                "Journal index of the first record that is not in the database.",
            ),
            behind_records: page.gauge(
                "tickpath_database_behind_records",
                "",
                "Records that are in the journal and not in the database yet.",
            ),
            behind_ms: page.gauge(
                "tickpath_database_behind_ms",
                "",
                "Age of the newest record in the database; 0 if it has all.",
            ),
            failures: page.counter(
                "tickpath_database_failures_total",
                "",
                "Times that the database was lost, refused or failed a statement.",
            ),
            gaps: page.counter(
                "tickpath_database_gaps_total",
                "",
                "Stretches of the journal that were deleted or cut before the database had them.",
            ),
        }
    }
}
