//! A real PostgreSQL of a test's own: made, started, killed and removed by it; on a Unix socket, so that no port is taken.
//!
//! The binaries are those of `PATH` or of Debian's package `postgresql`. A server refuses to run as root: as root it is run as `postgres`.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long the server may take to start; after a kill it has to recover first.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A cluster and, while it runs, its server.
pub struct Postgres {
    dir: tempfile::TempDir,
    binaries: PathBuf,
    owner: Option<(u32, u32)>,
    settings: Vec<String>,
    server: Option<Child>,
}

impl Postgres {
    /// A cluster that trusts everybody, its server running; what it says it has written may be lost with the machine's power.
    pub fn start() -> Postgres {
        Postgres::start_with("trust", &["fsync=off"])
    }

    /// A cluster with that way to authenticate (`trust`, `scram-sha-256`; the password of `postgres` is `right`), and server settings.
    pub fn start_with(authentication: &str, settings: &[&str]) -> Postgres {
        let binaries = binaries().expect(MISSING);
        let owner = (rustix::process::geteuid().as_raw() == 0).then(postgres_user);
        // Short, because the path of a socket may have 107 bytes.
        let dir = tempfile::Builder::new().prefix("tp-pg-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if let Some((user, group)) = owner {
            chown(dir.path(), Some(user), Some(group)).unwrap();
        }
        let password = dir.path().join("password");
        fs::write(&password, "right\n").unwrap();
        let mut postgres = Postgres {
            dir,
            binaries,
            owner,
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            server: None,
        };
        let output = postgres
            .command("initdb")
            .args(["-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C"])
            .arg(format!("--auth={authentication}"))
            .arg(format!("--pwfile={}", password.display()))
            .arg("-D")
            .arg(postgres.dir.path().join("data"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        postgres.resume();
        postgres
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join(format!(".s.PGSQL.{}", self.port()))
    }

    fn port(&self) -> &str {
        let given = self.settings.iter().find_map(|setting| setting.strip_prefix("port="));
        given.unwrap_or("5432")
    }

    /// Address of a database as `postgres`.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// Address of a database as a user, which may hold a password: `postgres:right`.
    pub fn url_as(&self, user: &str, database: &str) -> String {
        let socket = self.dir.path().display().to_string().replace('/', "%2F");
        format!("postgres://{user}@{socket}:{}/{database}", self.port())
    }

    /// Starts the server again after [`Postgres::kill`] or [`Postgres::stop`], and waits until it answers.
    ///
    /// After a kill its children hold the memory for a moment, and it refuses to start until they have noticed: then it is tried again.
    pub fn resume(&mut self) {
        let deadline = Instant::now() + START_TIMEOUT;
        let log = self.dir.path().join("log");
        while !self.answers() {
            assert!(
                Instant::now() < deadline,
                "PostgreSQL does not start: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            let ended = self
                .server
                .as_mut()
                .is_none_or(|server| server.try_wait().unwrap().is_some());
            if ended {
                self.server = Some(self.spawn(&log));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn spawn(&self, log: &Path) -> Child {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.dir.path().join("data"));
        command.arg("-k").arg(self.dir.path());
        for setting in ["listen_addresses="]
            .into_iter()
            .chain(self.settings.iter().map(String::as_str))
        {
            command.arg("-c").arg(setting);
        }
        let log = fs::File::options().create(true).append(true).open(log).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        command.spawn().unwrap()
    }

    fn answers(&self) -> bool {
        self.server.is_some()
            && self
                .command("pg_isready")
                .arg("-q")
                .arg("-h")
                .arg(self.dir.path())
                .args(["-p", self.port()])
                .status()
                .unwrap()
                .success()
    }

    /// Kills the server without warning.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Kills one of the server's processes that serve a client, whereupon the server ends all the others and recovers. False if there was none.
    pub fn kill_backend(&self) -> bool {
        let server = self.server.as_ref().expect("it runs").id();
        let Ok(children) = fs::read_to_string(format!("/proc/{server}/task/{server}/children")) else {
            return false;
        };
        let is_backend = |pid: &&str| {
            let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&title).contains("[local]")
        };
        let Some(pid) = children.split_whitespace().rfind(is_backend) else {
            return false;
        };
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).is_ok()
    }

    /// Stops the server as an administrator does who waits for nobody.
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("it runs");
        let pid = Pid::from_child(&server);
        kill_process(pid, Signal::INT).unwrap();
        server.wait().unwrap();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Killed, so that nothing of it is left; the directory goes with it.
        if let Some(mut server) = self.server.take() {
            let gone = server.kill().and_then(|()| server.wait());
            assert!(gone.is_ok() || std::thread::panicking(), "{gone:?}");
        }
        // Its children end by themselves, but not before the directory is to go: they are waited for.
        let socket_lock = self.dir.path().join("data/postmaster.pid");
        let deadline = Instant::now() + Duration::from_secs(5);
        while socket_lock.exists() && Instant::now() < deadline && runs_in(self.dir.path()) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Makes a file one that the server may read and nobody else, as it wants of its secrets.
pub fn give(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    if rustix::process::geteuid().as_raw() == 0 {
        let (user, group) = postgres_user();
        chown(file, Some(user), Some(group)).unwrap();
    }
}

/// Lets the server, whoever it runs as, look into a directory of the test.
pub fn let_in(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Whether a process works in that directory or below.
fn runs_in(dir: &Path) -> bool {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter_map(|entry| fs::read_link(entry.path().join("cwd")).ok())
        .any(|cwd| cwd.starts_with(dir))
}

/// Why there can be no server here, with what to do, if so.
pub fn missing() -> Option<&'static str> {
    binaries().is_none().then_some(MISSING)
}

const MISSING: &str = "PostgreSQL's server is missing: install it (Debian: apt-get install postgresql)";

fn binaries() -> Option<PathBuf> {
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&in_path).collect();
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    dirs.extend(versions.into_iter().rev());
    let complete = |dir: &PathBuf| {
        ["postgres", "initdb", "pg_isready"]
            .iter()
            .all(|name| dir.join(name).is_file())
    };
    dirs.into_iter().find(complete)
}

/// User and group that Debian's package makes.
fn postgres_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let line = line.expect(
        "PostgreSQL refuses to run as root and there is no user `postgres`: install Debian's package postgresql",
    );
    let mut fields = line.split(':').skip(2);
    let mut number = || {
        fields
            .next()
            .and_then(|field| field.parse().ok())
            .expect("a number in /etc/passwd")
    };
    let owner = (number(), number());
    assert_ne!(
        owner.0,
        0,
        "{:?}",
        fs::metadata("/etc/passwd").map(|metadata| metadata.uid())
    );
    owner
}
