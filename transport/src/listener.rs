//! The relay's end of the Unix socket: one relay a path, peers of the same user.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::connection::Connection;
use crate::error::TransportError;

const BACKLOG: i32 = 128;

/// A listening socket that belongs to this process alone while it lives.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    path: PathBuf,
    _lock: OwnedFd,
}

/// A peer that knocked, as the kernel describes it.
#[derive(Debug)]
pub struct Knock {
    /// Its end.
    pub connection: Connection,
    /// Its process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
}

impl Knock {
    /// Whether it is of this user, or root.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.uid == 0 || self.uid == rustix::process::geteuid().as_raw()
    }
}

impl Listener {
    /// Listens at `path`: makes its folder (mode 0700) if there is none and replaces a socket that a killed relay left behind.
    ///
    /// # Errors
    /// If another relay serves the path, or something that is no socket stands there.
    pub fn bind(path: &Path) -> Result<Listener, TransportError> {
        let failed = |reason: String| TransportError::Listen {
            path: path.to_owned(),
            reason,
        };
        let address = SocketAddrUnix::new(path)
            .map_err(|_| failed("the path is too long for a Unix socket (107 bytes)".into()))?;
        make_folder(path).map_err(|error| failed(format!("cannot make its folder: {error}")))?;
        let lock = lock(path).map_err(failed)?;
        clear(path).map_err(failed)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let bound = || {
            let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            rustix::net::bind(&fd, &address)?;
            rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?;
            rustix::net::listen(&fd, BACKLOG)?;
            Ok(fd)
        };
        Ok(Listener {
            fd: bound().map_err(|errno: Errno| failed(errno.to_string()))?,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The next peer that waits, if any.
    ///
    /// # Errors
    /// If there is no descriptor left for it: pause, then try again.
    pub fn accept(&self) -> Result<Option<Knock>, TransportError> {
        let fd = match rustix::net::accept_with(&self.fd, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(fd) => fd,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let peer = rustix::net::sockopt::socket_peercred(&fd)?;
        Ok(Some(Knock {
            connection: Connection::from_socket(fd),
            // 0 where the peer lives in a process namespace that is none of ours.
            pid: peer.pid.as_raw_nonzero().get().unsigned_abs(),
            uid: peer.uid.as_raw(),
        }))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A leftover is harmless: the next relay replaces it.
        let _removed = fs::remove_file(&self.path);
    }
}

fn make_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
        }
        _ => Ok(()),
    }
}

/// Takes the lock beside the socket. The kernel lets go of it when this process dies, however it dies, and two relays that start at
/// once cannot both have it, as they could both find a dead socket.
fn lock(path: &Path) -> Result<OwnedFd, String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let lock = rustix::fs::open(&name, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| format!("cannot open its lock {}: {errno}", Path::new(&name).display()))?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => Err("another relay serves this path; stop it, or configure another socket".into()),
        Err(errno) => Err(format!("cannot lock {}: {errno}", Path::new(&name).display())),
    }
}

/// Removes a dead socket.
fn clear(path: &Path) -> Result<(), String> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(found) if !found.file_type().is_socket() => {
            Err("something that is no socket stands there; remove it, or configure another path".into())
        }
        Ok(_) if Connection::connect(path).is_ok() => {
            Err("another program serves this path; stop it, or configure another socket".into())
        }
        Ok(_) => fs::remove_file(path).map_err(|error| format!("cannot replace the dead socket: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_relay_a_path_and_dead_sockets_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/folder/relay.sock");
        let listener = Listener::bind(&path).unwrap();
        let second = Listener::bind(&path).unwrap_err().to_string();
        assert!(second.contains("another relay serves this path"), "{second}");
        drop(listener);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = Listener::bind(&path).unwrap();
        let _peer = Connection::connect(&path).unwrap();
        let knock = listener.accept().unwrap().unwrap();
        assert_eq!(knock.pid, std::process::id());
        assert!(knock.is_trusted());
        assert!(listener.accept().unwrap().is_none());
    }

    #[test]
    fn living_strangers_files_and_long_paths_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.sock");
        let _stranger = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let reason = Listener::bind(&path).unwrap_err().to_string();
        assert!(reason.contains("another program"), "{reason}");
        let file = dir.path().join("file");
        fs::write(&file, "precious").unwrap();
        assert!(Listener::bind(&file).unwrap_err().to_string().contains("no socket"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert!(
            Listener::bind(&dir.path().join("x".repeat(200)))
                .unwrap_err()
                .to_string()
                .contains("too long")
        );
    }
}
