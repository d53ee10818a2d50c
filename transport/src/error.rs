//! What can go wrong between two processes: what it was, where, and what to do about it.

use std::path::PathBuf;

use rustix::io::Errno;
use tickpath_protocol::instrument::InstrumentError;

use crate::frame::FrameError;
use crate::message::Refusal;
use crate::spsc::RingCorrupt;

/// An operation of this crate failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TransportError {
    /// The kernel gave no memory.
    #[error("{what}: {errno}; check free memory and the limits of this process")]
    Memory {
        /// Which step failed.
        what: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// Nobody listens at the socket.
    #[error("cannot connect to the relay at {}: {errno}; is tickpath-relay running, and is the path the same in both configurations?", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// The socket cannot be had by this relay.
    #[error("cannot listen at {}: {reason}", path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The connection broke.
    #[error("socket: {0}")]
    Socket(Errno),
    /// The peer closed the connection.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer took too long.
    #[error("no answer to {what} within {limit_ms} ms")]
    Timeout {
        /// What was asked.
        what: &'static str,
        /// How long it had.
        limit_ms: u64,
    },
    /// The peer does not speak our frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// What the peer handed over cannot be used.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The relay said no.
    #[error("the relay refused: {0}")]
    Refused(Refusal),
    /// The ring is broken.
    #[error(transparent)]
    RingCorrupt(#[from] RingCorrupt),
    /// A capacity that no ring can have.
    #[error("ring capacity {0}: expected a power of two from {min} to {max}", min = CAPACITY_MIN, max = CAPACITY_MAX)]
    Capacity(usize),
    /// A name that fits no header.
    #[error("name of {0} bytes: 1 to {max} fit", max = NAME_LEN_MAX)]
    Name(usize),
    /// An instrument that fits no table.
    #[error(transparent)]
    Instrument(#[from] InstrumentError),
    /// The table is full.
    #[error("the instrument table is full at {0} rows; subscribe to fewer instruments")]
    TableFull(usize),
    /// The thread that keeps a publisher attached could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(String),
}

/// Records that a ring has at least.
pub const CAPACITY_MIN: usize = 256;
/// Records that a ring has at most: 4 GB of slots in a stream.
pub const CAPACITY_MAX: usize = 1 << 26;
/// Bytes that the name of a process has at most.
pub const NAME_LEN_MAX: usize = 64;

/// Why a memory file that a peer handed over is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// Not a memory file, or one that its owner could cut under our feet.
    #[error("descriptor is no sealed memory file ({found}); expected a memfd with F_SEAL_SHRINK")]
    Seals {
        /// What was found instead.
        found: String,
    },
    /// A field of the header is not what this build expects.
    #[error("header field {field} is {found}, expected {expected}; restart both processes from the same build")]
    Header {
        /// Which.
        field: &'static str,
        /// What stood there.
        found: u64,
        /// What should.
        expected: u64,
    },
    /// The file is shorter or longer than its header says.
    #[error("memory file of {found} bytes, its header asks for {expected}")]
    Size {
        /// Its size.
        found: u64,
        /// What the header asks for.
        expected: u64,
    },
    /// The name in the header is no text.
    #[error("the name in the header is not UTF-8 of 1 to {NAME_LEN_MAX} bytes")]
    Name,
    /// The cursors in the file contradict each other.
    #[error(transparent)]
    Cursors(#[from] RingCorrupt),
    /// A row of its instrument table makes no sense.
    #[error(transparent)]
    Instrument(#[from] InstrumentError),
    /// Wrong number of descriptors in a message.
    #[error("{found} descriptors came with the message, expected {expected}")]
    Descriptors {
        /// How many came.
        found: usize,
        /// How many its role sends.
        expected: usize,
    },
    /// The receiving process may open no more files.
    #[error("no file descriptor was left to take those of the message with; raise the limit (LimitNOFILE=, ulimit -n)")]
    NoDescriptors,
    /// The kernel refused to map or inspect the file.
    #[error("cannot {what} the peer's memory file: {errno}")]
    Map {
        /// Which step failed.
        what: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
}

impl From<Errno> for TransportError {
    fn from(errno: Errno) -> TransportError {
        TransportError::Socket(errno)
    }
}
