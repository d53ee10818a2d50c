//! Reports of backtests: a list of those in one folder, and the page of each.
//!
//! What stands there was written by others, so nothing of it is trusted: names are one part of a path and are opened without following links, files are
//! regular and of bounded size, there are bounds on how many are looked at and at how many at once, and a page is served into a sandbox of its own, in which
//! nothing runs and nothing of this origin can be reached. What does not hold is left out and counted.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::context::Context;
use crate::http::{error, json};

/// Entries of the folder that are looked at.
const ENTRIES_MAX: usize = 1_000;
/// Reports that a list has, newest first.
const LISTED_MAX: usize = 200;
/// Bytes of a `result.json`.
const RESULT_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a `report.html`.
const PAGE_BYTES_MAX: u64 = 32 << 20;
/// Bytes of a report's name.
const NAME_BYTES_MAX: usize = 128;
/// Characters of a text that a list repeats.
const TEXT_MAX: usize = 200;
/// Strategies, currencies and figures of a result.
const PARTS_MAX: usize = 32;
/// Requests that read files at one time.
const READING_MAX: usize = 2;

/// A page of its own: nothing runs in it, it loads nothing, and it has no origin that it could act on.
const PAGE_POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The folder of the reports.
#[derive(Debug)]
pub struct Reports {
    dir: PathBuf,
    reading: Arc<Semaphore>,
}

/// `result.json`, what of it is shown.
#[derive(Debug, Deserialize)]
struct ResultFile {
    version: u32,
    #[serde(default)]
    strategies: Vec<Named>,
    #[serde(default)]
    settings: Settings,
    records: u64,
    first_ns: i64,
    last_ns: i64,
    fills: u64,
    trips: u64,
    currencies: Vec<Money>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
struct Settings {
    #[serde(default)]
    instruments: String,
}

/// What came of it in a currency; amounts are decimal text.
#[derive(Debug, Deserialize, Serialize)]
struct Money {
    currency: String,
    profit: String,
    fees: String,
    /// By name; null where a figure is not defined.
    metrics: BTreeMap<String, Option<f64>>,
}

/// One report of the list.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    written_ms: i64,
    strategies: Vec<String>,
    instruments: String,
    records: u64,
    first_ms: i64,
    last_ms: i64,
    fills: u64,
    trips: u64,
    currencies: Vec<Money>,
}

/// The list.
#[derive(Debug, Default, Serialize)]
struct List {
    /// Where reports are looked for.
    dir: String,
    reports: Vec<Listed>,
    /// Entries that are no report, or not one that can be shown.
    skipped: u64,
    /// Entries and reports beyond the limits.
    left_out: u64,
}

impl Reports {
    /// Those in `dir`, which need not be there.
    #[must_use]
    pub fn in_dir(dir: PathBuf) -> Reports {
        Reports {
            dir,
            reading: Arc::new(Semaphore::new(READING_MAX)),
        }
    }

    /// Does it where it holds nobody up; `None` if the process ends.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce(PathBuf) -> T + Send + 'static) -> Option<T> {
        let permit = Arc::clone(&self.reading).acquire_owned().await.ok()?;
        let dir = self.dir.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _held = permit;
            read(dir)
        });
        work.await.ok()
    }
}

/// `GET /api/backtests`.
pub async fn list(State(context): State<Arc<Context>>) -> Response {
    match context.reports.read(|dir| look_through(&dir)).await {
        Some(Ok(list)) => match serde_json::to_vec(&list) {
            Ok(body) => json(body),
            Err(failed) => error(StatusCode::INTERNAL_SERVER_ERROR, "not_written", &failed.to_string()),
        },
        Some(Err(failed)) => {
            let text = format!("the folder of backtests cannot be read: {failed}");
            error(StatusCode::INTERNAL_SERVER_ERROR, "not_readable", &text)
        }
        None => error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the bridge is stopping"),
    }
}

