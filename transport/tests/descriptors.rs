//! A process that may open no more files. A test program of its own: the limit is the whole process's.

use std::fs::File;
use std::os::fd::AsFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tickpath_transport::connection::Connection;
use tickpath_transport::{AttachError, TransportError};

/// It is the receiver's own want, and no fault of the peer, which could not mend it.
#[test]
fn who_has_no_descriptor_left_says_so() {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (a, b) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    let (mut ours, mut theirs) = (Connection::from_socket(a), Connection::from_socket(b));
    let null = File::open("/dev/null").unwrap();
    tickpath_transport::frame::encode(ours.output(), 5, |_| {});
    assert!(ours.flush_with(&[null.as_fd(), null.as_fd()]).unwrap());
    let before = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(0),
            ..before
        },
    )
    .unwrap();
    let received = theirs.receive();
    setrlimit(Resource::Nofile, before).unwrap();
    assert_eq!(received, Err(TransportError::Attach(AttachError::NoDescriptors)));
}
