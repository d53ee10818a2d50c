//! What a run leaves behind: a folder with its figures, its tables and a page, the same bytes for the same run.
//!
//! | file | what |
//! |---|---|
//! | `result.json` | settings, counts, figures a currency |
//! | `trades.parquet` | a row a round trip |
//! | `fills.parquet` | a row a fill |
//! | `equity.parquet` | the equity curve of each currency |
//! | `report.html` | all of it to look at; needs nothing else |
//!
//! Nothing in it is the time of day, the name of the machine or the path of the data.

mod chart;
pub mod folder;
pub mod json;
mod report;
pub mod summary;
pub mod table;
pub mod tables;

use std::path::Path;

use serde_json::{Map, Value};

pub use folder::{Folder, WriteError};

use crate::outcome::Outcome;

/// Writes everything of a run to a folder that must not be there.
///
/// # Errors
/// If it is there, or cannot be written; nothing is left then.
pub fn write(target: &Path, outcome: &Outcome, settings: &Map<String, Value>) -> Result<(), WriteError> {
    let folder = Folder::begin(target)?;
    fill(&folder, outcome, settings)?;
    folder.keep()
}

/// Writes everything of a run into a folder that is being made.
///
/// # Errors
/// If it cannot be written.
pub fn fill(folder: &Folder, outcome: &Outcome, settings: &Map<String, Value>) -> Result<(), WriteError> {
    let document = json::document(outcome, settings);
    folder.text("result.json", &json::text(&document))?;
    type Table = fn(&Path, &Outcome) -> Result<(), parquet::errors::ParquetError>;
    let all: [(&str, Table); 3] = [
        ("trades.parquet", tables::trades),
        ("fills.parquet", tables::fills),
        ("equity.parquet", tables::equity),
    ];
    for (name, table) in all {
        let path = folder.path(name);
        table(&path, outcome).map_err(|source| WriteError::Parquet { path, source })?;
    }
    let page = report::page(outcome, settings).map_err(|error| WriteError::Chart(error.to_string()))?;
    folder.text("report.html", &page)
}
