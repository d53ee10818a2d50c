//! The disk of the journal: how much room it has, and how long a sync takes there, measured.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use hdrhistogram::Histogram;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tickpath_service::Config;

use super::finding::Findings;
use crate::table::{bytes, duration};

/// Writes that are measured, and bytes of each.
const WRITES: usize = 100;
const WRITE_BYTES: usize = 4096;
/// Bytes of a record in the journal.
const RECORD_BYTES: u64 = 48;

/// Checks room, and if `measures` the time of a sync.
pub fn check(config: &Config, measures: bool, findings: &mut Findings) {
    if !config.recorder.enabled {
        findings.ok("disk.room", "nothing is recorded (`recorder.enabled`)");
        return;
    }
    let journal = config.journal_dir();
    let Some(dir) = existing(&journal) else {
        findings.unknown(
            "disk.room",
            format!("neither {} nor a directory above it is there", journal.display()),
        );
        return;
    };
    room(config, &journal, &dir, findings);
    if measures {
        match measure(&dir) {
            Ok(times) => judge(&times, config.recorder.sync_ms, &dir, findings),
            Err(error) => findings.unknown("disk.sync", format!("cannot write in {}: {error}", dir.display())),
        }
    }
}

/// The directory, or the nearest one above it that is there: the first recorder will make the rest.
fn existing(journal: &Path) -> Option<PathBuf> {
    let mut above = journal.ancestors().filter(|dir| !dir.as_os_str().is_empty());
    above.find(|dir| dir.is_dir()).map(Path::to_owned)
}

fn room(config: &Config, journal: &Path, dir: &Path, findings: &mut Findings) {
    let Ok(statistics) = rustix::fs::statvfs(dir) else {
        findings.unknown(
            "disk.room",
            format!("the file system of {} cannot be asked", dir.display()),
        );
        return;
    };
    let room = statistics.f_bavail.saturating_mul(statistics.f_frsize);
    let kept = kept_bytes(journal);
    let segments = 2 * config.recorder.segment_records.saturating_mul(RECORD_BYTES);
    let limit = config.recorder.size_bytes_max;
    let found = format!(
        "{} are free for {}, which holds {}",
        bytes(room),
        journal.display(),
        bytes(kept)
    );
    let fix = "a larger disk for `recorder.dir`, or a smaller `recorder.size_bytes_max`; tickpath gc deletes what an archive holds";
    match limit.saturating_sub(kept) {
        _ if room < segments => findings.fail(
            "disk.room",
            format!("{found}: no room for two segments of {}", bytes(segments / 2)),
            fix,
        ),
        growth if limit > 0 && room < growth => {
            findings.warn(
                "disk.room",
                format!(
                    "{found}: it may grow by {} more (`recorder.size_bytes_max`)",
                    bytes(growth)
                ),
                fix,
            );
        }
        _ => findings.ok("disk.room", found),
    }
}

fn kept_bytes(journal: &Path) -> u64 {
    let entries = std::fs::read_dir(journal).into_iter().flatten().flatten();
    let sizes = entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file);
    sizes.map(|metadata| metadata.len()).fold(0, u64::saturating_add)
}

/// Times of writes with their syncs, ns, to a file that has no name and is gone when this process is.
fn measure(dir: &Path) -> io::Result<Histogram<u64>> {
    let mut file = unnamed(dir)?;
    let mut times = Histogram::new(3).map_err(io::Error::other)?;
    for _ in 0..WRITES {
        let start = Instant::now();
        file.write_all(&[0x5a; WRITE_BYTES])?;
        file.sync_data()?;
        let elapsed = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        times.record(elapsed.max(1)).map_err(io::Error::other)?;
    }
    Ok(times)
}

fn unnamed(dir: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(File::from(file)),
        // Not every file system can: some networks', and overlays of older kernels.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => unlinked(dir),
        Err(error) => Err(error.into()),
    }
}

/// A file whose name is gone at once.
fn unlinked(dir: &Path) -> io::Result<File> {
    let path = dir.join(format!(".tickpath-doctor-{}", std::process::id()));
    let file = File::create_new(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn judge(times: &Histogram<u64>, sync_ms: u64, dir: &Path, findings: &mut Findings) {
    let (p50, p99) = (times.value_at_quantile(0.5), times.value_at_quantile(0.99));
    let found = format!(
        "{} writes of {} synced in {}: p50 {}, p99 {}, max {}",
        times.len(),
        bytes(WRITE_BYTES as u64),
        dir.display(),
        duration(p50),
        duration(p99),
        duration(times.max())
    );
    let limit = sync_ms.saturating_mul(1_000_000);
    let fix = format!("another disk for `recorder.dir`, or a longer `recorder.sync_ms` (now {sync_ms})");
    if p50 > limit {
        findings.fail("disk.sync", found, fix);
    } else if p99 > limit {
        findings.warn("disk.sync", found, fix);
    } else {
        findings.ok("disk.sync", found);
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn times_are_judged_by_the_interval_of_syncs() {
        let level = |milliseconds: &[u64], sync_ms: u64| {
            let mut times = Histogram::new(3).unwrap();
            milliseconds
                .iter()
                .for_each(|time| times.record(time * 1_000_000).unwrap());
            let mut findings = Findings::default();
            judge(&times, sync_ms, Path::new("/journal"), &mut findings);
            findings.all()[0].level
        };
        assert_eq!(level(&[1; 100], 50), Level::Ok);
        assert_eq!(level(&[[1; 97].as_slice(), &[80; 3]].concat(), 50), Level::Warning);
        assert_eq!(level(&[60; 100], 50), Level::Failure);
    }

    #[test]
    fn a_measurement_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let times = measure(dir.path()).unwrap();
        assert_eq!(times.len(), WRITES as u64);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        unlinked(dir.path()).unwrap().write_all(b"x").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(measure(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn room_is_compared_with_what_the_journal_may_take() {
        let dir = tempfile::tempdir().unwrap();
        let level = |recorder: &str| {
            let text = format!(
                "[recorder]\ndir = \"{}/journal/deep\"\n{recorder}",
                dir.path().display()
            );
            let config = Config::parse(&text, Path::new("t")).unwrap();
            let mut findings = Findings::default();
            check(&config, false, &mut findings);
            assert_eq!(findings.all().len(), 1);
            findings.all()[0].level
        };
        assert_eq!(level("segment_records = 1024\nsize_bytes_max = 1000000\n"), Level::Ok);
        assert_eq!(
            level("segment_records = 1024\nsize_bytes_max = 9000000000000000000\n"),
            Level::Warning
        );
        assert_eq!(level("enabled = false\n"), Level::Ok);
    }
}
