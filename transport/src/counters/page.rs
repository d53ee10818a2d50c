//! The writing side of a page.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_utils::CachePadded;
use tracing::warn;

use super::descriptor::{self, Descriptor};
use super::{
    COUNT_OFFSET, DESCRIPTORS_OFFSET, FILE_LEN, HEADER_WORDS, LatencyHistogram, MAGIC, METRICS_MAX, MetricKind,
    USED_OFFSET, VALUE_WORDS, VALUES_OFFSET, VERSION_WORD, histogram,
};
use crate::LAYOUT_VERSION;
use crate::error::{AttachError, TransportError};
use crate::header::Header;
use crate::memory::{Access, Area, MemoryFile, Prefault};

/// A process's page of metrics. Cheap to clone; all clones are one page.
#[derive(Clone, Debug)]
pub struct CounterPage(Arc<Page>);

#[derive(Debug)]
struct Page {
    file: MemoryFile,
    count: Area<CachePadded<AtomicU64>>,
    used: Area<CachePadded<AtomicU64>>,
    descriptors: Area<AtomicU64>,
    /// What the page holds; its lock makes one registration at a time. Values are written without it.
    registered: Mutex<Vec<Descriptor>>,
}

impl CounterPage {
    /// An empty page of the process called `process`, as in `collector-kraken`.
    ///
    /// # Errors
    /// If the name is too long or there is no memory.
    pub fn create(process: &str) -> Result<CounterPage, TransportError> {
        let file = MemoryFile::create("tickpath-counters", FILE_LEN, Access::CreatorOnly, Prefault::None)?;
        let header = Header::of(&file, HEADER_WORDS)?;
        header.set(1, LAYOUT_VERSION.into());
        header.set(2, std::process::id().into());
        header.set(3, crate::now_ns() as u64);
        header.set_name(4, process)?;
        // One version for the whole workspace, so ours is that of the program.
        header.set_name(VERSION_WORD, env!("CARGO_PKG_VERSION"))?;
        header.set(0, MAGIC);
        let areas = || {
            Some((
                file.area::<CachePadded<AtomicU64>>(COUNT_OFFSET, 1)?,
                file.area::<CachePadded<AtomicU64>>(USED_OFFSET, 1)?,
                file.area(DESCRIPTORS_OFFSET, METRICS_MAX * descriptor::WORDS)?,
            ))
        };
        let (count, used, descriptors) = areas().ok_or(AttachError::Size {
            found: file.len() as u64,
            expected: FILE_LEN as u64,
        })?;
        // The first words belong to metrics that find no room; see the module.
        used[0].store(histogram::WORDS as u64, Ordering::Relaxed);
        Ok(CounterPage(Arc::new(Page {
            file,
            count,
            used,
            descriptors,
            registered: Mutex::new(Vec::new()),
        })))
    }

    /// A counter: grows only. The same name and labels give the same counter.
    #[must_use]
    pub fn counter(&self, name: &'static str, labels: &str, help: &'static str) -> Counter {
        Counter(self.value(MetricKind::Counter, name, labels, help))
    }

    /// A gauge: the newest value counts.
    #[must_use]
    pub fn gauge(&self, name: &'static str, labels: &str, help: &'static str) -> Gauge {
        Gauge(self.value(MetricKind::Gauge, name, labels, help))
    }

    /// A latency histogram, ns, of one thread.
    #[must_use]
    pub fn latency(&self, name: &'static str, labels: &str, help: &'static str) -> LatencyHistogram {
        LatencyHistogram::new(self.value(MetricKind::Latency, name, labels, help))
    }

    /// What the counters or gauges called `name` add up to, whatever their labels; 0 if there are none. Takes the lock of registration: not for hot
    /// paths.
    #[must_use]
    pub fn total(&self, name: &str) -> i64 {
        let registered = self.0.registered.lock().unwrap_or_else(PoisonError::into_inner);
        let named = registered
            .iter()
            .filter(|known| known.name == name && known.kind != MetricKind::Latency);
        let areas = named.filter_map(|known| self.0.file.area::<AtomicU64>(VALUES_OFFSET + 8 * known.value, 1));
        areas.fold(0, |sum, area| sum.wrapping_add(area[0].load(Ordering::Relaxed) as i64))
    }

    /// The file, to hand over.
    #[must_use]
    pub fn file(&self) -> &MemoryFile {
        &self.0.file
    }

    fn value(&self, kind: MetricKind, name: &'static str, labels: &str, help: &'static str) -> Area<AtomicU64> {
        let mut registered = self.0.registered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = registered
            .iter()
            .find(|known| known.name == name && known.labels == labels)
            .map(|known| (known.kind, known.value));
        let value = match known {
            Some((known, value)) if known == kind => Some(value),
            Some(_) => None,
            None => self.register(&mut registered, kind, name, labels, help),
        };
        let value = value.unwrap_or_else(|| {
            warn!(
                name,
                labels, "the counter page has no room for this metric, or its name is malformed or taken"
            );
            0
        });
        let area = self.0.file.area(VALUES_OFFSET + 8 * value, kind.words());
        area.expect("`register` gives out words inside the file, and the spare ones are its first")
    }

    fn register(
        &self,
        registered: &mut Vec<Descriptor>,
        kind: MetricKind,
        name: &str,
        labels: &str,
        help: &str,
    ) -> Option<usize> {
        let page = &*self.0;
        // Histograms and single words share cache lines with their own kind only if registered together; good enough.
        let value = page.used[0].load(Ordering::Relaxed) as usize;
        let end = value + kind.words();
        if registered.len() == METRICS_MAX || end > VALUE_WORDS {
            return None;
        }
        let new = Descriptor {
            kind,
            value,
            name: name.to_owned(),
            labels: labels.to_owned(),
            help: help.to_owned(),
        };
        let words = new.encode()?;
        let target = &page.descriptors[registered.len() * descriptor::WORDS..];
        for (target, word) in target.iter().zip(words) {
            target.store(word, Ordering::Relaxed);
        }
        // Touches its pages now, so that no store on a hot path is the first.
        for word in page
            .file
            .area::<AtomicU64>(VALUES_OFFSET + 8 * value, kind.words())?
            .iter()
        {
            word.store(0, Ordering::Relaxed);
        }
        page.used[0].store(end as u64, Ordering::Relaxed);
        registered.push(new);
        // Pairs with the Acquire fence in `CounterView::metrics`.
        page.count[0].store(registered.len() as u64, Ordering::Release);
        Some(value)
    }
}

/// A number that grows only.
#[derive(Clone, Debug)]
pub struct Counter(Area<AtomicU64>);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0[0].fetch_add(n, Ordering::Relaxed);
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0[0].load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Clone, Debug)]
pub struct Gauge(Area<AtomicU64>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0[0].store(value as u64, Ordering::Relaxed);
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0[0].load(Ordering::Relaxed) as i64
    }
}
