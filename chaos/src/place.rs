//! Where a run happens: a directory with the configuration, the log, a small disk for the journal, a directory for temporary files, and the clock.

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tickpath_service::exit::{Context, ExitCode, ProcessError};

/// The source of what steps the clock of the processes that are preloaded with it.
const CLOCK_SOURCE: &str = include_str!("clock.c");
/// The environment variable that names its file to it.
pub const CLOCK_VARIABLE: &str = "TICKPATH_CHAOS_CLOCK";

/// What the place must have room for, and be busy with.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Size of the journal's disk.
    pub disk_mib: u64,
    /// Keys of `[relay]` in the configuration.
    pub relay: String,
    /// Keys of `[bridge]`.
    pub bridge: String,
    /// Keys of `[simulator]`.
    pub simulator: String,
    /// Keys of `[recorder]`.
    pub recorder: String,
    /// Further tables.
    pub more: String,
}

/// A place, removed when dropped.
#[derive(Debug)]
pub struct Place {
    dir: TempDir,
    /// Where the bridge listens.
    pub bridge: SocketAddr,
    /// Where the simulated venues listen.
    pub simulator: SocketAddr,
    /// The library that steps the clock, and the file that says by how much; none without a C compiler.
    clock: Option<(PathBuf, File)>,
}

impl Place {
    /// Makes one, with its disks mounted.
    ///
    /// # Errors
    /// If a disk cannot be mounted or a file not be written.
    pub fn new(wanted: &Wanted) -> Result<Place, ProcessError> {
        let dir = tempfile::Builder::new()
            .prefix("tickpath-chaos-")
            .tempdir()
            .or_exit(ExitCode::Failed, "a temporary directory")?;
        // The database's server, which is somebody else where root runs this, need not look in; others must not.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).or_exit(ExitCode::Failed, "permissions")?;
        let mut place = Place {
            bridge: free_address()?,
            simulator: free_address()?,
            clock: None,
            dir,
        };
        for name in ["run", "journal", "tmp"] {
            fs::create_dir(place.path(name)).or_exit(ExitCode::Failed, name)?;
        }
        mount(&place.path("journal"), wanted.disk_mib)?;
        place.clock = place.build_clock()?;
        let config = place.config(wanted);
        fs::write(place.config_path(), config).or_exit(ExitCode::Failed, "writing the configuration")?;
        Ok(place)
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The configuration of all processes.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.path("tickpath.toml")
    }

    /// The relay's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path("run/relay.sock")
    }

    /// The log of all processes.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path("log")
    }

    /// The journal, on its own disk.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.path("journal")
    }

    /// The library to preload, and the file that it reads.
    #[must_use]
    pub fn clock(&self) -> Option<(&Path, PathBuf)> {
        self.clock
            .as_ref()
            .map(|(library, _)| (library.as_path(), self.path("clock")))
    }

    /// Sets the wall clock of all processes of the pipeline off by so much.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn set_clock(&self, offset_ns: i64) -> Result<(), ProcessError> {
        match &self.clock {
            Some((_, file)) => file
                .write_all_at(&offset_ns.to_le_bytes(), 0)
                .or_exit(ExitCode::Failed, "setting the clock"),
            None => Ok(()),
        }
    }

    /// Fills the journal's disk to the last byte.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn fill_disk(&self) -> Result<(), ProcessError> {
        let mut ballast = File::create(self.journal().join("ballast")).or_exit(ExitCode::Failed, "ballast")?;
        let block = vec![0; 1 << 16];
        let mut len = block.len();
        // Blocks of half the size after each refusal: what is left in the end is less than a page.
        while len >= 4096 {
            if ballast.write_all(&block[..len]).is_err() {
                len /= 2;
            }
        }
        Ok(())
    }

    /// Frees it again.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub fn free_disk(&self) -> Result<(), ProcessError> {
        fs::remove_file(self.journal().join("ballast")).or_exit(ExitCode::Failed, "ballast")
    }

    fn build_clock(&self) -> Result<Option<(PathBuf, File)>, ProcessError> {
        let (source, library) = (self.path("clock.c"), self.path("clock.so"));
        fs::write(&source, CLOCK_SOURCE).or_exit(ExitCode::Failed, "clock.c")?;
        let built = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&source)
            .status();
        match built {
            Ok(status) if status.success() => {}
            _ => {
                eprintln!("no C compiler (Debian: apt-get install build-essential): the clock is not stepped");
                return Ok(None);
            }
        }
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.path("clock"))
            .or_exit(ExitCode::Failed, "clock")?;
        file.set_len(4096).or_exit(ExitCode::Failed, "clock")?;
        Ok(Some((library, file)))
    }

    fn config(&self, wanted: &Wanted) -> String {
        format!(
            "runtime_dir = {:?}\n[log]\nformat = \"json\"\n[relay]\n{}\n[bridge]\nlisten = \"{}\"\n{}\n\
             [simulator]\nlisten = \"{}\"\n{}\n[recorder]\ndir = {:?}\n{}\n{}\n",
            self.path("run"),
            wanted.relay,
            self.bridge,
            wanted.bridge,
            self.simulator,
            wanted.simulator,
            self.journal(),
            wanted.recorder,
            wanted.more,
        )
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The mount would keep the directory from being removed. What is left of it goes with the namespace.
        if let Err(error) = Command::new("umount").arg("--lazy").arg(self.journal()).status() {
            eprintln!("umount: {error}");
        }
    }
}

/// Gives this run a shared-memory directory of its own: names in there would be residue, and everybody else's are hidden.
///
/// # Errors
/// If it cannot be mounted.
pub fn hide_shared_memory() -> Result<(), ProcessError> {
    mount(Path::new("/dev/shm"), 256)
}

fn mount(at: &Path, mib: u64) -> Result<(), ProcessError> {
    let status = Command::new("mount")
        .args(["-t", "tmpfs", "-o"])
        .arg(format!("size={mib}m"))
        .arg("tickpath-chaos")
        .arg(at)
        .status()
        .or_exit(ExitCode::Unavailable, "mount")?;
    if status.success() {
        return Ok(());
    }
    Err(ProcessError::message(
        ExitCode::Unavailable,
        format!(
            "cannot mount a disk at {}: run as root, or allow user namespaces",
            at.display()
        ),
    ))
}

/// An address that was free a moment ago.
fn free_address() -> Result<SocketAddr, ProcessError> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .or_exit(ExitCode::Unavailable, "a free port")
}
