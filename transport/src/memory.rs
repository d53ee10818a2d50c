//! Sealed memory files, and the only `unsafe` of the workspace: a mapping seen as slices of atomics.
//!
//! A memory file (`memfd_create`) has no name, so nothing is left behind when its owner is killed; it travels to another process over the
//! Unix socket. Its seals are promises that the kernel keeps: with F_SEAL_SHRINK nobody can cut it under a reader's feet (which would be
//! SIGBUS), with F_SEAL_FUTURE_WRITE nobody but its creator can ever write to it. [`MemoryFile::open_read_only`] checks them before it maps.
//!
//! All pages are touched when a ring is created: memory pressure fails the start, not the run.

use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crossbeam_utils::CachePadded;
use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;

use crate::RECORD_WORDS;
use crate::broadcast::Slot;
use crate::error::{AttachError, TransportError};

/// A memory file with its mapping in this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MemoryFile {
    fd: Arc<OwnedFd>,
    mapping: Arc<MmapRaw>,
}

/// Who may write to a memory file once it is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its creator and whoever gets the descriptor: the producer's ring, where the relay moves a cursor.
    Peers,
    /// Its creator alone.
    CreatorOnly,
}

/// Whether all pages are touched at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefault {
    /// Yes: rings.
    All,
    /// No: sparse pages of counters, touched as they are given out.
    None,
}

impl MemoryFile {
    /// A new file of zeros, mapped writable here, its size sealed.
    ///
    /// # Errors
    /// If the kernel gives no memory.
    pub fn create(name: &str, len: usize, access: Access, prefault: Prefault) -> Result<MemoryFile, TransportError> {
        let failed = |what| move |errno| TransportError::Memory { what, errno };
        let fd = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            .map_err(failed("memfd_create"))?;
        rustix::fs::ftruncate(&fd, len as u64).map_err(failed("ftruncate"))?;
        if prefault == Prefault::All {
            // Unlike MAP_POPULATE alone, this reports that there is no memory.
            rustix::fs::fallocate(&fd, rustix::fs::FallocateFlags::empty(), 0, len as u64)
                .map_err(failed("fallocate"))?;
        }
        let mapping = options(len, prefault)
            .map_raw(fd.as_raw_fd())
            .map_err(|error| failed("mmap")(errno_of(&error)))?;
        let mut seals = SealFlags::SHRINK | SealFlags::GROW;
        if access == Access::CreatorOnly {
            seals |= SealFlags::FUTURE_WRITE;
        }
        rustix::fs::fcntl_add_seals(&fd, seals | SealFlags::SEAL).map_err(failed("F_ADD_SEALS"))?;
        Ok(MemoryFile {
            fd: Arc::new(fd),
            mapping: Arc::new(mapping),
        })
    }

    /// Maps a file that a peer handed over, to read and write.
    ///
    /// # Errors
    /// If it is not a memory file whose size is sealed, or the kernel refuses.
    pub fn open(fd: OwnedFd) -> Result<MemoryFile, AttachError> {
        let len = sealed_len(fd.as_fd())?;
        let mapping = options(len, Prefault::All).map_raw(fd.as_raw_fd());
        MemoryFile::opened(fd, mapping)
    }

    /// Maps a file that a peer handed over, to read.
    ///
    /// # Errors
    /// If it is not a memory file whose size is sealed, or the kernel refuses.
    pub fn open_read_only(fd: OwnedFd) -> Result<MemoryFile, AttachError> {
        let len = sealed_len(fd.as_fd())?;
        let mapping = options(len, Prefault::None).map_raw_read_only(fd.as_raw_fd());
        MemoryFile::opened(fd, mapping)
    }

    fn opened(fd: OwnedFd, mapping: std::io::Result<MmapRaw>) -> Result<MemoryFile, AttachError> {
        let mapping = mapping.map_err(|error| AttachError::Map {
            what: "map",
            errno: errno_of(&error),
        })?;
        Ok(MemoryFile {
            fd: Arc::new(fd),
            mapping: Arc::new(mapping),
        })
    }

