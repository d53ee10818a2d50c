//! A journal and the archive made of it, in a temporary directory; and the scripts of `analysis` run on the archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use tickpath_storage::archive::place::inventory;

use super::{stderr, tickpath};

/// A place for a journal and an archive.
pub struct Place {
    pub dir: TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    pub fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    pub fn export(&self, more: &[&str]) -> Output {
        let (journal, archive) = (
            self.journal().display().to_string(),
            self.archive().display().to_string(),
        );
        tickpath(&[&["export", "--journal", &journal, "--to", &archive], more].concat())
    }

    pub fn verify(&self) -> Output {
        let (journal, archive) = (
            self.journal().display().to_string(),
            self.archive().display().to_string(),
        );
        tickpath(&["verify", &archive, "--journal", &journal])
    }

    /// Every file of the partitions with its content.
    pub fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut contents = Vec::new();
        for partition in inventory(&self.archive()).unwrap().partitions {
            for entry in fs::read_dir(self.archive().join(partition.path())).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.archive()).unwrap().to_owned();
                contents.push((name, fs::read(path).unwrap()));
            }
        }
        contents.sort();
        contents
    }
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Python with the packages of `analysis/requirements.txt`.
pub fn python() -> String {
    std::env::var("TICKPATH_TEST_PYTHON")
        .expect("TICKPATH_TEST_PYTHON names a Python with DuckDB: scripts/test analysis sets it")
}

/// What `tickpath decode` prints of a venue's capture, in a file.
pub fn decoded_lines(root: &Path, venue: &str, place: &Place) -> PathBuf {
    let output = tickpath(&["decode", venue, &root.join(venue).display().to_string()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let path = place.dir.path().join(format!("{venue}.jsonl"));
    fs::write(&path, output.stdout).unwrap();
    path
}

/// Runs a script of `analysis` on the archive; its output.
pub fn analysis(script: &str, place: &Place, args: &[PathBuf]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../analysis").join(script);
    let output = Command::new(python())
        .arg(&script)
        .arg(place.archive())
        .args(args)
        .output()
        .unwrap();
    let (out, error) = (stdout(&output), stderr(&output));
    assert!(output.status.success(), "{}: {out}{error}", script.display());
    out
}
