//! The reading side of a page: somebody else's, so every length, kind, offset and text in it is checked.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crossbeam_utils::CachePadded;

use super::descriptor::{self, Descriptor};
use super::{
    COUNT_OFFSET, DESCRIPTORS_OFFSET, FILE_LEN, HEADER_WORDS, LatencySnapshot, MAGIC, METRICS_MAX, MetricKind,
    VALUE_WORDS, VALUES_OFFSET, VERSION_WORD,
};
use crate::LAYOUT_VERSION;
use crate::error::AttachError;
use crate::header::{Header, check_size};
use crate::memory::{Area, MemoryFile};

/// A metric at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// `tickpath_relay_records_in_total`
    pub name: String,
    /// `venue="kraken"`, or nothing.
    pub labels: String,
    /// One sentence.
    pub help: String,
    /// Its value.
    pub value: Value,
}

/// The value of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of a counter.
    Counter(u64),
    /// Of a gauge.
    Gauge(i64),
    /// Of a latency histogram.
    Latency(LatencySnapshot),
}

/// A process's page, mapped read-only.
#[derive(Debug)]
pub struct CounterView {
    process: String,
    pid: u32,
    started_ns: i64,
    version: String,
    count: Area<CachePadded<AtomicU64>>,
    descriptors: Area<AtomicU64>,
    values: Area<AtomicU64>,
}

impl CounterView {
    /// The page in a file that somebody handed over.
    ///
    /// # Errors
    /// [`AttachError`] says which field is wrong.
    pub fn open(fd: OwnedFd) -> Result<CounterView, AttachError> {
        let file = MemoryFile::open_read_only(fd)?;
        let header = Header::of(&file, HEADER_WORDS)?;
        header.expect(0, "magic", MAGIC)?;
        header.expect(1, "layout version", LAYOUT_VERSION.into())?;
        check_size(&file, FILE_LEN)?;
        let areas = || {
            Some((
                file.area(COUNT_OFFSET, 1)?,
                file.area(DESCRIPTORS_OFFSET, METRICS_MAX * descriptor::WORDS)?,
                file.area(VALUES_OFFSET, VALUE_WORDS)?,
            ))
        };
        let (count, descriptors, values) = areas().ok_or(AttachError::Size {
            found: file.len() as u64,
            expected: FILE_LEN as u64,
        })?;
        Ok(CounterView {
            process: header.name(4)?,
            pid: u32::try_from(header.get(2)).map_err(|_| AttachError::Header {
                field: "pid",
                found: header.get(2),
                expected: 1,
            })?,
            started_ns: header.get(3) as i64,
            // A process of before there was this field left zeros.
            version: header.name(VERSION_WORD).unwrap_or_default(),
            count,
            descriptors,
            values,
        })
    }

    /// The name of the process.
    #[must_use]
    pub fn process(&self) -> &str {
        &self.process
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// When it made the page, ns since the Unix epoch.
    #[must_use]
    pub fn started_ns(&self) -> i64 {
        self.started_ns
    }

    /// The version of its program; empty if it does not say.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every metric as it is now; what makes no sense is left out.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        let count = self.count[0].load(Ordering::Relaxed);
        fence(Ordering::Acquire); // pairs with the Release in `CounterPage::register`
        let count = usize::try_from(count).unwrap_or(METRICS_MAX).min(METRICS_MAX);
        (0..count).filter_map(|index| self.metric(index)).collect()
    }

