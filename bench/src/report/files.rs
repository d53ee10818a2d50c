//! The directory of a run: `result.json`, `report.html`, `plots/*.svg`, `hgrm/*.hgrm`.

use std::path::Path;

use super::document::Document;
use super::page::Plot;
use super::plot::{self, Palette};
use super::{hgrm, page};
use crate::context::{Result, Tried};
use crate::measurement::Measurement;
use crate::samples::Samples;

/// Makes the directory, before the run: one that cannot be made is better known early.
///
/// # Errors
/// If it cannot be made.
pub fn prepare(dir: &Path) -> Result<()> {
    for part in ["plots", "hgrm"] {
        let path = dir.join(part);
        std::fs::create_dir_all(&path).tried(format!("making {}", path.display()))?;
    }
    Ok(())
}

/// Writes everything into a directory that was prepared.
///
/// # Errors
/// If a file cannot be written or a plot cannot be drawn.
pub fn write(dir: &Path, document: &Document, measurements: &[Measurement]) -> Result<()> {
    document.write(&dir.join("result.json"))?;
    let mut plots: Vec<Plot> = Vec::new();
    for measurement in measurements {
        if measurement.unit == "ns" {
            write_percentiles(&dir.join("hgrm"), measurement)?;
        }
        if let Some(svg) = plot::svg(measurement, Palette::Paper)? {
            let name = format!("{}.svg", file_name(&measurement.name));
            write_file(&dir.join("plots").join(name), &svg)?;
        }
        if let Some(svg) = plot::svg(measurement, Palette::Page)? {
            plots.push((measurement.name.clone(), svg));
        }
    }
    write_file(&dir.join("report.html"), &page::text(document, &plots))
}

fn write_percentiles(dir: &Path, measurement: &Measurement) -> Result<()> {
    let ours = std::iter::once(("ours", &measurement.ours));
    let floor = measurement.floor.iter().map(|(_, samples)| ("floor", samples));
    let peers = measurement.peers.iter().map(|(name, samples)| (name.as_str(), samples));
    for (who, samples) in ours.chain(floor).chain(peers) {
        write_samples(dir, &measurement.name, who, samples)?;
    }
    Ok(())
}

fn write_samples(dir: &Path, name: &str, who: &str, samples: &Samples) -> Result<()> {
    let name = format!("{}.{}.hgrm", file_name(name), file_name(who));
    write_file(&dir.join(name), &hgrm::text(samples))
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).tried(format!("writing {}", path.display()))
}

/// A name that every file system takes.
fn file_name(name: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || ".-".contains(letter) {
            letter
        } else {
            '_'
        }
    };
    name.chars().map(plain).collect()
}
