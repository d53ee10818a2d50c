//! Reports out: to the ring, in order, none dropped.

use std::time::Duration;

use tickpath_protocol::Record;
use tickpath_protocol::trading::VenueReport;
use tickpath_transport::{Publisher, now_ns};
use tokio::sync::mpsc;

/// Between two looks at a ring that is full: no relay has taken anything for a while.
const FULL_PAUSE: Duration = Duration::from_millis(1);

/// Publishes reports until there are no more to come.
pub async fn run(mut publisher: Publisher, mut reports: mpsc::Receiver<VenueReport>) {
    let mut records: Vec<Record> = Vec::with_capacity(VenueReport::RECORDS_MAX);
    while let Some(report) = reports.recv().await {
        let report = VenueReport {
            ts_recv: now_ns(),
            ..report
        };
        report.encode(|record| records.push(record));
        while publisher.room() < VenueReport::RECORDS_MAX as u64 && publisher.fatal().is_none() {
            tokio::time::sleep(FULL_PAUSE).await;
        }
        publisher.publish_all(&records);
        publisher.flush();
        records.clear();
    }
}