    /// A descriptor to hand to a reader. It is opened read-only where /proc is mounted; F_SEAL_FUTURE_WRITE holds in any case.
    ///
    /// # Errors
    /// If there is no descriptor left.
    pub fn reader_fd(&self) -> Result<OwnedFd, Errno> {
        let path = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .or_else(|_| rustix::io::fcntl_dupfd_cloexec(self.fd.as_fd(), 0))
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mapping.len()
    }

    /// Never: an empty file cannot be mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `len` values of `T` from byte `offset` on; `None` if they do not lie inside the file, aligned.
    ///
    /// Of a file opened read-only the caller loads alone, with Relaxed: the types that hand out writing ends see to it.
    #[must_use]
    pub(crate) fn area<T: Shared>(&self, offset: usize, len: usize) -> Option<Area<T>> {
        let end = size_of::<T>().checked_mul(len)?.checked_add(offset)?;
        if end > self.len() {
            return None;
        }
        let first = NonNull::new(self.mapping.as_mut_ptr().wrapping_add(offset).cast::<T>())?;
        first.is_aligned().then(|| Area {
            first,
            len,
            _mapping: Arc::clone(&self.mapping),
        })
    }
}

impl AsFd for MemoryFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The first `len` bytes of an ordinary file as words, to read and write; what is written goes to the file.
///
/// Unlike a sealed memory file it could be cut: whoever may write to it is trusted not to, and if they do this process gets SIGBUS, as it would
/// for a broken disk. So it is for files that belong to the same user and to nobody else ([`crate::latch`] checks that).
///
/// # Errors
/// If the file is shorter, or the kernel refuses.
pub(crate) fn map_file(file: &std::fs::File, len: usize) -> std::io::Result<Area<AtomicU64>> {
    let whole = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    if file.metadata()?.len() < len as u64 {
        return Err(whole);
    }
    let mapping = Arc::new(options(len, Prefault::All).map_raw(file)?);
    // Mappings begin at a page, so words are aligned; the length was rounded down to whole words.
    Ok(Area {
        first: NonNull::new(mapping.as_mut_ptr().cast()).ok_or(whole)?,
        len: len / size_of::<AtomicU64>(),
        _mapping: mapping,
    })
}

fn options(len: usize, prefault: Prefault) -> MmapOptions {
    let mut options = MmapOptions::new();
    options.len(len);
    if prefault == Prefault::All {
        options.populate();
    }
    options
}

/// The length of a memory file that can never get shorter.
fn sealed_len(fd: BorrowedFd<'_>) -> Result<usize, AttachError> {
    let seals = rustix::fs::fcntl_get_seals(fd).map_err(|errno| AttachError::Seals {
        found: format!("F_GET_SEALS: {errno}"),
    })?;
    if !seals.contains(SealFlags::SHRINK) {
        return Err(AttachError::Seals {
            found: format!("seals {:#x}", seals.bits()),
        });
    }
    let stat = rustix::fs::fstat(fd).map_err(|errno| AttachError::Map { what: "inspect", errno })?;
    match usize::try_from(stat.st_size) {
        Ok(len) if len > 0 => Ok(len),
        _ => Err(AttachError::Size { found: 0, expected: 1 }),
    }
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// Values that may be looked at while another process writes to them: nothing but atomics inside, and any bytes are a value.
///
/// # Safety
/// `Self` consists of `AtomicU64`s and padding only.
pub(crate) unsafe trait Shared: Sync {}

// SAFETY: it is an `AtomicU64`.
unsafe impl Shared for AtomicU64 {}
// SAFETY: an `AtomicU64` and padding.
unsafe impl Shared for CachePadded<AtomicU64> {}
// SAFETY: eight `AtomicU64`s.
unsafe impl Shared for Slot {}
// SAFETY: six `AtomicU64`s.
unsafe impl Shared for [AtomicU64; RECORD_WORDS] {}

/// A part of a mapping as a slice; keeps the mapping alive.
#[derive(Debug)]
pub(crate) struct Area<T> {
    /// Start of `len` values of `T` inside `_mapping`, aligned: [`MemoryFile::area`] and [`map_file`] alone make one.
    first: NonNull<T>,
    len: usize,
    _mapping: Arc<MmapRaw>,
}

impl<T: Shared> Deref for Area<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `area` or `map_file` saw to it that `len` aligned values lie inside the mapping, which lives as long as `self`, cannot shrink
        // (seals; a plain file that its owner cuts raises SIGBUS, which ends the process and reads nothing), and is never handed out as anything but shared references to atomics, for which any bytes are valid and concurrent writes are no race.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl<T> Clone for Area<T> {
    fn clone(&self) -> Area<T> {
        Area {
            first: self.first,
            len: self.len,
            _mapping: Arc::clone(&self._mapping),
        }
    }
}

