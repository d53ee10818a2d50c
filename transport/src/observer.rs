//! A monitor's side: the counter pages of the relay and of everyone attached to it, read without asking their owners.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tickpath_protocol::Venue;
use tracing::warn;

use crate::connection::Connection;
use crate::counters::CounterView;
use crate::error::{AttachError, TransportError};
use crate::frame::{Frame, FrameError, encode};
use crate::message::{Hello, Refusal, Role, Start, kind, numbers};

const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Sees the counters of every process at a relay.
#[derive(Debug)]
pub struct Observer {
    path: PathBuf,
    connection: Connection,
    /// The relay's number of each view, in the same order.
    numbers: Vec<u64>,
    views: Vec<CounterView>,
}

impl Observer {
    /// Attaches to the relay at `socket`.
    ///
    /// # Errors
    /// If there is none, or it refuses.
    pub fn attach(socket: &Path) -> Result<Observer, TransportError> {
        let mut observer = Observer {
            path: socket.to_owned(),
            connection: greet(socket)?,
            numbers: Vec::new(),
            views: Vec::new(),
        };
        observer.ask()?;
        Ok(observer)
    }

    /// The pages of all that are attached now, the relay's first. If the relay was started again, attaches to the new one.
    ///
    /// # Errors
    /// If there is no relay; call again later.
    pub fn refresh(&mut self) -> Result<&[CounterView], TransportError> {
        if self.ask().is_err() {
            self.numbers.clear();
            self.views.clear();
            self.connection = greet(&self.path)?;
            self.ask()?;
        }
        Ok(&self.views)
    }

    /// Asks for pages: those that are new come with their descriptors, then the numbers of all.
    fn ask(&mut self) -> Result<(), TransportError> {
        encode(self.connection.output(), kind::PAGES_WANTED, |_| {});
        loop {
            match self.connection.wait_frame("pages", ANSWER_LIMIT)? {
                (kind::PAGE, payload) => self.add(&payload)?,
                (kind::PAGES, payload) => {
                    self.keep(&payload)?;
                    return Ok(());
                }
                (kind, _) => {
                    return Err(FrameError::Unexpected {
                        kind,
                        expected: "pages",
                    }
                    .into());
                }
            }
        }
    }

    fn add(&mut self, payload: &[u8]) -> Result<(), TransportError> {
        let frame = Frame {
            kind: kind::PAGE,
            payload,
        };
        let number = numbers(frame)?.next().unwrap_or(0);
        let descriptor = self
            .connection
            .take_descriptor()
            .ok_or(AttachError::Descriptors { found: 0, expected: 1 })?;
        // One process with a broken page must not hide the others.
        match CounterView::open(descriptor) {
            Ok(view) => {
                self.numbers.push(number);
                self.views.push(view);
            }
            Err(error) => warn!(%error, number, "a counter page cannot be read"),
        }
        Ok(())
    }

    fn keep(&mut self, payload: &[u8]) -> Result<(), TransportError> {
        let frame = Frame {
            kind: kind::PAGES,
            payload,
        };
        let order: HashMap<u64, usize> = numbers(frame)?
            .enumerate()
            .map(|(index, number)| (number, index))
            .collect();
        let mut kept: Vec<(usize, u64, CounterView)> = self
            .numbers
            .drain(..)
            .zip(self.views.drain(..))
            .filter_map(|(number, view)| Some((*order.get(&number)?, number, view)))
            .collect();
        kept.sort_by_key(|(index, ..)| *index);
        for (_, number, view) in kept {
            self.numbers.push(number);
            self.views.push(view);
        }
        Ok(())
    }
}

fn greet(socket: &Path) -> Result<Connection, TransportError> {
    let mut connection = Connection::connect(socket)?;
    let hello = Hello {
        role: Role::Observer,
        venue: Venue::NONE,
        name: "observer".to_owned(),
        pid: std::process::id(),
        run_id: 0,
        next: 0,
        start: Start::Live,
    };
    hello.encode(connection.output());
    match connection.wait_frame("hello", ANSWER_LIMIT)? {
        (kind::WELCOME, _) => Ok(connection),
        (kind::REFUSAL, payload) => Err(TransportError::Refused(Refusal::decode(&payload)?)),
        (kind, _) => Err(FrameError::Unexpected {
            kind,
            expected: "welcome",
        }
        .into()),
    }
}