/// `GET /backtests/{name}/report.html`.
pub async fn page(State(context): State<Arc<Context>>, Path(name): Path<String>) -> Response {
    let read = move |dir: PathBuf| file_of(&open_dir(&dir)?, &name, "report.html", PAGE_BYTES_MAX);
    match context.reports.read(read).await {
        Some(Ok((bytes, _))) => {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CACHE_CONTROL, "no-store"),
                (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
            ];
            (headers, bytes).into_response()
        }
        Some(Err(_)) => error(StatusCode::NOT_FOUND, "unknown_report", "there is no such report"),
        None => error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the bridge is stopping"),
    }
}

/// Whether a name is one part of a path and nothing else.
fn is_plain(name: &str) -> bool {
    let is_odd = |character: char| character.is_control() || matches!(character, '/' | '\\');
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.starts_with('.') && !name.contains(is_odd)
}

fn open_dir(dir: &std::path::Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, dir, flags, Mode::empty())?)
}

/// A regular file of the report `name`, of at most `bytes_max`, and when it was written.
fn file_of(root: &OwnedFd, name: &str, file: &str, bytes_max: u64) -> io::Result<(Vec<u8>, i64)> {
    if !is_plain(name) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // A pipe would hold its opener up; nothing that is a link is followed.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let folder = openat(root.as_fd(), name, flags | OFlags::DIRECTORY, Mode::empty())?;
    let opened = openat(folder, file, flags, Mode::empty())?;
    let stat = fstat(&opened)?;
    let is_regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if !is_regular || u64::try_from(stat.st_size).is_ok_and(|size| size > bytes_max) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    File::from(opened).take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((bytes, stat.st_mtime.saturating_mul(1_000)))
}

fn look_through(dir: &std::path::Path) -> io::Result<List> {
    let mut list = List {
        dir: dir.display().to_string(),
        ..List::default()
    };
    let root = match open_dir(dir) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(list),
        root => root?,
    };
    for (at, entry) in std::fs::read_dir(dir)?.enumerate() {
        let name = entry?.file_name();
        if at >= ENTRIES_MAX {
            list.left_out += 1;
            continue;
        }
        // What is being written has a dot before its name.
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        match name.to_str().and_then(|name| listed(&root, name)) {
            Some(report) => list.reports.push(report),
            None => list.skipped += 1,
        }
    }
    let order = |report: &Listed| (std::cmp::Reverse(report.written_ms), report.name.clone());
    list.reports.sort_by_key(order);
    list.left_out += list.reports.len().saturating_sub(LISTED_MAX) as u64;
    list.reports.truncate(LISTED_MAX);
    Ok(list)
}

/// What a report says of itself; `None` if it is none.
fn listed(root: &OwnedFd, name: &str) -> Option<Listed> {
    let (bytes, written_ms) = file_of(root, name, "result.json", RESULT_BYTES_MAX).ok()?;
    let result: ResultFile = serde_json::from_slice(&bytes).ok()?;
    let texts = result.strategies.iter().map(|strategy| &strategy.name);
    let texts = texts.chain(result.currencies.iter().flat_map(|money| {
        let amounts = [&money.currency, &money.profit, &money.fees];
        amounts.into_iter().chain(money.metrics.keys())
    }));
    let is_small = texts.into_iter().all(|text| text.chars().count() <= TEXT_MAX)
        && result.strategies.len() <= PARTS_MAX
        && result.currencies.len() <= PARTS_MAX
        && result.currencies.iter().all(|money| money.metrics.len() <= PARTS_MAX);
    (result.version == 1 && is_small).then(|| Listed {
        name: name.to_owned(),
        written_ms,
        strategies: result.strategies.into_iter().map(|strategy| strategy.name).collect(),
        instruments: result.settings.instruments.chars().take(TEXT_MAX).collect(),
        records: result.records,
        first_ms: result.first_ns / 1_000_000,
        last_ms: result.last_ns / 1_000_000,
        fills: result.fills,
        trips: result.trips,
        currencies: result.currencies,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_part_of_a_path() {
        for name in ["sma", "sma 2026-11-21", "ünï", "a.b", "<b>"] {
            assert!(is_plain(name), "{name}");
        }
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "a\0", "a\nb", &long] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
