//! A reader of the stream at its lowest level: what [`tickpath_transport::Subscription`] reads with, without its accounting.
//!
//! The relay cannot tell the two apart. For a latency it matters that nothing but the ring is measured; for fifty readers on one core, that
//! they read as fast as the core can.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use tickpath_protocol::Venue;
use tickpath_transport::broadcast::Reader;
use tickpath_transport::connection::Connection;
use tickpath_transport::message::{Hello, Role, Start, kind};
use tickpath_transport::stream_ring::StreamRing;
use tickpath_transport::{CounterPage, TransportError};

use crate::context::{BenchError, Result};

const LIMIT: Duration = Duration::from_secs(5);

/// An attached reader.
pub struct Tap {
    /// Its place in the stream.
    pub reader: Reader<StreamRing>,
    _connection: Connection,
}

impl Tap {
    /// Attaches; reads what comes from now on.
    pub fn attach(socket: &Path, page: &CounterPage) -> Result<Tap> {
        greet(socket, page).map_err(|error| BenchError::new("attach a reader", error))
    }
}

fn greet(socket: &Path, page: &CounterPage) -> std::result::Result<Tap, TransportError> {
    let mut connection = Connection::connect(socket)?;
    let hello = Hello {
        role: Role::Reader,
        venue: Venue::NONE,
        name: "tap".into(),
        pid: std::process::id(),
        run_id: 0,
        next: 0,
        start: Start::Live,
    };
    hello.encode(connection.output());
    connection.flush_with(&[page.file().reader_fd()?.as_fd()])?;
    let (answer, _) = connection.wait_frame("hello", LIMIT)?;
    if answer != kind::WELCOME {
        return Err(TransportError::Closed);
    }
    let [stream] = connection.take_descriptors()?;
    Ok(Tap {
        reader: Reader::live(StreamRing::open(stream)?),
        _connection: connection,
    })
}
