//! The sealing thread: finished segments get their footer, and the oldest go when the journal is larger than it may be.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tracing::{error, info, warn};

use super::metrics::Metrics;
use crate::journal::{JournalError, SealJob, disk_bytes, remove_segment, segment_paths};

/// How often the size is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Sealer {
    dir: PathBuf,
    size_bytes_max: u64,
    metrics: Arc<Metrics>,
    complained: bool,
}

impl Sealer {
    /// Of the journal in `dir`, which may take `size_bytes_max`; 0: any.
    pub fn new(dir: PathBuf, size_bytes_max: u64, metrics: Arc<Metrics>) -> Sealer {
        Sealer {
            dir,
            size_bytes_max,
            metrics,
            complained: false,
        }
    }

    /// Works until nobody sends segments any more.
    pub fn run(mut self, jobs: &Receiver<SealJob>) {
        loop {
            self.keep_size();
            match jobs.recv_timeout(LOOK_EVERY) {
                Ok(job) => self.seal(&job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn seal(&self, job: &SealJob) {
        match job.run() {
            Ok(()) => info!(segment = %job.path().display(), "sealed"),
            Err(error) => {
                self.metrics.seal_errors.add(1);
                error!("{error}; the segment stays as it is");
            }
        }
    }

    fn keep_size(&mut self) {
        match self.delete_oldest() {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                self.complained = true;
                warn!("{error}; the journal cannot be kept within its limit");
            }
            Err(_) => {}
        }
    }

    /// Deletes oldest segments until the others take no more than they may. The newest stays: it says where the journal goes on.
    fn delete_oldest(&self) -> Result<(), JournalError> {
        let segments = segment_paths(&self.dir)?;
        let sizes: Vec<u64> = segments.iter().map(|path| disk_bytes(path)).collect();
        let mut total: u64 = sizes.iter().sum();
        let mut left = segments.len();
        for (path, size) in segments.iter().zip(sizes) {
            if self.size_bytes_max == 0 || total <= self.size_bytes_max || left <= 1 {
                break;
            }
            remove_segment(path)?;
            self.metrics.deleted.add(1);
            info!(segment = %path.display(), "deleted: the journal is larger than `recorder.size_bytes_max`");
            total -= size;
            left -= 1;
        }
        self.metrics.bytes.set(total as i64);
        self.metrics.segments.set(left as i64);
        self.metrics.free_bytes.set(free_bytes(&self.dir));
        Ok(())
    }
}

/// Bytes that an ordinary user can still write; 0 if that cannot be told.
fn free_bytes(dir: &Path) -> i64 {
    rustix::fs::statvfs(dir).map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize) as i64)
}