// SAFETY: an area gives out `&[T]` alone, and `T: Sync`; the mapping may be unmapped by any thread.
unsafe impl<T: Shared> Send for Area<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for Area<T> {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn a_peer_sees_what_the_creator_writes_and_can_not_cut_the_file() {
        let ours = MemoryFile::create("test", 8192, Access::CreatorOnly, Prefault::All).unwrap();
        let theirs = MemoryFile::open_read_only(ours.reader_fd().unwrap()).unwrap();
        ours.area::<AtomicU64>(4096, 1).unwrap()[0].store(7, Ordering::Relaxed);
        assert_eq!(theirs.area::<AtomicU64>(4096, 1).unwrap()[0].load(Ordering::Relaxed), 7);
        assert_eq!(rustix::fs::ftruncate(&ours, 4096), Err(Errno::PERM));
        assert_eq!(rustix::fs::ftruncate(&ours, 16384), Err(Errno::PERM));
    }

    #[test]
    fn nobody_else_can_write_to_a_creators_file() {
        let ours = MemoryFile::create("test", 4096, Access::CreatorOnly, Prefault::All).unwrap();
        let duplicate = rustix::io::fcntl_dupfd_cloexec(ours.as_fd(), 0).unwrap();
        assert!(matches!(
            MemoryFile::open(duplicate),
            Err(AttachError::Map {
                what: "map",
                errno: Errno::PERM
            })
        ));
        assert!(matches!(
            MemoryFile::open(ours.reader_fd().unwrap()),
            Err(AttachError::Map { what: "map", .. })
        ));
    }

    #[test]
    fn unsealed_and_foreign_descriptors_are_refused() {
        let unsealed = rustix::fs::memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::ftruncate(&unsealed, 4096).unwrap();
        assert!(matches!(MemoryFile::open(unsealed), Err(AttachError::Seals { .. })));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(matches!(MemoryFile::open(file.into()), Err(AttachError::Seals { .. })));
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(matches!(
            MemoryFile::open_read_only(socket.into()),
            Err(AttachError::Seals { .. })
        ));
        let empty = rustix::fs::memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::fcntl_add_seals(&empty, SealFlags::SHRINK).unwrap();
        assert!(matches!(MemoryFile::open(empty), Err(AttachError::Size { .. })));
    }

    #[test]
    fn areas_stay_inside() {
        let file = MemoryFile::create("test", 4096, Access::Peers, Prefault::None).unwrap();
        assert!(file.area::<AtomicU64>(0, 512).is_some());
        assert!(file.area::<AtomicU64>(0, 513).is_none());
        assert!(file.area::<AtomicU64>(4, 1).is_none());
        assert!(file.area::<AtomicU64>(usize::MAX, 1).is_none());
        assert!(file.area::<Slot>(64, usize::MAX / 32).is_none());
    }
}