    fn metric(&self, index: usize) -> Option<Metric> {
        let words = &self.descriptors[index * descriptor::WORDS..];
        let words = std::array::from_fn(|word| words[word].load(Ordering::Relaxed));
        let descriptor = Descriptor::decode(&words)?;
        let value = &self.values[descriptor.value..][..descriptor.kind.words()];
        Some(Metric {
            value: match descriptor.kind {
                MetricKind::Counter => Value::Counter(value[0].load(Ordering::Relaxed)),
                MetricKind::Gauge => Value::Gauge(value[0].load(Ordering::Relaxed) as i64),
                MetricKind::Latency => Value::Latency(LatencySnapshot::read(value)),
            },
            name: descriptor.name,
            labels: descriptor.labels,
            help: descriptor.help,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::CounterPage;
    use super::*;

    fn view(page: &CounterPage) -> CounterView {
        CounterView::open(page.file().reader_fd().unwrap()).unwrap()
    }

    #[test]
    fn a_view_sees_every_metric_of_the_page() {
        let page = CounterPage::create("collector-kraken").unwrap();
        let view = view(&page);
        assert_eq!(view.metrics(), []);
        let frames = page.counter("frames_total", r#"venue="kraken""#, "Frames read.");
        let books = page.gauge("books", "", "Books in sync.");
        let latency = page.latency("hop_ns", "", "Latency.");
        frames.add(3);
        page.counter("frames_total", r#"venue="kraken""#, "Frames read.").add(4);
        books.set(-2);
        for ns in 1..=1000 {
            latency.record(ns * 1000);
        }
        latency.record_between(5, 3);
        assert_eq!((view.process(), view.pid()), ("collector-kraken", std::process::id()));
        assert_eq!(view.version(), env!("CARGO_PKG_VERSION"));
        let metrics = view.metrics();
        assert_eq!(metrics.len(), 3);
        assert_eq!(metrics[0].value, Value::Counter(7));
        assert_eq!(metrics[1].value, Value::Gauge(-2));
        let Value::Latency(snapshot) = &metrics[2].value else {
            panic!("{:?}", metrics[2]);
        };
        assert_eq!((snapshot.count(), snapshot.max()), (1001, 1_000_000));
        assert!(snapshot.percentile(50.0).abs_diff(500_000) < 16_000);
        assert!(snapshot.percentile(99.9).abs_diff(999_000) < 32_000);
        latency.record(7);
        let Value::Latency(later) = &view.metrics()[2].value else {
            panic!();
        };
        let window = later.minus(snapshot);
        assert_eq!((window.count(), window.percentile(99.0), window.max()), (1, 7, 7));
    }

    #[test]
    fn a_full_page_and_a_name_of_two_kinds_harm_nothing() {
        let page = CounterPage::create("test").unwrap();
        let kept = page.counter("kept_total", "", "");
        page.gauge("kept_total", "", "").set(9);
        for index in 0..2 * METRICS_MAX {
            page.counter("many_total", &format!("n=\"{index}\""), "").add(1);
        }
        let _spare = page.latency("late_ns", "", "");
        kept.add(1);
        let metrics = view(&page).metrics();
        assert_eq!(metrics.len(), METRICS_MAX);
        assert_eq!(metrics[0].value, Value::Counter(1));
    }

    #[test]
    fn a_hostile_page_is_read_without_harm() {
        let page = CounterPage::create("test").unwrap();
        page.counter("kept_total", "", "").add(5);
        let view = view(&page);
        let words: Area<AtomicU64> = page.file().area(0, VALUES_OFFSET / 8).unwrap();
        words[COUNT_OFFSET / 8].store(u64::MAX, Ordering::Relaxed);
        assert_eq!(view.metrics().len(), 1);
        let mut seed = 1_u64;
        for _ in 0..200 {
            for word in &words[DESCRIPTORS_OFFSET / 8..] {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                word.store(seed >> (seed % 64), Ordering::Relaxed);
            }
            let _metrics = view.metrics();
        }
    }

    #[test]
    fn a_file_that_is_no_page_is_refused() {
        use crate::memory::{Access, Prefault};
        let file = MemoryFile::create("test", FILE_LEN, Access::CreatorOnly, Prefault::None).unwrap();
        assert!(matches!(
            CounterView::open(file.reader_fd().unwrap()),
            Err(AttachError::Header { field: "magic", .. })
        ));
        let page = CounterPage::create("test").unwrap();
        let header: Area<AtomicU64> = page.file().area(0, HEADER_WORDS).unwrap();
        for (word, value) in [(0, 1), (1, 99), (2, u64::MAX), (4, 0), (4, 65), (5, u64::MAX)] {
            let good = header[word].swap(value, Ordering::Relaxed);
            assert!(CounterView::open(page.file().reader_fd().unwrap()).is_err(), "{word}");
            header[word].store(good, Ordering::Relaxed);
        }
        assert!(CounterView::open(page.file().reader_fd().unwrap()).is_ok());
    }
}
