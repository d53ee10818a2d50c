//! The files that a host is judged by, below a root that tests make up. Nothing that stands in them is trusted: a file may be absent, endless,
//! or full of anything.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a file that are read; the longest of them, `/proc/interrupts`, has some hundred kilobytes on the largest hosts.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Cores beyond this number are not believed in; Linux is built for 8192 at most.
const CORE_MAX: usize = 8191;

/// A host's `/proc`, `/sys`, `/dev` and `/run`.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
}

impl Host {
    /// The host whose files stand below `root`.
    pub fn at(root: &Path) -> Host {
        Host { root: root.to_owned() }
    }

    /// Whether it is the one that this process runs on, so that programs can be asked and times measured.
    pub fn is_this(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where a file of the host is for us.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file without white space at its ends; `None` if it cannot be read.
    pub fn text(&self, path: &str) -> Option<String> {
        let path = self.path(path);
        // A pipe would wait for a writer for ever.
        if !path.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        File::open(path)
            .ok()?
            .take(FILE_BYTES_MAX)
            .read_to_end(&mut bytes)
            .ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A list of cores in a file; `None` if there is no such file, or no list in it.
    pub fn cores(&self, path: &str) -> Option<Cores> {
        Cores::parse(&self.text(path)?)
    }

    /// The names in a directory, in order; none if there is none.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }
}

/// A set of cores, as the kernel writes it: `0-3,8`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cores(pub BTreeSet<usize>);

impl Cores {
    /// The set of a list. An empty list is an empty set, and so is `(null)`, as older kernels write it.
    pub fn parse(text: &str) -> Option<Cores> {
        let text = text.trim();
        if text.is_empty() || text == "(null)" {
            return Some(Cores::default());
        }
        let mut cores = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            if first > last || last > CORE_MAX {
                return None;
            }
            cores.extend(first..=last);
        }
        Some(Cores(cores))
    }

    /// Those that are not in `others`.
    pub fn without(&self, others: &Cores) -> Cores {
        Cores(self.0.difference(&others.0).copied().collect())
    }

    /// Those of either.
    pub fn with(&self, others: &Cores) -> Cores {
        Cores(self.0.union(&others.0).copied().collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::str::FromStr for Cores {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let cores = Cores::parse(text).filter(|cores| !cores.is_empty());
        cores.ok_or_else(|| format!("{text:?} is no list of cores such as 1-3,8"))
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while rest.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            match last {
                last if last == first => write!(f, "{separator}{first}")?,
                last => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_of_cores() {
        for (text, expected) in [
            ("", ""),
            ("(null)", ""),
            ("0", "0"),
            ("0-3,8\n", "0-3,8"),
            ("3,1,2", "1-3"),
            ("1,1", "1"),
        ] {
            assert_eq!(Cores::parse(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["-", "3-1", "a", "0-", "1,,2", "0-99999999999", "9000", "-1", "0x1"] {
            assert_eq!(Cores::parse(text), None, "{text}");
        }
        assert!("".parse::<Cores>().is_err());
        let (all, some) = (Cores::parse("0-3").unwrap(), Cores::parse("1,2").unwrap());
        assert_eq!(all.without(&some).to_string(), "0,3");
        assert_eq!(some.with(&Cores::parse("7").unwrap()).to_string(), "1-2,7");
    }

    #[test]
    fn files_that_are_none_are_absent() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::at(dir.path());
        std::fs::create_dir_all(dir.path().join("sys/a")).unwrap();
        std::fs::write(dir.path().join("sys/b"), b" \xff1-2\n").unwrap();
        assert_eq!(host.text("/sys/a"), None);
        assert_eq!(host.text("/sys/c"), None);
        assert!(host.text("/sys/b").unwrap().ends_with("1-2"));
        assert_eq!(host.cores("/sys/b"), None);
        assert_eq!(host.names("/sys"), ["a", "b"]);
        assert!(host.names("/nothing").is_empty());
        assert!(!host.is_this() && Host::at(Path::new("/")).is_this());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in ".*") {
            if let Some(cores) = Cores::parse(&text) {
                prop_assert_eq!(Cores::parse(&cores.to_string()), Some(cores));
            }
        }
    }
}
