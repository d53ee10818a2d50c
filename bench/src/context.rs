//! What every measurement is told.

use std::path::{Path, PathBuf};

/// The run's settings and places.
#[derive(Clone, Debug)]
pub struct Context {
    /// A smoke run: every part runs, no figure means anything.
    pub quick: bool,
    /// A directory for files of the run, gone afterwards.
    pub scratch: PathBuf,
    /// Where the released binaries are.
    pub binaries: PathBuf,
    /// The recorded feeds, a folder a venue; `None`: the small ones that the project carries.
    pub captures: Option<PathBuf>,
    /// The cores that may be pinned to, in the order in which they are used.
    pub cores: Vec<usize>,
}

/// Why a measurement could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct BenchError {
    /// What was tried.
    pub what: String,
    /// Why it failed.
    pub why: String,
}

impl BenchError {
    /// With the reason of another error.
    pub fn new(what: impl Into<String>, why: impl ToString) -> BenchError {
        BenchError {
            what: what.into(),
            why: why.to_string(),
        }
    }
}

/// Short for the result of a part of the benchmark.
pub type Result<T> = std::result::Result<T, BenchError>;

/// Says what was tried when something else fails.
pub trait Tried<T> {
    /// The error with what was tried before it.
    ///
    /// # Errors
    /// If `self` is one.
    fn tried(self, what: impl Into<String>) -> Result<T>;
}

impl<T, E: std::fmt::Display> Tried<T> for std::result::Result<T, E> {
    fn tried(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|error| BenchError::new(what, error))
    }
}

impl Context {
    /// `full` for a real run, `quick` for a smoke run.
    #[must_use]
    pub fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Core for the first of two parties.
    #[must_use]
    pub fn near(&self) -> usize {
        self.cores.first().copied().unwrap_or(0)
    }

    /// Core for the other party; the same as [`Context::near`] on a machine with one core.
    #[must_use]
    pub fn far(&self) -> usize {
        self.cores.get(1).copied().unwrap_or_else(|| self.near())
    }

    /// A released binary of the pipeline.
    #[must_use]
    pub fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// Tells the person who waits what is going on.
    pub fn say(&self, what: &str) {
        eprintln!("   {what}");
    }

    /// The folder of captures of a venue, recorded if there is one, else the project's own.
    #[must_use]
    pub fn capture(&self, venue: &str) -> PathBuf {
        let recorded = self.captures.as_ref().map(|root| root.join(venue));
        recorded
            .filter(|folder| folder.is_dir())
            .unwrap_or_else(|| own_captures().join(venue))
    }
}

fn own_captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../collectors/tests/captures")
}

/// The cores of `wanted`, else all that this process may use.
///
/// # Errors
/// If a core is named twice, or is not one of this process's.
pub fn cores(wanted: &[usize]) -> Result<Vec<usize>> {
    let available: Vec<usize> = core_affinity::get_core_ids()
        .unwrap_or_default()
        .into_iter()
        .map(|core| core.id)
        .collect();
    if wanted.is_empty() {
        return Ok(available);
    }
    for (index, core) in wanted.iter().enumerate() {
        if !available.contains(core) {
            let why = format!("this process may use {available:?}; core {core} is not among them");
            return Err(BenchError::new("--cores", why));
        }
        if wanted[..index].contains(core) {
            return Err(BenchError::new("--cores", format!("core {core} is named twice")));
        }
    }
    Ok(wanted.to_vec())
}
